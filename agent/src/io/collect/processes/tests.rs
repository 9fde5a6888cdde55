//! The table of processes, on made-up trees of `/proc` and on this machine.

use super::*;

struct FakeProc {
    directory: tempfile::TempDir,
}

impl FakeProc {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("etc")).unwrap();
        fs::create_dir_all(directory.path().join("proc")).unwrap();
        Self { directory }
    }

    fn host(&self) -> Host {
        Host::new(self.directory.path())
    }

    fn process(&self, pid: i32, name: &str, started: u64, ticks: u64, pages: u64) {
        let path = self.directory.path().join(format!("proc/{pid}"));
        fs::create_dir_all(&path).unwrap();
        let stat = format!(
            "{pid} ({name}) S 1 1 1 0 -1 4194304 0 0 0 0 {ticks} 0 0 0 20 0 1 0 {started} 9 {pages} 0"
        );
        fs::write(path.join("stat"), stat).unwrap();
        fs::write(path.join("cmdline"), format!("/bin/{name}\0--token=x\0")).unwrap();
    }

    fn written(&self, pid: i32, bytes: u64) {
        let path = self.directory.path().join(format!("proc/{pid}/io"));
        fs::write(path, format!("read_bytes: 0\nwrite_bytes: {bytes}\n")).unwrap();
    }

    fn gone(&self, pid: i32) {
        fs::remove_dir_all(self.directory.path().join(format!("proc/{pid}"))).unwrap();
    }
}

fn look(table: &mut ProcessTable, boot_ms: i64) -> Processes {
    let mut sample = Sample::default();
    table.collect(Moment { boot_ms }, &mut sample).unwrap();
    sample.processes
}

#[test]
fn shares_are_between_two_looks_and_a_number_used_again_is_another_process() {
    let proc = FakeProc::new();
    proc.process(7, "worker", 10, 500, 3);
    proc.process(8, "idle", 10, 0, 1);
    let mut table = ProcessTable::new(&proc.host(), Masks::default());
    assert!(look(&mut table, 100_000).top_cpu.is_empty());
    proc.process(7, "worker", 10, 600, 3);
    let processes = look(&mut table, 105_000);
    assert_eq!(processes.total, 2);
    assert_eq!(processes.states.unwrap().sleeping, 2);
    assert_eq!(processes.top_cpu.len(), 1);
    let top = &processes.top_cpu[0];
    assert_eq!((top.pid, top.name.as_str(), top.cpu_percent), (7, "worker", 20.0));
    assert_eq!(top.command, "/bin/worker --token=***");
    assert_eq!(processes.top_memory.len(), 2);
    proc.process(7, "other", 10_600, 50, 3);
    let processes = look(&mut table, 110_000);
    assert_eq!(processes.top_cpu[0].name, "other");
    assert!((processes.top_cpu[0].cpu_percent - 10.0).abs() < f32::EPSILON);
    proc.gone(8);
    assert_eq!(look(&mut table, 115_000).total, 1);
}

#[test]
fn storage_is_followed_while_a_process_is_busy() {
    let proc = FakeProc::new();
    proc.process(7, "db", 10, 0, 1);
    proc.written(7, 1000);
    let mut table = ProcessTable::new(&proc.host(), Masks::default());
    look(&mut table, 100_000);
    proc.process(7, "db", 10, 1, 1);
    proc.written(7, 51_000);
    assert_eq!(look(&mut table, 105_000).top_io[0].write_bytes_per_s, 10_000);
    proc.written(7, 56_000);
    assert_eq!(look(&mut table, 110_000).top_io[0].write_bytes_per_s, 1000);
    assert!(look(&mut table, 115_000).top_io.is_empty());
}

#[test]
fn this_process_is_found_with_its_owner_and_command() {
    let mut table = ProcessTable::new(&Host::new(Path::new("/")), Masks::default());
    let all = table.all_over(|| ()).unwrap();
    let own = all.iter().find(|p| p.pid == i64::from(std::process::id())).unwrap();
    assert!(own.memory_bytes > 0 && !own.command.is_empty() && !own.user.is_empty());
    assert!(all.is_sorted_by_key(|process| process.pid));
}

#[test]
fn what_is_kept_open_is_read_anew() {
    let mut table = ProcessTable::new(&Host::new(Path::new("/")), Masks::default());
    for _ in 0..3 {
        let processes = look(&mut table, boot_clock_ms());
        let states = processes.states.unwrap();
        assert!(processes.total >= 1 && states.running + states.sleeping >= 1);
    }
    assert!((1..=OPEN_FILES_MAX).contains(&table.open_files));
}
