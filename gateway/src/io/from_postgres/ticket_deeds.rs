//! What people do to tickets: status, history and word to the engine in one transaction.
//!
//! The owner of the ticket's partition holds its state. It is told by a command, which it takes out
//! when it has heeded it; so a gateway need not know who that is, and nothing is lost if nobody is
//! at work.

use anyhow::{Context, Result};
use deadpool_postgres::{Pool, Transaction};
use serde_json::{Value, json};
use tokio_postgres::types::Json;

use super::connection;
use super::written::{Unwritten, Written, wake_alerting};

const TICKET: &str = "ticket";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Acknowledge,
    Unacknowledge,
    Resolve,
}

impl Deed {
    /// As history and commands call it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledged",
            Self::Unacknowledge => "unacknowledged",
            Self::Resolve => "resolved",
        }
    }

    /// Which status it leads to.
    fn status(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledged",
            Self::Unacknowledge => "open",
            Self::Resolve => "resolved",
        }
    }

    fn update(self) -> &'static str {
        match self {
            Self::Acknowledge => {
                "UPDATE alerts
                 SET status = 'acknowledged', acknowledged_at = now(), acknowledged_by = $2
                 WHERE id = $1"
            }
            Self::Unacknowledge => {
                "UPDATE alerts SET status = 'open', acknowledged_at = NULL, acknowledged_by = NULL
                 WHERE id = $1 AND $2::text IS NOT NULL"
            }
            Self::Resolve => {
                "UPDATE alerts SET status = 'resolved', resolved_at = now(), resolution = 'by_hand'
                 WHERE id = $1 AND $2::text IS NOT NULL"
            }
        }
    }
}

/// Doing again what was done changes nothing; what is resolved stays so.
pub(crate) async fn handle(
    pool: &Pool,
    id: i64,
    deed: Deed,
    by: &str,
    comment: Option<&str>,
) -> Written<()> {
    let mut client = connection(pool).await?;
    let transaction = client.transaction().await?;
    let done = handle_one(&transaction, id, deed, by, comment).await?;
    if done.is_ok() {
        wake_alerting(&transaction).await?;
        transaction.commit().await.context("cannot write what was done to a ticket")?;
    }
    Ok(done)
}

/// Those that can be, and why the others cannot. Each by itself: whoever holds two tickets at once
/// could wait for an alert worker that waits for it.
pub(crate) async fn acknowledge_all(
    pool: &Pool,
    ids: &[i64],
    by: &str,
) -> Result<(usize, Vec<(i64, Unwritten)>)> {
    let (mut done, mut refused) = (0, Vec::new());
    for id in ids {
        match handle(pool, *id, Deed::Acknowledge, by, None).await? {
            Ok(()) => done += 1,
            Err(unwritten) => refused.push((*id, unwritten)),
        }
    }
    Ok((done, refused))
}

async fn handle_one(
    transaction: &Transaction<'_>,
    id: i64,
    deed: Deed,
    by: &str,
    comment: Option<&str>,
) -> Written<()> {
    let sql = "SELECT status, key FROM alerts WHERE id = $1 FOR UPDATE";
    let statement = transaction.prepare_cached(sql).await?;
    let row = transaction.query_opt(&statement, &[&id]).await.context("cannot read a ticket")?;
    let Some(row) = row else { return Ok(Err(Unwritten::NotThere(TICKET))) };
    let status: &str = row.get(0);
    if status == deed.status() {
        // What somebody wrote with it is kept all the same.
        if let Some(text) = comment {
            remember(transaction, id, "commented", by, &json!({ "text": text })).await?;
        }
        return Ok(Ok(()));
    }
    if status == "resolved" {
        let reason = format!("ticket {id} is resolved: it cannot be {} any more", deed.as_str());
        return Ok(Err(Unwritten::Conflict(reason)));
    }
    let statement = transaction.prepare_cached(deed.update()).await?;
    transaction.execute(&statement, &[&id, &by]).await.context("cannot write a ticket")?;
    let detail = comment.map_or_else(|| json!({}), |text| json!({ "comment": text }));
    remember(transaction, id, deed.as_str(), by, &detail).await?;
    let sql = "INSERT INTO alert_commands (alert_key, kind, by) VALUES ($1, $2, $3)";
    let statement = transaction.prepare_cached(sql).await?;
    let key: &str = row.get(1);
    let told = transaction.execute(&statement, &[&key, &deed.as_str(), &by]).await;
    told.context("cannot tell what was done to a ticket")?;
    Ok(Ok(()))
}

pub(crate) async fn comment(pool: &Pool, id: i64, by: &str, text: &str) -> Written<()> {
    let mut client = connection(pool).await?;
    let transaction = client.transaction().await?;
    let sql = "SELECT FROM alerts WHERE id = $1 FOR KEY SHARE";
    if transaction.query_opt(sql, &[&id]).await.context("cannot read a ticket")?.is_none() {
        return Ok(Err(Unwritten::NotThere(TICKET)));
    }
    remember(&transaction, id, "commented", by, &json!({ "text": text })).await?;
    transaction.commit().await.context("cannot write a comment")?;
    Ok(Ok(()))
}

pub(super) async fn remember(
    transaction: &Transaction<'_>,
    id: i64,
    kind: &str,
    by: &str,
    detail: &Value,
) -> Result<()> {
    let sql = "
        INSERT INTO alert_history (alert_id, at, kind, by, detail)
        SELECT id, now(), $2, $3, $4 FROM alerts WHERE id = $1";
    let statement = transaction.prepare_cached(sql).await?;
    let written = transaction.execute(&statement, &[&id, &kind, &by, &Json(detail)]).await;
    written.context("cannot write what happened to a ticket")?;
    Ok(())
}
