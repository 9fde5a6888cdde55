//! One batch, one transaction: rows first, the ledger last (design promises 1 to 3).

use std::collections::BTreeSet;

use anyhow::{Context, Result, anyhow};
use deadpool_postgres::Pool;
use muster_runtime::now_ms;
use muster_schemas::{Channel, Envelope, MessageId};
use tokio::sync::Mutex;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Error, Transaction};

use crate::io::history::{self, record_backfills};
use crate::io::ledger::{Entries, IN_ORDER, KnownRows, already_stored};
use crate::io::partitions::Partitions;
use crate::io::rollup_marks;
use crate::io::write::Write;
use crate::logic::rollup::hour_of;

/// Rounds of taking out what is stored already. Another worker can store more of the same batch
/// between two of them, but each round ends with fewer messages.
const ROUNDS_MAX: usize = 10;

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    pub messages: usize,
    pub rows: u64,
    pub duplicates: usize,
}

/// What the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing was stored; the same batch can succeed later.
    #[error("the batch was not stored, it will be tried again")]
    Retry(#[source] anyhow::Error),
    /// Nothing was stored, and some message of the batch is the reason.
    #[error("the database refuses a value of the batch")]
    Poison(#[source] anyhow::Error),
}

pub struct Store {
    pool: Pool,
    partitions: Partitions,
    rows: KnownRows,
    timeline: history::Marks,
    hours: rollup_marks::Marks,
    /// For each channel, whose turn it is to copy: two at once would be no faster for the database
    /// than one after the other, and the second would hold its connection and its rows longer.
    copying: [Mutex<()>; Channel::ALL.len()],
}

impl Store {
    pub fn new(pool: Pool) -> Self {
        let (partitions, rows, timeline, hours) = Default::default();
        let copying = std::array::from_fn(|_| Mutex::new(()));
        Self { pool, partitions, rows, timeline, hours, copying }
    }

    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    pub fn partitions(&self) -> &Partitions {
        &self.partitions
    }

    /// Stores each message of the batch exactly once, and accounts for the `dead` ones. When it
    /// answers `Ok`, all of it is durable.
    pub async fn store<T: Write>(
        &self,
        batch: &[&Envelope<T>],
        dead: &[MessageId],
    ) -> Result<Stored, StoreError> {
        let outcome = self.try_store(batch, dead).await;
        if outcome.is_err() {
            // Whatever was believed about the database may be the reason.
            self.partitions.forget().await;
            self.rows.forget().await;
            self.hours.forget().await;
        }
        outcome
    }

    async fn try_store<T: Write>(
        &self,
        batch: &[&Envelope<T>],
        dead: &[MessageId],
    ) -> Result<Stored, StoreError> {
        let ids: Vec<MessageId> = batch.iter().map(|envelope| envelope.message_id()).collect();
        let dead: Entries = dead.iter().cloned().collect();
        self.prepare(batch, &ids, &dead).await.map_err(StoreError::Retry)?;
        let mut left: Vec<(&Envelope<T>, MessageId)> = batch.iter().copied().zip(ids).collect();
        for _ in 0..ROUNDS_MAX {
            match self.round(&mut left, &dead).await {
                Ok(Some(rows)) => {
                    let messages = left.len();
                    return Ok(Stored { messages, rows, duplicates: batch.len() - messages });
                }
                Ok(None) => {}
                Err(error) => return Err(judge(error)),
            }
        }
        Err(StoreError::Retry(anyhow!("the ledger changed under the batch {ROUNDS_MAX} times")))
    }

    async fn prepare<T: Write>(
        &self,
        batch: &[&Envelope<T>],
        ids: &[MessageId],
        dead: &Entries,
    ) -> Result<()> {
        let times = batch.iter().flat_map(|envelope| envelope.body.times());
        self.partitions.ensure(&self.pool, times).await?;
        let keys = ids.iter().map(|id| (id.host.clone(), id.channel, id.epoch));
        let announced = batch.iter().flat_map(|envelope| {
            let key = |channel| (envelope.host.clone(), channel, envelope.epoch);
            envelope.body.announced().into_iter().map(key)
        });
        self.rows.ensure(&self.pool, keys.chain(dead.keys()).chain(announced)).await
    }

    /// One transaction. `None`: something of the batch was stored before; it was rolled back, and
    /// `left` no longer holds what was.
    async fn round<T: Write>(
        &self,
        left: &mut Vec<(&Envelope<T>, MessageId)>,
        dead: &Entries,
    ) -> Result<Option<u64>> {
        let turn = self.copying[usize::from(T::CHANNEL.index())].lock().await;
        let mut client = self.pool.get().await.context("no connection to the database")?;
        let transaction = client.transaction().await?;
        transaction.batch_execute(IN_ORDER).await?;
        let envelopes: Vec<&Envelope<T>> = left.iter().map(|(envelope, _)| *envelope).collect();
        let entries: Entries = left.iter().map(|(_, id)| id.clone()).collect();
        let rows =
            if envelopes.is_empty() { 0 } else { T::write(&transaction, &envelopes).await? };
        drop(turn);
        let hours = self.mark_hours(&transaction, &envelopes).await?;
        if !dead.is_empty() {
            entries.lock_with(dead, &transaction).await?;
            dead.add_dead(&transaction).await?;
        }
        if entries.add(&transaction).await? {
            let now = now_ms();
            let written = || envelopes.iter().map(|e| history::Written::of(e, T::CHANNEL));
            let due = self.timeline.due(written(), now).await;
            due.write(&transaction).await?;
            record_backfills(&transaction, written(), now).await?;
            transaction.commit().await?;
            self.timeline.remember(due).await;
            self.hours.remember(hours, now).await;
            return Ok(Some(rows));
        }
        transaction.rollback().await?;
        self.rows.forget().await;
        let ids: Vec<MessageId> = left.iter().map(|(_, id)| id.clone()).collect();
        self.rows.ensure(&self.pool, entries.keys()).await?;
        let transaction = client.transaction().await?;
        let stored = already_stored(&transaction, T::CHANNEL, &ids).await?;
        left.retain(|(_, id)| !stored.contains(id));
        Ok(None)
    }
}

impl Store {
    async fn mark_hours<T: Write>(
        &self,
        transaction: &Transaction<'_>,
        batch: &[&Envelope<T>],
    ) -> Result<rollup_marks::Written, Error> {
        if !T::IS_ROLLED_UP {
            return Ok(rollup_marks::Written::default());
        }
        let marks = batch.iter().flat_map(|envelope| {
            let times = envelope.body.times();
            let hours: BTreeSet<i64> = times.into_iter().map(hour_of).collect();
            hours.into_iter().map(|hour| (hour, envelope.host.clone()))
        });
        self.hours.write(transaction, marks.collect(), now_ms()).await
    }
}

/// A value the database will never take, or trouble that passes?
fn judge(error: anyhow::Error) -> StoreError {
    let state = error.downcast_ref::<Error>().and_then(Error::code);
    if state.is_some_and(is_poison) { StoreError::Poison(error) } else { StoreError::Retry(error) }
}

/// Data that is none, a constraint, or a limit of the database: what does not fit into an index or
/// is nested too deep never will. A limit of the machine, such as a full disk, is another class.
fn is_poison(state: &SqlState) -> bool {
    // No partition for a row is a check violation too, and the next attempt makes it.
    ["22", "23", "54"].contains(&&state.code()[..2]) && *state != SqlState::CHECK_VIOLATION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_never_be_stored_is_told_from_trouble_that_passes() {
        for (code, poison) in [
            ("22003", true),
            ("22P05", true),
            ("23502", true),
            ("23514", false),
            ("40P01", false),
            ("53100", false),
            ("53200", false),
            ("54000", true),
            ("54001", true),
            ("57014", false),
        ] {
            assert_eq!(is_poison(&SqlState::from_code(code)), poison, "{code}");
        }
    }
}
