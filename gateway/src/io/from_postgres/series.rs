//! Means and extremes of a host's metrics by step, one statement a table, all in one snapshot.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use deadpool_postgres::{Pool, Transaction};
use muster_runtime::time::system_time;
use muster_schemas::metrics::Metric;
use tokio_postgres::types::ToSql;
use tokio_postgres::{IsolationLevel, Row};

use super::sources::{Table, over_samples, source};
use super::statement::Reading;
use super::{connection, custom, kept};
use crate::logic::plan::{HOUR_MS, Level, Plan};
use crate::logic::reach::reaching;
use crate::logic::steps::{Point, Range, bucket_of, without_holes};

/// Rows of one statement: 45 instances at the finest step of the longest chart. More is an answer
/// no browser can draw, and would take hundreds of megabytes here.
pub(super) const ROWS_MAX: i64 = 500_000;

/// Samples from which the sampling interval is estimated.
const ESTIMATE_SAMPLES: i64 = 50;

/// Charts differ in host and time, and the database finds the parts of a range when it reads: to
/// plan each anew took it longer than to read a month of hours.
const PLANNED_ONCE: &str = "SET LOCAL plan_cache_mode = force_generic_plan";

pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) instance: Option<String>,
    pub(crate) points: Vec<Point>,
}

#[derive(Debug, thiserror::Error)]
#[error("the answer would have more than {ROWS_MAX} rows")]
pub(crate) struct TooManyRows;

/// What is to be read of a host.
pub(crate) struct Asked<'a> {
    pub(crate) host: &'a str,
    pub(crate) metrics: &'a [&'static Metric],
    /// Without the prefix.
    pub(crate) custom: &'a [String],
    pub(crate) range: Range,
    pub(crate) step_ms: i64,
    pub(crate) with_min: bool,
    /// What is younger is kept on every level.
    pub(crate) kept_since: i64,
}

pub(crate) struct Answered {
    pub(crate) level: Level,
    /// What was asked for, or more where that is not kept any longer.
    pub(crate) step_ms: i64,
    pub(crate) series: Vec<Series>,
}

/// The finest step that draws no holes into a range: by the interval at which the host sampled
/// lately, or by what is kept of that time. `None` where there is nothing.
pub(crate) async fn finest_ms(pool: &Pool, host: &str, range: Range) -> Result<Option<i64>> {
    let sql = "
        WITH newest AS (
            SELECT ts FROM host_samples
            WHERE host_id = $1 AND ts >= $2 AND ts < $3
            ORDER BY ts DESC
            LIMIT $4
        ), pauses AS (
            SELECT ts - lag(ts) OVER (ORDER BY ts) AS pause FROM newest
        )
        SELECT (extract(epoch FROM percentile_disc(0.5) WITHIN GROUP (ORDER BY pause)) * 1000)::bigint
        FROM pauses";
    let client = connection(pool).await?;
    let statement = client.prepare_cached(sql).await?;
    let (from, to) = (system_time(range.from), system_time(range.to));
    let values: &[&(dyn ToSql + Sync)] = &[&host, &from, &to, &ESTIMATE_SAMPLES];
    let row = client.query_one(&statement, values).await.context("cannot read the interval")?;
    if let Some(interval) = row.get::<_, Option<i64>>(0) {
        return Ok(Some(without_holes(interval)));
    }
    for level in [Level::Minutes, Level::Hours] {
        let table = Table::Hosts.buckets(level).context("hosts have no buckets")?;
        let sql = format!(
            "SELECT EXISTS (SELECT FROM {table} WHERE host_id = $1 AND ts >= $2 AND ts < $3)"
        );
        let there = client.query_one(&sql, &[&host, &from, &to]).await?;
        if there.get(0) {
            return Ok(Some(level.width_ms()));
        }
    }
    Ok(None)
}

