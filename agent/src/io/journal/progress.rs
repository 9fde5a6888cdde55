//! How far the bus has acknowledged, in a small file beside the segments.
//!
//! It may lag behind the truth: what is sent again is recognised by its id. It is replaced whole,
//! and on disk before it has its name, so that a power cut leaves the old one or the new one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use muster_schemas::HostId;
use serde::{Deserialize, Serialize};

use super::{CHANNELS, Position, segment};

const FILE: &str = "progress.json";

/// How many stretches acknowledged ahead of the rest are remembered. Each outage during a replay
/// leaves one; what is forgotten is sent again and recognised by its id.
pub const ISLANDS_MAX: usize = 16;

/// A larger file is not ours: 16 stretches take 4 kB.
const FILE_BYTES_MAX: u64 = 64 * 1024;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub epoch: i64,
    /// All before it was acknowledged.
    pub position: Position,
    /// The last acknowledged (or dropped) sequence number of each channel.
    pub acked: [i64; CHANNELS],
    /// Messages of each channel that were dropped unacknowledged.
    pub dropped: [i64; CHANNELS],
    /// What was acknowledged beyond `position`, in order.
    #[serde(default)]
    pub islands: Vec<Island>,
    /// All alert candidates before it were acknowledged, if it is beyond `position`.
    #[serde(default)]
    pub candidates: Position,
    /// Which of them, oldest first, so that whoever asks for one can be told why it is gone.
    #[serde(default)]
    pub dropped_spans: Vec<DroppedSpan>,
    /// The first segment of an epoch that is being written and does not count yet (`epochs`).
    #[serde(default)]
    pub unfinished: Option<u64>,
    /// Whose journal it is (`owner`); journals of before do not say.
    #[serde(default)]
    pub owner: Option<HostId>,
    /// Epochs before it are another host's.
    #[serde(default)]
    pub owned_since: i64,
    /// The machine that wrote it (`/etc/machine-id`), where that was known.
    #[serde(default)]
    pub machine: Option<String>,
}

/// How many stretches of dropped messages are remembered. Overflow drops in order, which makes one
/// stretch a channel; what is forgotten is told as trimmed.
const DROPPED_SPANS_MAX: usize = 32;

/// Messages of a channel, first and last, that were dropped unacknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedSpan {
    pub channel: usize,
    pub from: i64,
    pub to: i64,
}

/// A stretch of the journal that was acknowledged while older messages were not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Island {
    pub epoch: i64,
    pub from: Position,
    pub to: Position,
    /// The last sequence number of each channel in it; 0 for none.
    pub last: [i64; CHANNELS],
    /// The first.
    pub first: [i64; CHANNELS],
}

impl Island {
    /// An empty one.
    pub fn at(epoch: i64, position: Position) -> Self {
        Self { epoch, from: position, to: position, ..Self::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.from == self.to
    }

    pub fn add(&mut self, channel: usize, seq: i64, end: Position) {
        self.to = end;
        self.last[channel] = seq;
        if self.first[channel] == 0 {
            self.first[channel] = seq;
        }
    }
}

/// A file that is missing or damaged reads as "nothing was acknowledged".
pub fn load(directory: &Path) -> Progress {
    let path = directory.join(FILE);
    let is_ours = fs::metadata(&path).is_ok_and(|file| file.len() <= FILE_BYTES_MAX);
    let text = if is_ours { fs::read(path).unwrap_or_default() } else { Vec::new() };
    parse(&text).and_then(Progress::plausible).unwrap_or_default()
}

/// One line of JSON and one with its checksum; files of before have the first only.
fn parse(text: &[u8]) -> Option<Progress> {
    let (json, checksum) = match text.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&text[..end], Some(&text[end + 1..])),
        None => (text, None),
    };
    let is_whole = checksum.is_none_or(|checksum| checksum == checksum_line(json).as_bytes());
    is_whole.then(|| serde_json::from_slice(json).ok()).flatten()
}

fn checksum_line(json: &[u8]) -> String {
    format!("{:08x}\n", crc32fast::hash(json))
}

impl Progress {
    /// Nothing but whose it is.
    pub fn of_owner(&self) -> Self {
        Self {
            owner: self.owner.clone(),
            owned_since: self.owned_since,
            machine: self.machine.clone(),
            ..Self::default()
        }
    }

    /// Counts messages that will never be sent, and remembers which.
    pub fn drop_messages(&mut self, channel: usize, from: i64, to: i64) {
        self.dropped[channel] += to - from + 1;
        let before = self.dropped_spans.iter_mut().rfind(|span| span.channel == channel);
        match before {
            Some(span) if span.to + 1 == from => span.to = to,
            _ => self.dropped_spans.push(DroppedSpan { channel, from, to }),
        }
        let excess = self.dropped_spans.len().saturating_sub(DROPPED_SPANS_MAX);
        self.dropped_spans.drain(..excess);
    }

    /// A new epoch has dropped nothing yet.
    pub fn forget_dropped(&mut self) {
        self.dropped = [0; CHANNELS];
        self.dropped_spans.clear();
    }

    /// Itself, unless its numbers cannot be: it is then damage that happens to be JSON.
    fn plausible(mut self) -> Option<Self> {
        let in_range = |number: &i64| (0..i64::MAX).contains(number);
        let numbers =
            self.acked.iter().chain(&self.dropped).chain([&self.epoch, &self.owned_since]);
        let segment_max = u64::MAX / 2;
        let whole = numbers.copied().all(|number| in_range(&number))
            && self.position.segment < segment_max
            && self.candidates.segment < segment_max;
        let mut before = self.position;
        self.islands.truncate(ISLANDS_MAX);
        self.dropped_spans.truncate(DROPPED_SPANS_MAX);
        for island in &self.islands {
            if island.from < before || island.to < island.from {
                // What they say does not matter enough to doubt the rest.
                self.islands.clear();
                break;
            }
            before = island.to;
        }
        whole.then_some(self)
    }
}

pub fn store(directory: &Path, progress: &Progress, durable: bool) -> io::Result<()> {
    let temporary = directory.join("progress.json.new");
    let mut file = File::create(&temporary)?;
    let mut text = serde_json::to_vec(progress)?;
    let checksum = checksum_line(&text);
    text.push(b'\n');
    text.extend_from_slice(checksum.as_bytes());
    file.write_all(&text)?;
    if durable {
        file.sync_data()?;
    }
    let path = directory.join(FILE);
    fs::rename(temporary, &path)?;
    if durable { segment::sync_directory(&path) } else { Ok(()) }
}
