//! The agent's own journal under the follower, and a new epoch in the middle of it.

use muster_schemas::Envelope;
use muster_schemas::codec::{ContentType, decode};

use super::*;
use crate::io::journal::{JournalOptions, Lane, Outcome};
use crate::logic::journal_policy::JournalLimits;
use crate::recorder::Recorder;

struct Host {
    logs: TempDir,
    state: TempDir,
    recorder: Arc<Recorder>,
    worker: Option<Worker>,
    now: Instant,
    sent: Vec<String>,
}

impl Host {
    fn new() -> Self {
        let (logs, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let recorder = open(state.path());
        let (worker, now, sent) = (None, Instant::now(), Vec::new());
        let mut host = Self { logs, state, recorder, worker, now, sent };
        host.start();
        host
    }

    fn start(&mut self) {
        let settings = LogSettings { state_dir: self.state.path().into(), ..settings(&self.logs) };
        let (live, facts) = (LiveTap::default(), Arc::default());
        let worker = Worker::new(settings, self.recorder.clone(), live, facts, self.now);
        self.worker = Some(worker);
        self.rounds(1);
    }

    fn restart(&mut self, is_killed: bool) {
        let mut worker = self.worker.take().unwrap();
        if !is_killed {
            worker.finish(self.now);
        }
        drop(worker);
        self.recorder = open(self.state.path());
        self.start();
    }

    fn rounds(&mut self, count: usize) {
        for _ in 0..count {
            self.now += STEP;
            self.worker.as_mut().unwrap().round(self.now);
        }
    }

    fn write(&self, number: usize) {
        let line = format!("all is well\nERROR number {number}\n");
        append(&self.logs.path().join("x.log"), line.as_bytes());
    }

    /// Sends what waits; the bus acknowledges the first `count`.
    fn send(&mut self, count: usize) {
        self.recorder.rewind();
        for _ in 0..count {
            let Some((ticket, record)) = self.recorder.next_to_send(Lane::Main).unwrap() else {
                return;
            };
            let frame: Envelope<LogFrame> = decode(ContentType::Msgpack, &record.payload).unwrap();
            self.sent.extend(frame.body.lines.into_iter().map(|line| line.message));
            self.recorder.acknowledge(Lane::Main, ticket, Outcome::Stored, 1);
        }
    }
}

fn open(directory: &Path) -> Arc<Recorder> {
    let limits = JournalLimits { bytes_max: 1 << 20, retain_after_ack_ms: 0 };
    let options = JournalOptions { limits, durable: false };
    let journal = directory.join("journal");
    Arc::new(Recorder::open("web-3".parse().unwrap(), &journal, options, 1).unwrap())
}

/// Lines are written, some sent, an epoch begins, and it goes on after a restart.
fn check(acknowledged: usize, rounds_after: usize, is_killed: bool) {
    let mut host = Host::new();
    for number in 1..=4 {
        host.write(number);
        host.rounds(30);
    }
    host.send(acknowledged);
    host.recorder.maintain(1);
    host.write(5);
    host.rounds(rounds_after);
    host.recorder.begin_epoch(500).unwrap();
    host.restart(is_killed);
    host.write(6);
    host.rounds(rounds_after);
    host.restart(is_killed);
    host.rounds(150);
    host.send(usize::MAX);
    let expected: Vec<String> = (1..=6).map(|number| format!("ERROR number {number}")).collect();
    assert_eq!(host.sent, expected, "{acknowledged}, {rounds_after}, {is_killed}");
}

#[test]
fn no_line_comes_twice_after_a_new_epoch_and_a_restart() {
    for acknowledged in 0..=4 {
        for rounds_after in [1, 13, 25, 70] {
            check(acknowledged, rounds_after, false);
            check(acknowledged, rounds_after, true);
        }
    }
}

#[test]
fn a_line_that_was_sent_ahead_of_the_backlog_does_not_come_twice_after_a_new_epoch() {
    for is_killed in [false, true] {
        let mut host = Host::new();
        for number in 1..=3 {
            host.write(number);
            host.rounds(30);
        }
        host.recorder.split();
        host.write(4);
        host.rounds(30);
        let (ticket, _) = host.recorder.next_to_send(Lane::Ahead).unwrap().unwrap();
        host.recorder.acknowledge(Lane::Ahead, ticket, Outcome::Stored, 1);
        host.recorder.begin_epoch(500).unwrap();
        host.restart(is_killed);
        host.rounds(150);
        host.send(usize::MAX);
        assert_eq!(host.sent, ["ERROR number 1", "ERROR number 2", "ERROR number 3"]);
    }
}

#[test]
fn what_is_written_down_while_an_epoch_begins_holds_the_notes_that_come_after() {
    let mut host = Host::new();
    host.write(1);
    host.rounds(30);
    let before = host.recorder.last_logs();
    host.recorder.begin_epoch(500).unwrap();
    host.write(2);
    host.rounds(30);
    host.recorder.checkpointed_logs(before.0, before.1);
    let notes: Vec<(i64, i64)> =
        host.recorder.log_notes().unwrap().into_iter().map(|note| (note.0, note.1)).collect();
    assert_eq!((before, notes), ((1, 1), vec![(1, 1), (500, 2)]));
    assert_eq!(host.recorder.last_logs(), (500, 2));
}
