//! Presence as the database has it, and the transitions it accepts.
//!
//! Rows are always locked in host order, so that workers wait for one another and never for ever.

use std::collections::BTreeMap;
use std::time::SystemTime;

use anyhow::{Context, Result};
use deadpool_postgres::{Pool, Transaction};
use muster_runtime::time::system_time;
use muster_schemas::events::EventKind;
use muster_schemas::{HostId, Partition};
use tokio_postgres::Row as SqlRow;
use tracing::warn;

use crate::logic::presence::{Effect, Heartbeat, Row, Status};

/// What a row of presence is read as; see [`read_row`].
const COLUMNS: &str = "
    host_id, status, (extract(epoch FROM heartbeat_at) * 1000)::bigint, heartbeat_interval_ms";

/// A heartbeat that was news to the database, and what it knew of the host before.
pub(crate) struct News {
    pub(crate) host: HostId,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) before: Option<Row>,
}

pub(crate) async fn is_there(pool: &Pool) -> Result<()> {
    let client = pool.get().await.context("no connection to the database")?;
    client.simple_query("SELECT 1").await.context("the database is ill")?;
    Ok(())
}

pub(crate) async fn all_rows(pool: &Pool) -> Result<Vec<(HostId, Row)>> {
    let client = pool.get().await.context("no connection to the database")?;
    let sql = format!("SELECT {COLUMNS} FROM host_presence");
    let rows = client.query(&sql, &[]).await.context("cannot read who was online")?;
    Ok(rows.iter().filter_map(read_row).collect())
}

async fn rows_of(transaction: &Transaction<'_>, hosts: &[String]) -> Result<BTreeMap<HostId, Row>> {
    let sql = format!("SELECT {COLUMNS} FROM host_presence WHERE host_id = ANY($1)");
    let rows = transaction.query(&sql, &[&hosts]).await.context("cannot read who is online")?;
    Ok(rows.iter().filter_map(read_row).collect())
}

/// Stores heartbeats and answers those that were news. New hosts are stored as online; moving a
/// known one back to online is left to [`record_online`].
///
/// An agent that has just started does not know its clock's offset: the last one it knew stands.
///
/// `heartbeat_at` in the subselect is the row as it was before this statement.
pub(crate) async fn record_heartbeats(
    transaction: &Transaction<'_>,
    heartbeats: &BTreeMap<HostId, Heartbeat>,
) -> Result<Vec<News>> {
    let sql = "
        INSERT INTO host_presence AS stored
            (host_id, status, status_since, heartbeat_at, heartbeat_interval_ms, clock_offset_ms)
        SELECT host_id, 'online', at, at, interval_ms, clock_offset_ms
        FROM unnest($1::text[], $2::timestamptz[], $3::bigint[], $4::bigint[])
            AS heard (host_id, at, interval_ms, clock_offset_ms)
        ORDER BY host_id
        ON CONFLICT (host_id) DO UPDATE
        SET heartbeat_at = greatest(stored.heartbeat_at, excluded.heartbeat_at),
            heartbeat_interval_ms = excluded.heartbeat_interval_ms,
            clock_offset_ms = coalesce(excluded.clock_offset_ms, stored.clock_offset_ms)
        WHERE excluded.heartbeat_at > stored.heartbeat_at
        RETURNING host_id, status, xmax = 0 AS is_new, (
            SELECT (extract(epoch FROM before.heartbeat_at) * 1000)::bigint
            FROM host_presence AS before
            WHERE before.host_id = stored.host_id
        )";
    let hosts: Vec<&str> = heartbeats.keys().map(HostId::as_str).collect();
    let times: Vec<SystemTime> = heartbeats.values().map(|h| system_time(h.at)).collect();
    let intervals: Vec<i64> = heartbeats.values().map(|h| h.interval_ms).collect();
    let offsets: Vec<Option<i64>> = heartbeats.values().map(|h| h.clock_offset_ms).collect();
    let rows = transaction
        .query(sql, &[&hosts, &times, &intervals, &offsets])
        .await
        .with_context(|| format!("cannot record the heartbeats of {} hosts", hosts.len()))?;
    Ok(rows.iter().filter_map(|row| read_news(row, heartbeats)).collect())
}

fn read_news(row: &SqlRow, heartbeats: &BTreeMap<HostId, Heartbeat>) -> Option<News> {
    let host: HostId = row.get::<_, String>(0).try_into().ok()?;
    let heartbeat = *heartbeats.get(&host)?;
    let is_new: bool = row.get(2);
    let known_at: Option<i64> = row.get(3);
    let before = (!is_new).then(|| Row {
        status: status(row.get(1)),
        // Another worker may have inserted the row while this statement waited for it.
        heartbeat_at: known_at.unwrap_or(heartbeat.at - 1),
        interval_ms: heartbeat.interval_ms,
    });
    Some(News { host, heartbeat, before })
}

