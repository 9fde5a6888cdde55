//! How far the bus has acknowledged, in a small file beside the segments.
//!
//! It may lag behind the truth: what is sent again is recognised by its id.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{CHANNELS, Position};

const FILE: &str = "progress.json";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub epoch: i64,
    /// All before it was acknowledged.
    pub position: Position,
    /// The last acknowledged (or dropped) sequence number of each channel.
    pub acked: [i64; CHANNELS],
    /// Messages of each channel that were dropped unacknowledged.
    pub dropped: [i64; CHANNELS],
}

/// A file that is missing or damaged reads as "nothing was acknowledged".
pub fn load(directory: &Path) -> Progress {
    let text = fs::read(directory.join(FILE)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

pub fn store(directory: &Path, progress: &Progress) -> io::Result<()> {
    let temporary = directory.join("progress.json.new");
    fs::write(&temporary, serde_json::to_vec(progress)?)?;
    fs::rename(temporary, directory.join(FILE))
}
