//! Inventory: the newest of each kind, what it was before, and what lists show of a host.
//!
//! One message at a time: hosts send one at their start and on a change, and each may be compared
//! with the one before it in the same batch.

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
            let order = (message.body.at, message.epoch, message.seq);
            (&message.host, kind_name(&message.body.item), order)
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
    let (epoch, seq) = (&message.epoch, &message.seq);
    let sql = "
        INSERT INTO host_inventory (host_id, kind, at, epoch, seq, detail)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (host_id, kind) DO UPDATE
        SET at = excluded.at, epoch = excluded.epoch, seq = excluded.seq, detail = excluded.detail,
            received_at = now()
        WHERE (host_inventory.at, host_inventory.epoch, host_inventory.seq)
           <= (excluded.at, excluded.epoch, excluded.seq)";
    let newest = transaction.execute(sql, &[&host, &kind, &at, epoch, seq, &detail]).await?;
    let sql = "
        INSERT INTO host_inventory_history (host_id, kind, at, epoch, seq, detail)
        VALUES ($1, $2, $3, $4, $5, $6)";
    transaction.execute(sql, &[&host, &kind, &at, epoch, seq, &detail]).await?;
    thin_history(transaction, message).await?;
    if let (1, InventoryItem::System(system)) = (newest, &message.body.item) {
        update_host(transaction, host, system).await?;
    }
    Ok(newest + 1)
}

/// Of those around a new one, what says the same as its neighbours on both sides goes. The first
/// and the last of the same stay: what comes late may stand between them.
async fn thin_history(
    transaction: &Transaction<'_>,
    message: &Envelope<Inventory>,
) -> Result<(), Error> {
    let sql = "
        WITH around AS (
            (SELECT id, at, epoch, seq, detail FROM host_inventory_history
             WHERE host_id = $1 AND kind = $2 AND (at, epoch, seq) <= ($3, $4, $5)
             ORDER BY at DESC, epoch DESC, seq DESC LIMIT 3)
            UNION ALL
            (SELECT id, at, epoch, seq, detail FROM host_inventory_history
             WHERE host_id = $1 AND kind = $2 AND (at, epoch, seq) > ($3, $4, $5)
             ORDER BY at, epoch, seq LIMIT 2)
        ), compared AS (
            SELECT id, detail = lag(detail) OVER said AND detail = lead(detail) OVER said AS is_inner
            FROM around
            WINDOW said AS (ORDER BY at, epoch, seq)
        )
        DELETE FROM host_inventory_history AS h USING compared
        WHERE h.id = compared.id AND compared.is_inner";
    let (host, kind) = (message.host.as_str(), kind_name(&message.body.item));
    let at = system_time(message.body.at);
    transaction.execute(sql, &[&host, &kind, &at, &message.epoch, &message.seq]).await?;
    Ok(())
}

async fn update_host(
    transaction: &Transaction<'_>,
    host: &str,
    system: &SystemInfo,
) -> Result<(), Error> {
    // Rules choose hosts by their labels: a gateway tells the agent what it has to judge by now.
    let sql = "
        UPDATE hosts
        SET labels_version = CASE WHEN labels = $2 THEN labels_version ELSE -1 END,
            labels = $2, location = $3, os = $4, kernel = $5, architecture = $6, cpu_model = $7,
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
