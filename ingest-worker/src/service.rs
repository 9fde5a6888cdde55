//! The worker at work: take a batch, bury what is dead, store the rest, acknowledge.

mod fresh;
pub mod retention;
mod showing;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use async_nats::connection::State;
use async_nats::jetstream::{self, Context, Message};
use deadpool_postgres::Pool;
use muster_nats::consume::{BatchLimits, BatchSource, acknowledge, in_progress};
use muster_nats::publish::{ACK_TIMEOUT, retry_delay};
use muster_nats::{BusOptions, ConsumerName, connect};
use muster_runtime::database;
use muster_runtime::health::{self, Health};
use muster_runtime::meter::{self, Meters};
use muster_runtime::time::now_ms;
use muster_runtime::workers;
use muster_schemas::inventory::Inventory;
use muster_schemas::logs::LogFrame;
use muster_schemas::signals::Signal;
use muster_schemas::telemetry::TelemetryFrame;
use muster_schemas::{Channel, Envelope, MessageId};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::{JoinError, JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::config::Config;
use crate::io::from_bus::{backlog, bury, incoming, oldest_at};
use crate::io::repair::Repair;
use crate::io::rollups::{Rollups, Timing};
use crate::io::to_postgres::{Store, StoreError, Stored};
use crate::io::write::Write;
use crate::logic::behind::Waiting;
use crate::logic::intake::{Sorted, sort_by};
use retention::Kept;

/// How stale the readiness may be.
const BUS_CHECK_EVERY: Duration = Duration::from_secs(1);

/// Batches that are decoded while another is written: one more would only wait longer.
const BATCHES_AHEAD: usize = 1;

/// Batches of telemetry and of logs that are under way at once: while the rows of one are copied,
/// the one before it is entered in the ledger, committed and acknowledged. Only one copies at a
/// time (see `Store`), so a third would only wait.
const WRITERS: usize = 2;

/// What neither the database nor the bus lets end is given up so long after the word to stop. A
/// batch takes a second; whoever stops containers waits for ten.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// One for each batch under way and each of the loops beside them, some to spare.
const CONNECTIONS: usize = 16;

pub async fn run(config: Config, stop: CancellationToken) -> Result<()> {
    let health = Health::start(&["bus", "database"])?;
    let listener = health::bind(&config.listen).await?;
    info!("health and metrics on http://{}", listener.local_addr()?);
    let mut tasks = JoinSet::new();
    tasks.spawn(health::serve(listener, health.router(), stop.clone()));

    let pool = database::pool(&config.postgres_url, "muster-ingest-worker", CONNECTIONS)?;
    tokio::select! {
        ready = database::wait_for_schema(&pool) => ready?,
        () = stop.cancelled() => return Ok(()),
    }
    health.set("database", true);
    let bus = connect(BusOptions {
        url: config.nats_url.clone(),
        credentials: config.nats_credentials.clone(),
        name: "muster-ingest-worker".into(),
        inbox_prefix: None,
        connected: None,
    })
    .await?;
    let mut context = jetstream::new(bus);
    context.set_timeout(ACK_TIMEOUT);

    tasks.spawn(watch_bus(context.client().clone(), health.clone(), stop.clone()));
    let kept = Arc::new(Kept::new(&config));
    if !read_rules(&kept, &pool, &stop).await {
        return Ok(());
    }
    let every = config.retention_every;
    tasks.spawn(retention::heed(pool.clone(), kept.clone(), every, stop.clone()));
    tasks.spawn(retention::remove(pool.clone(), kept.clone(), every, stop.clone()));
    let store = Arc::new(Store::new(pool));
    let meters = Meters::default();
    tasks.spawn(showing::show(meters.clone(), stop.clone()));
    let waiting = Arc::new(std::array::from_fn(|_| watch::channel(Waiting::default()).0));
    let worker =
        Worker { config, context, store, kept, meters, health, stop: stop.clone(), waiting };
    worker.start_loops(&mut tasks);
    tasks.spawn(worker.clone().pipeline::<TelemetryFrame>(ConsumerName::IngestTelemetry));
    tasks.spawn(worker.clone().pipeline::<LogFrame>(ConsumerName::IngestLogs));
    tasks.spawn(worker.clone().pipeline::<Inventory>(ConsumerName::IngestInventory));
    tasks.spawn(worker.pipeline::<Signal>(ConsumerName::IngestSignals));
    tokio::select! {
        ended = all_ended(&mut tasks) => ended,
        // Transactions are rolled back, and the broker keeps the messages.
        () = stop_is_due(&stop) => {
            warn!("{} parts of the worker are given up: something does not answer", tasks.len());
            Ok(())
        }
    }
}

async fn all_ended(tasks: &mut JoinSet<Result<()>>) -> Result<()> {
    while let Some(ended) = tasks.join_next().await {
        ended.context("a part of the worker failed")??;
    }
    Ok(())
}

async fn stop_is_due(stop: &CancellationToken) {
    stop.cancelled().await;
    sleep(STOP_GRACE).await;
}

/// Before anything is taken from the bus: by the default rules it might be refused that is to be
/// kept. `false` if it was told to stop.
async fn read_rules(kept: &Kept, pool: &Pool, stop: &CancellationToken) -> bool {
    for attempt in 1.. {
        let Err(error) = kept.read(pool).await else { return true };
        warn!("the retention rules were not read, trying again: {error:#}");
        tokio::select! {
            () = sleep(retry_delay(attempt)) => {}
            () = stop.cancelled() => break,
        }
    }
    false
}

/// Keeps the readiness true to the connection.
async fn watch_bus(bus: async_nats::Client, health: Health, stop: CancellationToken) -> Result<()> {
    while !stop.is_cancelled() {
        health.set("bus", bus.connection_state() == State::Connected);
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(BUS_CHECK_EVERY) => {}
        }
    }
    Ok(())
}

