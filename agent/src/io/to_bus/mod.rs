//! Sends what the journal holds until the bus has acknowledged it, several messages at once.
//!
//! Fresh data goes first: after an outage the backlog has a lane of its own (`journal::lanes`) and
//! is replayed at a bounded rate beside it, and so are messages that are sent again to repair a
//! gap. Alert candidates are sent one at a time, in order. What a message is published as, and how
//! often it is tried, is in `courier`. On each new connection everything is held until the centre
//! was heard, where the sender was told to wait for that (`logic::hold`).

mod courier;
mod lane;
mod resend;

use std::future::pending;
use std::sync::Arc;

use async_nats::jetstream::Context;
use futures::{FutureExt, StreamExt};
use muster_runtime::time::now_ms;
use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use crate::io::journal::{Found, Lane, Outcome, Record, Ticket};
use crate::logic::replay::{Complaints, TokenBucket, is_backlog};
use crate::recorder::Recorder;
pub use courier::connection;
use courier::{Courier, Delivery};
use lane::LaneState;
pub use resend::Resender;
use resend::{REQUESTS_MAX, Repair};

/// How long a stopping agent goes on sending. What is left is in the journal.
const DRAIN_TIME: Duration = Duration::from_secs(3);

/// How long to wait after the journal could not be read.
const READ_RETRY_MS: i64 = 1_000;

#[derive(Debug, Clone, Copy)]
pub struct SendOptions {
    /// How fast a backlog is replayed; 0 for as fast as the bus takes it.
    pub replay_bytes_per_s: u64,
}

impl Default for SendOptions {
    fn default() -> Self {
        // A day of 5 kB frames every 15 s in four seconds: a thousand hosts that come back at
        // once are spread by the broker, one host does not fill a slow line for long.
        Self { replay_bytes_per_s: 8 * 1024 * 1024 }
    }
}

/// Runs until told to stop, then drains.
pub async fn send_journal(recorder: Arc<Recorder>, bus: Context, stop: CancellationToken) {
    let (sender, _) = Sender::new(recorder, bus, SendOptions::default());
    sender.run(stop).await;
}

pub struct Sender {
    recorder: Arc<Recorder>,
    courier: Arc<Courier>,
    /// What was handed out belongs to it; another one begins from what the journal says then.
    epoch: i64,
    main: LaneState,
    ahead: LaneState,
    candidate: Option<Delivery>,
    requests: mpsc::Receiver<Repair>,
    repair: Option<Repair>,
    bucket: TokenBucket,
    complaints: Complaints,
    /// The newest connection on which messages may be sent.
    clearance: Option<watch::Receiver<u64>>,
    /// Not before this time, in milliseconds since the Unix epoch.
    resume_at: Option<i64>,
    is_start: bool,
}

impl Sender {
    /// The sender, and whom to ask to send something again.
    pub fn new(recorder: Arc<Recorder>, bus: Context, options: SendOptions) -> (Self, Resender) {
        let (queue, requests) = mpsc::channel(REQUESTS_MAX);
        let resender = Resender::new(recorder.clone(), queue);
        let sender = Self {
            courier: Arc::new(Courier::new(recorder.clone(), bus)),
            epoch: recorder.epoch(),
            main: LaneState::default(),
            ahead: LaneState::default(),
            candidate: None,
            requests,
            repair: None,
            bucket: TokenBucket::new(options.replay_bytes_per_s, now_ms()),
            complaints: Complaints::default(),
            clearance: None,
            resume_at: None,
            is_start: true,
            recorder,
        };
        (sender, resender)
    }

    /// Sends on a connection only once its number is given.
    #[must_use]
    pub fn cleared_by(self, clearance: watch::Receiver<u64>) -> Self {
        self.courier.clear(*clearance.borrow());
        Self { clearance: Some(clearance), ..self }
    }

    /// Runs until told to stop, then sends what is fresh for as long as [`DRAIN_TIME`].
    pub async fn run(mut self, stop: CancellationToken) {
        // Where an earlier sender of this journal has left off.
        self.recorder.rewind();
        let mut end = None;
        loop {
            self.hand_out();
            if end.is_some() && self.is_done() {
                break;
            }
            tokio::select! {
                () = stop.cancelled(), if end.is_none() => end = Some(Instant::now() + DRAIN_TIME),
                () = at(end) => {
                    info!("the bus does not take the rest now; it is kept in the journal");
                    break;
                }
                () = self.progress() => {}
            }
        }
        self.recorder.maintain(now_ms());
    }

