//! A walk over all files of one filesystem, for the sizes of its directories.
//!
//! Sizes are what files take of the disk. A file of several names counts once. Symbolic links are
//! not followed, and what is mounted below is left out, without so much as a look at it: a server
//! that is away would hold the walk up.
//!
//! A walk is bounded in files, depth and time, and rests for most of it: it must be noticed neither
//! in the host's load nor in the agent's. What it did not get to, or may not read, makes the answer
//! partial. Called by `super` on a thread of its own.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use rustix::fs::{
    AtFlags, CWD, Dir, DirEntry, FileType, Mode, OFlags, Stat, fstat, openat, statat,
};
use rustix::io::Errno;

use crate::logic::directories::{Found, Tally};

/// How far a walk goes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub entries: usize,
    pub depth: usize,
    pub time: Duration,
}

/// A second of a processor where the kernel has it all in memory. Half a minute is two
/// repetitions of what the host says of the breach. Each level of depth holds a file descriptor and
/// some kilobytes.
pub const LIMITS: Limits = Limits { entries: 500_000, depth: 48, time: Duration::from_secs(30) };

/// Uses a processor for so long and then rests for four times as long: a fifth of one core at the
/// most. Waiting for a busy processor or disk is no work.
const WORK: Duration = Duration::from_millis(5);
const REST: Duration = Duration::from_millis(20);

/// Files of several names that are remembered: half a megabyte.
const LINKS_MAX: usize = 20_000;

/// In which `st_blocks` counts, whatever the filesystem's own are.
const BLOCK_BYTES: u64 = 512;

const OPEN: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The largest directories below a mount that is found here at `root`; `mounted` is what is mounted
/// below it, true where that is part of the same device.
pub fn largest(
    root: &Path,
    mount: &str,
    mounted: &HashMap<Vec<u8>, bool>,
    limits: &Limits,
) -> io::Result<Found> {
    let file = openat(CWD, root, OPEN, Mode::empty())?;
    let device = fstat(&file)?.st_dev;
    let mut walk = Walk {
        tally: Tally::new(mount),
        mounted,
        limits,
        open: vec![Open { files: Dir::new(file)?, device }],
        devices: HashSet::from([device]),
        links: Links::default(),
        entries: 0,
        pace: Pace::new(limits.time),
        is_partial: false,
    };
    walk.run();
    Ok(Found { directories: walk.tally.finish(), is_partial: walk.is_partial })
}

struct Walk<'a> {
    tally: Tally,
    mounted: &'a HashMap<Vec<u8>, bool>,
    limits: &'a Limits,
    /// The directories the walk is in.
    open: Vec<Open>,
    /// All that were entered: one that is mounted twice counts once.
    devices: HashSet<u64>,
    links: Links,
    entries: usize,
    pace: Pace,
    is_partial: bool,
}

struct Open {
    files: Dir,
    device: u64,
}

