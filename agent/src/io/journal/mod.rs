//! The journal on disk: what is not acknowledged survives a kill of the agent and any outage of
//! the bus, within a size limit; the oldest is dropped first, and counted.
//!
//! Segments of records in one order for all channels, read by the sender from where the bus has
//! acknowledged. A record is on disk (`fdatasync`) before it is sent, because a sequence number
//! must never be used twice. What stays and what goes is decided in `logic::journal_policy`.

mod again;
mod cursor;
mod epochs;
mod lanes;
mod mark;
mod notes;
mod owner;
mod progress;
mod recover;
mod salvage;
mod segment;
mod staging;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use muster_schemas::signals::{ChannelProgress, JournalHealth};
use muster_schemas::{Channel, Kind};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::logic::journal_policy::{JournalLimits, SegmentFacts, segment_bytes, segments_to_drop};
pub use again::ReadAgain;
use cursor::Cursor;
pub use cursor::Found;
use lanes::Ahead;
pub use lanes::Lane;
use mark::{End, Mark};
pub use owner::{Claim, last_owner};
use progress::Progress;
pub use segment::Record;
use segment::{HEADER_BYTES, Header};
pub use staging::Staging;

pub const CHANNELS: usize = Channel::ALL.len();

/// How long a notice is told with each heartbeat: long enough for whoever set the machine up to see
/// it, and no error that stands for ever on a host where nothing is wrong.
const NOTICE_MS: i64 = 60 * 60 * 1000;

/// Where a record begins: segment and byte. Ordered as they were written.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Position {
    pub segment: u64,
    pub offset: u64,
}

impl Position {
    /// Behind everything.
    const MAX: Self = Self { segment: u64::MAX, offset: u64::MAX };
}

/// A record on its way, without its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    pub kind: Kind,
    /// Of the record: an older one than the journal's where a new epoch has begun since.
    pub epoch: i64,
    pub seq: i64,
    pub start: Position,
    /// Where the next record begins.
    pub end: Position,
}

impl Ticket {
    fn channel(&self) -> usize {
        usize::from(self.kind.channel().index())
    }

    /// What the record takes on disk.
    pub fn bytes(&self) -> u64 {
        self.end.offset.saturating_sub(self.start.offset)
    }
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Stored,
    /// The bus will never take it: it counts as dropped.
    Refused,
}

#[derive(Debug, Clone, Copy)]
pub struct JournalOptions {
    pub limits: JournalLimits,
    /// Whether to wait for the disk. Only simulated hosts go without.
    pub durable: bool,
}

#[derive(Debug, Clone)]
struct Segment {
    index: u64,
    epoch: i64,
    /// The first sequence number of each channel that is in it or after it.
    first_seq: [i64; CHANNELS],
    /// Where its last whole record ends.
    bytes: u64,
    acknowledged_at: Option<i64>,
    /// The newest record whose note is not known to be kept elsewhere.
    last_note: Option<i64>,
}

pub struct Journal {
    directory: PathBuf,
    options: JournalOptions,
    /// What the disk had room for when it was last full: segments are made smaller then, so that
    /// dropping one costs less.
    room: u64,
    epoch: i64,
    next_seq: [i64; CHANNELS],
    /// The highest number of each channel that the bus may have seen: what was in the journal when
    /// it was opened may have been sent, what is written from then on was not until it is said.
    shown: [i64; CHANNELS],
    segments: VecDeque<Segment>,
    /// Sends everything, or the backlog while `ahead` sends what is new.
    main: Cursor,
    main_under_way: usize,
    ahead: Option<Ahead>,
    candidates: Cursor,
    /// Records that the lane with the newest has not handed out.
    unsent: i64,
    progress: Progress,
    progress_is_stored: bool,
    waiting: i64,
    /// The number of the frame that staged samples are waiting for.
    staged_frame: i64,
    mark: Option<Mark>,
    /// What a person should know of what this journal does not send, and since when.
    notice: Option<(i64, String)>,
    /// Held for as long as the journal is open: two writers would use sequence numbers twice.
    _lock: Option<File>,
}

