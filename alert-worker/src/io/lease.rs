//! Who decides about which partition, and how far, as the database has it.
//!
//! All times are the database's: a lease ends by its clock, whatever a worker believes. Rows are
//! never waited for here: whoever is in the middle of a transaction on one has it, and a worker
//! that was stopped there must not stop the others.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use deadpool_postgres::{Pool, Transaction};
use muster_runtime::time::system_time;
use muster_schemas::Partition;
use tokio_postgres::Row as SqlRow;
use tokio_postgres::types::ToSql;

use crate::logic::balance::{Row, View};
use crate::logic::continuity::Offset;

/// How long a worker that is not heard of keeps what it has. Long enough for a database that is
/// restarted or a machine that is busy; a takeover takes this and a look more.
const LEASE: Duration = Duration::from_secs(10);

/// How often a lease is renewed: four times may fail.
pub(crate) const RENEW_EVERY: Duration = Duration::from_secs(2);

/// How long the database may take to answer: a lease must not run out meanwhile.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(4);

/// How long a deciding transaction may stand idle before the server ends it. A worker that was
/// stopped in the middle of one would otherwise keep the partition locked after its lease.
const IDLE_MAX: Duration = Duration::from_secs(5);

/// One worker's part in it.
pub(crate) struct Leases {
    pool: Pool,
    /// As in `workers`.
    me: String,
}

/// A partition under the epoch in which this worker got it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) partition: Partition,
    pub(crate) epoch: i64,
}

impl Leases {
    pub(crate) fn new(pool: Pool, me: String) -> Self {
        Self { pool, me }
    }

    pub(crate) fn me(&self) -> &str {
        &self.me
    }

    /// Says that this worker is at work and keeps what it holds. A partition that is being decided
    /// about is left out: its commit renews the lease too.
    pub(crate) async fn renew(&self, held: &BTreeMap<Partition, i64>) -> Result<()> {
        let sql = "
            WITH alive AS (
                INSERT INTO alert_workers (id, lease_until)
                VALUES ($1, now() + $4 * interval '1 ms')
                ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until
            ), gone AS (
                DELETE FROM alert_workers WHERE id IN (
                    SELECT id FROM alert_workers
                    WHERE lease_until < now() - interval '1 minute' AND id <> $1
                    FOR UPDATE SKIP LOCKED
                )
            ), mine AS (
                SELECT stored.partition
                FROM alert_partitions AS stored
                JOIN unnest($2::integer[], $3::bigint[]) AS held (partition, epoch)
                  ON held.partition = stored.partition AND held.epoch = stored.epoch
                WHERE stored.owner = $1
                FOR UPDATE OF stored SKIP LOCKED
            )
            UPDATE alert_partitions AS stored
            SET lease_until = now() + $4 * interval '1 ms'
            FROM mine
            WHERE stored.partition = mine.partition";
        let partitions: Vec<i32> = held.keys().map(|partition| partition.number()).collect();
        let epochs: Vec<i64> = held.values().copied().collect();
        self.execute(sql, &[&self.me, &partitions, &epochs, &lease_ms()])
            .await
            .context("cannot renew the leases of partitions")
    }

    /// Who is at work and who has what.
    pub(crate) async fn look(&self) -> Result<View> {
        let sql = "
            SELECT id, NULL::integer, NULL::text, NULL::bigint, NULL::boolean
            FROM alert_workers
            WHERE lease_until > now()
            UNION ALL
            SELECT NULL, partition, owner, epoch, owner IS NULL OR lease_until <= now()
            FROM alert_partitions";
        let client = self.pool.get().await.context("no connection to the database")?;
        let statement = client.prepare_cached(sql).await?;
        let rows = client.query(&statement, &[]).await.context("cannot read who has what")?;
        let mut view = View::default();
        for row in &rows {
            match row.get(0) {
                Some(worker) => {
                    view.workers.insert(worker);
                }
                None => view.rows.extend(read_row(row)),
            }
        }
        Ok(view)
    }

