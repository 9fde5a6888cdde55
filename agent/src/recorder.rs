//! Turns samples into frames and heartbeats into messages, and keeps both until the bus has them.
//!
//! One for each host: the agent has one, a simulation has many.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use anyhow::{Context, Result};
use muster_schemas::codec::encode;
use muster_schemas::logs::LogFrame;
use muster_schemas::signals::{ChannelProgress, Heartbeat, JournalHealth};
use muster_schemas::telemetry::{SAMPLES_PER_FRAME_MAX, Sample, TelemetryFrame};
use muster_schemas::{Channel, Durable, ENVELOPE_VERSION, Envelope, HostId};
use tokio::sync::Notify;
use tracing::{error, warn};

use crate::io::journal::{
    Claim, Found, Journal, JournalOptions, Lane, Outcome, ReadAgain, Record, Staging, Ticket,
};
use crate::logic::replay::Complaints;

/// A frame is closed before its time at this size, well below the largest message (1 MiB).
const FRAME_BYTES_MAX: usize = 256 * 1024;

pub struct Recorder {
    host: HostId,
    state: Mutex<State>,
    appended: Notify,
}

struct State {
    journal: Journal,
    staging: Staging,
    pending: Vec<Sample>,
    pending_bytes: usize,
    /// A directory that cannot be written is said once a minute, not with each sample.
    complaints: Complaints,
}

impl Recorder {
    /// Opens the journal of a host that is on no machine of its own.
    pub fn open(
        host: HostId,
        directory: &Path,
        options: JournalOptions,
        now_ms: i64,
    ) -> Result<Self> {
        Self::open_on(None, host, directory, options, now_ms)
    }

    /// Opens the journal and takes up the samples that were not yet in a frame.
    pub fn open_on(
        machine: Option<&str>,
        host: HostId,
        directory: &Path,
        options: JournalOptions,
        now_ms: i64,
    ) -> Result<Self> {
        let mut journal = Journal::open(directory, options, now_ms)?;
        let claim = journal.claim(&host, machine, now_ms).with_context(|| {
            format!("cannot find out whose journal is in {}", directory.display())
        })?;
        let staging = journal.staging();
        let next_frame = journal.next_seq(Channel::Telemetry);
        let pending = staging
            .recover(journal.staged_frame(), next_frame)
            .with_context(|| format!("cannot read the samples in {}", directory.display()))?;
        let state = State {
            journal,
            staging,
            pending,
            pending_bytes: 0,
            complaints: Complaints::default(),
        };
        let before = match claim {
            Claim::Own => host.clone(),
            Claim::RenamedFrom(before) => before,
        };
        let mut recorder = Self { host: before, state: Mutex::new(state), appended: Notify::new() };
        recorder.close_frame(now_ms);
        if recorder.host != host {
            recorder.rename(host, now_ms).with_context(|| {
                format!("cannot give the journal in {} to its new id", directory.display())
            })?;
        }
        Ok(recorder)
    }

    /// What waits goes along, the samples that were in no frame included.
    fn rename(&mut self, host: HostId, now_ms: i64) -> io::Result<()> {
        let mut state = self.lock();
        self.close_pending(&mut state, now_ms)?;
        state.journal.begin_epoch_as(&host, now_ms)?;
        drop(state);
        self.host = host;
        Ok(())
    }

    pub fn host(&self) -> &HostId {
        &self.host
    }

    /// Changes with [`Recorder::begin_epoch`].
    pub fn epoch(&self) -> i64 {
        self.lock().journal.epoch()
    }

    /// The highest sequence number of each channel that the bus may have seen.
    pub fn shown(&self) -> BTreeMap<Channel, i64> {
        self.lock().journal.shown()
    }

    pub fn showing(&self, ticket: &Ticket) {
        self.lock().journal.showing(ticket);
    }

    /// Begins a new epoch: what waits is numbered anew, what was acknowledged stays readable
    /// under its old epoch. Copies all that waits, seconds after a long outage: call it where
    /// that may block.
    pub fn begin_epoch(&self, now_ms: i64) -> io::Result<i64> {
        let mut state = self.lock();
        // Samples are staged under a number that counts no more once the epoch has begun: a kill
        // just then would lose them. In a frame they wait with the rest, and come along.
        self.close_pending(&mut state, now_ms)?;
        let epoch = state.journal.begin_epoch(now_ms)?;
        self.appended.notify_one();
        Ok(epoch)
    }

