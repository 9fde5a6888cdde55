//! What a host's own scripts and endpoints measure: metrics that no catalogue knows beforehand.

use std::collections::BTreeMap;
use std::time::SystemTime;

use anyhow::{Context, Result};
use deadpool_postgres::{Pool, Transaction};
use muster_schemas::metrics::CUSTOM_PREFIX;
use tokio_postgres::Row;

use super::connection;
use super::series::{Asked, Series, not_too_many, read_point};
use super::statement::Reading;
use crate::logic::plan::Plan;

/// As the migration 0004 rolls it up: sums of these neither overflow nor vanish.
const VALUE: &str =
    "CASE WHEN abs(value) < 1e-290 THEN 0 ELSE greatest(least(value, 1e290), -1e290) END";

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

/// The series of the custom metrics that were asked for, by name and instance.
pub(super) async fn series(
    snapshot: &Transaction<'_>,
    asked: &Asked<'_>,
    plan: &Plan,
    step_ms: i64,
) -> Result<Vec<Series>> {
    let reading = Reading {
        samples: "custom_samples",
        buckets: &format!("custom_samples_{}", plan.level.as_str()),
        keys: &["metric", "instance"],
        carried: &["unit"],
        figures: &[(VALUE, "value")],
        filter: "AND metric = ANY ($6)",
        with_min: asked.with_min,
    };
    let rows = reading
        .run(snapshot, asked.host, asked.custom, plan, step_ms)
        .await
        .with_context(|| format!("cannot read the custom metrics of host {}", asked.host))?;
    not_too_many(&rows)?;
    let mut found: BTreeMap<(String, String), Series> = BTreeMap::new();
    for row in &rows {
        let (name, instance): (String, String) = (row.get(1), row.get(2));
        let series = found.entry((name.clone(), instance.clone())).or_insert_with(|| Series {
            name: format!("{CUSTOM_PREFIX}{name}"),
            unit: row.get(3),
            instance: Some(instance).filter(|instance| !instance.is_empty()),
            points: Vec::new(),
        });
        series.points.extend(read_point(row, 4, asked.with_min));
    }
    Ok(found.into_values().collect())
}
