//! How often and for how long there was something, of a week or a month, by rule or host.

use std::time::SystemTime;

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use muster_runtime::time::system_time;
use serde::Serialize;
use tokio_postgres::Row;
use utoipa::ToSchema;

use super::connection;
use crate::logic::steps::Range;

/// The longest list: what comes after has next to none.
const ROWS_MAX: i64 = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Rule,
    Host,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SummaryRow {
    /// Null in a summary of hosts.
    rule_id: Option<i64>,
    rule_name: Option<String>,
    /// Null in a summary of rules, and for groups of hosts.
    host_id: Option<String>,
    /// Tickets that were opened in this time.
    count: i64,
    /// Of these, those that somebody has acknowledged: what the mean is made of.
    acknowledged: i64,
    /// Of these, those that are over.
    resolved: i64,
    /// How long they were breached in all; what goes on counts until now.
    total_s: i64,
    mean_acknowledge_s: Option<f64>,
    mean_resolve_s: Option<f64>,
}

/// The week (from Monday) or month, in UTC, in which a moment lies.
pub(crate) async fn period(pool: &Pool, unit: &str, at: i64) -> Result<Range> {
    let sql = "
        SELECT (extract(epoch FROM began) * 1000)::bigint,
               (extract(epoch FROM (began AT TIME ZONE 'UTC' + ('1 ' || $1)::interval)
                   AT TIME ZONE 'UTC') * 1000)::bigint
        FROM date_trunc($1, $2::timestamptz, 'UTC') AS began";
    let client = connection(pool).await?;
    let row = client.query_one(sql, &[&unit, &system_time(at)]).await;
    let row = row.with_context(|| format!("cannot tell which {unit} it is"))?;
    Ok(Range { from: row.get(0), to: row.get(1) })
}

/// All of it, and the rows, the largest count first.
pub(crate) async fn summary(
    pool: &Pool,
    range: Range,
    by: By,
) -> Result<(SummaryRow, Vec<SummaryRow>)> {
    let (keys, group) = match by {
        By::Rule => ("rule_id, NULL::text", "rule_id"),
        By::Host => ("NULL::bigint, host_id", "host_id"),
    };
    // The whole is grouped by nothing and comes first: it is there even where nothing else is.
    let sql = format!(
        "SELECT counted.rule_id, rules.definition ->> 'name', counted.host_id, counted.count,
                counted.acknowledged, counted.resolved, counted.total_s, counted.acknowledge_s,
                counted.resolve_s
         FROM (
             SELECT {keys}, grouping({group}), count(*), count(acknowledged_at),
                    count(resolved_at),
                    coalesce(sum(greatest(0, extract(
                        epoch FROM coalesce(resolved_at, now()) - begun_at
                    ))), 0)::bigint,
                    (avg(greatest(0, extract(epoch FROM acknowledged_at - opened_at)))
                        FILTER (WHERE acknowledged_at IS NOT NULL))::float8,
                    (avg(greatest(0, extract(epoch FROM resolved_at - opened_at)))
                        FILTER (WHERE resolved_at IS NOT NULL))::float8
             FROM alerts
             WHERE opened_at >= $1 AND opened_at < $2
             GROUP BY GROUPING SETS (({group}), ())
             ORDER BY grouping({group}) DESC, count(*) DESC, {group}
             LIMIT $3
         ) AS counted (
             rule_id, host_id, whole, count, acknowledged, resolved, total_s, acknowledge_s,
             resolve_s
         )
         LEFT JOIN rules ON rules.id = counted.rule_id
         ORDER BY counted.whole DESC, counted.count DESC, counted.rule_id, counted.host_id"
    );
    let (from, to): (SystemTime, SystemTime) = (system_time(range.from), system_time(range.to));
    let client = connection(pool).await?;
    let statement = client.prepare_cached(&sql).await?;
    let rows = client.query(&statement, &[&from, &to, &(ROWS_MAX + 1)]).await;
    let read = |row: &Row| SummaryRow {
        rule_id: row.get(0),
        rule_name: row.get(1),
        host_id: row.get(2),
        count: row.get(3),
        acknowledged: row.get(4),
        resolved: row.get(5),
        total_s: row.get(6),
        mean_acknowledge_s: row.get(7),
        mean_resolve_s: row.get(8),
    };
    let rows = rows.context("cannot summarise tickets")?;
    let mut rows = rows.iter().map(read);
    let total = rows.next().context("the whole of the tickets was not counted")?;
    Ok((total, rows.collect()))
}
