//! What a follower of files remembers, and what it reckons from it: who a file is, how far it was
//! read, which names are those of a rotation. Reading itself is left to `io/from_logs`, its only
//! caller.
//!
//! A file is known by device and inode together with a fingerprint of its first bytes, because
//! inodes are used again and a file truncated in place keeps its own. Positions travel in notes
//! beside the lines they belong to and are gathered in a checkpoint now and then; where both know
//! a file, the later one counts.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// How much of a file's beginning tells it from others: a first line with its time of day, and
/// few enough bytes to be read again at every look.
pub const FINGERPRINT_BYTES_MAX: usize = 256;

/// Endings of what was compressed: nothing to read in there, and it was read before.
const COMPRESSED: &[&str] = &["gz", "xz", "zst", "bz2", "lz4", "lzma", "Z", "zip", "tgz"];

/// Endings people and tools give to what they set aside.
const SET_ASIDE: &[&str] = &["old", "bak", "save", "orig"];

/// `-20260101` is a date; `-1` is more likely the first of several workers.
const DATE_DIGITS_MIN: usize = 8;

/// What a file takes in a checkpoint besides its path, at most: numbers of up to nine bytes.
const PLACE_BYTES: usize = 64;

/// Device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity(pub u64, pub u64);

/// The length and a hash of a file's first bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint(u16, u64);

impl Fingerprint {
    pub fn of(head: &[u8]) -> Self {
        let head = &head[..head.len().min(FINGERPRINT_BYTES_MAX)];
        Self(head.len() as u16, fnv1a(head))
    }

    /// How many bytes it speaks of.
    pub fn length(self) -> usize {
        usize::from(self.0)
    }

    /// Whether a file that begins with `head` can be the same one, perhaps grown since. What was
    /// empty can have become anything.
    pub fn fits(self, head: &[u8]) -> bool {
        self.0 == 0 || head.get(..self.length()).is_some_and(|same| fnv1a(same) == self.1)
    }
}

/// FNV-1a: short inputs, no adversary who would gain by a collision.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// How far a file was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Wire", into = "Wire")]
pub struct Position {
    pub identity: Identity,
    pub fingerprint: Fingerprint,
    /// All lines before it were read, and those that matter are in the journal.
    pub offset: u64,
    /// It has lost its name to another: it is read to its end and then forgotten.
    pub retired: bool,
    pub path: Arc<Path>,
}

/// A path is bytes, not text; an array of fields saves their names in each of thousands.
type Wire = (Identity, Fingerprint, u64, bool, Vec<u8>);

impl From<Wire> for Position {
    fn from((identity, fingerprint, offset, retired, path): Wire) -> Self {
        let path = Arc::from(Path::new(OsStr::from_bytes(&path)));
        Self { identity, fingerprint, offset, retired, path }
    }
}

impl From<Position> for Wire {
    fn from(of: Position) -> Self {
        let path = of.path.as_os_str().as_bytes().to_vec();
        (of.identity, of.fingerprint, of.offset, of.retired, path)
    }
}

/// What moved since the last note.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub files: Vec<Position>,
    /// Where the systemd journal was read to.
    pub cursor: Option<String>,
}

impl Note {
    pub fn encode(&self) -> Vec<u8> {
        rmp_serde::to_vec(self).expect("a note of our own types encodes into memory")
    }

    /// `None`: written by another version, or damaged.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        rmp_serde::from_slice(bytes).ok()
    }
}

/// All positions at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The last note that is included: the epoch of its message, and the number in it.
    pub epoch: i64,
    pub seq: i64,
    pub written_at: i64,
    /// What was followed: a file under a pattern that is not here was never looked at.
    pub patterns: Vec<String>,
    pub note: Note,
}

impl Checkpoint {
    pub fn encode(&self) -> Vec<u8> {
        // Of tens of thousands of files: a buffer that doubles would be three times as large.
        let paths: usize = self.note.files.iter().map(|it| 2 * it.path.as_os_str().len()).sum();
        let mut body = Vec::with_capacity(paths + PLACE_BYTES * (self.note.files.len() + 1));
        rmp_serde::encode::write(&mut body, self)
            .expect("a checkpoint of our own types encodes into memory");
        body
    }

    pub fn decode(bytes: &[u8]) -> Option<Self> {
        rmp_serde::from_slice(bytes).ok()
    }
}

/// Where each file was read to, and the systemd journal, by the checkpoint and the notes after it.
///
/// Notes come with epoch and number. Epochs only grow: a note of one before that of the checkpoint
/// is included in it, whatever its number, and none counts after one that is newer.
pub fn resume(
    checkpoint: Note,
    included: (i64, i64),
    notes: impl IntoIterator<Item = ((i64, i64), Note)>,
) -> (HashMap<Identity, Position>, Option<String>) {
    let mut newest = included;
    let mut cursor = checkpoint.cursor;
    let mut files: HashMap<Identity, Position> =
        checkpoint.files.into_iter().map(|position| (position.identity, position)).collect();
    for (number, note) in notes {
        if number <= newest {
            continue;
        }
        newest = number;
        cursor = note.cursor.or(cursor);
        files.extend(note.files.into_iter().map(|position| (position.identity, position)));
    }
    (files, cursor)
}