#[derive(Clone)]
struct Worker {
    config: Config,
    context: Context,
    store: Arc<Store>,
    kept: Arc<Kept>,
    meters: Meters,
    health: Health,
    stop: CancellationToken,
    /// For each channel.
    waiting: Arc<[watch::Sender<Waiting>; Channel::ALL.len()]>,
}

impl Worker {
    /// What goes on beside the pipelines.
    fn start_loops(&self, tasks: &mut JoinSet<Result<()>>) {
        let Self { config, context, store, meters, stop, .. } = self.clone();
        let pool = store.pool().clone();
        let repair = Repair { pool: pool.clone(), bus: context, after: config.repair_after };
        let (rollups, rolled) = (self.rollups(), store.clone());
        let (first, second, third) = (stop.clone(), stop.clone(), stop.clone());
        tasks.spawn(async move {
            repair.run(first).await;
            Ok(())
        });
        tasks.spawn(async move {
            rollups.run(rolled.partitions(), second).await;
            Ok(())
        });
        tasks.spawn(async move {
            workers::tell(pool, "ingest-worker", meters, third).await;
            Ok(())
        });
        tasks.spawn(async move {
            store.partitions().keep_ahead(store.pool(), now_ms, stop).await;
            Ok(())
        });
    }

    fn rollups(&self) -> Rollups {
        let kept = self.kept.clone();
        // What was stored under an id is an id.
        let kept = move |host: &str| host.parse().map_or(0, |host| kept.samples_ms(&host));
        Rollups::new(self.store.pool().clone(), Timing::default(), Arc::new(kept))
            .waiting_for(self.waiting(Channel::Telemetry))
    }

    async fn pipeline<T: Write>(self, consumer: ConsumerName) -> Result<()> {
        let limits = BatchLimits {
            messages_max: self.config.batch_messages,
            bytes_max: self.config.batch_bytes,
            wait: self.config.batch_wait,
        };
        let replicas = self.config.nats_replicas;
        let source = BatchSource::new(self.context.clone(), consumer, limits, replicas)
            .ack_wait(self.config.ack_wait);
        let every = source.sign_of_life_every();
        let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
        let reader = tokio::spawn(self.clone().read_batches::<T>(source, sender));
        let batches = Arc::new(Mutex::new(batches));
        let mut writers = JoinSet::new();
        if writers_of(T::CHANNEL) > 1 {
            writers.spawn(self.clone().store_fresh::<T>(consumer, limits));
        }
        for _ in 0..writers_of(T::CHANNEL) {
            writers.spawn(self.clone().write_batches::<T>(consumer, batches.clone(), every));
        }
        while let Some(ended) = writers.join_next().await {
            ended.context("a writer failed")??;
        }
        reader.abort();
        Ok(())
    }

