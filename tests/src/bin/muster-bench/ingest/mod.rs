//! How fast messages become rows, beside what the database takes from anybody: raw binary `COPY` of
//! the same rows into the same tables.
//!
//! Sides of a ratio take turns within each round, and the round in the middle counts: the speed of
//! a machine drifts, the ratio of neighbours less.

mod catch_up;
mod copy;
mod drain;
mod fleet;
mod steady;
mod storage;

use std::sync::Arc;

use anyhow::Result;
use muster_schemas::Envelope;
use muster_schemas::telemetry::TelemetryFrame;
use muster_stack::{PostgresOptions, Stack, StackOptions};
use muster_tests::bus::Bus;
use muster_tests::database::Database;

use crate::figures::{Better, Figure, Figures};
use copy::raw_copy;
use drain::{Drained, drain, publish};
use fleet::Fleet;

const HOSTS: usize = 400;
/// Enough that starting and ending, which a worker does once, make no difference.
const FRAMES_PER_HOST: i64 = 300;

/// Each table that samples go to.
const TABLES: [&str; 6] = [
    "host_samples",
    "filesystem_samples",
    "disk_samples",
    "network_samples",
    "sensor_samples",
    "process_samples",
];

/// How much is measured.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Sizes {
    /// Rounds of each ratio.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Hosts that one worker is to keep up with.
    #[arg(long, default_value_t = 10_000)]
    hosts: usize,
    /// How long it has to keep up with them, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The backlog to catch up with.
    #[arg(long, default_value_t = 2_000_000)]
    samples: i64,
}

/// One round: rows a second of raw `COPY` by one and two connections, and what as many workers did.
struct Round {
    limits: [f64; 2],
    workers: [Drained; 2],
}

impl Round {
    fn ratio(&self, workers: usize) -> f64 {
        self.workers[workers - 1].rows_per_s / self.limits[workers - 1]
    }
}

pub async fn measure(figures: &mut Figures, sizes: Sizes) -> Result<()> {
    let options = StackOptions { postgres: PostgresOptions::default(), ..StackOptions::default() };
    let mut stack = Stack::start(options).await?;
    let bus = Bus::connect(&stack.nats_url()).await?;
    bus.prepare().await?;
    let mut rounds = Vec::new();
    for round in 1..=sizes.rounds {
        rounds.push(measure_round(&mut stack, &bus, round, sizes.rounds).await?);
    }
    report(figures, &mut rounds);
    storage::measure(figures, &stack).await?;
    steady::measure(figures, &mut stack, &bus, sizes).await?;
    catch_up::measure(figures, &mut stack, &bus, sizes.samples).await?;
    stack.shutdown().await;
    Ok(())
}

async fn measure_round(stack: &mut Stack, bus: &Bus, round: usize, of: usize) -> Result<Round> {
    let mut limits = Vec::new();
    let mut workers = Vec::new();
    for count in 1..=2 {
        let epoch = (2 * round + count) as i64;
        let frames: Arc<Vec<Envelope<TelemetryFrame>>> =
            Arc::new(Fleet::new(HOSTS).backlog(epoch, FRAMES_PER_HOST));
        empty_tables(stack).await?;
        let limit = raw_copy(stack, &frames, count).await?;
        empty_tables(stack).await?;
        publish(bus, &frames).await?;
        let drained = drain(stack, bus, frames.len(), count).await?;
        eprintln!(
            "ingest round {round} of {of}: {count} worker(s) {:.0} rows/s, {count} connection(s) \
             of raw COPY {limit:.0} rows/s, ratio {:.2}",
            drained.rows_per_s,
            drained.rows_per_s / limit
        );
        limits.push(limit);
        workers.push(drained);
    }
    let pair = "two were measured";
    Ok(Round {
        limits: limits.try_into().expect(pair),
        workers: workers.try_into().ok().expect(pair),
    })
}

/// Each measurement begins with empty tables and nothing left to be written to disk.
async fn empty_tables(stack: &Stack) -> Result<()> {
    let database = Database::connect(&stack.postgres_url()).await?;
    let days = "SELECT muster_ensure_partitions(current_date - 1, current_date + 1)";
    database.client.execute(days, &[]).await?;
    database.client.batch_execute(&format!("TRUNCATE {}", TABLES.join(", "))).await?;
    database.client.batch_execute("CHECKPOINT").await?;
    Ok(())
}

fn report(figures: &mut Figures, rounds: &mut [Round]) {
    for count in [1, 2] {
        // Neither the luckiest round nor the unluckiest.
        rounds.sort_by(|a, b| a.ratio(count).total_cmp(&b.ratio(count)));
        let middle = &rounds[rounds.len() / 2];
        let (done, limit) = (&middle.workers[count - 1], middle.limits[count - 1]);
        let one = count == 1;
        let name = |one_worker, two_workers| if one { one_worker } else { two_workers };
        let mut add = |name, value, unit, limit, goal| {
            figures.add(Figure { name, value, unit, limit, goal });
        };
        let rate = name("ingest.rows_per_s_one_worker", "ingest.rows_per_s_two_workers");
        add(rate, done.rows_per_s, "rows/s", Some(limit), None);
        let rate = name("ingest.messages_per_s_one_worker", "ingest.messages_per_s_two_workers");
        add(rate, done.messages_per_s, "messages/s", None, None);
        let cpu = name("ingest.worker_cpu_us_per_row", "ingest.two_workers_cpu_us_per_row");
        add(cpu, done.worker_cpu_us_per_row, "us", None, None);
        let cpu = name("ingest.server_cpu_us_per_row", "ingest.server_of_two_cpu_us_per_row");
        add(cpu, done.server_cpu_us_per_row, "us", None, None);
        let ratio = name("ingest.copy_ratio_one_worker", "ingest.copy_ratio_two_workers");
        add(ratio, middle.ratio(count), "ratio", None, Some((0.7, Better::Higher)));
    }
}
