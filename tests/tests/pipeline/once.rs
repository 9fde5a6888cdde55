//! Promise 2: whatever is redelivered or republished, each message is stored once.

use std::collections::BTreeSet;

use muster_runtime::now_ms;
use muster_tests::bus::TestHost;
use muster_tests::database::exactly_once;
use muster_tests::wait::{eventually, expect};
use rand::seq::SliceRandom;
use rand::{SeedableRng, rngs::StdRng};

use crate::setup::{start, start_ingest};

#[tokio::test]
async fn resends_in_any_order_through_two_workers_are_stored_once() {
    let running = start_ingest(2).await;
    let host = TestHost::new("web-1");
    let start_at = now_ms() - 3_600_000;
    let times: Vec<i64> = (0..600).map(|n| start_at + n * 5000).collect();
    let frames: Vec<_> =
        (1..).zip(times.chunks(3)).map(|(seq, times)| host.frame(seq, times)).collect();

    let mut sendings: Vec<(usize, u32)> =
        (0..frames.len()).flat_map(|frame| (0..4).map(move |resend| (frame, resend))).collect();
    sendings.shuffle(&mut StdRng::seed_from_u64(7));
    for (frame, resend) in sendings {
        let suffix = if resend == 0 { String::new() } else { format!("/r{resend}") };
        running.bus.publish_frame(&frames[frame], &suffix).await.unwrap();
    }

    let published: BTreeSet<i64> = times.into_iter().collect();
    eventually("each frame is in the ledger", async || {
        let ledger = running.database.ledger(&host.id, "telemetry").await.unwrap();
        expect(ledger, Some(("{[1,201)}".into(), "{}".into())))
    })
    .await;
    eventually("nothing waits for an acknowledgement", async || {
        let stream = running.bus.context.get_stream("TELEMETRY").await.unwrap();
        let info = stream.consumer_info("ingest-telemetry").await.unwrap();
        expect((info.num_pending, info.num_ack_pending), (0, 0))
    })
    .await;
    exactly_once(&published, &running.database.sample_times(&host.id).await.unwrap()).unwrap();
    let interfaces = running.database.count("network_samples").await.unwrap();
    assert_eq!(interfaces, 600);
}

#[tokio::test]
async fn a_worker_killed_in_the_middle_of_a_backlog_loses_and_doubles_nothing() {
    let mut running = start_ingest(0).await;
    let host = TestHost::new("web-1");
    let start_at = now_ms() - 3_600_000;
    let times: Vec<i64> = (0..3000).map(|n| start_at + n * 1000).collect();
    for (seq, times) in (1..).zip(times.chunks(3)) {
        running.bus.publish_frame(&host.frame(seq, times), "").await.unwrap();
    }
    let options =
        muster_stack::StackOptions::default().env("MUSTER_INGEST_WORKER_BATCH_MESSAGES", "10");
    running.stack.add("ingest-worker-1", &options).unwrap();
    running.stack.add("ingest-worker-2", &options).unwrap();
    for wanted in [100, 900, 1800] {
        eventually("some of the backlog is stored", async || {
            let rows = running.database.count("host_samples").await.unwrap();
            if rows >= wanted { Ok(()) } else { Err(format!("{rows} rows")) }
        })
        .await;
        running.stack.kill9("ingest-worker-1").await.unwrap();
        running.stack.restart("ingest-worker-1").await.unwrap();
    }
    eventually("the whole backlog is in the ledger", async || {
        let ledger = running.database.ledger(&host.id, "telemetry").await.unwrap();
        expect(ledger, Some(("{[1,1001)}".into(), "{}".into())))
    })
    .await;
    let published: BTreeSet<i64> = times.into_iter().collect();
    exactly_once(&published, &running.database.sample_times(&host.id).await.unwrap()).unwrap();
}

#[tokio::test]
async fn late_data_of_another_day_finds_its_partition() {
    let running = start(muster_stack::StackOptions {
        ingest_workers: 1,
        ..muster_stack::StackOptions::default()
    })
    .await;
    let host = TestHost::new("web-1");
    let week_ago = now_ms() - 7 * 86_400_000;
    running.bus.publish_frame(&host.frame(1, &[week_ago]), "").await.unwrap();
    eventually("the late sample is stored", async || {
        expect(running.database.sample_times(&host.id).await.unwrap(), vec![week_ago])
    })
    .await;
}
