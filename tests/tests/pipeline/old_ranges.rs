//! Ranges of which only coarse buckets are left are answered from those, without holes.

use std::sync::Arc;
use std::time::Duration;

use muster_ingest_worker::io::partitions::Partitions;
use muster_ingest_worker::io::rollups::{Rollups, Timing};
use muster_ingest_worker::io::to_postgres::Store;
use muster_runtime::database::pool;
use muster_runtime::now_ms;
use muster_tests::api::Api;
use muster_tests::bus::TestHost;
use muster_tests::database::Database;
use muster_tests::wait::{eventually, expect};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::setup::start_with_gateway;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
const RETENTION_MS: i64 = 14 * DAY_MS;

/// The start of a day that the workers' own retention leaves alone.
fn first_day() -> i64 {
    now_ms().div_euclid(DAY_MS) * DAY_MS - 10 * DAY_MS
}

/// Three days of a host, a sample in ten minutes, rolled up.
async fn fill(url: &str, database: &Database, first: i64) {
    let pool = pool(url, "rollup-test", 4).unwrap();
    let (store, host) = (Store::new(pool.clone()), TestHost::new("web-1"));
    let times: Vec<i64> = (0..3 * 144).map(|n| first + n * 10 * MINUTE_MS).collect();
    let frames = times.chunks(48).zip(1..).map(|(times, seq)| host.frame(seq, times));
    let frames: Vec<_> = frames.collect();
    store.store(&frames.iter().collect::<Vec<_>>(), &[]).await.unwrap();
    let timing = Timing { grace: Duration::ZERO, settle: Duration::ZERO };
    let rollups = Mutex::new(Rollups::new(pool, timing, Arc::new(|_| RETENTION_MS)));
    eventually("all hours are rolled up", async || {
        let (mut rollups, stop) = (rollups.lock().await, CancellationToken::new());
        rollups.pass(&Partitions::default(), &stop).await.unwrap();
        expect(database.count("rollup_dirty").await.unwrap(), 0)
    })
    .await;
}

async fn drop_before(database: &Database, table: &str, before: i64) {
    let sql = "SELECT muster_drop_before($1, to_timestamp($2::float8))";
    database.client.query(sql, &[&table, &((before / 1_000) as f64)]).await.unwrap();
}

/// Source and step of an answer, of how many steps, and of how many of them its series have values.
fn told(answer: &Value) -> (&str, i64, usize, Vec<usize>) {
    let series = answer["series"].as_array().unwrap().iter();
    let present = |series: &Value| {
        series["values"].as_array().unwrap().iter().filter(|value| !value.is_null()).count()
    };
    let steps = answer["timestamps"].as_array().unwrap().len();
    let (source, step) = (answer["source"].as_str().unwrap(), answer["step_ms"].as_i64().unwrap());
    (source, step / 1_000, steps, series.map(present).collect())
}

struct Asking<'a> {
    api: &'a Api,
    first: i64,
}

impl Asking<'_> {
    /// Of the hours from the first day on.
    async fn check(
        &self,
        (from_h, to_h): (i64, i64),
        rest: &str,
        wanted: (&str, i64, usize, &[usize]),
    ) {
        let (from, to) = (self.first + from_h * HOUR_MS, self.first + to_h * HOUR_MS);
        let path = format!("/hosts/web-1/metrics?from={from}&to={to}&{rest}");
        let answer = self.api.read(&path).await.unwrap();
        let (source, step_s, steps, values) = told(&answer);
        assert_eq!((source, step_s, steps, &values[..]), wanted, "{path}");
    }
}

#[tokio::test]
async fn a_range_is_answered_from_the_finest_source_that_still_has_its_beginning() {
    let (running, api) = start_with_gateway().await;
    let first = first_day();
    fill(&running.stack.postgres_url(), &running.database, first).await;
    let asking = Asking { api: &api, first };
    let cpu = "names=cpu.usage_percent";
    asking.check((0, 72), &format!("{cpu}&step=600"), ("1m", 600, 432, &[432])).await;
    asking.check((0, 2), &format!("{cpu}&step=30"), ("raw", 30, 240, &[12])).await;

    // Of the first day there are no samples, of the others there are.
    drop_before(&running.database, "host_samples", first + DAY_MS).await;
    asking.check((0, 2), &format!("{cpu}&step=30"), ("1m", 60, 120, &[12])).await;
    asking.check((20, 26), &format!("{cpu}&step=30"), ("1m", 60, 360, &[36])).await;
    asking.check((24, 26), &format!("{cpu}&step=30"), ("raw", 30, 240, &[12])).await;

    // Of the first day there are hours only, of the second minutes.
    drop_before(&running.database, "host_samples", first + 2 * DAY_MS).await;
    drop_before(&running.database, "host_samples_1m", first + DAY_MS).await;
    for step in [30, 60, 1_800, 3_600] {
        asking.check((0, 24), &format!("{cpu}&step={step}"), ("1h", 3_600, 24, &[24])).await;
    }
    asking.check((0, 72), &format!("{cpu}&step=60"), ("1h", 3_600, 72, &[72])).await;
    asking.check((24, 72), &format!("{cpu}&step=600"), ("1m", 600, 288, &[288])).await;
    asking.check((3, 4), cpu, ("1h", 3_600, 1, &[1])).await;

    // Other tables have it all still: the answer has one step.
    let two = "names=cpu.usage_percent,interface.rx_bytes_per_s&step=600";
    asking.check((23, 25), two, ("1h", 3_600, 2, &[2, 2])).await;
    asking.check((23, 25), "names=interface.rx_bytes_per_s&step=600", ("1m", 600, 12, &[12])).await;

    // Cores have no minutes, and do not decide for others.
    let (from, to) = (first + 24 * HOUR_MS, first + 26 * HOUR_MS);
    let cores = format!("/hosts/web-1/metrics?from={from}&to={to}&step=600&names=cpu.core_percent");
    let cores = api.read(&cores).await.unwrap();
    let (source, step_s, steps, values) = told(&cores);
    assert_eq!((source, step_s, steps), ("1h", 3_600, 2));
    assert!(!values.is_empty() && values.iter().all(|there| *there == 2), "{cores}");
    let beside = "names=cpu.usage_percent,cpu.core_percent&step=600";
    asking.check((24, 26), beside, ("1m", 600, 12, &[12])).await;

    // Where there never was anything, what was asked for is what is answered.
    asking.check((-48, -47), &format!("{cpu}&step=60"), ("1m", 60, 60, &[0])).await;
    running.stack.shutdown().await;
}
