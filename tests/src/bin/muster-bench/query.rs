//! Charts through the gateway beside the same SQL on a connection of its own: 30 days of a host in
//! steps of an hour, and 24 hours in steps of a minute, of random hosts.
//!
//! The samples are made in the database, one a minute, and rolled up by the statements of the
//! rollup loop. 30 days find the 14 that there are. "Cold" is the first touch after the database
//! was started again: its own memory is empty, the system's cache of files is not.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use muster_runtime::now_ms;
use muster_runtime::time::system_time;
use muster_stack::{PostgresOptions, Stack, StackOptions};
use muster_tests::api::Api;
use muster_tests::database::Database;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;
use tokio_postgres::types::{ToSql, Type};

use crate::figures::{Better, Figure, Figures};

const DAYS: i64 = 14;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Hosts that are asked for, with repetitions.
const QUESTIONS: usize = 200;

/// Rolled up at once; more would not fit into the memory of one aggregation.
const HOSTS_AT_ONCE: usize = 100;

/// The names of a host's first charts, and where they are in buckets.
const METRICS: &[(&str, &str)] = &[
    ("cpu.usage_percent", "cpu_usage_percent"),
    ("load.one", "load_one"),
    ("memory.used_percent", "memory_used_percent"),
    ("swap.used_percent", "swap_used_percent"),
    ("network.rx_bytes_per_s", "network_rx_bytes_per_s"),
    ("network.tx_bytes_per_s", "network_tx_bytes_per_s"),
];

const SAMPLES: &str = "
    INSERT INTO host_samples (
        host_id, ts, uptime_s, cpu_usage_percent, cpu_cores_percent, load_one, load_five,
        load_fifteen, memory_total_bytes, memory_used_bytes, memory_available_bytes,
        swap_total_bytes, swap_used_bytes, disk_read_bytes_per_s, disk_write_bytes_per_s,
        network_rx_bytes_per_s, network_tx_bytes_per_s, network_rx_packets_per_s,
        network_tx_packets_per_s, tcp_connections, processes_total)
    SELECT 'bench-' || host, ts, 3600, cpu, ARRAY[cpu, cpu, cpu, cpu]::real[], cpu / 16, cpu / 20,
           cpu / 24, 17179869184, used, 17179869184 - used, 2147483648, 0, used / 65536,
           used / 32768, used / 4096, used / 8192, cpu, cpu, 100 + cpu::int8, 200
    FROM generate_series($2::timestamptz, $3::timestamptz, interval '1 minute') AS ts
    CROSS JOIN generate_series(1, $1::int4) AS host
    CROSS JOIN LATERAL (
        SELECT round(random() * 6400 + host * 0)::real / 64 AS cpu,
               (random() * 1048576)::int8 * 16384 + extract(epoch FROM ts)::int8 % 2 AS used
    ) AS noise";

#[derive(Clone, Copy)]
struct Chart {
    what: &'static str,
    span_ms: i64,
    step_s: i64,
    level: &'static str,
    level_ms: i64,
}

const CHARTS: [Chart; 2] = [
    Chart {
        what: "30 d at 1 h",
        span_ms: 30 * DAY_MS,
        step_s: 3600,
        level: "1h",
        level_ms: HOUR_MS,
    },
    Chart { what: "24 h at 1 m", span_ms: DAY_MS, step_s: 60, level: "1m", level_ms: 60_000 },
];

/// p95 in ms.
struct Times {
    rest_cold: f64,
    rest_warm: f64,
    sql_cold: f64,
    sql_warm: f64,
}

