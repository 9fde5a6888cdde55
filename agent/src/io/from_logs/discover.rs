//! Which names the patterns mean: exact paths, and globs whose parts match one name each (`*`,
//! `?`, `[...]`) or any depth of directories (`**`).
//!
//! Directories are listed when they are new, when the kernel said so, or when their time of
//! change differs, and the larger one is the less often. Whether a file can be read is not asked
//! here.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use glob::MatchOptions;
use tracing::warn;

use super::watch::Watcher;
use crate::logic::follow::rotation_of;

/// A listing that took a while is not repeated before this many times as long, which keeps huge
/// directories under a thousandth of a core.
const LISTING_REST_FACTOR: u32 = 1000;

/// How many directories are watched: more are a pattern gone wrong, such as `/**/*.log`.
const DIRECTORIES_MAX: usize = 4096;

/// As a shell does: a hidden file is only meant where the pattern says so.
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

enum Part {
    Name(PathBuf),
    Glob(glob::Pattern),
    AnyDepth,
}

struct Pattern {
    text: String,
    /// All but the last.
    directories: Vec<Part>,
    last: Part,
}

#[derive(Default)]
struct Directory {
    /// The patterns whose files are here.
    leaf_of: Vec<usize>,
    subdirectories: Vec<PathBuf>,
    watched: bool,
    stale: bool,
    modified: Option<SystemTime>,
    rest_until: Option<Instant>,
}

pub struct Discovery {
    patterns: Vec<Pattern>,
    directories: BTreeMap<Arc<Path>, Directory>,
    warned: bool,
}

impl Discovery {
    /// Patterns that cannot be understood are named in the log and left out.
    pub fn new(patterns: &[String]) -> Self {
        let parse = |text: &String| match parse(text) {
            Ok(pattern) => Some(pattern),
            Err(reason) => {
                warn!("the log path {text:?} is left out: {reason}");
                None
            }
        };
        Self {
            patterns: patterns.iter().filter_map(parse).collect(),
            directories: BTreeMap::new(),
            warned: false,
        }
    }

    pub fn text(&self, pattern: usize) -> &str {
        &self.patterns[pattern].text
    }

    /// Looks for directories that came or changed, and lists them.
    pub fn rescan(
        &mut self,
        watcher: &mut Watcher,
        now: Instant,
        found: &mut dyn FnMut(&Path, &str),
    ) {
        for directory in self.directories.values_mut() {
            directory.leaf_of.clear();
        }
        let mut reached = BTreeSet::new();
        for index in 0..self.patterns.len() {
            for leaf in self.expand(index, watcher, &mut reached, now) {
                self.reach(&leaf, &mut reached, watcher);
                if let Some(directory) = self.directories.get_mut(&*leaf) {
                    directory.leaf_of.push(index);
                }
            }
        }
        self.directories.retain(|path, _| reached.contains(path));
        for path in reached {
            self.list_leaf(&path, now, found);
        }
    }

    /// The directories in which a pattern's files are.
    fn expand(
        &mut self,
        index: usize,
        watcher: &mut Watcher,
        reached: &mut BTreeSet<Arc<Path>>,
        now: Instant,
    ) -> Vec<PathBuf> {
        let mut places = vec![PathBuf::from("/")];
        for part in 0..self.patterns[index].directories.len() {
            if let Part::Name(name) = &self.patterns[index].directories[part] {
                for place in &mut places {
                    place.push(name);
                }
                continue;
            }
            let is_deep = matches!(self.patterns[index].directories[part], Part::AnyDepth);
            let mut next = Vec::new();
            while let Some(place) = places.pop() {
                self.reach(&place, reached, watcher);
                for name in self.subdirectories(&place, now) {
                    let path = place.join(&name);
                    match &self.patterns[index].directories[part] {
                        Part::Glob(glob) if !matches(glob, name.as_os_str()) => {}
                        _ if is_deep => places.push(path),
                        _ => next.push(path),
                    }
                }
                if is_deep {
                    next.push(place);
                }
                if next.len() + places.len() > DIRECTORIES_MAX {
                    self.warn_of_directories(index);
                    break;
                }
            }
            places = next;
        }
        places.retain(|place| place.is_dir());
        places
    }

    fn warn_of_directories(&mut self, index: usize) {
        if !std::mem::replace(&mut self.warned, true) {
            let text = &self.patterns[index].text;
            warn!("{text} means more than {DIRECTORIES_MAX} directories; the rest is not followed");
        }
    }

    /// The directory matters: it is watched from now on.
    fn reach(&mut self, path: &Path, reached: &mut BTreeSet<Arc<Path>>, watcher: &mut Watcher) {
        if reached.contains(path) {
            return;
        }
        let path: Arc<Path> = path.into();
        reached.insert(path.clone());
        let directory = self
            .directories
            .entry(path.clone())
            .or_insert_with(|| Directory { stale: true, ..Directory::default() });
        // Asked again although it may be watched: the directory may be a new one of that name.
        directory.watched = watcher.add(&path);
    }

