//! What a host's own scripts and endpoints measure: metrics that no catalogue knows beforehand.

use std::collections::BTreeMap;
use std::time::SystemTime;

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use muster_runtime::time::system_time;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::connection;
use super::series::{ROWS_MAX, Series, TooManyRows};
use crate::logic::steps::{Point, Range, bucket_of};

/// Names that are listed: as many as an agent may take from one endpoint, of several.
const NAMES_MAX: i64 = 2_000;

pub(crate) struct CustomMetric {
    /// Without the prefix.
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) has_instances: bool,
}

/// What a host had since then, by name. Steps through the index from one name to the next: a day
/// has millions of rows and some dozen names.
pub(crate) async fn metrics(
    pool: &Pool,
    host: &str,
    since: SystemTime,
) -> Result<Vec<CustomMetric>> {
    let sql = "
        WITH RECURSIVE names AS (
            (SELECT metric FROM custom_samples
             WHERE host_id = $1 AND ts >= $2 ORDER BY metric LIMIT 1)
            UNION ALL
            SELECT (SELECT metric FROM custom_samples
                    WHERE host_id = $1 AND ts >= $2 AND metric > names.metric
                    ORDER BY metric LIMIT 1)
            FROM names
            WHERE names.metric IS NOT NULL
        )
        SELECT names.metric, newest.unit, newest.instance <> ''
        FROM names
        CROSS JOIN LATERAL (
            SELECT unit, instance FROM custom_samples
            WHERE host_id = $1 AND metric = names.metric AND ts >= $2
            ORDER BY ts DESC LIMIT 1
        ) AS newest
        LIMIT $3";
    let client = connection(pool).await?;
    let rows = client
        .query(sql, &[&host, &since, &NAMES_MAX])
        .await
        .context("cannot list the custom metrics of a host")?;
    let read =
        |row: &Row| CustomMetric { name: row.get(0), unit: row.get(1), has_instances: row.get(2) };
    Ok(rows.iter().map(read).collect())
}

/// The series of these metrics (named without their prefix), by name and instance.
pub(crate) async fn series(
    pool: &Pool,
    host: &str,
    names: &[String],
    range: Range,
    step_ms: i64,
) -> Result<Vec<Series>> {
    let sql = "
        SELECT (extract(epoch FROM date_bin(
                   make_interval(secs => $5::float8), ts, TIMESTAMPTZ '2000-01-03 00:00:00+00'
               )) * 1000)::bigint AS bucket,
               metric, instance, avg(value), max(value), max(unit)
        FROM custom_samples
        WHERE host_id = $1 AND metric = ANY($2) AND ts >= $3 AND ts < $4
        GROUP BY 1, 2, 3
        ORDER BY 2, 3, 1
        LIMIT $6";
    let from = system_time(bucket_of(range.from, step_ms));
    let to = system_time(range.to);
    let step_s = step_ms as f64 / 1_000.0;
    let client = connection(pool).await?;
    let values: &[&(dyn ToSql + Sync)] = &[&host, &names, &from, &to, &step_s, &(ROWS_MAX + 1)];
    let rows = client
        .query(sql, values)
        .await
        .with_context(|| format!("cannot read the custom metrics of host {host}"))?;
    if rows.len() as i64 > ROWS_MAX {
        return Err(TooManyRows.into());
    }
    let mut found: BTreeMap<(String, String), Series> = BTreeMap::new();
    for row in &rows {
        let (name, instance): (String, String) = (row.get(1), row.get(2));
        let series = found.entry((name.clone(), instance.clone())).or_insert_with(|| Series {
            name: format!("{}{name}", muster_schemas::metrics::CUSTOM_PREFIX),
            unit: row.get(5),
            instance: Some(instance).filter(|instance| !instance.is_empty()),
            points: Vec::new(),
        });
        series.points.push(Point { bucket: row.get(0), mean: row.get(3), max: row.get(4) });
    }
    Ok(found.into_values().collect())
}
