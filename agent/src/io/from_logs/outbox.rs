//! Lines on their way into the agent's journal: held below a rate, gathered in frames, and
//! committed together with how far was read.
//!
//! When a commit fails the frame is kept and nothing more is to be read: what waits is bounded by
//! one frame and the lines of one block.
//!
//! A note has a limit, too. A frame is closed before the places of its lines pass it; places of
//! files without lines in it fill what is left, and wait for the next note or for the checkpoint,
//! whichever is first.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use muster_schemas::logs::{LINES_PER_FRAME_MAX, LogFrame, LogLine, Severity};
use tracing::{error, info, warn};

use super::LogSink;
use super::table::FileId;
use crate::logic::follow::{Note, Position};
use crate::logic::logs::{Flood, FloodLimits};

/// A frame is closed at this size, well below the largest message (1 MiB).
const FRAME_BYTES_MAX: usize = 256 * 1024;

/// How long a line waits for others: an operator should see it soon, and a journal record a
/// second is cheap.
const FRAME_AGE_MAX: Duration = Duration::from_secs(1);

/// How often a commit is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How far ahead of time [`Flood`] must be asked to say at once what it has held back.
const SAID_EVERY_MS: i64 = 10_000;

/// What a line costs in a frame besides its texts: names of fields, numbers.
const LINE_OVERHEAD_BYTES: usize = 96;

/// What places may take in a note: well below what the journal takes (256 KiB), because a cursor
/// and the place that passed the limit come on top. Some 1,000 files with usual names.
const NOTE_BYTES_MAX: usize = 192 * 1024;

/// What a place takes in a note besides its path, at most: numbers of up to nine bytes.
const PLACE_OVERHEAD_BYTES: usize = 64;

/// How far something was read.
pub enum Place {
    File(FileId, Position),
    Journal(String),
    /// The line was in no file: it speaks of others.
    Nowhere,
}

pub struct Outbox {
    sink: Arc<dyn LogSink>,
    flood: Flood,
    lines: Vec<LogLine>,
    bytes: usize,
    opened_at: Option<Instant>,
    /// Where the lines of the frame came from.
    places: Places,
    /// What else notes must say.
    others: Places,
    cursor: Option<String>,
    /// What came while a commit failed.
    held: VecDeque<(Option<LogLine>, Place)>,
    retry_at: Option<Instant>,
    pub counts: Counts,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub suppressed: u64,
    pub errors: u64,
}

impl Outbox {
    pub fn new(sink: Arc<dyn LogSink>, limits: FloodLimits) -> Self {
        Self {
            sink,
            flood: Flood::new(limits),
            lines: Vec::new(),
            bytes: 0,
            opened_at: None,
            places: Places::default(),
            others: Places::default(),
            cursor: None,
            held: VecDeque::new(),
            retry_at: None,
            counts: Counts::default(),
        }
    }

    /// Takes a line and the place behind it.
    pub fn offer(&mut self, line: LogLine, place: Place, now: Instant, now_ms: i64) {
        self.counts.errors += u64::from(line.severity <= Severity::Error);
        let kept = self.flood.observe(now_ms, &line);
        self.counts.suppressed += u64::from(!kept);
        self.accept(kept.then_some(line), place, now);
    }

    /// What lies before the place holds no more lines that matter.
    pub fn settle(&mut self, place: Place, now: Instant) {
        self.accept(None, place, now);
    }

    /// The next note must say where this file is, whether or not it has lines in the frame.
    pub fn note(&mut self, id: FileId, position: Position) {
        let places = if self.places.has(id) { &mut self.places } else { &mut self.others };
        places.insert(id, position);
    }

    fn accept(&mut self, line: Option<LogLine>, place: Place, now: Instant) {
        if self.is_blocked() || !self.held.is_empty() {
            self.held.push_back((line, place));
        } else {
            self.apply(line, place, now);
        }
    }

    fn apply(&mut self, line: Option<LogLine>, place: Place, now: Instant) {
        let has_line = line.is_some();
        match place {
            Place::Nowhere => {}
            Place::File(id, position) => {
                if has_line {
                    self.others.remove(id);
                    self.places.insert(id, position);
                } else if self.places.has(id) || self.others.has(id) {
                    self.note(id, position);
                }
            }
            Place::Journal(cursor) => {
                if has_line || self.cursor.is_some() {
                    self.cursor = Some(cursor);
                }
            }
        }
        if let Some(line) = line {
            self.push(line, now);
        }
    }

    fn push(&mut self, line: LogLine, now: Instant) {
        self.opened_at.get_or_insert(now);
        self.bytes += size_of(&line);
        self.lines.push(line);
        let is_full = self.lines.len() >= LINES_PER_FRAME_MAX || self.bytes >= FRAME_BYTES_MAX;
        if is_full || self.places.bytes >= NOTE_BYTES_MAX {
            self.commit(now);
        }
    }

