//! One worker after a long absence: a backlog in the stream, and fresh messages that come in
//! meanwhile. The stream is in order, so what is fresh keeps its place behind what came before it:
//! how long it waits is told. (A backlog in the agents' journals is another matter: they send what
//! is fresh first.)

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use futures::stream::{self, StreamExt, TryStreamExt};
use muster_runtime::now_ms;
use muster_stack::Stack;
use muster_tests::bus::{Bus, TestHost};
use muster_tests::database::Database;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::copy::raw_copy;
use super::drain::{PUBLISHES_UNDER_WAY, drain};
use super::fleet::{Fleet, SAMPLES_PER_FRAME};
use super::{FRAMES_PER_HOST, HOSTS, empty_tables};
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
    empty_tables(stack).await?;
    let few = Arc::new(Fleet::new(HOSTS).backlog(LIMIT_EPOCH, FRAMES_PER_HOST));
    let limit = raw_copy(stack, &few, 1).await?;
    drop(few);
    empty_tables(stack).await?;
    let frames = (samples / SAMPLES_PER_FRAME) as usize;
    eprintln!("ingest: a backlog of {samples} samples in {frames} messages");
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
    let worst = late_s.into_iter().fold(0.0, f64::max);
    add("ingest.catch_up_fresh_lag_max_s", worst, "s", Some(seconds), None);
    Ok(())
}

/// Frames are made as they are sent: all of them would fill the memory.
async fn publish_lazily(bus: &Bus, frames: usize) -> Result<()> {
    bus.context.get_stream("TELEMETRY").await?.purge().await?;
    let mut fleet = Fleet::new(CATCH_UP_HOSTS);
    let (frames_per_host, newest) = (frames.div_ceil(CATCH_UP_HOSTS) as i64, now_ms());
    stream::iter(0..frames)
        .map(|number| {
            let frame = fleet.frame_of_backlog(number, EPOCH, frames_per_host, newest);
            async move { bus.publish_frame(&frame, "").await }
        })
        .buffer_unordered(PUBLISHES_UNDER_WAY)
        .try_for_each(|()| async { Ok(()) })
        .await
}

/// Publishes until all is done; answers how late each message was stored that was, in seconds.
async fn publish_fresh(url: &str, bus: &Bus, done: &CancellationToken) -> Result<Vec<f64>> {
    let database = Database::connect(url).await?;
    let mut host = TestHost::new("fresh");
    host.epoch = now_ms();
    let sql = "
        SELECT coalesce(max(upper(received)), 1) - 1 FROM ledger
        WHERE host_id = 'fresh' AND channel = 'telemetry' AND epoch = $1";
    let (mut published, mut late_s) = (Vec::new(), Vec::new());
    while !done.is_cancelled() {
        let seq = published.len() as i64 + 1;
        bus.publish_frame(&host.frame(seq, &[now_ms()]), "").await?;
        published.push(Instant::now());
        sleep(FRESH_EVERY).await;
        let stored: i64 = database.client.query_one(sql, &[&host.epoch]).await?.get(0);
        for at in &published[late_s.len()..(stored as usize).max(late_s.len())] {
            late_s.push(at.elapsed().as_secs_f64());
        }
    }
    Ok(late_s)
}
