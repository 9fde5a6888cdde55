//! One worker after a long absence: a backlog in the stream, and fresh messages that come in
//! meanwhile. The stream is in order, but the worker stores what is fresh beside the backlog: how
//! late that is, is told beside how long all of it takes.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::stream::{self, StreamExt, TryStreamExt};
use muster_runtime::now_ms;
use muster_schemas::Envelope;
use muster_schemas::telemetry::TelemetryFrame;
use muster_stack::Stack;
use muster_tests::bus::{Bus, TestHost};
use muster_tests::database::Database;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::copy::raw_copy_of;
use super::drain::{PUBLISHES_UNDER_WAY, drain};
use super::empty_tables;
use super::fleet::{Fleet, SAMPLES_PER_FRAME};
use crate::figures::{Better, Figure, Figures};

const CATCH_UP_HOSTS: usize = 1000;

/// Epochs no other part uses.
const LIMIT_EPOCH: i64 = 2_000_000;
const EPOCH: i64 = 2_000_001;

/// How often something fresh is published, and looked for.
const FRESH_EVERY: Duration = Duration::from_millis(250);

pub async fn measure(
    figures: &mut Figures,
    stack: &mut Stack,
    bus: &Bus,
    samples: i64,
) -> Result<()> {
    let frames = (samples / SAMPLES_PER_FRAME) as usize;
    eprintln!("ingest: a backlog of {samples} samples in {frames} messages");
    empty_tables(stack).await?;
    let limit = raw_copy_of(stack, backlog(frames, LIMIT_EPOCH)).await?;
    empty_tables(stack).await?;
    publish_lazily(bus, frames).await?;
    let (url, done) = (stack.postgres_url(), CancellationToken::new());
    let draining = async {
        let drained = drain(stack, bus, frames, 1).await;
        done.cancel();
        drained
    };
    let (drained, late) = tokio::join!(draining, publish_fresh(&url, bus, &done));
    let (drained, late_s) = (drained?, late?);
    let mut add = |name, value, unit, limit, goal| {
        figures.add(Figure { name, value, unit, limit, goal });
    };
    add("ingest.catch_up_rows_per_s", drained.rows_per_s, "rows/s", Some(limit), None);
    let goal = Some((0.6, Better::Higher));
    add("ingest.catch_up_ratio", drained.rows_per_s / limit, "ratio", None, goal);
    let seconds = frames as f64 / drained.messages_per_s;
    add("ingest.catch_up_s", seconds, "s", None, None);
    let mut late_s = late_s;
    late_s.sort_by(f64::total_cmp);
    let late = |share: f64| late_s[((late_s.len() - 1) as f64 * share) as usize];
    ensure!(!late_s.is_empty(), "nothing fresh was stored");
    let goal = Some((2.0, Better::Lower));
    add("ingest.catch_up_fresh_lag_p50_s", late(0.5), "s", Some(seconds), goal);
    add("ingest.catch_up_fresh_lag_max_s", late(1.0), "s", Some(seconds), None);
    Ok(())
}

/// Frames are made one by one: all of them would fill the memory.
fn backlog(frames: usize, epoch: i64) -> impl Iterator<Item = Envelope<TelemetryFrame>> {
    let mut fleet = Fleet::new(CATCH_UP_HOSTS);
    let (frames_per_host, newest) = (frames.div_ceil(CATCH_UP_HOSTS) as i64, now_ms());
    (0..frames).map(move |number| fleet.frame_of_backlog(number, epoch, frames_per_host, newest))
}

async fn publish_lazily(bus: &Bus, frames: usize) -> Result<()> {
    bus.context.get_stream("TELEMETRY").await?.purge().await?;
    stream::iter(backlog(frames, EPOCH))
        .map(|frame| async move { bus.publish_frame(&frame, "").await })
        .buffer_unordered(PUBLISHES_UNDER_WAY)
        .try_for_each(|()| async { Ok(()) })
        .await
}

/// Publishes until all is done; answers how late each message was stored, in seconds. What came
/// when the worker was stopped is left out.
async fn publish_fresh(url: &str, bus: &Bus, done: &CancellationToken) -> Result<Vec<f64>> {
    let database = Database::connect(url).await?;
    let mut host = TestHost::new("fresh");
    host.epoch = now_ms();
    let sql = "
        SELECT seq FROM unnest($2::int8[]) AS seq
        WHERE EXISTS (
            SELECT FROM ledger
            WHERE host_id = 'fresh' AND channel = 'telemetry' AND epoch = $1 AND received @> seq
        )";
    let (mut waiting, mut late_s) = (BTreeMap::new(), Vec::new());
    let mut is_last = false;
    while !is_last {
        is_last = done.is_cancelled();
        if !is_last {
            let seq = (waiting.len() + late_s.len()) as i64 + 1;
            bus.publish_frame(&host.frame(seq, &[now_ms()]), "").await?;
            waiting.insert(seq, Instant::now());
            sleep(FRESH_EVERY).await;
        }
        let numbers: Vec<i64> = waiting.keys().copied().collect();
        for row in database.client.query(sql, &[&host.epoch, &numbers]).await? {
            let at = waiting.remove(&row.get(0)).context("a number nobody waits for")?;
            late_s.push(at.elapsed().as_secs_f64());
        }
    }
    Ok(late_s)
}
