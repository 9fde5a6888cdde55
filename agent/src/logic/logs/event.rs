//! An event that may still grow: a line that matters and the stack trace that follows it.
//!
//! Grows by indented lines, by the links of traces (`Caused by:`), by what Python, Go and Rust
//! write after them and by PostgreSQL's `DETAIL:` and its like. A line with a time or a level of
//! its own begins something new. Bounded in bytes, in lines kept and in lines taken.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use muster_schemas::logs::{LogLine, MESSAGE_BYTES_MAX, Severity};

use super::reading::{self, Reading};
use super::shape::{self, Shape};
use super::{Clock, Found, head, jul, text};

/// The longest traces that frameworks write have about this many frames; more tell no more.
const LINES_KEPT_MAX: u32 = 200;
/// What follows an event for longer than this is no trace: the event is closed, so that a kill
/// never costs reading much again.
const LINES_TAKEN_MAX: u32 = 5_000;
const SPAN_BYTES_MAX: u64 = 1 << 20;

pub(super) struct Pending {
    line: LogLine,
    text: Vec<u8>,
    left_out_bytes: u64,
    lines: u32,
    pub start: u64,
    end: u64,
    /// A trace under a line that did not matter: it grows as others do, and is dropped.
    muted: bool,
    /// The next line has the level (`jul.rs`); how bad it has to be.
    level_due: Option<Severity>,
    trace: Trace,
}

/// How far the event's trace has come.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each of one kind of trace")]
struct Trace {
    /// The first line has a time, a level or a wrapper: an exception below belongs to it.
    headed: bool,
    wrapped: bool,
    /// An exception or a traceback is part of the event.
    begun: bool,
    /// Python's traceback waits for its last line, which is not indented.
    python_open: bool,
    /// A link announced another trace.
    chained: bool,
    go: bool,
    /// Rust writes the panic's text on the line after its place.
    rust_text_due: bool,
    blank: bool,
}

impl Pending {
    pub(super) fn new(line: LogLine, first: &Reading<'_>, span: (u64, u64), muted: bool) -> Self {
        let shape = shape::of(&first.message);
        let python_open = shape == Shape::Traceback;
        let message = &*first.message;
        let trace = Trace {
            headed: first.begins || first.wrapped,
            wrapped: first.wrapped,
            begun: python_open || shape == Shape::Exception,
            python_open,
            rust_text_due: message.ends_with(b":")
                && memchr::memmem::find(message, b" panicked at ").is_some(),
            ..Trace::default()
        };
        let (start, end) = span;
        let (text, level_due) = (Vec::new(), None);
        let mut pending =
            Self { line, text, left_out_bytes: 0, lines: 1, start, end, muted, level_due, trace };
        pending.keep(message);
        pending
    }

    /// Whether it matters is said by the level on its next line.
    pub(super) fn await_level(&mut self, least: Severity) {
        self.level_due = Some(least);
    }

    pub(super) fn leave_out(&mut self, bytes: u64) {
        self.left_out_bytes += bytes;
    }

    /// Whether the line is a part of this event; it is then taken.
    pub(super) fn takes(&mut self, line: &[u8], end: u64, clock: Clock) -> bool {
        if self.lines >= LINES_TAKEN_MAX || end - self.start > SPAN_BYTES_MAX {
            return false;
        }
        let unwrapped = self.trace.wrapped.then(|| reading::read(line, clock));
        let text = unwrapped.as_ref().map_or(line, |reading| &*reading.message);
        if let Some(reading) = &unwrapped
            && reading
                .application
                .as_deref()
                .is_some_and(|name| name != self.line.application.as_bytes())
        {
            return false;
        }
        if let Some(least) = self.level_due.take() {
            let level = jul::level(text);
            self.line.severity = level.unwrap_or(self.line.severity);
            self.muted = self.line.severity > least;
            if level.is_some() {
                self.append(text, end);
                return true;
            }
        }
        let begins = || match &unwrapped {
            Some(reading) => reading.begins,
            None => begins(line, clock),
        };
        if shape::of(text) == Shape::Blank {
            return !std::mem::replace(&mut self.trace.blank, true);
        }
        let detail = || match &unwrapped {
            Some(reading) => reading.detail,
            None => is_detail(line, clock),
        };
        if !self.trace.goes_on(text, begins) && !detail() {
            return false;
        }
        self.append(text, end);
        true
    }

    fn append(&mut self, text: &[u8], end: u64) {
        self.lines += 1;
        // A piece that was given up ends before what was taken meanwhile.
        self.end = self.end.max(end);
        self.trace.blank = false;
        let room = MESSAGE_BYTES_MAX.saturating_sub(self.text.len() + 1);
        if self.lines > LINES_KEPT_MAX || room == 0 {
            self.left_out_bytes += text.len() as u64 + 1;
            return;
        }
        self.text.push(b'\n');
        self.keep(text);
    }

    fn keep(&mut self, text: &[u8]) {
        if self.muted {
            return;
        }
        let room = MESSAGE_BYTES_MAX - self.text.len();
        let (kept, left_out) = text.split_at(text.len().min(room));
        self.text.extend_from_slice(kept);
        self.left_out_bytes += left_out.len() as u64;
    }

    /// The event as it is now; none for one that does not matter.
    pub(super) fn finish(self) -> Option<Found> {
        if self.muted || self.level_due.is_some_and(|least| self.line.severity > least) {
            return None;
        }
        let clean = text::clean(&self.text, MESSAGE_BYTES_MAX);
        let mut line = self.line;
        line.message = clean.text;
        line.truncated_bytes =
            i64::try_from(self.left_out_bytes + clean.cut_bytes as u64).unwrap_or(i64::MAX);
        Some(Found { line, start: self.start, end: self.end })
    }
}

impl Trace {
    fn goes_on(&mut self, text: &[u8], begins: impl Fn() -> bool) -> bool {
        let rust_text_due = std::mem::take(&mut self.rust_text_due);
        match shape::of(text) {
            Shape::Blank => false,
            Shape::Frame => true,
            Shape::Link => {
                self.chained = true;
                true
            }
            Shape::Indented => !begins(),
            Shape::Traceback => self.open_traceback(),
            Shape::Exception if self.python_open => {
                self.python_open = false;
                true
            }
            Shape::Exception => self.headed && !std::mem::replace(&mut self.begun, true),
            Shape::Goroutine => {
                self.go = true;
                true
            }
            Shape::Call if self.go => true,
            Shape::Call | Shape::Other => {
                let due = std::mem::take(&mut self.python_open) || rust_text_due;
                due && !begins()
            }
        }
    }

    fn open_traceback(&mut self) -> bool {
        let belongs = self.chained || (self.headed && !self.begun);
        self.chained = false;
        self.begun = true;
        self.python_open = belongs;
        belongs
    }
}

fn begins(line: &[u8], clock: Clock) -> bool {
    let head = head::read(line, clock);
    head.stamped || head.level.is_some()
}

/// PostgreSQL puts two spaces behind these words: a cheap sign that it is worth a look.
fn is_detail(line: &[u8], clock: Clock) -> bool {
    const PREFIX_BYTES_MAX: usize = 256;
    static SIGN: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b":  "));
    let prefix = &line[..line.len().min(PREFIX_BYTES_MAX)];
    SIGN.find(prefix).is_some() && head::read(line, clock).detail
}
