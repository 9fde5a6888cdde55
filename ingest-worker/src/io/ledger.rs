//! The ledger: what is accounted for, and the deduplication.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use muster_schemas::{Channel, HostId, MessageId};
use tokio::sync::Mutex;
use tokio_postgres::{Error, Transaction};

use crate::logic::ranges::multirange;

/// How many (host, channel, epoch) a worker remembers as present. 200,000 are some 20 MB and more
/// hosts than one database carries; past it the memory starts afresh.
const KNOWN_MAX: usize = 200_000;

/// Rows of the ledger are updated by joining them to a list in the order of their keys. A nested
/// loop goes through them, and locks them, in that order; a hash join would in whatever order they
/// lie in the table, and two workers could each wait for the other.
pub const IN_ORDER: &str = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";

/// A row of the ledger.
pub type Key = (HostId, Channel, i64);

/// The rows that are known to be there.
#[derive(Default)]
pub struct KnownRows {
    known: Mutex<HashSet<Key>>,
}

impl KnownRows {
    /// Makes sure that the ledger has a row for each key, and `hosts` one for each host. Not part
    /// of the batch's transaction: an empty row says nothing.
    pub async fn ensure(&self, pool: &Pool, keys: impl IntoIterator<Item = Key>) -> Result<()> {
        let mut known = self.known.lock().await;
        let mut new: Vec<Key> = keys.into_iter().filter(|key| !known.contains(key)).collect();
        if new.is_empty() {
            return Ok(());
        }
        new.sort();
        new.dedup();
        insert_rows(pool, &new).await?;
        if known.len() + new.len() > KNOWN_MAX {
            known.clear();
        }
        known.extend(new);
        Ok(())
    }

    /// A row that should be there was not: somebody removed a host.
    pub async fn forget(&self) {
        self.known.lock().await.clear();
    }
}

async fn insert_rows(pool: &Pool, keys: &[Key]) -> Result<()> {
    let hosts: Vec<&str> = keys.iter().map(|(host, _, _)| host.as_str()).collect();
    let channels: Vec<&str> = keys.iter().map(|(_, channel, _)| channel.as_str()).collect();
    let epochs: Vec<i64> = keys.iter().map(|(_, _, epoch)| *epoch).collect();
    let client = pool.get().await.context("no connection to the database")?;
    let sql = "
        INSERT INTO hosts (id) SELECT DISTINCT unnest($1::text[]) ORDER BY 1
        ON CONFLICT DO NOTHING";
    client.execute(sql, &[&hosts]).await.context("cannot record new hosts")?;
    let sql = "
        INSERT INTO ledger (host_id, channel, epoch)
        SELECT * FROM unnest($1::text[], $2::text[], $3::int8[])
        ON CONFLICT DO NOTHING";
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&hosts, &channels, &epochs];
    client.execute(sql, &parameters).await.context("cannot add rows to the ledger")?;
    Ok(())
}

/// Sequence numbers by row, in the order in which rows are locked by every worker.
#[derive(Debug, Default)]
pub struct Entries {
    by_key: BTreeMap<Key, Vec<i64>>,
}

impl FromIterator<MessageId> for Entries {
    fn from_iter<I: IntoIterator<Item = MessageId>>(ids: I) -> Self {
        let mut entries = Self::default();
        for id in ids {
            entries.by_key.entry((id.host, id.channel, id.epoch)).or_default().push(id.seq);
        }
        entries
    }
}

