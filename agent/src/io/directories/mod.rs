//! The largest directories of filesystems that are too full, for those who get the ticket.
//!
//! Nobody waits for a look: it is taken on a thread of its own, at the lowest priority, and what it
//! finds goes with what the host says of the breach from then on. A look that hangs is left to its
//! thread. When there is one, and for how long it counts, is decided in `logic::looks`; what is
//! told, in `logic::directories`. Called with each candidate by `service::sampling`.

mod walk;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fs, io, thread};

use muster_schemas::conditions::Candidate;
use rustix::process::setpriority_process;
use tracing::debug;

use self::walk::{LIMITS, Limits, largest};
use super::collect::host::Host;
use crate::logic::directories::Found;
use crate::logic::looks::{Looks, Subject};
use crate::logic::mounts::mounted_below;

/// A walk keeps what it needs elsewhere; the default of 2 MiB is mapped for nothing.
const STACK_BYTES: usize = 128 * 1024;

/// The least there is. The kernel derives the priority on disks from it: the least there, too.
const NICE: i32 = 19;

type Walk = fn(&Path, &str, &HashMap<Vec<u8>, bool>, &Limits) -> io::Result<Found>;

pub struct Directories {
    shared: Arc<Shared>,
}

struct Shared {
    host: Host,
    walk: Walk,
    looks: Mutex<Looks>,
}

impl Directories {
    pub fn new(host: &Host) -> Self {
        Self::walked_by(host, largest)
    }

    fn walked_by(host: &Host, walk: Walk) -> Self {
        Self { shared: Arc::new(Shared { host: host.clone(), walk, looks: Mutex::default() }) }
    }

    /// Adds what is known of the directories of a filesystem that is too full, or has them looked
    /// for. Time is since boot.
    pub fn explain(&self, candidate: &mut Candidate, boot_ms: i64) {
        let Some(subject) = Subject::of(candidate) else { return };
        let begins = {
            let mut looks = self.shared.looks();
            if let Some(found) = looks.found(boot_ms, &subject)
                && !found.directories.is_empty()
            {
                candidate.context.directories.clone_from(&found.directories);
                candidate.context.directories_partial = found.is_partial;
            }
            looks.begin(boot_ms, &subject)
        };
        if begins {
            Shared::begin(&self.shared, subject);
        }
    }

    /// What has not answered for long.
    pub fn complaint(&self, boot_ms: i64) -> Option<String> {
        self.shared.looks().complaint(boot_ms)
    }
}

impl Shared {
    fn begin(shared: &Arc<Self>, subject: Subject) {
        let (looking, mount) = (shared.clone(), subject.mount.clone());
        let thread = thread::Builder::new().name("directories".into()).stack_size(STACK_BYTES);
        if let Err(error) = thread.spawn(move || looking.look(&subject)) {
            debug!(%error, "no thread can be started to walk {mount}");
            shared.looks().end(&mount, None);
        }
    }

    fn look(&self, subject: &Subject) {
        let mut end = End { shared: self, mount: &subject.mount, found: None };
        if let Err(error) = setpriority_process(None, NICE) {
            debug!(%error, "the walk of {} has no lower priority", subject.mount);
        }
        match self.walk(subject) {
            Ok(found) => end.found = Some(found),
            Err(error) => debug!(%error, "cannot walk {}", subject.mount),
        }
    }

    fn walk(&self, Subject { mount, device, .. }: &Subject) -> io::Result<Found> {
        // The mounts of the first process are the host's.
        let mounts = fs::read(self.host.proc("1/mounts"));
        let mounts = mounts.or_else(|_| fs::read(self.host.proc("self/mounts")))?;
        let mounted = mounted_below(&mounts, mount, device);
        (self.walk)(&self.host.path(mount), mount, &mounted, &LIMITS)
    }

