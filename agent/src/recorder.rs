//! Turns samples into frames and heartbeats into messages, and keeps both until the bus has them.
//!
//! One for each host: the agent has one, a simulation has many.

use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use anyhow::{Context, Result};
use muster_schemas::codec::encode;
use muster_schemas::signals::Heartbeat;
use muster_schemas::telemetry::{SAMPLES_PER_FRAME_MAX, Sample, TelemetryFrame};
use muster_schemas::{Channel, Durable, ENVELOPE_VERSION, Envelope, HostId};
use serde::Serialize;
use tokio::sync::Notify;
use tracing::{error, warn};

use crate::io::journal::{Journal, JournalOptions, Record, Staging, Ticket};

/// A frame is closed before its time at this size, well below the largest message (1 MiB).
const FRAME_BYTES_MAX: usize = 256 * 1024;

pub struct Recorder {
    host: HostId,
    epoch: i64,
    state: Mutex<State>,
    appended: Notify,
}

struct State {
    journal: Journal,
    staging: Staging,
    pending: Vec<Sample>,
    pending_bytes: usize,
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
        let pending = staging
            .recover(journal.next_seq(Channel::Telemetry))
            .with_context(|| format!("cannot read the samples in {}", directory.display()))?;
        let epoch = journal.epoch();
        let state = State { journal, staging, pending, pending_bytes: 0 };
        let recorder = Self { host, epoch, state: Mutex::new(state), appended: Notify::new() };
        recorder.close_frame(now_ms);
        Ok(recorder)
    }

    pub fn host(&self) -> &HostId {
        &self.host
    }

    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Keeps a sample for the next frame.
    pub fn record_sample(&self, sample: Sample, now_ms: i64) {
        let mut state = self.lock();
        let frame_seq = state.journal.next_seq(Channel::Telemetry);
        if let Err(error) = state.staging.add(frame_seq, &sample) {
            warn!(%error, "a sample is only in memory until its frame is written");
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
        while !state.pending.is_empty() {
            let count = frame_length(&state.pending);
            if let Err(error) = self.write_frame(&mut state, count, now_ms) {
                if error.kind() == io::ErrorKind::InvalidInput {
                    error!(%error, "a sample is too large for any message and is left out");
                    state.pending.drain(..count);
                    continue;
                }
                error!(%error, "cannot write a frame to the journal; trying again with the next");
                let excess = state.pending.len().saturating_sub(SAMPLES_PER_FRAME_MAX);
                state.pending.drain(..excess);
                break;
            }
        }
        state.pending_bytes = state.pending.iter().map(|sample| encode(sample).len()).sum();
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
        let seq = self.append(&mut state.journal, TelemetryFrame { samples }, now_ms)?;
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
        if let Err(error) = self.append(&mut state.journal, heartbeat, now_ms) {
            error!(%error, "cannot write a heartbeat to the journal");
        }
    }

    fn append<T: Durable + Serialize>(
        &self,
        journal: &mut Journal,
        body: T,
        now_ms: i64,
    ) -> io::Result<i64> {
        let (host, epoch) = (self.host.clone(), self.epoch);
        let seq = journal.append(T::CHANNEL, now_ms, |seq| {
            encode(&Envelope { v: ENVELOPE_VERSION, host, epoch, seq, sent_at: now_ms, body })
        })?;
        self.appended.notify_one();
        Ok(seq)
    }

    /// Returns once something was appended since the last call.
    pub async fn appended(&self) {
        self.appended.notified().await;
    }

    pub fn next_to_send(&self) -> io::Result<Option<(Ticket, Record)>> {
        self.lock().journal.next_to_send()
    }

    pub fn acknowledge(&self, ticket: Ticket, now_ms: i64) {
        self.lock().journal.acknowledge(ticket, now_ms);
    }

    /// Starts sending again at the first message that was not acknowledged.
    pub fn rewind(&self) {
        self.lock().journal.rewind();
    }

    /// Writes down how far the bus has acknowledged, and drops what need not be kept.
    pub fn maintain(&self, now_ms: i64) {
        if let Err(error) = self.lock().journal.maintain(now_ms) {
            warn!(%error, "cannot tidy the journal");
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
        let processes = Processes { total: 1, top_cpu, top_memory: Vec::new() };
        Sample { at, processes, ..Sample::default() }
    }

    fn frames(recorder: &Recorder) -> Vec<Envelope<TelemetryFrame>> {
        std::iter::from_fn(|| recorder.next_to_send().unwrap())
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
        let staged: Vec<i64> = state.staging.recover(2).unwrap().iter().map(|s| s.at).collect();
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
}
