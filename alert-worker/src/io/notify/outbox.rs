//! The outbox: notifications that wait, taken by one worker at a time.
//!
//! A row that is taken has a deadline by the database's clock. A worker that is killed with it
//! leaves it to another when that has passed; one that stood still meanwhile finds that the row is
//! no longer its own and writes nothing. How often a channel may be used is a time in its row, so
//! that all workers share it.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};
use deadpool_postgres::{Pool, Transaction};
use muster_runtime::time::duration_ms;
use serde_json::Value;
use tokio::time::Instant;
use tokio_postgres::Row;

use crate::io::locks::bound_locks;
use muster_alerts::channel::retry::{AGE_MS_MAX, Next};
use muster_alerts::channel::{PER_MINUTE_DEFAULT, pace};

/// How long a row is one worker's: half as long again as the slowest attempt takes. It is also how
/// late a notification is at most for whose worker was killed in an attempt.
pub(crate) const CLAIM: Duration = Duration::from_secs(45);

/// A notification that is ours until [`CLAIM`] after `claimed_at`, and its channel as it is now.
pub(crate) struct Claimed {
    pub(crate) id: i64,
    pub(crate) channel: i64,
    pub(crate) key: String,
    pub(crate) payload: Value,
    /// From 1, this one included.
    pub(crate) attempts: i32,
    pub(crate) age_ms: i64,
    /// Recipients that have it from an earlier attempt.
    pub(crate) told_to: Vec<String>,
    pub(crate) definition: Value,
    pub(crate) sealed: Option<Vec<u8>>,
    pub(crate) claimed_at: Instant,
}

/// A channel for which something is due.
struct Due {
    id: i64,
    definition: Value,
    sealed: Option<Vec<u8>>,
    paid_until: Option<i64>,
    now: i64,
}

impl Due {
    fn per_minute(&self) -> u32 {
        let set = self.definition["per_minute"].as_u64();
        set.and_then(|set| u32::try_from(set).ok()).unwrap_or(PER_MINUTE_DEFAULT)
    }
}

/// Takes what is due, for each channel as much as it takes now and as this worker has room for.
/// `in_flight` is what this worker sends already.
pub(crate) async fn claim(
    pool: &Pool,
    worker: &str,
    in_flight: &HashMap<i64, u32>,
    in_flight_max: u32,
) -> Result<Vec<Claimed>> {
    let claimed_at = Instant::now();
    let mut client = pool.get().await.context("no connection to the database")?;
    let transaction = client.transaction().await?;
    bound_locks(&transaction).await?;
    let full: Vec<i64> = in_flight
        .iter()
        .filter(|(_, count)| **count >= in_flight_max)
        .map(|(channel, _)| *channel)
        .collect();
    let mut room = Vec::new();
    for due in due_channels(&transaction, &full).await? {
        let free = in_flight_max - in_flight.get(&due.id).copied().unwrap_or(0).min(in_flight_max);
        let rows = pace::room(due.now, due.paid_until, due.per_minute(), free);
        if rows > 0 {
            room.push((due, rows));
        }
    }
    let claimed = claim_rows(&transaction, worker, &room, claimed_at).await?;
    pay(&transaction, &room, &claimed).await?;
    transaction.commit().await.context("cannot commit what was taken")?;
    Ok(claimed)
}

/// In the order of their ids, and without those that another worker looks at just now.
async fn due_channels(transaction: &Transaction<'_>, full: &[i64]) -> Result<Vec<Due>> {
    let sql = "
        SELECT id, definition || jsonb_build_object('kind', kind), secrets,
            (extract(epoch FROM paid_until) * 1000)::bigint,
            (extract(epoch FROM clock_timestamp()) * 1000)::bigint
        FROM channels AS channel
        WHERE enabled AND id <> ALL($1) AND EXISTS (
            SELECT FROM notifications AS due
            WHERE due.channel_id = channel.id AND due.state = 'pending'
                AND due.next_attempt_at <= clock_timestamp()
                AND (due.claimed_until IS NULL OR due.claimed_until <= clock_timestamp())
        )
        ORDER BY id
        FOR NO KEY UPDATE SKIP LOCKED";
    let rows =
        transaction.query(sql, &[&full]).await.context("cannot read which channels are due")?;
    let read = |row: &Row| Due {
        id: row.get(0),
        definition: row.get(1),
        sealed: row.get(2),
        paid_until: row.get(3),
        now: row.get(4),
    };
    Ok(rows.iter().map(read).collect())
}

