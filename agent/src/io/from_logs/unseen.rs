//! Files that came and were rotated away while nobody looked: they never had the name that is
//! followed when we looked, but they had it.
//!
//! After a start, a rotation (`x.log.1`) of a name that is meant was written while the agent was
//! down if nobody knows it, it was both created and changed after the last checkpoint, and it is
//! not older than the file that had the name then: the clock may have been behind at the
//! checkpoint. Such a file is read whole. A copy is not one: what it begins with was read from the
//! file it was made of. Which of the two a file is can only be told by its first bytes. What the
//! kernel tells of while the agent runs is in `renames.rs`.
//!
//! Not found: what was compressed or moved to another directory. Called by `worker.rs`.

use std::collections::{HashMap, HashSet};
use std::fs::{self, DirEntry, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use muster_runtime::time::system_time;
use tracing::{info, warn};

use super::discover::Discovery;
use super::files::Files;
use super::siblings::{CLOCK_SLACK_MS, head};
use super::table::{FileId, Followed, identity};
use crate::logic::follow::{
    FINGERPRINT_BYTES_MAX, Fingerprint, Identity, Position, is_compressed, rotation_of,
};

/// How many are taken up at a start: more were never rotated by anybody in one outage, and each
/// is in memory until it was read.
pub const UNSEEN_MAX: usize = 4096;

/// A file under the name of a rotation, and the name it had before.
pub struct Unseen {
    path: Arc<Path>,
    pub base: Arc<Path>,
    identity: Identity,
    size: u64,
    head: Vec<u8>,
    pub modified_at: Option<SystemTime>,
    /// A file system may not say.
    created_at: Option<SystemTime>,
    /// Where reading begins.
    offset: u64,
}

impl Unseen {
    pub fn look(path: &Path, base: PathBuf, metadata: &Metadata) -> io::Result<Self> {
        Ok(Self {
            path: path.into(),
            base: base.into(),
            identity: identity(metadata),
            size: metadata.len(),
            head: head(&File::open(path)?)?,
            modified_at: metadata.modified().ok(),
            created_at: metadata.created().ok(),
            offset: 0,
        })
    }

    /// Whether its content is the beginning of the file at another path.
    fn is_copy_of(&self, original: &Path) -> bool {
        let same = |file: File| {
            let metadata = file.metadata()?;
            let is_other = identity(&metadata) != self.identity;
            Ok::<_, io::Error>(
                is_other && metadata.len() >= self.size && head(&file)?.starts_with(&self.head),
            )
        };
        File::open(original).and_then(same).unwrap_or(false)
    }
}

/// What was found, the oldest first.
#[derive(Default)]
pub struct Listing {
    pub files: Vec<Unseen>,
    /// How many there were beyond the limit.
    pub left_out: usize,
}

/// The rotations of what is meant under `patterns` that were created and written since then and
/// that nobody knows, up to a limit.
pub fn since(
    at: i64,
    discovery: &Discovery,
    patterns: &[String],
    is_known: &dyn Fn(Identity) -> bool,
    limit: usize,
) -> Listing {
    let mut listing = Listing::default();
    // Without a checkpoint everything would be new.
    if at == 0 {
        return listing;
    }
    let is_followed = |base: &Path| {
        discovery.pattern_of(base).is_some_and(|text| patterns.iter().any(|it| it == text))
    };
    for directory in discovery.leaves() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let rotation = rotation(directory, &entry, &is_followed);
            let Some((base, metadata)) = rotation.filter(|(_, it)| is_since(it, at)) else {
                continue;
            };
            if is_known(identity(&metadata)) {
                continue;
            }
            if listing.files.len() >= limit {
                listing.left_out += 1;
                continue;
            }
            listing.files.extend(Unseen::look(&entry.path(), base, &metadata));
        }
    }
    listing.files.sort_by_key(|file| file.modified_at);
    listing
}

/// A file under the name of a rotation, with the name it had before.
fn rotation(
    directory: &Path,
    entry: &DirEntry,
    is_followed: &dyn Fn(&Path) -> bool,
) -> Option<(PathBuf, Metadata)> {
    let name = entry.file_name();
    let base = original(directory, name.as_bytes()).filter(|base| is_followed(base))?;
    let is_used = |metadata: &Metadata| metadata.is_file() && metadata.len() > 0;
    Some((base, fs::metadata(entry.path()).ok().filter(is_used)?))
}

fn is_since(metadata: &Metadata, since: i64) -> bool {
    // What we followed has been forgotten ten seconds after its last line at the earliest, and a
    // copy we have heard of is older than the checkpoint that says so: no slack.
    let is_changed = metadata.modified().is_ok_and(|at| at > system_time(since));
    // A file system may not say. The file may have come before the checkpoint and been too young
    // to be in it.
    let earliest = system_time(since.saturating_sub(CLOCK_SLACK_MS));
    is_changed && metadata.created().map_or(true, |at| at >= earliest)
}

/// The name a rotation had before, however often it was rotated.
pub fn original(directory: &Path, name: &[u8]) -> Option<PathBuf> {
    let base = rotation_of(name).filter(|_| !is_compressed(name))?;
    Some(directory.join(std::ffi::OsStr::from_bytes(base)))
}

