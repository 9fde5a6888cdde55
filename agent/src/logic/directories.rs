//! Which directories of a full filesystem a person should look at, from a walk over its files.
//!
//! A directory is as large as all that is below it. Told are the largest that do not contain one
//! another, found as a person with `du` and `sort` finds them: from the mount downwards, into a
//! directory while one below it holds most of it. So `/var/lib/docker/overlay2` is told and not
//! `/var`, and beside it `/home`. One that is gone into is told too where much lies in it directly:
//! what is below it would not explain its size.
//!
//! Only the largest are kept at any time, which bounds the memory. What contains one is at least as
//! large, so that those kept are whole branches. The walk itself is `io::directories`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use muster_schemas::conditions::Directory;
use muster_schemas::telemetry::BYTES_MAX;

/// Enough to go down twenty branches ten directories deep; with the longest paths a quarter of a
/// megabyte.
const KEPT_MAX: usize = 256;

/// Longer paths are not told of, but what contains them is: nobody reads them.
const PATH_BYTES_MAX: usize = 1024;

/// What a person looks at before looking again.
const TOLD_MAX: usize = 6;

/// One below it that holds so much of a directory stands for it.
const MOST_PERCENT: u64 = 50;

/// So much of a directory that lies in it directly has to be told by its own name.
const OWN_PERCENT: u64 = 20;

/// What a walk found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    pub directories: Vec<Directory>,
    /// Not all was looked at.
    pub is_partial: bool,
}

/// Sizes along a walk that goes down and up again.
#[derive(Debug)]
pub struct Tally {
    /// Of the directory the walk is in.
    path: Vec<u8>,
    open: Vec<Open>,
    /// The smallest of them on top, to be dropped.
    kept: BinaryHeap<Reverse<Kept>>,
}

#[derive(Debug, Default)]
struct Open {
    /// How long the path of what it is in is.
    parent_bytes: usize,
    bytes: u64,
    /// Without what is in directories below.
    own: u64,
}

/// By size, and of one size the one that contains the other is the larger.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    bytes: u64,
    depth: Reverse<usize>,
    path: Vec<u8>,
    own: u64,
}

impl Tally {
    /// Begins in the directory where the filesystem is mounted.
    pub fn new(mount: &str) -> Self {
        let path = mount.as_bytes().to_vec();
        Self { path, open: vec![Open::default()], kept: BinaryHeap::new() }
    }

    /// How many directories the walk is in.
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// Where something of this name is.
    pub fn path_of(&self, name: &[u8]) -> Vec<u8> {
        let mut path = self.path.clone();
        append(&mut path, name);
        path
    }

    pub fn enter(&mut self, name: &[u8]) {
        let parent_bytes = self.path.len();
        append(&mut self.path, name);
        self.open.push(Open { parent_bytes, ..Open::default() });
    }

    /// Counts something that lies in the directory the walk is in.
    pub fn add(&mut self, bytes: u64) {
        if let Some(open) = self.open.last_mut() {
            open.bytes = open.bytes.saturating_add(bytes);
            open.own = open.own.saturating_add(bytes);
        }
    }

    pub fn leave(&mut self) {
        let Some(left) = self.open.pop() else { return };
        self.keep(&left);
        self.path.truncate(left.parent_bytes);
        if let Some(parent) = self.open.last_mut() {
            parent.bytes = parent.bytes.saturating_add(left.bytes);
        }
    }

    fn keep(&mut self, left: &Open) {
        let smallest = self.kept.peek().map_or(0, |Reverse(smallest)| smallest.bytes);
        let is_small = self.kept.len() >= KEPT_MAX && left.bytes < smallest;
        if left.bytes == 0 || is_small || self.path.len() > PATH_BYTES_MAX {
            return;
        }
        let (bytes, own, path) = (left.bytes, left.own, self.path.clone());
        self.kept.push(Reverse(Kept { bytes, depth: Reverse(self.open.len()), path, own }));
        if self.kept.len() > KEPT_MAX {
            self.kept.pop();
        }
    }

    /// What to tell, also of a walk that was ended in the middle.
    pub fn finish(mut self) -> Vec<Directory> {
        while !self.open.is_empty() {
            self.leave();
        }
        let kept: Vec<Kept> = self.kept.into_iter().map(|Reverse(kept)| kept).collect();
        let mut told = choose(&kept);
        told.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.path.cmp(&b.path)));
        told.iter().take(TOLD_MAX).map(|directory| directory.shown()).collect()
    }
}

fn append(path: &mut Vec<u8>, name: &[u8]) {
    if path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}

fn choose(kept: &[Kept]) -> Vec<&Kept> {
    let mut below: BTreeMap<&[u8], Vec<&Kept>> = BTreeMap::new();
    let mut rest = Vec::new();
    for directory in kept {
        match directory.depth {
            Reverse(0) => rest.push(directory),
            _ => below.entry(parent(&directory.path)).or_default().push(directory),
        }
    }
    let mut told = Vec::new();
    while let Some(directory) = rest.pop() {
        let below = below.remove(directory.path.as_slice()).unwrap_or_default();
        let largest = below.iter().map(|below| below.bytes).max().unwrap_or_default();
        let is_mount = directory.depth == Reverse(0);
        let goes_into = is_mount || directory.is_held(largest, MOST_PERCENT);
        if !goes_into || directory.is_held(directory.own, OWN_PERCENT) {
            told.push(directory);
        }
        if goes_into {
            rest.extend(below);
        }
    }
    told
}

