//! Whose turn it is to ask, and what came of it: all in the database, so that any worker goes on
//! where another ended.

use std::collections::BTreeMap;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use deadpool_postgres::{Pool, Transaction};
use muster_nats::progress::StreamProgress;
use muster_schemas::control::LossCause;
use muster_schemas::{Channel, HostId};
use tokio_postgres::Row;
use tracing::warn;

use crate::logic::ranges::Ranges;
use crate::logic::repair::Verdict;

/// Gaps that a worker takes at once.
const CLAIMED_MAX: i64 = 16;

/// How long a claim holds. Whoever asks stops long before ([`super::ASKING_MAX`]); after a kill it
/// is another's turn when it ends.
const CLAIM_MS: i64 = 60_000;

/// A gap that is this worker's to ask for.
pub struct Claim {
    id: i64,
    pub host: HostId,
    pub channel: Channel,
    pub epoch: i64,
    pub missing: Ranges,
    pub attempts: i32,
    pub failures: i32,
    /// When it ends; a claim that somebody else has taken since has another.
    until: SystemTime,
}

/// The database's time.
pub async fn time(pool: &Pool) -> Result<SystemTime> {
    let client = pool.get().await.context("no connection to the database")?;
    let row = client.query_one("SELECT clock_timestamp()", &[]).await;
    Ok(row.context("cannot read the time")?.get(0))
}

/// Takes gaps whose time has come. One that was found is a gap only if the stream was worked off
/// to where it reached then: this is when that is said (event `gap`), and from where to where it
/// reaches; what was merely late is no part of it. `progress` was there at `progress_at`: of a
/// stream that seems to have been made anew that is said only of gaps that were found before. It
/// is said only by who has surveyed since (`has_surveyed`): else the gap may be one no longer.
pub async fn claim(
    pool: &Pool,
    progress: &BTreeMap<Channel, StreamProgress>,
    progress_at: SystemTime,
    has_surveyed: bool,
) -> Result<Vec<Claim>> {
    let sql = "
        WITH due AS (
            SELECT g.id, g.confirmed_at,
                   CASE WHEN g.confirmed_at IS NULL THEN lower(g.missing) ELSE g.seq_from
                   END AS seq_from,
                   CASE WHEN g.confirmed_at IS NULL THEN upper(g.missing) - 1 ELSE g.seq_to
                   END AS seq_to
            FROM gaps AS g
            JOIN unnest($1::text[], $2::int8[], $3::int8[]) AS s (channel, done_seq, last_seq)
                USING (channel)
            WHERE g.state IN ('open', 'repairing') AND g.next_attempt_at <= now()
              AND NOT isempty(g.missing)
              AND (g.confirmed_at IS NOT NULL
                   OR $7 AND (g.stream_seq <= s.done_seq
                              OR g.stream_seq > s.last_seq AND g.found_at < $6))
            ORDER BY g.next_attempt_at, g.id
            LIMIT $4
            FOR UPDATE OF g SKIP LOCKED
        ), claimed AS (
            UPDATE gaps AS g
            SET next_attempt_at = now() + $5::int8 * interval '1 millisecond',
                confirmed_at = coalesce(g.confirmed_at, now()),
                seq_from = due.seq_from,
                seq_to = due.seq_to,
                from_at = coalesce(g.from_at, muster_ledger_time(
                    g.host_id, g.channel, g.epoch, due.seq_from
                )),
                to_at = coalesce(g.to_at, muster_ledger_time(
                    g.host_id, g.channel, g.epoch, due.seq_to
                ))
            FROM due WHERE g.id = due.id
            RETURNING g.*, due.confirmed_at IS NULL AS is_new
        ), told AS (
            INSERT INTO events (host_id, at, kind, detail)
            SELECT host_id, now(), 'gap', jsonb_build_object(
                'channel', channel, 'epoch', epoch, 'from', seq_from, 'to', seq_to,
                'messages', muster_size(missing)
            )
            FROM claimed WHERE is_new
        )
        SELECT id, host_id, channel, epoch, missing::text, attempts, failures, next_attempt_at
        FROM claimed ORDER BY host_id, id";
    let channels: Vec<&str> = progress.keys().map(|channel| channel.as_str()).collect();
    let done: Vec<i64> = progress.values().map(|stream| stream.done_seq as i64).collect();
    let last: Vec<i64> = progress.values().map(|stream| stream.last_seq as i64).collect();
    let client = pool.get().await.context("no connection to the database")?;
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
        [&channels, &done, &last, &CLAIMED_MAX, &CLAIM_MS, &progress_at, &has_surveyed];
    let rows = client.query(sql, &parameters).await.context("cannot take gaps to repair")?;
    Ok(rows.iter().filter_map(read).collect())
}

fn read(row: &Row) -> Option<Claim> {
    let (host, channel): (String, String) = (row.get(1), row.get(2));
    let (Ok(host), Ok(channel), Some(missing)) =
        (HostId::try_from(host), channel.parse(), Ranges::parse(row.get(4)))
    else {
        warn!("a row of gaps has an impossible key");
        return None;
    };
    Some(Claim {
        id: row.get(0),
        host,
        channel,
        epoch: row.get(3),
        missing,
        attempts: row.get(5),
        failures: row.get(6),
        until: row.get(7),
    })
}