    /// A thread that panicked leaves values that are whole: each is replaced in one step.
    fn looks(&self) -> MutexGuard<'_, Looks> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands over what a look found, however it ends.
struct End<'a> {
    shared: &'a Shared,
    mount: &'a str,
    found: Option<Found>,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.shared.looks().end(self.mount, self.found.take());
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use muster_schemas::conditions::{CandidateState, Context, Directory};
    use muster_schemas::telemetry::Filesystem;

    use super::*;

    fn full(mount: &str) -> Candidate {
        let filesystem = Filesystem {
            mount: mount.into(),
            device: "/dev/vda1".into(),
            fs_type: "ext4".into(),
            ..Filesystem::default()
        };
        Candidate {
            at: 1000,
            rule: "1".into(),
            rule_version: 1,
            metric: "filesystem.used_percent".into(),
            instance: mount.into(),
            state: CandidateState::StillBreached,
            value: 95.0,
            threshold: 90.0,
            since: 1000,
            context: Context { filesystem: Some(filesystem), ..Context::default() },
        }
    }

    /// A host whose root is a directory here.
    fn host() -> (tempfile::TempDir, Host) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("proc/1")).unwrap();
        let mounts = "/dev/vda1 / ext4 rw 0 0\nnas:/x /data/nas nfs4 rw 0 0\n";
        fs::write(root.path().join("proc/1/mounts"), mounts).unwrap();
        for name in ["log", "nas"] {
            let directory = root.path().join("data").join(name);
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("f"), vec![1; 1 << 18]).unwrap();
        }
        let host = Host::new(root.path());
        (root, host)
    }

    /// Repeats what the host says until it comes with directories.
    fn wait_for(directories: &Directories, mount: &str) -> Context {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let mut candidate = full(mount);
            directories.explain(&mut candidate, 1000);
            if !candidate.context.directories.is_empty() {
                return candidate.context;
            }
            assert!(Instant::now() < deadline, "nothing was found");
            thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn the_first_word_waits_for_nothing_and_a_later_one_has_what_was_found() {
        let (_root, host) = host();
        let directories = Directories::new(&host);
        let mut first = full("/data");
        directories.explain(&mut first, 1000);
        assert_eq!(first, full("/data"));
        let context = wait_for(&directories, "/data");
        let paths: Vec<&str> = context.directories.iter().map(|d| d.path.as_str()).collect();
        assert_eq!((paths, context.directories_partial), (vec!["/data/log"], false));
    }

    static HANGS: Mutex<()> = Mutex::new(());

    fn hang_or_find(
        _root: &Path,
        mount: &str,
        _mounted: &HashMap<Vec<u8>, bool>,
        _limits: &Limits,
    ) -> io::Result<Found> {
        let priority = rustix::process::getpriority_process(None)?;
        match mount {
            "/hangs" => drop(HANGS.lock()),
            "/panics" => panic!("on purpose"),
            _ => {}
        }
        let directories = vec![Directory { path: mount.into(), bytes: priority.into() }];
        Ok(Found { directories, is_partial: true })
    }

    #[test]
    fn one_that_hangs_is_left_behind_and_the_others_are_looked_at_with_least_priority() {
        let held = HANGS.lock().unwrap();
        let (_root, host) = host();
        let directories = Directories::walked_by(&host, hang_or_find);
        directories.explain(&mut full("/hangs"), -100_000);
        assert_eq!(directories.complaint(-100_000), None);
        let context = wait_for(&directories, "/other");
        assert_eq!((context.directories[0].bytes, context.directories_partial), (19, true));
        assert!(directories.complaint(1000).unwrap().starts_with("/hangs "));
        drop(held);
        wait_for(&directories, "/hangs");
        assert_eq!(directories.complaint(1000), None);
    }

    #[test]
    fn a_walk_that_panics_ends_nothing_but_itself() {
        let (_root, host) = host();
        let directories = Directories::walked_by(&host, hang_or_find);
        directories.explain(&mut full("/panics"), 1000);
        wait_for(&directories, "/other");
    }
}
