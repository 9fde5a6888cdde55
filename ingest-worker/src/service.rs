//! The worker at work: take a batch, bury what is dead, store the rest, acknowledge.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use async_nats::connection::State;
use async_nats::jetstream::{self, Context, Message};
use muster_nats::consume::{BatchLimits, BatchSource, acknowledge};
use muster_nats::publish::{ACK_TIMEOUT, retry_delay};
use muster_nats::{BusOptions, ConsumerName, connect};
use muster_runtime::database;
use muster_runtime::health::{self, Health};
use muster_runtime::time::{duration_ms, now_ms};
use muster_schemas::inventory::Inventory;
use muster_schemas::logs::LogFrame;
use muster_schemas::signals::Signal;
use muster_schemas::telemetry::TelemetryFrame;
use muster_schemas::{Envelope, MessageId};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use crate::config::Config;
use crate::io::from_bus::{backlog, bury, incoming};
use crate::io::to_postgres::{Store, StoreError, Stored};
use crate::io::write::Write;
use crate::logic::intake::{Rules, Sorted, sort};

/// How stale the readiness may be.
const BUS_CHECK_EVERY: Duration = Duration::from_secs(1);

/// Batches that are decoded while another is written: one more would only wait longer.
const BATCHES_AHEAD: usize = 1;

/// One for each pipeline, one for partitions, one to spare.
const CONNECTIONS: usize = 6;

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
    let store = Arc::new(Store::new(pool));
    let worker = Worker { config, context, store: store.clone(), health, stop: stop.clone() };
    tasks.spawn(worker.clone().pipeline::<TelemetryFrame>(ConsumerName::IngestTelemetry));
    tasks.spawn(worker.clone().pipeline::<LogFrame>(ConsumerName::IngestLogs));
    tasks.spawn(worker.clone().pipeline::<Inventory>(ConsumerName::IngestInventory));
    tasks.spawn(worker.pipeline::<Signal>(ConsumerName::IngestSignals));
    tasks.spawn(async move {
        store.partitions().keep_ahead(store.pool(), now_ms, stop).await;
        Ok(())
    });
    while let Some(ended) = tasks.join_next().await {
        ended.context("a part of the worker failed")??;
    }
    Ok(())
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
    health: Health,
    stop: CancellationToken,
}

impl Worker {
    async fn pipeline<T: Write>(self, consumer: ConsumerName) -> Result<()> {
        let limits = BatchLimits {
            messages_max: self.config.batch_messages,
            bytes_max: self.config.batch_bytes,
            wait: self.config.batch_wait,
        };
        let replicas = self.config.nats_replicas;
        let source = BatchSource::new(self.context.clone(), consumer, limits, replicas);
        let (sender, mut batches) = mpsc::channel(BATCHES_AHEAD);
        let reader = read_batches::<T>(source, self.config.clone(), sender);
        let reader = tokio::spawn(reader);
        loop {
            let batch = tokio::select! {
                batch = batches.recv() => batch.context("the reader of batches has ended")?,
                () = self.stop.cancelled() => break,
            };
            let started = Instant::now();
            if !self.process::<T>(consumer, batch).await {
                break;
            }
            let channel = T::CHANNEL.as_str();
            let seconds = started.elapsed().as_secs_f64();
            metrics::histogram!("muster_ingest_batch_seconds", "channel" => channel)
                .record(seconds);
        }
        reader.abort();
        Ok(())
    }

    /// `false` if it was told to stop before the batch was stored; the broker keeps it.
    async fn process<T: Write>(&self, consumer: ConsumerName, batch: Batch<T>) -> bool {
        let Batch { messages, sorted } = batch;
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
        let Some(stored) = self.store_all(consumer, &letters, &dead).await else { return false };
        acknowledge(&messages).await;
        let dead_letters = sorted.rejected.len();
        metrics::counter!("muster_ingest_expired_total", "channel" => T::CHANNEL.as_str())
            .increment(sorted.expired as u64);
        count::<T>(&messages, stored, dead_letters, sorted.repeated + stored.duplicates);
        true
    }

    /// Stores the batch, in halves where the database refuses a value of it.
    async fn store_all<T: Write>(
        &self,
        consumer: ConsumerName,
        batch: &[Letter<'_, T>],
        dead: &[MessageId],
    ) -> Option<Stored> {
        let mut total = Stored::default();
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
        Some(total)
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
            match self.store.store(&envelopes, dead).await {
                Ok(stored) => {
                    self.health.set("database", true);
                    return Some(Ok(stored));
                }
                Err(StoreError::Poison(cause)) => {
                    return Some(Err(format!("the database refuses it: {cause:#}")));
                }
                Err(StoreError::Retry(cause)) => {
                    self.health.set("database", false);
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
}

/// A batch and what became of its messages.
struct Batch<T> {
    messages: Vec<Message>,
    sorted: Sorted<T>,
}

/// Takes and decodes batches ahead of the writer, which is then never kept waiting by either.
async fn read_batches<T: Write>(
    mut source: BatchSource,
    config: Config,
    batches: mpsc::Sender<Batch<T>>,
) {
    source.open().await;
    loop {
        let messages = source.next().await;
        let rules = Rules {
            now_ms: now_ms(),
            late_ms_max: duration_ms(config.late_max),
            late_lines_ms_max: duration_ms(config.late_lines_max),
        };
        let sorted = sort::<T>(&incoming(&messages), rules);
        if batches.send(Batch { messages, sorted }).await.is_err() {
            return;
        }
    }
}

/// A message and what it says.
struct Letter<'a, T> {
    message: &'a Message,
    envelope: &'a Envelope<T>,
}

fn count<T: Write>(messages: &[Message], stored: Stored, dead: usize, duplicates: usize) {
    let channel = T::CHANNEL.as_str();
    let (pending, again) = backlog(messages);
    let add = |name: &'static str, count: u64| {
        metrics::counter!(name, "channel" => channel).increment(count);
    };
    add("muster_ingest_messages_total", stored.messages as u64);
    add("muster_ingest_rows_total", stored.rows);
    add("muster_ingest_duplicates_total", duplicates as u64);
    add("muster_ingest_redelivered_total", again as u64);
    add("muster_ingest_dead_letters_total", dead as u64);
    metrics::gauge!("muster_ingest_pending_messages", "channel" => channel).set(pending as f64);
    metrics::histogram!("muster_ingest_batch_messages", "channel" => channel)
        .record(messages.len() as f64);
    debug!(channel, messages = stored.messages, rows = stored.rows, duplicates, pending, "stored");
}