impl Walk<'_> {
    fn run(&mut self) {
        while let Some(directory) = self.open.last_mut() {
            match directory.files.read() {
                None => {
                    self.open.pop();
                    self.tally.leave();
                }
                Some(Err(_)) => self.is_partial = true,
                Some(Ok(entry)) => {
                    if let Err(error) = self.take(&entry) {
                        // What has just been deleted is not missed.
                        self.is_partial |= error != Errno::NOENT;
                    }
                    self.entries += 1;
                    if self.entries >= self.limits.entries || !self.pace.goes_on() {
                        self.is_partial = true;
                        return;
                    }
                }
            }
        }
    }

    fn take(&mut self, entry: &DirEntry) -> Result<(), Errno> {
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            return Ok(());
        }
        match entry.file_type() {
            FileType::RegularFile => self.file(entry),
            FileType::Directory => self.directory(entry),
            // Old filesystems do not say it in their lists.
            FileType::Unknown => match self.mounted.get(&self.tally.path_of(name)) {
                Some(_) => self.directory(entry),
                None if is_directory(&self.look_at(entry)?) => self.directory(entry),
                None => self.file(entry),
            },
            _ => Ok(()),
        }
    }

    fn file(&mut self, entry: &DirEntry) -> Result<(), Errno> {
        let stat = self.look_at(entry)?;
        self.tally.add(self.links.bytes(&stat));
        Ok(())
    }

    fn directory(&mut self, entry: &DirEntry) -> Result<(), Errno> {
        let name = entry.file_name().to_bytes();
        let mounted = self.mounted.get(&self.tally.path_of(name)).copied();
        if mounted == Some(false) {
            return Ok(());
        }
        let stat = self.look_at(entry)?;
        let is_ours = match mounted {
            Some(_) => self.devices.insert(stat.st_dev),
            None => self.open.last().is_some_and(|parent| parent.device == stat.st_dev),
        };
        if !is_ours || !is_directory(&stat) {
            return Ok(());
        }
        if self.open.len() >= self.limits.depth {
            self.is_partial = true;
            return Ok(());
        }
        let file = openat(self.within()?, entry.file_name(), OPEN, Mode::empty())?;
        self.open.push(Open { files: Dir::new(file)?, device: stat.st_dev });
        self.tally.enter(name);
        self.tally.add(bytes(&stat));
        Ok(())
    }

    fn look_at(&self, entry: &DirEntry) -> Result<Stat, Errno> {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        statat(self.within()?, entry.file_name(), flags)
    }

    /// The directory the walk is in.
    fn within(&self) -> Result<BorrowedFd<'_>, Errno> {
        self.open.last().ok_or(Errno::NOENT)?.files.fd()
    }
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

fn bytes(stat: &Stat) -> u64 {
    u64::try_from(stat.st_blocks).unwrap_or_default().saturating_mul(BLOCK_BYTES)
}

/// Files of several names, each counted at the first that is found.
#[derive(Default)]
struct Links {
    seen: HashSet<(u64, u64)>,
}

impl Links {
    fn bytes(&mut self, stat: &Stat) -> u64 {
        let file = (stat.st_dev, stat.st_ino);
        if stat.st_nlink <= 1 {
            return bytes(stat);
        }
        if self.seen.contains(&file) {
            return 0;
        }
        if self.seen.len() < LINKS_MAX {
            self.seen.insert(file);
            return bytes(stat);
        }
        // Too many to remember: each name has its share.
        (bytes(stat) as f64 / stat.st_nlink as f64) as u64
    }
}

/// Work and rest, until the time is over.
struct Pace {
    ends: Instant,
    /// At which time on a processor.
    rests: Duration,
}

impl Pace {
    fn new(time: Duration) -> Self {
        Self { ends: Instant::now() + time, rests: worked() + WORK }
    }

    fn goes_on(&mut self) -> bool {
        let worked = worked();
        if worked >= self.rests {
            sleep(REST);
            self.rests = worked + WORK;
        }
        Instant::now() < self.ends
    }
}