impl Entries {
    pub fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.by_key.keys().cloned()
    }

    fn columns(&self) -> (Vec<&str>, Vec<&str>, Vec<i64>, Vec<String>) {
        let mut columns = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for ((host, channel, epoch), numbers) in &self.by_key {
            columns.0.push(host.as_str());
            columns.1.push(channel.as_str());
            columns.2.push(*epoch);
            columns.3.push(multirange(numbers.clone()));
        }
        columns
    }

    /// Locks the rows of these and of `others`, in the order of all workers. For who changes rows
    /// in more than one statement; a single one goes through them in that order by itself
    /// ([`IN_ORDER`]).
    pub async fn lock_with(
        &self,
        others: &Self,
        transaction: &Transaction<'_>,
    ) -> Result<(), Error> {
        let keys: BTreeSet<&Key> = self.by_key.keys().chain(others.by_key.keys()).collect();
        let hosts: Vec<&str> = keys.iter().map(|(host, _, _)| host.as_str()).collect();
        let channels: Vec<&str> = keys.iter().map(|(_, channel, _)| channel.as_str()).collect();
        let epochs: Vec<i64> = keys.iter().map(|(_, _, epoch)| *epoch).collect();
        let sql = "
            SELECT FROM unnest($1::text[], $2::text[], $3::int8[]) WITH ORDINALITY
                AS u (host_id, channel, epoch, place)
            JOIN ledger USING (host_id, channel, epoch)
            ORDER BY u.place
            FOR NO KEY UPDATE OF ledger";
        transaction.query(sql, &[&hosts, &channels, &epochs]).await?;
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Adds the numbers as stored: no longer as lost, nor as dead where a dead letter was tried
    /// again. `false` where some are stored already: then the transaction must be rolled back.
    pub async fn add(&self, transaction: &Transaction<'_>) -> Result<bool, Error> {
        if self.by_key.is_empty() {
            return Ok(true);
        }
        let (hosts, channels, epochs, ranges) = self.columns();
        let sql = "
            UPDATE ledger
            SET received = ledger.received + new.ranges, lost = ledger.lost - new.ranges,
                dead = ledger.dead - new.ranges,
                updated_at = now()
            FROM (
                SELECT host_id, channel, epoch, ranges::int8multirange AS ranges
                FROM unnest($1::text[], $2::text[], $3::int8[], $4::text[])
                    AS u (host_id, channel, epoch, ranges)
            ) AS new
            WHERE ledger.host_id = new.host_id
              AND ledger.channel = new.channel
              AND ledger.epoch = new.epoch
              AND NOT ledger.received && new.ranges";
        let updated = transaction.execute(sql, &[&hosts, &channels, &epochs, &ranges]).await?;
        Ok(updated == self.by_key.len() as u64)
    }

    /// Adds the numbers as dead, unless they are stored. Saying it twice changes nothing.
    pub async fn add_dead(&self, transaction: &Transaction<'_>) -> Result<(), Error> {
        if self.by_key.is_empty() {
            return Ok(());
        }
        let (hosts, channels, epochs, ranges) = self.columns();
        let sql = "
            UPDATE ledger
            SET dead = ledger.dead + (new.ranges::int8multirange - ledger.received),
                lost = ledger.lost - new.ranges::int8multirange, updated_at = now()
            FROM unnest($1::text[], $2::text[], $3::int8[], $4::text[])
                AS new (host_id, channel, epoch, ranges)
            WHERE ledger.host_id = new.host_id
              AND ledger.channel = new.channel
              AND ledger.epoch = new.epoch";
        transaction.execute(sql, &[&hosts, &channels, &epochs, &ranges]).await?;
        Ok(())
    }
}

/// Which of the messages are stored already.
pub async fn already_stored(
    transaction: &Transaction<'_>,
    channel: Channel,
    ids: &[MessageId],
) -> Result<HashSet<MessageId>, Error> {
    let hosts: Vec<&str> = ids.iter().map(|id| id.host.as_str()).collect();
    let epochs: Vec<i64> = ids.iter().map(|id| id.epoch).collect();
    let numbers: Vec<i64> = ids.iter().map(|id| id.seq).collect();
    let sql = "
        SELECT asked.place
        FROM unnest($1::text[], $2::int8[], $3::int8[]) WITH ORDINALITY
            AS asked (host_id, epoch, seq, place)
        JOIN ledger USING (host_id, epoch)
        WHERE ledger.channel = $4 AND ledger.received @> asked.seq";
    let rows = transaction.query(sql, &[&hosts, &epochs, &numbers, &channel.as_str()]).await?;
    let place = |row: &tokio_postgres::Row| row.get::<_, i64>(0) as usize - 1;
    Ok(rows.iter().map(|row| ids[place(row)].clone()).collect())
}
