//! Real files in temporary directories, and a clock moved by hand: nothing sleeps but the one
//! test of the thread.

mod clocks;
mod crashes;
mod epochs;
mod journal;
mod large;
mod notes;
mod rotation;
mod service;
mod sources;
mod unseen;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use muster_schemas::logs::{LINES_PER_FRAME_MAX, LogFrame, LogLine, Severity};
use tempfile::TempDir;

use super::live::LiveTap;
use super::worker::Worker;
use super::{LogFacts, LogSettings, LogSink};
use crate::logic::logs::FloodLimits;

/// A journal in memory that outlives the worker, as the one on disk does.
#[derive(Default)]
struct Memory {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    frames: Vec<Frame>,
    checkpointed: (i64, i64),
    epoch: i64,
    /// What the next commits meet; after them all is well.
    failures: Vec<Failure>,
}

struct Frame {
    /// Epoch and number.
    number: (i64, i64),
    frame: LogFrame,
    note: Vec<u8>,
}

impl State {
    fn last(&self) -> (i64, i64) {
        let newest = self.frames.last().map(|frame| frame.number);
        newest.filter(|(epoch, _)| *epoch == self.epoch).unwrap_or((self.epoch, 0))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Failure {
    /// The disk is full.
    Refused,
    /// The record is there, but the agent died before it knew.
    Unheard,
    None,
}

/// The journal refuses a frame with a longer note.
const JOURNAL_NOTE_BYTES_MAX: usize = 256 * 1024;

impl LogSink for Memory {
    fn commit(&self, frame: LogFrame, note: &[u8]) -> io::Result<i64> {
        assert!((1..=LINES_PER_FRAME_MAX).contains(&frame.lines.len()));
        let mut state = self.state.lock().unwrap();
        let failure =
            if state.failures.is_empty() { Failure::None } else { state.failures.remove(0) };
        if note.len() > JOURNAL_NOTE_BYTES_MAX {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if failure == Failure::Refused {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let (epoch, last) = state.last();
        let seq = last + 1;
        state.frames.push(Frame { number: (epoch, seq), frame, note: note.to_vec() });
        if failure == Failure::Unheard {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(seq)
    }

    fn notes(&self) -> io::Result<Vec<(i64, i64, Vec<u8>)>> {
        let state = self.state.lock().unwrap();
        let notes = state.frames.iter().filter(|frame| frame.number > state.checkpointed);
        Ok(notes.map(|frame| (frame.number.0, frame.number.1, frame.note.clone())).collect())
    }

    fn last(&self) -> (i64, i64) {
        self.state.lock().unwrap().last()
    }

    fn checkpointed(&self, epoch: i64, seq: i64) {
        self.state.lock().unwrap().checkpointed = (epoch, seq);
    }
}

impl Memory {
    fn lines(&self) -> Vec<LogLine> {
        let state = self.state.lock().unwrap();
        state.frames.iter().flat_map(|frame| frame.frame.lines.clone()).collect()
    }

    fn fail(&self, failures: &[Failure]) {
        self.state.lock().unwrap().failures = failures.to_vec();
    }
}

/// A host with logs, and an agent that can be started, killed and started again.
struct Scene {
    logs: TempDir,
    sink: Arc<Memory>,
    live: LiveTap,
    facts: Arc<Mutex<LogFacts>>,
    settings: LogSettings,
    now: Instant,
    worker: Option<Worker>,
    _state: TempDir,
}

/// How much the clock moves with each round.
const STEP: Duration = Duration::from_millis(100);

impl Scene {
    /// Follows `*.log`.
    fn new() -> Self {
        let (logs, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let settings = LogSettings { state_dir: state.path().into(), ..settings(&logs) };
        let sink = Arc::new(Memory::default());
        Self {
            logs,
            sink,
            live: LiveTap::default(),
            facts: Arc::default(),
            settings,
            now: Instant::now(),
            worker: None,
            _state: state,
        }
    }

    /// One that has started when there was nothing yet.
    fn started() -> Self {
        let mut scene = Self::new();
        scene.start();
        scene
    }

    fn start(&mut self) {
        let (sink, live, facts) = (self.sink.clone(), self.live.clone(), self.facts.clone());
        self.worker = Some(Worker::new(self.settings.clone(), sink, live, facts, self.now));
        self.rounds(1);
    }

    fn kill(&mut self) {
        self.worker = None;
    }

    fn stop(&mut self) {
        self.worker.take().unwrap().finish(self.now);
    }

    fn rounds(&mut self, count: usize) {
        for _ in 0..count {
            self.now += STEP;
            self.worker.as_mut().unwrap().round(self.now);
        }
    }

    /// Long enough for everything that waits for quiet.
    fn settle(&mut self) {
        self.rounds(150);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.logs.path().join(name)
    }

    fn append(&self, name: &str, bytes: impl AsRef<[u8]>) {
        append(&self.path(name), bytes.as_ref());
    }

    /// Appends one line that matters and one that does not.
    fn write_error(&self, name: &str, number: usize) {
        self.append(name, format!("all is well\nERROR number {number}\n"));
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn messages(&self) -> Vec<String> {
        self.sink.lines().into_iter().map(|line| line.message).collect()
    }

    /// How often each error was delivered.
    fn delivered(&self) -> BTreeMap<usize, usize> {
        let mut delivered = BTreeMap::new();
        for message in self.messages() {
            if let Some(number) = message.strip_prefix("ERROR number ") {
                *delivered.entry(number.parse().unwrap()).or_default() += 1;
            }
        }
        delivered
    }

    fn assert_once(&self, numbers: impl IntoIterator<Item = usize>) {
        let expected: BTreeMap<usize, usize> = numbers.into_iter().map(|n| (n, 1)).collect();
        assert_eq!(self.delivered(), expected);
    }

    fn facts(&self) -> LogFacts {
        self.facts.lock().unwrap().clone()
    }
}

/// Follows `*.log`; where it keeps its state is left to the caller.
fn settings(logs: &TempDir) -> LogSettings {
    LogSettings {
        paths: vec![format!("{}/*.log", logs.path().display())],
        journald: false,
        least: Severity::Error,
        flood: FloodLimits { lines_per_min: 10_000_000, bytes_per_min: 10_000_000_000 },
        state_dir: PathBuf::new(),
        files_max: 20_000,
        host_root: None,
        journal_directory: None,
        read_from_start: false,
    }
}

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(bytes).unwrap();
}
