//! One ingest worker draining a backlog, beside raw binary `COPY` of the same rows into the same
//! tables by one connection.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_nats::jetstream;
use futures::stream::{self, StreamExt, TryStreamExt};
use muster_agent::simulate::{SyntheticHost, simulated_host_id};
use muster_ingest_worker::io::copy::copy_frames;
use muster_runtime::migrate::migrate;
use muster_runtime::now_ms;
use muster_schemas::telemetry::TelemetryFrame;
use muster_schemas::{ENVELOPE_VERSION, Envelope};
use muster_stack::{PostgresOptions, Stack, StackOptions};
use muster_tests::bus::Bus;
use muster_tests::database::Database;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::time::{Instant, sleep, timeout};

use crate::figures::{Better, Figure, Figures};
use crate::process::cpu_seconds;

const HOSTS: usize = 400;
const FRAMES_PER_HOST: i64 = 100;
const SAMPLES_PER_FRAME: i64 = 3;

/// As many frames a transaction as the worker's own batches hold.
const FRAMES_PER_BATCH: usize = 2000;

/// Publishes under way at once.
const PUBLISHES_UNDER_WAY: usize = 256;

/// Several rounds, each side in turn: the machine's speed drifts, the ratio of neighbours less.
const ROUNDS: usize = 3;

const DRAIN_TIMEOUT: Duration = Duration::from_secs(300);

const TABLES: [&str; 6] = [
    "host_samples",
    "filesystem_samples",
    "disk_samples",
    "network_samples",
    "sensor_samples",
    "process_samples",
];

pub async fn measure(figures: &mut Figures) -> Result<()> {
    let options = StackOptions { postgres: PostgresOptions::default(), ..StackOptions::default() };
    let mut stack = Stack::start(options).await?;
    let bus = Bus::connect(&stack.nats_url()).await?;
    bus.prepare().await?;
    let mut rounds = Vec::new();
    for round in 1..=ROUNDS {
        let frames = frames(round as i64);
        let limit = raw_copy(&stack, &frames, round).await?;
        publish(&bus, &frames).await?;
        let worker = drain(&mut stack, &bus, &frames).await?;
        eprintln!(
            "ingest round {round} of {ROUNDS}: worker {:.0} rows/s, raw COPY {limit:.0} rows/s",
            worker.rows_per_s
        );
        rounds.push((worker, limit));
    }
    report(figures, &mut rounds);
    stack.shutdown().await;
    Ok(())
}

fn report(figures: &mut Figures, rounds: &mut [(Drained, f64)]) {
    // The round in the middle by its ratio: neither the luckiest nor the unluckiest.
    let ratio = |(worker, limit): &(Drained, f64)| worker.rows_per_s / limit;
    rounds.sort_by(|a, b| ratio(a).total_cmp(&ratio(b)));
    let middle = &rounds[rounds.len() / 2];
    let (worker, limit) = middle;
    let mut add = |name, value, unit, limit, goal| {
        figures.add(Figure { name, value, unit, limit, goal });
    };
    add("ingest.rows_per_s_one_worker", worker.rows_per_s, "rows/s", Some(*limit), None);
    add("ingest.messages_per_s_one_worker", worker.messages_per_s, "messages/s", None, None);
    add("ingest.worker_cpu_us_per_row", worker.cpu_us_per_row, "us", None, None);
    let goal = Some((0.5, Better::Higher));
    add("ingest.copy_ratio_one_worker", ratio(middle), "ratio", None, goal);
}

