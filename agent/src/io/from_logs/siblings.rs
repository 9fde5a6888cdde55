//! Finds a file that has lost its name: renamed beside its successor by a rotation, or copied
//! before it was truncated.
//!
//! One listing of a directory serves all files missed in it. What was moved to another directory
//! or compressed meanwhile is not found; the caller says so.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirEntryExt, FileExt};
use std::path::Path;
use std::sync::Arc;

use muster_runtime::time::system_time;

use super::table::identity;
use crate::logic::follow::{
    FINGERPRINT_BYTES_MAX, Fingerprint, Identity, Position, is_compressed, rotation_of,
};

/// How many rotations of a file are opened to look for a copy of it, the newest first. A copy that
/// has something new is among the last that were made. What has the file's own inode is always
/// looked at.
const CANDIDATES_MAX: usize = 64;

/// A copy is only recognised by what it begins with: fewer bytes could be anybody's.
pub const COPY_FINGERPRINT_BYTES_MIN: usize = 16;

/// The clock of a file system may lag behind ours by a tick.
pub const CLOCK_SLACK_MS: i64 = 2000;

pub struct Rest {
    pub path: Arc<Path>,
    pub identity: Identity,
}

/// Where the rest of each file in `wanted` is. All are of one directory. `since`: copies made
/// before that have nothing new.
pub fn find(
    directory: &Path,
    wanted: &[Position],
    since: i64,
    is_followed: &dyn Fn(Identity) -> bool,
) -> Vec<Option<Rest>> {
    let mut rotations: HashMap<&[u8], Vec<OsString>> =
        wanted.iter().map(|position| (base_name(position), Vec::new())).collect();
    let mut by_inode: HashMap<u64, Vec<usize>> = HashMap::new();
    for (index, position) in wanted.iter().enumerate() {
        by_inode.entry(position.identity.1).or_default().push(index);
    }
    let mut same: Vec<Vec<OsString>> = wanted.iter().map(|_| Vec::new()).collect();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if is_compressed(name.as_bytes()) {
            continue;
        }
        for index in by_inode.get(&entry.ino()).into_iter().flatten() {
            same[*index].push(name.clone());
        }
        if let Some(names) = rotation_of(name.as_bytes()).and_then(|base| rotations.get_mut(base)) {
            names.push(name);
        }
    }
    for names in rotations.values_mut() {
        keep_newest(directory, names);
    }
    let choose = |(position, mut names): (&Position, Vec<OsString>)| {
        names.extend(rotations.get(base_name(position)).into_iter().flatten().cloned());
        best(directory, position, &names, since, is_followed)
    };
    wanted.iter().zip(same).map(choose).collect()
}

fn keep_newest(directory: &Path, names: &mut Vec<OsString>) {
    if names.len() <= CANDIDATES_MAX {
        return;
    }
    let modified = |name: &OsString| {
        let metadata = fs::metadata(directory.join(name)).ok();
        Reverse(metadata.and_then(|metadata| metadata.modified().ok()))
    };
    names.sort_by_cached_key(modified);
    names.truncate(CANDIDATES_MAX);
}

fn base_name(position: &Position) -> &[u8] {
    let name = position.path.file_name().unwrap_or_default().as_bytes();
    rotation_of(name).unwrap_or(name)
}

fn best(
    directory: &Path,
    position: &Position,
    names: &[OsString],
    since: i64,
    is_followed: &dyn Fn(Identity) -> bool,
) -> Option<Rest> {
    let mut copy = None;
    for name in names {
        let path = directory.join(name);
        let Some(seen) = look(&path, position) else { continue };
        if seen.identity == position.identity {
            return Some(Rest { path: path.into(), identity: seen.identity });
        }
        let has_rest = seen.size > position.offset;
        let is_new = seen.modified_at + CLOCK_SLACK_MS >= since;
        let is_later = copy.as_ref().is_none_or(|(at, _)| seen.modified_at > *at);
        let is_telling = position.fingerprint.length() >= COPY_FINGERPRINT_BYTES_MIN;
        if has_rest && is_new && is_later && is_telling && !is_followed(seen.identity) {
            let rest = Rest { path: path.into(), identity: seen.identity };
            copy = Some((seen.modified_at, rest));
        }
    }
    copy.map(|(_, rest)| rest)
}

struct Looked {
    identity: Identity,
    modified_at: i64,
    size: u64,
}

/// `None`: not a file that can hold the rest.
fn look(path: &Path, position: &Position) -> Option<Looked> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let head = head(&File::open(path).ok()?).ok()?;
    let fits = metadata.len() >= position.offset && position.fingerprint.fits(&head);
    let since_epoch = metadata.modified().ok()?.duration_since(system_time(0)).unwrap_or_default();
    let modified_at = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
    fits.then(|| Looked { identity: identity(&metadata), modified_at, size: metadata.len() })
}

/// The first bytes of a file, for its fingerprint.
pub fn head(file: &File) -> std::io::Result<Vec<u8>> {
    let mut head = vec![0; FINGERPRINT_BYTES_MAX];
    let mut length = 0;
    while length < head.len() {
        match file.read_at(&mut head[length..], length as u64)? {
            0 => break,
            count => length += count,
        }
    }
    head.truncate(length);
    Ok(head)
}

pub fn fingerprint(path: &Path) -> std::io::Result<Fingerprint> {
    Ok(Fingerprint::of(&head(&File::open(path)?)?))
}

/// Whether the file at a path begins as it did. One that cannot be read is believed to.
pub fn still_fits(path: &Path, fingerprint: Fingerprint) -> bool {
    File::open(path).and_then(|file| head(&file)).map_or(true, |head| fingerprint.fits(&head))
}
