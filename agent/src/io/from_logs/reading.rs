//! One file while it is read: whole lines go to the scanner, what it finds to the outbox.
//!
//! Nothing of a file is buffered between two turns but the beginning of a line that is too long:
//! an unfinished line stays in the file and is read again when it has grown. A line without a
//! newline counts as finished after [`UNFINISHED_AFTER`]; if its writer goes on later, the rest
//! becomes a line of its own.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use muster_schemas::logs::MESSAGE_BYTES_MAX;

use super::LogSettings;
use super::live::LiveTap;
use super::outbox::{Outbox, Place};
use super::siblings::head;
use super::table::{FileId, Followed, identity};
use crate::logic::follow::Fingerprint;
use crate::logic::logs::{Clock, Found, Scanner};

/// The longest line that is read as a whole. It is also the size of the one buffer all files
/// share; a longer line is cut, and skipped piece by piece.
pub const LINE_BYTES_MAX: usize = 256 * 1024;

/// What is kept of a longer line: as much as a message can carry.
const HEAD_BYTES: usize = MESSAGE_BYTES_MAX;

/// How much of a file is read before others have their turn.
const TURN_BYTES_MAX: usize = 1024 * 1024;

/// How much the scanner is given at a time: bounds what it can find at once.
const SLICE_BYTES: usize = 64 * 1024;

/// A file that is further behind than this is catching up: that is no live tail.
const LIVE_LAG_BYTES_MAX: u64 = 1024 * 1024;

/// When nothing more is expected to belong to the last event.
pub const COMPLETE_AFTER: Duration = Duration::from_secs(1);

/// When a last line without a newline is taken as it is.
pub const UNFINISHED_AFTER: Duration = Duration::from_secs(5);

pub struct Reading {
    file: File,
    scanner: Scanner,
    source: String,
    skipping: Option<Skip>,
    /// The size at the last look.
    size: u64,
    /// What is left up to `size` has no newline.
    unfinished: bool,
    pub grown_at: Instant,
    pub looked_at: Instant,
}

/// A line that is too long.
struct Skip {
    head: Vec<u8>,
    start: u64,
}

/// What a turn needs besides the file, and where its results go.
pub struct Desk<'a> {
    pub buffer: &'a mut Vec<u8>,
    pub found: &'a mut Vec<Found>,
    pub outbox: &'a mut Outbox,
    pub live: &'a LiveTap,
    pub lines_read: &'a mut u64,
    pub now: Instant,
    pub clock: Clock,
}

pub enum Turn {
    /// All there is was read.
    Done,
    /// There is more, or the outbox takes no more for now.
    More,
    /// The file is shorter than what was read, or begins differently.
    Truncated,
}

impl Reading {
    /// `None`: the path leads to another file than the one that is meant.
    pub fn open(file: &Followed, settings: &LogSettings, now: Instant) -> io::Result<Option<Self>> {
        let opened = File::open(&file.path)?;
        if identity(&opened.metadata()?) != file.identity {
            return Ok(None);
        }
        let source = source(&file.path, settings.host_root.as_deref());
        Ok(Some(Self {
            file: opened,
            scanner: Scanner::new(&source, settings.least),
            source,
            skipping: None,
            size: 0,
            unfinished: false,
            grown_at: now,
            looked_at: now,
        }))
    }

    /// Where reading would have to begin again.
    fn safe_to(&self, read_to: u64) -> u64 {
        let skipped = self.skipping.as_ref().map(|skip| skip.start);
        self.scanner.pending_from().or(skipped).unwrap_or(read_to)
    }

    /// Whether all there is was read, but for a line that is not finished.
    pub fn is_at_end(&self, read_to: u64) -> bool {
        self.unfinished || read_to >= self.size
    }

    /// The last line has no end yet.
    pub fn waits_for_newline(&self) -> bool {
        self.unfinished || self.skipping.is_some()
    }