/// The series that were asked for, in that order, instances in their own order; the custom ones
/// last.
pub(crate) async fn series(pool: &Pool, asked: &Asked<'_>) -> Result<Answered> {
    let mut client = connection(pool).await?;
    let snapshot = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    let mut by_table: BTreeMap<Table, Vec<(&'static Metric, &'static str)>> = BTreeMap::new();
    for metric in asked.metrics {
        let (table, figure) = source(metric.name)
            .with_context(|| format!("the metric {} has no source", metric.name))?;
        by_table.entry(table).or_default().push((metric, figure));
    }
    let tables: Vec<Table> = by_table.keys().copied().collect();
    // Both are under way at once, on the same connection.
    let (set, plans) =
        tokio::join!(snapshot.batch_execute(PLANNED_ONCE), Plans::new(&snapshot, asked, &tables));
    set.context("cannot prepare to read metrics")?;
    let plans = plans?;
    let mut found = Vec::new();
    for (table, columns) in by_table {
        found.extend(of_table(&snapshot, asked, &plans, table, &columns).await?);
    }
    let place = |series: &Series| asked.metrics.iter().position(|m| m.name == series.name);
    found.sort_by_key(place);
    if !asked.custom.is_empty() {
        found.extend(custom::series(&snapshot, asked, plans.of(plans.level), plans.step_ms).await?);
    }
    // Nothing was written: nobody has to wait until the database has heard that this is over.
    drop(snapshot);
    Ok(Answered { level: plans.level, step_ms: plans.step_ms, series: found })
}

/// Where to read: all tables from the same, but for those that have no buckets of a minute.
struct Plans {
    level: Level,
    step_ms: i64,
    preferred: Plan,
    samples: Plan,
}

impl Plans {
    async fn new(snapshot: &Transaction<'_>, asked: &Asked<'_>, tables: &[Table]) -> Result<Self> {
        let (mut level, mut step_ms) = (Level::of_step(asked.step_ms), asked.step_ms);
        if level != Level::Hours && asked.range.from < asked.kept_since {
            let (marked, _) = in_samples(snapshot, asked.host, asked.range, Level::Hours).await?;
            let firsts = kept::firsts(snapshot, asked, tables, marked.iter().min()).await?;
            (level, step_ms) = reaching(asked.step_ms, &firsts);
        }
        let range = Range { from: bucket_of(asked.range.from, step_ms), to: asked.range.to };
        let (marked, cut) = match level {
            Level::Samples => (Vec::new(), None),
            _ => in_samples(snapshot, asked.host, range, level).await?,
        };
        let preferred = Plan::new(range, level, &marked, cut);
        Ok(Self { level, step_ms, preferred, samples: Plan::new(range, Level::Samples, &[], None) })
    }

    fn of(&self, level: Level) -> &Plan {
        if level == Level::Samples { &self.samples } else { &self.preferred }
    }
}

/// Which hours are marked, and in which bucket the range ends, as far as there are samples of them:
/// retention may have dropped those, and buckets tell of them still.
async fn in_samples(
    snapshot: &Transaction<'_>,
    host: &str,
    range: Range,
    level: Level,
) -> Result<(Vec<i64>, Option<i64>)> {
    let sql = "
        SELECT (extract(epoch FROM stale.since) * 1000)::bigint, stale.is_cut
        FROM (
            SELECT DISTINCT hour AS since, hour + interval '1 hour' AS until, false AS is_cut
            FROM rollup_dirty
            WHERE host_id = $1 AND hour >= $2 AND hour < $3
            UNION ALL
            SELECT $4::timestamptz, $5::timestamptz, true WHERE $4 IS NOT NULL
        ) AS stale
        CROSS JOIN LATERAL (
            SELECT FROM host_samples
            WHERE host_id = $1 AND ts >= stale.since AND ts < stale.until
              AND ts >= $2 AND ts < $6
            LIMIT 1
        ) AS sample";
    let cut = level.cut(range.to);
    let first = system_time(range.from.div_euclid(HOUR_MS) * HOUR_MS);
    let (since, until) = (cut.map(system_time), cut.map(|at| system_time(at + level.width_ms())));
    let last = system_time(range.to + HOUR_MS);
    let to = system_time(range.to);
    // Planned once: to plan for each day of samples takes longer than to look into one.
    let statement = snapshot.prepare_cached(sql).await?;
    let values: [&(dyn ToSql + Sync); 6] = [&host, &first, &to, &since, &until, &last];
    let rows = snapshot.query(&statement, &values).await;
    let rows = rows.context("cannot read which hours are not rolled up")?;
    let marked = rows.iter().filter(|row| !row.get::<_, bool>(1)).map(|row| row.get(0)).collect();
    Ok((marked, rows.iter().find(|row| row.get(1)).map(|row| row.get(0))))
}

