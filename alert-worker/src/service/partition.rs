//! One partition, as long as this worker has it: reads its candidates in order and commits what is
//! decided about them under the fence.
//!
//! Whatever fails, what was believed is forgotten, and it begins again at what the database says:
//! with the offset there, or not at all where another worker has the partition by now.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use async_nats::jetstream::{self, Message};
use deadpool_postgres::Pool;
use muster_nats::consume::BatchLimits;
use muster_nats::ordered::{Look, OrderedSource, Place};
use muster_nats::publish::retry_delay;
use muster_runtime::meter::{Batch as Done, Meters};
use muster_runtime::now_ms;
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_postgres::Error as DatabaseError;
use tokio_postgres::error::SqlState;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::BusClock;
use super::decider::Decider;
use super::knowledge::Known;
use crate::io::from_partition::{self, Batch, Opened};
use crate::io::lease::Lease;
use crate::logic::caution::Caution;
use crate::logic::continuity::Break;

/// What candidates are called by meters. One for all partitions: what they say of the batch in hand
/// is that of the last one.
const CANDIDATES: &str = "candidates";

/// How often to see whether something is due, which costs nothing where it is not.
const TICK_EVERY: Duration = Duration::from_millis(500);

/// A session that lasted for so long had begun well.
const SETTLED: Duration = Duration::from_secs(10);

/// What all partitions of a worker share.
pub(super) struct Shared {
    pub(super) pool: Pool,
    pub(super) bus: jetstream::Context,
    pub(super) meters: Meters,
    pub(super) limits: BatchLimits,
    pub(super) replicas: usize,
    /// Rules, hosts and the like, once they were read.
    pub(super) known: watch::Receiver<Option<Arc<Known>>>,
    /// Told when there are events to publish, or pages to gather.
    pub(super) news: Vec<Arc<Notify>>,
}

impl Shared {
    async fn known(&self) -> Result<Arc<Known>> {
        let mut known = self.known.clone();
        let known = known.wait_for(Option::is_some).await.context("nobody reads the rules")?;
        known.clone().context("waited for it")
    }
}

enum Ended {
    /// It was told to.
    Stopped,
    /// Another worker has the partition.
    Lost,
    /// A commit was refused: what is in the database decides how to go on.
    Fenced,
    /// What had to be taken one by one is behind.
    CautionOver,
}

/// Decides about a partition until told to stop, or until another worker has it.
pub(super) async fn keep(shared: Arc<Shared>, lease: Lease, stop: CancellationToken) {
    let partition = lease.partition;
    let mut failures = 0;
    let mut caution = Caution::default();
    loop {
        let begun = Instant::now();
        let outcome = tokio::select! {
            () = stop.cancelled() => return,
            opened = Session::open(&shared, lease, &mut caution) => match opened {
                Ok(Some(session)) => session.run(&stop).await,
                Ok(None) => Ok(Ended::Lost),
                Err(failure) => Err(failure),
            },
        };
        match outcome {
            Ok(Ended::Stopped) => return,
            Ok(Ended::Lost) => {
                info!("another worker decides about {partition}");
                return;
            }
            Ok(Ended::Fenced | Ended::CautionOver) => continue,
            Err(failure) => tell_failure(&shared.meters, lease, &failure, failures),
        }
        // One that had worked for a while is not yet at its wits' end.
        failures = if begun.elapsed() > SETTLED { 1 } else { failures + 1 };
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(retry_delay(failures)) => {}
        }
    }
}

/// A broker that is restarted ends all readers once, which is nothing to tell of each; what does
/// not end by beginning again is told once.
fn tell_failure(meters: &Meters, lease: Lease, failure: &anyhow::Error, failures_before: u32) {
    let reason = format!("{}: {failure:#}", lease.partition);
    if failures_before == 1 {
        warn!("nothing is decided for now about {reason}");
    } else {
        debug!("begins again with what the database says of {reason}");
    }
    meters.with(CANDIDATES, now_ms(), |meter| meter.failed(now_ms(), &reason));
}

struct Session<'a> {
    shared: &'a Shared,
    lease: Lease,
    decider: Decider,
    source: OrderedSource,
    stream_created_at: i64,
    /// `None` until the broker has told its time.
    clock: Option<BusClock>,
    caution: &'a mut Caution,
}

impl<'a> Session<'a> {
    /// Loads what the database has and begins to read after it; `None` where another worker has the
    /// partition.
    async fn open(
        shared: &'a Shared,
        lease: Lease,
        caution: &'a mut Caution,
    ) -> Result<Option<Self>> {
        let known = shared.known().await?;
        let Some(decider) = load(&shared.pool, lease, &known).await? else { return Ok(None) };
        let (partition, offset) = (lease.partition, decider.offset());
        let messages_max = caution.messages_max(shared.limits.messages_max, offset.seq);
        let limits = BatchLimits { messages_max, ..shared.limits };
        let Opened { source, stream_created_at, broken } =
            from_partition::open(&shared.bus, partition, offset, limits, shared.replicas).await?;
        if let Some(broken) = broken {
            tell_break(&shared.meters, lease, broken);
        }
        debug!(epoch = lease.epoch, seq = offset.seq, "reads {partition}");
        let clock = None;
        Ok(Some(Self { shared, lease, decider, source, stream_created_at, clock, caution }))
    }