    /// Hands to the courier whatever may go now.
    fn hand_out(&mut self) {
        self.resume_at = None;
        self.follow_clearance();
        self.begin_backlog();
        self.hand_out_candidate();
        if self.recorder.is_split() {
            while !self.ahead.is_full() && self.send_next(Lane::Ahead) {}
        } else {
            while !self.main.is_full() && self.send_next(Lane::Main) {}
        }
        self.hand_out_slowly();
    }

    /// Repairs and the backlog, in turn, as fast as they may go.
    fn hand_out_slowly(&mut self) {
        loop {
            let now = now_ms();
            let ready_at = self.bucket.ready_at(now);
            let is_split = self.recorder.is_split();
            let has_backlog = is_split && !self.main.is_full();
            let has_repair = self.repair.as_ref().is_some_and(|repair| !repair.is_full());
            if !has_backlog && !has_repair {
                return;
            }
            if ready_at > now {
                self.wait_until(ready_at);
                return;
            }
            let repaired = has_repair && self.repair_next();
            let sent = has_backlog && self.send_next(Lane::Main);
            if is_split && !self.recorder.is_split() {
                debug!("the backlog is through");
                self.main = std::mem::take(&mut self.ahead);
            }
            if !repaired && !sent {
                return;
            }
        }
    }

    fn follow_clearance(&mut self) {
        // Looked at before the epoch: who gives it has begun a new one first, if it must be, and
        // what is under way with the old numbers is never let go.
        let cleared = self.clearance.as_mut().map(|clearance| *clearance.borrow_and_update());
        self.follow_epoch();
        if let Some(connection) = cleared {
            self.courier.clear(connection);
        }
    }

    /// A journal that began a new epoch has numbered anew what was under way.
    fn follow_epoch(&mut self) {
        let epoch = self.recorder.epoch();
        if epoch != self.epoch {
            self.epoch = epoch;
            self.main = LaneState::default();
            self.ahead = LaneState::default();
            self.candidate = None;
            self.recorder.rewind();
        }
    }

    fn begin_backlog(&mut self) {
        let is_split = self.recorder.is_split();
        let newest = if is_split { &self.ahead } else { &self.main };
        let unsent = self.recorder.unsent();
        if is_backlog(unsent, self.is_start, newest.is_full()) {
            debug!(messages = unsent, "{unsent} messages are replayed beside what is fresh");
            self.recorder.split();
            self.ahead = LaneState::default();
        }
        self.is_start = false;
    }

    fn hand_out_candidate(&mut self) {
        if self.candidate.is_some() {
            return;
        }
        match self.recorder.next_candidate() {
            Ok(Found::Record(ticket, record)) => {
                self.candidate = Some(self.courier.deliver(ticket, 0, record.payload));
            }
            // After the others had their turn.
            Ok(Found::Others) => self.wait_until(0),
            Ok(Found::End) => {}
            Err(error) => self.cannot_read(&error),
        }
    }

    /// Whether there was something.
    fn send_next(&mut self, lane: Lane) -> bool {
        let next = match self.recorder.next_to_send(lane) {
            Ok(next) => next,
            Err(error) => {
                self.cannot_read(&error);
                None
            }
        };
        let Some((ticket, record)) = next else { return false };
        if lane == Lane::Main && self.recorder.is_split() {
            self.bucket.take(record.payload.len());
        }
        self.send(lane, ticket, record);
        true
    }

    fn send(&mut self, lane: Lane, ticket: Ticket, record: Record) {
        let is_candidate = record.kind == muster_schemas::Kind::Candidate;
        let was_sent = is_candidate && self.recorder.is_candidate_acknowledged(&ticket);
        let courier = self.courier.clone();
        let state = self.state(lane);
        state.window.sent(ticket);
        match (is_candidate, was_sent) {
            (true, true) => self.settle(lane, ticket, Outcome::Stored),
            (true, false) => state.held.push_back(ticket),
            (false, _) => state.send(ticket, courier.deliver(ticket, 0, record.payload)),
        }
    }

