//! The tap for the live tail: all lines while somebody looks, none else.
//!
//! A bounded buffer between the thread that reads and whoever publishes. When it is full, lines
//! are counted instead of read, so that a burst costs no more than its newlines.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use muster_schemas::logs::LogLine;

use super::watch::Waker;
use crate::logic::logs::{self, Clock};

/// More than a page of a browser shows; the publisher takes them every second or so.
const LINES_MAX: usize = 2000;

/// All of it becomes one message, which is 1 MiB at most: half, because what a line takes is an
/// estimate.
const BYTES_MAX: usize = 512 * 1024;

/// Share one between a follower and the publisher of `live.<host>.logs`.
#[derive(Clone, Default)]
pub struct LiveTap {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    open: AtomicBool,
    waker: OnceLock<Waker>,
    buffer: Mutex<Buffer>,
}

#[derive(Default)]
struct Buffer {
    lines: VecDeque<LogLine>,
    bytes: usize,
    dropped: i64,
    /// A line did not fit: none is taken before those that wait are.
    is_full: bool,
}

impl LiveTap {
    /// Opened, it shows lines from now on; closed, it forgets what was not taken.
    pub fn set_open(&self, open: bool) {
        let was_open = self.shared.open.swap(open, Ordering::Relaxed);
        if was_open == open {
            return;
        }
        *self.buffer() = Buffer::default();
        if let Some(waker) = self.shared.waker.get() {
            waker.wake();
        }
    }

    pub fn is_open(&self) -> bool {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// The lines since the last call, oldest first, and how many did not fit.
    pub fn take(&self) -> (Vec<LogLine>, i64) {
        let taken = std::mem::take(&mut *self.buffer());
        (taken.lines.into(), taken.dropped)
    }

    /// The follower's thread looks up when the tap is turned.
    pub(super) fn connect(&self, waker: Waker) {
        // A second follower on the same tap would only be woken later, by its own files.
        let _ = self.shared.waker.set(waker);
    }

    /// Takes all lines of a block.
    pub(super) fn offer(&self, block: &[u8], source: &str, clock: Clock) {
        let mut buffer = self.buffer();
        let mut rest = block;
        while !rest.is_empty() && !buffer.is_full {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
            let (line, after) = rest.split_at(end);
            rest = after;
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            buffer.push(logs::read_line(line, source, clock));
        }
        buffer.dropped += memchr::memchr_iter(b'\n', rest).count() as i64;
    }

    pub(super) fn offer_line(&self, line: &LogLine) {
        let mut buffer = self.buffer();
        if buffer.is_full {
            buffer.dropped += 1;
        } else {
            buffer.push(line.clone());
        }
    }

    /// Counts lines that are no news: a file that was far behind is catching up.
    pub(super) fn skip(&self, block: &[u8]) {
        self.buffer().dropped += memchr::memchr_iter(b'\n', block).count() as i64;
    }

    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.shared.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buffer {
    /// Takes a line, or counts it where it does not fit.
    fn push(&mut self, line: LogLine) {
        let bytes = super::outbox::size_of(&line);
        self.is_full = self.lines.len() >= LINES_MAX || self.bytes + bytes > BYTES_MAX;
        if self.is_full {
            self.dropped += 1;
        } else {
            self.bytes += bytes;
            self.lines.push_back(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use muster_schemas::codec::{MESSAGE_BYTES_MAX, encode};
    use muster_schemas::logs::LiveLogs;

    use super::*;

    /// A full buffer as the message it becomes.
    fn check(line: &str) {
        let tap = LiveTap::default();
        let clock = Clock { now_ms: 1, utc_offset_ms: 0 };
        let block = format!("{line}\n").repeat(3);
        for _ in 0..1000 {
            tap.offer(block.as_bytes(), "/var/log/x.log", clock);
        }
        let (lines, dropped) = tap.take();
        assert_eq!(lines.len() as i64 + dropped, 3000);
        let host = "web-3".parse().unwrap();
        let message = encode(&LiveLogs { v: 1, host, lines, dropped });
        assert!(message.len() <= MESSAGE_BYTES_MAX, "{} bytes", message.len());
        tap.offer(b"next\n", "/var/log/x.log", clock);
        assert_eq!(tap.take().0.len(), 1, "what was taken makes room");
    }

    #[test]
    fn a_full_buffer_fits_in_a_message_whatever_its_lines_are() {
        check("x");
        check(&"y".repeat(300));
        check(&"z".repeat(60_000));
        let members: Vec<String> =
            (0..32).map(|n| format!("\"{n}\":\"{}\"", "v".repeat(4000))).collect();
        check(&format!("{{\"msg\":\"m\",{}}}", members.join(",")));
    }
}