    /// When [`settle`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.scanner.pending_from().is_some() {
            Some(self.grown_at + COMPLETE_AFTER)
        } else if self.unfinished || self.skipping.is_some() {
            Some(self.grown_at + UNFINISHED_AFTER)
        } else {
            None
        }
    }
}

/// What stands for a file in a line: its path, as the host names it.
fn source(path: &Path, host_root: Option<&Path>) -> String {
    let below = host_root.and_then(|root| path.strip_prefix(root).ok());
    let path = below.map_or_else(|| path.to_owned(), |below| Path::new("/").join(below));
    path.to_string_lossy().into_owned()
}

/// Reads on in a file that is open.
pub fn turn(id: FileId, file: &mut Followed, desk: &mut Desk<'_>) -> io::Result<Turn> {
    let Some(mut reading) = file.reading.take() else { return Ok(Turn::Done) };
    let turned = reading.turn(id, file, desk);
    file.reading = Some(reading);
    turned
}

/// Completes what waited long enough for more.
pub fn settle(id: FileId, file: &mut Followed, desk: &mut Desk<'_>) -> io::Result<()> {
    let Some(mut reading) = file.reading.take() else { return Ok(()) };
    let settled = reading.settle(id, file, desk);
    file.reading = Some(reading);
    settled
}

/// Completes the last event: the file ends here, whatever follows.
pub fn finish(id: FileId, file: &mut Followed, desk: &mut Desk<'_>) {
    if let Some(mut reading) = file.reading.take() {
        reading.scanner.flush(desk.clock, desk.found);
        reading.deliver(id, file, desk);
        file.reading = Some(reading);
    }
}

impl Reading {
    fn turn(&mut self, id: FileId, file: &mut Followed, desk: &mut Desk<'_>) -> io::Result<Turn> {
        let size = self.file.metadata()?.len();
        self.looked_at = desk.now;
        // What was written anew may be just as long.
        if size < file.read_to || (size == file.read_to && !self.is_same(file)?) {
            return Ok(Turn::Truncated);
        }
        if size != self.size {
            self.size = size;
            self.grown_at = desk.now;
            self.unfinished = false;
        }
        let mut left = TURN_BYTES_MAX;
        while file.read_to < self.size && !self.unfinished {
            if left == 0 || desk.outbox.is_blocked() {
                return Ok(Turn::More);
            }
            let count = self.file.read_at(desk.buffer, file.read_to)?;
            // Asked after reading: what was truncated before it must not be taken for news.
            if count == 0 || !self.is_same(file)? {
                return Ok(Turn::Truncated);
            }
            self.take(count, id, file, desk);
            left = left.saturating_sub(count);
        }
        Ok(Turn::Done)
    }

    /// Whether the file still begins as it did; it may have more of a beginning by now.
    fn is_same(&self, file: &mut Followed) -> io::Result<bool> {
        let head = head(&self.file)?;
        let is_same = file.fingerprint.fits(&head);
        if is_same && head.len() > file.fingerprint.length() {
            file.fingerprint = Fingerprint::of(&head);
        }
        Ok(is_same)
    }

    /// Takes what was read: the first `count` bytes of the buffer.
    fn take(&mut self, count: usize, id: FileId, file: &mut Followed, desk: &mut Desk<'_>) {
        let buffer = std::mem::take(desk.buffer);
        let block = &buffer[..count];
        if self.skipping.is_some() {
            self.skip(block, id, file, desk);
        } else if let Some(newline) = memchr::memrchr(b'\n', block) {
            self.feed(&block[..=newline], id, file, desk);
        } else if count == buffer.len() {
            self.skipping = Some(Skip { head: block[..HEAD_BYTES].to_vec(), start: file.read_to });
            file.read_to += count as u64;
        } else {
            self.unfinished = true;
        }
        *desk.buffer = buffer;
    }

