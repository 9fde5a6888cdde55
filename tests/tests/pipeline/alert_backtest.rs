//! A draft of a rule is tested on stored samples: what it finds is what was there, whether samples
//! are read, buckets, or both.

use std::sync::Arc;
use std::time::Duration;

use muster_ingest_worker::io::partitions::Partitions;
use muster_ingest_worker::io::rollups::{Rollups, Timing};
use muster_ingest_worker::io::to_postgres::Store;
use muster_runtime::database::pool;
use muster_runtime::now_ms;
use muster_schemas::telemetry::{CustomMetric, Filesystem, Sample, TelemetryFrame};
use muster_schemas::{ENVELOPE_VERSION, Envelope};
use muster_tests::api::Api;
use muster_tests::bus::{TestHost, sample};
use muster_tests::wait::eventually;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::alert_api::rule;
use crate::setup::{Running, start_with_gateway};

const HOUR_MS: i64 = 3_600_000;

/// Between two samples.
const INTERVAL_MS: i64 = 10_000;

/// Of `web-1`: for 20 minutes from the sixth hour on.
const BREACH_MS: i64 = 20 * 60_000;

/// Some days ago, on the border of an hour: where samples of that time are gone, buckets are read.
fn begin() -> i64 {
    (now_ms() - 100 * HOUR_MS).div_euclid(HOUR_MS) * HOUR_MS
}

fn breach_at() -> i64 {
    begin() + 6 * HOUR_MS + 30 * 60_000
}

/// What `web-1` and `web-2` were like at a time; `web-2` was calm.
fn looked(host: &str, at: i64, breach_at: i64) -> Sample {
    let mut sample = sample(at);
    let is_breached = host == "web-1" && (breach_at..breach_at + BREACH_MS).contains(&at);
    sample.cpu.usage_percent = if is_breached { 95.0 } else { 50.0 };
    let full = if is_breached { 93 } else { 40 };
    let filesystem = |mount: &str, used_bytes| Filesystem {
        mount: mount.into(),
        used_bytes,
        available_bytes: 100 - used_bytes,
        ..Filesystem::default()
    };
    sample.filesystems = vec![filesystem("/", 50), filesystem("/data", full)];
    let value = if is_breached { 9.0 } else { 1.0 };
    sample.custom = vec![CustomMetric { name: "queue".into(), value, ..CustomMetric::default() }];
    sample
}

fn frames(host: &str, begin: i64, breach_at: i64) -> Vec<Envelope<TelemetryFrame>> {
    let times: Vec<i64> = (begin..begin + 12 * HOUR_MS).step_by(INTERVAL_MS as usize).collect();
    let frame = |(seq, times): (i64, &[i64])| Envelope {
        v: ENVELOPE_VERSION,
        host: TestHost::new(host).id,
        epoch: 1,
        seq,
        sent_at: now_ms(),
        body: TelemetryFrame {
            samples: times.iter().map(|at| looked(host, *at, breach_at)).collect(),
        },
    };
    (1..).zip(times.chunks(60)).map(frame).collect()
}

/// Two hosts with twelve hours of samples; `web-1` has a role.
async fn store(running: &Running) -> Rollups {
    let pool = pool(&running.stack.postgres_url(), "backtest-test", 4).unwrap();
    let store = Store::new(pool.clone());
    for host in ["web-1", "web-2"] {
        let frames = frames(host, begin(), breach_at());
        store.store(&frames.iter().collect::<Vec<_>>(), &[]).await.unwrap();
    }
    let label = "UPDATE hosts SET labels = '{\"role\":\"web\"}'";
    running.database.client.batch_execute(label).await.unwrap();
    let zero = Duration::ZERO;
    Rollups::new(pool, Timing { grace: zero, settle: zero }, Arc::new(|_| 14 * 86_400_000))
}

async fn tested(api: &Api, rule: &Value) -> Value {
    let draft = json!({ "definition": rule });
    let (status, answer) = api.post("/rules/backtest", &draft).await.unwrap();
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["is_partial"], false, "{answer}");
    answer
}

fn about(condition: Value, for_s: i64) -> Value {
    let mut rule = rule("Draft");
    (rule["condition"], rule["for_s"]) = (condition, json!(for_s));
    rule
}

/// The one episode there was, to within a resolution.
fn check_found(answer: &Value, host: Option<&str>, instance: &str, peak: f64) {
    let [episode] = answer["episodes"].as_array().unwrap().as_slice() else { panic!("{answer}") };
    assert_eq!((episode["host"].as_str(), &episode["instance"]), (host, &json!(instance)));
    let resolution_ms = answer["resolution_s"].as_i64().unwrap() * 1_000;
    let near = |field: &str, at: i64| {
        let found = episode[field].as_i64().unwrap_or_else(|| panic!("{field}: {episode}"));
        assert!((found - at).abs() <= resolution_ms, "{field} is {} off: {answer}", found - at);
    };
    near("from", breach_at());
    near("to", breach_at() + BREACH_MS);
    assert!((episode["peak"].as_f64().unwrap() - peak).abs() < 0.01, "{episode}");
    assert_eq!((&answer["pages"], &answer["episodes_total"]), (&json!(1), &json!(1)), "{answer}");
    assert!(episode["would_page_at"].is_i64(), "{episode}");
}