    /// Keeps a sample for the next frame.
    pub fn record_sample(&self, sample: Sample, now_ms: i64) {
        let mut state = self.lock();
        let frame_seq = state.journal.next_seq(Channel::Telemetry);
        if let Err(error) = state.staging.add(frame_seq, &sample)
            && let Some(unsaid) = state.complaints.due(now_ms)
        {
            warn!(%error, unsaid, "a sample is only in memory until its frame is written");
        }
        state.pending_bytes += encode(&sample).len();
        state.pending.push(sample);
        let full =
            state.pending.len() >= SAMPLES_PER_FRAME_MAX || state.pending_bytes >= FRAME_BYTES_MAX;
        drop(state);
        if full {
            self.close_frame(now_ms);
        }
    }

    /// Writes the pending samples to the journal: one frame, or several where writing had failed
    /// for a while.
    pub fn close_frame(&self, now_ms: i64) {
        let mut state = self.lock();
        if let Err(error) = self.close_pending(&mut state, now_ms) {
            if let Some(unsaid) = state.complaints.due(now_ms) {
                error!(%error, unsaid, "cannot write a frame to the journal; trying again");
            }
            let excess = state.pending.len().saturating_sub(SAMPLES_PER_FRAME_MAX);
            state.pending.drain(..excess);
        }
        state.pending_bytes = state.pending.iter().map(|sample| encode(sample).len()).sum();
    }

