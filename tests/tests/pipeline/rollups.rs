//! Buckets tell what samples tell: whatever comes late, whoever is killed, and after retention.

use std::sync::Arc;
use std::time::Duration;

use muster_agent::simulate::SyntheticHost;
use muster_ingest_worker::io::partitions::Partitions;
use muster_ingest_worker::io::rollups::{Kept, Rollups, Timing};
use muster_ingest_worker::io::to_postgres::Store;
use muster_ingest_worker::logic::behind::Waiting;
use muster_runtime::database::pool;
use muster_runtime::migrate::migrate;
use muster_runtime::now_ms;
use muster_schemas::sql::{Engine, MIGRATIONS};
use muster_schemas::telemetry::{
    Container, CpuModes, CustomMetric, Inodes, Sample, Sensor, TelemetryFrame,
};
use muster_schemas::{ENVELOPE_VERSION, Envelope};
use muster_stack::{PostgresOptions, PostgresServer};
use muster_tests::bus::TestHost;
use muster_tests::database::Database;
use rand::rngs::{SmallRng, StdRng};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::rollup_oracle::{differing_buckets, figures_missing};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const RETENTION_MS: i64 = 14 * 86_400_000;

/// Everything is due at once: what protects the buckets must not be patience.
fn at_once() -> Timing {
    Timing { grace: Duration::ZERO, settle: Duration::ZERO }
}

fn kept() -> Kept {
    Arc::new(|_| RETENTION_MS)
}

async fn server() -> (PostgresServer, String) {
    let options = PostgresOptions { durable: false, ..PostgresOptions::default() };
    let server = PostgresServer::start_temporary(options).await.unwrap();
    let url = server.create_database("rollups").await.unwrap();
    migrate(&url).await.unwrap();
    (server, url)
}

/// A sample in which this and that is missing, as agents' samples are.
fn sample(host: &mut SyntheticHost, at: i64, random: &mut SmallRng) -> Sample {
    let mut sample = host.sample(at, random);
    let mut one_in = |n: u32| random.random_range(0..n) == 0;
    if one_in(2) {
        let modes = CpuModes { user_percent: 1.5, idle_percent: 98.5, ..CpuModes::default() };
        sample.cpu.modes = Some(modes);
    }
    if one_in(3) {
        sample.filesystems[0].inodes = Some(Inodes { total: 1000, used: at % 900 });
    }
    if one_in(3) {
        sample.sensors = vec![Sensor { name: "cpu".into(), celsius: (at % 80) as f32 }];
    }
    if one_in(4) {
        let (name, cpu_percent) = (format!("job-{}", at % 2), (at % 7) as f32 / 64.0);
        sample.containers = vec![Container { name, cpu_percent, ..Container::default() }];
    }
    if one_in(3) {
        // The values of a script may be anything that is finite.
        let value = [1e300, -1e300, 5e-324, 0.1, f64::MAX][(at % 5) as usize];
        let custom = CustomMetric { name: "queue".into(), value, ..CustomMetric::default() };
        sample.custom = vec![custom];
    }
    // The smallest there is: its mean with a zero is less than a real can hold.
    sample.load.fifteen = if one_in(2) { f32::from_bits(1) } else { 0.0 };
    sample
}

/// Frames of some hosts at random moments of the last hours, in no order, the current one included.
fn frames(seed: u64) -> Vec<Envelope<TelemetryFrame>> {
    let (now, mut random) = (now_ms(), SmallRng::seed_from_u64(seed));
    let mut frames = Vec::new();
    for number in 0..3u64 {
        let id = TestHost::new(&format!("web-{number}")).id;
        let mut host = SyntheticHost::new(number, &mut random);
        for seq in 1..=160 {
            let start = now - random.random_range(0..5 * HOUR_MS);
            let samples = (0..3).map(|n| sample(&mut host, start - n * 5_000, &mut random));
            let body = TelemetryFrame { samples: samples.collect() };
            let (host, epoch) = (id.clone(), 1);
            frames.push(Envelope { v: ENVELOPE_VERSION, host, epoch, seq, sent_at: now, body });
        }
    }
    frames.shuffle(&mut StdRng::seed_from_u64(seed));
    frames
}

