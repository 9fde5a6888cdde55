//! Log lines, newest first, a page at a time, for as long as a search may take.

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use muster_runtime::time::system_time;
use muster_schemas::logs::Severity;
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Json;

use super::connection;
use super::line_filter::{Conditions, LineFilter, Walk};
use crate::logic::lines::Place;
use crate::logic::slices::Slices;
use crate::logic::steps::Range;

pub(crate) struct LineRow {
    pub(crate) place: Place,
    pub(crate) received_at: i64,
    pub(crate) severity: Severity,
    pub(crate) application: String,
    pub(crate) source: String,
    pub(crate) message: String,
    pub(crate) truncated_bytes: i64,
    pub(crate) suppressed: i64,
    pub(crate) fields: Option<Value>,
}

pub(crate) struct Found {
    /// Newest first.
    pub(crate) rows: Vec<LineRow>,
    /// What was not looked through: nothing, unless there were enough rows or the time was up.
    pub(crate) rest: Slices,
}

/// At most `wanted` lines, in the order of the answer; with `after`, those that follow that line.
pub(crate) async fn lines(
    pool: &Pool,
    filter: &LineFilter<'_>,
    slices: Slices,
    after: Option<&Place>,
    wanted: usize,
) -> Result<Found> {
    let mut client = connection(pool).await?;
    let mut walk = Walk::new(slices);
    let mut rows = Vec::new();
    while rows.len() < wanted {
        let limit = (wanted - rows.len()) as i64;
        let statement = |slice: Range| statement(filter, slice, after, limit);
        let Some(found) = walk.next(&mut client, statement).await? else { break };
        rows.extend(found.iter().map(read_line).collect::<Result<Vec<_>>>()?);
    }
    Ok(Found { rows, rest: walk.slices })
}

fn statement(
    filter: &LineFilter<'_>,
    slice: Range,
    after: Option<&Place>,
    limit: i64,
) -> (String, Conditions) {
    let mut conditions = Conditions::of(filter, slice);
    if let Some(place) = after {
        add_after(&mut conditions, place);
    }
    let limit = conditions.value(limit);
    let sql = format!(
        "SELECT host_id, epoch, seq, line,
                (extract(epoch FROM ts) * 1000)::bigint,
                (extract(epoch FROM received_at) * 1000)::bigint,
                severity, application, source, message, truncated_bytes, suppressed, fields
         FROM log_lines
         WHERE {}
         ORDER BY ts DESC, host_id DESC, epoch DESC, seq DESC, line DESC
         LIMIT {limit}",
        conditions.sql.join(" AND ")
    );
    (sql, conditions)
}

fn add_after(conditions: &mut Conditions, place: &Place) {
    let values = [
        conditions.value(system_time(place.at)),
        conditions.value(place.host.to_string()),
        conditions.value(place.epoch),
        conditions.value(place.seq),
        conditions.value(place.line),
    ];
    let sql = format!("(ts, host_id, epoch, seq, line) < ({})", values.join(", "));
    conditions.sql.push(sql);
}

fn read_line(row: &Row) -> Result<LineRow> {
    let host: String = row.get(0);
    Ok(LineRow {
        place: Place {
            host: host.parse()?,
            epoch: row.get(1),
            seq: row.get(2),
            line: row.get(3),
            at: row.get(4),
        },
        received_at: row.get(5),
        severity: severity_of(row.get(6))?,
        application: row.get(7),
        source: row.get(8),
        message: row.get(9),
        truncated_bytes: row.get(10),
        suppressed: row.get(11),
        fields: row.get::<_, Option<Json<Value>>>(12).map(|fields| fields.0),
    })
}

/// From 0, the worst.
pub(super) fn severity_of(rank: i16) -> Result<Severity> {
    let severity = usize::try_from(rank).ok().and_then(|rank| Severity::ALL.get(rank));
    severity.copied().with_context(|| format!("severity {rank} is none"))
}
