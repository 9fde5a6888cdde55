//! The journal on disk: what is not acknowledged survives a kill of the agent and any outage of
//! the bus, within a size limit; the oldest is dropped first, and counted.
//!
//! Segments of records in one order for all channels, read by the sender from where the bus has
//! acknowledged. A record is on disk (`fdatasync`) before it is sent, because a sequence number
//! must never be used twice. What stays and what goes is decided in `logic::journal_policy`.

mod progress;
mod segment;
mod staging;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use muster_schemas::Channel;
use muster_schemas::signals::{ChannelProgress, JournalHealth};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use crate::logic::journal_policy::{JournalLimits, SegmentFacts, segment_bytes, segments_to_drop};
use progress::Progress;
pub use segment::Record;
use segment::{HEADER_BYTES, Header};
pub use staging::Staging;

pub const CHANNELS: usize = Channel::ALL.len();

/// Where a record begins: segment and byte. Ordered as they were written.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Position {
    pub segment: u64,
    pub offset: u64,
}

/// A record on its way, without its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    pub channel: Channel,
    pub seq: i64,
    /// Where the next record begins.
    pub end: Position,
}

#[derive(Debug, Clone, Copy)]
pub struct JournalOptions {
    pub limits: JournalLimits,
    /// Whether to wait for the disk. Only simulated hosts go without.
    pub durable: bool,
}

struct Segment {
    index: u64,
    bytes: u64,
    acknowledged_at: Option<i64>,
}

pub struct Journal {
    directory: PathBuf,
    options: JournalOptions,
    epoch: i64,
    next_seq: [i64; CHANNELS],
    segments: VecDeque<Segment>,
    /// The next record to send.
    cursor: Position,
    reader: Option<BufReader<File>>,
    progress: Progress,
    progress_is_stored: bool,
    waiting: i64,
    /// Held for as long as the journal is open: two writers would use sequence numbers twice.
    _lock: Option<File>,
}

impl Journal {
    /// Opens the journal in `directory`, or makes one whose epoch is `now_ms`.
    pub fn open(directory: &Path, options: JournalOptions, now_ms: i64) -> Result<Self> {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot create the journal in {}", directory.display()))?;
        let lock = options.durable.then(|| lock(directory)).transpose()?;
        let mut journal = Self {
            directory: directory.to_path_buf(),
            options,
            epoch: now_ms,
            next_seq: [1; CHANNELS],
            segments: VecDeque::new(),
            cursor: Position::default(),
            reader: None,
            progress: progress::load(directory),
            progress_is_stored: false,
            waiting: 0,
            _lock: lock,
        };
        journal
            .recover(now_ms)
            .with_context(|| format!("cannot read the journal in {}", directory.display()))?;
        Ok(journal)
    }

    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    pub fn next_seq(&self, channel: Channel) -> i64 {
        self.next_seq[usize::from(channel.index())]
    }

    pub fn staging(&self) -> Staging {
        Staging::new(&self.directory)
    }

    /// Writes a message under the next sequence number of its channel. `make` is given that
    /// number and answers the message.
    pub fn append(
        &mut self,
        channel: Channel,
        now_ms: i64,
        make: impl FnOnce(i64) -> Vec<u8>,
    ) -> io::Result<i64> {
        let seq = self.next_seq(channel);
        let record = Record { channel, seq, payload: make(seq) };
        self.trim(now_ms)?;
        match self.write(&record) {
            Err(error) if is_full(&error) => {
                // Give up the oldest for the newest, once.
                warn!(%error, "the disk is full: dropping the oldest segment of the journal");
                self.drop_oldest(1)?;
                self.write(&record)?;
            }
            written => written?,
        }
        self.next_seq[usize::from(channel.index())] = seq + 1;
        self.waiting += 1;
        Ok(seq)
    }

    fn write(&mut self, record: &Record) -> io::Result<()> {
        let full = segment_bytes(self.options.limits.bytes_max);
        if self.segments.back().is_none_or(|last| last.bytes >= full) {
            self.start_segment()?;
        }
        let last = self.segments.back().expect("a segment was started if there was none");
        let path = self.path(last.index);
        let end = segment::append(&path, last.bytes, record, self.options.durable)?;
        let last = self.segments.back_mut().expect("it was there above");
        last.bytes = end;
        // What was just written is not acknowledged, even if all before it was.
        last.acknowledged_at = None;
        Ok(())
    }

