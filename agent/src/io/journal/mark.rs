//! Where the journal ends, in a file of its own that is overwritten with each append.
//!
//! A record is on disk before the mark says so, and the mark is not waited for. After a kill the
//! mark is exact; after a power cut it may be old, but never ahead of what is on disk. A journal
//! that ends before its mark has therefore lost what may have been sent, and its numbers must not
//! be used again (`recover`).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::Position;

const FILE: &str = "end";

/// Epoch, segment, offset, checksum.
const BYTES: usize = 8 + 8 + 8 + 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    pub epoch: i64,
    pub position: Position,
}

/// `None` where there is no whole mark: it says nothing then.
pub fn load(directory: &Path) -> Option<End> {
    let bytes: [u8; BYTES] = fs::read(directory.join(FILE)).ok()?.try_into().ok()?;
    let (content, checksum) = bytes.split_at(BYTES - 4);
    if crc32fast::hash(content).to_le_bytes() != checksum {
        return None;
    }
    let number = |start: usize| -> Option<[u8; 8]> { content[start..start + 8].try_into().ok() };
    let position = Position {
        segment: u64::from_le_bytes(number(8)?),
        offset: u64::from_le_bytes(number(16)?),
    };
    Some(End { epoch: i64::from_le_bytes(number(0)?), position })
}

/// Kept open: one write for each append.
pub struct Mark {
    file: File,
}

impl Mark {
    pub fn open(directory: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(directory.join(FILE))?;
        Ok(Self { file })
    }

    pub fn store(&self, end: End) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend_from_slice(&end.epoch.to_le_bytes());
        bytes.extend_from_slice(&end.position.segment.to_le_bytes());
        bytes.extend_from_slice(&end.position.offset.to_le_bytes());
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        self.file.write_all_at(&bytes, 0)
    }
}
