//! What is written of each kind of message, inside the batch's transaction.

mod inventory;
mod logs;
mod signals;
mod telemetry;

use muster_schemas::{Channel, Envelope};
use tokio_postgres::{Error, Transaction};

use crate::logic::intake::Storable;

/// A message that knows how it is stored.
pub trait Write: Storable {
    /// Whether buckets are made of what it stores: its hours are then marked.
    const IS_ROLLED_UP: bool = false;

    /// Times in ms since the Unix epoch for which partitions must be there.
    fn times(&self) -> Vec<i64>;

    /// Channels of the ledger that it speaks of, besides its own.
    fn announced(&self) -> Vec<Channel> {
        Vec::new()
    }

    /// Writes the batch but for the ledger; answers the number of rows.
    fn write(
        transaction: &Transaction<'_>,
        batch: &[&Envelope<Self>],
    ) -> impl Future<Output = Result<u64, Error>> + Send;
}
