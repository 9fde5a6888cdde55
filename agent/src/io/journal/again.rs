//! Reads again what was sent before, to repair a gap (`control.<host>.resend`).
//!
//! What was asked for is read from the files without holding the journal, so that samples are
//! written meanwhile. Messages that still wait are on their way anyway: they are found, and not
//! handed out.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;

use muster_schemas::Channel;

use super::cursor::{Cursor, Found};
use super::progress::Progress;
use super::segment::Head;
use super::{Journal, Position, Record, Segment, Ticket};

/// The messages of one request, to be taken one by one.
pub struct ReadAgain {
    /// How many the journal holds.
    pub found: i64,
    /// Ranges (first and last) that it does not.
    pub missing: Vec<(i64, i64)>,
    /// The first number that the epoch asked for never gave out, where that is known.
    pub next_seq: i64,
    channel: Channel,
    from: i64,
    to: i64,
    is_current: bool,
    directory: PathBuf,
    segments: VecDeque<Segment>,
    progress: Progress,
    cursor: Cursor,
}

impl Journal {
    /// The epochs of which there is something.
    pub fn epochs(&self) -> Vec<i64> {
        let epochs = self.segments.iter().map(|segment| segment.epoch);
        let mut epochs: Vec<i64> = epochs.filter(|epoch| self.is_own(*epoch)).collect();
        epochs.push(self.epoch);
        epochs.dedup();
        epochs
    }

    /// The segments that may hold what is asked for; the rest is up to [`ReadAgain::survey`].
    pub fn read_again(&self, channel: Channel, epoch: i64, from: i64, to: i64) -> ReadAgain {
        let index = usize::from(channel.index());
        let is_asked_for = |s: &&Segment| s.epoch == epoch && self.is_own(epoch);
        let mut segments: VecDeque<Segment> =
            self.segments.iter().filter(is_asked_for).cloned().collect();
        while segments.back().is_some_and(|last| last.first_seq[index] > to) {
            segments.pop_back();
        }
        while segments.get(1).is_some_and(|second| second.first_seq[index] <= from) {
            segments.pop_front();
        }
        ReadAgain {
            found: 0,
            missing: Vec::new(),
            next_seq: if epoch == self.epoch { self.next_seq[index] } else { i64::MAX },
            is_current: epoch == self.epoch,
            channel,
            from,
            to,
            directory: self.directory.clone(),
            segments,
            progress: self.progress_with_ahead(),
            cursor: Cursor::default(),
        }
    }
}

impl ReadAgain {
    /// Finds out what is there and what is not.
    pub fn survey(mut self) -> io::Result<Self> {
        let mut expected = self.from;
        while let Some((ticket, _)) = self.next_found()? {
            if ticket.seq > expected {
                self.missing.push((expected, ticket.seq - 1));
            }
            expected = ticket.seq + 1;
            self.found += 1;
            if expected > self.to {
                break;
            }
        }
        if expected <= self.to {
            self.missing.push((expected, self.to));
        }
        self.cursor = Cursor::default();
        Ok(self)
    }

    /// What was dropped of the channel in the epoch asked for, as first and last.
    pub fn dropped(&self) -> Vec<(i64, i64)> {
        let channel = usize::from(self.channel.index());
        let spans = self.progress.dropped_spans.iter().filter(|span| span.channel == channel);
        spans.filter(|_| self.is_current).map(|span| (span.from, span.to)).collect()
    }

    /// The next message that was acknowledged before.
    pub fn next_acknowledged(&mut self) -> io::Result<Option<(Ticket, Record)>> {
        while let Some((ticket, record)) = self.next_found()? {
            if self.was_acknowledged(ticket.end) {
                return Ok(Some((ticket, record)));
            }
        }
        Ok(None)
    }

    fn was_acknowledged(&self, end: Position) -> bool {
        let mut islands = self.progress.islands.iter();
        end <= self.progress.position || islands.any(|i| i.from < end && end <= i.to)
    }

    fn next_found(&mut self) -> io::Result<Option<(Ticket, Record)>> {
        let (channel, from, to) = (self.channel, self.from, self.to);
        let wanted =
            |head: &Head| head.kind.channel() == channel && (from..=to).contains(&head.seq);
        loop {
            let found = self.cursor.next_where(wanted, &self.directory, &self.segments, usize::MAX);
            match found {
                Ok(Found::Record(ticket, record)) => return Ok(Some((ticket, record))),
                Ok(_) => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    // Dropped meanwhile.
                    let gone = self.cursor.position().segment;
                    self.segments.retain(|segment| segment.index != gone);
                }
                Err(error) => return Err(error),
            }
        }
    }
}
