//! Sizes of the mounted filesystems, taken in sweeps on a thread of their own.
//!
//! Asking a mount for its size takes as long as its server does, for ever if need be. A mount that
//! does not answer is left to the thread that asks it and named in the error; the next sweep goes
//! on without it. It is asked again once it has answered.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::{fs, thread};

use muster_schemas::telemetry::{Filesystem, Inodes, Sample};
use nix::sys::statvfs::{Statvfs, statvfs};

use super::host::{Host, boot_clock_ms};
use super::slow::lock;
use super::source::{Collect, Moment, Trouble};
use crate::logic::mounts::{Mount, parse_mounts};

/// Sizes change slowly, and asking for them costs the more the more mounts there are.
const PERIOD_MS: i64 = 30_000;

/// A local disk that spins up answers within this.
const MOUNT_TIMEOUT_MS: i64 = 10_000;

/// How many mounts may hold a thread each. More are not asked: something is wrong with them all.
const STUCK_MAX: usize = 8;

/// Enough for one system call and a list.
const STACK_BYTES: usize = 128 * 1024;

/// How long a size is shown for.
const SHOWN_MS: i64 = 3 * PERIOD_MS;

type Measure = fn(&Path, &Mount) -> Option<Filesystem>;

pub struct Filesystems {
    sweeps: Arc<Sweeps>,
}

struct Sweeps {
    host: Host,
    measure: Measure,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    due_ms: i64,
    /// Counts sweeps; a thread whose number is not the current one has been given up.
    number: u64,
    under_way: Option<UnderWay>,
    /// Mounts that do not answer, and since when.
    stuck: BTreeMap<String, i64>,
    sizes: BTreeMap<String, (i64, Filesystem)>,
    trouble: Option<Trouble>,
}

struct UnderWay {
    mount: String,
    since_ms: i64,
}

impl Filesystems {
    pub fn start(host: &Host) -> Self {
        Self::measured_by(host, measure)
    }

    fn measured_by(host: &Host, measure: Measure) -> Self {
        let state = Mutex::new(State::default());
        let sweeps = Arc::new(Sweeps { host: host.clone(), measure, state });
        Sweeps::sweep_if_due(&sweeps, boot_clock_ms());
        Self { sweeps }
    }
}

impl Collect for Filesystems {
    fn collect(&mut self, now: Moment, sample: &mut Sample) -> Result<(), Trouble> {
        Sweeps::sweep_if_due(&self.sweeps, now.boot_ms);
        let state = lock(&self.sweeps.state);
        let shown = state.sizes.values().filter(|(at_ms, _)| now.boot_ms - at_ms <= SHOWN_MS);
        sample.filesystems.extend(shown.map(|(_, filesystem)| filesystem.clone()));
        if let Some((mount, since_ms)) = state.stuck.first_key_value() {
            let waited_s = (now.boot_ms - since_ms) / 1000;
            let others = match state.stuck.len() - 1 {
                0 => String::new(),
                others => format!(", nor have {others} others"),
            };
            let reason = format!("{mount} has not answered for {waited_s} s{others}");
            return Err(Trouble::Failed(reason));
        }
        state.trouble.clone().map_or(Ok(()), Err)
    }

    fn share(&self) -> Option<Box<dyn Collect>> {
        Some(Box::new(Self { sweeps: self.sweeps.clone() }))
    }
}

impl Sweeps {
    fn sweep_if_due(sweeps: &Arc<Self>, now_ms: i64) {
        let number = {
            let mut state = lock(&sweeps.state);
            state.give_up_what_hangs(now_ms);
            if state.under_way.is_some() || now_ms < state.due_ms || state.stuck.len() >= STUCK_MAX
            {
                return;
            }
            state.due_ms = now_ms + PERIOD_MS;
            state.number += 1;
            state.under_way =
                Some(UnderWay { mount: "the list of mounts".into(), since_ms: now_ms });
            state.number
        };
        let sweeping = sweeps.clone();
        let thread = thread::Builder::new().name("filesystems".into()).stack_size(STACK_BYTES);
        if let Err(error) = thread.spawn(move || sweeping.sweep(number)) {
            let mut state = lock(&sweeps.state);
            state.under_way = None;
            state.trouble = Some(Trouble::Failed(format!("no thread can be started: {error}")));
        }
    }

    fn sweep(&self, number: u64) {
        let (mut mounts, trouble) = match read_mounts(&self.host) {
            Ok(mounts) => (mounts, None),
            Err(trouble) => (Vec::new(), Some(trouble)),
        };
        // Those that may hang come last, so that they hold up no others.
        mounts.sort_by_key(Mount::is_remote);
        for mount in &mounts {
            if !lock(&self.state).begin(number, mount) {
                continue;
            }
            let path = self.host.path(&mount.mount);
            let size = (self.measure)(&path, mount);
            if !lock(&self.state).end(number, mount, size) {
                return;
            }
        }
        let mut state = lock(&self.state);
        if state.number == number {
            state.under_way = None;
            state.trouble = trouble;
            state.sizes.retain(|name, _| mounts.iter().any(|mount| mount.mount == *name));
        }
    }
}

impl State {
    /// Leaves a mount that hangs to its thread, so that the others are asked again at once.
    fn give_up_what_hangs(&mut self, now_ms: i64) {
        let hangs = |under_way: &UnderWay| now_ms - under_way.since_ms > MOUNT_TIMEOUT_MS;
        if let Some(hung) = self.under_way.take_if(|under_way| hangs(under_way)) {
            self.stuck.insert(hung.mount, hung.since_ms);
            self.number += 1;
            self.due_ms = now_ms;
        }
    }