    /// Names of the directories in a directory, from memory where nothing changed.
    fn subdirectories(&mut self, path: &Path, now: Instant) -> Vec<PathBuf> {
        let Some(directory) = self.directories.get_mut(path) else { return Vec::new() };
        if is_due(directory, path, now) {
            let is_directory = |entry: &fs::DirEntry| {
                entry
                    .file_type()
                    .is_ok_and(|kind| kind.is_dir() || (kind.is_symlink() && entry.path().is_dir()))
            };
            let entries = fs::read_dir(path).into_iter().flatten().flatten();
            directory.subdirectories =
                entries.filter(is_directory).map(|entry| entry.file_name().into()).collect();
            // The files are still to be listed.
            directory.stale = true;
        }
        directory.subdirectories.clone()
    }

    fn list_leaf(&mut self, path: &Path, now: Instant, found: &mut dyn FnMut(&Path, &str)) {
        let Some(directory) = self.directories.get(path) else { return };
        if !is_due(directory, path, now) {
            return;
        }
        // Read before the listing: what changes during it is seen at the next one.
        let modified = modified(path);
        let started = Instant::now();
        if directory.leaf_of.iter().any(|index| !self.patterns[*index].is_exact()) {
            for entry in fs::read_dir(path).into_iter().flatten().flatten() {
                let name = entry.file_name();
                if let Some(pattern) = self.meant(directory, &name) {
                    found(&path.join(name), self.text(pattern));
                }
            }
        } else {
            for index in &directory.leaf_of {
                let Part::Name(name) = &self.patterns[*index].last else { continue };
                found(&path.join(name), self.text(*index));
            }
        }
        let rest_until = Some(now + started.elapsed() * LISTING_REST_FACTOR);
        if let Some(directory) = self.directories.get_mut(path) {
            *directory = Directory {
                stale: false,
                modified,
                rest_until,
                leaf_of: std::mem::take(&mut directory.leaf_of),
                subdirectories: std::mem::take(&mut directory.subdirectories),
                watched: directory.watched,
            };
        }
    }

    /// The pattern that means a name in a directory.
    pub fn matching(&self, directory: &Path, name: &OsStr) -> Option<usize> {
        self.meant(self.directories.get(directory)?, name)
    }

    fn meant(&self, directory: &Directory, name: &OsStr) -> Option<usize> {
        directory.leaf_of.iter().copied().find(|index| self.patterns[*index].last_means(name))
    }

    /// The text of the pattern that means the path, in a directory that is there.
    pub fn pattern_of(&self, path: &Path) -> Option<&str> {
        let pattern = self.matching(path.parent()?, path.file_name()?)?;
        Some(self.text(pattern))
    }

    pub fn means(&self, path: &Path) -> bool {
        self.pattern_of(path).is_some()
    }

    /// The directories in which files are followed.
    pub fn leaves(&self) -> impl Iterator<Item = &Path> {
        let is_leaf = |(_, directory): &(&Arc<Path>, &Directory)| !directory.leaf_of.is_empty();
        self.directories.iter().filter(is_leaf).map(|(path, _)| &**path)
    }

    /// Whether files of any directory have to be polled.
    pub fn has_unwatched(&self) -> bool {
        self.directories.values().any(|directory| !directory.watched)
    }

    pub fn is_watched(&self, directory: &Path) -> bool {
        self.directories.get(directory).is_some_and(|directory| directory.watched)
    }

    /// Something happened there that only a listing can tell.
    pub fn make_stale(&mut self, directory: Option<&Path>) {
        match directory {
            Some(path) => {
                if let Some(directory) = self.directories.get_mut(path) {
                    directory.stale = true;
                }
            }
            None => self.directories.values_mut().for_each(|directory| directory.stale = true),
        }
    }
}

fn is_due(directory: &Directory, path: &Path, now: Instant) -> bool {
    directory.stale
        || (directory.rest_until.is_none_or(|at| now >= at) && directory.modified != modified(path))
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

fn matches(glob: &glob::Pattern, name: &OsStr) -> bool {
    glob.matches_path_with(Path::new(name), MATCHING)
}

impl Pattern {
    fn is_exact(&self) -> bool {
        matches!(self.last, Part::Name(_))
    }

    fn last_means(&self, name: &OsStr) -> bool {
        match &self.last {
            Part::Name(exact) => exact.as_os_str() == name,
            Part::Glob(glob) => rotation_of(name.as_bytes()).is_none() && matches(glob, name),
            Part::AnyDepth => rotation_of(name.as_bytes()).is_none(),
        }
    }
}

fn parse(text: &str) -> Result<Pattern, String> {
    let path = Path::new(text);
    if !path.is_absolute() {
        return Err("it must begin with /".into());
    }
    let mut parts = Vec::new();
    for component in path.components().skip(1) {
        let Component::Normal(name) = component else {
            return Err("it must not contain ..".into());
        };
        let name = name.to_str().unwrap_or_default();
        parts.push(match name {
            "**" => Part::AnyDepth,
            name if name.contains(['*', '?', '[']) => {
                Part::Glob(glob::Pattern::new(name).map_err(|error| error.to_string())?)
            }
            name => Part::Name(name.into()),
        });
    }
    let last = parts.pop().ok_or("it names no file")?;
    Ok(Pattern { text: text.into(), directories: parts, last })
}