/// What is most urgent first, the oldest of that, but never one of a ticket of which an earlier one
/// still waits: "resolved" must not overtake "opened". Nor may the end of some tickets of an
/// incident overtake the beginning of others, or the other way round: a paging service would open
/// again what is over, or close what goes on. A mail that waits for some of its recipients only
/// holds up none of the others'.
async fn claim_rows(
    transaction: &Transaction<'_>,
    worker: &str,
    room: &[(Due, u32)],
    claimed_at: Instant,
) -> Result<Vec<Claimed>> {
    if room.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "
        WITH due AS (
            SELECT picked.id
            FROM unnest($1::bigint[], $2::bigint[]) AS room (channel_id, rows)
            CROSS JOIN LATERAL (
                SELECT waiting.id
                FROM notifications AS waiting
                WHERE waiting.channel_id = room.channel_id AND waiting.state = 'pending'
                    AND waiting.next_attempt_at <= clock_timestamp()
                    AND (waiting.claimed_until IS NULL
                        OR waiting.claimed_until <= clock_timestamp())
                    AND NOT EXISTS (
                        SELECT FROM notifications AS earlier
                        WHERE earlier.channel_id = waiting.channel_id
                            AND earlier.state = 'pending' AND earlier.id < waiting.id
                            AND earlier.told_to = '{}'
                            AND (earlier.alert_ids && waiting.alert_ids
                                OR (earlier.thread = waiting.thread
                                    AND (earlier.kind = 'resolved') <> (waiting.kind = 'resolved')))
                    )
                ORDER BY waiting.urgency, waiting.id
                LIMIT room.rows
                FOR UPDATE SKIP LOCKED
            ) AS picked
        )
        UPDATE notifications AS taken
        SET claimed_by = $3, attempts = taken.attempts + 1,
            claimed_until = clock_timestamp() + $4 * interval '1 millisecond'
        FROM due
        WHERE taken.id = due.id
        RETURNING taken.id, taken.channel_id, taken.key, taken.payload, taken.attempts,
            (extract(epoch FROM clock_timestamp() - taken.created_at) * 1000)::bigint,
            taken.told_to";
    let channels: Vec<i64> = room.iter().map(|(due, _)| due.id).collect();
    let counts: Vec<i64> = room.iter().map(|(_, rows)| i64::from(*rows)).collect();
    let claim_ms = duration_ms(CLAIM) as f64;
    let rows = transaction
        .query(sql, &[&channels, &counts, &worker, &claim_ms])
        .await
        .context("cannot take notifications")?;
    let mut claimed: Vec<Claimed> =
        rows.iter().filter_map(|row| read_claimed(row, room, claimed_at)).collect();
    claimed.sort_by_key(|claimed| claimed.id);
    Ok(claimed)
}

fn read_claimed(row: &Row, room: &[(Due, u32)], claimed_at: Instant) -> Option<Claimed> {
    let channel: i64 = row.get(1);
    let (due, _) = room.iter().find(|(due, _)| due.id == channel)?;
    Some(Claimed {
        id: row.get(0),
        channel,
        key: row.get(2),
        payload: row.get(3),
        attempts: row.get(4),
        age_ms: row.get(5),
        told_to: row.get(6),
        definition: due.definition.clone(),
        sealed: due.sealed.clone(),
        claimed_at,
    })
}

/// Remembers in each channel's row what it was given.
async fn pay(
    transaction: &Transaction<'_>,
    room: &[(Due, u32)],
    claimed: &[Claimed],
) -> Result<()> {
    let sql = "
        UPDATE channels AS channel
        SET paid_until = to_timestamp(paid.until_ms / 1000.0)
        FROM unnest($1::bigint[], $2::bigint[]) AS paid (id, until_ms)
        WHERE channel.id = paid.id";
    let (mut channels, mut until) = (Vec::new(), Vec::new());
    for (due, _) in room {
        let sent = claimed.iter().filter(|claimed| claimed.channel == due.id).count() as u32;
        if sent > 0 {
            channels.push(due.id);
            until.push(pace::after(due.now, due.paid_until, due.per_minute(), sent));
        }
    }
    if !channels.is_empty() {
        transaction
            .execute(sql, &[&channels, &until])
            .await
            .context("cannot remember how often channels were used")?;
    }
    Ok(())
}

