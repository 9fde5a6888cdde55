//! What the database says of its tables and of how long they are kept: asked by gateways, which
//! show it, and by ingest workers, which enforce it. Catalogue and statistics only, but for old
//! rows of small tables, which are counted up to a limit.

use anyhow::{Context, Result};
use muster_schemas::retention::plan::{
    Labels, OldRows, Part, Plan, Series, old_rows_condition, plan, row_tables,
};
use muster_schemas::retention::{Policy, Rule, horizon};
use tokio_postgres::Client;

use crate::time::system_time;

/// More old rows than this are said to be at least so many.
const COUNT_MAX: i64 = 1_000_000;

/// The rules in force.
pub async fn policy(client: &Client) -> Result<Policy> {
    let sql = "
        SELECT scope, nullif(label, ''), keep_days FROM retention_rules
        ORDER BY label <> '', scope, label";
    let rows = client.query(sql, &[]).await.context("cannot read the retention rules")?;
    let rule = |row: &tokio_postgres::Row| Rule {
        scope: row.get(0),
        label: row.get(1),
        keep_days: row.get(2),
    };
    Ok(Policy { rules: rows.iter().map(rule).collect() })
}

/// The names of all time-series tables.
pub async fn series_names(client: &Client) -> Result<Vec<String>> {
    let sql = "SELECT table_name FROM time_series ORDER BY table_name";
    let rows = client.query(sql, &[]).await.context("cannot read which tables there are")?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// All time-series tables with their parts.
pub async fn series(client: &Client) -> Result<Vec<Series>> {
    let sql = "
        SELECT table_name,
               (extract(epoch FROM starts_at) * 1000)::bigint,
               (extract(epoch FROM ends_at) * 1000)::bigint,
               row_estimate, bytes
        FROM time_series
        LEFT JOIN LATERAL muster_parts(table_name) ON true
        ORDER BY table_name, starts_at";
    let rows = client.query(sql, &[]).await.context("cannot read the parts of the tables")?;
    let mut all: Vec<Series> = Vec::new();
    for row in rows {
        let table: String = row.get(0);
        if all.last().is_none_or(|last| last.table != table) {
            all.push(Series { table, parts: Vec::new() });
        }
        let (Some(starts_at), Some(ends_at)) = (row.get(1), row.get(2)) else { continue };
        let (rows, bytes) = (row.get(3), row.get::<_, Option<i64>>(4).unwrap_or(0));
        let last = all.last_mut().expect("one was pushed");
        last.parts.push(Part { starts_at, ends_at, rows, bytes });
    }
    Ok(all)
}

/// Hosts and their labels.
pub async fn labels(client: &Client) -> Result<Labels> {
    let sql = "
        SELECT id, pair.key, pair.value
        FROM hosts
        LEFT JOIN LATERAL jsonb_each_text(
            CASE jsonb_typeof(labels) WHEN 'object' THEN labels ELSE '{}' END
        ) AS pair ON true";
    let rows = client.query(sql, &[]).await.context("cannot read the labels of hosts")?;
    let mut all = Labels::new();
    for row in rows {
        let of_host = all.entry(row.get(0)).or_default();
        if let (Some(key), Some(value)) = (row.get(1), row.get(2)) {
            of_host.insert(key, value);
        }
    }
    Ok(all)
}

/// What a policy would remove now.
pub async fn plan_of(client: &Client, policy: &Policy, now_ms: i64) -> Result<Plan> {
    let (series, hosts) = (series(client).await?, labels(client).await?);
    let mut rows = Vec::new();
    for table in row_tables() {
        let before = system_time(horizon(now_ms, policy.keep_days(table.name)));
        let sql = format!(
            "SELECT count(*) FROM (SELECT FROM {} AS old WHERE {} LIMIT {COUNT_MAX}) AS found",
            table.name,
            old_rows_condition(&table)
        );
        let row = client.query_one(&sql, &[&before]).await;
        let count: i64 = row.with_context(|| format!("cannot count {}", table.name))?.get(0);
        rows.push(OldRows { table, rows: count, exact: count < COUNT_MAX });
    }
    Ok(plan(policy, now_ms, &series, &rows, &hosts))
}
