//! A chart says the same whatever it was read from: samples, buckets, or both.

use std::sync::Arc;
use std::time::Duration;

use muster_agent::simulate::SyntheticHost;
use muster_ingest_worker::io::partitions::Partitions;
use muster_ingest_worker::io::rollups::{Rollups, Timing};
use muster_ingest_worker::io::to_postgres::Store;
use muster_runtime::database::pool;
use muster_runtime::now_ms;
use muster_schemas::metrics::METRICS;
use muster_schemas::telemetry::{Cpu, CustomMetric, Filesystem, Memory, TelemetryFrame};
use muster_schemas::{ENVELOPE_VERSION, Envelope};
use muster_tests::api::Api;
use muster_tests::bus::TestHost;
use muster_tests::database::Database;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::setup::start_with_gateway;

const HOUR_MS: i64 = 3_600_000;
const HOST: &str = "web-1";

/// What is asked, and where it is found among the samples: table, instance, value.
const ASKED: &[(&str, &str, &str, &str)] = &[
    ("cpu.usage_percent", "host_samples", "NULL", "cpu_usage_percent"),
    (
        "memory.used_percent",
        "host_samples",
        "NULL",
        "memory_used_bytes * 100.0 / memory_total_bytes",
    ),
    ("network.rx_bytes_per_s", "host_samples", "NULL", "network_rx_bytes_per_s"),
    (
        "cpu.core_percent",
        "host_samples, unnest(cpu_cores_percent) WITH ORDINALITY AS c (percent, number)",
        "number - 1",
        "percent",
    ),
    (
        "filesystem.used_percent",
        "filesystem_samples",
        "mount",
        "used_bytes * 100.0 / (used_bytes::numeric + available_bytes)",
    ),
    ("interface.tx_bytes_per_s", "network_samples", "interface", "tx_bytes_per_s"),
    ("custom.queue", "custom_samples", "instance", "value"),
];

/// Samples of 40 hours, 100 s apart, in frames.
fn frames(now: i64) -> Vec<Envelope<TelemetryFrame>> {
    let mut random = SmallRng::seed_from_u64(7);
    let mut host = SyntheticHost::new(1, &mut random);
    let times: Vec<i64> = (0..1440).map(|n| now - n * 100_000 - n % 7 * 1_234).collect();
    let mut sample = |at: i64| {
        let mut sample = host.sample(at, &mut random);
        let instance = ["a", "b"][(at % 2) as usize].into();
        let (name, unit) = ("queue".into(), "jobs".into());
        let value = random.random_range(0.0..1e6);
        sample.custom = vec![CustomMetric { name, instance, value, unit }];
        // As it may have been stored before intake had a bound.
        sample.filesystems.push(Filesystem {
            mount: "/bucket".into(),
            used_bytes: i64::MAX,
            available_bytes: i64::MAX - at,
            ..Filesystem::default()
        });
        if at % 5 == 0 {
            // Collectors that were off, or hung.
            sample.cpu = Cpu::default();
            sample.memory = Memory::default();
            sample.networks.clear();
        }
        sample
    };
    let id = TestHost::new(HOST).id;
    let frame = |(seq, times): (i64, &[i64])| Envelope {
        v: ENVELOPE_VERSION,
        host: id.clone(),
        epoch: 1,
        seq,
        sent_at: now,
        body: TelemetryFrame { samples: times.iter().map(|at| sample(*at)).collect() },
    };
    (1..).zip(times.chunks(20)).map(frame).collect()
}

#[tokio::test]
async fn a_chart_from_buckets_is_the_chart_from_samples_and_outlives_them() {
    let (running, api) = start_with_gateway().await;
    let url = running.stack.postgres_url();
    let pool = pool(&url, "rollup-test", 4).unwrap();
    let (store, frames) = (Store::new(pool.clone()), frames(now_ms()));
    // What is stored first is rolled up, the rest is late.
    let (late, early): (Vec<_>, Vec<_>) = frames.iter().partition(|frame| frame.seq % 9 == 4);
    store.store(&early, &[]).await.unwrap();
    let zero = Duration::ZERO;
    let mut rollups =
        Rollups::new(pool, Timing { grace: zero, settle: zero }, Arc::new(|_| 14 * 86_400_000));
    rollups.pass(&Partitions::default(), &CancellationToken::new()).await.unwrap();
    assert!(running.database.count("host_samples_1h").await.unwrap() > 30);
    store.store(&late, &[]).await.unwrap();

    let to = now_ms() - 1_234;
    for (step_s, source) in [
        (30, "raw"),
        (60, "1m"),
        (300, "1m"),
        (1_800, "1m"),
        (3_600, "1h"),
        (21_600, "1h"),
        (86_400, "1h"),
    ] {
        for to in [to, to - 90_000_000] {
            let from = to - 11 * HOUR_MS - 777;
            compare(&api, &running.database, from, to, step_s, source).await;
        }
    }
    every_metric_answers(&api).await;

    rollups.pass(&Partitions::default(), &CancellationToken::new()).await.unwrap();
    outlives(&api, &running.database, to - 36 * HOUR_MS, to - 16 * HOUR_MS).await;
    running.stack.shutdown().await;
}

