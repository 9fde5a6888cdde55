//! Inventory: the newest of each kind, what it was before, and what lists show of a host.
//!
//! One message at a time: hosts send one at their start and on a change, and each may be compared
//! with the one before it in the same batch.

use std::time::SystemTime;

use muster_runtime::time::system_time;
use muster_schemas::Envelope;
use muster_schemas::inventory::{Inventory, InventoryItem, SystemInfo};
use serde_json::Value;
use tokio_postgres::types::Json;
use tokio_postgres::{Error, Transaction};

use super::Write;

impl Write for Inventory {
    fn times(&self) -> Vec<i64> {
        Vec::new()
    }

    async fn write(transaction: &Transaction<'_>, batch: &[&Envelope<Self>]) -> Result<u64, Error> {
        let mut ordered = batch.to_vec();
        // Two workers lock the same rows in the same order.
        ordered.sort_by_key(|message| {
            (&message.host, kind_name(&message.body.item), message.body.at, message.seq)
        });
        let mut rows = 0;
        for message in ordered {
            rows += record(transaction, message).await?;
        }
        Ok(rows)
    }
}

async fn record(
    transaction: &Transaction<'_>,
    message: &Envelope<Inventory>,
) -> Result<u64, Error> {
    let (host, kind) = (message.host.as_str(), kind_name(&message.body.item));
    let (at, detail) = (system_time(message.body.at), detail(&message.body.item));
    let sql = "
        INSERT INTO host_inventory (host_id, kind, at, detail) VALUES ($1, $2, $3, $4)
        ON CONFLICT (host_id, kind) DO UPDATE
        SET at = excluded.at, detail = excluded.detail, received_at = now()
        WHERE host_inventory.at <= excluded.at";
    let newest = transaction.execute(sql, &[&host, &kind, &at, &detail]).await?;
    let sql = "
        INSERT INTO host_inventory_history (host_id, kind, at, detail)
        SELECT $1, $2, $3, $4
        WHERE $4 IS DISTINCT FROM (
            SELECT detail FROM host_inventory_history
            WHERE host_id = $1 AND kind = $2 AND at <= $3
            ORDER BY at DESC, id DESC
            LIMIT 1
        )";
    let changed = transaction.execute(sql, &[&host, &kind, &at, &detail]).await?;
    if newest == 0 && changed == 1 {
        mend_history(transaction, host, kind, at).await?;
    }
    if let (1, InventoryItem::System(system)) = (newest, &message.body.item) {
        update_host(transaction, host, system).await?;
    }
    Ok(newest + changed)
}

/// One that came late stands between others now. What follows it may say the same as it, and needs
/// no row; and the newest may have had none because nothing had come in between.
async fn mend_history(
    transaction: &Transaction<'_>,
    host: &str,
    kind: &str,
    at: SystemTime,
) -> Result<(), Error> {
    let sql = "
        WITH around AS (
            SELECT id, detail = lag(detail) OVER (ORDER BY at, id) AS is_same
            FROM host_inventory_history WHERE host_id = $1 AND kind = $2 AND at >= $3
        )
        DELETE FROM host_inventory_history AS h USING around
        WHERE h.id = around.id AND around.is_same";
    transaction.execute(sql, &[&host, &kind, &at]).await?;
    let sql = "
        INSERT INTO host_inventory_history (host_id, kind, at, detail)
        SELECT host_id, kind, at, detail FROM host_inventory AS newest
        WHERE host_id = $1 AND kind = $2 AND detail IS DISTINCT FROM (
            SELECT detail FROM host_inventory_history AS h
            WHERE h.host_id = $1 AND h.kind = $2 AND h.at <= newest.at
            ORDER BY h.at DESC, h.id DESC
            LIMIT 1
        )";
    transaction.execute(sql, &[&host, &kind]).await?;
    Ok(())
}

async fn update_host(
    transaction: &Transaction<'_>,
    host: &str,
    system: &SystemInfo,
) -> Result<(), Error> {
    let sql = "
        UPDATE hosts
        SET labels = $2, location = $3, os = $4, kernel = $5, architecture = $6, cpu_model = $7,
            cores_physical = $8, cores_logical = $9
        WHERE id = $1";
    let location = Some(&system.location).filter(|location| !location.is_empty());
    transaction
        .execute(
            sql,
            &[
                &host,
                &Json(&system.labels),
                &location,
                &system.os,
                &system.kernel,
                &system.architecture,
                &system.cpu_model,
                &system.cores_physical,
                &system.cores_logical,
            ],
        )
        .await?;
    Ok(())
}

/// As in the subject.
fn kind_name(item: &InventoryItem) -> &'static str {
    match item {
        InventoryItem::System(_) => "system",
        InventoryItem::Configuration(_) => "configuration",
    }
}

fn detail(item: &InventoryItem) -> Json<Value> {
    let detail = match item {
        InventoryItem::System(system) => serde_json::to_value(system),
        InventoryItem::Configuration(applied) => serde_json::to_value(applied),
    };
    Json(detail.expect("an inventory is plain data"))
}
