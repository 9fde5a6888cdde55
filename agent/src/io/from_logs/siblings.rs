//! Finds a file that has lost its name: renamed beside its successor by a rotation, or copied
//! before it was truncated.
//!
//! One listing of a directory serves all files missed in it. What was moved to another directory
//! or compressed meanwhile is not found; the caller says so.

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

/// How many files of one directory are opened to look for one: more rotations than anybody keeps.
const CANDIDATES_MAX: usize = 64;

/// A copy is only recognised by what it begins with: fewer bytes could be anybody's.
const COPY_FINGERPRINT_BYTES_MIN: usize = 16;

/// The clock of a file system may lag behind ours by a tick.
const CLOCK_SLACK_MS: i64 = 2000;

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
    let bases: Vec<&[u8]> = wanted.iter().map(base_name).collect();
    let mut candidates: Vec<Vec<OsString>> = wanted.iter().map(|_| Vec::new()).collect();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if is_compressed(name.as_bytes()) {
            continue;
        }
        let base = rotation_of(name.as_bytes());
        for (index, position) in wanted.iter().enumerate() {
            let is_candidate = entry.ino() == position.identity.1 || base == Some(bases[index]);
            if is_candidate && candidates[index].len() < CANDIDATES_MAX {
                candidates[index].push(name.clone());
            }
        }
    }
    let choose = |(position, names): (&Position, Vec<OsString>)| {
        best(directory, position, &names, since, is_followed)
    };
    wanted.iter().zip(candidates).map(choose).collect()
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