/// How long this thread has been on a processor.
fn worked() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use muster_schemas::conditions::Directory;
    use nix::unistd::{Uid, geteuid, setfsuid};
    use tempfile::TempDir;

    use super::*;

    const KIB: i64 = 1024;

    /// What a directory of a few files may take itself.
    const SLACK: i64 = 64 * KIB;

    fn tree(files: &[(&str, i64)]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for (path, kib) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vec![1; (kib * KIB) as usize]).unwrap();
        }
        root
    }

    fn walk(root: &TempDir, mounted: &[(&str, bool)], limits: &Limits) -> Found {
        let mounted = mounted.iter().map(|(path, is_same)| (path.as_bytes().to_vec(), *is_same));
        largest(root.path(), "/data", &mounted.collect(), limits).unwrap()
    }

    #[track_caller]
    fn check(found: &Found, expected: &[(&str, i64)]) {
        let told: Vec<&str> = found.directories.iter().map(|told| told.path.as_str()).collect();
        let paths: Vec<&str> = expected.iter().map(|(path, _)| *path).collect();
        assert_eq!(told, paths);
        for (Directory { path, bytes }, (_, kib)) in found.directories.iter().zip(expected) {
            let from = kib * KIB;
            assert!((from..from + SLACK).contains(bytes), "{path} has {bytes}, not {kib} KiB");
        }
    }

    #[test]
    fn directories_are_told_by_what_they_take_and_links_count_once() {
        let root = tree(&[("a/b/f", 2000), ("a/g", 100), ("c/f", 600), ("d/f", 300)]);
        let of = |path: &str| root.path().join(path);
        fs::hard_link(of("a/b/f"), of("a/b/again")).unwrap();
        symlink(of("."), of("d/loop")).unwrap();
        symlink("/", of("d/root")).unwrap();
        fs::File::create(of("d/hole")).unwrap().set_len(1 << 40).unwrap();
        let found = walk(&root, &[], &LIMITS);
        assert!(!found.is_partial);
        check(&found, &[("/data/a/b", 2000), ("/data/c", 600), ("/data/d", 300)]);
    }

    #[test]
    fn what_is_mounted_below_is_left_out() {
        let root = tree(&[("a/f", 500), ("nas/f", 900), ("again/f", 900)]);
        let found = walk(&root, &[("/data/nas", false), ("/data/again", true)], &LIMITS);
        assert!(!found.is_partial);
        check(&found, &[("/data/a", 500)]);
    }

    #[test]
    fn another_device_is_left_out_even_where_nobody_says_that_it_is_mounted() {
        let device = |path: &str| fs::metadata(path).map(|found| found.dev()).ok();
        if device("/dev") == device("/dev/shm") {
            return;
        }
        let shared = tempfile::tempdir_in("/dev/shm").unwrap();
        fs::write(shared.path().join("f"), vec![1; 1 << 20]).unwrap();
        let found = largest(Path::new("/dev"), "/dev", &HashMap::new(), &LIMITS).unwrap();
        assert!(found.directories.iter().all(|told| !told.path.starts_with("/dev/shm")));
    }

    #[test]
    fn what_may_not_be_read_makes_it_partial() {
        let root = tree(&[("a/f", 500), ("secret/f", 900)]);
        let secret = root.path().join("secret");
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
        // Of this thread only: the administrator may read everything.
        let was = setfsuid(if geteuid().is_root() { Uid::from_raw(65_534) } else { geteuid() });
        let found = walk(&root, &[], &LIMITS);
        setfsuid(was);
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o700)).unwrap();
        assert!(found.is_partial);
        assert_eq!(found.directories[0].path, "/data/a");
    }

    #[test]
    fn a_walk_ends_at_its_limits_and_says_so() {
        let root = tree(&[("a/b/c/d/f", 500)]);
        for n in 0..50 {
            fs::write(root.path().join(n.to_string()), [1; 4096]).unwrap();
        }
        assert!(!walk(&root, &[], &LIMITS).is_partial);
        assert!(walk(&root, &[], &Limits { entries: 30, ..LIMITS }).is_partial);
        assert!(walk(&root, &[], &Limits { time: Duration::ZERO, ..LIMITS }).is_partial);
        let shallow = walk(&root, &[], &Limits { depth: 3, ..LIMITS });
        assert!(shallow.is_partial);
        let deepest = shallow.directories.iter().map(|told| told.path.len()).max();
        assert!(deepest <= Some("/data/a/b/c".len()), "{:?}", shallow.directories);
    }

    #[test]
    fn a_mount_that_is_gone_is_an_error() {
        let gone = Path::new("/nowhere/to/be/found");
        assert!(largest(gone, "/data", &HashMap::new(), &LIMITS).is_err());
    }
}