async fn compare(api: &Api, database: &Database, from: i64, to: i64, step_s: i64, source: &str) {
    let names: Vec<&str> = ASKED.iter().map(|asked| asked.0).collect();
    let path = format!(
        "/hosts/{HOST}/metrics?from={from}&to={to}&step={step_s}&stats=avg,min,max&names={}",
        names.join(",")
    );
    let answer = api.read(&path).await.unwrap();
    assert_eq!(answer["source"], source, "step {step_s}");
    let mut points = 0;
    for (name, table, instance, value) in ASKED {
        let sql = format!(
            "SELECT (extract(epoch FROM date_bin('{step_s} s', ts, '2000-01-03Z')) * 1000)::int8,
                    ({instance})::text, avg(({value})::float8), min(({value})::float8),
                    max(({value})::float8)
             FROM {table}
             WHERE host_id = '{HOST}' AND ts < to_timestamp({to} / 1000.0)
               AND ts >= date_bin('{step_s} s', to_timestamp({from} / 1000.0), '2000-01-03Z')
             GROUP BY 1, 2
             HAVING count({value}) > 0"
        );
        let rows = database.client.query(&sql, &[]).await.unwrap();
        for row in &rows {
            let (at, instance): (i64, Option<&str>) = (row.get(0), row.get(1));
            for (stat, column) in [("values", 2), ("min", 3), ("max", 4)] {
                let wanted: f64 = row.get(column);
                let found = value_at(&answer, name, instance, at, stat);
                // Three decimals are told, and a bucket holds a real: 24 binary digits.
                let tolerance = 0.000_51 + 1.2e-7 * wanted.abs();
                let near = found.is_some_and(|found| (found - wanted).abs() <= tolerance);
                assert!(
                    near,
                    "{name} {instance:?} {stat} at {at}: {found:?}, not {wanted}: {path}"
                );
            }
        }
        let series = of_name(&answer, name);
        let told = series.map(|series| present(&series["values"])).sum::<usize>();
        assert_eq!(told, rows.len(), "{name}: {path}");
        points += told;
    }
    assert!(points > 5, "{points} points: {path}");
}

fn of_name<'a>(answer: &'a Value, name: &'a str) -> impl Iterator<Item = &'a Value> {
    answer["series"].as_array().unwrap().iter().filter(move |series| series["name"] == name)
}

fn present(values: &Value) -> usize {
    values.as_array().unwrap().iter().filter(|value| !value.is_null()).count()
}

fn value_at(
    answer: &Value,
    name: &str,
    instance: Option<&str>,
    at: i64,
    stat: &str,
) -> Option<f64> {
    let times = answer["timestamps"].as_array()?;
    let place = times.iter().position(|time| *time == at)?;
    of_name(answer, name).find(|series| series["instance"].as_str() == instance)?[stat][place]
        .as_f64()
}

/// Whether buckets have what the gateway asks of them, for all there is.
async fn every_metric_answers(api: &Api) {
    let names: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
    for step in [15, 60, 3_600] {
        let path = format!(
            "/hosts/{HOST}/metrics?step={step}&stats=avg,min,max&names={}",
            names.join(",")
        );
        let answer = api.read(&path).await.unwrap();
        assert!(answer["series"].as_array().unwrap().len() > 50, "{path}");
    }
}

/// The same answer of old hours when their samples are gone, and a step that can be had.
async fn outlives(api: &Api, database: &Database, from: i64, to: i64) {
    let names = "cpu.usage_percent,filesystem.used_percent,custom.queue";
    let path = format!("/hosts/{HOST}/metrics?from={from}&to={to}&names={names}");
    // The end of the range lies inside of a bucket, which is told whole when samples are gone.
    let of_all = |answer: &Value| {
        let series = answer["series"].as_array().unwrap().iter();
        let cut = |values: &Value| values.as_array().unwrap().split_last().unwrap().1.to_vec();
        series.map(|s| (s["name"].clone(), cut(&s["values"]), cut(&s["max"]))).collect::<Vec<_>>()
    };
    let before: Vec<_> = [60, 3_600].map(|step| format!("{path}&step={step}")).into();
    let mut answers = Vec::new();
    for path in &before {
        answers.push(of_all(&api.read(path).await.unwrap()));
    }
    for table in ["host_samples", "filesystem_samples", "custom_samples"] {
        let sql = format!("DELETE FROM {table}");
        database.client.execute(&sql, &[]).await.unwrap();
    }
    for (path, told) in before.iter().zip(answers) {
        assert!(told.iter().any(|(_, values, _)| values.iter().any(|value| !value.is_null())));
        assert_eq!(of_all(&api.read(path).await.unwrap()), told, "{path}");
    }
    let hour = format!("/hosts/{HOST}/metrics?from={from}&to={}", from + HOUR_MS);
    let chosen = api.read(&hour).await.unwrap();
    assert_eq!((&chosen["source"], &chosen["step_ms"]), (&"1m".into(), &60_000.into()));

    let (status, kind, csv) = api.text(&format!("{path}&step=3600&format=csv")).await.unwrap();
    assert_eq!((status, kind.starts_with("text/csv")), (200, true), "{kind}");
    let mut lines = csv.lines();
    let titles = "time,cpu.usage_percent avg,cpu.usage_percent max,filesystem.used_percent{/} avg";
    assert!(lines.next().unwrap().starts_with(titles), "{csv}");
    assert_eq!(lines.count(), 21);
    let (status, body) = api.get(&format!("{path}&stats=median")).await.unwrap();
    assert_eq!(status, 422);
    assert!(body["detail"].as_str().unwrap().contains("stats"), "{body}");
}