    fn repair_next(&mut self) -> bool {
        let Some(repair) = &mut self.repair else { return false };
        match repair.next(&self.courier) {
            Ok(Some(bytes)) => {
                self.bucket.take(bytes);
                true
            }
            Ok(None) => {
                if repair.is_done() {
                    self.repair = None;
                }
                false
            }
            Err(error) => {
                self.repair = None;
                self.cannot_read(&error);
                false
            }
        }
    }

    /// Returns when something has changed.
    async fn progress(&mut self) {
        tokio::select! {
            Some(first) = self.main.under_way.next() => self.settle_all(Lane::Main, first),
            Some(first) = self.ahead.under_way.next() => self.settle_all(Lane::Ahead, first),
            (ticket, outcome) = delivered(&mut self.candidate) => {
                self.candidate = None;
                self.candidate_settled(&ticket, outcome);
            }
            () = repaired(&mut self.repair) => {}
            Some(repair) = self.requests.recv(), if self.repair.is_none() => {
                self.repair = Some(repair);
            }
            () = self.recorder.appended() => {}
            () = cleared(&mut self.clearance) => {}
            () = resume(self.resume_at) => {}
        }
    }

    /// Takes what has arrived together, so that more is handed out at once.
    fn settle_all(&mut self, lane: Lane, first: (Ticket, Outcome)) {
        let mut arrived = Some(first);
        while let Some((ticket, outcome)) = arrived {
            self.state(lane).delivered(&ticket);
            self.settle(lane, ticket, outcome);
            arrived = self.state(lane).under_way.next().now_or_never().flatten();
        }
    }

    fn settle(&mut self, lane: Lane, ticket: Ticket, outcome: Outcome) {
        let settled = self.state(lane).window.settled(ticket, outcome);
        for (ticket, outcome) in settled {
            self.recorder.acknowledge(lane, ticket, outcome, now_ms());
        }
    }

    fn candidate_settled(&mut self, ticket: &Ticket, outcome: Outcome) {
        self.recorder.candidate_acknowledged(ticket, outcome);
        for lane in [Lane::Main, Lane::Ahead] {
            while let Some(held) = self.state(lane).release(ticket) {
                self.settle(lane, held, Outcome::Stored);
            }
        }
    }

    fn state(&mut self, lane: Lane) -> &mut LaneState {
        match lane {
            Lane::Main => &mut self.main,
            Lane::Ahead => &mut self.ahead,
        }
    }

    /// Whether nothing fresh is left; a backlog waits in the journal.
    fn is_done(&self) -> bool {
        let newest = if self.recorder.is_split() { &self.ahead } else { &self.main };
        self.candidate.is_none() && newest.window.is_empty() && self.recorder.unsent() == 0
    }

    fn cannot_read(&mut self, error: &std::io::Error) {
        if let Some(unsaid) = self.complaints.due(now_ms()) {
            error!(%error, unsaid, "cannot read the journal");
        }
        self.wait_until(now_ms() + READ_RETRY_MS);
    }

    fn wait_until(&mut self, time_ms: i64) {
        self.resume_at = Some(self.resume_at.map_or(time_ms, |earlier| earlier.min(time_ms)));
    }
}

async fn at(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => pending().await,
    }
}

async fn resume(time_ms: Option<i64>) {
    match time_ms {
        Some(time) => {
            let wait = u64::try_from(time.saturating_sub(now_ms())).unwrap_or(0);
            sleep(Duration::from_millis(wait)).await;
        }
        None => pending().await,
    }
}

async fn delivered(delivery: &mut Option<Delivery>) -> (Ticket, Outcome) {
    match delivery {
        Some(delivery) => delivery.await,
        None => pending().await,
    }
}

/// Returns when a connection was cleared.
async fn cleared(clearance: &mut Option<watch::Receiver<u64>>) {
    if let Some(clearance) = clearance
        && clearance.changed().await.is_ok()
    {
        return;
    }
    // Who clears has ended: what was cleared stays so.
    pending::<()>().await;
}

/// Returns when a message of the repair has arrived.
async fn repaired(repair: &mut Option<Repair>) {
    match repair {
        Some(repair) => repair.delivered().await,
        None => pending().await,
    }
}