    /// Takes and decodes batches ahead of the writers, which are then never kept waiting by either.
    async fn read_batches<T: Write>(
        self,
        mut source: BatchSource,
        batches: mpsc::Sender<Batch<T>>,
    ) {
        source.open().await;
        loop {
            let messages = source.next().await;
            self.look_behind(T::CHANNEL, &messages);
            let Ok(batch) = self.decode::<T>(messages).await else { return };
            if !source.hand_on(&batches, batch, |batch| batch.messages.as_slice()).await {
                return;
            }
        }
    }

    /// On a thread of its own: the runtime's one copies meanwhile, and must not wait.
    async fn decode<T: Write>(&self, messages: Vec<Message>) -> Result<Batch<T>, JoinError> {
        let kept = self.kept.clone();
        spawn_blocking(move || {
            let sorted = sort_by::<T>(&incoming(&messages), kept.rules());
            Batch { messages, sorted }
        })
        .await
    }

    /// Stores one batch after the other until told to stop.
    async fn write_batches<T: Write>(
        self,
        consumer: ConsumerName,
        batches: Arc<Mutex<mpsc::Receiver<Batch<T>>>>,
        every: Duration,
    ) -> Result<()> {
        let next = async || batches.lock().await.recv().await;
        loop {
            let batch = tokio::select! {
                batch = next() => batch.context("the reader of batches has ended")?,
                () = self.stop.cancelled() => return Ok(()),
            };
            let started = Instant::now();
            let work = self.process::<T>(consumer, &batch);
            if !in_progress(&batch.messages, every, work).await {
                return Ok(());
            }
            let channel = T::CHANNEL.as_str();
            let seconds = started.elapsed().as_secs_f64();
            metrics::histogram!("muster_ingest_batch_seconds", "channel" => channel)
                .record(seconds);
        }
    }

    /// `false` if it was told to stop before the batch was stored; the broker keeps it.
    async fn process<T: Write>(&self, consumer: ConsumerName, batch: &Batch<T>) -> bool {
        let Batch { messages, sorted } = batch;
        self.measure::<T>(|meter, now| meter.begin(now, messages.len(), oldest_at(messages)));
        for rejected in &sorted.rejected {
            let message = &messages[rejected.index];
            tokio::select! {
                () = bury(&self.context, consumer.stream(), message, &rejected.reason) => {}
                () = self.stop.cancelled() => return false,
            }
        }
        let dead: Vec<MessageId> = sorted.rejected.iter().filter_map(|r| r.id.clone()).collect();
        let letters: Vec<Letter<'_, T>> = sorted
            .accepted
            .iter()
            .map(|(index, envelope)| Letter { message: &messages[*index], envelope })
            .collect();
        let Some((stored, refused)) = self.store_all(consumer, &letters, &dead).await else {
            return false;
        };
        acknowledge(messages).await;
        metrics::counter!("muster_ingest_expired_total", "channel" => T::CHANNEL.as_str())
            .increment(sorted.expired as u64);
        let done = meter::Batch {
            messages: stored.messages,
            rows: stored.rows,
            redelivered: backlog(messages).1,
            duplicates: sorted.repeated + stored.duplicates,
            dead_letters: sorted.rejected.len() + refused,
        };
        self.measure::<T>(|meter, now| meter.done(now, done));
        count::<T>(messages, done);
        true
    }

    fn measure<T: Write>(&self, tell: impl FnOnce(&mut meter::Meter, i64)) {
        let now = now_ms();
        self.meters.with(T::CHANNEL.as_str(), now, |meter| tell(meter, now));
    }

