//! How long a worker that stands still may hold what others wait for.

use anyhow::{Context, Result};
use deadpool_postgres::Transaction;

/// The database ends a transaction in which nothing was asked for so long, and with it its locks: a
/// process that was stopped in the middle of it holds up nobody for longer. Between two statements
/// of a worker that is at work are milliseconds.
const IDLE: &str = "SET LOCAL idle_in_transaction_session_timeout = 5000";

pub(crate) async fn bound_locks(transaction: &Transaction<'_>) -> Result<()> {
    transaction.batch_execute(IDLE).await.context("cannot bound how long locks are held")
}
