//! Beside a backlog: what is fresh is stored ahead of its turn, and nothing is stored twice.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt};
use muster_runtime::now_ms;
use muster_stack::StackOptions;
use muster_tests::bus::TestHost;
use muster_tests::database::exactly_once;
use muster_tests::wait::{eventually, expect};
use tokio::time::sleep;

use crate::setup::start_ingest;

/// Some hundreds of batches of twenty.
const BACKLOG: i64 = 12_000;

/// Older than this, what is taken from the stream is a backlog.
const FRESH_AFTER_MS: i64 = 1_000;

const PUBLISHES_UNDER_WAY: usize = 200;

#[tokio::test]
async fn fresh_samples_are_stored_while_a_backlog_waits_and_all_of_it_once() {
    let mut running = start_ingest(0).await;
    let (late, fresh) = (TestHost::new("late"), TestHost::new("fresh"));
    let begin = now_ms() - BACKLOG * 1000;
    let times: Vec<i64> = (0..BACKLOG).map(|n| begin + n * 1000).collect();
    let bus = &running.bus;
    stream::iter((1..).zip(&times))
        .map(|(seq, at)| {
            let frame = late.frame(seq, &[*at]);
            async move { bus.publish_frame(&frame, "").await.unwrap() }
        })
        .buffer_unordered(PUBLISHES_UNDER_WAY)
        .collect::<Vec<()>>()
        .await;
    let published_at = now_ms();
    eventually("the newest of the backlog is old", async || {
        if now_ms() > published_at + 2 * FRESH_AFTER_MS { Ok(()) } else { Err("it is not".into()) }
    })
    .await;

    let options = StackOptions::default()
        .env("MUSTER_INGEST_WORKER_FRESH_AFTER", format!("{FRESH_AFTER_MS}ms"))
        .env("MUSTER_INGEST_WORKER_BATCH_MESSAGES", "20");
    running.stack.add("ingest-worker-1", &options).unwrap();
    let mut fresh_times = BTreeSet::new();
    let waiting = loop {
        let (seq, at) = (fresh_times.len() as i64 + 1, now_ms());
        running.bus.publish_frame(&fresh.frame(seq, &[at]), "").await.unwrap();
        fresh_times.insert(at);
        let stored = running.database.sample_times(&fresh.id).await.unwrap().len();
        let of_late = running.database.sample_times(&late.id).await.unwrap().len();
        if stored > 0 || of_late == times.len() {
            break times.len() - of_late;
        }
        sleep(std::time::Duration::from_millis(20)).await;
    };
    assert!(waiting > 0, "what was fresh waited for the whole backlog");

    eventually("all of it is stored", async || {
        for (host, last) in [(&late, BACKLOG), (&fresh, fresh_times.len() as i64)] {
            let ledger = running.database.ledger(&host.id, "telemetry").await.unwrap();
            expect(ledger, Some((format!("{{[1,{})}}", last + 1), "{}".into())))?;
        }
        Ok::<(), String>(())
    })
    .await;
    for (host, times) in [(&late, times.into_iter().collect()), (&fresh, fresh_times)] {
        exactly_once(&times, &running.database.sample_times(&host.id).await.unwrap()).unwrap();
    }
}
