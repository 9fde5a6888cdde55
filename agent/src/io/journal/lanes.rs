//! In which order messages leave: one lane as a rule, two after an outage.
//!
//! The main lane sends everything in the order of writing. Where much is waiting, the journal is
//! split at its end: the main lane goes on with the backlog, as slowly as the sender wants, and
//! the lane ahead sends what is written from now on. What it acknowledges is an island beyond the
//! position up to which all was acknowledged; when the backlog reaches it, the lanes join. Only
//! then do its numbers count as acknowledged: what a heartbeat announces has no hole.
//!
//! Alert candidates are sent one at a time over all lanes, the oldest first, without waiting for
//! the backlog: a cursor of their own finds them.

use std::io;

use muster_schemas::Kind;
use tracing::warn;

use super::cursor::{Cursor, Found};
use super::progress::{ISLANDS_MAX, Island, Progress};
use super::segment::{Head, Record};
use super::{Journal, Outcome, Position, Ticket};

/// How many records are looked through for a candidate before others get their turn: some
/// milliseconds.
const LOOKED_THROUGH_MAX: usize = 2_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    Main,
    Ahead,
}

pub(super) struct Ahead {
    pub cursor: Cursor,
    pub under_way: usize,
    /// What it has acknowledged so far.
    pub island: Island,
}

impl Journal {
    /// Whether the lane ahead exists.
    pub fn is_split(&self) -> bool {
        self.ahead.is_some()
    }

    /// How many records the lane with the newest has not handed out.
    pub fn unsent(&self) -> i64 {
        self.unsent
    }

    /// Begins a lane ahead at the end of what is written. One that exists ends: what it has not
    /// acknowledged is backlog now.
    pub fn split(&mut self) {
        self.keep_island();
        let end = self.segments.back().map_or(self.progress.position, super::Segment::end);
        let cursor = Cursor::at(end);
        self.ahead = Some(Ahead { cursor, under_way: 0, island: Island::at(self.epoch, end) });
        self.unsent = 0;
    }

    pub(super) fn keep_island(&mut self) {
        self.progress = self.progress_with_ahead();
        self.ahead = None;
    }

    /// What is to be stored, the island in the making included.
    pub(super) fn progress_with_ahead(&self) -> Progress {
        let mut progress = self.progress.clone();
        let island = self.ahead.as_ref().map(|ahead| ahead.island);
        progress.islands.extend(island.filter(|island| !island.is_empty()));
        let excess = progress.islands.len().saturating_sub(ISLANDS_MAX);
        progress.islands.drain(..excess);
        progress
    }

    /// The next message of a lane; `None` when all of it are under way.
    pub fn next_to_send(&mut self, lane: Lane) -> io::Result<Option<(Ticket, Record)>> {
        let is_newest = self.is_split() == (lane == Lane::Ahead);
        let next = match lane {
            Lane::Main => self.next_of_main()?,
            Lane::Ahead => {
                let Some(ahead) = &mut self.ahead else { return Ok(None) };
                let next = ahead.cursor.next(&self.directory, &self.segments, Position::MAX)?;
                ahead.under_way += usize::from(next.is_some());
                next
            }
        };
        if is_newest {
            // What is damaged was counted and is not handed out: there is never less than nothing,
            // and nothing once the end is reached.
            self.unsent = if next.is_some() { (self.unsent - 1).max(0) } else { 0 };
        }
        Ok(next)
    }

    fn next_of_main(&mut self) -> io::Result<Option<(Ticket, Record)>> {
        loop {
            let bound = self.ahead.as_ref().map_or(Position::MAX, |ahead| ahead.island.from);
            let at = self.main.position();
            let island = self.progress.islands.iter().find(|island| island.to > at).copied();
            let until = island.map_or(bound, |island| island.from.min(bound));
            if let Some(next) = self.main.next(&self.directory, &self.segments, until)? {
                self.main_under_way += 1;
                return Ok(Some(next));
            }
            if let Some(island) = island {
                self.main.move_to(island.to);
                continue;
            }
            if self.is_split() && self.main_under_way == 0 {
                self.join();
            }
            return Ok(None);
        }
    }

    /// The backlog is through: what was acknowledged ahead counts, and there is one lane again.
    fn join(&mut self) {
        let Some(ahead) = self.ahead.take() else { return };
        self.absorb(Position::MAX);
        self.absorb_one(ahead.island);
        self.main = ahead.cursor;
        self.main_under_way = ahead.under_way;
    }

    /// The next alert candidate that is not known to be acknowledged.
    pub fn next_candidate(&mut self) -> io::Result<Found> {
        let (directory, segments) = (&self.directory, &self.segments);
        let wanted = |head: &Head| head.kind == Kind::Candidate;
        self.candidates.next_where(wanted, directory, segments, LOOKED_THROUGH_MAX)
    }

    /// Notes that this candidate and all before it were acknowledged.
    pub fn candidate_acknowledged(&mut self, ticket: &Ticket, outcome: Outcome) {
        if outcome == Outcome::Refused && ticket.epoch == self.epoch {
            self.progress.drop_messages(ticket.channel(), ticket.seq, ticket.seq);
        }
        self.progress.candidates = self.progress.candidates.max(ticket.end);
        self.progress_is_stored = false;
    }

    pub fn is_candidate_acknowledged(&self, ticket: &Ticket) -> bool {
        ticket.end <= self.progress.candidates
    }