/// Whether the row was still ours. `remark` says which recipients did not want it.
pub(crate) async fn record_sent(
    pool: &Pool,
    worker: &str,
    claimed: &Claimed,
    remark: Option<&str>,
) -> Result<bool> {
    let sql = "
        UPDATE notifications
        SET state = 'sent', sent_at = clock_timestamp(), error = $4,
            claimed_by = NULL, claimed_until = NULL
        WHERE id = $1 AND state = 'pending' AND claimed_by = $2 AND attempts = $3";
    let client = pool.get().await.context("no connection to the database")?;
    let rows = client
        .execute(sql, &[&claimed.id, &worker, &claimed.attempts, &remark])
        .await
        .context("cannot record that a notification was sent")?;
    Ok(rows > 0)
}

/// Puts it back for later, or away as a dead letter; whether the row was still ours. `told_to` have
/// it all the same.
pub(crate) async fn record_failure(
    pool: &Pool,
    worker: &str,
    claimed: &Claimed,
    (reason, told_to): (&str, &[String]),
    next: Next,
) -> Result<bool> {
    let sql = "
        UPDATE notifications
        SET state = $4, error = $5, told_to = told_to || $7::text[],
            claimed_by = NULL, claimed_until = NULL,
            next_attempt_at = clock_timestamp() + $6 * interval '1 millisecond'
        WHERE id = $1 AND state = 'pending' AND claimed_by = $2 AND attempts = $3";
    let (state, pause_ms) = match next {
        Next::TryAgainAfterMs(pause_ms) => ("pending", pause_ms as f64),
        Next::GiveUp => ("dead", 0.0),
    };
    let ours = (&claimed.id, &worker, &claimed.attempts);
    let client = pool.get().await.context("no connection to the database")?;
    let rows = client
        .execute(sql, &[ours.0, ours.1, ours.2, &state, &reason, &pause_ms, &told_to])
        .await
        .context("cannot record that a notification was not sent")?;
    Ok(rows > 0)
}

/// Leaves a channel alone for as long as its receiver asked for.
pub(crate) async fn pause_channel(pool: &Pool, claimed: &Claimed, pause_ms: i64) -> Result<()> {
    let sql = "
        UPDATE channels
        SET paid_until = greatest(paid_until,
            clock_timestamp() + $2 * interval '1 millisecond')
        WHERE id = $1";
    let per_minute = claimed.definition["per_minute"].as_u64();
    let per_minute = per_minute.and_then(|set| u32::try_from(set).ok());
    let ahead = pace::paused(0, per_minute.unwrap_or(PER_MINUTE_DEFAULT), pause_ms) as f64;
    let client = pool.get().await.context("no connection to the database")?;
    client
        .execute(sql, &[&claimed.channel, &ahead])
        .await
        .context("cannot leave a channel alone")?;
    Ok(())
}

/// Makes dead letters of what nobody will send any more: a day old, or of a channel that was deleted
/// or switched off (what was true then must not come when it is switched on again). Answers how many.
pub(crate) async fn give_up(pool: &Pool) -> Result<u64> {
    let sql = "
        UPDATE notifications AS waiting
        SET state = 'dead', claimed_by = NULL, claimed_until = NULL,
            error = concat_ws(': ', CASE
                WHEN waiting.created_at <= clock_timestamp() - $1 * interval '1 millisecond'
                    THEN 'not sent within a day'
                WHEN EXISTS (
                    SELECT FROM channels
                    WHERE id = waiting.channel_id AND deleted_at IS NOT NULL
                ) THEN 'its channel was deleted'
                ELSE 'its channel is switched off'
            END, waiting.error)
        WHERE waiting.state = 'pending'
            AND (waiting.claimed_until IS NULL OR waiting.claimed_until <= clock_timestamp())
            AND (waiting.created_at <= clock_timestamp() - $1 * interval '1 millisecond'
                OR NOT EXISTS (
                    SELECT FROM channels WHERE id = waiting.channel_id AND enabled
                ))";
    let client = pool.get().await.context("no connection to the database")?;
    let rows = client
        .execute(sql, &[&(AGE_MS_MAX as f64)])
        .await
        .context("cannot give up old notifications")?;
    Ok(rows)
}
