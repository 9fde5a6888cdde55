//! Everything the gateway asks the database.

pub(crate) mod accounts;
pub(crate) mod custom;
pub(crate) mod events;
pub(crate) mod fleet_ledger;
pub(crate) mod hosts;
pub(crate) mod inventory;
mod kept;
pub(crate) mod ledger;
pub(crate) mod line_filter;
pub(crate) mod log_counts;
pub(crate) mod logs;
pub(crate) mod pipeline;
pub(crate) mod retention;
pub(crate) mod series;
pub(crate) mod settings;
mod sources;
mod statement;
pub(crate) mod storage;

use std::time::Duration;

use anyhow::{Context, Result};
use deadpool_postgres::{Object, Pool};

/// A statement that takes longer is given up by the server. A request ends after 30 s, or when its
/// browser goes away, without a word to the database: without this, what it had asked would go on,
/// on a connection that others then wait for.
pub(crate) const STATEMENT_MAX: Duration = Duration::from_secs(25);

async fn connection(pool: &Pool) -> Result<Object> {
    pool.get().await.context("no connection to the database")
}

pub(crate) async fn is_there(pool: &Pool) -> Result<()> {
    connection(pool).await?.simple_query("SELECT 1").await.context("the database is ill")?;
    Ok(())
}
