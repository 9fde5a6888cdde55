//! What was decided about a host: all of it page by page, and its coming and going.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use muster_runtime::time::system_time;
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::{Json, ToSql};

use super::connection;
use crate::logic::availability::Change;
use crate::logic::steps::Range;

/// What a row of an event is read as; see [`read_event`].
const COLUMNS: &str = "id, (extract(epoch FROM at) * 1000)::bigint, kind, detail, at";

/// A host that comes and goes twice an hour has this many in a year; more is no picture.
pub(crate) const CHANGES_MAX: i64 = 20_000;

pub(crate) struct EventFilter<'a> {
    pub(crate) host: &'a str,
    pub(crate) range: Range,
    pub(crate) kind: Option<&'a str>,
    /// Events after this place, in the order of the answer.
    pub(crate) after: Option<Place>,
    pub(crate) limit: i64,
}

/// Where an event stands among the others, whether it is still there or not. To the microsecond, as
/// the database keeps times: several events may share a millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) at_us: i64,
    pub(crate) id: i64,
}

impl Place {
    pub(crate) fn of(at: SystemTime, id: i64) -> Self {
        Self { at_us: microseconds(at), id }
    }
}

pub(crate) struct EventRow {
    pub(crate) place: Place,
    pub(crate) at: i64,
    pub(crate) kind: String,
    pub(crate) detail: Value,
}

#[derive(Debug, thiserror::Error)]
#[error("the host came and went more than {CHANGES_MAX} times")]
pub(crate) struct TooManyChanges;

/// Newest first.
pub(crate) async fn events(pool: &Pool, filter: &EventFilter<'_>) -> Result<Vec<EventRow>> {
    let sql = format!(
        "SELECT {COLUMNS}
         FROM events
         WHERE host_id = $1 AND at >= $2 AND at < $3 AND ($4::text IS NULL OR kind = $4)
           AND ($5::timestamptz IS NULL OR (at, id) < ($5, $6))
         ORDER BY at DESC, id DESC
         LIMIT $7"
    );
    let after_at = filter.after.map(|after| time_of(after.at_us));
    let after_id = filter.after.map(|after| after.id);
    let (from, to) = (system_time(filter.range.from), system_time(filter.range.to));
    let values: &[&(dyn ToSql + Sync)] =
        &[&filter.host, &from, &to, &filter.kind, &after_at, &after_id, &filter.limit];
    let client = connection(pool).await?;
    let statement = client.prepare_cached(&sql).await?;
    let rows = client.query(&statement, values).await.context("cannot read events")?;
    Ok(rows.iter().map(read_event).collect())
}

/// How a host came and went in a range, oldest first, with the last change before it and the first
/// after.
pub(crate) async fn changes(pool: &Pool, host: &str, range: Range) -> Result<Vec<Change>> {
    let sql = format!(
        "(SELECT {COLUMNS} FROM events
          WHERE host_id = $1 AND kind IN ('online', 'offline') AND at < $2
          ORDER BY at DESC, id DESC LIMIT 1)
         UNION ALL
         (SELECT {COLUMNS} FROM events
          WHERE host_id = $1 AND kind IN ('online', 'offline') AND at >= $2 AND at < $3
          ORDER BY at, id LIMIT $4)
         UNION ALL
         (SELECT {COLUMNS} FROM events
          WHERE host_id = $1 AND kind IN ('online', 'offline') AND at >= $3
          ORDER BY at, id LIMIT 1)
         ORDER BY 2, 1"
    );
    let (from, to) = (system_time(range.from), system_time(range.to));
    let limit = CHANGES_MAX + 1;
    let client = connection(pool).await?;
    let statement = client.prepare_cached(&sql).await?;
    let values: &[&(dyn ToSql + Sync)] = &[&host, &from, &to, &limit];
    let rows = client.query(&statement, values).await.context("cannot read who came and went")?;
    if rows.len() as i64 > CHANGES_MAX {
        return Err(TooManyChanges.into());
    }
    rows.iter().map(|row| read_change(&read_event(row))).collect()
}

fn time_of(at_us: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(at_us.unsigned_abs())
}

/// An event is not from before 1970.
fn microseconds(at: SystemTime) -> i64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

fn read_event(row: &Row) -> EventRow {
    EventRow {
        place: Place::of(row.get(4), row.get(0)),
        at: row.get(1),
        kind: row.get(2),
        detail: row.get::<_, Json<Value>>(3).0,
    }
}

fn read_change(event: &EventRow) -> Result<Change> {
    let number = |name: &str| event.detail[name].as_i64();
    if event.kind == "online" {
        return Ok(Change::Online { at: event.at, away_ms: number("away_ms") });
    }
    let last_heartbeat_at = number("last_heartbeat_at").with_context(|| {
        format!("event {} does not say when the host was heard", event.place.id)
    })?;
    Ok(Change::Offline { last_heartbeat_at })
}

/// Since when a host is as it is, by the last heartbeats; for hosts of which no event is kept.
pub(crate) async fn presence(pool: &Pool, host: &str) -> Result<Option<Change>> {
    let sql = "
        SELECT status, (extract(epoch FROM status_since) * 1000)::bigint,
               (extract(epoch FROM heartbeat_at) * 1000)::bigint
        FROM host_presence WHERE host_id = $1";
    let client = connection(pool).await?;
    let row = client.query_opt(sql, &[&host]).await.context("cannot read who is online")?;
    Ok(row.map(|row| match row.get::<_, &str>(0) {
        "offline" => Change::Offline { last_heartbeat_at: row.get(2) },
        _ => Change::Online { at: row.get(1), away_ms: None },
    }))
}