async fn check_all(api: &Api, resolution_s: i64) {
    let cpu = |threshold: f64| {
        json!({ "kind": "metric", "metric": "cpu.usage_percent", "op": "above",
                "threshold": threshold })
    };
    let answer = tested(api, &about(cpu(90.0), 300)).await;
    check_found(&answer, Some("web-1"), "", 95.0);
    assert_eq!((&answer["hosts"], &answer["hosts_selected"]), (&json!(2), &json!(2)), "{answer}");
    assert_eq!(answer["resolution_s"], resolution_s, "{answer}");
    assert_eq!(answer["episodes"][0]["title"], "CPU of web-1 at 95 %", "{answer}");

    let disk = json!({ "kind": "metric", "metric": "filesystem.used_percent", "op": "above",
                       "threshold": 90, "clear_at": 88 });
    let answer = tested(api, &about(disk, 0)).await;
    check_found(&answer, Some("web-1"), "/data", 93.0);
    let queue = json!({ "kind": "metric", "metric": "custom.queue", "op": "at_least",
                        "threshold": 9 });
    check_found(&tested(api, &about(queue, 60)).await, Some("web-1"), "", 9.0);
    let spike = json!({ "kind": "metric", "metric": "custom.queue", "op": "above",
                        "baseline_factor": 5 });
    check_found(&tested(api, &about(spike, 60)).await, Some("web-1"), "", 9.0);
    let group = json!({ "kind": "group", "metric": "cpu.usage_percent", "op": "above",
                        "threshold": 90, "share_percent": 20 });
    check_found(&tested(api, &about(group.clone(), 60)).await, None, "", 50.0);

    // It does not last, nobody comes near it, too few do, or it is not about that host.
    let mut elsewhere = about(cpu(90.0), 300);
    elsewhere["selector"] = json!("id=web-2");
    let mut half = group;
    half["share_percent"] = json!(50);
    for draft in [about(cpu(90.0), 1_800), about(cpu(99.0), 0), about(half, 0), elsewhere] {
        let answer = tested(api, &draft).await;
        assert_eq!((&answer["episodes"], &answer["pages"]), (&json!([]), &json!(0)), "{answer}");
        assert!(answer["samples"].as_i64().unwrap() > 0, "{answer}");
    }
}

#[tokio::test]
async fn a_draft_of_a_rule_finds_the_breach_there_was() {
    let (running, api) = start_with_gateway().await;
    let mut rollups = store(&running).await;
    check_all(&api, INTERVAL_MS / 1_000).await;
    rollups.pass(&Partitions::default(), &CancellationToken::new()).await.unwrap();
    check_all(&api, INTERVAL_MS / 1_000).await;
    // When samples are gone, buckets of a minute tell of them.
    for table in ["host_samples", "filesystem_samples", "custom_samples"] {
        let sql = format!("DELETE FROM {table}");
        running.database.client.execute(&sql, &[]).await.unwrap();
    }
    check_all(&api, 60).await;
    running.stack.shutdown().await;
}

/// Whoever writes to a table of samples keeps readers out for as long as a test needs it.
#[tokio::test]
async fn backtests_are_few_at_a_time_and_the_rest_is_told_to_come_again() {
    let (running, api) = start_with_gateway().await;
    store(&running).await;
    running.database.client.batch_execute("BEGIN; LOCK TABLE host_samples_1h").await.unwrap();
    let condition = json!({ "kind": "metric", "metric": "cpu.usage_percent", "op": "above",
                            "threshold": 90 });
    let draft = json!({ "definition": about(condition, 300) });
    let ask = async || api.post("/rules/backtest", &draft).await.unwrap();
    let third = async {
        let waiting = "
            SELECT count(*) FROM pg_locks
            WHERE NOT granted AND mode = 'AccessShareLock'
              AND relation = 'host_samples_1h'::regclass";
        eventually("two backtests wait for the table, with two hosts each", async || {
            let row = running.database.client.query_one(waiting, &[]).await.unwrap();
            let count: i64 = row.get(0);
            if count == 4 { Ok(()) } else { Err(format!("{count} wait")) }
        })
        .await;
        let answer = ask().await;
        running.database.client.batch_execute("COMMIT").await.unwrap();
        answer
    };
    let (first, second, third) = tokio::join!(ask(), ask(), third);
    assert_eq!((first.0, second.0), (200, 200), "{}", first.1);
    assert_eq!(third.0, 429, "{}", third.1);
    running.stack.shutdown().await;
}

