//! A new epoch while messages wait: the machine was put back to an earlier state (a snapshot), and
//! numbers the journal would give out next were used before; or its id has changed (`owner`).
//!
//! What waits is written again under the new epoch, in order; what was acknowledged stays readable
//! under its own until it is no longer kept. The new segments count from the moment in which
//! `progress` says so: a kill before leaves the old epoch, a kill after the new one.

use std::fs::{self, File};
use std::io;

use muster_schemas::{HostId, Kind};
use tracing::warn;

use super::cursor::Cursor;
use super::progress::Progress;
use super::segment::{HEADER_BYTES, Record};
use super::{CHANNELS, Journal, Position, Segment, Ticket, is_full, segment_indexes};
use crate::logic::readdress::readdress;

impl Journal {
    /// Begins it and answers it. Copies all that waits: for a long outage that takes seconds. Where
    /// the disk has no room for both, the oldest is given up: a host that says nothing is worse.
    pub fn begin_epoch(&mut self, now_ms: i64) -> io::Result<i64> {
        self.begin(None, now_ms)
    }

    /// The same, under a new id of the host: what waits goes out under it.
    pub fn begin_epoch_as(&mut self, host: &HostId, now_ms: i64) -> io::Result<i64> {
        self.begin(Some(host), now_ms)
    }

    fn begin(&mut self, host: Option<&HostId>, now_ms: i64) -> io::Result<i64> {
        let mut given_up = 0;
        while let Err((error, missing)) = self.try_to_begin(host, now_ms) {
            let waiting = self.waiting;
            // What goes is not copied either: it makes room twice.
            if !is_full(&error) || !self.make_room(missing / 2)? {
                return Err(error);
            }
            given_up += waiting - self.waiting;
        }
        if given_up > 0 {
            self.tell(
                format!(
                    "the disk was full: {given_up} messages that were not sent were given up for a \
                     new epoch"
                ),
                now_ms,
            );
        }
        warn!(
            epoch = self.epoch,
            "a new epoch begins: {} messages are numbered anew", self.waiting
        );
        Ok(self.epoch)
    }

    /// Leaves everything as it was where it fails, and answers how many bytes were still to copy.
    fn try_to_begin(&mut self, host: Option<&HostId>, now_ms: i64) -> Result<(), (io::Error, u64)> {
        self.keep_island();
        let (epoch, next_seq, count) = (self.epoch, self.next_seq, self.segments.len());
        let durable = std::mem::replace(&mut self.options.durable, false);
        let copied = self.copy_waiting(host, now_ms.max(epoch + 1));
        self.options.durable = durable;
        let begun = copied.and_then(|waiting| self.finish_epoch(host, count, waiting));
        if let Err(error) = begun {
            let missing = self.bytes_to_copy(count);
            self.epoch = epoch;
            self.next_seq = next_seq;
            self.segments.truncate(count);
            let cleared = self.drop_unfinished();
            self.rewind();
            return Err((cleared.err().unwrap_or(error), missing));
        }
        for segment in self.segments.iter_mut().take(count) {
            segment.acknowledged_at.get_or_insert(now_ms);
        }
        self.staged_frame = self.next_seq[0];
        self.shown = [0; CHANNELS];
        Ok(())
    }

    /// What of the first `count` segments waits, less what the later ones have of it.
    fn bytes_to_copy(&self, count: usize) -> u64 {
        let waits = |segment: &&Segment| segment.end() > self.progress.position;
        let waiting: u64 = self.segments.iter().take(count).filter(waits).map(|s| s.bytes).sum();
        let copied: u64 = self.segments.iter().skip(count).map(|segment| segment.bytes).sum();
        waiting.saturating_sub(copied)
    }

    /// Writes what waits behind the end, as messages of `epoch` and `host`; answers how many.
    fn copy_waiting(&mut self, host: Option<&HostId>, epoch: i64) -> io::Result<i64> {
        let host = host.cloned().or_else(|| self.progress.owner.clone());
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
            let Some(payload) = readdress(&record.payload, host.as_ref(), epoch, *next) else {
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
    pub(super) fn is_settled_candidate(&self, ticket: &Ticket) -> bool {
        ticket.kind == Kind::Candidate && self.is_candidate_acknowledged(ticket)
    }

    /// From here on only the new segments are sent.
    fn finish_epoch(
        &mut self,
        host: Option<&HostId>,
        old_segments: usize,
        waiting: i64,
    ) -> io::Result<()> {
        let new: Vec<u64> = self.segments.iter().skip(old_segments).map(|s| s.index).collect();
        if self.options.durable {
            for index in &new {
                File::open(self.path(*index))?.sync_all()?;
            }
            File::open(&self.directory)?.sync_all()?;
        }
        let first = new.first().copied().unwrap_or_default();
        let position = Position { segment: first, offset: HEADER_BYTES };
        let mut begun = Progress { epoch: self.epoch, position, ..self.progress.of_owner() };
        if let Some(host) = host {
            begun.owner = Some(host.clone());
            begun.owned_since = self.epoch;
        }
        let before = std::mem::replace(&mut self.progress, begun);
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
        self.progress_is_stored = false;
        for index in segment_indexes(&self.directory)? {
            if index >= first {
                fs::remove_file(self.path(index))?;
            }
        }
        self.store_progress()
    }
}
