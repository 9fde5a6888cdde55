//! Pages become notifications: those of one cause are gathered in the database, whichever workers
//! decided about their hosts, and written as one for each channel.
//!
//! Whoever looks first gathers; a lock for each rule keeps two from telling half of it each. The
//! notifications and the end of the pages are one transaction, so none is told twice or never.

use anyhow::{Context, Result};
use deadpool_postgres::{Pool, Transaction};
use muster_alerts::Priority;
use muster_alerts::channel::{Notice, Ticket};
use muster_alerts::engine::{PageKind, PageRequest};
use muster_alerts::notification::{Gathered, Page, gather, gathered_at};
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use tracing::error;

/// Pages of one transaction. A notice lists a thousand hosts; of a storm that is larger than this,
/// the rest is told in a second one.
const PAGES_MAX: i64 = 10_000;

/// What one look has found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) notifications: u64,
    /// When the next cause is complete, in milliseconds from now.
    pub(crate) next_in_ms: Option<i64>,
}

/// Pages of the same rule and kind to the same channels.
struct Waiting {
    rule_id: i64,
    kind: PageKind,
    channels: Vec<i64>,
    due_in_ms: i64,
}

/// Gathers what is complete.
pub(crate) async fn gather_due(pool: &Pool) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for waiting in waiting(pool).await? {
        if waiting.due_in_ms <= 0 {
            outcome.notifications += gather_rule(pool, &waiting).await?;
        } else {
            let next = outcome.next_in_ms.unwrap_or(i64::MAX).min(waiting.due_in_ms);
            outcome.next_in_ms = Some(next);
        }
    }
    Ok(outcome)
}

async fn waiting(pool: &Pool) -> Result<Vec<Waiting>> {
    let sql = "
        SELECT rule_id, kind, channels,
               (extract(epoch FROM min(created_at)) * 1000)::bigint,
               (extract(epoch FROM max(created_at)) * 1000)::bigint,
               (extract(epoch FROM clock_timestamp()) * 1000)::bigint
        FROM pages
        GROUP BY rule_id, kind, channels
        ORDER BY min(created_at)";
    let client = pool.get().await.context("no connection to the database")?;
    let statement = client.prepare_cached(sql).await?;
    let rows = client.query(&statement, &[]).await.context("cannot read whom to page")?;
    let read = |row: &Row| {
        let due_at = gathered_at(row.get(3), row.get(4));
        Some(Waiting {
            rule_id: row.get(0),
            kind: serde_json::from_value(row.get::<_, &str>(1).into()).ok()?,
            channels: row.get(2),
            due_in_ms: due_at - row.get::<_, i64>(5),
        })
    };
    Ok(rows.iter().filter_map(read).collect())
}

/// What comes before the given kind goes along: "resolved" must not be told before "opened".
async fn gather_rule(pool: &Pool, waiting: &Waiting) -> Result<u64> {
    let mut client = pool.get().await.context("no connection to the database")?;
    let transaction = client.transaction().await?;
    let sql = "SELECT pg_try_advisory_xact_lock(hashtextextended('muster.pages', $1))";
    let row = transaction.query_one(sql, &[&waiting.rule_id]).await?;
    if !row.get::<_, bool>(0) {
        return Ok(0);
    }
    let mut notifications = 0;
    for kind in [PageKind::Opened, PageKind::Escalated, PageKind::Resolved] {
        if kind > waiting.kind {
            break;
        }
        let any_channels = kind < waiting.kind;
        let pages = take(&transaction, waiting, kind, any_channels).await?;
        for gathered in gather(pages) {
            notifications += notify(&transaction, gathered).await?;
        }
    }
    transaction.commit().await.context("cannot commit notifications")?;
    Ok(notifications)
}

async fn take(
    transaction: &Transaction<'_>,
    waiting: &Waiting,
    kind: PageKind,
    any_channels: bool,
) -> Result<Vec<Page>> {
    let sql = "
        WITH taken AS (
            DELETE FROM pages WHERE key IN (
                SELECT key FROM pages
                WHERE rule_id = $1 AND kind = $2 AND ($3 OR channels = $4)
                ORDER BY created_at, key LIMIT $5
            )
            RETURNING request, alert_key
        )
        SELECT taken.request, alerts.key, alerts.host_id, alerts.instance, alerts.title,
               alerts.description, alerts.recommendation, alerts.priority, alerts.metric,
               alerts.value, alerts.threshold,
               (extract(epoch FROM alerts.begun_at) * 1000)::bigint,
               (extract(epoch FROM alerts.resolved_at) * 1000)::bigint, alerts.thread
        FROM taken JOIN alerts ON alerts.key = taken.alert_key";
    let statement = transaction.prepare_cached(sql).await?;
    let (kind, channels) = (kind.as_str(), &waiting.channels);
    let rows = transaction
        .query(&statement, &[&waiting.rule_id, &kind, &any_channels, channels, &PAGES_MAX])
        .await
        .context("cannot take pages")?;
    Ok(rows.iter().filter_map(read_page).collect())
}

fn read_page(row: &Row) -> Option<Page> {
    let request = match row.try_get::<_, Json<PageRequest>>(0) {
        Ok(request) => request.0,
        Err(reason) => {
            error!("a page cannot be read and is told to nobody: {reason}");
            return None;
        }
    };
    let priority = row.get::<_, &str>(7);
    let filled = |text: String| Some(text).filter(|text| !text.is_empty());
    let ticket = Ticket {
        key: row.get(1),
        host: row.get(2),
        instance: filled(row.get(3)),
        title: row.get(4),
        description: row.get(5),
        recommendation: row.get(6),
        priority: serde_json::from_value(priority.into()).unwrap_or(Priority::Critical),
        metric: filled(row.get(8)),
        value: row.get(9),
        threshold: row.get(10),
        begun_at: row.get(11),
        resolved_at: row.get(12),
        url: None,
    };
    Some(Page { request, ticket, thread: row.get(13) })
}

/// Writes a notice for each of its channels; answers how many there are.
async fn notify(transaction: &Transaction<'_>, gathered: Gathered) -> Result<u64> {
    let Gathered { channels, mut notice, tickets } = gathered;
    let sql = "UPDATE alerts SET thread = $2 WHERE key = ANY($1) AND thread IS NULL";
    transaction.execute(sql, &[&tickets, &notice.thread]).await.context("cannot note a thread")?;
    let sql = "SELECT count(*) FROM alerts WHERE thread = $1 AND status <> 'resolved'";
    let row =
        transaction.query_one(sql, &[&notice.thread]).await.context("cannot count tickets")?;
    notice.open = row.get::<_, i64>(0).try_into().unwrap_or(u32::MAX);
    write(transaction, &channels, &notice, &tickets).await
}

async fn write(
    transaction: &Transaction<'_>,
    channels: &[i64],
    notice: &Notice,
    tickets: &[String],
) -> Result<u64> {
    let sql = "
        INSERT INTO notifications (key, channel_id, alert_ids, kind, payload)
        SELECT channels.id || '/' || $2, channels.id,
               ARRAY(SELECT id FROM alerts WHERE key = ANY($3) ORDER BY id), $4, $5
        FROM channels
        WHERE enabled AND (id = ANY($1) OR (cardinality($1) = 0 AND is_default))
        ORDER BY channels.id
        ON CONFLICT (key) DO NOTHING";
    let statement = transaction.prepare_cached(sql).await?;
    let kind = notice.kind.as_str();
    transaction
        .execute(&statement, &[&channels, &notice.key, &tickets, &kind, &Json(notice)])
        .await
        .context("cannot write a notification")
}