/// Moves hosts to online, tells those who decide about them, and writes their events. A host that
/// was not stored before has the right status already.
pub(crate) async fn record_online(
    transaction: &Transaction<'_>,
    effects: &[Effect],
) -> Result<u64> {
    let sql = "
        WITH due AS (
            SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::boolean[], $4::text[],
                    $5::integer[])
                AS due (host_id, at, is_new, detail, partition)
        ), back AS (
            UPDATE host_presence AS stored
            SET status = 'online', status_since = greatest(due.at, before.status_since)
            FROM due JOIN host_presence AS before USING (host_id)
            WHERE stored.host_id = due.host_id AND stored.status = 'offline' AND NOT due.is_new
            RETURNING stored.host_id, stored.status_since AS at, before.status_since AS was_since
        ), moved AS (
            SELECT due.*, back.was_since, coalesce(back.at, due.at) AS moved_at
            FROM due LEFT JOIN back USING (host_id)
            WHERE due.is_new OR back.host_id IS NOT NULL
        ), changes AS (
            INSERT INTO presence_changes (partition, host_id, status, at, was, was_since)
            SELECT owner.partition, host_id, 'online', moved_at,
                   CASE WHEN NOT is_new THEN 'offline' END, was_since
            FROM moved CROSS JOIN LATERAL (VALUES (moved.partition), ($6)) AS owner (partition)
            ORDER BY host_id
        )
        INSERT INTO events (host_id, at, kind, detail)
        SELECT host_id, at, 'online', detail::jsonb
        FROM moved
        ORDER BY host_id";
    let (mut hosts, mut times, mut new, mut details) = (vec![], vec![], vec![], vec![]);
    let mut partitions = vec![];
    for effect in effects {
        if let Effect::Online { host, at, away_ms } = effect {
            hosts.push(host.as_str());
            partitions.push(Partition::of(host).number());
            times.push(system_time(*at));
            new.push(away_ms.is_none());
            details.push(detail_of(&EventKind::Online { away_ms: *away_ms })?);
        }
    }
    if hosts.is_empty() {
        return Ok(0);
    }
    transaction
        .execute(sql, &[&hosts, &times, &new, &details, &partitions, &Partition::FLEET.number()])
        .await
        .with_context(|| format!("cannot record that {} hosts are online", hosts.len()))
}

/// What became of proposals to move hosts to offline.
pub(crate) struct Judged {
    pub(crate) offline: u64,
    /// Hosts of which somebody has heard more, as they are now. `None`: no longer there.
    pub(crate) refused: Vec<(HostId, Option<Row>)>,
}

/// Moves hosts to offline, with their events and for those who decide, in one transaction; each only if its last heartbeat
/// still is the one that was judged.
pub(crate) async fn record_offline(pool: &Pool, effects: &[Effect]) -> Result<Judged> {
    let due: BTreeMap<&str, &Effect> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Offline { host, .. } => Some((host.as_str(), effect)),
            Effect::Online { .. } => None,
        })
        .collect();
    let mut client = pool.get().await.context("no connection to the database")?;
    let transaction = client.transaction().await?;
    let gone = move_to_offline(&transaction, &due).await?;
    let rest: Vec<String> =
        due.keys().map(|host| (*host).to_owned()).filter(|host| !gone.contains(host)).collect();
    let now = if rest.is_empty() { BTreeMap::new() } else { rows_of(&transaction, &rest).await? };
    transaction.commit().await.context("cannot commit who is offline")?;
    let refused = rest
        .into_iter()
        .filter_map(|host| HostId::try_from(host).ok())
        .map(|host| (host.clone(), now.get(&host).copied()))
        .collect();
    Ok(Judged { offline: gone.len() as u64, refused })
}

async fn move_to_offline(
    transaction: &Transaction<'_>,
    due: &BTreeMap<&str, &Effect>,
) -> Result<Vec<String>> {
    let sql = "
        WITH due AS (
            SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::text[],
                    $5::integer[])
                AS due (host_id, at, seen, detail, partition)
        ), silent AS (
            SELECT stored.host_id, greatest(due.at, stored.status_since) AS at, due.detail,
                   due.partition, stored.status_since AS was_since
            FROM host_presence AS stored
            JOIN due ON due.host_id = stored.host_id
            WHERE stored.status = 'online' AND stored.heartbeat_at = due.seen
            ORDER BY stored.host_id
            FOR UPDATE OF stored
        ), gone AS (
            UPDATE host_presence AS stored
            SET status = 'offline', status_since = silent.at
            FROM silent
            WHERE stored.host_id = silent.host_id AND stored.status = 'online'
            RETURNING silent.*
        ), changes AS (
            INSERT INTO presence_changes (partition, host_id, status, at, was, was_since)
            SELECT owner.partition, host_id, 'offline', at, 'online', was_since
            FROM gone CROSS JOIN LATERAL (VALUES (gone.partition), ($6)) AS owner (partition)
            ORDER BY host_id
        )
        INSERT INTO events (host_id, at, kind, detail)
        SELECT host_id, at, 'offline', detail::jsonb FROM gone ORDER BY host_id
        RETURNING host_id";
    let (mut times, mut seen, mut details, mut partitions) = (vec![], vec![], vec![], vec![]);
    for effect in due.values() {
        if let Effect::Offline { ref host, at, last_heartbeat_at, interval_ms } = **effect {
            partitions.push(Partition::of(host).number());
            times.push(system_time(at));
            seen.push(system_time(last_heartbeat_at));
            details.push(detail_of(&EventKind::Offline { last_heartbeat_at, interval_ms })?);
        }
    }
    let hosts: Vec<&str> = due.keys().copied().collect();
    let rows = transaction
        .query(sql, &[&hosts, &times, &seen, &details, &partitions, &Partition::FLEET.number()])
        .await
        .with_context(|| format!("cannot record that {} hosts are offline", hosts.len()))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

fn detail_of(kind: &EventKind) -> Result<String> {
    let value = serde_json::to_value(kind).context("cannot write an event")?;
    Ok(value["detail"].to_string())
}

fn read_row(row: &SqlRow) -> Option<(HostId, Row)> {
    let host: String = row.get(0);
    let Ok(host) = HostId::try_from(host) else {
        warn!("a row of host_presence has an impossible host id");
        return None;
    };
    let status = status(row.get(1));
    Some((host, Row { status, heartbeat_at: row.get(2), interval_ms: row.get(3) }))
}

fn status(text: &str) -> Status {
    if text == "offline" { Status::Offline } else { Status::Online }
}
