//! A new epoch at run time: the machine was put back to an earlier state (a snapshot), and numbers
//! the journal would give out next were used before.
//!
//! What waits is written again under the new epoch, in order; what was acknowledged stays readable
//! under its own until it is no longer kept. The new segments count from the moment in which
//! `progress` says so: a kill before leaves the old epoch, a kill after the new one.

use std::fs::{self, File};
use std::io;

use muster_schemas::Kind;
use tracing::warn;

use super::cursor::Cursor;
use super::progress::Progress;
use super::segment::{HEADER_BYTES, Record};
use super::{CHANNELS, Journal, Position, Segment, Ticket, segment_indexes};
use crate::logic::readdress::readdress;

impl Journal {
    /// Begins it and answers it. Copies all that waits: for a long outage that takes seconds.
    pub fn begin_epoch(&mut self, now_ms: i64) -> io::Result<i64> {
        self.keep_island();
        let (epoch, next_seq, count) = (self.epoch, self.next_seq, self.segments.len());
        let durable = std::mem::replace(&mut self.options.durable, false);
        let copied = self.copy_waiting(now_ms.max(epoch + 1));
        self.options.durable = durable;
        let begun = copied.and_then(|waiting| self.finish_epoch(count, waiting));
        if let Err(error) = begun {
            self.epoch = epoch;
            self.next_seq = next_seq;
            self.segments.truncate(count);
            self.drop_unfinished()?;
            self.rewind();
            return Err(error);
        }
        for segment in self.segments.iter_mut().take(count) {
            segment.acknowledged_at.get_or_insert(now_ms);
        }
        self.staged_frame = self.next_seq[0];
        warn!(
            epoch = self.epoch,
            "a new epoch begins: {} messages are numbered anew", self.waiting
        );
        Ok(self.epoch)
    }

    /// Writes what waits behind the end, as messages of `epoch`; answers how many.
    fn copy_waiting(&mut self, epoch: i64) -> io::Result<i64> {
        let until = self.segments.back().map_or(Position::MAX, Segment::end);
        let mut cursor = Cursor::at(self.progress.position);
        self.epoch = epoch;
        self.next_seq = [1; CHANNELS];
        let newest = self.segments.back().map_or(0, |last| last.index);
        self.progress.unfinished = Some(newest.max(self.progress.position.segment) + 1);
        self.store_progress()?;
        self.start_segment()?;
        let mut copied = 0;
        while let Some((ticket, record)) = cursor.next(&self.directory, &self.segments, until)? {
            if self.is_on_island(ticket.end) || self.is_settled_candidate(&ticket) {
                continue;
            }
            let next = &mut self.next_seq[ticket.channel()];
            let Some(payload) = readdress(&record.payload, epoch, *next) else {
                warn!("message {} of epoch {} cannot be read", ticket.seq, ticket.epoch);
                continue;
            };
            // Its note is where it was: a copy would be newer by its number than what came after
            // it, and put positions back.
            let record = Record { seq: *next, note: Vec::new(), payload, ..record };
            *next += 1;
            self.write(&record)?;
            copied += 1;
        }
        Ok(copied)
    }

    /// Candidates overtake the rest: where they have come to says nothing about other messages.
    fn is_settled_candidate(&self, ticket: &Ticket) -> bool {
        ticket.kind == Kind::Candidate && self.is_candidate_acknowledged(ticket)
    }

    /// From here on only the new segments are sent.
    fn finish_epoch(&mut self, old_segments: usize, waiting: i64) -> io::Result<()> {
        let new: Vec<u64> = self.segments.iter().skip(old_segments).map(|s| s.index).collect();
        if self.options.durable {
            for index in &new {
                File::open(self.path(*index))?.sync_all()?;
            }
            File::open(&self.directory)?.sync_all()?;
        }
        let first = new.first().copied().unwrap_or_default();
        let position = Position { segment: first, offset: HEADER_BYTES };
        let before = std::mem::replace(
            &mut self.progress,
            Progress { epoch: self.epoch, position, ..Progress::default() },
        );
        if let Err(error) = self.store_progress() {
            self.progress = before;
            return Err(error);
        }
        self.waiting = waiting;
        self.rewind();
        Ok(())
    }

    /// Removes the segments of an epoch that was not finished.
    pub(super) fn drop_unfinished(&mut self) -> io::Result<()> {
        let Some(first) = self.progress.unfinished.take() else { return Ok(()) };
        for index in segment_indexes(&self.directory)? {
            if index >= first {
                fs::remove_file(self.path(index))?;
            }
        }
        self.store_progress()
    }
}
