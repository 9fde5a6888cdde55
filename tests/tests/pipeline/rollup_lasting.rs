//! Buckets that were made of samples which retention took last, whatever comes late: whole days
//! that are gone, a table that is kept for a shorter time than others, a host that had a label.

use std::sync::Arc;
use std::time::Duration;

use muster_agent::simulate::SyntheticHost;
use muster_ingest_worker::io::partitions::Partitions;
use muster_ingest_worker::io::rollups::{Rollups, Timing};
use muster_ingest_worker::io::to_postgres::Store;
use muster_runtime::database::pool;
use muster_runtime::migrate::migrate;
use muster_runtime::now_ms;
use muster_schemas::telemetry::{Filesystem, TelemetryFrame};
use muster_schemas::{ENVELOPE_VERSION, Envelope};
use muster_stack::{PostgresOptions, PostgresServer};
use muster_tests::bus::{TestHost, sample};
use muster_tests::database::Database;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio_util::sync::CancellationToken;

use crate::rollup_oracle::differing_buckets;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

struct Rolled {
    _server: PostgresServer,
    url: String,
    database: Database,
    store: Store,
}

impl Rolled {
    async fn start() -> Self {
        let options = PostgresOptions { durable: false, ..PostgresOptions::default() };
        let server = PostgresServer::start_temporary(options).await.unwrap();
        let url = server.create_database("lasting").await.unwrap();
        migrate(&url).await.unwrap();
        let database = Database::connect(&url).await.unwrap();
        let store = Store::new(pool(&url, "rollup-test", 4).unwrap());
        Self { _server: server, url, database, store }
    }

    /// Everything is due at once, and by the policy of today all of it is still there.
    async fn pass(&self) {
        let timing = Timing { grace: Duration::ZERO, settle: Duration::ZERO };
        let pool = pool(&self.url, "rollup-test", 2).unwrap();
        let mut rollups = Rollups::new(pool, timing, Arc::new(|_| 14 * DAY_MS));
        rollups.pass(&Partitions::default(), &CancellationToken::new()).await.unwrap();
        assert_eq!(self.database.count("rollup_dirty").await.unwrap(), 0);
    }

    async fn run(&self, sql: &str) {
        self.database.client.batch_execute(sql).await.unwrap();
    }

    /// How many samples the buckets of a host stand for.
    async fn samples_in(&self, table: &str, host: &TestHost) -> i64 {
        let sql = format!("SELECT coalesce(sum(n), 0)::int8 FROM {table} WHERE host_id = $1");
        self.database.client.query_one(&sql, &[&host.id.as_str()]).await.unwrap().get(0)
    }
}

/// The start of the hour that lies five days back, well within what is kept.
fn five_days_ago() -> i64 {
    (now_ms() - 5 * DAY_MS).div_euclid(HOUR_MS) * HOUR_MS
}

#[tokio::test]
async fn late_data_does_not_replace_an_hour_of_which_retention_took_samples() {
    let rolled = Rolled::start().await;
    let old = five_days_ago();
    let times: Vec<i64> = (0..100).map(|n| old + n * 30_000).collect();
    let hosts = ["whole", "short-table", "no-day", "was-labelled"].map(TestHost::new);
    for host in &hosts {
        rolled.store.store(&[&host.frame(1, &times)], &[]).await.unwrap();
    }
    rolled.pass().await;

    // A rule keeps interfaces for three days, and all else for longer.
    rolled.run("DELETE FROM network_samples WHERE host_id = 'short-table'").await;
    // What is kept for 14 days was kept for 2, until today.
    rolled.run("DELETE FROM host_samples WHERE host_id = 'no-day'").await;
    rolled.run("DELETE FROM network_samples WHERE host_id = 'no-day'").await;
    // A label shortened it, of which half was deleted before the host lost the label.
    let half = format!("ts < to_timestamp({}) ", (old + HOUR_MS / 2) / 1000);
    rolled
        .run(&format!("DELETE FROM host_samples WHERE host_id = 'was-labelled' AND {half}"))
        .await;

    for host in &hosts {
        rolled.store.store(&[&host.frame(2, &[old + 45_000])], &[]).await.unwrap();
    }
    rolled.pass().await;
    let [whole, short_table, no_day, was_labelled] = &hosts;
    for (table, host, expected) in [
        ("host_samples", whole, 101),
        ("network_samples", whole, 101),
        ("host_samples", short_table, 101),
        ("network_samples", short_table, 100),
        ("host_samples", no_day, 100),
        ("network_samples", no_day, 100),
        ("host_samples", was_labelled, 100),
        ("network_samples", was_labelled, 101),
    ] {
        for level in ["1m", "1h"] {
            let found = rolled.samples_in(&format!("{table}_{level}"), host).await;
            assert_eq!(found, expected, "{table}_{level} of {}", host.id);
        }
    }
    let cores = rolled.samples_in("core_samples_1h", was_labelled).await;
    assert_eq!(cores, 200, "two cores of each sample");

    // More late data than was lost still leaves a hole where the rest was.
    let many: Vec<i64> = (0..200).map(|n| old + HOUR_MS / 2 + n * 5_000).collect();
    rolled.store.store(&[&no_day.frame(3, &many)], &[]).await.unwrap();
    rolled.pass().await;
    assert_eq!(rolled.samples_in("host_samples_1m", no_day).await, 100);
}