/// Two hosts are looked over at once; when the table is free again, there is no time for a third.
#[tokio::test]
async fn a_backtest_says_that_there_was_no_time_for_all_hosts() {
    let (running, api) = start_with_gateway().await;
    store(&running).await;
    let database = &running.database.client;
    let third = "INSERT INTO hosts (id, labels) VALUES ('web-3', '{\"role\":\"web\"}')";
    database.batch_execute(third).await.unwrap();
    database.batch_execute("BEGIN; LOCK TABLE host_samples_1h").await.unwrap();
    let condition = json!({ "kind": "metric", "metric": "cpu.usage_percent", "op": "above",
                            "threshold": 90 });
    let draft = json!({ "definition": about(condition, 300) });
    let free = async {
        // Longer than looking over hosts may take.
        let waiting = "
            SELECT count(*) FROM pg_locks
            WHERE NOT granted AND mode = 'AccessShareLock'
              AND relation = 'host_samples_1h'::regclass
              AND waitstart < clock_timestamp() - interval '7 seconds'";
        eventually("both have waited for long enough", async || {
            let count: i64 = database.query_one(waiting, &[]).await.unwrap().get(0);
            if count == 2 { Ok(()) } else { Err(format!("{count} have")) }
        })
        .await;
        database.batch_execute("COMMIT").await.unwrap();
    };
    let ((status, answer), ()) =
        tokio::join!(async { api.post("/rules/backtest", &draft).await.unwrap() }, free);
    assert_eq!((status, &answer["is_partial"]), (200, &json!(true)), "{answer}");
    assert_eq!((&answer["hosts"], &answer["hosts_selected"]), (&json!(2), &json!(3)), "{answer}");
    assert_eq!(answer["pages"], 1, "{answer}");
    running.stack.shutdown().await;
}

#[tokio::test]
async fn a_burst_of_error_lines_is_found_among_the_lines() {
    let (running, api) = start_with_gateway().await;
    store(&running).await;
    let sql = "
        INSERT INTO log_lines (
            host_id, ts, received_at, severity, application, source, message, truncated_bytes,
            suppressed, epoch, seq, line
        )
        SELECT 'web-2', to_timestamp($1::bigint / 1000.0) + n * interval '1 second', now(), 2,
               'nginx', 'test', 'refused', 0, 1, 1, n, 0
        FROM generate_series(0, 299) AS n";
    running.database.client.execute(sql, &[&breach_at()]).await.unwrap();
    let lines = json!({ "kind": "metric", "metric": "logs.error_lines_per_min", "op": "above",
                        "threshold": 100 });
    let answer = tested(&api, &about(lines, 120)).await;
    let [episode] = answer["episodes"].as_array().unwrap().as_slice() else { panic!("{answer}") };
    // Each line stands for another that was not sent.
    assert_eq!((&episode["host"], &episode["peak"]), (&json!("web-2"), &json!(120.0)), "{answer}");
    assert_eq!((&episode["from"], &answer["resolution_s"]), (&json!(breach_at()), &json!(60)));
    assert_eq!(episode["to"], json!(breach_at() + 300_000), "{episode}");
    running.stack.shutdown().await;
}

#[tokio::test]
async fn a_draft_that_cannot_be_tested_is_refused_by_the_name_of_its_field() {
    let (running, api) = start_with_gateway().await;
    let metric =
        |name: &str| json!({ "kind": "metric", "metric": name, "op": "above", "threshold": 1 });
    let cpu = about(metric("cpu.usage_percent"), 0);
    let now = now_ms();
    for (draft, field) in [
        (json!({ "definition": about(json!({ "kind": "offline" }), 0) }), "condition.metric"),
        (json!({ "definition": about(metric("clock.offset_ms"), 0) }), "condition.metric"),
        (json!({ "definition": about(metric("cpu.magic"), 0) }), "condition.metric"),
        (json!({ "definition": cpu, "from": now, "to": now - 1 }), "from"),
        (json!({ "definition": cpu, "from": now - 100 * 24 * HOUR_MS }), "from"),
        (json!({ "definition": cpu, "to": i64::MIN }), "from"),
        (json!({ "definition": cpu, "hosts": vec!["a"; 201] }), "hosts"),
        (json!({ "definition": cpu, "hosts": ["a\0"] }), "hosts[0]"),
        (json!({ "from": 1 }), "definition"),
    ] {
        let (status, body) = api.post("/rules/backtest", &draft).await.unwrap();
        assert_eq!((status, &body["field"]), (422, &json!(field)), "{draft}: {body}");
    }
    let nobody = tested(&api, &cpu).await;
    assert_eq!((&nobody["hosts"], &nobody["resolution_s"]), (&json!(0), &Value::Null), "{nobody}");
    running.stack.shutdown().await;
}
