//! What waits for the owner of a partition beside the bus: hosts that came and went, and what people
//! did to tickets. It is taken out in the transaction that decides about it, so that whoever owns
//! the partition next finds what was not decided yet.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use deadpool_postgres::Transaction;
use muster_alerts::TicketKey;
use muster_alerts::engine::{Fact, Presence};
use muster_runtime::time::system_time;
use muster_schemas::{HostId, Partition};
use tokio_postgres::Row;
use tracing::warn;

use super::known::partition_of;

/// Taken out at once; the rest with the next tick.
const ROWS_MAX: i64 = 2_000;

/// A fact and the time it is of.
pub(crate) type Dated = (i64, Fact);

/// How hosts are, as whoever had the partition before was told: changes that still wait are not
/// counted in.
pub(crate) async fn presence(
    transaction: &Transaction<'_>,
    partition: Partition,
    hosts: &[&str],
) -> Result<Vec<Fact>> {
    let sql = "
        WITH waiting AS (
            SELECT DISTINCT ON (host_id) host_id, was, was_since
            FROM presence_changes
            WHERE partition = $1
            ORDER BY host_id, id
        )
        SELECT stored.host_id,
               CASE WHEN waiting.host_id IS NULL THEN stored.status ELSE waiting.was END,
               (extract(epoch FROM CASE WHEN waiting.host_id IS NULL THEN stored.status_since
                    ELSE waiting.was_since END) * 1000)::bigint
        FROM host_presence AS stored
        LEFT JOIN waiting USING (host_id)
        WHERE stored.host_id = ANY($2)
        ORDER BY stored.host_id";
    let rows = transaction
        .query(sql, &[&partition.number(), &hosts])
        .await
        .with_context(|| format!("cannot read which hosts of {partition} are online"))?;
    let fact = |row: &Row| {
        let host: HostId = row.get::<_, String>(0).try_into().ok()?;
        Some(Fact::Presence { host, presence: presence_of(row.get(1))?, at: row.get(2) })
    };
    Ok(rows.iter().filter_map(fact).collect())
}

/// Takes out what hosts came and went up to a time, in order.
pub(crate) async fn take_presence(
    transaction: &Transaction<'_>,
    partition: Partition,
    until: i64,
) -> Result<Vec<Dated>> {
    let sql = "
        WITH due AS (
            SELECT id FROM presence_changes WHERE partition = $1 AND at <= $2
            ORDER BY at, id LIMIT $3
        ), gone AS (
            DELETE FROM presence_changes AS stored USING due WHERE stored.id = due.id
            RETURNING stored.id, host_id, status, (extract(epoch FROM at) * 1000)::bigint AS at
        )
        SELECT host_id, status, at FROM gone ORDER BY at, id";
    let statement = transaction.prepare_cached(sql).await?;
    let rows = transaction
        .query(&statement, &[&partition.number(), &system_time(until), &ROWS_MAX])
        .await
        .with_context(|| format!("cannot take which hosts of {partition} came and went"))?;
    let fact = |row: &Row| {
        let host: HostId = row.get::<_, String>(0).try_into().ok()?;
        let (presence, at) = (presence_of(row.get(1))?, row.get(2));
        Some((at, Fact::Presence { host, presence, at }))
    };
    Ok(rows.iter().filter_map(fact).collect())
}

/// Takes out what people did to tickets of a partition. They did it by another clock: it counts as
/// done at `now` at the latest.
pub(crate) async fn take_commands(
    transaction: &Transaction<'_>,
    partition: Partition,
    now: i64,
) -> Result<Vec<Dated>> {
    let sql = "SELECT id, alert_key FROM alert_commands ORDER BY id LIMIT $1";
    let rows = transaction
        .query(sql, &[&ROWS_MAX])
        .await
        .context("cannot read what people did to tickets")?;
    let is_mine = |row: &&Row| partition_of(row.get(1)) == partition;
    let mine: BTreeSet<i64> = rows.iter().filter(is_mine).map(|row| row.get(0)).collect();
    if mine.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "
        WITH gone AS (
            DELETE FROM alert_commands WHERE id = ANY($1)
            RETURNING id, alert_key, kind, by, (extract(epoch FROM at) * 1000)::bigint AS at
        )
        SELECT alert_key, kind, by, at FROM gone ORDER BY id";
    let mine: Vec<i64> = mine.into_iter().collect();
    let rows =
        transaction.query(sql, &[&mine]).await.context("cannot take what people did to tickets")?;
    Ok(rows.iter().filter_map(|row| command(row, now)).collect())
}

fn command(row: &Row, now: i64) -> Option<Dated> {
    let (key, kind, by): (&str, &str, String) = (row.get(0), row.get(1), row.get(2));
    let at = row.get::<_, i64>(3).min(now);
    let Ok(ticket) = key.parse::<TicketKey>() else {
        warn!("somebody did something to {key:?}, which is no ticket");
        return None;
    };
    let fact = match kind {
        "acknowledged" => Fact::Acknowledged { ticket, by, at },
        "unacknowledged" => Fact::Unacknowledged { ticket, by, at },
        _ => Fact::Resolved { ticket, by, at },
    };
    Some((at, fact))
}

fn presence_of(status: Option<&str>) -> Option<Presence> {
    match status? {
        "offline" => Some(Presence::Offline),
        _ => Some(Presence::Online),
    }
}