/// A worker: takes every second batch, and now and then one that was stored before.
async fn work(url: String, batches: Vec<Vec<Envelope<TelemetryFrame>>>, worker: usize) {
    let store = Store::new(pool(&url, "rollup-test", 2).unwrap());
    for (number, batch) in batches.iter().enumerate() {
        if number % 2 == worker || number % 7 == 0 {
            let batch: Vec<&Envelope<TelemetryFrame>> = batch.iter().collect();
            while store.store(&batch, &[]).await.is_err() {
                sleep(Duration::from_millis(5)).await;
            }
        }
    }
}

/// Rollup passes that are cut off at random, as by a kill: in the middle of whatever they do.
async fn roll_up_and_die(url: String, seed: u64, stop: CancellationToken) {
    let pool = pool(&url, "rollup-test", 2).unwrap();
    let mut random = SmallRng::seed_from_u64(seed);
    while !stop.is_cancelled() {
        let (mut rollups, partitions) =
            (Rollups::new(pool.clone(), at_once(), kept()), Partitions::default());
        let life = Duration::from_millis(random.random_range(1..150));
        let _ = timeout(life, rollups.pass(&partitions, &stop)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bucket_equals_its_samples_whatever_comes_late_and_whoever_is_killed() {
    let (_server, url) = server().await;
    for seed in [7, 8] {
        let batches: Vec<Vec<_>> = frames(seed)
            .chunks(12)
            .map(|batch| {
                // Another epoch each time: nothing is a duplicate of the round before.
                let epoch = seed as i64;
                batch.iter().cloned().map(|frame| Envelope { epoch, ..frame }).collect()
            })
            .collect();
        let stop = CancellationToken::new();
        let loops: Vec<_> = (0..2)
            .map(|number| tokio::spawn(roll_up_and_die(url.clone(), seed + number, stop.clone())))
            .collect();
        let workers = (0..2).map(|n| tokio::spawn(work(url.clone(), batches.clone(), n)));
        futures::future::try_join_all(workers).await.unwrap();
        stop.cancel();
        futures::future::try_join_all(loops).await.unwrap();
        finish(&url).await;
        let database = Database::connect(&url).await.unwrap();
        assert_eq!(differing_buckets(&database).await, Vec::<String>::new(), "seed {seed}");
    }
}

/// Lets the loop do what is left. The hour that still grows is not due, but all of it is marked.
async fn finish(url: &str) {
    let database = Database::connect(url).await.unwrap();
    let stop = CancellationToken::new();
    let mut rollups = Rollups::new(pool(url, "rollup-test", 2).unwrap(), at_once(), kept());
    // The slices that the killed ones held are free once the server has noticed.
    while database.count("rollup_dirty WHERE hour < now() - interval '1 hour'").await.unwrap() > 0 {
        rollups.pass(&Partitions::default(), &stop).await.unwrap();
    }
    let unmarked = "
        SELECT count(*) FROM host_samples s
        WHERE ts >= date_bin('1 hour', now(), '2000-01-03Z') AND NOT EXISTS (
            SELECT FROM rollup_dirty d WHERE d.host_id = s.host_id
            AND s.ts >= d.hour AND s.ts < d.hour + interval '1 hour')";
    assert_eq!(database.client.query_one(unmarked, &[]).await.unwrap().get::<_, i64>(0), 0);
    let current = "
        SELECT muster_roll_up(array_agg(DISTINCT host_id), hour, true)
        FROM rollup_dirty GROUP BY hour";
    database.client.query(current, &[]).await.unwrap();
}

#[tokio::test]
async fn hours_of_a_backlog_are_made_when_it_has_come() {
    let (_server, url) = server().await;
    let pool = pool(&url, "rollup-test", 4).unwrap();
    let (stop, partitions) = (CancellationToken::new(), Partitions::default());
    let store = Store::new(pool.clone());
    let at = now_ms().div_euclid(HOUR_MS) * HOUR_MS - 3 * HOUR_MS;
    store.store(&[&TestHost::new("web-1").frame(1, &[at, at + 5_000])], &[]).await.unwrap();
    let database = Database::connect(&url).await.unwrap();

    let (waiting, telemetry) = watch::channel(Waiting { has_backlog: true, is_behind: false });
    let mut rollups = Rollups::new(pool, at_once(), kept()).waiting_for(telemetry);
    assert_eq!(rollups.pass(&partitions, &stop).await.unwrap(), 0);
    assert_eq!(database.count("host_samples_1h").await.unwrap(), 0);
    assert_eq!(database.count("rollup_dirty").await.unwrap(), 1);

    waiting.send(Waiting::default()).unwrap();
    assert_eq!(rollups.pass(&partitions, &stop).await.unwrap(), 1);
    assert_eq!(database.count("host_samples_1h").await.unwrap(), 1);
    assert_eq!(database.count("rollup_dirty").await.unwrap(), 0);
}

#[tokio::test]
async fn buckets_outlive_their_samples_and_late_data_does_not_replace_them() {
    let (_server, url) = server().await;
    let pool = pool(&url, "rollup-test", 4).unwrap();
    let (stop, partitions) = (CancellationToken::new(), Partitions::default());
    let (store, host) = (Store::new(pool.clone()), TestHost::new("web-1"));
    let old = now_ms() - 16 * DAY_MS;
    let times: Vec<i64> = (0..100).map(|n| old + n * 5_000).collect();
    store.store(&[&host.frame(1, &times)], &[]).await.unwrap();
    Rollups::new(pool.clone(), at_once(), kept()).pass(&partitions, &stop).await.unwrap();
    let database = Database::connect(&url).await.unwrap();
    let buckets = database.count("host_samples_1m").await.unwrap();
    assert!(buckets >= 9, "{buckets} buckets: samples of before the upgrade are rolled up too");

    let dropped = "SELECT muster_drop_before('host_samples', now() - interval '14 days')";
    database.client.query(dropped, &[]).await.unwrap();
    assert_eq!(database.count("host_samples").await.unwrap(), 0);
    database.client.execute(
        "INSERT INTO rollup_dirty SELECT DISTINCT host_id, date_bin('1 hour', ts, '2000-01-03Z') \
         FROM host_samples_1m", &[]).await.unwrap();
    Rollups::new(pool.clone(), at_once(), kept()).pass(&partitions, &stop).await.unwrap();
    assert_eq!(database.count("host_samples_1m").await.unwrap(), buckets);

    // What comes so late is a part of an hour of which the rest is gone.
    let store = Store::new(pool.clone());
    store.store(&[&host.frame(2, &[old + 250])], &[]).await.unwrap();
    Rollups::new(pool.clone(), at_once(), kept()).pass(&partitions, &stop).await.unwrap();
    assert_eq!(database.count("rollup_dirty").await.unwrap(), 0);
    assert_eq!(database.count("host_samples_1m").await.unwrap(), buckets);
    let n = "SELECT sum(n) FROM host_samples_1h";
    assert_eq!(database.client.query_one(n, &[]).await.unwrap().get::<_, i64>(0), 100);
}

#[tokio::test]
async fn a_host_whose_hour_cannot_be_made_holds_nobody_up() {
    let (_server, url) = server().await;
    let pool = pool(&url, "rollup-test", 4).unwrap();
    let store = Store::new(pool.clone());
    let at = now_ms() - 3 * HOUR_MS;
    for number in 0..30 {
        let host = TestHost::new(&format!("web-{number}"));
        store.store(&[&host.frame(1, &[at])], &[]).await.unwrap();
    }
    let database = Database::connect(&url).await.unwrap();
    let refuse = "ALTER TABLE host_samples_1h ADD CHECK (host_id <> 'web-7')";
    database.client.batch_execute(refuse).await.unwrap();
    let stop = CancellationToken::new();
    let mut rollups = Rollups::new(pool, at_once(), kept());
    for _ in 0..2 {
        rollups.pass(&Partitions::default(), &stop).await.unwrap();
    }
    assert_eq!(database.count("host_samples_1h").await.unwrap(), 29);
    assert_eq!(database.count("rollup_dirty").await.unwrap(), 1);
}

#[tokio::test]
async fn samples_of_before_the_upgrade_are_marked_and_no_number_is_forgotten() {
    let options = PostgresOptions { durable: false, ..PostgresOptions::default() };
    let server = PostgresServer::start_temporary(options).await.unwrap();
    let url = server.create_database("upgrade").await.unwrap();
    let database = Database::connect(&url).await.unwrap();
    let before: Vec<&str> = MIGRATIONS[..3].iter().map(|migration| migration.sql).collect();
    let sql = format!(
        "CREATE TABLE muster_migrations (
             version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz DEFAULT now());
         CREATE TABLE muster_engine (only_row boolean PRIMARY KEY DEFAULT true, engine text);
         INSERT INTO muster_engine (engine) VALUES ('plain');
         {};
         {};
         INSERT INTO muster_migrations VALUES (1, 'main_job'), (2, 'agent_in_full'), (3, 'repair');
         SELECT muster_ensure_partitions('2026-01-01', '2026-01-02');
         INSERT INTO hosts (id) VALUES ('web-1'), ('web-2'), ('web-3');",
        Engine::Plain.sql(),
        before.join(";\n")
    );
    database.client.batch_execute(&sql).await.unwrap();
    for (host, ts) in [
        ("web-1", "2026-01-01 12:59:59.999Z"),
        ("web-1", "2026-01-01 13:00Z"),
        ("web-1", "2026-01-02 20:10Z"),
        ("web-2", "2026-01-01 00:00Z"),
    ] {
        let insert = format!(
            "INSERT INTO host_samples (host_id, ts, uptime_s, cpu_usage_percent, cpu_cores_percent,
                 load_one, load_five, load_fifteen, memory_total_bytes, memory_used_bytes,
                 memory_available_bytes, swap_total_bytes, swap_used_bytes, disk_read_bytes_per_s,
                 disk_write_bytes_per_s, network_rx_bytes_per_s, network_tx_bytes_per_s,
                 network_rx_packets_per_s, network_tx_packets_per_s, tcp_connections,
                 processes_total)
             VALUES ('{host}', '{ts}', 1, 1, '{{1}}', 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)"
        );
        database.client.batch_execute(&insert).await.unwrap();
    }
    migrate(&url).await.unwrap();
    let marks = "
        SELECT string_agg(host_id || to_char(hour AT TIME ZONE 'UTC', ' DD HH24'), ',' ORDER BY 1)
        FROM rollup_dirty";
    let mut marks: Vec<String> = database
        .client
        .query_one(marks, &[])
        .await
        .unwrap()
        .get::<_, String>(0)
        .split(',')
        .map(str::to_owned)
        .collect();
    marks.sort();
    assert_eq!(marks, ["web-1 01 12", "web-1 01 13", "web-1 02 20", "web-2 01 00"]);
    assert_eq!(figures_missing(&database).await, Vec::<String>::new());

    database.client.batch_execute("ALTER TABLE fan_samples ADD COLUMN noise real").await.unwrap();
    assert_eq!(figures_missing(&database).await, ["fan_samples.noise"]);
    database.client.query("SELECT muster_add_figures('fan_samples')", &[]).await.unwrap();
    assert_eq!(figures_missing(&database).await, Vec::<String>::new());
}
