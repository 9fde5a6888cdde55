//! What is to be told, of which the dead ones can be tried again or thrown away, and tests of
//! channels. Alert workers send; whoever is at work finds what is put here within a second or two.

use anyhow::{Context, Result};
use deadpool_postgres::{Pool, Transaction};
use muster_alerts::channel::{Notice, NoticeKind};
use serde::Serialize;
use serde_json::json;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use utoipa::ToSchema;

use super::connection;
use super::ticket_deeds::remember;
use super::written::{Unwritten, Written, wake_alerting};

const NOTIFICATION: &str = "notification";

const SWITCHED_OFF: &str = "the channel is switched off: nothing is sent there";

const DELETED: &str = "the channel was deleted: nothing is sent there";

/// What a notification is read as; see [`read_notification`].
const NOTIFICATIONS: &str = "
    SELECT told.id, told.channel_id, channels.name, told.kind, told.state, told.attempts,
           (extract(epoch FROM told.created_at) * 1000)::bigint,
           (extract(epoch FROM told.sent_at) * 1000)::bigint,
           CASE WHEN told.state = 'pending' THEN
               (extract(epoch FROM told.next_attempt_at) * 1000)::bigint
           END,
           told.error, told.alert_ids,
           coalesce(told.payload -> 'tickets' -> 0 ->> 'title', '')
    FROM notifications AS told
    JOIN channels ON channels.id = told.channel_id";

#[derive(Serialize, ToSchema)]
pub(crate) struct Notification {
    pub(crate) id: i64,
    channel_id: i64,
    channel: String,
    /// `opened`, `escalated`, `resolved` or `test`.
    kind: String,
    /// `pending`, `sent` or `dead`.
    state: String,
    attempts: i32,
    created_at: i64,
    sent_at: Option<i64>,
    next_attempt_at: Option<i64>,
    /// Of the last attempt.
    error: Option<String>,
    /// The tickets it tells of.
    alert_ids: Vec<i64>,
    /// Of the most urgent of them.
    title: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Retry,
    Discard,
}

/// Newest first, those before the given number.
pub(crate) async fn notifications(
    pool: &Pool,
    state: Option<&str>,
    channel: Option<i64>,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Notification>> {
    let sql = format!(
        "{NOTIFICATIONS}
         WHERE ($1::text IS NULL OR told.state = $1)
           AND ($2::bigint IS NULL OR told.channel_id = $2)
           AND ($3::bigint IS NULL OR told.id < $3)
         ORDER BY told.id DESC
         LIMIT $4"
    );
    let client = connection(pool).await?;
    let rows = client.query(&sql, &[&state, &channel, &before, &limit]).await;
    Ok(rows.context("cannot read the notifications")?.iter().map(read_notification).collect())
}

pub(crate) async fn one(pool: &Pool, id: i64) -> Result<Option<Notification>> {
    let client = connection(pool).await?;
    let statement = client.prepare_cached(&format!("{NOTIFICATIONS} WHERE told.id = $1")).await?;
    let row = client.query_opt(&statement, &[&id]).await.context("cannot read a notification")?;
    Ok(row.as_ref().map(read_notification))
}

fn read_notification(row: &Row) -> Notification {
    Notification {
        id: row.get(0),
        channel_id: row.get(1),
        channel: row.get(2),
        kind: row.get(3),
        state: row.get(4),
        attempts: row.get(5),
        created_at: row.get(6),
        sent_at: row.get(7),
        next_attempt_at: row.get(8),
        error: row.get(9),
        alert_ids: row.get(10),
        title: row.get(11),
    }
}

/// Puts a test of a channel where notifications wait; one at a time.
pub(crate) async fn test(pool: &Pool, channel: i64, now: i64) -> Written<i64> {
    let mut client = connection(pool).await?;
    let transaction = client.transaction().await?;
    let sql = "
        SELECT name, enabled FROM channels WHERE id = $1 AND deleted_at IS NULL
        FOR NO KEY UPDATE";
    let row = transaction.query_opt(sql, &[&channel]).await.context("cannot read a channel")?;
    let Some(row) = row else { return Ok(Err(Unwritten::NotThere("channel"))) };
    if !row.get::<_, bool>(1) {
        return Ok(Err(Unwritten::Conflict(SWITCHED_OFF.to_owned())));
    }
    let sql = "
        SELECT FROM notifications WHERE channel_id = $1 AND state = 'pending' AND kind = $2
        LIMIT 1";
    let kind = NoticeKind::Test.as_str();
    let waiting = transaction.query_opt(sql, &[&channel, &kind]).await;
    if waiting.context("cannot look for a test")?.is_some() {
        let reason = "a test of this channel is on its way already".to_owned();
        return Ok(Err(Unwritten::Conflict(reason)));
    }
    let key = format!("test/{channel}/{now}");
    let notice = Notice::test(&key, now, row.get(0));
    let sql = "
        INSERT INTO notifications (key, channel_id, alert_ids, kind, payload)
        VALUES ($1, $2, '{}', $3, $4)
        RETURNING id";
    let put = transaction.query_one(sql, &[&key, &channel, &kind, &Json(&notice)]).await;
    let id = put.context("cannot put a test to the notifications")?.get(0);
    wake_alerting(&transaction).await?;
    transaction.commit().await.context("cannot put a test to the notifications")?;
    Ok(Ok(id))
}

/// Only what is dead: the rest is on its way or was sent. Its tickets remember who did it.
pub(crate) async fn handle(pool: &Pool, id: i64, deed: Deed, by: &str) -> Written<()> {
    let mut client = connection(pool).await?;
    let transaction = client.transaction().await?;
    let sql = "
        SELECT state, alert_ids, channels.name, channels.enabled,
               channels.deleted_at IS NOT NULL
        FROM notifications AS told
        JOIN channels ON channels.id = told.channel_id
        WHERE told.id = $1
        FOR UPDATE OF told FOR SHARE OF channels";
    let row = transaction.query_opt(sql, &[&id]).await.context("cannot read a notification")?;
    let Some(row) = row else { return Ok(Err(Unwritten::NotThere(NOTIFICATION))) };
    let state: &str = row.get(0);
    if state != "dead" {
        let reason = format!("notification {id} is {state}, not dead");
        return Ok(Err(Unwritten::Conflict(reason)));
    }
    if deed == Deed::Retry && !row.get::<_, bool>(3) {
        let reason = if row.get(4) { DELETED } else { SWITCHED_OFF };
        return Ok(Err(Unwritten::Conflict(reason.to_owned())));
    }
    carry_out(&transaction, id, deed).await?;
    let (tickets, channel): (Vec<i64>, &str) = (row.get(1), row.get(2));
    let kind = match deed {
        Deed::Retry => "notification_retried",
        Deed::Discard => "notification_discarded",
    };
    for ticket in tickets {
        remember(&transaction, ticket, kind, by, &json!({ "channel": channel })).await?;
    }
    wake_alerting(&transaction).await?;
    transaction.commit().await.context("cannot write what was done to a notification")?;
    Ok(Ok(()))
}

async fn carry_out(transaction: &Transaction<'_>, id: i64, deed: Deed) -> Result<()> {
    let sql = match deed {
        // Its day begins anew: what is older is given up at once.
        Deed::Retry => {
            "UPDATE notifications
             SET state = 'pending', attempts = 0, next_attempt_at = now(), created_at = now(),
                 claimed_by = NULL, claimed_until = NULL
             WHERE id = $1"
        }
        Deed::Discard => "DELETE FROM notifications WHERE id = $1",
    };
    transaction.execute(sql, &[&id]).await.context("cannot change a notification")?;
    Ok(())
}
