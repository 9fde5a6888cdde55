//! Means and maxima of a host's metrics by step, one statement a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use muster_runtime::time::system_time;
use muster_schemas::metrics::Metric;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::connection;
use super::sources::{Table, source};
use crate::logic::steps::{Point, Range, bucket_of};

/// Rows of one statement: 45 instances at the finest step of the longest chart. More is an answer
/// no browser can draw, and would take hundreds of megabytes here.
pub(super) const ROWS_MAX: i64 = 500_000;

/// Samples from which the sampling interval is estimated.
const ESTIMATE_SAMPLES: i64 = 50;

pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) instance: Option<String>,
    pub(crate) points: Vec<Point>,
}

#[derive(Debug, thiserror::Error)]
#[error("the answer would have more than {ROWS_MAX} rows")]
pub(crate) struct TooManyRows;

/// The interval at which a host sampled lately within a range; `None` where it hardly did.
pub(crate) async fn sampling_ms(pool: &Pool, host: &str, range: Range) -> Result<Option<i64>> {
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
    Ok(row.get(0))
}

/// The series of these metrics in the order asked for, instances in their own order.
pub(crate) async fn series(
    pool: &Pool,
    host: &str,
    metrics: &[&'static Metric],
    range: Range,
    step_ms: i64,
) -> Result<Vec<Series>> {
    let mut by_table: BTreeMap<Table, Vec<(&'static Metric, &'static str)>> = BTreeMap::new();
    for metric in metrics {
        let (table, expression) = source(metric.name)
            .with_context(|| format!("the metric {} has no source", metric.name))?;
        by_table.entry(table).or_default().push((metric, expression));
    }
    let mut found = Vec::new();
    for (table, columns) in by_table {
        found.extend(of_table(pool, host, table, &columns, range, step_ms).await?);
    }
    let place = |series: &Series| metrics.iter().position(|m| m.name == series.name);
    found.sort_by_key(place);
    Ok(found)
}

async fn of_table(
    pool: &Pool,
    host: &str,
    table: Table,
    columns: &[(&'static Metric, &'static str)],
    range: Range,
    step_ms: i64,
) -> Result<Vec<Series>> {
    let sql = statement(table, columns);
    let from = system_time(bucket_of(range.from, step_ms));
    let to = system_time(range.to);
    let step_s = step_ms as f64 / 1_000.0;
    let limit = ROWS_MAX + 1;
    let client = connection(pool).await?;
    let values: &[&(dyn ToSql + Sync)] = &[&host, &from, &to, &step_s, &limit];
    let rows = client
        .query(&sql, values)
        .await
        .with_context(|| format!("cannot read the metrics of host {host}"))?;
    if rows.len() as i64 > ROWS_MAX {
        return Err(TooManyRows.into());
    }
    Ok(split(&rows, columns))
}

fn statement(table: Table, columns: &[(&'static Metric, &'static str)]) -> String {
    let (from, instance) = (table.from(), table.instance());
    let mut figures = String::new();
    for (_, expression) in columns {
        // Writing to a string cannot fail.
        let _ = write!(figures, ", avg({expression})::float8, max({expression})::float8");
    }
    format!(
        "SELECT (extract(epoch FROM date_bin(
                    make_interval(secs => $4::float8), ts, TIMESTAMPTZ '2000-01-03 00:00:00+00'
                )) * 1000)::bigint AS bucket,
                {instance} AS instance{figures}
         FROM {from}
         WHERE host_id = $1 AND ts >= $2 AND ts < $3
         GROUP BY 1, 2
         ORDER BY 2, 1
         LIMIT $5"
    )
}

/// Rows are buckets of instances; columns are pairs of mean and maximum.
fn split(rows: &[Row], columns: &[(&'static Metric, &'static str)]) -> Vec<Series> {
    let mut by_instance: BTreeMap<InstanceKey, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        by_instance.entry(InstanceKey::new(row.get(1))).or_default().push(row);
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
            let points: Vec<Point> =
                rows.iter().filter_map(|row| read_point(row, 2 + 2 * column)).collect();
            // An instance may lack what its neighbours have, such as inodes.
            if !points.is_empty() || !metric.per_instance {
                all.push(series(key.name.clone(), points));
            }
        }
    }
    all
}

fn read_point(row: &Row, column: usize) -> Option<Point> {
    let (mean, max): (Option<f64>, Option<f64>) = (row.get(column), row.get(column + 1));
    Some(Point { bucket: row.get(0), mean: mean?, max: max? })
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