/// The name a rotated file had before: `x.log` for `x.log.1`, `x.log-20260101.gz`, `x.log.old`.
/// `None` where a name does not look like a rotation.
pub fn rotation_of(name: &[u8]) -> Option<&[u8]> {
    let plain = without_ending(name, COMPRESSED);
    let base = plain.unwrap_or(name);
    let stripped = without_ending(base, SET_ASIDE).or_else(|| without_number(base));
    stripped.or(plain)
}

/// Whether a name says that its content is compressed.
pub fn is_compressed(name: &[u8]) -> bool {
    without_ending(name, COMPRESSED).is_some()
}

fn without_ending<'a>(name: &'a [u8], endings: &[&str]) -> Option<&'a [u8]> {
    if let Some(base) = name.strip_suffix(b"~").filter(|base| !base.is_empty()) {
        return (endings == SET_ASIDE).then_some(base);
    }
    let dot = name.iter().rposition(|byte| *byte == b'.').filter(|dot| *dot > 0)?;
    endings.iter().any(|ending| ending.as_bytes() == &name[dot + 1..]).then_some(&name[..dot])
}

/// Takes off `.1`, `.2026-01-01`, `-20260101`, `.20260101-000000`.
fn without_number(name: &[u8]) -> Option<&[u8]> {
    let is_part = |byte: &u8| byte.is_ascii_digit() || b".-_:T".contains(byte);
    let tail = name.len() - name.iter().rev().take_while(|byte| is_part(byte)).count();
    // The run may begin before the separator, as in `log4.1`: it is the first one that counts.
    let cut = tail + name[tail..].iter().position(|byte| b".-_".contains(byte))?;
    let digits = name[cut..].iter().filter(|byte| byte.is_ascii_digit()).count();
    let needed = if name[cut] == b'.' { 1 } else { DATE_DIGITS_MIN };
    let ends_in_digit = name.last().is_some_and(u8::is_ascii_digit);
    (cut > 0 && ends_in_digit && digits >= needed).then_some(&name[..cut])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(inode: u64, offset: u64, head: &[u8]) -> Position {
        let fingerprint = Fingerprint::of(head);
        let path = Arc::from(Path::new("/var/log/x.log"));
        Position { identity: Identity(1, inode), fingerprint, offset, retired: false, path }
    }

    fn resumed(included: (i64, i64), notes: &[(i64, i64, u64)]) -> u64 {
        let checkpoint = Note { files: vec![position(1, 100, b"a")], cursor: None };
        let notes = notes.iter().map(|(epoch, seq, at)| {
            let note = Note { files: vec![position(1, *at, b"a")], cursor: None };
            ((*epoch, *seq), note)
        });
        resume(checkpoint, included, notes).0[&Identity(1, 1)].offset
    }

    #[test]
    fn notes_after_the_checkpoint_count_in_their_order() {
        assert_eq!(resumed((1, 5), &[(1, 4, 400), (1, 5, 500)]), 100);
        assert_eq!(resumed((1, 5), &[(1, 5, 500), (1, 6, 600), (1, 7, 70)]), 70);
    }

    #[test]
    fn a_note_of_an_older_epoch_puts_no_position_back() {
        assert_eq!(resumed((2, 1), &[(1, 50, 50), (2, 1, 60)]), 100);
        assert_eq!(resumed((1, 9), &[(1, 9, 50), (2, 1, 200), (2, 2, 300)]), 300);
        assert_eq!(resumed((1, 3), &[(1, 4, 200), (2, 1, 300), (1, 5, 250)]), 300);
    }

    #[test]
    fn a_fingerprint_fits_what_has_grown_and_nothing_else() {
        let fingerprint = Fingerprint::of(b"first");
        assert!(fingerprint.fits(b"first and more"));
        assert!(!fingerprint.fits(b"firs"));
        assert!(!fingerprint.fits(b"other"));
        assert!(Fingerprint::of(b"").fits(b"anything"));
    }

    #[test]
    fn notes_and_checkpoints_are_read_as_they_were_written() {
        let note = Note { files: vec![position(7, 9, b"x")], cursor: Some("s=1".into()) };
        assert_eq!(Note::decode(&note.encode()), Some(note.clone()));
        assert_eq!(Note::decode(b"\xff"), None);
        let checkpoint = Checkpoint { epoch: 1, seq: 2, note, ..Checkpoint::default() };
        assert_eq!(Checkpoint::decode(&checkpoint.encode()), Some(checkpoint));
    }

    fn check(name: &str, base: Option<&str>) {
        let found = rotation_of(name.as_bytes()).map(|base| String::from_utf8_lossy(base).into());
        assert_eq!(found, base.map(str::to_owned), "{name}");
    }

    #[test]
    fn rotations_are_told_from_names_that_only_end_in_a_number() {
        check("x.log", None);
        check("x.log.1", Some("x.log"));
        check("x.log.1.gz", Some("x.log"));
        check("x.log.gz", Some("x.log"));
        check("x.log-20260101", Some("x.log"));
        check("x.log-20260101.zst", Some("x.log"));
        check("x.log.2026-01-01", Some("x.log"));
        check("0.log.20260101-101112", Some("0.log"));
        check("syslog.old", Some("syslog"));
        check("syslog~", Some("syslog"));
        check("worker-1", None);
        check("app-2026-01-01.log", None);
        check("log4.1", Some("log4"));
        check(".1", None);
        check("1", None);
        check("", None);
    }
}