impl Journal {
    /// Opens the journal in `directory`, or makes one whose epoch is `now_ms`.
    pub fn open(directory: &Path, options: JournalOptions, now_ms: i64) -> Result<Self> {
        fs::create_dir_all(directory).map_err(|error| not_writable(directory, &error))?;
        let lock = options.durable.then(|| lock(directory)).transpose()?;
        let mut journal = Self {
            directory: directory.to_path_buf(),
            options,
            room: u64::MAX,
            epoch: now_ms,
            next_seq: [1; CHANNELS],
            shown: [0; CHANNELS],
            segments: VecDeque::new(),
            main: Cursor::default(),
            main_under_way: 0,
            ahead: None,
            candidates: Cursor::default(),
            unsent: 0,
            progress: progress::load(directory),
            progress_is_stored: false,
            waiting: 0,
            staged_frame: 1,
            mark: None,
            notice: None,
            _lock: lock,
        };
        journal
            .recover(now_ms)
            .with_context(|| format!("cannot read the journal in {}", directory.display()))?;
        journal.shown = journal.next_seq.map(|next| next - 1);
        if options.durable {
            journal.mark =
                Some(Mark::open(directory).map_err(|error| not_writable(directory, &error))?);
        }
        Ok(journal)
    }

    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    pub fn next_seq(&self, channel: Channel) -> i64 {
        self.next_seq[usize::from(channel.index())]
    }

    /// The highest sequence number of each channel that the bus may have seen. Where it has seen a
    /// higher one, this journal was put back to an earlier state. Numbers that are only written do
    /// not tell: a journal that was put back goes on counting.
    pub fn shown(&self) -> BTreeMap<Channel, i64> {
        let shown = Channel::ALL.map(|channel| (channel, self.shown[usize::from(channel.index())]));
        shown.into_iter().filter(|(_, seq)| *seq > 0).collect()
    }

    /// The message is about to be given to the bus.
    pub fn showing(&mut self, ticket: &Ticket) {
        if ticket.epoch == self.epoch {
            let shown = &mut self.shown[ticket.channel()];
            *shown = ticket.seq.max(*shown);
        }
    }

    pub fn staging(&self) -> Staging {
        Staging::new(&self.directory)
    }

    /// The number of the frame that staged samples are waiting for: the next one, or the next one
    /// of the epoch before, where this one began at the start.
    pub fn staged_frame(&self) -> i64 {
        self.staged_frame
    }

    /// Writes a message under the next sequence number of its channel. `make` is given that
    /// number and answers the message. The note stays here (`notes`); an empty one is none.
    pub fn append(
        &mut self,
        kind: Kind,
        note: &[u8],
        now_ms: i64,
        make: impl FnOnce(i64) -> Vec<u8>,
    ) -> io::Result<i64> {
        let channel = kind.channel();
        let seq = self.next_seq(channel);
        let record = Record { kind, seq, note: note.to_vec(), payload: make(seq) };
        self.trim(now_ms)?;
        match self.write(&record) {
            Err(error) if is_full(&error) => {
                // Give up the oldest for the newest, once.
                warn!(%error, "the disk is full: dropping the oldest segment of the journal");
                self.room = self.segments.iter().map(|segment| segment.bytes).sum();
                self.drop_front()?;
                self.write(&record)?;
            }
            written => written?,
        }
        self.next_seq[usize::from(channel.index())] = seq + 1;
        self.waiting += 1;
        self.unsent += 1;
        Ok(seq)
    }