    /// Whether the mount is to be asked by the sweep of this number.
    fn begin(&mut self, number: u64, mount: &Mount) -> bool {
        if self.number != number || self.stuck.contains_key(&mount.mount) {
            return false;
        }
        self.under_way = Some(UnderWay { mount: mount.mount.clone(), since_ms: boot_clock_ms() });
        true
    }

    /// Takes an answer; whether the sweep goes on.
    fn end(&mut self, number: u64, mount: &Mount, size: Option<Filesystem>) -> bool {
        self.stuck.remove(&mount.mount);
        match size {
            Some(size) => self.sizes.insert(mount.mount.clone(), (boot_clock_ms(), size)),
            None => self.sizes.remove(&mount.mount),
        };
        self.number == number
    }
}

/// The mounts of the first process are the host's: our own may be those of a service that sees
/// only part of it, or of a container.
fn read_mounts(host: &Host) -> Result<Vec<Mount>, Trouble> {
    let candidates: [PathBuf; 2] = [host.proc("1/mounts"), host.proc("self/mounts")];
    let text = fs::read(&candidates[0]).or_else(|_| fs::read(&candidates[1]));
    let text = text.map_err(|error| Trouble::reading(&candidates[1], &error))?;
    Ok(parse_mounts(&text))
}

/// `None` for what cannot be asked or has no size, such as an automount that is not there yet.
fn measure(path: &Path, mount: &Mount) -> Option<Filesystem> {
    let sizes = statvfs(path).ok()?;
    let unit = sizes.fragment_size();
    let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(unit)).unwrap_or(i64::MAX);
    let total_bytes = bytes(sizes.blocks());
    (total_bytes > 0).then(|| Filesystem {
        mount: mount.mount.clone(),
        device: mount.device.clone(),
        fs_type: mount.fs_type.clone(),
        total_bytes,
        used_bytes: bytes(sizes.blocks().saturating_sub(sizes.blocks_free())),
        available_bytes: bytes(sizes.blocks_available()),
        inodes: inodes(&sizes),
        read_only: mount.read_only,
    })
}

fn inodes(sizes: &Statvfs) -> Option<Inodes> {
    let total = i64::try_from(sizes.files()).ok().filter(|total| *total > 0)?;
    let free = i64::try_from(sizes.files_free()).ok()?;
    Some(Inodes { total, used: total.saturating_sub(free).max(0) })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// Waits until the view shows what is expected, and says what it showed otherwise.
    fn wait_for(
        view: &mut Filesystems,
        boot_ms: i64,
        expected: impl Fn(&[Filesystem], &Result<(), Trouble>) -> bool,
    ) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let mut sample = Sample::default();
            let said = view.collect(Moment { boot_ms }, &mut sample);
            if expected(&sample.filesystems, &said) {
                return;
            }
            assert!(Instant::now() < deadline, "{said:?}, {:?}", sample.filesystems);
            thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn the_root_of_this_machine_has_bytes_and_inodes() {
        let mut view = Filesystems::start(&Host::new(Path::new("/")));
        wait_for(&mut view, boot_clock_ms(), |found, said| {
            let is_whole = |f: &Filesystem| f.total_bytes > 0 && f.used_bytes > 0;
            said.is_ok() && found.iter().any(|f| f.mount == "/" && is_whole(f))
        });
    }

    fn fake_host(mounts: &str) -> (tempfile::TempDir, Host) {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("proc/1")).unwrap();
        fs::write(directory.path().join("proc/1/mounts"), mounts).unwrap();
        let host = Host::new(directory.path());
        (directory, host)
    }

    #[test]
    fn names_are_the_hosts_own_where_its_root_is_a_mount() {
        let (_directory, host) = fake_host("/dev/vda1 / ext4 ro 0 0\n");
        let mut view = Filesystems::start(&host);
        wait_for(&mut view, boot_clock_ms(), |found, _| {
            found.len() == 1 && found[0].mount == "/" && found[0].read_only
        });
    }

    static HANGS: Mutex<()> = Mutex::new(());

    #[expect(clippy::unnecessary_wraps, reason = "it stands for one that may find nothing")]
    fn hang_at_nas(_path: &Path, mount: &Mount) -> Option<Filesystem> {
        if mount.is_remote() {
            drop(lock(&HANGS));
        }
        Some(Filesystem { mount: mount.mount.clone(), total_bytes: 1, ..Filesystem::default() })
    }

    #[test]
    fn a_mount_that_hangs_is_named_and_holds_up_no_other() {
        let held = lock(&HANGS);
        let (_directory, host) =
            fake_host("nas:/a /a nfs4 rw 0 0\n/dev/vda1 / ext4 rw 0 0\n/dev/vdb1 /z ext4 rw 0 0\n");
        let mut view = Filesystems::measured_by(&host, hang_at_nas);
        let names = |found: &[Filesystem]| -> Vec<String> {
            found.iter().map(|filesystem| filesystem.mount.clone()).collect()
        };
        let now_ms = boot_clock_ms();
        wait_for(&mut view, now_ms, |found, said| names(found) == ["/", "/z"] && said.is_ok());
        let later_ms = now_ms + MOUNT_TIMEOUT_MS + 5000;
        wait_for(&mut view, later_ms, |found, said| {
            let named = matches!(said, Err(Trouble::Failed(reason))
                if reason.starts_with("/a has not answered for 1"));
            names(found) == ["/", "/z"] && named
        });
        drop(held);
        wait_for(&mut view, later_ms, |found, said| {
            names(found) == ["/", "/a", "/z"] && said.is_ok()
        });
    }
}
