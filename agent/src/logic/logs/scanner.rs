//! Follows the lines of one file or journal and finds the events that matter.
//!
//! The bulk search (`search.rs`) and a look at each line's first bytes (`wordless.rs`) leave a few
//! candidates; only they are read. While an event may still grow, each line is asked whether it
//! is a part of it. Indented lines without a time or a level belong to what came before, so that
//! the stack trace of a line that does not matter is not taken for an error; an exception directly
//! below a warning belongs to the warning.
//!
//! The pieces of a line that a container runtime has cut are joined (`partial.rs`). What is found
//! meanwhile waits, because a position in the file can only say that all before it was found. It
//! waits for a bounded time, distance and size; then the line without an end is taken as it is.
//!
//! What is found depends on the bytes only, not on how they were cut into blocks. Called by the
//! io that follows files.

use muster_schemas::logs::{LogLine, Severity};

use super::event::Pending;
use super::partial::{Joined, Partial, Partials};
use super::reading::{self, Reading};
use super::search::{self, PIECE_BYTES, Search};
use super::shape::{self, Shape};
use super::{Clock, application, head, jul, text, time, wordless};

/// Enough of a line to read its level.
const PREVIOUS_BYTES: usize = 256;

/// How much may wait for a line of the other stream to end: it is in memory, in each of hundreds
/// of files that are open. As much as one frame of the journal takes.
const HELD_BYTES_MAX: usize = 256 * 1024;

/// An event that matters, and where in the file it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub line: LogLine,
    pub start: u64,
    /// Behind its last byte, or before it where something that began earlier comes later: all
    /// before `end` was found once this one is delivered.
    pub end: u64,
}

/// One file's (or journal's) lines over time.
pub struct Scanner {
    source: String,
    application: String,
    least: Severity,
    search: &'static Search,
    /// The event that may still grow.
    pending: Option<Box<Pending>>,
    partials: Partials,
    /// Complete, but something that began before their end is not.
    held: Vec<Found>,
    held_bytes: usize,
    lines: u64,
    /// Nothing came before the next line: even an indented one begins something.
    fresh: bool,
    /// How the last line of the block before begins.
    previous: Vec<u8>,
}

/// A line in its place.
#[derive(Clone, Copy)]
struct Place<'a> {
    line: &'a [u8],
    previous: &'a [u8],
    start: u64,
    end: u64,
    /// How many bytes of it the reader left out.
    cut_bytes: u64,
}

impl Scanner {
    /// Reports the lines of a file that are at least as bad as `least`.
    pub fn new(source: &str, least: Severity) -> Self {
        Self {
            source: text::clean(source.as_bytes(), text::SOURCE_BYTES_MAX).text,
            application: application::from_path(source),
            least,
            search: Search::for_least(least),
            pending: None,
            partials: Partials::default(),
            held: Vec::new(),
            held_bytes: 0,
            lines: 0,
            fresh: true,
            previous: Vec::new(),
        }
    }

    /// Takes whole lines that begin at `offset` of the file; only the file's last may lack its end.
    pub fn feed(&mut self, block: &[u8], offset: u64, clock: Clock, found: &mut Vec<Found>) {
        self.fresh &= offset == 0;
        let mut folded = [0; PIECE_BYTES];
        let previous = std::mem::take(&mut self.previous);
        let mut last: &[u8] = &previous;
        let mut at = 0;
        while at < block.len() {
            let end = piece_end(block, at);
            let piece = &block[at..end];
            last = self.feed_piece(piece, last, offset + at as u64, clock, &mut folded, found);
            at = end;
        }
        let last = &last[..last.len().min(PREVIOUS_BYTES)];
        self.previous = if last.as_ptr() == previous.as_ptr() { previous } else { last.to_vec() };
        let old = self.partials.give_up_old(clock.now_ms);
        self.take_given_up(&old, clock, found);
    }

    /// Takes the head of a line that was longer than the reader's limit.
    pub fn feed_cut(
        &mut self,
        head: &[u8],
        cut_bytes: u64,
        offset: u64,
        end: u64,
        clock: Clock,
        found: &mut Vec<Found>,
    ) {
        self.fresh &= offset == 0;
        self.lines += 1;
        let mut folded = [0; PIECE_BYTES];
        let head = &head[..head.len().min(PIECE_BYTES)];
        let matters = self.matters(head, search::fold(head, &mut folded));
        let previous = std::mem::take(&mut self.previous);
        let place = Place { line: head, previous: &previous, start: offset, end, cut_bytes };
        self.take(place, matters, clock, found);
        self.previous = head[..head.len().min(PREVIOUS_BYTES)].to_vec();
        self.bound_waiting(end, clock, found);
        let old = self.partials.give_up_old(clock.now_ms);
        self.take_given_up(&old, clock, found);
    }