/// A backlog of synthetic frames. Each round is another epoch: nothing is a duplicate.
fn frames(epoch: i64) -> Vec<Envelope<TelemetryFrame>> {
    let newest = now_ms();
    let mut random = SmallRng::seed_from_u64(7);
    let mut hosts: Vec<SyntheticHost> =
        (0..HOSTS).map(|seed| SyntheticHost::new(seed as u64, &mut random)).collect();
    let mut frames = Vec::with_capacity(HOSTS * FRAMES_PER_HOST as usize);
    for seq in 1..=FRAMES_PER_HOST {
        for (number, host) in hosts.iter_mut().enumerate() {
            let end = newest - (FRAMES_PER_HOST - seq) * 15_000;
            let mut samples: Vec<_> = (1 - SAMPLES_PER_FRAME..=0)
                .map(|place| host.sample(end + place * 5000, &mut random))
                .collect();
            for older in &mut samples[..SAMPLES_PER_FRAME as usize - 1] {
                older.processes.top_cpu.clear();
                older.processes.top_memory.clear();
            }
            let host = simulated_host_id(number + 1);
            let body = TelemetryFrame { samples };
            frames.push(Envelope { v: ENVELOPE_VERSION, host, epoch, seq, sent_at: end, body });
        }
    }
    frames
}

/// Rows per second of nothing but `COPY` on one connection, in a database of its own.
async fn raw_copy(stack: &Stack, frames: &[Envelope<TelemetryFrame>], round: usize) -> Result<f64> {
    let name = format!("limit_{round}");
    let url = stack.postgres.create_database(&name).await?;
    migrate(&url).await?;
    let mut database = Database::connect(&url).await?;
    let days = "SELECT muster_ensure_partitions(current_date - 1, current_date + 1)";
    database.client.execute(days, &[]).await?;
    let started = Instant::now();
    let mut rows = 0;
    for batch in frames.chunks(FRAMES_PER_BATCH) {
        let transaction = database.client.transaction().await?;
        rows += copy_frames(&transaction, &batch.iter().collect::<Vec<_>>()).await?;
        transaction.commit().await?;
    }
    let seconds = started.elapsed().as_secs_f64();
    drop(database);
    stack.postgres.drop_database(&name).await?;
    Ok(rows as f64 / seconds)
}

async fn publish(bus: &Bus, frames: &[Envelope<TelemetryFrame>]) -> Result<()> {
    stream::iter(frames)
        .map(|frame| bus.publish_frame(frame, ""))
        .buffer_unordered(PUBLISHES_UNDER_WAY)
        .try_collect::<Vec<()>>()
        .await
        .map(drop)
}

struct Drained {
    rows_per_s: f64,
    messages_per_s: f64,
    cpu_us_per_row: f64,
}

/// Starts a worker on the backlog and measures until all of it is committed and acknowledged.
async fn drain(
    stack: &mut Stack,
    bus: &Bus,
    frames: &[Envelope<TelemetryFrame>],
) -> Result<Drained> {
    let database = Database::connect(&stack.postgres_url()).await?;
    let before = rows(&database).await?;
    let started = Instant::now();
    if stack.service("ingest-worker-1").is_ok() {
        stack.restart("ingest-worker-1").await?;
    } else {
        stack.add("ingest-worker-1", &StackOptions::default())?;
    }
    timeout(DRAIN_TIMEOUT, drained(bus, frames.len()))
        .await
        .context("the worker does not drain the backlog")??;
    let seconds = started.elapsed().as_secs_f64();
    let pid = stack.pid("ingest-worker-1")?.context("the worker has ended")?;
    let cpu = cpu_seconds(pid)?;
    stack.stop("ingest-worker-1").await?;
    let stored = (rows(&database).await? - before) as f64;
    ensure!(stored > 0.0, "the worker stored nothing");
    Ok(Drained {
        rows_per_s: stored / seconds,
        messages_per_s: frames.len() as f64 / seconds,
        cpu_us_per_row: cpu * 1e6 / stored,
    })
}

/// Returns once nothing of the telemetry stream waits.
async fn drained(bus: &Bus, published: usize) -> Result<()> {
    loop {
        let stream: jetstream::stream::Stream = bus.context.get_stream("TELEMETRY").await?;
        ensure!(stream.cached_info().state.messages >= published as u64, "messages are missing");
        if let Ok(info) = stream.consumer_info("ingest-telemetry").await
            && info.num_pending == 0
            && info.num_ack_pending == 0
        {
            return Ok(());
        }
        sleep(Duration::from_millis(20)).await;
    }
}

async fn rows(database: &Database) -> Result<i64> {
    let mut total = 0;
    for table in TABLES {
        total += database.count(table).await?;
    }
    Ok(total)
}