    /// Nothing is pending when it succeeds.
    fn close_pending(&self, state: &mut State, now_ms: i64) -> io::Result<()> {
        while !state.pending.is_empty() {
            let count = frame_length(&state.pending);
            match self.write_frame(state, count, now_ms) {
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    error!(%error, "a sample is too large for any message and is left out");
                    state.pending.drain(..count);
                }
                written => written?,
            }
        }
        state.pending_bytes = 0;
        Ok(())
    }

    fn write_frame(&self, state: &mut State, count: usize, now_ms: i64) -> io::Result<()> {
        let samples = thin_out(&state.pending[..count]);
        // What is left is staged for the next frame before this one's file goes.
        let next_seq = state.journal.next_seq(Channel::Telemetry) + 1;
        // An earlier attempt that failed may have staged them already.
        state.staging.remove(next_seq)?;
        for sample in &state.pending[count..] {
            state.staging.add(next_seq, sample)?;
        }
        let seq = self.append(&mut state.journal, TelemetryFrame { samples }, &[], now_ms)?;
        state.pending.drain(..count);
        if let Err(error) = state.staging.remove(seq) {
            // It is removed at the next start: its number is then in the past.
            warn!(%error, "the staged samples of frame {seq} could not be removed");
        }
        Ok(())
    }

    /// Writes a heartbeat to the journal; answers its number. `make` is given the progress so far.
    pub fn record_heartbeat(
        &self,
        now_ms: i64,
        make: impl FnOnce(&Journal) -> Heartbeat,
    ) -> Option<i64> {
        let mut state = self.lock();
        let heartbeat = make(&state.journal);
        let written = self.append(&mut state.journal, heartbeat, &[], now_ms);
        if let Err(error) = &written
            && let Some(unsaid) = state.complaints.due(now_ms)
        {
            error!(%error, unsaid, "cannot write a heartbeat to the journal");
        }
        written.ok()
    }

    /// Writes a message to the journal; answers its number.
    pub fn record<T: Durable>(&self, body: T, now_ms: i64) -> io::Result<i64> {
        self.append(&mut self.lock().journal, body, &[], now_ms)
    }

    /// Writes log lines to the journal, and with them a note that stays here: where they end in
    /// the files they came from. Both are there after a kill, or neither.
    pub fn record_logs(&self, frame: LogFrame, note: &[u8], now_ms: i64) -> io::Result<i64> {
        self.append(&mut self.lock().journal, frame, note, now_ms)
    }

    /// The notes of log messages that are still on disk, oldest first, each with the epoch and
    /// number of its message. An empty note is none.
    pub fn log_notes(&self) -> io::Result<Vec<(i64, i64, Vec<u8>)>> {
        self.lock().journal.log_notes()
    }

    /// The epoch and the highest number in it of a log message: 0 where there is none yet. Asked
    /// at once, because [`Recorder::begin_epoch`] changes both.
    pub fn last_logs(&self) -> (i64, i64) {
        let journal = &self.lock().journal;
        (journal.epoch(), journal.next_seq(Channel::Logs) - 1)
    }

    /// All notes up to that of message `seq` of `epoch` are kept elsewhere: the journal need not
    /// keep them.
    pub fn checkpointed_logs(&self, epoch: i64, seq: i64) {
        self.lock().journal.checkpointed_logs(epoch, seq);
    }

    fn append<T: Durable>(
        &self,
        journal: &mut Journal,
        body: T,
        note: &[u8],
        now_ms: i64,
    ) -> io::Result<i64> {
        let (host, epoch) = (self.host.clone(), journal.epoch());
        let seq = journal.append(body.kind(), note, now_ms, |seq| {
            encode(&Envelope { v: ENVELOPE_VERSION, host, epoch, seq, sent_at: now_ms, body })
        })?;
        self.appended.notify_one();
        Ok(seq)
    }

    /// How full the journal is, and how far each channel was acknowledged.
    pub fn health(&self) -> (JournalHealth, BTreeMap<Channel, ChannelProgress>) {
        let journal = &self.lock().journal;
        let progress = |channel| journal.progress(channel).map(|progress| (channel, progress));
        (journal.health(), Channel::ALL.into_iter().filter_map(progress).collect())
    }

    /// What is worth telling of messages that the journal does not send.
    pub fn notice(&self, now_ms: i64) -> Option<String> {
        self.lock().journal.notice(now_ms).map(str::to_owned)
    }

    /// Returns once something was appended since the last call.
    pub async fn appended(&self) {
        self.appended.notified().await;
    }

    pub fn next_to_send(&self, lane: Lane) -> io::Result<Option<(Ticket, Record)>> {
        self.lock().journal.next_to_send(lane)
    }

    pub fn acknowledge(&self, lane: Lane, ticket: Ticket, outcome: Outcome, now_ms: i64) {
        self.lock().journal.acknowledge(lane, ticket, outcome, now_ms);
    }

    pub fn next_candidate(&self) -> io::Result<Found> {
        self.lock().journal.next_candidate()
    }

    pub fn candidate_acknowledged(&self, ticket: &Ticket, outcome: Outcome) {
        self.lock().journal.candidate_acknowledged(ticket, outcome);
    }

    pub fn is_candidate_acknowledged(&self, ticket: &Ticket) -> bool {
        self.lock().journal.is_candidate_acknowledged(ticket)
    }

    /// How many messages wait for an acknowledgement.
    pub fn waiting(&self) -> i64 {
        self.lock().journal.health().waiting
    }

    /// How many records the lane with the newest has not handed out.
    pub fn unsent(&self) -> i64 {
        self.lock().journal.unsent()
    }

    /// Begins a lane ahead: what is waiting now is backlog.
    pub fn split(&self) {
        self.lock().journal.split();
    }

    pub fn is_split(&self) -> bool {
        self.lock().journal.is_split()
    }

    /// The epochs of which the journal holds something.
    pub fn epochs(&self) -> Vec<i64> {
        self.lock().journal.epochs()
    }

    /// Messages that were sent before. Reads all that was asked for, to see what is missing: call
    /// it where that may block.
    pub fn read_again(
        &self,
        channel: Channel,
        epoch: i64,
        from: i64,
        to: i64,
    ) -> io::Result<ReadAgain> {
        // Not in one expression: the journal must not be held while the files are read.
        let again = self.lock().journal.read_again(channel, epoch, from, to);
        again.survey()
    }

    /// Starts sending again at the first message that was not acknowledged.
    pub fn rewind(&self) {
        self.lock().journal.rewind();
    }

    /// Writes down how far the bus has acknowledged, and drops what need not be kept.
    pub fn maintain(&self, now_ms: i64) {
        let mut state = self.lock();
        if let Err(error) = state.journal.maintain(now_ms)
            && let Some(unsaid) = state.complaints.due(now_ms)
        {
            warn!(%error, unsaid, "cannot tidy the journal");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the journal")
    }
}

/// How many of the oldest samples fit in one frame: one at least.
fn frame_length(pending: &[Sample]) -> usize {
    let mut bytes = 0;
    let fitting = pending.iter().take(SAMPLES_PER_FRAME_MAX).take_while(|sample| {
        bytes += encode(*sample).len();
        bytes <= FRAME_BYTES_MAX
    });
    fitting.count().max(1)
}

/// Process lists travel once a frame, in its newest sample: they are half of a sample's size and
/// their history is wanted at the publishing interval.
fn thin_out(pending: &[Sample]) -> Vec<Sample> {
    let mut samples = pending.to_vec();
    let older = samples.len().saturating_sub(1);
    for sample in &mut samples[..older] {
        sample.processes.top_cpu.clear();
        sample.processes.top_memory.clear();
        sample.processes.top_io.clear();
    }
    samples
}

#[cfg(test)]
mod tests;