fn parent(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(end) => &path[..end.max(1)],
        None => path,
    }
}

impl Kept {
    fn is_held(&self, by: u64, percent: u64) -> bool {
        u128::from(by) * 100 >= u128::from(self.bytes) * u128::from(percent)
    }

    /// Names are other people's text: what would move a cursor or break a line is replaced.
    fn shown(&self) -> Directory {
        let path = String::from_utf8_lossy(&self.path);
        let path = path.replace(char::is_control, "\u{fffd}");
        Directory { path, bytes: i64::try_from(self.bytes).unwrap_or(BYTES_MAX).min(BYTES_MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks over files given by their paths below the mount, in the order of their names.
    fn told(mount: &str, files: &[(&str, u64)]) -> Vec<(String, i64)> {
        let mut tally = Tally::new(mount);
        let mut within: Vec<&str> = Vec::new();
        let mut files = files.to_vec();
        files.sort_unstable();
        for (path, bytes) in files {
            let mut directories: Vec<&str> = path.split('/').collect();
            directories.pop();
            let same = within.iter().zip(&directories).take_while(|(a, b)| a == b).count();
            within.drain(same..).for_each(|_| tally.leave());
            for name in &directories[same..] {
                tally.enter(name.as_bytes());
                within.push(name);
            }
            tally.add(bytes);
        }
        let told = tally.finish();
        told.into_iter().map(|Directory { path, bytes }| (path, bytes)).collect()
    }

    #[track_caller]
    fn check(files: &[(&str, u64)], expected: &[(&str, i64)]) {
        let expected: Vec<(String, i64)> =
            expected.iter().map(|(path, bytes)| ((*path).to_owned(), *bytes)).collect();
        assert_eq!(told("/", files), expected);
    }

    #[test]
    fn it_goes_down_while_one_directory_holds_most() {
        check(
            &[
                ("var/lib/docker/overlay2/a/f", 30),
                ("var/lib/docker/overlay2/b/f", 25),
                ("var/lib/pg/f", 5),
                ("var/log/f", 4),
                ("home/ann/f", 12),
                ("home/bob/f", 11),
                ("etc/f", 1),
            ],
            &[
                ("/var/lib/docker/overlay2/a", 30),
                ("/var/lib/docker/overlay2/b", 25),
                ("/home/ann", 12),
                ("/home/bob", 11),
                ("/var/lib/pg", 5),
                ("/var/log", 4),
            ],
        );
    }

    #[test]
    fn of_many_alike_the_one_that_holds_them_is_told() {
        let many: Vec<(String, u64)> = (0..100).map(|n| (format!("data/{n}/f"), 10)).collect();
        let mut files: Vec<(&str, u64)> =
            many.iter().map(|(path, n)| (path.as_str(), *n)).collect();
        files.push(("tmp/f", 3));
        check(&files, &[("/data", 1000), ("/tmp", 3)]);
    }

    #[test]
    fn what_lies_in_a_directory_itself_is_told_by_its_name() {
        check(&[("dump.sql", 45), ("a/b/f", 55)], &[("/", 100), ("/a/b", 55)]);
        check(&[("f", 10)], &[("/", 10)]);
        check(
            &[("log/app/f", 90), ("log/app/old/f", 95)],
            &[("/log/app", 185), ("/log/app/old", 95)],
        );
    }

    #[test]
    fn nothing_is_told_of_nothing() {
        check(&[], &[]);
        check(&[("a/b/f", 0)], &[]);
    }

    #[test]
    fn the_largest_are_found_among_more_than_are_kept() {
        let mut files: Vec<(String, u64)> =
            (0..5000).map(|n| (format!("small/{}/{n}/f", n % 70), 1 + n % 3)).collect();
        files.push(("z/deep/er/f".into(), 40_000));
        let files: Vec<(&str, u64)> = files.iter().map(|(path, n)| (path.as_str(), *n)).collect();
        let told = told("/data", &files);
        let expected = [("/data/z/deep/er".to_owned(), 40_000), ("/data/small".to_owned(), 9999)];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_walk_that_is_ended_in_the_middle_tells_what_it_saw() {
        let mut tally = Tally::new("/data");
        tally.enter(b"a");
        tally.add(3);
        tally.enter(b"b");
        tally.add(9);
        assert_eq!(tally.depth(), 3);
        assert_eq!(tally.path_of(b"c"), b"/data/a/b/c");
        let told: Vec<String> = tally.finish().into_iter().map(|found| found.path).collect();
        assert_eq!(told, ["/data/a", "/data/a/b"]);
    }

    #[test]
    fn names_are_shown_as_text_and_too_long_ones_by_what_contains_them() {
        let mut tally = Tally::new("/");
        tally.enter(b"a\n\xff\x1b[2J");
        tally.add(1);
        let told = tally.finish();
        assert_eq!(told[0].path, "/a\u{fffd}\u{fffd}\u{fffd}[2J");
        let mut tally = Tally::new("/");
        tally.enter(b"x");
        for _ in 0..10 {
            tally.enter(&[b'y'; 200]);
        }
        tally.add(1);
        let told = tally.finish();
        assert!(told[0].path.starts_with("/x/yyy") && told[0].path.len() <= PATH_BYTES_MAX);
    }
}
