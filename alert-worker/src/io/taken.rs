//! Pages that are taken out of their table, with their tickets as they stay until the end of the
//! transaction. Called where pages are gathered.
//!
//! Tickets are locked before pages and in the order of their ids, so that nobody who locks them in
//! that order waits for us while we wait for them.

use std::collections::HashMap;

use anyhow::{Context, Result};
use deadpool_postgres::Transaction;
use muster_alerts::Priority;
use muster_alerts::channel::Ticket;
use muster_alerts::engine::PageRequest;
use muster_alerts::notification::Page;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use tracing::error;

use super::notices::Links;
use super::pages::{Cause, FREE};

/// Pages of one transaction. A notice lists a thousand hosts; of a storm that is larger than this,
/// the rest is told in a second one.
const PAGES_MAX: i64 = 10_000;

/// A page that is out of the table, and when it came.
pub(super) struct Taken {
    pub(super) page: Page,
    pub(super) came_at: i64,
}

/// Takes the oldest pages of a cause. One that has no ticket or cannot be read is gone for good.
pub(super) async fn take(
    transaction: &Transaction<'_>,
    cause: &Cause,
    links: &Links,
) -> Result<Vec<Taken>> {
    let sql = format!(
        "SELECT key, alert_key FROM ({FREE}) AS free
         WHERE rule_id = $1 AND kind = $2 AND channels = $3 AND is_late = $4
         ORDER BY created_at, key LIMIT $5"
    );
    let statement = transaction.prepare_cached(&sql).await?;
    let Cause { rule_id, kind, channels, is_late } = cause;
    let rows = transaction
        .query(&statement, &[rule_id, &kind.as_str(), channels, is_late, &PAGES_MAX])
        .await
        .context("cannot choose pages")?;
    let keys: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    let tickets: Vec<&str> = rows.iter().map(|row| row.get(1)).collect();
    let tickets = lock_tickets(transaction, &tickets, links).await?;
    let sql = "
        DELETE FROM pages WHERE key = ANY($1)
        RETURNING key, alert_key, request, (extract(epoch FROM created_at) * 1000)::bigint";
    let statement = transaction.prepare_cached(sql).await?;
    let rows = transaction.query(&statement, &[&keys]).await.context("cannot take pages")?;
    Ok(rows.iter().filter_map(|row| read_page(row, &tickets)).collect())
}

type Tickets = HashMap<String, (Ticket, Option<String>)>;

/// The tickets as they stay until the end of the transaction, each with its incident.
async fn lock_tickets(
    transaction: &Transaction<'_>,
    keys: &[&str],
    links: &Links,
) -> Result<Tickets> {
    let sql = "
        SELECT key, host_id, instance, title, description, recommendation, priority, metric, value,
               threshold, (extract(epoch FROM begun_at) * 1000)::bigint,
               (extract(epoch FROM resolved_at) * 1000)::bigint, id, thread
        FROM alerts WHERE key = ANY($1)
        ORDER BY id
        FOR NO KEY UPDATE";
    let statement = transaction.prepare_cached(sql).await?;
    let rows = transaction.query(&statement, &[&keys]).await.context("cannot lock tickets")?;
    Ok(rows.iter().map(|row| (row.get(0), (read_ticket(row, links), row.get(13)))).collect())
}

fn read_page(row: &Row, tickets: &Tickets) -> Option<Taken> {
    let (key, ticket): (&str, &str) = (row.get(0), row.get(1));
    let Some((ticket, thread)) = tickets.get(ticket) else {
        error!(page.key = key, ticket.key = ticket, "a page has no ticket and is told to nobody");
        return None;
    };
    let request = match row.try_get::<_, Json<PageRequest>>(2) {
        Ok(request) => request.0,
        Err(reason) => {
            error!(page.key = key, "a page cannot be read and is told to nobody: {reason}");
            return None;
        }
    };
    let page = Page { request, ticket: ticket.clone(), thread: thread.clone() };
    Some(Taken { page, came_at: row.get(3) })
}

fn read_ticket(row: &Row, links: &Links) -> Ticket {
    let priority = row.get::<_, &str>(6);
    let filled = |text: String| Some(text).filter(|text| !text.is_empty());
    Ticket {
        key: row.get(0),
        host: row.get(1),
        instance: filled(row.get(2)),
        title: row.get(3),
        description: row.get(4),
        recommendation: row.get(5),
        priority: serde_json::from_value(priority.into()).unwrap_or(Priority::Critical),
        metric: filled(row.get(7)),
        value: row.get(8),
        threshold: row.get(9),
        begun_at: row.get(10),
        resolved_at: row.get(11),
        url: links.ticket(row.get(12)),
    }
}
