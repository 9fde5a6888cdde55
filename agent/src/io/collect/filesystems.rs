//! Sizes of the mounted filesystems, taken in sweeps on a thread of their own.
//!
//! Asking a mount for its size takes as long as its server does, for ever if need be. A mount that
//! does not answer is left to the thread that asks it and named in the error; the next sweep goes
//! on without it. It is asked again once it has answered. How many threads hang that way is bounded
//! (`logic::mounts`): network mounts beyond that are skipped and named, local ones always asked.
//! Those of a server of which one hangs come last, so that a dead server holds up no other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::{fs, thread};

use muster_schemas::telemetry::{Filesystem, Inodes, Sample};
use nix::sys::statvfs::{Statvfs, statvfs};

use super::host::{Host, boot_clock_ms};
use super::slow::lock;
use super::source::{Collect, Moment, Trouble};
use crate::logic::mounts::{Mount, may_ask, parse_mounts};

/// Sizes change slowly, and asking for them costs the more the more mounts there are.
const PERIOD_MS: i64 = 30_000;

/// A local disk that spins up answers within this.
const MOUNT_TIMEOUT_MS: i64 = 10_000;

/// What is asked first in each sweep. No mount has this name: those begin with a slash.
const LIST: &str = "the list of mounts";

/// Enough for one system call and a list.
const STACK_BYTES: usize = 128 * 1024;

/// How many mounts an error names of a sort: it travels with each heartbeat, 512 bytes at most.
const NAMED_MAX: usize = 4;

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
    stuck: BTreeMap<String, Stuck>,
    sizes: BTreeMap<String, (i64, Filesystem)>,
    /// Mounts the last sweep did not dare to ask.
    skipped: Vec<String>,
    trouble: Option<Trouble>,
}

struct UnderWay {
    mount: String,
    since_ms: i64,
    /// Of a network mount.
    server: Option<String>,
}

/// A mount that does not answer.
struct Stuck {
    since_ms: i64,
    server: Option<String>,
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
        match state.complaint(now.boot_ms) {
            Some(reason) => Err(Trouble::Failed(reason)),
            None => state.trouble.clone().map_or(Ok(()), Err),
        }
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
            let has_list = !state.stuck.contains_key(LIST);
            if state.under_way.is_some() || now_ms < state.due_ms || !has_list {
                return;
            }
            state.due_ms = now_ms + PERIOD_MS;
            state.number += 1;
            state.under_way = Some(UnderWay { mount: LIST.into(), since_ms: now_ms, server: None });
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
        {
            let mut state = lock(&self.state);
            state.stuck.remove(LIST);
            // Those that may hang come last, so that they hold up no others.
            mounts.sort_by_key(|mount| (mount.is_remote(), state.hangs_beside(mount)));
        }
        let mut skipped = Vec::new();
        for mount in &mounts {
            match lock(&self.state).begin(number, mount) {
                Begin::Ask => {}
                Begin::Hangs => continue,
                Begin::Skip => {
                    skipped.push(mount.mount.clone());
                    continue;
                }
                Begin::GivenUp => return,
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
            state.skipped = skipped;
            state.sizes.retain(|name, _| mounts.iter().any(|mount| mount.mount == *name));
        }
    }
}

/// What a sweep does with a mount.
enum Begin {
    Ask,
    /// It is being waited for.
    Hangs,
    /// Too many hang already.
    Skip,
    /// The sweep itself was waited for too long.
    GivenUp,
}

impl State {
    /// Leaves a mount that hangs to its thread, so that the others are asked again at once.
    fn give_up_what_hangs(&mut self, now_ms: i64) {
        let hangs = |under_way: &UnderWay| now_ms - under_way.since_ms > MOUNT_TIMEOUT_MS;
        if let Some(hung) = self.under_way.take_if(|under_way| hangs(under_way)) {
            let stuck = Stuck { since_ms: hung.since_ms, server: hung.server };
            self.stuck.insert(hung.mount, stuck);
            self.number += 1;
            self.due_ms = now_ms;
        }
    }

    /// What the sweep of this number does with the mount.
    fn begin(&mut self, number: u64, mount: &Mount) -> Begin {
        if self.number != number {
            return Begin::GivenUp;
        }
        if self.stuck.contains_key(&mount.mount) {
            return Begin::Hangs;
        }
        let hanging = self.stuck.values().filter(|stuck| stuck.server.is_some()).count();
        let is_healthy = self.sizes.contains_key(&mount.mount) && !self.hangs_beside(mount);
        if !may_ask(mount, is_healthy, hanging) {
            return Begin::Skip;
        }
        let (name, since_ms) = (mount.mount.clone(), boot_clock_ms());
        let server = mount.is_remote().then(|| mount.server().to_owned());
        self.under_way = Some(UnderWay { mount: name, since_ms, server });
        Begin::Ask
    }

    /// Whether a mount of the same server hangs.
    fn hangs_beside(&self, mount: &Mount) -> bool {
        let server = mount.is_remote().then(|| mount.server());
        server.is_some() && self.stuck.values().any(|stuck| stuck.server.as_deref() == server)
    }

