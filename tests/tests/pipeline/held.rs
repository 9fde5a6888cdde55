//! Backpressure: what is stopped holds up what comes before it, nothing is lost, and the pipeline
//! page says where.

use std::collections::BTreeSet;

use muster_runtime::now_ms;
use muster_schemas::HostId;
use muster_stack::StackOptions;
use muster_tests::api::Api;
use muster_tests::bus::TestHost;
use muster_tests::database::exactly_once;
use muster_tests::wait::{eventually, expect};
use serde_json::Value;

use crate::paused::Paused;
use crate::setup::{Running, start};

async fn start_with(options: StackOptions) -> (Running, Api) {
    let running = start(StackOptions { ingest_workers: 1, gateway: true, ..options }).await;
    let admin = running.stack.admin();
    let api = Api::sign_in(running.stack.gateway_url(), &admin.username, &admin.password).await;
    (running, api.unwrap())
}

async fn held_at(api: &Api, stage: Option<&str>) -> Value {
    eventually(&format!("it is held at {stage:?}"), async || {
        let page = api.read("/pipeline").await.map_err(|error| format!("{error:#}"))?;
        expect(page["held_at"].as_str(), stage).map_err(|error| format!("{error}: {page}"))?;
        Ok(page)
    })
    .await
}

fn worker(page: &Value) -> &Value {
    &page["workers"]["items"][0]["channels"]["telemetry"]
}

#[tokio::test]
async fn while_the_database_is_stopped_streams_hold_and_afterwards_all_is_stored_once() {
    let options = StackOptions::default().env("MUSTER_INGEST_WORKER_ACK_WAIT", "6s");
    let (mut running, api) = start_with(options).await;
    let host = TestHost::new("web-1");
    let start_at = now_ms() - 600_000;
    let times: Vec<i64> = (0..500).map(|n| start_at + n * 1000).collect();
    running.bus.publish_frame(&host.frame(1, &times[..1]), "").await.unwrap();
    eventually("the first frame is stored", async || {
        expect(running.database.sample_times(&host.id).await.unwrap().len(), 1)
    })
    .await;
    let page = held_at(&api, None).await;
    assert_eq!(page["workers"]["items"][0]["gone"], false, "{page}");
    let engine = running.database.client.query_one("SELECT engine FROM muster_engine", &[]).await;
    assert_eq!(page["database"]["engine"], engine.unwrap().get::<_, &str>(0), "{page}");

    let paused = Paused::tree(running.stack.pid("postgres").unwrap().unwrap());
    for (seq, at) in (2..).zip(&times[1..]) {
        running.bus.publish_frame(&host.frame(seq, &[*at]), "").await.unwrap();
    }
    let page = held_at(&api, Some("database")).await;
    assert_eq!(page["database"]["state"], "down", "{page}");
    assert_eq!(page["workers"]["state"], "held", "{page}");
    assert_eq!(page["broker"]["state"], "ok", "{page}");
    assert!(page["broker"]["can_hold_s"].as_i64().unwrap() > 60, "{page}");
    // Longer than the broker's patience, which it loses with nobody.
    eventually(
        "the oldest message waits for longer than an acknowledgement may take",
        async || {
            let page = api.read("/pipeline").await.map_err(|error| format!("{error:#}"))?;
            let lag = page["workers"]["lag_s"].as_f64().unwrap_or(0.0);
            if lag > 8.0 { Ok(()) } else { Err(format!("{lag} s")) }
        },
    )
    .await;
    drop(paused);

    eventually("all of it is stored", async || {
        let ledger = running.database.ledger(&host.id, "telemetry").await.unwrap();
        expect(ledger, Some(("{[1,501)}".into(), "{}".into())))
    })
    .await;
    let published: BTreeSet<i64> = times.into_iter().collect();
    exactly_once(&published, &running.database.sample_times(&host.id).await.unwrap()).unwrap();
    held_at(&api, None).await;
    let page = eventually("the worker tells of all", async || {
        let page = api.read("/pipeline").await.map_err(|error| format!("{error:#}"))?;
        expect(worker(&page)["messages"].as_i64(), Some(500))?;
        Ok(page)
    })
    .await;
    let redelivered = worker(&page)["redelivered"].as_i64().unwrap();
    assert!(redelivered < 500, "each was delivered again: {page}");
}

#[tokio::test]
async fn a_worker_ends_when_it_is_told_to_although_the_database_is_stopped() {
    let (mut running, api) = start_with(StackOptions::default()).await;
    let host = TestHost::new("web-1");
    let paused = Paused::tree(running.stack.pid("postgres").unwrap().unwrap());
    let begin = now_ms() - 60_000;
    for seq in 1..=3 {
        running.bus.publish_frame(&host.frame(seq, &[begin + seq * 1000]), "").await.unwrap();
    }
    held_at(&api, Some("database")).await;
    let worker = running.stack.service("ingest-worker-1").unwrap();
    let status = worker.stop().await.unwrap();
    assert!(status.success(), "it had to be killed: {status}");
    drop(paused);

    running.stack.restart("ingest-worker-1").await.unwrap();
    eventually("what it had in hand is stored", async || {
        let ledger = running.database.ledger(&host.id, "telemetry").await.unwrap();
        expect(ledger, Some(("{[1,4)}".into(), "{}".into())))
    })
    .await;
}

#[tokio::test]
async fn while_the_broker_is_stopped_journals_hold_and_the_page_still_answers() {
    let options = StackOptions { agent: true, ..StackOptions::default() }
        .env("MUSTER_AGENT_HOST_ID", "patient")
        .env("MUSTER_AGENT_SAMPLE_INTERVAL", "1s")
        .env("MUSTER_AGENT_PUBLISH_INTERVAL", "2s")
        .env("MUSTER_AGENT_HEARTBEAT_INTERVAL", "2s");
    let (mut running, api) = start_with(options).await;
    let host: HostId = "patient".parse().unwrap();
    eventually("samples flow", async || {
        let rows = running.database.sample_times(&host).await.unwrap().len();
        if rows >= 2 { Ok(()) } else { Err(format!("{rows} rows")) }
    })
    .await;
    held_at(&api, None).await;

    let paused = Paused::tree(running.stack.pid("nats").unwrap().unwrap());
    let stopped_at = now_ms();
    let page = held_at(&api, Some("broker")).await;
    assert_eq!(page["broker"]["state"], "down", "{page}");
    assert_eq!(page["agents"]["state"], "held", "{page}");
    assert_eq!(page["database"]["state"], "ok", "{page}");
    assert_eq!(page["broker"]["streams"].as_array().unwrap().len(), 6, "{page}");
    drop(paused);

    held_at(&api, None).await;
    eventually("samples of the time and after it are stored", async || {
        let times = running.database.sample_times(&host).await.unwrap();
        let later = times.iter().filter(|at| **at > stopped_at).count();
        if later >= 4 { Ok(()) } else { Err(format!("{later} samples")) }
    })
    .await;
}
