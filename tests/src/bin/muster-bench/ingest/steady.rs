//! One worker and a large fleet in its daily life: how late a message is committed, and what it
//! costs.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::stream::{self, StreamExt, TryStreamExt};
use muster_runtime::now_ms;
use muster_stack::Stack;
use muster_tests::bus::{Bus, TestHost};
use muster_tests::database::Database;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Sizes;
use super::drain::{PUBLISHES_UNDER_WAY, is_drained, start_workers, stop_workers, until};
use super::fleet::{FRAME_INTERVAL_MS, Fleet};
use crate::figures::{Better, Figure, Figures};
use crate::process::{cpu_seconds, tree_cpu_seconds};

/// One round of all hosts: each is new once, which is not what is measured.
const WARM_UP: Duration = Duration::from_millis(FRAME_INTERVAL_MS as u64);

/// Between two probes.
const PROBE_EVERY: Duration = Duration::from_millis(50);

/// How often a probe looks whether it was committed: its resolution.
const LOOK_EVERY: Duration = Duration::from_millis(4);

/// After the last message was published.
const CATCH_UP_MAX: Duration = Duration::from_secs(60);

/// The machine is called full at this share of its cores: beyond it queues grow at each hiccup.
const FULL: f64 = 0.8;

/// An epoch no other part uses.
const EPOCH: i64 = 1_000_000;

/// CPU seconds used so far.
struct Cpu {
    worker: f64,
    database: f64,
    broker: f64,
}

impl Cpu {
    fn of(stack: &mut Stack) -> Result<Self> {
        let mut pid = |part| stack.pid(part)?.with_context(|| format!("{part} has ended"));
        Ok(Self {
            worker: cpu_seconds(pid("ingest-worker-1")?)?,
            database: tree_cpu_seconds(pid("postgres")?)?,
            broker: cpu_seconds(pid("nats")?)?,
        })
    }

    fn since(&self, before: &Self, seconds: f64) -> Self {
        Self {
            worker: (self.worker - before.worker) / seconds,
            database: (self.database - before.database) / seconds,
            broker: (self.broker - before.broker) / seconds,
        }
    }

    fn sum(&self) -> f64 {
        self.worker + self.database + self.broker
    }
}

pub async fn measure(
    figures: &mut Figures,
    stack: &mut Stack,
    bus: &Bus,
    sizes: Sizes,
) -> Result<()> {
    eprintln!("ingest: {} hosts for {} s", sizes.hosts, sizes.seconds);
    bus.context.get_stream("TELEMETRY").await?.purge().await?;
    start_workers(stack, 1).await?;
    let publishing = publish_steadily(bus, sizes);
    let looking = async {
        sleep(WARM_UP).await;
        let (before, started) = (Cpu::of(stack)?, Instant::now());
        let late = probe(stack, bus, Duration::from_secs(sizes.seconds)).await?;
        let used = Cpu::of(stack)?.since(&before, started.elapsed().as_secs_f64());
        anyhow::Ok((late, used))
    };
    let (published, looked) = tokio::join!(publishing, looking);
    let (late, used) = looked?;
    let published = published?;
    let rate = published.frames as f64 / published.seconds;
    let meant = sizes.hosts as f64 * 1000.0 / FRAME_INTERVAL_MS as f64;
    ensure!(rate >= 0.95 * meant, "only {rate:.0} of {meant:.0} messages/s were published");
    let stream = bus.context.get_stream("TELEMETRY").await?;
    timeout(CATCH_UP_MAX, until(async || is_drained(&stream).await))
        .await
        .context("the worker has not stored what was published")?;
    stop_workers(stack, 1).await?;
    let database = Database::connect(&stack.postgres_url()).await?;
    let sql = "
        SELECT coalesce(sum(upper(received) - 1), 0)::int8 FROM ledger
        WHERE channel = 'telemetry' AND epoch = $1 AND received = int8multirange(int8range(1, upper(received)))";
    let stored: i64 = database.client.query_one(sql, &[&EPOCH]).await?.get(0);
    ensure!(stored == published.frames as i64, "{stored} of {} are stored", published.frames);
    report(figures, sizes, late, &used)
}