    /// Nothing came for a while, or the file ends: what waits is complete.
    pub fn flush(&mut self, clock: Clock, found: &mut Vec<Found>) {
        let given = self.partials.give_up();
        self.take_given_up(&given, clock, found);
        self.complete();
        self.release(found);
    }

    /// Where what is not complete began: from there is read again after a kill.
    pub fn pending_from(&self) -> Option<u64> {
        let held = self.held.iter().map(|found| found.start).min();
        held.into_iter().chain(self.open_from()).min()
    }

    fn open_from(&self) -> Option<u64> {
        let pending = self.pending.as_ref().map(|pending| pending.start);
        pending.into_iter().chain(self.partials.start()).min()
    }

    /// How many lines were seen.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Takes the lines of a piece and gives its last one.
    fn feed_piece<'a>(
        &mut self,
        piece: &'a [u8],
        mut previous: &'a [u8],
        offset: u64,
        clock: Clock,
        folded: &mut [u8; PIECE_BYTES],
        found: &mut Vec<Found>,
    ) -> &'a [u8] {
        let folded = search::fold(piece, folded);
        let mut next_hit = self.search.next(folded, 0);
        let mut start = 0;
        let mut ends = memchr::memchr_iter(b'\n', piece).map(|at| at + 1);
        while start < piece.len() {
            let end = ends.next().unwrap_or(piece.len());
            let line = &piece[start..end];
            let hit = next_hit < end.min(folded.len());
            if hit {
                next_hit = self.search.next(folded, end.min(folded.len()));
            }
            self.lines += 1;
            let matters =
                hit || self.least == Severity::Info || wordless::may_be_bad(line, self.least);
            let span = (offset + start as u64, offset + end as u64);
            match self.partials.take(line, span.0, span.1, clock.now_ms) {
                Joined::Not if matters || self.pending.is_some() => {
                    let (start, end) = span;
                    let place = Place { line, previous, start, end, cut_bytes: 0 };
                    self.take(place, matters, clock, found);
                }
                Joined::Not | Joined::Begun => {}
                Joined::Whole(partial) => self.take_joined(&partial, clock, found),
            }
            if self.partials.is_open() {
                self.bound_waiting(span.1, clock, found);
            }
            self.fresh = false;
            previous = line;
            start = end;
        }
        previous
    }

    fn matters(&self, line: &[u8], folded: &[u8]) -> bool {
        self.search.next(folded, 0) < folded.len()
            || self.least == Severity::Info
            || wordless::may_be_bad(line, self.least)
    }

    /// A line whose pieces were joined.
    fn take_joined(&mut self, partial: &Partial, clock: Clock, found: &mut Vec<Found>) {
        let mut folded = [0; PIECE_BYTES];
        let line = &*partial.text;
        let matters = self.matters(line, search::fold(line, &mut folded));
        let (start, end, cut_bytes) = (partial.start, partial.end, partial.cut_bytes);
        self.take(Place { line, previous: b"", start, end, cut_bytes }, matters, clock, found);
    }

    /// Gives up what is waited for across too many bytes, of the file or of what was found.
    fn bound_waiting(&mut self, end: u64, clock: Clock, found: &mut Vec<Found>) {
        let is_full = self.held_bytes > HELD_BYTES_MAX;
        let given = if is_full { self.partials.give_up() } else { self.partials.give_up_long(end) };
        self.take_given_up(&given, clock, found);
    }

    /// Lines whose ends did not come. What follows belongs to others: they are complete.
    fn take_given_up(&mut self, given: &[Partial], clock: Clock, found: &mut Vec<Found>) {
        for partial in given {
            // It is no part of what began after it.
            if self.pending.as_ref().is_some_and(|pending| pending.start > partial.start) {
                self.complete();
            }
            self.take_joined(partial, clock, found);
            self.complete();
            self.release(found);
        }
    }

    /// A line that may matter, or may be a part of what waits.
    fn take(&mut self, place: Place<'_>, matters: bool, clock: Clock, found: &mut Vec<Found>) {
        let (head, rest) = place.line.split_at(place.line.len().min(PIECE_BYTES));
        let left_out = place.cut_bytes + rest.strip_suffix(b"\n").unwrap_or(rest).len() as u64;
        let shown = text::visible(head);
        if let Some(pending) = &mut self.pending {
            if pending.takes(&shown, place.end, clock) {
                pending.leave_out(left_out);
                return;
            }
            self.complete();
        }
        if matters && let Some(mut pending) = self.begin(&shown, place, clock) {
            pending.leave_out(left_out);
            self.pending = Some(Box::new(pending));
        }
        self.release(found);
    }

    fn complete(&mut self) {
        let complete = self.pending.take().and_then(|pending| pending.finish());
        self.held_bytes += complete.as_ref().map_or(0, size);
        self.held.extend(complete);
    }

    /// Gives what is complete, unless a kill would then cost what is not, or say it twice.
    fn release(&mut self, found: &mut Vec<Found>) {
        if self.held.is_empty() {
            return;
        }
        let open_from = self.open_from().unwrap_or(u64::MAX);
        if self.held.iter().any(|found| found.end > open_from) {
            return;
        }
        let behind_all = self.held.iter().map(|found| found.end).max();
        // One that was given up ends before what it held up.
        if let Some((last, end)) = self.held.last_mut().zip(behind_all) {
            last.end = end;
        }
        // Where two overlap, the position behind the first must not be past the second.
        let mut after = u64::MAX;
        for found in self.held.iter_mut().rev() {
            found.end = found.end.min(after);
            after = after.min(found.start);
        }
        found.append(&mut self.held);
        self.held_bytes = 0;
    }

    /// The event that begins with this line, where it matters.
    fn begin(&self, shown: &[u8], place: Place<'_>, clock: Clock) -> Option<Pending> {
        let reading = reading::read(shown, clock);
        let shape = shape::of(&reading.message);
        let goes_on = match shape {
            Shape::Blank | Shape::Frame | Shape::Link => true,
            Shape::Indented => !self.fresh && !reading.begins,
            _ => reading.detail,
        };
        if goes_on {
            return None;
        }
        let severity = reading.severity();
        let awaits_level = jul::is_header(&reading.message, clock);
        if severity > self.least && !awaits_level {
            return None;
        }
        let muted = matches!(shape, Shape::Exception | Shape::Traceback)
            && !reading.begins
            && severity < Severity::Warn
            && is_warning(place.previous, clock);
        let line = line_of(&reading, severity, &self.source, &self.application, clock);
        let mut pending = Pending::new(line, &reading, (place.start, place.end), muted);
        if awaits_level {
            pending.await_level(self.least);
        }
        Some(pending)
    }
}

