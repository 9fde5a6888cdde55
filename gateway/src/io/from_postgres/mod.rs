//! Everything the gateway asks the database.

pub(crate) mod accounts;
pub(crate) mod alert_summary;
pub(crate) mod alerts;
pub(crate) mod backtest;
pub(crate) mod central;
pub(crate) mod channels;
pub(crate) mod connection;
pub(crate) mod custom;
pub(crate) mod deadman;
pub(crate) mod events;
pub(crate) mod fleet_ledger;
pub(crate) mod hosts;
pub(crate) mod inventory;
mod kept;
pub(crate) mod ledger;
pub(crate) mod line_filter;
pub(crate) mod log_counts;
pub(crate) mod logs;
pub(crate) mod notifications;
pub(crate) mod pipeline;
pub(crate) mod retention;
pub(crate) mod rules;
pub(crate) mod rules_agents;
pub(crate) mod selected;
pub(crate) mod series;
pub(crate) mod settings;
pub(crate) mod silences;
mod sources;
mod statement;
pub(crate) mod storage;
pub(crate) mod ticket_deeds;
pub(crate) mod written;

use std::time::Duration;

use anyhow::{Context, Result};
use deadpool_postgres::Pool;

use connection::connection;

/// A statement that takes longer is given up by the server, whoever still waits for it: less than a
/// request may take, so that it can say so.
pub(crate) const STATEMENT_MAX: Duration = Duration::from_secs(25);

pub(crate) async fn is_there(pool: &Pool) -> Result<()> {
    connection(pool).await?.simple_query("SELECT 1").await.context("the database is ill")?;
    Ok(())
}