async fn of_table(
    snapshot: &Transaction<'_>,
    asked: &Asked<'_>,
    plans: &Plans,
    table: Table,
    columns: &[(&'static Metric, &'static str)],
) -> Result<Vec<Series>> {
    let figures: Vec<(&str, &str)> =
        columns.iter().map(|(_, figure)| (over_samples(table, figure), *figure)).collect();
    let buckets = table.buckets(plans.level);
    let plan = plans.of(if buckets.is_some() { plans.level } else { Level::Samples });
    let reading = Reading {
        samples: table.samples(),
        buckets: buckets.as_deref().unwrap_or_default(),
        keys: &[table.instance()],
        carried: &[],
        figures: &figures,
        filter: "",
        with_min: asked.with_min,
    };
    let rows = reading
        .run(snapshot, asked.host, &[], plan, plans.step_ms)
        .await
        .with_context(|| format!("cannot read the metrics of host {}", asked.host))?;
    not_too_many(&rows)?;
    Ok(split(&rows, columns, &reading))
}

pub(super) fn not_too_many(rows: &[Row]) -> Result<()> {
    if rows.len() as i64 > ROWS_MAX { Err(TooManyRows.into()) } else { Ok(()) }
}

/// Rows are buckets of instances; each figure has columns of its own.
fn split(
    rows: &[Row],
    columns: &[(&'static Metric, &'static str)],
    reading: &Reading<'_>,
) -> Vec<Series> {
    let mut by_instance: BTreeMap<InstanceKey, Vec<&Row>> = BTreeMap::new();
    for of_one in rows.chunk_by(|one, next| instance(one) == instance(next)) {
        let key = InstanceKey::new(instance(&of_one[0]).map(str::to_owned));
        by_instance.entry(key).or_default().extend(of_one);
    }
    let mut all = Vec::new();
    for (column, (metric, _)) in columns.iter().enumerate() {
        let series = |instance: Option<String>, points| Series {
            name: metric.name.to_owned(),
            unit: metric.unit.as_str().to_owned(),
            instance,
            points,
        };
        if by_instance.is_empty() && !metric.per_instance {
            all.push(series(None, vec![]));
        }
        for (key, rows) in &by_instance {
            let place = 2 + reading.width() * column;
            let points: Vec<Point> =
                rows.iter().filter_map(|row| read_point(row, place, reading.with_min)).collect();
            // An instance may lack what its neighbours have, such as inodes.
            if !points.is_empty() || !metric.per_instance {
                all.push(series(key.name.clone(), points));
            }
        }
    }
    all
}

fn instance(row: &Row) -> Option<&str> {
    row.get(1)
}

/// From the column on: mean, maximum, and the minimum if it was asked for.
pub(super) fn read_point(row: &Row, column: usize, with_min: bool) -> Option<Point> {
    let (mean, max): (Option<f64>, Option<f64>) = (row.get(column), row.get(column + 1));
    let min = if with_min { row.get(column + 2) } else { None };
    Some(Point { bucket: row.get(0), mean: mean?, min, max: max? })
}

/// Sorts "2" before "10", as people do.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct InstanceKey {
    number: Option<u32>,
    name: Option<String>,
}

impl InstanceKey {
    fn new(name: Option<String>) -> Self {
        Self { number: name.as_ref().and_then(|name| name.parse().ok()), name }
    }
}