    fn start_segment(&mut self) -> io::Result<()> {
        let newest = self.segments.back().map_or(0, |last| last.index);
        // Never an index that was used: the position up to which all was acknowledged may lie in
        // a segment that is no longer there.
        let index = newest.max(self.cursor.segment).max(self.progress.position.segment) + 1;
        let header = Header { epoch: self.epoch, next_seq: self.next_seq };
        segment::create(&self.path(index), header, self.options.durable)?;
        self.segments.push_back(Segment { index, bytes: HEADER_BYTES, acknowledged_at: None });
        Ok(())
    }

    /// The next message to send, in the order of writing; `None` when all are under way.
    pub fn next_to_send(&mut self) -> io::Result<Option<(Ticket, Record)>> {
        loop {
            let Some(current) = self.segments.iter().find(|s| s.index >= self.cursor.segment)
            else {
                return Ok(None);
            };
            let (index, bytes) = (current.index, current.bytes);
            if index > self.cursor.segment || self.cursor.offset < HEADER_BYTES {
                self.cursor = Position { segment: index, offset: HEADER_BYTES };
                self.reader = None;
            }
            if self.cursor.offset < bytes
                && let Some(found) = self.read_at_cursor()?
            {
                return Ok(Some(found));
            }
            self.reader = None;
            if self.segments.back().is_none_or(|last| last.index == index) {
                return Ok(None);
            }
            self.cursor = Position { segment: index + 1, offset: 0 };
        }
    }

