//! Whose journal it is: a state directory may come to another host with the image of a machine that
//! was cloned, or the machine's own id may have changed.
//!
//! Where it is the same machine (`/etc/machine-id`), what is unsent stays and goes out under the
//! new id, in an epoch of its own (`epochs`). Else it is the other host's, who has it still where
//! the machine was cloned, and is left to it: not sent as this host's, not counted as dropped,
//! because the numbers are none of this host's, but told. Positions in log files stay: the lines
//! before them are the other host's, too.
//!
//! The owner is stored with the progress, in one step with the beginning of the epoch: a kill in
//! between leaves the other's journal. A journal that does not name its owner has messages that do.

use std::io;
use std::path::Path;

use muster_schemas::{ContentType, Envelope, HostId, codec};
use serde::de::IgnoredAny;
use tracing::warn;

use super::cursor::Cursor;
use super::progress::{self, Progress};
use super::segment::HEADER_BYTES;
use super::{CHANNELS, Journal, Position, Segment, is_full};

/// What came of claiming a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It is the host's, if only from now on.
    Own,
    /// This machine wrote it under another id: an epoch is to begin under the new one
    /// ([`Journal::begin_epoch_as`]). Until then it is still the old one's.
    RenamedFrom(HostId),
}

/// Who wrote the journal in `directory`, if it was on this machine.
pub fn last_owner(directory: &Path, machine: &str) -> Option<HostId> {
    let progress = progress::load(directory);
    progress.owner.filter(|_| progress.machine.as_deref() == Some(machine))
}

impl Journal {
    /// Makes it the journal of `host` on `machine`. Samples that wait for a frame of another
    /// machine are removed.
    pub fn claim(
        &mut self,
        host: &HostId,
        machine: Option<&str>,
        now_ms: i64,
    ) -> io::Result<Claim> {
        let owner = match &self.progress.owner {
            Some(owner) => Some(owner.clone()),
            None => self.owner_by_messages()?,
        };
        let is_same_machine = machine.is_some() && self.progress.machine.as_deref() == machine;
        match owner.filter(|owner| owner != host) {
            Some(owner) if is_same_machine => {
                warn!("this machine was host {owner} and is {host} now: what is unsent goes along");
                return Ok(Claim::RenamedFrom(owner));
            }
            Some(owner) => self.leave_to(&owner, host, machine, now_ms)?,
            None => self.sign(host, machine)?,
        }
        Ok(Claim::Own)
    }

    /// Writes down who has it, where that is not written yet.
    fn sign(&mut self, host: &HostId, machine: Option<&str>) -> io::Result<()> {
        let has_moved = machine.is_some() && self.progress.machine.as_deref() != machine;
        if self.progress.owner.is_some() && !has_moved {
            return Ok(());
        }
        self.progress.owner = Some(host.clone());
        if has_moved {
            self.progress.machine = machine.map(str::to_owned);
        }
        self.progress_is_stored = false;
        // On a full disk it is written later: that is no reason not to start.
        match self.store_progress() {
            Err(error) if !is_full(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// The host that the newest message names: older ones of the same segment may be another's.
    fn owner_by_messages(&self) -> io::Result<Option<HostId>> {
        for segment in self.segments.iter().rev() {
            let mut cursor = Cursor::at(Position { segment: segment.index, offset: HEADER_BYTES });
            let mut newest = None;
            while let Some((_, record)) =
                cursor.next(&self.directory, &self.segments, segment.end())?
            {
                newest = Some(record);
            }
            let Some(record) = newest else { continue };
            let read = codec::decode::<Envelope<IgnoredAny>>(ContentType::Msgpack, &record.payload);
            return Ok(read.ok().map(|envelope| envelope.host));
        }
        Ok(None)
    }

    /// Begins an epoch behind all that is written. On a full disk what the other has left makes
    /// room for it.
    fn leave_to(
        &mut self,
        owner: &HostId,
        host: &HostId,
        machine: Option<&str>,
        now_ms: i64,
    ) -> io::Result<()> {
        let messages = self.count_unsent()?;
        self.staging().clear()?;
        while let Err(error) = self.begin_own(host, machine, now_ms) {
            if !is_full(&error) || !self.make_room(1)? {
                return Err(error);
            }
        }
        self.waiting = 0;
        self.rewind();
        // They go as soon as their notes are kept elsewhere: nobody asks this host for them.
        let newest = self.segments.len().saturating_sub(1);
        for segment in self.segments.iter_mut().take(newest) {
            segment.acknowledged_at = Some(i64::MIN);
        }
        let text = format!(
            "the journal was written by host {owner} on another machine: {messages} messages that \
             it had not sent are left to it"
        );
        warn!(epoch = self.epoch, "{text}; {host} begins a new epoch");
        self.tell(text, now_ms);
        Ok(())
    }

    /// Begins an empty epoch of `host`, or leaves everything as it was.
    fn begin_own(&mut self, host: &HostId, machine: Option<&str>, now_ms: i64) -> io::Result<()> {
        let (epoch, next_seq, count) = (self.epoch, self.next_seq, self.segments.len());
        self.epoch = now_ms.max(self.epoch.max(self.progress.epoch) + 1);
        self.next_seq = [1; CHANNELS];
        let begun = self.start_segment().and_then(|()| self.store_own(host, machine));
        if begun.is_err() {
            self.epoch = epoch;
            self.next_seq = next_seq;
            for segment in self.segments.drain(count..) {
                // A segment without records is removed at the next start, too.
                std::fs::remove_file(self.directory.join(super::file_name(segment.index))).ok();
            }
            return begun;
        }
        self.shown = [0; CHANNELS];
        self.staged_frame = 1;
        Ok(())
    }

    fn store_own(&mut self, host: &HostId, machine: Option<&str>) -> io::Result<()> {
        let index = self.segments.back().map_or(0, |new| new.index);
        let own = Progress {
            epoch: self.epoch,
            position: Position { segment: index, offset: HEADER_BYTES },
            owner: Some(host.clone()),
            owned_since: self.epoch,
            machine: machine.map(str::to_owned),
            ..Progress::default()
        };
        let before = std::mem::replace(&mut self.progress, own);
        let stored = self.store_progress();
        if stored.is_err() {
            self.progress = before;
        }
        stored
    }

    /// How many messages wait; samples that wait for a frame are one.
    fn count_unsent(&self) -> io::Result<i64> {
        let until = self.segments.back().map_or(Position::default(), Segment::end);
        let mut cursor = Cursor::at(self.progress.position);
        let mut unsent = i64::from(self.staging().has_samples()?);
        while let Some((ticket, _)) = cursor.next(&self.directory, &self.segments, until)? {
            if !self.is_on_island(ticket.end) && !self.is_settled_candidate(&ticket) {
                unsent += 1;
            }
        }
        Ok(unsent)
    }

    /// Whether messages of this epoch are of the host whose journal it is.
    pub(super) fn is_own(&self, epoch: i64) -> bool {
        epoch >= self.progress.owned_since
    }
}
