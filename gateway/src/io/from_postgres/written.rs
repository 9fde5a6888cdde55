//! Writing what several people may edit: why it may not be done, and waking those who heed it.

use anyhow::{Context, Result};
use tokio_postgres::Transaction;

use crate::logic::settings::BadSettings;

/// What alert workers listen to. They look by themselves, too.
const ALERTS: &str = "muster_alerts";

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unwritten {
    #[error("there is no {0} of this number")]
    NotThere(&'static str),
    #[error("somebody has changed the {0} meanwhile: read it again")]
    Stale(&'static str),
    /// As things are, it cannot be done.
    #[error("{0}")]
    Conflict(String),
    #[error(transparent)]
    Bad(#[from] BadSettings),
}

/// The outer failure is the database's, the inner one the caller's.
pub(crate) type Written<T> = Result<Result<T, Unwritten>>;

/// Heard when the transaction is committed.
pub(crate) async fn wake_alerting(transaction: &Transaction<'_>) -> Result<()> {
    let sql = "SELECT pg_notify($1, '')";
    transaction.execute(sql, &[&ALERTS]).await.context("cannot wake the alert workers")?;
    Ok(())
}

/// One after the other, until the end of the transaction.
pub(crate) async fn take_turns(transaction: &Transaction<'_>, what: &str) -> Result<()> {
    let sql = "SELECT pg_advisory_xact_lock(hashtext('muster.' || $1))";
    transaction.execute(sql, &[&what]).await.context("cannot wait for others who write")?;
    Ok(())
}