pub async fn measure(figures: &mut Figures, hosts: usize) -> Result<()> {
    let options = StackOptions {
        postgres: PostgresOptions { durable: false, ..PostgresOptions::default() },
        gateway: true,
        ..StackOptions::default()
    };
    let mut stack = Stack::start(options).await?;
    let now = now_ms();
    let started = Instant::now();
    fill(&stack, hosts, now).await?;
    eprintln!("query: {hosts} hosts of {DAYS} d made in {:.0} s", started.elapsed().as_secs_f64());
    bytes_per_bucket(&stack, figures).await?;
    let mut worst: f64 = 0.0;
    let names = [
        ("ingest.query_30d_1h_p95_ms", "ingest.query_30d_1h_cold_p95_ms"),
        ("ingest.query_24h_1m_p95_ms", "ingest.query_24h_1m_cold_p95_ms"),
    ];
    for (chart, (warm, cold)) in CHARTS.into_iter().zip(names) {
        let times = time(&mut stack, chart, hosts, now).await?;
        worst = worst.max(times.rest_warm / times.sql_warm);
        let mut add = |name, value, limit, goal| {
            figures.add(Figure { name, value, unit: "ms", limit: Some(limit), goal });
        };
        add(warm, times.rest_warm, times.sql_warm, Some((50.0, Better::Lower)));
        add(cold, times.rest_cold, times.sql_cold, None);
    }
    let (name, goal) = ("ingest.query_ratio_to_psql", Some((1.5, Better::Lower)));
    figures.add(Figure { name, value: worst, unit: "ratio", limit: None, goal });
    stack.shutdown().await;
    Ok(())
}

/// Samples of all hosts, and their buckets but for the hour that grows.
async fn fill(stack: &Stack, hosts: usize, now: i64) -> Result<()> {
    let database = Database::connect(&stack.postgres_url()).await?;
    let client = &database.client;
    let (first, last) = (system_time(now - DAYS * DAY_MS), system_time(now));
    let days = "SELECT muster_ensure_partitions(($1::timestamptz AT TIME ZONE 'UTC')::date, ($2::timestamptz AT TIME ZONE 'UTC')::date)";
    client.execute(days, &[&first, &last]).await?;
    let count = i32::try_from(hosts)?;
    client.execute(SAMPLES, &[&count, &first, &last]).await.context("no samples")?;
    let ids: Vec<String> = (1..=hosts).map(|host| format!("bench-{host}")).collect();
    client.execute("INSERT INTO hosts (id) SELECT unnest($1::text[])", &[&ids]).await?;
    client.batch_execute("SET work_mem = '128MB'; SET jit = off").await?;
    let current = now.div_euclid(HOUR_MS) * HOUR_MS;
    for hour in (1..=DAYS * 24).map(|back| current - back * HOUR_MS) {
        for some in ids.chunks(HOSTS_AT_ONCE) {
            let make = "SELECT muster_roll_up($1, $2, true)";
            client.execute(make, &[&some, &system_time(hour)]).await?;
        }
    }
    let marks = "INSERT INTO rollup_dirty (host_id, hour) SELECT unnest($1::text[]), $2";
    client.execute(marks, &[&ids, &system_time(current)]).await?;
    client.batch_execute("VACUUM (ANALYZE)").await?;
    Ok(())
}

async fn bytes_per_bucket(stack: &Stack, figures: &mut Figures) -> Result<()> {
    let database = Database::connect(&stack.postgres_url()).await?;
    for (name, table) in [
        ("ingest.bytes_per_sample_row", "host_samples"),
        ("ingest.bytes_per_bucket_1m", "host_samples_1m"),
        ("ingest.bytes_per_bucket_1h", "host_samples_1h"),
    ] {
        // Partitions of less than a few pages would be counted by their empty room.
        let sql = format!(
            "SELECT (sum(pg_total_relation_size(oid)) / nullif(sum(reltuples), 0))::float8
             FROM pg_class WHERE relname ~ '^{table}_p[0-9]+$' AND reltuples > 0"
        );
        let value: Option<f64> = database.client.query_one(&sql, &[]).await?.get(0);
        let value = value.with_context(|| format!("{table} is empty"))?;
        figures.add(Figure { name, value, unit: "bytes", limit: None, goal: None });
    }
    Ok(())
}

async fn time(stack: &mut Stack, chart: Chart, hosts: usize, now: i64) -> Result<Times> {
    let mut random = SmallRng::seed_from_u64(7);
    let asked: Vec<String> =
        (0..QUESTIONS).map(|_| format!("bench-{}", random.random_range(1..=hosts))).collect();
    let (rest_cold, rest_warm) = {
        restart_database(stack).await?;
        let admin = stack.admin();
        let api = Api::sign_in(stack.gateway_url(), &admin.username, &admin.password).await?;
        rest(&api, chart, now, &asked[..1]).await?;
        (rest(&api, chart, now, &asked).await?, rest(&api, chart, now, &asked).await?)
    };
    restart_database(stack).await?;
    let database = Database::connect(&stack.postgres_url()).await?;
    sql(&database, chart, now, &asked[..1]).await?;
    let sql_cold = sql(&database, chart, now, &asked).await?;
    let sql_warm = sql(&database, chart, now, &asked).await?;
    let times = Times { rest_cold, rest_warm, sql_cold, sql_warm };
    eprintln!(
        "query {}: gateway {:.1} ms, SQL {:.1} ms; cold {:.1} ms, {:.1} ms",
        chart.what, times.rest_warm, times.sql_warm, times.rest_cold, times.sql_cold
    );
    Ok(times)
}

