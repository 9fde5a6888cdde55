//! Follows the lines of one file or journal and finds the events that matter.
//!
//! The bulk search (`search.rs`) and a look at each line's first bytes (`wordless.rs`) leave a few
//! candidates; only they are read. While an event may still grow, each line is asked whether it
//! is a part of it. Indented lines without a time or a level belong to what came before, so that
//! the stack trace of a line that does not matter is not taken for an error; an exception directly
//! below a warning belongs to the warning.
//!
//! What is found depends on the bytes only, not on how they were cut into blocks. Called by the
//! io that follows files.

use muster_schemas::logs::{LogLine, Severity};

use super::event::Pending;
use super::reading::{self, Reading};
use super::search::{self, PIECE_BYTES, Search};
use super::shape::{self, Shape};
use super::{Clock, application, head, text, time, wordless};

/// Enough of a line to read its level.
const PREVIOUS_BYTES: usize = 256;

/// An event that matters, and where in the file it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub line: LogLine,
    pub start: u64,
    /// Behind its last byte.
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
    }

    /// Nothing came for a while, or the file ends: what waits is complete.
    pub fn flush(&mut self, _clock: Clock, found: &mut Vec<Found>) {
        found.extend(self.pending.take().and_then(|pending| pending.finish()));
    }

    /// Where the event that is not complete began: from there is read again after a kill.
    pub fn pending_from(&self) -> Option<u64> {
        self.pending.as_ref().map(|pending| pending.start)
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
            if matters || self.pending.is_some() {
                let (start, end) = (offset + start as u64, offset + end as u64);
                let place = Place { line, previous, start, end, cut_bytes: 0 };
                self.take(place, matters, clock, found);
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
            found.extend(self.pending.take().and_then(|pending| pending.finish()));
        }
        if matters && let Some(mut pending) = self.begin(&shown, place, clock) {
            pending.leave_out(left_out);
            self.pending = Some(Box::new(pending));
        }
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
        if severity > self.least {
            return None;
        }
        let muted = matches!(shape, Shape::Exception | Shape::Traceback)
            && !reading.begins
            && severity < Severity::Warn
            && is_warning(place.previous, clock);
        let line = line_of(&reading, severity, &self.source, &self.application, clock);
        Some(Pending::new(line, &reading, (place.start, place.end), muted))
    }
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
