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
    Found, Journal, JournalOptions, Lane, Outcome, ReadAgain, Record, Staging, Ticket,
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
    /// Opens the journal and takes up the samples that were not yet in a frame.
    pub fn open(
        host: HostId,
        directory: &Path,
        options: JournalOptions,
        now_ms: i64,
    ) -> Result<Self> {
        let journal = Journal::open(directory, options, now_ms)?;
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
        let recorder = Self { host, state: Mutex::new(state), appended: Notify::new() };
        recorder.close_frame(now_ms);
        Ok(recorder)
    }

    pub fn host(&self) -> &HostId {
        &self.host
    }

    /// Changes with [`Recorder::begin_epoch`].
    pub fn epoch(&self) -> i64 {
        self.lock().journal.epoch()
    }

    /// The highest sequence number in use of each channel that was ever used.
    pub fn highest(&self) -> BTreeMap<Channel, i64> {
        self.lock().journal.highest()
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

    /// Writes a heartbeat to the journal. `make` is given the progress so far.
    pub fn record_heartbeat(&self, now_ms: i64, make: impl FnOnce(&Journal) -> Heartbeat) {
        let mut state = self.lock();
        let heartbeat = make(&state.journal);
        if let Err(error) = self.append(&mut state.journal, heartbeat, &[], now_ms)
            && let Some(unsaid) = state.complaints.due(now_ms)
        {
            error!(%error, unsaid, "cannot write a heartbeat to the journal");
        }
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
mod tests {
    use muster_schemas::codec::{ContentType, decode};
    use muster_schemas::telemetry::{Process, Processes};

    use super::*;
    use crate::logic::journal_policy::JournalLimits;

    fn open(directory: &Path) -> Recorder {
        let limits = JournalLimits { bytes_max: 1 << 20, retain_after_ack_ms: 0 };
        let options = JournalOptions { limits, durable: false };
        Recorder::open("web-3".parse().unwrap(), directory, options, 1).unwrap()
    }

    fn sample(at: i64) -> Sample {
        let top_cpu = vec![Process { pid: at, ..Process::default() }];
        let processes = Processes { total: 1, top_cpu, ..Processes::default() };
        Sample { at, processes, ..Sample::default() }
    }

    fn frames(recorder: &Recorder) -> Vec<Envelope<TelemetryFrame>> {
        std::iter::from_fn(|| recorder.next_to_send(Lane::Main).unwrap())
            .map(|(_, record)| decode(ContentType::Msgpack, &record.payload).unwrap())
            .collect()
    }

    #[test]
    fn a_killed_agent_loses_no_sample_and_frames_none_twice() {
        let directory = tempfile::TempDir::new().unwrap();
        let recorder = open(directory.path());
        (1..=3).for_each(|at| recorder.record_sample(sample(at), at));
        recorder.close_frame(3);
        recorder.record_sample(sample(4), 4);
        drop(recorder);

        let recorder = open(directory.path());
        recorder.record_sample(sample(5), 5);
        recorder.close_frame(5);
        let times: Vec<(i64, Vec<i64>)> = frames(&recorder)
            .iter()
            .map(|frame| (frame.seq, frame.body.samples.iter().map(|s| s.at).collect()))
            .collect();
        assert_eq!(times, [(1, vec![1, 2, 3]), (2, vec![4]), (3, vec![5])]);
    }

    #[test]
    fn a_long_time_without_writing_ends_in_several_frames_that_can_be_read() {
        let directory = tempfile::TempDir::new().unwrap();
        let recorder = open(directory.path());
        recorder.lock().pending = (1..=2000).map(sample).collect();
        recorder.close_frame(1);
        let frames = frames(&recorder);
        let counts: Vec<usize> = frames.iter().map(|frame| frame.body.samples.len()).collect();
        assert_eq!(counts.iter().sum::<usize>(), 2000);
        assert!(counts.iter().all(|count| *count <= SAMPLES_PER_FRAME_MAX), "{counts:?}");
        assert!(frames.iter().all(|frame| encode(frame).len() < 2 * FRAME_BYTES_MAX));
    }

    #[test]
    fn samples_left_for_the_next_frame_are_staged_once_however_often_it_is_tried() {
        let directory = tempfile::TempDir::new().unwrap();
        let recorder = open(directory.path());
        let mut state = recorder.lock();
        state.pending = (1..=5).map(sample).collect();
        state.staging.add(2, &sample(4)).unwrap();
        recorder.write_frame(&mut state, 3, 5).unwrap();
        let staged: Vec<i64> = state.staging.recover(2, 2).unwrap().iter().map(|s| s.at).collect();
        assert_eq!(staged, [4, 5]);
    }

    #[test]
    fn process_lists_travel_in_the_newest_sample_of_a_frame() {
        let directory = tempfile::TempDir::new().unwrap();
        let recorder = open(directory.path());
        (1..=3).for_each(|at| recorder.record_sample(sample(at), at));
        recorder.close_frame(3);
        let frames = frames(&recorder);
        let counts: Vec<usize> =
            frames[0].body.samples.iter().map(|s| s.processes.top_cpu.len()).collect();
        assert_eq!(counts, [0, 0, 1]);
    }

    #[test]
    fn a_directory_that_cannot_be_written_costs_nothing_once_it_can_be() {
        let parent = tempfile::TempDir::new().unwrap();
        let (directory, away) = (parent.path().join("journal"), parent.path().join("away"));
        let recorder = open(&directory);
        std::fs::rename(&directory, &away).unwrap();
        for at in 1..=900 {
            recorder.record_sample(sample(at), at);
        }
        recorder.close_frame(900);
        let kept = recorder.lock().pending.len();
        assert_eq!(kept, SAMPLES_PER_FRAME_MAX);
        let logs = LogFrame { lines: Vec::new() };
        assert!(recorder.record_logs(logs, b"", 900).is_err());
        std::fs::rename(&away, &directory).unwrap();
        recorder.close_frame(901);
        let counts: Vec<usize> = frames(&recorder).iter().map(|f| f.body.samples.len()).collect();
        assert_eq!(counts.iter().sum::<usize>(), kept);
    }

    #[test]
    fn a_state_directory_that_cannot_be_written_is_named_with_what_to_do() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let limits = JournalLimits { bytes_max: 1 << 20, retain_after_ack_ms: 0 };
        let options = JournalOptions { limits, durable: true };
        let directory = file.path().join("journal");
        let refused = Recorder::open("web-3".parse().unwrap(), &directory, options, 1).err();
        let said = format!("{:#}", refused.unwrap());
        assert!(said.starts_with(&format!("cannot write to {}", directory.display())), "{said}");
        assert!(said.contains("MUSTER_AGENT_STATE_DIR") && !said.contains('\n'), "{said}");
    }

    #[test]
    fn a_kill_right_after_an_epoch_has_begun_loses_no_sample() {
        let directory = tempfile::TempDir::new().unwrap();
        let recorder = open(directory.path());
        (1..=3).for_each(|at| {
            recorder.record_sample(sample(at), at);
            recorder.close_frame(at);
        });
        for (ticket, _) in std::iter::from_fn(|| recorder.next_to_send(Lane::Main).unwrap()) {
            recorder.acknowledge(Lane::Main, ticket, Outcome::Stored, 3);
        }
        recorder.record_sample(sample(4), 4);
        recorder.begin_epoch(500).unwrap();
        let staged = std::fs::read_dir(directory.path()).unwrap().filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_string_lossy().ends_with(".samples")
        });
        assert_eq!(staged.count(), 0, "nothing is left to be done when the epoch has begun");
        drop(recorder);
        let recorder = open(directory.path());
        recorder.record_sample(sample(5), 5);
        recorder.close_frame(5);
        let frames: Vec<(i64, i64, i64)> =
            frames(&recorder).iter().map(|f| (f.epoch, f.seq, f.body.samples[0].at)).collect();
        assert_eq!(frames, [(500, 1, 4), (500, 2, 5)]);
    }

    #[test]
    fn samples_that_wait_for_a_frame_go_along_into_a_new_epoch() {
        let directory = tempfile::TempDir::new().unwrap();
        let recorder = open(directory.path());
        recorder.record_sample(sample(1), 1);
        recorder.close_frame(1);
        recorder.record_sample(sample(2), 2);
        assert_eq!(recorder.begin_epoch(500).unwrap(), 500);
        drop(recorder);
        let recorder = open(directory.path());
        let frames: Vec<(i64, i64, i64)> =
            frames(&recorder).iter().map(|f| (f.epoch, f.seq, f.body.samples[0].at)).collect();
        assert_eq!(frames, [(500, 1, 1), (500, 2, 2)]);
    }
}
