//! A notice as rows: one for each of its channels, the thread in its tickets, and what became of it
//! where nobody is told. Called where pages are gathered, within that transaction.

use anyhow::{Context, Result};
use deadpool_postgres::Transaction;
use muster_alerts::channel::Notice;
use muster_alerts::engine::PageKind;
use muster_alerts::notification::Gathered;
use tokio_postgres::types::Json;

use super::pages::Cause;

/// Where the dashboard is, for those who read a notice.
#[derive(Debug, Clone, Default)]
pub(crate) struct Links {
    base: Option<String>,
}

impl Links {
    pub(crate) fn new(public_url: Option<&str>) -> Self {
        Self { base: public_url.map(|url| url.trim_end_matches('/').to_owned()) }
    }

    pub(crate) fn ticket(&self, id: i64) -> Option<String> {
        self.base.as_ref().map(|base| format!("{base}/alerts/{id}"))
    }

    fn all(&self) -> Option<String> {
        self.base.as_ref().map(|base| format!("{base}/alerts"))
    }
}

const NO_CHANNEL: &str = "no channel that is switched on";

/// Writes a notice for each of its channels; answers how many will be sent.
pub(crate) async fn write(
    transaction: &Transaction<'_>,
    gathered: Gathered,
    kind: PageKind,
    links: &Links,
) -> Result<u64> {
    let Gathered { channels, mut notice, tickets, .. } = gathered;
    let sql = "UPDATE alerts SET thread = $2 WHERE key = ANY($1) AND thread IS NULL";
    transaction.execute(sql, &[&tickets, &notice.thread]).await.context("cannot note a thread")?;
    let sql = "SELECT count(*) FROM alerts WHERE thread = $1 AND status <> 'resolved'";
    let row =
        transaction.query_one(sql, &[&notice.thread]).await.context("cannot count tickets")?;
    notice.open = row.get::<_, i64>(0).try_into().unwrap_or(u32::MAX);
    if notice.count > 1 {
        notice.url = links.all();
    }
    if notice.hosts.is_empty() {
        name_hosts_of_group(transaction, &mut notice, &tickets).await?;
    }
    let sent = insert(transaction, &channels, &notice, &tickets).await?;
    if sent == 0 && kind != PageKind::Resolved {
        let untold: Vec<_> = tickets.into_iter().map(|key| (key, NO_CHANNEL)).collect();
        tell_nobody(transaction, kind, &untold).await?;
    }
    Ok(sent)
}

/// A ticket of a group has no host of its own; which hosts it was about stands in the ticket.
async fn name_hosts_of_group(
    transaction: &Transaction<'_>,
    notice: &mut Notice,
    tickets: &[String],
) -> Result<()> {
    let sql = "
        SELECT context -> 'hosts', context -> 'hosts_count' FROM alerts
        WHERE key = ANY($1) AND host_id IS NULL AND jsonb_typeof(context -> 'hosts') = 'array'
        ORDER BY key LIMIT 1";
    let row = transaction.query_opt(sql, &[&tickets]).await.context("cannot read a group")?;
    let Some(row) = row else { return Ok(()) };
    let hosts: Vec<String> = serde_json::from_value(row.get(0)).unwrap_or_default();
    let count: Option<u32> = row
        .get::<_, Option<serde_json::Value>>(1)
        .and_then(|count| serde_json::from_value(count).ok());
    notice.host_count = count.unwrap_or(0).max(hosts.len() as u32);
    notice.hosts = hosts;
    Ok(())
}