/// Frames of a host at random moments of some hours.
fn frames(host: &TestHost, first_seq: i64, random: &mut SmallRng) -> Vec<Envelope<TelemetryFrame>> {
    let mut values = SyntheticHost::new(random.random(), random);
    let frame = |seq| {
        let start = five_days_ago() + random.random_range(0..3 * HOUR_MS);
        let samples = (0..3).map(|n| values.sample(start + n * 5_000, random)).collect();
        let (id, body) = (host.id.clone(), TelemetryFrame { samples });
        Envelope { v: ENVELOPE_VERSION, host: id, epoch: 1, seq, sent_at: start, body }
    };
    (first_seq..first_seq + 40).map(frame).collect()
}

#[tokio::test]
async fn no_bucket_ever_stands_for_fewer_samples_and_whole_hours_stay_exact() {
    let rolled = Rolled::start().await;
    let mut random = SmallRng::seed_from_u64(11);
    let hosts = ["torn", "web-1", "web-2"].map(TestHost::new);
    let levels = ["host_samples_1m", "filesystem_samples_1m", "network_samples_1h"];
    for round in 0..3 {
        for host in &hosts {
            let frames = frames(host, 1 + round * 40, &mut random);
            let batch: Vec<_> = frames.iter().collect();
            rolled.store.store(&batch, &[]).await.unwrap();
        }
        for level in levels {
            rolled.run(&format!("CREATE TABLE before_{level} AS SELECT * FROM {level}")).await;
        }
        rolled.pass().await;
        for level in levels {
            let key = match level {
                "host_samples_1m" => "",
                "filesystem_samples_1m" => ", mount",
                _ => ", interface",
            };
            let sql = format!(
                "SELECT count(*) FROM before_{level} AS b
                 LEFT JOIN {level} AS a USING (ts, host_id{key}) WHERE a.n IS NULL OR a.n < b.n"
            );
            let fewer: i64 = rolled.database.client.query_one(&sql, &[]).await.unwrap().get(0);
            assert_eq!(fewer, 0, "{level} in round {round}");
            rolled.run(&format!("DROP TABLE before_{level}")).await;
        }
        for table in ["host_samples", "filesystem_samples", "network_samples"] {
            let some = "host_id = 'torn' AND hashtext(ts::text) % 3 = 0";
            rolled.run(&format!("DELETE FROM {table} WHERE {some}")).await;
        }
    }
    let tables = "SELECT table_name FROM time_series";
    for row in rolled.database.client.query(tables, &[]).await.unwrap() {
        let table: String = row.get(0);
        rolled.run(&format!("DELETE FROM {table} WHERE host_id = 'torn'")).await;
    }
    assert_eq!(differing_buckets(&rolled.database).await, Vec::<String>::new());
}

/// Intake has a bound for it; what was stored before has none.
#[tokio::test]
async fn sizes_whose_sum_is_no_number_are_rolled_up() {
    let rolled = Rolled::start().await;
    let host = TestHost::new("web-1");
    let mut endless = sample(five_days_ago());
    endless.filesystems = vec![Filesystem {
        mount: "/bucket".into(),
        total_bytes: i64::MAX,
        used_bytes: i64::MAX,
        available_bytes: i64::MAX,
        ..Filesystem::default()
    }];
    let frame = host.message(1, endless.at, TelemetryFrame { samples: vec![endless] });
    rolled.store.store(&[&frame], &[]).await.unwrap();
    rolled.pass().await;
    let sql = "SELECT used_percent FROM filesystem_samples_1h";
    let percent: f32 = rolled.database.client.query_one(sql, &[]).await.unwrap().get(0);
    assert!((percent - 50.0).abs() < 1e-3, "{percent}");
}
