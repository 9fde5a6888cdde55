//! Hosts as lists and their own page show them.

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use muster_schemas::telemetry::Sample;
use serde::Serialize;
use tokio_postgres::Row;
use tracing::warn;
use utoipa::ToSchema;

use super::connection;

/// All that is known of a host; a presence that nobody has recorded yet is `unknown`.
const HOSTS: &str = "
    SELECT hosts.id,
           coalesce(presence.status, 'unknown'),
           (extract(epoch FROM coalesce(presence.status_since, hosts.first_seen_at)) * 1000)::bigint,
           (extract(epoch FROM hosts.first_seen_at) * 1000)::bigint,
           (extract(epoch FROM greatest(
               presence.heartbeat_at, latest.received_at, hosts.first_seen_at
           )) * 1000)::bigint,
           hosts.agent_version,
           hosts.labels::text,
           latest.sample::text,
           hosts.location, hosts.os, hosts.kernel, hosts.architecture, hosts.cpu_model,
           hosts.cores_physical, hosts.cores_logical
    FROM hosts
    LEFT JOIN host_presence AS presence ON presence.host_id = hosts.id
    LEFT JOIN host_latest AS latest ON latest.host_id = hosts.id";

pub(crate) struct HostRow {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) status_since: i64,
    pub(crate) first_seen_at: i64,
    pub(crate) last_seen_at: i64,
    pub(crate) agent_version: Option<String>,
    pub(crate) labels: serde_json::Value,
    pub(crate) sample: Option<Sample>,
    pub(crate) system: System,
}

/// What a host says it is; all absent until its first inventory.
#[derive(Serialize, ToSchema)]
pub(crate) struct System {
    pub(crate) location: Option<String>,
    pub(crate) os: Option<String>,
    pub(crate) kernel: Option<String>,
    pub(crate) architecture: Option<String>,
    pub(crate) cpu_model: Option<String>,
    pub(crate) cores_physical: Option<i64>,
    pub(crate) cores_logical: Option<i64>,
}

pub(crate) struct HostFilter<'a> {
    /// Hosts after this id.
    pub(crate) after: Option<&'a str>,
    /// A part of the id.
    pub(crate) part: Option<&'a str>,
    pub(crate) status: Option<&'a str>,
    pub(crate) limit: i64,
}

pub(crate) async fn hosts(pool: &Pool, filter: &HostFilter<'_>) -> Result<Vec<HostRow>> {
    let sql = format!(
        "{HOSTS}
        WHERE ($1::text IS NULL OR hosts.id > $1)
          AND ($2::text IS NULL OR position($2 IN hosts.id) > 0)
          AND ($3::text IS NULL OR coalesce(presence.status, 'unknown') = $3)
        ORDER BY hosts.id
        LIMIT $4"
    );
    let HostFilter { after, part, status, limit } = filter;
    let client = connection(pool).await?;
    let statement = client.prepare_cached(&sql).await?;
    let rows = client
        .query(&statement, &[after, part, status, limit])
        .await
        .context("cannot read the hosts")?;
    Ok(rows.iter().map(read_host).collect())
}

pub(crate) async fn host(pool: &Pool, id: &str) -> Result<Option<HostRow>> {
    let sql = format!("{HOSTS} WHERE hosts.id = $1");
    let client = connection(pool).await?;
    let statement = client.prepare_cached(&sql).await?;
    let row = client.query_opt(&statement, &[&id]).await.context("cannot read a host")?;
    Ok(row.as_ref().map(read_host))
}

pub(crate) async fn is_known(pool: &Pool, id: &str) -> Result<bool> {
    let client = connection(pool).await?;
    let sql = "SELECT EXISTS (SELECT FROM hosts WHERE id = $1)";
    let statement = client.prepare_cached(sql).await?;
    Ok(client.query_one(&statement, &[&id]).await.context("cannot look for a host")?.get(0))
}

fn read_host(row: &Row) -> HostRow {
    let id: String = row.get(0);
    let labels = serde_json::from_str(row.get(6)).unwrap_or_default();
    let sample = row.get::<_, Option<&str>>(7).and_then(|text| read_sample(&id, text));
    HostRow {
        status: row.get(1),
        status_since: row.get(2),
        first_seen_at: row.get(3),
        last_seen_at: row.get(4),
        agent_version: row.get(5),
        labels,
        sample,
        system: read_system(row),
        id,
    }
}

fn read_system(row: &Row) -> System {
    System {
        location: row.get(8),
        os: row.get(9),
        kernel: row.get(10),
        architecture: row.get(11),
        cpu_model: row.get(12),
        cores_physical: row.get(13),
        cores_logical: row.get(14),
    }
}

/// A sample of a newer version than this binary knows is no reason to hide the host.
fn read_sample(host: &str, text: &str) -> Option<Sample> {
    serde_json::from_str(text)
        .inspect_err(|error| warn!(host.id = host, %error, "the newest sample cannot be read"))
        .ok()
}