/// A channel that is switched off gets its row too, as one that was given up: people see what they
/// were not told. One that was deleted since a ticket was opened gets none. One that was told of the
/// end of all these tickets already, because it belongs to two steps of an escalation, is not told
/// again.
const INSERT: &str = "
    INSERT INTO notifications (key, channel_id, alert_ids, kind, payload, state, error)
    SELECT channels.id || '/' || $2, channels.id, ticket.ids, $4, $5,
           CASE WHEN enabled THEN 'pending' ELSE 'dead' END,
           CASE WHEN NOT enabled THEN 'its channel is switched off' END
    FROM channels
    CROSS JOIN (SELECT ARRAY(SELECT id FROM alerts WHERE key = ANY($3) ORDER BY id)) AS ticket (ids)
    WHERE (id = ANY($1) OR (cardinality($1) = 0 AND is_default)) AND deleted_at IS NULL
      AND NOT ($4 = 'resolved' AND EXISTS (
          SELECT FROM notifications AS told
          WHERE told.channel_id = channels.id AND told.kind = 'resolved'
            AND told.alert_ids @> ticket.ids
            AND NOT EXISTS (
                SELECT FROM notifications AS again
                WHERE again.channel_id = channels.id AND again.id > told.id
                  AND again.kind IN ('opened', 'escalated') AND again.alert_ids && ticket.ids
            )
      ))
    ORDER BY channels.id
    ON CONFLICT (key) DO NOTHING
    RETURNING state = 'pending'";

async fn insert(
    transaction: &Transaction<'_>,
    channels: &[i64],
    notice: &Notice,
    tickets: &[String],
) -> Result<u64> {
    let statement = transaction.prepare_cached(INSERT).await?;
    let kind = notice.kind.as_str();
    let rows = transaction
        .query(&statement, &[&channels, &notice.key, &tickets, &kind, &Json(notice)])
        .await
        .context("cannot write a notification")?;
    Ok(rows.iter().filter(|row| row.get::<_, bool>(0)).count() as u64)
}

/// Keeps what tells a storm, and which incident was begun, if one was.
pub(crate) async fn remember(
    transaction: &Transaction<'_>,
    cause: &Cause,
    begun: Option<&str>,
    came_at: &[i64],
) -> Result<()> {
    let sql = "
        INSERT INTO notice_causes AS known
            (rule_id, kind, channels, thread, thread_began_at, came_at)
        VALUES ($1, $2, $3, $4, CASE WHEN $4::text IS NOT NULL THEN clock_timestamp() END,
                ARRAY(SELECT to_timestamp(ms / 1000.0) FROM unnest($5::bigint[]) AS came (ms)))
        ON CONFLICT (rule_id, kind, channels) DO UPDATE
        SET thread = coalesce(excluded.thread, known.thread),
            thread_began_at = coalesce(excluded.thread_began_at, known.thread_began_at),
            came_at = excluded.came_at";
    let Cause { rule_id, kind, channels, .. } = cause;
    transaction
        .execute(sql, &[rule_id, &kind.as_str(), channels, &begun, &came_at])
        .await
        .context("cannot remember what was told")?;
    Ok(())
}

/// Marks tickets that were over before anybody could be told of them.
pub(crate) async fn mark_late(
    transaction: &Transaction<'_>,
    over: &[(String, &'static str)],
) -> Result<()> {
    let tickets: Vec<&str> = over.iter().map(|(key, _)| key.as_str()).collect();
    let sql = "UPDATE alerts SET is_late = true WHERE key = ANY($1)";
    transaction.execute(sql, &[&tickets]).await.context("cannot mark late tickets")?;
    Ok(())
}

/// Writes into the history of tickets that nobody is told, and why.
pub(crate) async fn tell_nobody(
    transaction: &Transaction<'_>,
    kind: PageKind,
    untold: &[(String, &'static str)],
) -> Result<()> {
    if untold.is_empty() {
        return Ok(());
    }
    let sql = "
        INSERT INTO alert_history (alert_id, at, kind, detail)
        SELECT id, clock_timestamp(), 'told_nobody',
               jsonb_build_object('kind', $2::text, 'reason', reason)
        FROM unnest($1::text[], $3::text[]) AS untold (key, reason)
        JOIN alerts USING (key)
        ORDER BY id";
    let (keys, reasons): (Vec<&str>, Vec<&str>) =
        untold.iter().map(|(key, reason)| (key.as_str(), *reason)).unzip();
    transaction
        .execute(sql, &[&keys, &kind.as_str(), &reasons])
        .await
        .context("cannot note that nobody was told")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_linked_where_people_open_the_dashboard() {
        let links = Links::new(Some("https://muster.example.org/"));
        assert_eq!(links.ticket(7).as_deref(), Some("https://muster.example.org/alerts/7"));
        assert_eq!(Links::new(None).ticket(7), None);
    }
}
