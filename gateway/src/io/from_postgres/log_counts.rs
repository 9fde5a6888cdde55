//! How many log lines there were, by severity and step, for as long as counting may take.

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use muster_schemas::logs::Severity;
use tokio_postgres::Row;

use super::connection;
use super::line_filter::{Conditions, LineFilter, Walk};
use super::logs::severity_of;
use crate::logic::histogram::Count;
use crate::logic::slices::Slices;
use crate::logic::steps::Range;

pub(crate) struct Counted {
    /// A step may have several counts of a severity: they add up.
    pub(crate) counts: Vec<Count>,
    /// All lines of this time and later were counted.
    pub(crate) searched_until: i64,
}

pub(crate) async fn counts(
    pool: &Pool,
    filter: &LineFilter<'_>,
    slices: Slices,
    step_ms: i64,
) -> Result<Counted> {
    let mut client = connection(pool).await?;
    let mut walk = Walk::new(slices);
    let mut counts = Vec::new();
    let statement = |slice: Range| statement(filter, slice, step_ms);
    while let Some(rows) = walk.next(&mut client, statement).await? {
        counts.extend(rows.iter().map(read_count).collect::<Result<Vec<_>>>()?);
    }
    Ok(Counted { counts, searched_until: walk.slices.searched_until() })
}

fn statement(filter: &LineFilter<'_>, slice: Range, step_ms: i64) -> (String, Conditions) {
    let mut conditions = Conditions::of(filter, slice);
    let step = conditions.value(step_ms as f64 / 1_000.0);
    let sql = format!(
        "SELECT (extract(epoch FROM date_bin(
                    make_interval(secs => {step}::float8), ts, TIMESTAMPTZ '2000-01-03 00:00:00+00'
                )) * 1000)::bigint AS bucket,
                severity, count(*)
         FROM log_lines
         WHERE {}
         GROUP BY 1, 2",
        conditions.sql.join(" AND ")
    );
    (sql, conditions)
}

fn read_count(row: &Row) -> Result<Count> {
    let severity: Severity = severity_of(row.get(1)).context("cannot read a count of lines")?;
    Ok(Count { bucket: row.get(0), severity, lines: row.get(2) })
}
