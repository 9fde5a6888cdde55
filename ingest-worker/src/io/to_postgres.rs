//! One batch, one transaction: rows first, the ledger last (design promises 1 to 3).

use anyhow::{Context, Result, anyhow};
use deadpool_postgres::Pool;
use muster_schemas::{Envelope, MessageId};
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::io::ledger::{Entries, KnownRows, already_stored};
use crate::io::partitions::Partitions;
use crate::io::write::Write;

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
}

impl Store {
    pub fn new(pool: Pool) -> Self {
        Self { pool, partitions: Partitions::default(), rows: KnownRows::default() }
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
        let mut client = self.pool.get().await.context("no connection to the database")?;
        let transaction = client.transaction().await?;
        let envelopes: Vec<&Envelope<T>> = left.iter().map(|(envelope, _)| *envelope).collect();
        let entries: Entries = left.iter().map(|(_, id)| id.clone()).collect();
        let rows =
            if envelopes.is_empty() { 0 } else { T::write(&transaction, &envelopes).await? };
        dead.add_dead(&transaction).await?;
        if entries.add(&transaction).await? {
            transaction.commit().await?;
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

/// A value the database will never take, or trouble that passes?
fn judge(error: anyhow::Error) -> StoreError {
    let state = error.downcast_ref::<Error>().and_then(Error::code);
    // No partition for a row is a check violation too, and the next attempt makes it.
    let poison = state.is_some_and(|state| {
        let class = &state.code()[..2];
        (class == "22" || class == "23") && *state != SqlState::CHECK_VIOLATION
    });
    if poison { StoreError::Poison(error) } else { StoreError::Retry(error) }
}