    fn read_at_cursor(&mut self) -> io::Result<Option<(Ticket, Record)>> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => {
                let path = self.directory.join(file_name(self.cursor.segment));
                none.insert(segment::reader(&path, self.cursor.offset)?)
            }
        };
        let Some(record) = segment::read_record(reader)? else {
            warn!(position = ?self.cursor, "the rest of a journal segment is damaged, skipping it");
            return Ok(None);
        };
        self.cursor.offset += record.bytes();
        let ticket = Ticket { channel: record.channel, seq: record.seq, end: self.cursor };
        Ok(Some((ticket, record)))
    }

    /// Notes that all messages up to `ticket`, itself included, were acknowledged.
    pub fn acknowledge(&mut self, ticket: Ticket, now_ms: i64) {
        if ticket.end <= self.progress.position {
            return;
        }
        self.progress.position = ticket.end;
        let acked = &mut self.progress.acked[usize::from(ticket.channel.index())];
        *acked = ticket.seq.max(*acked);
        self.waiting = (self.waiting - 1).max(0);
        self.progress_is_stored = false;
        for segment in &mut self.segments {
            let end = Position { segment: segment.index, offset: segment.bytes };
            if segment.acknowledged_at.is_none() && end <= ticket.end {
                segment.acknowledged_at = Some(now_ms);
            }
        }
    }

    /// Starts sending again at the first message that was not acknowledged.
    pub fn rewind(&mut self) {
        self.cursor = self.progress.position;
        self.reader = None;
    }

    /// Writes down how far it was acknowledged, and drops what need not be kept.
    pub fn maintain(&mut self, now_ms: i64) -> io::Result<()> {
        self.trim(now_ms)?;
        if !self.progress_is_stored {
            progress::store(&self.directory, &self.progress)?;
            self.progress_is_stored = true;
        }
        Ok(())
    }

    pub fn health(&self) -> JournalHealth {
        JournalHealth {
            waiting: self.waiting,
            bytes: self.segments.iter().map(|segment| segment.bytes as i64).sum(),
            bytes_max: self.options.limits.bytes_max as i64,
        }
    }

    /// What was acknowledged and dropped of a channel that was ever used.
    pub fn progress(&self, channel: Channel) -> Option<ChannelProgress> {
        let index = usize::from(channel.index());
        let used = self.next_seq[index] > 1;
        used.then(|| ChannelProgress {
            acked: self.progress.acked[index],
            dropped: self.progress.dropped[index],
        })
    }

    fn trim(&mut self, now_ms: i64) -> io::Result<()> {
        let facts: Vec<SegmentFacts> = self
            .segments
            .iter()
            .map(|s| SegmentFacts { bytes: s.bytes, acknowledged_at: s.acknowledged_at })
            .collect();
        self.drop_oldest(segments_to_drop(now_ms, &facts, self.options.limits))
    }

    fn drop_oldest(&mut self, count: usize) -> io::Result<()> {
        for _ in 0..count.min(self.segments.len().saturating_sub(1)) {
            let Some(oldest) = self.segments.front() else { break };
            let (index, path) = (oldest.index, self.path(oldest.index));
            let end = Position { segment: index, offset: oldest.bytes };
            if end > self.progress.position {
                self.count_dropped(index, &path)?;
                // Before the file is gone: a kill in between must not forget the count.
                progress::store(&self.directory, &self.progress)?;
            }
            fs::remove_file(path)?;
            self.segments.pop_front();
        }
        Ok(())
    }

    /// Counts what a segment that is about to go still had to send.
    fn count_dropped(&mut self, index: u64, path: &Path) -> io::Result<()> {
        let acked = self.progress.position;
        let start =
            if acked.segment == index { acked.offset.max(HEADER_BYTES) } else { HEADER_BYTES };
        let mut reader = segment::reader(path, start)?;
        let mut count = 0;
        while let Some(record) = segment::read_record(&mut reader)? {
            let channel = usize::from(record.channel.index());
            self.progress.dropped[channel] += 1;
            self.progress.acked[channel] = self.progress.acked[channel].max(record.seq);
            count += 1;
        }
        self.waiting = (self.waiting - count).max(0);
        let after = Position { segment: index + 1, offset: 0 };
        self.progress.position = self.progress.position.max(after);
        self.cursor = self.cursor.max(after);
        self.reader = None;
        self.progress_is_stored = false;
        warn!(messages = count, "the journal is full: dropped {count} messages that were not sent");
        Ok(())
    }

    fn recover(&mut self, now_ms: i64) -> Result<()> {
        let mut newest = None;
        for index in segment_indexes(&self.directory)? {
            let path = self.path(index);
            let mut reader = segment::reader(&path, 0)?;
            let Some(header) = segment::read_header(&mut reader)? else {
                // A segment is created before anything is in it: a torn header holds nothing.
                warn!("removing {}: it has no whole header", path.display());
                fs::remove_file(&path)?;
                continue;
            };
            self.epoch = header.epoch;
            self.next_seq = header.next_seq;
            if self.progress.epoch != header.epoch {
                self.progress = Progress { epoch: header.epoch, ..Progress::default() };
            }
            self.recover_segment(index, &mut reader, now_ms)?;
            newest = Some(index);
        }
        let end = self.segments.back().map_or(Position::default(), |last| Position {
            segment: last.index,
            offset: last.bytes,
        });
        if end < self.progress.position {
            self.begin_anew(now_ms)?;
        } else if newest.is_none() {
            self.progress = Progress { epoch: self.epoch, ..Progress::default() };
            info!(epoch = self.epoch, "made a new journal in {}", self.directory.display());
        }
        self.cursor = self.progress.position;
        Ok(())
    }

    /// The journal ends before what was acknowledged: a damaged disk, files from a backup. Nobody
    /// knows which numbers were used after that, so a new epoch begins. What is left was
    /// acknowledged and goes.
    fn begin_anew(&mut self, now_ms: i64) -> Result<()> {
        warn!("the end of the journal is missing: beginning a new one");
        for segment in self.segments.drain(..) {
            fs::remove_file(self.directory.join(file_name(segment.index)))?;
        }
        self.epoch = now_ms.max(self.progress.epoch + 1);
        self.next_seq = [1; CHANNELS];
        self.waiting = 0;
        let position = self.progress.position;
        self.progress = Progress { epoch: self.epoch, position, ..Progress::default() };
        Ok(())
    }

    /// Reads a segment to its last whole record; what is torn after it will be overwritten.
    fn recover_segment(
        &mut self,
        index: u64,
        reader: &mut BufReader<File>,
        now_ms: i64,
    ) -> Result<()> {
        let mut end = Position { segment: index, offset: HEADER_BYTES };
        while let Some(record) = segment::read_record(reader)? {
            end.offset += record.bytes();
            self.next_seq[usize::from(record.channel.index())] = record.seq + 1;
            if end > self.progress.position {
                self.waiting += 1;
            }
        }
        let acknowledged_at = (end <= self.progress.position).then_some(now_ms);
        self.segments.push_back(Segment { index, bytes: end.offset, acknowledged_at });
        Ok(())
    }

    fn path(&self, index: u64) -> PathBuf {
        self.directory.join(file_name(index))
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn file_name(index: u64) -> String {
    format!("{index:020}.segment")
}

fn segment_indexes(directory: &Path) -> io::Result<Vec<u64>> {
    let mut indexes = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(".segment"));
        indexes.extend(stem.and_then(|stem| stem.parse::<u64>().ok()));
    }
    indexes.sort_unstable();
    Ok(indexes)
}

fn lock(directory: &Path) -> Result<File> {
    let path = directory.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => {
            bail!("another agent is using the journal in {}", directory.display())
        }
        Err(fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}
