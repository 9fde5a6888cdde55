//! What hosts said they are, what ran on them lately, and how their agents fare.

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use muster_schemas::HostId;
use muster_schemas::telemetry::{Process, SmartDisk};
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Json;

use super::connection;

/// Earlier inventories that are shown: a host that changes daily has half a year of them.
const HISTORY_MAX: i64 = 200;

pub(crate) struct InventoryRow {
    pub(crate) kind: String,
    pub(crate) at: i64,
    pub(crate) detail: Value,
}

/// The newest of each kind, or of one.
pub(crate) async fn newest(
    pool: &Pool,
    host: &str,
    kind: Option<&str>,
) -> Result<Vec<InventoryRow>> {
    let sql = "
        SELECT kind, (extract(epoch FROM at) * 1000)::bigint, detail
        FROM host_inventory
        WHERE host_id = $1 AND ($2::text IS NULL OR kind = $2)
        ORDER BY kind";
    read(pool, sql, host, kind).await
}

/// All that differed from what was before, newest first.
pub(crate) async fn history(
    pool: &Pool,
    host: &str,
    kind: Option<&str>,
) -> Result<Vec<InventoryRow>> {
    let sql = format!(
        "SELECT kind, (extract(epoch FROM at) * 1000)::bigint, detail
         FROM (
             SELECT *, detail IS DISTINCT FROM lag(detail) OVER (
                 PARTITION BY kind ORDER BY at, epoch, seq
             ) AS is_change
             FROM host_inventory_history
             WHERE host_id = $1 AND ($2::text IS NULL OR kind = $2)
         ) AS said
         WHERE is_change
         ORDER BY at DESC, epoch DESC, seq DESC
         LIMIT {HISTORY_MAX}"
    );
    read(pool, &sql, host, kind).await
}

async fn read(pool: &Pool, sql: &str, host: &str, kind: Option<&str>) -> Result<Vec<InventoryRow>> {
    let client = connection(pool).await?;
    let statement = client.prepare_cached(sql).await?;
    let rows =
        client.query(&statement, &[&host, &kind]).await.context("cannot read an inventory")?;
    let row = |row: &Row| InventoryRow {
        kind: row.get(0),
        at: row.get(1),
        detail: row.get::<_, Json<Value>>(2).0,
    };
    Ok(rows.iter().map(row).collect())
}

/// The largest processes of the newest frame that listed any, and when that was.
pub(crate) async fn processes(pool: &Pool, host: &str) -> Result<Option<(i64, Vec<Process>)>> {
    let sql = "
        SELECT (extract(epoch FROM ts) * 1000)::bigint, pid, name, cpu_percent, memory_bytes,
               coalesce(command, ''), coalesce(user_name, ''), coalesce(read_bytes_per_s, 0),
               coalesce(write_bytes_per_s, 0)
        FROM process_samples
        WHERE host_id = $1
          AND ts = (SELECT max(ts) FROM process_samples WHERE host_id = $1)
        ORDER BY cpu_percent DESC, memory_bytes DESC, pid";
    let client = connection(pool).await?;
    let statement = client.prepare_cached(sql).await?;
    let rows = client.query(&statement, &[&host]).await.context("cannot read processes")?;
    let process = |row: &Row| Process {
        pid: row.get(1),
        name: row.get(2),
        cpu_percent: row.get(3),
        memory_bytes: row.get(4),
        command: row.get(5),
        user: row.get(6),
        read_bytes_per_s: row.get(7),
        write_bytes_per_s: row.get(8),
    };
    Ok(rows.first().map(|first| (first.get(0), rows.iter().map(process).collect())))
}

/// What the disks said of themselves last: they are asked far less often than a host is sampled.
pub(crate) async fn smart_disks(pool: &Pool, host: &str) -> Result<Vec<SmartDisk>> {
    let sql = "
        SELECT device, model, serial, passed, celsius, power_on_hours, bad_sectors, wear_percent
        FROM smart_samples
        WHERE host_id = $1 AND ts = (SELECT max(ts) FROM smart_samples WHERE host_id = $1)
        ORDER BY device";
    let client = connection(pool).await?;
    let statement = client.prepare_cached(sql).await?;
    let rows = client.query(&statement, &[&host]).await.context("cannot read disks' health")?;
    let disk = |row: &Row| SmartDisk {
        device: row.get(0),
        model: row.get(1),
        serial: row.get(2),
        passed: row.get(3),
        celsius: row.get(4),
        power_on_hours: row.get(5),
        bad_sectors: row.get(6),
        wear_percent: row.get(7),
    };
    Ok(rows.iter().map(disk).collect())
}

/// The newest heartbeat, as it came, and when it was sent.
pub(crate) async fn heartbeat(pool: &Pool, host: &str) -> Result<Option<(i64, Value)>> {
    let sql = "
        SELECT (extract(epoch FROM sent_at) * 1000)::bigint, heartbeat
        FROM host_agent WHERE host_id = $1";
    let client = connection(pool).await?;
    let statement = client.prepare_cached(sql).await?;
    let row = client.query_opt(&statement, &[&host]).await.context("cannot read a heartbeat")?;
    Ok(row.map(|row| (row.get(0), row.get::<_, Json<Value>>(1).0)))
}

/// Who can be asked for something now.
pub(crate) async fn online_hosts(pool: &Pool) -> Result<Vec<HostId>> {
    let client = connection(pool).await?;
    let sql = "SELECT host_id FROM host_presence WHERE status = 'online' ORDER BY host_id";
    let rows = client.query(sql, &[]).await.context("cannot list the hosts that are online")?;
    Ok(rows.iter().filter_map(|row| row.get::<_, &str>(0).parse().ok()).collect())
}