    /// Notes that all messages of the lane up to `ticket`, itself included, were acknowledged.
    pub fn acknowledge(&mut self, lane: Lane, ticket: Ticket, outcome: Outcome, now_ms: i64) {
        match lane {
            Lane::Main => {
                self.main_under_way = self.main_under_way.saturating_sub(1);
                if ticket.end > self.progress.position {
                    self.settle(&ticket, outcome);
                    self.waiting = if self.is_through() { 0 } else { (self.waiting - 1).max(0) };
                    self.note_acknowledged_segments(now_ms);
                }
            }
            Lane::Ahead => self.acknowledge_ahead(ticket, outcome),
        }
        self.progress_is_stored = false;
    }

    /// Whether nothing waits: what was in segments that somebody removed does not, either.
    fn is_through(&self) -> bool {
        self.segments.back().is_none_or(|last| last.end() <= self.progress.position)
    }

    fn acknowledge_ahead(&mut self, ticket: Ticket, outcome: Outcome) {
        let Some(ahead) = &mut self.ahead else { return };
        ahead.under_way = ahead.under_way.saturating_sub(1);
        if ticket.end <= ahead.island.to {
            return;
        }
        ahead.island.add(ticket.channel(), ticket.seq, ticket.end);
        self.waiting = (self.waiting - 1).max(0);
        if outcome == Outcome::Refused && ticket.epoch == self.epoch {
            self.progress.drop_messages(ticket.channel(), ticket.seq, ticket.seq);
        }
    }

    /// Moves on to the end of `ticket`, which nothing before is waiting for.
    fn settle(&mut self, ticket: &Ticket, outcome: Outcome) {
        self.absorb(ticket.start);
        let before = self.progress.acked[ticket.channel()];
        self.account(ticket.epoch, ticket.channel(), ticket.seq, ticket.seq);
        let is_new = ticket.epoch == self.epoch && ticket.seq > before;
        if is_new && outcome == Outcome::Refused {
            self.progress.drop_messages(ticket.channel(), ticket.seq, ticket.seq);
        }
        self.progress.position = self.progress.position.max(ticket.end);
        self.absorb(ticket.end);
    }

    /// Numbers between the last acknowledged and `first` are in no record: they were lost to
    /// damage, and count as dropped.
    fn account(&mut self, epoch: i64, channel: usize, first: i64, last: i64) {
        let acked = self.progress.acked[channel];
        if epoch != self.epoch || last <= acked {
            return;
        }
        let lost = (first - acked - 1).max(0);
        if lost > 0 {
            warn!(messages = lost, "{lost} messages before number {first} are lost to damage");
            self.progress.drop_messages(channel, acked + 1, first - 1);
        }
        self.progress.acked[channel] = last;
    }

    fn absorb(&mut self, until: Position) {
        while let Some(island) = self.progress.islands.first().copied()
            && island.from <= until
        {
            self.progress.islands.remove(0);
            self.absorb_one(island);
        }
    }

    fn absorb_one(&mut self, island: Island) {
        for channel in 0..super::CHANNELS {
            if island.last[channel] > 0 {
                let (first, last) = (island.first[channel], island.last[channel]);
                self.account(island.epoch, channel, first, last);
            }
        }
        self.progress.position = self.progress.position.max(island.to);
    }

    pub(super) fn note_acknowledged_segments(&mut self, now_ms: i64) {
        let position = self.progress.position;
        // Called with each acknowledgement: those that are known to be are passed by.
        let known = self.segments.partition_point(|segment| segment.acknowledged_at.is_some());
        let segments = self.segments.iter_mut().skip(known);
        for segment in segments.take_while(|segment| segment.end() <= position) {
            segment.acknowledged_at = Some(now_ms);
        }
    }

    /// Whether the record between these was acknowledged ahead of others.
    pub(super) fn is_on_island(&self, end: Position) -> bool {
        let ahead = self.ahead.as_ref().map(|ahead| &ahead.island);
        self.progress.islands.iter().chain(ahead).any(|i| i.from < end && end <= i.to)
    }

    /// Starts sending again at the first message that was not acknowledged, in one lane.
    pub fn rewind(&mut self) {
        self.keep_island();
        self.main = Cursor::at(self.progress.position);
        self.main_under_way = 0;
        self.candidates = Cursor::at(self.progress.candidates.max(self.progress.position));
        self.unsent = self.waiting;
    }

    /// Counts what a segment that is about to go, the oldest, still had to send.
    pub(super) fn count_dropped(&mut self, index: u64) -> io::Result<()> {
        let after = Position { segment: index + 1, offset: 0 };
        let mut cursor = Cursor::at(self.progress.position);
        let mut count = 0;
        while let Some((ticket, _)) = cursor.next(&self.directory, &self.segments, after)? {
            if ticket.end <= self.progress.position {
                continue;
            }
            let was_acknowledged = self.is_on_island(ticket.end);
            let outcome = if was_acknowledged { Outcome::Stored } else { Outcome::Refused };
            self.settle(&ticket, outcome);
            count += i64::from(!was_acknowledged);
        }
        self.waiting = (self.waiting - count).max(0);
        self.unsent = self.unsent.min(self.waiting);
        self.leave(after);
        warn!(messages = count, "the journal is full: dropped {count} messages that were not sent");
        Ok(())
    }

    /// Nothing points before `position` any more.
    fn leave(&mut self, position: Position) {
        self.progress.position = self.progress.position.max(position);
        self.progress.islands.retain(|island| island.to > position);
        for cursor in [&mut self.main, &mut self.candidates] {
            let place = cursor.position().max(position);
            cursor.move_to(place);
        }
        if let Some(ahead) = &mut self.ahead {
            let place = ahead.cursor.position().max(position);
            ahead.cursor.move_to(place);
            ahead.island.from = ahead.island.from.max(position);
            ahead.island.to = ahead.island.to.max(position);
        }
        self.progress_is_stored = false;
    }
}