/// What the last run knew under a name.
#[derive(Default)]
struct Past<'a> {
    /// Files that have lost it.
    missed: Vec<&'a Position>,
    /// Where the rests of those are.
    rests: Vec<Arc<Path>>,
}

type Pasts<'a> = HashMap<PathBuf, Past<'a>>;

/// The name a file had before it was rotated, or has if it was not.
fn base_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().as_bytes();
    path.parent().and_then(|directory| original(directory, name)).unwrap_or_else(|| path.into())
}

impl Files {
    /// Takes up those that nobody knows and that are no copies; `missed` are the files that had
    /// lost their names, and `rests` what was found of them. Answers them, the oldest first.
    pub fn take_unseen(
        &mut self,
        unseen: Listing,
        missed: &[Position],
        rests: &[FileId],
    ) -> Vec<FileId> {
        if unseen.left_out > 0 {
            warn!(
                "{} files were written and rotated away while the agent was down besides the {} \
                 that are read: they are not",
                unseen.left_out,
                unseen.files.len()
            );
        }
        let resumed = self.take_resumed();
        // By name: there may be thousands of both.
        let mut pasts = Pasts::new();
        for old in missed {
            pasts.entry(base_of(&old.path)).or_default().missed.push(old);
        }
        for rest in rests.iter().filter_map(|id| self.table.get(*id)) {
            pasts.entry(base_of(&rest.path)).or_default().rests.push(rest.path.clone());
        }
        let (files, nothing) = (unseen.files, Past::default());
        let is_new = |mut file: Unseen| {
            let past = pasts.get(&*file.base).unwrap_or(&nothing);
            let is_new = self.table.who(file.identity).is_none()
                && !self.is_older(&file, past, &resumed)
                && !self.is_copy(&mut file, past);
            is_new.then_some(file)
        };
        let new: Vec<Unseen> = files.into_iter().filter_map(is_new).collect();
        self.insert_all(new)
    }

    /// Whether it had the name before the file that had it at the last look.
    fn is_older(&self, file: &Unseen, past: &Past<'_>, resumed: &HashSet<FileId>) -> bool {
        let holder = self.table.named(&file.base).filter(|id| resumed.contains(id));
        let holder = holder.and_then(|id| self.table.get(id));
        // It has the name still, and was not truncated: none came after it.
        if holder.is_some_and(|it| it.fingerprint.length() == FINGERPRINT_BYTES_MAX) {
            return true;
        }
        let renamed = past.missed.iter().filter_map(|old| self.renamed(old));
        let created_at = |it: &Followed| fs::metadata(&it.path).ok()?.created().ok();
        let newest = holder.into_iter().chain(renamed).filter_map(created_at).max();
        newest.zip(file.created_at).is_some_and(|(newest, created_at)| created_at < newest)
    }

    /// What was found under another name by its inode.
    fn renamed(&self, old: &Position) -> Option<&Followed> {
        let found = self.table.who(old.identity).and_then(|id| self.table.get(id));
        found.filter(|found| found.retired)
    }

    /// Whether it was made of a file that is read itself, or was.
    fn is_copy(&self, file: &mut Unseen, past: &Past<'_>) -> bool {
        // Of what was renamed or copied there may be another copy.
        if file.is_copy_of(&file.base) || past.rests.iter().any(|rest| file.is_copy_of(rest)) {
            return true;
        }
        for old in &past.missed {
            // Whoever renames makes no copies.
            let is_renamed = self.renamed(old).is_some();
            let length = old.fingerprint.length();
            if is_renamed || length == 0 || !old.fingerprint.fits(&file.head) {
                continue;
            }
            if length == FINGERPRINT_BYTES_MAX {
                return true;
            }
            // It was no longer than that when it was read, and the file begins with all of it:
            // what comes after is new, whether this is a copy or not.
            file.offset = file.offset.max(old.offset.min(file.size));
        }
        file.offset >= file.size
    }

    /// Takes up files that were found, the oldest first, to be read in that order.
    pub fn insert_all(&mut self, found: impl IntoIterator<Item = Unseen>) -> Vec<FileId> {
        let taken: Vec<FileId> = found.into_iter().map(|it| self.insert_unseen(it)).collect();
        // Those that have lost their names go to the front of the queue.
        for id in taken.iter().rev() {
            self.enqueue(*id);
        }
        taken
    }

    fn insert_unseen(&mut self, unseen: Unseen) -> FileId {
        info!("{} was written while nobody looked and is read", unseen.path.display());
        let fingerprint = Fingerprint::of(&unseen.head);
        let mut file = Followed::new(unseen.path, unseen.identity, fingerprint, unseen.offset);
        file.retired = true;
        file.after = self.table.former(&unseen.base);
        let id = self.table.insert(file);
        if let Some(heir) = self.table.named(&unseen.base).and_then(|id| self.table.get_mut(id)) {
            heir.after = Some(id);
        }
        self.table.add_former(unseen.base, id);
        id
    }

    /// Whoever has lost this name without our having noticed came before those that had it since.
    pub fn settle_name(&mut self, base: &Path) {
        let Some(id) = self.table.named(base) else { return };
        let Some(file) = self.table.get(id) else { return };
        if !fs::metadata(base).is_ok_and(|now| identity(&now) == file.identity) {
            self.lose_name(id, false);
        }
    }
}