impl Claim {
    /// It was not asked for, or refused: another time.
    pub async fn put_off(&self, pool: &Pool, pause_ms: i64, failures: i32) -> Result<()> {
        let sql = "
            UPDATE gaps
            SET state = 'open', failures = $4,
                next_attempt_at = now() + $3::int8 * interval '1 millisecond'
            WHERE id = $1 AND next_attempt_at = $2 AND state IN ('open', 'repairing')";
        let client = pool.get().await.context("no connection to the database")?;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&self.id, &self.until, &pause_ms, &failures];
        client.execute(sql, &parameters).await.context("cannot put off a gap")?;
        Ok(())
    }

    /// Writes down what the agent said. Nothing, where the claim is no longer ours.
    pub async fn settle(&self, pool: &Pool, verdict: &Verdict, pause_ms: i64) -> Result<i64> {
        let mut client = pool.get().await.context("no connection to the database")?;
        let transaction = client.transaction().await?;
        let sql = "
            SELECT FROM gaps
            WHERE id = $1 AND next_attempt_at = $2 AND state IN ('open', 'repairing')
            FOR UPDATE";
        if transaction.query_opt(sql, &[&self.id, &self.until]).await?.is_none() {
            return Ok(0);
        }
        let mut lost = 0;
        for (cause, ranges) in &verdict.lost {
            let ranges = match cause {
                LossCause::NotWritten => &self.forget_unwritten(&transaction, ranges).await?,
                _ => ranges,
            };
            lost += self.lose(&transaction, *cause, ranges).await?;
        }
        self.attempted(&transaction, verdict, pause_ms).await?;
        transaction.commit().await.context("cannot commit what an agent said of a gap")?;
        Ok(lost)
    }

    /// Numbers after all that came which the agent never gave out, although a heartbeat
    /// said so, are no messages: they are neither missing nor lost. Answers the others.
    async fn forget_unwritten(
        &self,
        transaction: &Transaction<'_>,
        ranges: &Ranges,
    ) -> Result<Ranges> {
        let Some((from, to)) = ranges.iter().last() else { return Ok(Ranges::default()) };
        let sql = "
            UPDATE ledger AS l
            SET announced = least(l.announced, $2 - 1), settled = least(l.settled, $2 - 1)
            FROM gaps AS g
            WHERE g.id = $1
              AND l.host_id = g.host_id AND l.channel = g.channel AND l.epoch = g.epoch
              AND coalesce(upper(l.received + l.dead), 1) <= $2";
        let updated = transaction.execute(sql, &[&self.id, &from]).await;
        let is_end = updated.context("cannot take back what was announced")? > 0;
        Ok(if is_end { ranges.without(&Ranges::of([(from, to)])) } else { ranges.clone() })
    }

    /// What came meanwhile is not lost.
    async fn lose(
        &self,
        transaction: &Transaction<'_>,
        cause: LossCause,
        ranges: &Ranges,
    ) -> Result<i64> {
        let sql = "
            WITH taken AS (
                UPDATE ledger AS l
                SET lost = l.lost + ($2::text::int8multirange - l.received - l.dead)
                FROM gaps AS g
                WHERE g.id = $1
                  AND l.host_id = g.host_id AND l.channel = g.channel AND l.epoch = g.epoch
                RETURNING l.lost * $2::text::int8multirange AS lost
            ), closed AS (
                INSERT INTO gaps (host_id, channel, epoch, seq_from, seq_to, missing, state, cause,
                                  found_at, confirmed_at, stream_seq, from_at, to_at, attempts,
                                  next_attempt_at, closed_at)
                SELECT g.host_id, g.channel, g.epoch, lower(t.lost), upper(t.lost) - 1, t.lost,
                       'lost', $3, g.found_at, g.confirmed_at, g.stream_seq,
                       muster_ledger_time(g.host_id, g.channel, g.epoch, lower(t.lost)),
                       muster_ledger_time(g.host_id, g.channel, g.epoch, upper(t.lost) - 1),
                       g.attempts + 1, now(), now()
                FROM gaps AS g, taken AS t
                WHERE g.id = $1 AND NOT isempty(t.lost)
                RETURNING *
            ), told AS (
                INSERT INTO events (host_id, at, kind, detail)
                SELECT host_id, now(), 'gap_lost', jsonb_build_object(
                    'channel', channel, 'epoch', epoch, 'from', seq_from, 'to', seq_to,
                    'messages', muster_size(missing), 'cause', cause
                )
                FROM closed
            )
            SELECT coalesce(sum(muster_size(missing)), 0)::bigint FROM closed";
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&self.id, &ranges.to_string(), &cause.as_str()];
        let row = transaction.query_one(sql, &parameters).await;
        Ok(row.context("cannot write down a loss")?.get(0))
    }

    /// A gap of which nothing is left is closed by the next survey.
    async fn attempted(
        &self,
        transaction: &Transaction<'_>,
        verdict: &Verdict,
        pause_ms: i64,
    ) -> Result<()> {
        let sql = "
            UPDATE gaps
            SET attempts = attempts + 1, missing = missing - $5::text::int8multirange,
                failures = CASE WHEN $3 THEN 0 ELSE failures + 1 END,
                state = CASE WHEN $4 THEN 'repairing' ELSE 'open' END,
                next_attempt_at = now() + $2::int8 * interval '1 millisecond'
            WHERE id = $1";
        // Of what was never written some may be taken back and not lost; none of it is missing.
        let lost = Ranges::of(verdict.lost.values().flat_map(Ranges::iter)).to_string();
        let (some_lost, some_coming) = (!verdict.lost.is_empty(), verdict.coming > 0);
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&self.id, &pause_ms, &some_lost, &some_coming, &lost];
        transaction.execute(sql, &parameters).await.context("cannot write down an attempt")?;
        Ok(())
    }
}
