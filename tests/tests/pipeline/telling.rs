//! What workers and gateways tell Prometheus: what the manual says, and nothing beside.

use std::collections::BTreeSet;
use std::fs::read_to_string;

use async_nats::HeaderMap;
use muster_nats::subjects;
use muster_runtime::now_ms;
use muster_schemas::Kind;
use muster_tests::bus::TestHost;
use muster_tests::wait::eventually;

use crate::setup::{Running, start_with_every_service};

/// Lag, rate, batch size, commit latency, redeliveries, dead letters, gaps.
const OF_INGEST: &[&str] = &[
    "muster_ingest_lag_seconds",
    "muster_ingest_held_seconds",
    "muster_ingest_messages_per_second",
    "muster_ingest_rows_per_second",
    "muster_ingest_batch_messages",
    "muster_ingest_batch_seconds",
    "muster_ingest_commit_seconds",
    "muster_ingest_messages_total",
    "muster_ingest_rows_total",
    "muster_ingest_duplicates_total",
    "muster_ingest_redelivered_total",
    "muster_ingest_dead_letters_total",
    "muster_ingest_pending_messages",
    "muster_ledger_gaps_open",
    "muster_ledger_messages_missing",
];

const OF_ALERTS: &[&str] = &["muster_alert_lag_seconds", "muster_alert_hosts"];

const OF_GATEWAYS: &[&str] =
    &["muster_gateway_http_requests_total", "muster_ledger_gaps", "muster_dead_letters"];

/// Names in the manual's table of metrics.
fn documented() -> BTreeSet<String> {
    let manual = include_str!("../../../docs/operations.md");
    let rows = manual.lines().filter(|line| line.starts_with("| `muster_"));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned)).collect()
}

/// Where a worker answers; it says so in its log.
async fn address(running: &Running, part: &str) -> String {
    let log = running.stack.dir().join(format!("logs/{part}.log"));
    eventually(&format!("{part} says where it answers"), async || {
        let text = read_to_string(&log).map_err(|error| error.to_string())?;
        let (_, said) = text.split_once("health and metrics on ").ok_or("it does not yet")?;
        let (url, _) = said.split_once(|c: char| c.is_whitespace() || c == '"').ok_or("not yet")?;
        Ok(url.to_owned())
    })
    .await
}

async fn told(url: &str) -> Result<String, String> {
    let answer = reqwest::get(format!("{url}/metrics")).await.map_err(|error| error.to_string())?;
    answer.text().await.map_err(|error| error.to_string())
}

/// Waits until all that is `wanted` is told, and answers every name that is.
async fn names_at(url: &str, wanted: &[&str]) -> BTreeSet<String> {
    eventually(&format!("{url} tells its metrics"), async || {
        let text = told(url).await?;
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let names: BTreeSet<String> =
            types.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
        match wanted.iter().find(|name| !names.contains(**name)) {
            Some(missing) => Err(format!("no {missing} in {names:?}")),
            None => Ok(names),
        }
    })
    .await
}

#[tokio::test]
async fn what_is_told_to_prometheus_is_what_the_manual_says() {
    let (running, _) = start_with_every_service().await;
    let host = TestHost::new("web-1");
    running.bus.publish_frame(&host.frame(1, &[now_ms()]), "").await.unwrap();
    let subject = subjects::durable(&host.id, Kind::Telemetry);
    running.bus.publish(&subject, HeaderMap::new(), "no frame").await.unwrap();
    let manual = documented();
    for (url, wanted) in [
        (address(&running, "ingest-worker-1").await, OF_INGEST),
        (address(&running, "alert-worker-1").await, OF_ALERTS),
        (running.stack.gateway_url().to_owned(), OF_GATEWAYS),
    ] {
        let names = names_at(&url, wanted).await;
        let unknown: Vec<_> = names.difference(&manual).collect();
        assert!(unknown.is_empty(), "not in the manual: {unknown:?}");
    }
    let text = told(&address(&running, "ingest-worker-1").await).await.unwrap();
    for line in [
        "muster_ingest_messages_total{channel=\"telemetry\"} 1",
        "muster_ingest_dead_letters_total{channel=\"telemetry\"} 1",
    ] {
        assert!(text.lines().any(|told| told == line), "no {line} in\n{text}");
    }
}