    fn write(&mut self, record: &Record) -> io::Result<()> {
        let full = segment_bytes(self.options.limits.bytes_max.min(self.room));
        if self.segments.back().is_none_or(|last| last.bytes >= full) {
            self.start_segment()?;
        }
        let last = self.segments.back().expect("a segment was started if there was none");
        let path = self.path(last.index);
        let end = match segment::append(&path, last.bytes, record, self.options.durable) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Somebody has removed it. Where the directory is gone, this fails, too.
                self.start_segment()?;
                return self.write(record);
            }
            appended => appended?,
        };
        let last = self.segments.back_mut().expect("it was there above");
        last.bytes = end;
        // What was just written is not acknowledged, even if all before it was.
        last.acknowledged_at = None;
        if !record.note.is_empty() {
            last.last_note = Some(record.seq);
        }
        let position = Position { segment: last.index, offset: end };
        if let Some(mark) = &self.mark {
            // The record is on disk. An old mark is on the safe side.
            mark.store(End { epoch: self.epoch, position }).ok();
        }
        Ok(())
    }

    fn start_segment(&mut self) -> io::Result<()> {
        let newest = self.segments.back().map_or(0, |last| last.index);
        // Never an index that was used: the position up to which all was acknowledged may lie in
        // a segment that is no longer there.
        let index =
            newest.max(self.main.position().segment).max(self.progress.position.segment) + 1;
        let header = Header { epoch: self.epoch, next_seq: self.next_seq };
        segment::create(&self.path(index), header, self.options.durable)?;
        self.segments.push_back(Segment::new(index, header));
        Ok(())
    }

    /// Writes down how far it was acknowledged, and drops what need not be kept.
    pub fn maintain(&mut self, now_ms: i64) -> io::Result<()> {
        self.note_acknowledged_segments(now_ms);
        self.trim(now_ms)?;
        if !self.progress_is_stored {
            self.store_progress()?;
        }
        Ok(())
    }

    fn store_progress(&mut self) -> io::Result<()> {
        let progress = self.progress_with_ahead();
        progress::store(&self.directory, &progress, self.options.durable)?;
        self.progress_is_stored = true;
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
        (self.next_seq[index] > 1).then(|| ChannelProgress {
            acked: self.progress.acked[index],
            dropped: self.progress.dropped[index],
        })
    }

    fn trim(&mut self, now_ms: i64) -> io::Result<()> {
        let facts: Vec<SegmentFacts> = self
            .segments
            .iter()
            .map(|s| SegmentFacts {
                bytes: s.bytes,
                acknowledged_at: s.acknowledged_at,
                has_notes: s.last_note.is_some(),
            })
            .collect();
        self.drop_oldest(segments_to_drop(now_ms, &facts, self.options.limits))
    }

    fn drop_oldest(&mut self, count: usize) -> io::Result<()> {
        for _ in 0..count.min(self.segments.len().saturating_sub(1)) {
            self.drop_front()?;
        }
        Ok(())
    }

    /// Drops the oldest until so many bytes are free, one segment at least; whether there was one.
    fn make_room(&mut self, bytes: u64) -> io::Result<bool> {
        let mut freed = 0;
        while let Some(oldest) = self.segments.front()
            && (freed == 0 || freed < bytes)
        {
            let left = self.segments.len() - 1;
            freed += oldest.bytes.max(1);
            match self.drop_front() {
                // It is gone; only the count is not written down yet.
                Err(error) if is_full(&error) && self.segments.len() == left => {}
                dropped => dropped?,
            }
        }
        Ok(freed > 0)
    }

    fn tell(&mut self, text: String, now_ms: i64) {
        self.notice = Some((now_ms, text));
    }

    /// What is still worth telling of messages this journal does not send.
    pub fn notice(&self, now_ms: i64) -> Option<&str> {
        let (since, text) = self.notice.as_ref()?;
        (now_ms - since < NOTICE_MS).then_some(text)
    }

    /// Drops the oldest, even if it is the only one: the next record begins another.
    fn drop_front(&mut self) -> io::Result<()> {
        let Some(oldest) = self.segments.front() else { return Ok(()) };
        let (index, path) = (oldest.index, self.path(oldest.index));
        if oldest.last_note.is_some() {
            warn!("the journal is full: dropped notes of log positions that are kept nowhere else");
        }
        if oldest.end() > self.progress.position {
            self.count_dropped(index)?;
        }
        // Before the file is gone: a kill in between must not forget the count. On a full disk
        // there is room for it only after.
        if !self.progress_is_stored {
            match self.store_progress() {
                Err(error) if !is_full(&error) => return Err(error),
                _ => {}
            }
        }
        match fs::remove_file(path) {
            // Somebody was faster, to make room.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed?,
        }
        self.segments.pop_front();
        if !self.progress_is_stored {
            self.store_progress()?;
        }
        Ok(())
    }

    fn path(&self, index: u64) -> PathBuf {
        self.directory.join(file_name(index))
    }
}

impl Segment {
    fn new(index: u64, header: Header) -> Self {
        Self {
            index,
            epoch: header.epoch,
            first_seq: header.next_seq,
            bytes: HEADER_BYTES,
            acknowledged_at: None,
            last_note: None,
        }
    }

    fn end(&self) -> Position {
        Position { segment: self.index, offset: self.bytes }
    }
}

/// What a person can do about a directory that cannot be written.
fn not_writable(directory: &Path, error: &io::Error) -> anyhow::Error {
    anyhow!(
        "cannot write to {}: {error}; make it writable for the agent's user, or set \
         MUSTER_AGENT_STATE_DIR to a directory that is",
        directory.display()
    )
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
    let file = File::create(&path).map_err(|error| not_writable(directory, &error))?;
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
