//! Shares the partitions with the other workers: renews what this one has, takes what is its to
//! take, and gives back what is another's or, at the end, everything.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use async_nats::connection::State;
use async_nats::jetstream;
use muster_nats::consume::BatchLimits;
use muster_runtime::database;
use muster_runtime::meter::Meters;
use muster_schemas::Partition;
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::BATCH_BYTES_MAX;
use super::knowledge::Known;
use super::partition::{Shared, keep};
use crate::config::Config;
use crate::io::lease::{ANSWER_MAX, Lease, Leases, RENEW_EVERY};
use crate::logic::balance::plan;

/// How often to look who has what: one that was given back is taken after this, and a hand-over
/// takes less than a second. It costs the database a statement over some forty rows.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Transactions in which is decided at the same time. More would only queue at the database, and
/// while they wait their batches grow.
const DECIDING_CONNECTIONS: usize = 4;

/// Of its own, so that a lease never waits for decisions.
const LEASE_CONNECTIONS: usize = 1;

/// Candidates of one transaction; as many wait for the next one. A storm of 5,000 hosts is ten of
/// the fleet's.
const BATCH_MESSAGES_MAX: usize = 500;

/// How long partitions may take to finish what they are at when the worker ends; a batch takes some
/// milliseconds.
const DRAIN_MAX: Duration = Duration::from_secs(3);

/// How long to give them back then. Where that fails, others take them when the lease has ended.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);

struct Kept {
    lease: Lease,
    stop: CancellationToken,
    task: AbortHandle,
}

struct Holder {
    leases: Leases,
    shared: Arc<Shared>,
    kept: BTreeMap<Partition, Kept>,
    tasks: JoinSet<()>,
    renewed: Option<Instant>,
    is_away: bool,
}

/// What those who decide are told, and whom they tell.
pub(super) struct Around {
    pub(super) known: watch::Receiver<Option<Arc<Known>>>,
    pub(super) news: Vec<Arc<Notify>>,
}

/// What shares the partitions until told to stop, as the worker `id`.
pub(super) fn share(
    config: &Config,
    id: String,
    bus: jetstream::Context,
    meters: Meters,
    around: Around,
    stop: CancellationToken,
) -> Result<impl Future<Output = Result<()>> + use<>> {
    let (url, name) = (&config.postgres_url, "muster-alert-worker");
    let pool = database::bounded_pool(url, name, LEASE_CONNECTIONS, ANSWER_MAX)?;
    let limits = BatchLimits {
        messages_max: BATCH_MESSAGES_MAX,
        bytes_max: BATCH_BYTES_MAX,
        wait: config.batch_wait,
    };
    let shared = Shared {
        pool: database::pool(url, name, DECIDING_CONNECTIONS)?,
        bus,
        meters,
        limits,
        replicas: config.nats_replicas,
        known: around.known,
        news: around.news,
    };
    let holder = Holder {
        leases: Leases::new(pool, id),
        shared: Arc::new(shared),
        kept: BTreeMap::new(),
        tasks: JoinSet::new(),
        renewed: None,
        is_away: false,
    };
    Ok(holder.run(stop))
}

impl Holder {
    async fn run(mut self, stop: CancellationToken) -> Result<()> {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                Some(ended) = self.tasks.join_next() => self.give_back_ended(ended).await,
                _ = looks.tick() => {
                    let outcome = self.look().await;
                    self.note(&outcome);
                }
            }
        }
        self.leave().await;
        Ok(())
    }

    /// An outage of the database is told once.
    fn note(&mut self, outcome: &Result<()>) {
        match outcome {
            Err(failure) if !self.is_away => {
                warn!("cannot see to the partitions: {failure:#}");
                self.is_away = true;
            }
            Err(_) => {}
            Ok(()) => self.is_away = false,
        }
        metrics::gauge!("muster_alert_partitions").set(self.kept.len() as f64);
    }

    async fn look(&mut self) -> Result<()> {
        // Whoever cannot hear the bus leaves the partitions to those who can.
        let hears = self.shared.bus.client().connection_state() == State::Connected;
        if hears && self.renewed.is_none_or(|renewed| renewed.elapsed() >= RENEW_EVERY) {
            answered(self.leases.renew(&self.held())).await?;
            self.renewed = Some(Instant::now());
        }
        let view = answered(self.leases.look()).await?;
        let plan = plan(self.leases.me(), &self.held(), &view);
        let others = |kept: &&Kept| !kept.stop.is_cancelled();
        for kept in plan.lost.iter().filter_map(|partition| self.kept.get(partition)).filter(others)
        {
            info!("another worker decides about {}", kept.lease.partition);
            kept.stop.cancel();
        }
        for kept in plan.give_back.iter().filter_map(|partition| self.kept.get(partition)) {
            kept.stop.cancel();
        }
        if hears && !plan.take.is_empty() {
            let taken = answered(self.leases.take(&plan.take)).await?;
            info!("takes {} partitions; {} workers are there", taken.len(), view.workers.len());
            for lease in taken {
                self.keep(lease);
            }
        }
        Ok(())
    }

    fn held(&self) -> BTreeMap<Partition, i64> {
        self.kept.values().map(|kept| (kept.lease.partition, kept.lease.epoch)).collect()
    }

    fn keep(&mut self, lease: Lease) {
        let stop = CancellationToken::new();
        let task = self.tasks.spawn(keep(self.shared.clone(), lease, stop.clone()));
        self.kept.insert(lease.partition, Kept { lease, stop, task });
    }

    /// Those whose work has ended are free for others, or another has them already.
    async fn give_back_ended(&mut self, ended: Result<(), JoinError>) {
        if let Err(failure) = ended {
            error!("what decided about a partition has ended: {failure}");
        }
        let ended: Vec<Lease> = self
            .kept
            .values()
            .filter(|kept| kept.task.is_finished())
            .map(|kept| kept.lease)
            .collect();
        for lease in ended {
            self.kept.remove(&lease.partition);
            let outcome = answered(self.leases.give_back(lease)).await;
            self.note(&outcome);
        }
    }

    async fn leave(mut self) {
        self.kept.values().for_each(|kept| kept.stop.cancel());
        let drained = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(DRAIN_MAX, drained).await.is_err() {
            warn!("something is still being decided; what is not committed yet others will decide");
        }
        match timeout(FAREWELL_TIMEOUT, self.leases.leave()).await {
            Ok(Ok(())) => info!("gave back {} partitions", self.kept.len()),
            Ok(Err(failure)) => warn!("others take the partitions in a while: {failure:#}"),
            Err(_) => warn!("others take the partitions in a while: no answer from the database"),
        }
    }
}

/// A database that is only silent must not be waited for: it may have given a lease away.
async fn answered<T>(question: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(ANSWER_MAX, question).await.context("no answer from the database")?
}