    /// Says what was suppressed, and closes a frame whose time has come.
    pub fn tick(&mut self, now: Instant, now_ms: i64) {
        if self.retry_at.is_some_and(|at| now >= at) {
            self.commit(now);
        }
        while !self.is_blocked()
            && let Some((line, place)) = self.held.pop_front()
        {
            self.apply(line, place, now);
        }
        if self.is_blocked() {
            return;
        }
        for line in self.flood.tick(now_ms) {
            self.accept(Some(line), Place::Nowhere, now);
        }
        if self.opened_at.is_some_and(|at| now >= at + FRAME_AGE_MAX) {
            self.commit(now);
        }
    }

    /// Before a stop: the lines left out are said now, as there is no later.
    pub fn close(&mut self, now: Instant, now_ms: i64) {
        self.tick(now, now_ms + SAID_EVERY_MS);
        self.commit(now);
    }

    /// Writes what was gathered. Nothing is left in the outbox when it answers `true`.
    pub fn commit(&mut self, now: Instant) -> bool {
        if self.lines.is_empty() {
            return self.held.is_empty();
        }
        let room = NOTE_BYTES_MAX.saturating_sub(self.places.bytes);
        let fitting = self.others.fitting(room);
        let others = fitting.iter().filter_map(|id| self.others.files.get(id));
        let files = self.places.files.values().chain(others).cloned().collect();
        let note = Note { files, cursor: self.cursor.clone() };
        let frame = LogFrame { lines: self.lines.clone() };
        match self.sink.commit(frame, &note.encode()) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                error!(%error, "{} log lines are too large for any message and are left out", self.lines.len());
            }
            Err(error) => {
                if self.retry_at.is_none() {
                    warn!(%error, "cannot write log lines to the journal: logs are not read on until it works again");
                }
                self.retry_at = Some(now + RETRY_AFTER);
                return false;
            }
        }
        if self.retry_at.take().is_some() {
            info!("log lines are written to the journal again");
        }
        self.lines.clear();
        self.bytes = 0;
        self.opened_at = None;
        self.places = Places::default();
        for id in fitting {
            self.others.remove(id);
        }
        self.cursor = None;
        self.held.is_empty()
    }

    /// A checkpoint now says what the next note would have said.
    pub fn checkpointed(&mut self) {
        if self.lines.is_empty() {
            self.others = Places::default();
            self.cursor = None;
        }
    }

    /// More is to be said than fits in a note: the checkpoint is to say it.
    pub fn has_much_to_note(&self) -> bool {
        self.others.bytes >= NOTE_BYTES_MAX
    }

    /// Nothing may be read while this holds.
    pub fn is_blocked(&self) -> bool {
        self.retry_at.is_some()
    }

    /// Other limits; what was held back under the old ones is said first.
    pub fn set_limits(&mut self, limits: FloodLimits, now: Instant, now_ms: i64) {
        for line in self.flood.tick(now_ms + SAID_EVERY_MS) {
            self.accept(Some(line), Place::Nowhere, now);
        }
        self.flood = Flood::new(limits);
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.retry_at.or(self.opened_at.map(|at| at + FRAME_AGE_MAX))
    }
}

/// Positions of files, with what they take in a note at most.
#[derive(Default)]
struct Places {
    files: HashMap<FileId, Position>,
    bytes: usize,
}

impl Places {
    fn has(&self, id: FileId) -> bool {
        self.files.contains_key(&id)
    }

    fn insert(&mut self, id: FileId, position: Position) {
        self.remove(id);
        self.bytes += noted_bytes(&position);
        self.files.insert(id, position);
    }

    fn remove(&mut self, id: FileId) {
        if let Some(position) = self.files.remove(&id) {
            self.bytes -= noted_bytes(&position);
        }
    }

    /// As many as take no more than `room` together.
    fn fitting(&self, mut room: usize) -> Vec<FileId> {
        let fits = |(id, position): (&FileId, &Position)| {
            room = room.checked_sub(noted_bytes(position))?;
            Some(*id)
        };
        self.files.iter().map_while(fits).collect()
    }
}

/// A byte of a path takes two where it is no ASCII.
fn noted_bytes(position: &Position) -> usize {
    PLACE_OVERHEAD_BYTES + 2 * position.path.as_os_str().len()
}

/// About what a line takes in a frame, and in memory.
pub fn size_of(line: &LogLine) -> usize {
    let fields: usize = line.fields.iter().map(|(name, value)| name.len() + value.len() + 8).sum();
    line.message.len() + line.application.len() + line.source.len() + fields + LINE_OVERHEAD_BYTES
}