    async fn run(mut self, stop: &CancellationToken) -> Result<Ended> {
        let mut ticks = interval(TICK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_kept = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(Ended::Stopped),
                _ = ticks.tick() => self.tick_when_due().await?,
                batch = self.source.next() => self.handle(&batch?).await?,
            };
            if !is_kept {
                metrics::counter!("muster_alert_fenced_total").increment(1);
                warn!("nothing was kept: {} is not as it was left", self.lease.partition);
                return Ok(Ended::Fenced);
            }
            if self.caution.is_over(self.decider.offset().seq) {
                return Ok(Ended::CautionOver);
            }
        }
    }

    /// Decides about a batch, or notes that the database takes nothing of the kind.
    async fn handle(&mut self, messages: &[Message]) -> Result<bool> {
        let mut batch = from_partition::read_batch(messages)?;
        let (count, last_seq) = (batch.messages, batch.last_seq);
        if self.caution.leaves_out(count, last_seq) {
            metrics::counter!("muster_alert_unreadable_total").increment(1);
            error!("message {last_seq} of {} is left out: it cannot be kept", self.lease.partition);
            batch.heard.clear();
        }
        let outcome = self.decide(batch).await;
        if outcome.as_ref().is_err_and(is_about_content) {
            self.caution.refused(count, last_seq);
        }
        outcome
    }

    /// Decides about a batch and commits that with the offset, or nothing at all.
    async fn decide(&mut self, batch: Batch) -> Result<bool> {
        let begun = Instant::now();
        let known = self.shared.known().await?;
        let (count, first_at) = (batch.messages, batch.first_at);
        let meters = &self.shared.meters;
        meters.with(CANDIDATES, now_ms(), |meter| meter.begin(now_ms(), count, first_at));
        let mut client = self.shared.pool.get().await.context("no connection to the database")?;
        let transaction = client.transaction().await?;
        let present = self.clock.as_ref().map_or(batch.last_at, BusClock::now);
        let stream = self.stream_created_at;
        if !self.decider.handle(&transaction, stream, (batch, present), &known).await? {
            return Ok(false);
        }
        transaction.commit().await.context("cannot commit what was decided")?;
        self.tell();
        let seconds = begun.elapsed().as_secs_f64();
        meters.with(CANDIDATES, now_ms(), |meter| {
            meter.committed(now_ms(), seconds * 1000.0);
            meter.done(now_ms(), Done { messages: count, ..Done::default() });
        });
        metrics::counter!("muster_alert_candidates_total").increment(count as u64);
        metrics::histogram!("muster_alert_decision_seconds").record(seconds);
        Ok(true)
    }

    async fn tick_when_due(&mut self) -> Result<bool> {
        let known = self.shared.known().await?;
        let now = self.clock.as_ref().map(BusClock::now);
        let due = self.decider.next_deadline(&known);
        if now.zip(due).is_some_and(|(now, due)| now < due) {
            return Ok(true);
        }
        if self.decider.has_to_begin_again(&known) {
            return Ok(false);
        }
        let Look { at_ms, heard_until_ms, passed } = self.source.look().await?;
        self.clock = Some(BusClock { bus_ms: at_ms, seen: Instant::now() });
        // What is due may be undone by what still waits.
        let Some(now) = heard_until_ms else { return Ok(true) };
        let outcome = self.tick(now, passed, &known).await;
        match &outcome {
            Ok(true) => self.caution.due_is_kept(),
            Err(failure) if is_about_content(failure) => self.caution.due_was_refused(),
            _ => {}
        }
        outcome
    }

    async fn tick(&mut self, now: i64, passed: Option<Place>, known: &Known) -> Result<bool> {
        let mut client = self.shared.pool.get().await.context("no connection to the database")?;
        let transaction = client.transaction().await?;
        let (stream, each_alone) = (self.stream_created_at, self.caution.writes_each_alone());
        if !self.decider.tick(&transaction, stream, (now, passed), known, each_alone).await? {
            return Ok(false);
        }
        transaction.commit().await.context("cannot commit what was due")?;
        self.tell();
        Ok(true)
    }

    /// Others see at once to what was committed.
    fn tell(&mut self) {
        if self.decider.take_has_news() {
            self.shared.news.iter().for_each(|news| news.notify_one());
        }
    }
}

/// The engine has a mistake, and this is what has brought it to light.
#[derive(Debug, thiserror::Error)]
#[error("the engine broke over it")]
pub(super) struct BrokenOver;

/// Whether it is refused for what it says, and not only for now: by the database a value out of
/// range, a row that breaks a rule, or one that is too large.
pub(super) fn is_about_content(failure: &anyhow::Error) -> bool {
    if failure.is::<BrokenOver>() {
        return true;
    }
    let of_database = failure.chain().find_map(|cause| cause.downcast_ref::<DatabaseError>());
    let code = of_database.and_then(DatabaseError::code).map(SqlState::code);
    code.is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class)))
}

async fn load(pool: &Pool, lease: Lease, known: &Known) -> Result<Option<Decider>> {
    let mut client = pool.get().await.context("no connection to the database")?;
    let transaction = client.transaction().await?;
    let decider = Decider::load(&transaction, lease, known).await?;
    transaction.commit().await?;
    Ok(decider)
}

/// A person should look: candidates are lost, and why is not known here.
fn tell_break(meters: &Meters, lease: Lease, broken: Break) {
    let reason = format!("candidates of {} may be lost: {broken}", lease.partition);
    error!("{reason}");
    metrics::counter!("muster_alert_stream_breaks_total").increment(1);
    meters.with(CANDIDATES, now_ms(), |meter| meter.failed(now_ms(), &reason));
}
