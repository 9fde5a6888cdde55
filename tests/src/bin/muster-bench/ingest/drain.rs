//! Workers on a backlog: from the first message they take until the last is acknowledged.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_nats::jetstream::stream::Stream;
use futures::stream::{self, StreamExt, TryStreamExt};
use muster_schemas::Envelope;
use muster_schemas::telemetry::TelemetryFrame;
use muster_stack::{Stack, StackOptions};
use muster_tests::bus::Bus;
use muster_tests::database::Database;
use tokio::time::{Instant, sleep, timeout};

use super::TABLES;
use crate::process::{cpu_seconds, tree_cpu_seconds};

/// Publishes under way at once.
pub const PUBLISHES_UNDER_WAY: usize = 256;

/// Two million samples on a busy machine.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1800);

const LOOK_EVERY: Duration = Duration::from_millis(20);

pub struct Drained {
    pub rows_per_s: f64,
    pub messages_per_s: f64,
    /// Of all workers together.
    pub worker_cpu_us_per_row: f64,
    pub server_cpu_us_per_row: f64,
}

/// Fills the stream with nothing but these.
pub async fn publish(bus: &Bus, frames: &[Envelope<TelemetryFrame>]) -> Result<()> {
    bus.context.get_stream("TELEMETRY").await?.purge().await?;
    stream::iter(frames)
        .map(|frame| bus.publish_frame(frame, ""))
        .buffer_unordered(PUBLISHES_UNDER_WAY)
        .try_collect::<Vec<()>>()
        .await
        .map(drop)
}

/// Starts so many workers on the backlog and measures until all of it is committed and
/// acknowledged.
pub async fn drain(
    stack: &mut Stack,
    bus: &Bus,
    published: usize,
    workers: usize,
) -> Result<Drained> {
    let database = Database::connect(&stack.postgres_url()).await?;
    let rows_before = rows(&database).await?;
    let stream = bus.context.get_stream("TELEMETRY").await?;
    let waiting = stream.cached_info().state.messages;
    ensure!(waiting >= published as u64, "only {waiting} messages wait");
    let postgres = stack.pid("postgres")?.context("PostgreSQL has ended")?;
    let server_before = tree_cpu_seconds(postgres)?;
    start_workers(stack, workers).await?;
    let first = async || is_begun(&stream, published).await;
    timeout(DRAIN_TIMEOUT, until(first)).await.context("the workers take nothing")?;
    let started = Instant::now();
    let last = async || is_drained(&stream).await;
    timeout(DRAIN_TIMEOUT, until(last)).await.context("the backlog is not drained")?;
    let seconds = started.elapsed().as_secs_f64();
    let server = tree_cpu_seconds(postgres)? - server_before;
    let worker = stop_workers(stack, workers).await?;
    let stored = (rows(&database).await? - rows_before) as f64;
    ensure!(stored > 0.0, "the workers stored nothing");
    Ok(Drained {
        rows_per_s: stored / seconds,
        messages_per_s: published as f64 / seconds,
        worker_cpu_us_per_row: worker * 1e6 / stored,
        server_cpu_us_per_row: server * 1e6 / stored,
    })
}

pub async fn start_workers(stack: &mut Stack, workers: usize) -> Result<()> {
    for number in 1..=workers {
        let name = format!("ingest-worker-{number}");
        if stack.service(&name).is_ok() {
            stack.restart(&name).await?;
        } else {
            stack.add(&name, &StackOptions::default())?;
        }
    }
    Ok(())
}

/// Answers the CPU seconds they have used.
pub async fn stop_workers(stack: &mut Stack, workers: usize) -> Result<f64> {
    let mut used = 0.0;
    for number in 1..=workers {
        let name = format!("ingest-worker-{number}");
        used += cpu_seconds(stack.pid(&name)?.context("a worker has ended")?)?;
        stack.stop(&name).await?;
    }
    Ok(used)
}

pub async fn until(is_so: impl AsyncFn() -> bool) {
    while !is_so().await {
        sleep(LOOK_EVERY).await;
    }
}

async fn is_begun(stream: &Stream, published: usize) -> bool {
    let info = stream.consumer_info("ingest-telemetry").await;
    info.is_ok_and(|info| info.num_pending < published as u64)
}

pub async fn is_drained(stream: &Stream) -> bool {
    let info = stream.consumer_info("ingest-telemetry").await;
    info.is_ok_and(|info| info.num_pending == 0 && info.num_ack_pending == 0)
}

pub async fn rows(database: &Database) -> Result<i64> {
    let mut total = 0;
    for table in TABLES {
        total += database.count(table).await?;
    }
    Ok(total)
}