/// What an event takes in memory.
fn size(found: &Found) -> usize {
    let line = &found.line;
    let fields: usize = line.fields.iter().map(|(name, value)| name.len() + value.len()).sum();
    size_of::<Found>() + line.message.len() + line.source.len() + line.application.len() + fields
}

/// Whether the line before carries the level of a warning, which an exception below belongs to.
fn is_warning(previous: &[u8], clock: Clock) -> bool {
    let shown = text::visible(&previous[..previous.len().min(PREVIOUS_BYTES)]);
    head::read(&shown, clock).level == Some(Severity::Warn)
}

/// What is found, without its message.
pub(super) fn line_of(
    reading: &Reading<'_>,
    severity: Severity,
    source: &str,
    application: &str,
    clock: Clock,
) -> LogLine {
    let named = reading.application.as_deref().filter(|name| !name.is_empty());
    LogLine {
        at: reading.at.filter(|&at| time::is_plausible(at, clock)).unwrap_or(clock.now_ms),
        severity,
        application: named.map_or_else(
            || application.to_owned(),
            |name| text::clean(name, application::NAME_BYTES_MAX).text,
        ),
        source: source.to_owned(),
        fields: reading.fields.clone(),
        ..LogLine::default()
    }
}

/// The end of the whole lines that fit into one piece, or of one line that does not fit.
fn piece_end(block: &[u8], at: usize) -> usize {
    let Some(piece) = block.get(at..at + PIECE_BYTES) else { return block.len() };
    if let Some(last) = memchr::memrchr(b'\n', piece) {
        return at + last + 1;
    }
    let rest = &block[at + PIECE_BYTES..];
    memchr::memchr(b'\n', rest).map_or(block.len(), |end| at + PIECE_BYTES + end + 1)
}