async fn restart_database(stack: &mut Stack) -> Result<()> {
    stack.stop("postgres").await?;
    stack.restart("postgres").await?;
    stack.wait_until_ready().await
}

async fn rest(api: &Api, chart: Chart, now: i64, asked: &[String]) -> Result<f64> {
    let names: Vec<&str> = METRICS.iter().map(|(name, _)| *name).collect();
    let (from, step, names) = (now - chart.span_ms, chart.step_s, names.join(","));
    let mut times = Vec::with_capacity(asked.len());
    for host in asked {
        let path = format!("/hosts/{host}/metrics?from={from}&to={now}&step={step}&names={names}");
        let started = Instant::now();
        let (status, _, body) = api.text(&path).await?;
        times.push(started.elapsed());
        ensure!(status == 200, "{path} answered {status}: {body}");
        ensure!(body.contains(&format!("\"source\":\"{}\"", chart.level)), "{path}: not rolled up");
    }
    Ok(p95_ms(times))
}

/// What somebody who knows the tables would write: buckets up to the hour that grows, and samples
/// from there.
async fn sql(database: &Database, chart: Chart, now: i64, asked: &[String]) -> Result<f64> {
    let (from, step_ms) = (now - chart.span_ms, chart.step_s * 1000);
    let from = system_time(from.div_euclid(step_ms) * step_ms);
    let (growing, to) = (system_time(now.div_euclid(HOUR_MS) * HOUR_MS), system_time(now));
    let statement = statement(chart);
    let mut times = Vec::with_capacity(asked.len());
    for host in asked {
        let values: [(&(dyn ToSql + Sync), Type); 4] = [
            (host, Type::TEXT),
            (&from, Type::TIMESTAMPTZ),
            (&growing, Type::TIMESTAMPTZ),
            (&to, Type::TIMESTAMPTZ),
        ];
        let started = Instant::now();
        let rows = database.client.query_typed(&statement, &values).await?;
        times.push(started.elapsed());
        ensure!(!rows.is_empty(), "{host} has no buckets");
    }
    Ok(p95_ms(times))
}

fn statement(chart: Chart) -> String {
    let (mut outer, mut buckets, mut samples) = (String::new(), String::new(), String::new());
    for (index, (_, figure)) in METRICS.iter().enumerate() {
        let raw = match *figure {
            "memory_used_percent" => "memory_used_bytes * 100.0 / nullif(memory_total_bytes, 0)",
            "swap_used_percent" => "swap_used_bytes * 100.0 / nullif(swap_total_bytes, 0)",
            column => column,
        };
        outer.extend([format!(", sum(s{index}) / sum(c{index}), max(h{index})")]);
        buckets.extend([format!(
            ", {figure}::float8 * coalesce({figure}_n, n) AS s{index}, \
             coalesce({figure}_n, n) AS c{index}, coalesce({figure}_max, {figure})::float8 AS h{index}"
        )]);
        samples.extend([format!(", ({raw})::float8, 1, ({raw})::float8")]);
    }
    let (level, step) = (chart.level, chart.level_ms / 1000);
    let bin = format!("date_bin('{step} s', ts, TIMESTAMPTZ '2000-01-03 00:00:00+00')");
    format!(
        "SELECT (extract(epoch FROM bucket) * 1000)::bigint{outer}
         FROM (
             SELECT {bin} AS bucket{buckets} FROM host_samples_{level}
             WHERE host_id = $1 AND ts >= $2 AND ts < $3
             UNION ALL
             SELECT {bin}{samples} FROM host_samples
             WHERE host_id = $1 AND ts >= $3 AND ts < $4
         ) AS parts
         GROUP BY bucket ORDER BY 1"
    )
}

fn p95_ms(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() * 95 / 100).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
}