    /// Names what does not answer, the longest first, and what is not asked because of it.
    fn complaint(&self, now_ms: i64) -> Option<String> {
        let (mount, stuck) = self.stuck.iter().min_by_key(|(_, stuck)| stuck.since_ms)?;
        let waited_s = (now_ms - stuck.since_ms) / 1000;
        let mut reason = format!("{mount} has not answered for {waited_s} s");
        let others: Vec<&String> = self.stuck.keys().filter(|other| *other != mount).collect();
        let skipped: Vec<&String> = self.skipped.iter().collect();
        for (words, mounts) in [(", nor have ", others), ("; not asked for that reason: ", skipped)]
        {
            if !mounts.is_empty() {
                reason.push_str(words);
                reason.push_str(&named(&mounts));
            }
        }
        Some(reason)
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

/// The first few, and how many more.
fn named(mounts: &[&String]) -> String {
    let first: Vec<&str> = mounts.iter().take(NAMED_MAX).map(|mount| mount.as_str()).collect();
    let first = first.join(", ");
    match mounts.len().saturating_sub(NAMED_MAX) {
        0 => first,
        more => format!("{first} and {more} more"),
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
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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

    static ALL_AWAY: Mutex<()> = Mutex::new(());
    static ASKED_LOCAL: AtomicUsize = AtomicUsize::new(0);
    static ASKED_REMOTE: AtomicUsize = AtomicUsize::new(0);

    #[expect(clippy::unnecessary_wraps, reason = "it stands for one that may find nothing")]
    fn all_servers_away(_path: &Path, mount: &Mount) -> Option<Filesystem> {
        if mount.is_remote() {
            ASKED_REMOTE.fetch_add(1, Ordering::SeqCst);
            drop(lock(&ALL_AWAY));
        } else {
            ASKED_LOCAL.fetch_add(1, Ordering::SeqCst);
        }
        Some(Filesystem { mount: mount.mount.clone(), total_bytes: 1, ..Filesystem::default() })
    }

    #[test]
    fn a_dozen_mounts_that_hang_hold_a_few_threads_and_local_ones_are_measured_for_ever() {
        let held = lock(&ALL_AWAY);
        let remote: Vec<String> =
            (10..22).map(|n| format!("nas:/{n} /n/{n} nfs4 rw 0 0\n")).collect();
        let remote = remote.concat();
        let (_directory, host) = fake_host(&format!("/dev/vda1 / ext4 rw 0 0\n{remote}"));
        let mut view = Filesystems::measured_by(&host, all_servers_away);
        let mut now_ms = boot_clock_ms();
        let is_at_the_bound = |said: &Result<(), Trouble>| {
            matches!(said, Err(Trouble::Failed(reason)) if reason.contains("and 3 more")
                && reason.ends_with("not asked for that reason: /n/18, /n/19, /n/20, /n/21"))
        };
        wait_for(&mut view, now_ms + MOUNT_TIMEOUT_MS + 5000, |_, said| is_at_the_bound(said));
        for _ in 0..3 {
            let before = ASKED_LOCAL.load(Ordering::SeqCst);
            now_ms += PERIOD_MS + MOUNT_TIMEOUT_MS + 5000;
            wait_for(&mut view, now_ms, |_, said| {
                ASKED_LOCAL.load(Ordering::SeqCst) > before && is_at_the_bound(said)
            });
        }
        assert_eq!(ASKED_REMOTE.load(Ordering::SeqCst), 8);
        drop(held);
        wait_for(&mut view, now_ms, |_, said| said.is_ok());
        now_ms += 2 * PERIOD_MS;
        wait_for(&mut view, now_ms, |_, _| ASKED_REMOTE.load(Ordering::SeqCst) >= 12);
    }

    static ONE_AWAY: Mutex<()> = Mutex::new(());
    static IS_AWAY: AtomicBool = AtomicBool::new(false);
    static ASKED_HEALTHY: AtomicUsize = AtomicUsize::new(0);

    #[expect(clippy::unnecessary_wraps, reason = "it stands for one that may find nothing")]
    fn one_server_away(_path: &Path, mount: &Mount) -> Option<Filesystem> {
        if mount.server() == "dead" && IS_AWAY.load(Ordering::SeqCst) {
            drop(lock(&ONE_AWAY));
        } else if mount.server() == "well" {
            ASKED_HEALTHY.fetch_add(1, Ordering::SeqCst);
        }
        Some(Filesystem { mount: mount.mount.clone(), total_bytes: 1, ..Filesystem::default() })
    }

    #[test]
    fn a_dead_server_with_forty_known_mounts_stops_no_mount_of_another_server() {
        let mounts: Vec<String> =
            (10..50).map(|n| format!("dead:/{n} /a/{n} nfs4 rw 0 0\n")).collect();
        let (_directory, host) = fake_host(&format!("{}well:/z /z nfs4 rw 0 0\n", mounts.concat()));
        let mut view = Filesystems::measured_by(&host, one_server_away);
        let mut now_ms = boot_clock_ms();
        wait_for(&mut view, now_ms, |found, _| found.len() == 41);
        let held = lock(&ONE_AWAY);
        IS_AWAY.store(true, Ordering::SeqCst);
        // Long enough for each of them to have been waited for.
        for _ in 0..45 {
            let before = ASKED_HEALTHY.load(Ordering::SeqCst);
            now_ms += PERIOD_MS + MOUNT_TIMEOUT_MS + 5000;
            wait_for(&mut view, now_ms, |_, said| {
                ASKED_HEALTHY.load(Ordering::SeqCst) > before && said.is_err()
            });
        }
        let state = lock(&view.sweeps.state);
        let dead = |stuck: &&Stuck| stuck.server.as_deref() == Some("dead");
        assert_eq!(state.stuck.values().filter(dead).count(), 8);
        drop(state);
        drop(held);
    }
}
