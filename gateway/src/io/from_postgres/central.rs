//! What an agent is told by the centre: its settings and the conditions of the rules, both as they
//! were at one moment. Were they read one after the other, what is written between would be given
//! out under a version that does not have all of it, and the agent would not ask again.

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use muster_schemas::HostId;
use muster_schemas::configuration::CentralConfiguration;
use tokio_postgres::IsolationLevel;

use super::{connection, rules_agents, settings};

/// `None` where the agent has this version: most ask only whether it is new.
pub(crate) async fn newer_than(
    pool: &Pool,
    host: &HostId,
    have_version: i64,
) -> Result<Option<CentralConfiguration>> {
    let mut client = connection(pool).await?;
    let snapshot = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await
        .context("cannot look at the settings of a host")?;
    let version = settings::version_of_host(&snapshot, host).await?;
    if version == have_version {
        return Ok(None);
    }
    let settings = settings::of_host(&snapshot, host).await?;
    let conditions = rules_agents::of_host(&snapshot, host).await?;
    Ok(Some(CentralConfiguration { version, settings, conditions }))
}
