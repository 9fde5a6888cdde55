//! Finds whole records after damage, in time that grows with the file and not with what is in it.
//!
//! A record has no marker of its own. What it has is a kind that exists, a sequence number near
//! those of its neighbours, a length that fits, and a checksum; the cheap ones are asked first.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::segment::{self, HEADER_BYTES, Head, LENGTH_MAX, RECORD_HEADER_BYTES};

/// No segment is longer: 1 MiB and the record that made it so (`journal_policy::segment_bytes`);
/// it was 4 MiB in the first version.
/// What a longer file holds beyond it is not ours and is not read.
pub const SEGMENT_BYTES_MAX: u64 =
    HEADER_BYTES + 4 * 1024 * 1024 + (LENGTH_MAX + RECORD_HEADER_BYTES) as u64;

/// How much is hashed in search of one segment's records, in lengths of what is searched. Damage
/// that looks like the beginnings of many long records is then given up rather than paid for.
const HASHED_LENGTHS_MAX: usize = 4;

/// What follows the last whole record of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    Nothing,
    /// The beginning of a record whose writing was cut short, or a length of zeros: what a kill
    /// or a power cut leaves of a record that nobody has waited for.
    Torn,
    /// Anything else: bytes that were once right may have become wrong.
    Damage,
}

/// The offset of the first whole record at or after `from` and before `until`.
pub fn next_whole(path: &Path, from: u64, until: u64) -> io::Result<Option<u64>> {
    let bytes = read_range(path, from, until.min(SEGMENT_BYTES_MAX))?;
    Ok(search(&bytes).map(|at| from + at as u64))
}

/// What the file holds from `from`, where no whole record begins.
pub fn rest(path: &Path, from: u64) -> io::Result<Rest> {
    let length = std::fs::metadata(path)?.len();
    if length <= from {
        return Ok(Rest::Nothing);
    }
    if length > SEGMENT_BYTES_MAX {
        return Ok(Rest::Damage);
    }
    let bytes = read_range(path, from, length)?;
    Ok(if is_torn(&bytes) { Rest::Torn } else { Rest::Damage })
}

fn is_torn(bytes: &[u8]) -> bool {
    if bytes.iter().all(|byte| *byte == 0) {
        return true;
    }
    let Some((head_bytes, content)) = bytes.split_first_chunk::<RECORD_HEADER_BYTES>() else {
        return true;
    };
    let Some(head) = Head::parse(head_bytes) else { return false };
    // A whole record whose length alone is wrong ends at the end of the file, too.
    content.len() < head.length && !segment::is_whole(&head, head_bytes, content)
}

fn search(bytes: &[u8]) -> Option<usize> {
    let mut to_hash = bytes.len().saturating_mul(HASHED_LENGTHS_MAX);
    for at in 0..bytes.len().saturating_sub(RECORD_HEADER_BYTES - 1) {
        let (head_bytes, content) = bytes[at..].split_first_chunk::<RECORD_HEADER_BYTES>()?;
        let Some(head) = Head::parse(head_bytes) else { continue };
        let Some(content) = content.get(..head.length) else { continue };
        to_hash = to_hash.checked_sub(head.length)?;
        if segment::is_whole(&head, head_bytes, content) {
            return Some(at);
        }
    }
    None
}

fn read_range(path: &Path, from: u64, until: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(until.saturating_sub(from)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use muster_schemas::Kind;

    use super::*;
    use crate::io::journal::segment::Record;

    fn record(seq: i64) -> Vec<u8> {
        Record { kind: Kind::Logs, seq, note: b"here".to_vec(), payload: vec![7; 40] }.encode()
    }

    #[test]
    fn a_whole_record_is_found_behind_anything() {
        for garbage in [vec![], vec![0; 5], vec![255; 100], record(1)[1..].to_vec()] {
            let bytes = [garbage.clone(), record(2), record(3)].concat();
            assert_eq!(search(&bytes), Some(garbage.len()), "{garbage:?}");
        }
        assert_eq!(search(&record(1)[1..]), None);
        assert_eq!(search(&[]), None);
    }

    #[test]
    fn only_a_beginning_or_zeros_are_torn() {
        let whole = record(1);
        for cut in 0..whole.len() {
            assert!(is_torn(&whole[..cut]), "cut at {cut}");
        }
        assert!(is_torn(&[0; 4096]));
        for flipped in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[flipped] ^= 1;
            assert!(!is_torn(&bytes), "flipped at {flipped}");
        }
        assert!(!is_torn(&[1; 4096]));
    }

    #[test]
    fn beginnings_of_many_long_records_are_given_up() {
        let head = Record { kind: Kind::Logs, seq: 9, note: vec![], payload: vec![1; 900_000] };
        let head = &head.encode()[..RECORD_HEADER_BYTES];
        let bytes: Vec<u8> = head.iter().copied().cycle().take(1 << 22).collect();
        assert_eq!(search(&bytes), None);
    }
}