    /// Takes those of the partitions that are still free.
    pub(crate) async fn take(&self, partitions: &[Partition]) -> Result<Vec<Lease>> {
        let sql = "
            WITH free AS (
                SELECT partition FROM alert_partitions
                WHERE partition = ANY($2) AND (owner IS NULL OR lease_until <= now())
                FOR UPDATE SKIP LOCKED
            )
            UPDATE alert_partitions AS stored
            SET owner = $1, lease_until = now() + $3 * interval '1 ms',
                -- Not one that was given out before, even where the database has forgotten that.
                epoch = greatest(epoch + 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
            FROM free
            WHERE stored.partition = free.partition
            RETURNING stored.partition, epoch";
        let numbers: Vec<i32> = partitions.iter().map(|partition| partition.number()).collect();
        let client = self.pool.get().await.context("no connection to the database")?;
        let rows = client
            .query(sql, &[&self.me, &numbers, &lease_ms()])
            .await
            .context("cannot take partitions")?;
        let read = |row: &SqlRow| {
            Some(Lease { partition: Partition::from_number(row.get(0))?, epoch: row.get(1) })
        };
        Ok(rows.iter().filter_map(read).collect())
    }

    /// Lets others have it at once. Whoever is not the owner any more changes nothing.
    pub(crate) async fn give_back(&self, lease: Lease) -> Result<()> {
        let sql = "
            UPDATE alert_partitions SET owner = NULL
            WHERE partition = $1 AND epoch = $2 AND owner = $3";
        let Lease { partition, epoch } = lease;
        self.execute(sql, &[&partition.number(), &epoch, &self.me])
            .await
            .with_context(|| format!("cannot give back {partition}"))
    }

    /// Gives everything back and is at work no longer.
    pub(crate) async fn leave(&self) -> Result<()> {
        let sql = "
            WITH gone AS (DELETE FROM alert_workers WHERE id = $1)
            UPDATE alert_partitions SET owner = NULL WHERE owner = $1";
        self.execute(sql, &[&self.me]).await.context("cannot give back the partitions")
    }

    async fn execute(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<()> {
        let client = self.pool.get().await.context("no connection to the database")?;
        let statement = client.prepare_cached(sql).await?;
        client.execute(&statement, parameters).await?;
        Ok(())
    }
}

/// How far the partition was decided about; `None` where another worker has it.
pub(crate) async fn offset(transaction: &Transaction<'_>, lease: Lease) -> Result<Option<Offset>> {
    let sql = "
        SELECT last_seq, (extract(epoch FROM last_at) * 1000)::bigint,
               (extract(epoch FROM stream_created_at) * 1000)::bigint, decisions,
               (extract(epoch FROM heard_from) * 1000)::bigint
        FROM alert_partitions
        WHERE partition = $1 AND epoch = $2";
    let Lease { partition, epoch } = lease;
    let row = transaction
        .query_opt(sql, &[&partition.number(), &epoch])
        .await
        .with_context(|| format!("cannot read how far {partition} is"))?;
    Ok(row.map(|row| Offset {
        seq: u64::try_from(row.get::<_, i64>(0)).unwrap_or(0),
        at: row.get(1),
        stream_created_at: row.get(2),
        decisions: row.get(3),
        heard_from: row.get(4),
    }))
}

/// The fence: moves the offset, if the partition is still this worker's and where it was left, and
/// renews the lease. `None`: nothing was changed, and nothing in this transaction may be kept; else
/// the offset as it is now. A commit of which nobody knew whether it came through is seen here too.
///
/// It comes first in its transaction: until that ends nobody else decides about the partition, and
/// a worker that is no longer the owner does no harm, not even for a moment.
pub(crate) async fn fence(
    transaction: &Transaction<'_>,
    lease: Lease,
    from: &Offset,
    to: Offset,
) -> Result<Option<Offset>> {
    let idle_max = IDLE_MAX.as_millis();
    transaction
        .batch_execute(&format!("SET LOCAL idle_in_transaction_session_timeout = {idle_max}"))
        .await?;
    let sql = "
        UPDATE alert_partitions
        SET last_seq = $4, last_at = $5, stream_created_at = $6, decisions = decisions + 1,
            decided_at = clock_timestamp(), heard_from = $9,
            lease_until = greatest(lease_until, clock_timestamp() + $7 * interval '1 ms')
        WHERE partition = $1 AND epoch = $2 AND last_seq = $3 AND decisions = $8";
    let Lease { partition, epoch } = lease;
    let (number, from_seq, to_seq) = (partition.number(), from.seq as i64, to.seq as i64);
    let lease_ms = lease_ms();
    let (at, created_at) = (to.at.map(system_time), to.stream_created_at.map(system_time));
    let heard_from = to.heard_from.map(system_time);
    let decisions = from.decisions;
    let statement = transaction.prepare_cached(sql).await?;
    let touched = transaction
        .execute(
            &statement,
            &[
                &number,
                &epoch,
                &from_seq,
                &to_seq,
                &at,
                &created_at,
                &lease_ms,
                &decisions,
                &heard_from,
            ],
        )
        .await
        .with_context(|| format!("cannot move the offset of {partition}"))?;
    Ok((touched == 1).then_some(Offset { decisions: decisions + 1, ..to }))
}

fn lease_ms() -> f64 {
    LEASE.as_millis() as f64
}

fn read_row(row: &SqlRow) -> Option<Row> {
    Some(Row {
        partition: Partition::from_number(row.get(1))?,
        owner: row.get(2),
        epoch: row.get(3),
        is_free: row.get(4),
    })
}
