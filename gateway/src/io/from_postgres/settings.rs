//! What operators want of agents: the fleet's settings and those of single hosts.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use deadpool_postgres::{Pool, Transaction};
use muster_schemas::configuration::Settings;
use muster_schemas::{Channel, HostId};
use tokio_postgres::Row;
use tokio_postgres::types::Json;

use super::connection;
use crate::logic::settings::{BadSettings, Scope, check};

/// What the table calls the fleet; no host id can be it.
const FLEET: &str = "*";

#[derive(Default)]
pub(crate) struct StoredSettings {
    pub(crate) settings: Settings,
    /// 0 where nobody has set anything yet.
    pub(crate) version: i64,
    pub(crate) updated_at: Option<i64>,
    pub(crate) updated_by: Option<String>,
}

fn key(scope: &Scope) -> &str {
    match scope {
        Scope::Fleet => FLEET,
        Scope::Host(host) => host.as_str(),
    }
}

fn read_row(row: &Row) -> StoredSettings {
    StoredSettings {
        settings: row.get::<_, Json<Settings>>(0).0,
        version: row.get(1),
        updated_at: row.get(2),
        updated_by: row.get(3),
    }
}

pub(crate) async fn read(pool: &Pool, scope: &Scope) -> Result<StoredSettings> {
    let sql = "
        SELECT settings, version, (extract(epoch FROM updated_at) * 1000)::bigint, updated_by
        FROM agent_settings WHERE scope = $1";
    let client = connection(pool).await?;
    let statement = client.prepare_cached(sql).await?;
    let row = client.query_opt(&statement, &[&key(scope)]).await.context("cannot read settings")?;
    Ok(row.as_ref().map(read_row).unwrap_or_default())
}

/// Of what concerns a host, whichever changed last: its settings, the fleet's, the rules or its
/// labels, which all draw from the same numbers; 0 where none ever did.
pub(crate) async fn version_of_host(snapshot: &Transaction<'_>, host: &HostId) -> Result<i64> {
    let sql = "
        SELECT greatest(
            0,
            (SELECT max(version) FROM agent_settings WHERE scope IN ($1, $2)),
            (SELECT version FROM rule_changes),
            (SELECT labels_version FROM hosts WHERE id = $2)
        )";
    let statement = snapshot.prepare_cached(sql).await?;
    let row = snapshot
        .query_one(&statement, &[&FLEET, &host.as_str()])
        .await
        .context("cannot read how new the settings of a host are")?;
    Ok(row.get(0))
}

/// What is set for a host, wide and narrow together.
pub(crate) async fn of_host(snapshot: &Transaction<'_>, host: &HostId) -> Result<Settings> {
    let sql = "
        SELECT settings FROM agent_settings
        WHERE scope IN ($1, $2)
        ORDER BY scope <> $1";
    let statement = snapshot.prepare_cached(sql).await?;
    let rows = snapshot
        .query(&statement, &[&FLEET, &host.as_str()])
        .await
        .context("cannot read the settings of a host")?;
    Ok(rows.iter().fold(Settings::default(), |wide, row| {
        let narrow: Json<Settings> = row.get(0);
        wide.merged(&narrow.0)
    }))
}

/// The highest sequence number of an agent's epoch that is stored or dead, by channel.
pub(crate) async fn highest(
    pool: &Pool,
    host: &HostId,
    epoch: i64,
) -> Result<BTreeMap<Channel, i64>> {
    let sql = "
        SELECT channel, greatest(coalesce(upper(received), 1), coalesce(upper(dead), 1)) - 1
        FROM ledger WHERE host_id = $1 AND epoch = $2";
    let client = connection(pool).await?;
    let statement = client.prepare_cached(sql).await?;
    let rows = client
        .query(&statement, &[&host.as_str(), &epoch])
        .await
        .context("cannot read what is stored of an agent")?;
    let entry = |row: &Row| Some((row.get::<_, &str>(0).parse().ok()?, row.get(1)));
    Ok(rows.iter().filter_map(entry).collect())
}

/// Replaces what is set for the fleet or for a host, unless a host could not use the whole.
pub(crate) async fn replace(
    pool: &Pool,
    scope: &Scope,
    settings: &Settings,
    by: &str,
) -> Result<Result<StoredSettings, BadSettings>> {
    let mut client = connection(pool).await?;
    let transaction = client.transaction().await?;
    // Versions grow in the order of commits, and nothing changes between check and write.
    let lock = "LOCK TABLE agent_settings IN SHARE ROW EXCLUSIVE MODE";
    transaction.batch_execute(lock).await.context("cannot lock the settings")?;
    let others = others(&transaction, scope).await?;
    if let Err(bad) = check(scope, settings, &others) {
        return Ok(Err(bad));
    }
    let sql = "
        INSERT INTO agent_settings (scope, settings, version, updated_by)
        VALUES ($1, $2, nextval('agent_settings_version'), $3)
        ON CONFLICT (scope) DO UPDATE
        SET settings = excluded.settings, version = excluded.version, updated_at = now(),
            updated_by = excluded.updated_by
        RETURNING settings, version, (extract(epoch FROM updated_at) * 1000)::bigint, updated_by";
    let row = transaction
        .query_one(sql, &[&key(scope), &Json(settings), &by])
        .await
        .context("cannot write settings")?;
    transaction.commit().await.context("cannot write settings")?;
    Ok(Ok(read_row(&row)))
}

/// What the new settings will be merged with: the fleet's for a host, all hosts' for the fleet.
async fn others(transaction: &Transaction<'_>, scope: &Scope) -> Result<Vec<(Scope, Settings)>> {
    let sql = match scope {
        Scope::Fleet => "SELECT scope, settings FROM agent_settings WHERE scope <> $1",
        Scope::Host(_) => "SELECT scope, settings FROM agent_settings WHERE scope = $1",
    };
    let rows = transaction.query(sql, &[&FLEET]).await.context("cannot read settings")?;
    let other = |row: &Row| {
        let name: &str = row.get(0);
        let scope = if name == FLEET { Scope::Fleet } else { Scope::Host(name.parse().ok()?) };
        Some((scope, row.get::<_, Json<Settings>>(1).0))
    };
    Ok(rows.iter().filter_map(other).collect())
}
