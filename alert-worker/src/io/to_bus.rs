//! Events leave through the `events` table: what was committed is published, if need be by
//! another worker, and the broker drops what it has already.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use async_nats::jetstream::Context;
use deadpool_postgres::{Pool, Transaction};
use muster_nats::publish::{PublishError, publish};
use muster_nats::{headers, subjects};
use muster_schemas::codec;
use muster_schemas::envelope::ENVELOPE_VERSION;
use muster_schemas::events::Event;
use tracing::error;

/// Events that share a transaction. It stays open while they are published, so not too many.
const OUTBOX_ROWS_MAX: i64 = 100;

/// No event is begun after this: the server ends a transaction that idles for a minute, and what a
/// slow broker has taken by then would not be marked and be published again, for ever.
const PUBLISH_MAX: Duration = Duration::from_secs(20);

struct OutboxRow {
    id: i64,
    event: serde_json::Value,
}

/// Publishes what has not been published yet, in order; answers how much. Stops at the first
/// event the bus does not take. What a slow bus has taken is marked every 20 s.
pub(crate) async fn publish_events(pool: &Pool, bus: &Context) -> Result<usize> {
    let mut published = 0;
    loop {
        let mut client = pool.get().await.context("no connection to the database")?;
        let transaction = client.transaction().await?;
        let rows = unpublished(&transaction).await?;
        let (done, failure) = publish_rows(bus, &rows).await;
        mark_published(&transaction, &done).await?;
        transaction.commit().await.context("cannot commit what was published")?;
        published += done.len();
        if let Some(failure) = failure {
            return Err(failure).context("cannot publish an event");
        }
        if done.len() == rows.len() && rows.len() < OUTBOX_ROWS_MAX as usize {
            return Ok(published);
        }
    }
}

async fn unpublished(transaction: &Transaction<'_>) -> Result<Vec<OutboxRow>> {
    let sql = "
        SELECT id,
               jsonb_build_object(
                   'v', $2::int, 'host', host_id, 'kind', kind, 'detail', detail,
                   'at', (extract(epoch FROM at) * 1000)::bigint
               )::text
        FROM events
        WHERE published_at IS NULL
        ORDER BY id
        LIMIT $1
        FOR UPDATE SKIP LOCKED";
    let version = ENVELOPE_VERSION as i32;
    let rows = transaction
        .query(sql, &[&OUTBOX_ROWS_MAX, &version])
        .await
        .context("cannot read the events that wait")?;
    rows.iter()
        .map(|row| {
            let event = serde_json::from_str(row.get(1)).context("the database wrote bad JSON")?;
            Ok(OutboxRow { id: row.get(0), event })
        })
        .collect()
}

async fn publish_rows(bus: &Context, rows: &[OutboxRow]) -> (Vec<i64>, Option<PublishError>) {
    let begun = Instant::now();
    let mut done = Vec::with_capacity(rows.len());
    for row in rows {
        if begun.elapsed() > PUBLISH_MAX {
            break;
        }
        match publish_row(bus, row).await {
            Ok(()) => done.push(row.id),
            Err(failure) => return (done, Some(failure)),
        }
    }
    (done, None)
}

async fn publish_row(bus: &Context, row: &OutboxRow) -> Result<(), PublishError> {
    let event: Event = match serde_json::from_value(row.event.clone()) {
        Ok(event) => event,
        Err(reason) => {
            // Nobody could read it; left in the way it would hold up all that come after.
            error!(event.id = row.id, %reason, "an event in the database is not one of ours");
            return Ok(());
        }
    };
    let subject = subjects::event(&event.host, event.kind.as_str());
    let headers = headers::durable(&format!("event/{}", row.id));
    publish(bus, subject, headers, codec::encode(&event).into()).await
}

async fn mark_published(transaction: &Transaction<'_>, ids: &[i64]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let sql = "UPDATE events SET published_at = now() WHERE id = ANY($1)";
    transaction.execute(sql, &[&ids]).await.context("cannot mark what was published")?;
    Ok(())
}
