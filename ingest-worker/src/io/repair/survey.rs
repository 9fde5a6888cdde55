//! What is missing, as the database has it: gaps are found, and closed when what they lacked came.
//!
//! One worker at a time surveys; the lock is the transaction's, so that one that dies or stands
//! still holds up nobody for longer than its session lives.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use deadpool_postgres::{Pool, Transaction};
use muster_nats::progress::StreamProgress;
use muster_schemas::Channel;

/// Gaps that are found in one go; the rest is found in the next.
const FOUND_MAX: i64 = 10_000;

/// What a survey changed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Surveyed {
    pub found: u64,
    /// Messages of the gaps that are repaired now.
    pub repaired: i64,
}

/// `None`: another worker is at it.
pub async fn survey(
    pool: &Pool,
    progress: &BTreeMap<Channel, StreamProgress>,
    first_pause_ms: i64,
) -> Result<Option<Surveyed>> {
    let mut client = pool.get().await.context("no connection to the database")?;
    let transaction = client.transaction().await?;
    let turn = "SELECT pg_try_advisory_xact_lock(hashtext('muster.repair'))";
    if !transaction.query_one(turn, &[]).await?.get::<_, bool>(0) {
        return Ok(None);
    }
    let repaired = close_what_came(&transaction).await.context("cannot close gaps")?;
    let found = find(&transaction, progress, first_pause_ms).await.context("cannot find gaps")?;
    transaction.commit().await.context("cannot commit what is missing")?;
    Ok(Some(Surveyed { found, repaired }))
}

/// What came before it was known to be missing was only late, and its gap is forgotten.
async fn close_what_came(transaction: &Transaction<'_>) -> Result<i64> {
    let sql = "
        WITH changed AS (
            UPDATE gaps AS g
            SET missing = g.missing - l.received - l.dead - l.lost,
                repaired = g.repaired + CASE
                    WHEN g.confirmed_at IS NULL THEN 0
                    ELSE muster_size(g.missing * (l.received + l.dead))
                END,
                failures = 0,
                state = CASE
                    WHEN g.missing <@ (l.received + l.dead + l.lost) THEN 'repaired'
                    ELSE g.state
                END,
                closed_at = CASE
                    WHEN g.missing <@ (l.received + l.dead + l.lost) THEN now()
                END
            FROM ledger AS l
            WHERE l.host_id = g.host_id AND l.channel = g.channel AND l.epoch = g.epoch
              AND g.state IN ('open', 'repairing')
              AND (isempty(g.missing) OR g.missing && (l.received + l.dead + l.lost))
            RETURNING g.*
        ), closed AS (
            SELECT * FROM changed WHERE state = 'repaired' AND repaired > 0
        ), told AS (
            INSERT INTO events (host_id, at, kind, detail)
            SELECT host_id, now(), 'gap_repaired', jsonb_build_object(
                'channel', channel, 'epoch', epoch, 'from', seq_from, 'to', seq_to,
                'messages', repaired, 'attempts', attempts
            )
            FROM closed
        )
        SELECT coalesce(sum(repaired), 0)::bigint FROM closed";
    let repaired = transaction.query_one(sql, &[]).await?.get(0);
    let sql = "
        DELETE FROM gaps AS g
        WHERE g.state = 'repaired' AND g.repaired = 0
           OR g.state IN ('open', 'repairing') AND NOT EXISTS (
               SELECT FROM ledger AS l
               WHERE l.host_id = g.host_id AND l.channel = g.channel AND l.epoch = g.epoch
           )";
    transaction.execute(sql, &[]).await?;
    Ok(repaired)
}

/// What is not accounted for and belongs to no open gap becomes one, of each row of the ledger.
///
/// What the agent itself does not believe to be acknowledged is still in its hands: it sends that
/// without being asked. Of an earlier epoch it no longer says anything; of a later one it has said
/// nothing yet, if messages of it still come. When the messages were written is told when the gap
/// is confirmed: most are closed before.
async fn find(
    transaction: &Transaction<'_>,
    progress: &BTreeMap<Channel, StreamProgress>,
    first_pause_ms: i64,
) -> Result<u64> {
    let sql = "
        WITH known AS (
            SELECT k.host_id, k.channel, k.epoch, u.last_seq,
                   int8multirange(int8range(1, CASE
                       WHEN a.epoch = k.epoch THEN least(k.beyond, 1 + coalesce(
                           (a.heartbeat #>> ARRAY['channels', k.channel, 'acked'])::bigint, 0
                       ))
                       WHEN k.epoch > a.epoch AND k.updated_at > now() - interval '10 minutes'
                       THEN 1
                       ELSE k.beyond
                   END)) - k.received - k.dead - k.lost AS missing
            FROM ledger_known AS k
            JOIN unnest($1::text[], $2::int8[]) AS u (channel, last_seq) USING (channel)
            LEFT JOIN host_agent AS a USING (host_id)
        ), new AS (
            SELECT known.*, missing - coalesce((
                SELECT range_agg(g.missing) FROM gaps AS g
                WHERE g.host_id = known.host_id AND g.channel = known.channel
                  AND g.epoch = known.epoch AND g.state IN ('open', 'repairing')
            ), '{}'::int8multirange) AS fresh
            FROM known
            WHERE NOT isempty(missing)
        )
        INSERT INTO gaps (host_id, channel, epoch, seq_from, seq_to, missing, stream_seq,
                          next_attempt_at)
        SELECT host_id, channel, epoch, lower(fresh), upper(fresh) - 1, fresh, last_seq,
               now() + $3::int8 * interval '1 millisecond'
        FROM new
        WHERE NOT isempty(fresh)
        ORDER BY host_id, channel, epoch
        LIMIT $4";
    let channels: Vec<&str> = progress.keys().map(|channel| channel.as_str()).collect();
    let last: Vec<i64> = progress.values().map(|stream| stream.last_seq as i64).collect();
    let found = transaction.execute(sql, &[&channels, &last, &first_pause_ms, &FOUND_MAX]).await?;
    Ok(found)
}

/// Gaps that are known to be some and not closed, and the messages missing in them.
pub async fn open_gaps(pool: &Pool) -> Result<(i64, i64)> {
    let client = pool.get().await.context("no connection to the database")?;
    let sql = "
        SELECT count(*), least(coalesce(sum(muster_size(missing)), 0), 9223372036854775807)::bigint
        FROM gaps
        WHERE state IN ('open', 'repairing') AND confirmed_at IS NOT NULL";
    let row = client.query_one(sql, &[]).await.context("cannot count gaps")?;
    Ok((row.get(0), row.get(1)))
}