    /// Stores the batch, in halves where the database refuses a value of it; answers also how many
    /// messages it refused for good.
    async fn store_all<T: Write>(
        &self,
        consumer: ConsumerName,
        batch: &[Letter<'_, T>],
        dead: &[MessageId],
    ) -> Option<(Stored, usize)> {
        let (mut total, mut refused) = (Stored::default(), 0);
        let mut parts: Vec<(&[Letter<'_, T>], Vec<MessageId>)> = vec![(batch, dead.to_vec())];
        while let Some((part, dead)) = parts.pop() {
            match self.store_part(part, &dead).await? {
                Ok(stored) => {
                    total.messages += stored.messages;
                    total.rows += stored.rows;
                    total.duplicates += stored.duplicates;
                }
                Err(reason) => match part {
                    [] => error!("the ledger does not take dead letters: {reason}"),
                    [letter] => {
                        refused += 1;
                        bury(&self.context, consumer.stream(), letter.message, &reason).await;
                        let ids = dead.into_iter().chain([letter.envelope.message_id()]);
                        parts.push((&[], ids.collect()));
                    }
                    _ => {
                        let (first, second) = part.split_at(part.len() / 2);
                        parts.push((second, Vec::new()));
                        parts.push((first, dead));
                    }
                },
            }
        }
        Some((total, refused))
    }

    /// Tries until it is stored (`Ok`) or refused for good (`Err` with the reason). `None` if told
    /// to stop meanwhile.
    async fn store_part<T: Write>(
        &self,
        part: &[Letter<'_, T>],
        dead: &[MessageId],
    ) -> Option<Result<Stored, String>> {
        let envelopes: Vec<&Envelope<T>> = part.iter().map(|letter| letter.envelope).collect();
        for attempt in 1.. {
            let started = Instant::now();
            match self.store.store(&envelopes, dead).await {
                Ok(stored) => {
                    self.health.set("database", true);
                    self.committed::<T>(started.elapsed());
                    return Some(Ok(stored));
                }
                Err(StoreError::Poison(cause)) => {
                    return Some(Err(format!("the database refuses it: {cause:#}")));
                }
                Err(StoreError::Retry(cause)) => {
                    self.health.set("database", false);
                    self.measure::<T>(|meter, now| meter.failed(now, &format!("{cause:#}")));
                    let messages = part.len();
                    error!("could not store {messages} messages, trying again: {cause:#}");
                    tokio::select! {
                        () = sleep(retry_delay(attempt)) => {}
                        () = self.stop.cancelled() => return None,
                    }
                }
            }
        }
        None
    }

    fn committed<T: Write>(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        self.measure::<T>(|meter, now| meter.committed(now, seconds * 1000.0));
        let channel = T::CHANNEL.as_str();
        metrics::histogram!("muster_ingest_commit_seconds", "channel" => channel).record(seconds);
    }
}

/// What is written row by row over older rows is written by one.
fn writers_of(channel: Channel) -> usize {
    match channel {
        Channel::Telemetry | Channel::Logs => WRITERS,
        Channel::Signals | Channel::Inventory => 1,
    }
}

/// A batch and what became of its messages.
struct Batch<T> {
    messages: Vec<Message>,
    sorted: Sorted<T>,
}

/// A message and what it says.
struct Letter<'a, T> {
    message: &'a Message,
    envelope: &'a Envelope<T>,
}

fn count<T: Write>(messages: &[Message], done: meter::Batch) {
    let channel = T::CHANNEL.as_str();
    let (pending, _) = backlog(messages);
    let add = |name: &'static str, count: u64| {
        metrics::counter!(name, "channel" => channel).increment(count);
    };
    add("muster_ingest_messages_total", done.messages as u64);
    add("muster_ingest_rows_total", done.rows);
    add("muster_ingest_duplicates_total", done.duplicates as u64);
    add("muster_ingest_redelivered_total", done.redelivered as u64);
    add("muster_ingest_dead_letters_total", done.dead_letters as u64);
    metrics::gauge!("muster_ingest_pending_messages", "channel" => channel).set(pending as f64);
    metrics::histogram!("muster_ingest_batch_messages", "channel" => channel)
        .record(messages.len() as f64);
    debug!(channel, ?done, pending, "stored");
}