    /// Looks for the end of a line that is too long.
    fn skip(&mut self, block: &[u8], id: FileId, file: &mut Followed, desk: &mut Desk<'_>) {
        match memchr::memchr(b'\n', block) {
            Some(newline) => {
                file.read_to += newline as u64 + 1;
                self.feed_cut(1, id, file, desk);
            }
            None => file.read_to += block.len() as u64,
        }
    }

    fn feed_cut(&mut self, newline: u64, id: FileId, file: &mut Followed, desk: &mut Desk<'_>) {
        let Some(skip) = self.skipping.take() else { return };
        let end = file.read_to;
        let cut_bytes = end - skip.start - skip.head.len() as u64 - newline;
        let lines = self.scanner.lines();
        self.scanner.feed_cut(&skip.head, cut_bytes, skip.start, end, desk.clock, desk.found);
        *desk.lines_read += self.scanner.lines() - lines;
        if desk.live.is_open() {
            desk.live.offer(&skip.head, &self.source, desk.clock);
        }
        self.deliver(id, file, desk);
    }

    fn feed(&mut self, block: &[u8], id: FileId, file: &mut Followed, desk: &mut Desk<'_>) {
        let mut rest = block;
        while !rest.is_empty() {
            let (slice, after) = rest.split_at(slice_length(rest));
            rest = after;
            let lines = self.scanner.lines();
            self.scanner.feed(slice, file.read_to, desk.clock, desk.found);
            *desk.lines_read += self.scanner.lines() - lines;
            file.read_to += slice.len() as u64;
            self.show(slice, file.read_to, desk);
            self.deliver(id, file, desk);
            if desk.outbox.is_blocked() {
                return;
            }
        }
    }

    fn show(&self, slice: &[u8], read_to: u64, desk: &Desk<'_>) {
        if !desk.live.is_open() {
            return;
        }
        if self.size.saturating_sub(read_to) > LIVE_LAG_BYTES_MAX {
            desk.live.skip(slice);
        } else {
            desk.live.offer(slice, &self.source, desk.clock);
        }
    }

    fn deliver(&mut self, id: FileId, file: &mut Followed, desk: &mut Desk<'_>) {
        for found in desk.found.drain(..) {
            file.safe_to = found.end;
            let place = Place::File(id, file.position());
            desk.outbox.offer(found.line, place, desk.now, desk.clock.now_ms);
        }
        file.safe_to = self.safe_to(file.read_to);
        desk.outbox.settle(Place::File(id, file.position()), desk.now);
    }

    fn settle(&mut self, id: FileId, file: &mut Followed, desk: &mut Desk<'_>) -> io::Result<()> {
        let quiet = desk.now.saturating_duration_since(self.grown_at);
        if quiet >= COMPLETE_AFTER && self.scanner.pending_from().is_some() {
            self.scanner.flush(desk.clock, desk.found);
            self.deliver(id, file, desk);
        }
        if quiet < UNFINISHED_AFTER {
            return Ok(());
        }
        if self.skipping.is_some() {
            self.feed_cut(0, id, file, desk);
        } else if self.unfinished {
            self.unfinished = false;
            let count = self.file.read_at(desk.buffer, file.read_to)?;
            if count == 0 || !self.is_same(file)? {
                return Ok(());
            }
            let buffer = std::mem::take(desk.buffer);
            self.feed(&buffer[..count], id, file, desk);
            *desk.buffer = buffer;
        } else {
            return Ok(());
        }
        self.scanner.flush(desk.clock, desk.found);
        self.deliver(id, file, desk);
        Ok(())
    }
}

/// As many whole lines as fit, or one that does not.
fn slice_length(block: &[u8]) -> usize {
    if block.len() <= SLICE_BYTES {
        return block.len();
    }
    let fits = memchr::memrchr(b'\n', &block[..SLICE_BYTES]);
    let newline = fits.or_else(|| memchr::memchr(b'\n', block));
    newline.map_or(block.len(), |newline| newline + 1)
}