fn report(figures: &mut Figures, sizes: Sizes, mut late_ms: Vec<f64>, used: &Cpu) -> Result<()> {
    ensure!(late_ms.len() >= 10, "only {} probes came through", late_ms.len());
    late_ms.sort_by(f64::total_cmp);
    let at = |share: f64| late_ms[((late_ms.len() - 1) as f64 * share) as usize];
    let cores = std::thread::available_parallelism()?.get() as f64;
    let mut add = |name, value, unit, goal| {
        figures.add(Figure { name, value, unit, limit: None, goal });
    };
    let below = |goal| Some((goal, Better::Lower));
    add("ingest.publish_to_commit_p50_ms", at(0.5), "ms", None);
    add("ingest.publish_to_commit_p99_ms", at(0.99), "ms", None);
    add("ingest.fleet_hosts", sizes.hosts as f64, "hosts", None);
    add("ingest.fleet_lag_p99_s", at(0.99) / 1000.0, "s", below(2.0));
    add("ingest.fleet_lag_max_s", at(1.0) / 1000.0, "s", below(2.0));
    add("ingest.fleet_worker_cores", used.worker, "cores", below(1.0));
    add("ingest.fleet_database_cores", used.database, "cores", None);
    add("ingest.fleet_broker_cores", used.broker, "cores", None);
    // Agents, gateway and alert worker are not in it.
    let carried = sizes.hosts as f64 * cores * FULL / used.sum();
    add("ingest.fleet_hosts_extrapolated", carried, "hosts", None);
    Ok(())
}

struct Published {
    frames: usize,
    seconds: f64,
}

/// Each host a frame every 15 s, evenly spread.
async fn publish_steadily(bus: &Bus, sizes: Sizes) -> Result<Published> {
    let mut fleet = Fleet::new(sizes.hosts);
    let interval = Duration::from_millis(FRAME_INTERVAL_MS as u64).div_f64(sizes.hosts as f64);
    let total = WARM_UP + Duration::from_secs(sizes.seconds);
    let count = (total.as_secs_f64() / interval.as_secs_f64()) as usize;
    let (started, start_ms) = (Instant::now(), now_ms());
    let frame = |number: usize| {
        let due = interval * number as u32;
        let (index, seq) = (number % sizes.hosts, (number / sizes.hosts) as i64 + 1);
        let frame = fleet.frame(index, EPOCH, seq, start_ms + due.as_millis() as i64);
        async move {
            sleep_until(started + due).await;
            bus.publish_frame(&frame, "").await
        }
    };
    stream::iter(0..count)
        .map(frame)
        .buffer_unordered(PUBLISHES_UNDER_WAY)
        .try_for_each(|()| async { Ok(()) })
        .await?;
    Ok(Published { frames: count, seconds: started.elapsed().as_secs_f64() })
}

/// How long each of many messages took from its publication until it could be read in the
/// database, in milliseconds.
async fn probe(stack: &Stack, bus: &Bus, during: Duration) -> Result<Vec<f64>> {
    let database = Database::connect(&stack.postgres_url()).await?;
    let mut host = TestHost::new("probe");
    host.epoch = now_ms();
    let sql = "
        SELECT count(*) FROM ledger
        WHERE host_id = 'probe' AND channel = 'telemetry' AND epoch = $1 AND received @> $2::int8";
    let statement = database.client.prepare(sql).await?;
    let (end, mut late_ms) = (Instant::now() + during, Vec::new());
    for seq in 1.. {
        let published = Instant::now();
        if published >= end {
            break;
        }
        bus.publish_frame(&host.frame(seq, &[now_ms()]), "").await?;
        let is_there = async || -> Result<bool> {
            let row = database.client.query_one(&statement, &[&host.epoch, &seq]).await?;
            Ok(row.get::<_, i64>(0) == 1)
        };
        while !is_there().await? && Instant::now() < end {
            sleep(LOOK_EVERY).await;
        }
        late_ms.push(published.elapsed().as_secs_f64() * 1000.0);
        sleep(PROBE_EVERY).await;
    }
    Ok(late_ms)
}
