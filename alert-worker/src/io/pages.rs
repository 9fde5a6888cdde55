//! Pages become notifications: those of one cause are gathered in the database, whichever workers
//! decided about their hosts, and written as one for each channel ([`notices`](super::notices)).
//!
//! Whoever looks first gathers; a lock for each rule keeps two from telling half of it each. The
//! notifications and the end of the pages are one transaction, so none is told twice or never.
//!
//! What was due long ago, because Muster itself was away or was restored from a copy, is not told as
//! if it were now: only what still holds.

use anyhow::{Context, Result};
use deadpool_postgres::{Pool, Transaction};
use muster_alerts::Priority;
use muster_alerts::channel::Ticket;
use muster_alerts::engine::{PageKind, PageRequest};
use muster_alerts::notification::{Page, Told, gather, gathered_at};
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use tracing::{error, warn};

use super::locks::bound_locks;
use super::notices::{self, Links};

/// Pages of one transaction. A notice lists a thousand hosts; of a storm that is larger than this,
/// the rest is told in a second one.
const PAGES_MAX: i64 = 10_000;

/// A page that was due so long ago tells of what may be over. Less than this are the pauses in which
/// a broker or a database is replaced, after which all is told.
const LATE_MS: i64 = 600_000;

/// How long to wait whether what is told late is over by now: whoever catches up with a day of
/// candidates decides about some thousands a second.
const LATE_WAIT_MS: i64 = 60_000;

/// An escalation that was decided so long after it was due, and before anybody was told of the
/// ticket: nobody could have answered.
const OVERDUE_MS: i64 = 60_000;

/// What is taken of the table `pages`: not what has to come after another page of its ticket, as
/// "resolved" after "opened".
const FREE: &str = "
    SELECT page.key, page.rule_id, page.kind, page.channels, page.created_at,
           CASE WHEN jsonb_typeof(page.request -> 'at') = 'number'
               THEN (page.request -> 'at')::bigint
                   < extract(epoch FROM clock_timestamp()) * 1000 - 600000
               ELSE false
           END AS is_late
    FROM pages AS page
    WHERE NOT EXISTS (
        SELECT FROM pages AS before
        WHERE before.alert_key = page.alert_key AND before.created_at <= page.created_at
          AND (before.kind, page.kind) IN
              (('opened', 'escalated'), ('opened', 'resolved'), ('escalated', 'resolved'))
    )";

const _: () = assert!(LATE_MS == 600_000, "as in FREE");

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
    is_late: bool,
    due_in_ms: i64,
    /// Of the notice that left a moment ago, which these belong to.
    thread: Option<String>,
}

/// Gathers what is complete. A rule whose pages cannot be told holds up no other.
pub(crate) async fn gather_due(pool: &Pool, links: &Links) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for waiting in waiting(pool).await? {
        if waiting.due_in_ms > 0 {
            let next = outcome.next_in_ms.unwrap_or(i64::MAX).min(waiting.due_in_ms);
            outcome.next_in_ms = Some(next);
            continue;
        }
        match gather_rule(pool, &waiting, links).await {
            Ok(notifications) => outcome.notifications += notifications,
            Err(failure) => {
                warn!(rule.id = waiting.rule_id, "pages of a rule wait: {failure:#}");
            }
        }
    }
    Ok(outcome)
}

async fn waiting(pool: &Pool) -> Result<Vec<Waiting>> {
    let sql = format!(
        "
        SELECT free.rule_id, free.kind, free.channels, free.is_late,
               (extract(epoch FROM min(free.created_at)) * 1000)::bigint,
               (extract(epoch FROM max(free.created_at)) * 1000)::bigint,
               (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
               min(cause.thread), (extract(epoch FROM min(cause.told_at)) * 1000)::bigint
        FROM ({FREE}) AS free
        LEFT JOIN notice_causes AS cause USING (rule_id, kind, channels)
        GROUP BY free.rule_id, free.kind, free.channels, free.is_late
        ORDER BY min(free.created_at)"
    );
    let client = pool.get().await.context("no connection to the database")?;
    let statement = client.prepare_cached(&sql).await?;
    let rows = client.query(&statement, &[]).await.context("cannot read whom to page")?;
    Ok(rows.iter().filter_map(read_waiting).collect())
}

fn read_waiting(row: &Row) -> Option<Waiting> {
    let kind = serde_json::from_value(row.get::<_, &str>(1).into()).ok()?;
    let (is_late, first_at, newest_at): (bool, i64, i64) = (row.get(3), row.get(4), row.get(5));
    let told: Option<(String, i64)> = row.get::<_, Option<String>>(7).zip(row.get(8));
    let told = told.map(|(thread, at)| Told { thread, at }).filter(|told| told.takes(first_at));
    let due_at = if is_late && kind == PageKind::Opened {
        newest_at.saturating_add(LATE_WAIT_MS)
    } else {
        gathered_at(first_at, newest_at, told.as_ref())
    };
    Some(Waiting {
        rule_id: row.get(0),
        kind,
        channels: row.get(2),
        is_late,
        due_in_ms: due_at - row.get::<_, i64>(6),
        thread: told.map(|told| told.thread),
    })
}

async fn gather_rule(pool: &Pool, waiting: &Waiting, links: &Links) -> Result<u64> {
    let mut client = pool.get().await.context("no connection to the database")?;
    let transaction = client.transaction().await?;
    bound_locks(&transaction).await?;
    let sql = "SELECT pg_try_advisory_xact_lock(hashtextextended('muster.pages', $1))";
    let row = transaction.query_one(sql, &[&waiting.rule_id]).await?;
    if !row.get::<_, bool>(0) {
        return Ok(0);
    }
    let taken = take(&transaction, waiting, links).await?;
    let (pages, over): (Vec<Page>, Vec<Page>) =
        taken.into_iter().partition(|page| is_current(page, waiting.is_late));
    notices::note_late(&transaction, &over).await?;
    if waiting.kind == PageKind::Opened {
        drop_overdue(&transaction, &pages).await?;
    }
    let mut notifications = 0;
    for gathered in gather(pages.into_iter().map(|page| joined(page, waiting))) {
        notifications += notices::write(&transaction, gathered, waiting.kind, links).await?;
    }
    transaction.commit().await.context("cannot commit notifications")?;
    Ok(notifications)
}

/// Whether it says what holds now, and not what was so before anybody could be told.
fn is_current(page: &Page, is_late: bool) -> bool {
    let is_over = page.ticket.resolved_at.is_some();
    match page.request.kind {
        PageKind::Opened => !(is_late && is_over),
        PageKind::Escalated => !is_late && !is_over,
        // Whoever was not told that it began need not be told that it is over.
        PageKind::Resolved => page.thread.is_some(),
    }
}

fn joined(mut page: Page, waiting: &Waiting) -> Page {
    if page.request.kind == PageKind::Opened && page.thread.is_none() {
        page.thread.clone_from(&waiting.thread);
    }
    page
}

/// Nobody has left unanswered what they are told only now.
async fn drop_overdue(transaction: &Transaction<'_>, opened: &[Page]) -> Result<()> {
    let sql = "
        DELETE FROM pages
        WHERE kind = 'escalated' AND alert_key = ANY($1)
          AND (request ->> 'at')::bigint < extract(epoch FROM created_at) * 1000 - $2::bigint";
    let keys: Vec<&str> = opened.iter().map(|page| page.ticket.key.as_str()).collect();
    transaction
        .execute(sql, &[&keys, &OVERDUE_MS])
        .await
        .context("cannot leave out overdue escalations")?;
    Ok(())
}

async fn take(
    transaction: &Transaction<'_>,
    waiting: &Waiting,
    links: &Links,
) -> Result<Vec<Page>> {
    let sql = format!(
        "
        WITH taken AS (
            DELETE FROM pages WHERE key IN (
                SELECT key FROM ({FREE}) AS free
                WHERE rule_id = $1 AND kind = $2 AND channels = $3 AND is_late = $4
                ORDER BY created_at, key LIMIT $5
            )
            RETURNING request, alert_key
        )
        SELECT taken.request, alerts.key, alerts.host_id, alerts.instance, alerts.title,
               alerts.description, alerts.recommendation, alerts.priority, alerts.metric,
               alerts.value, alerts.threshold,
               (extract(epoch FROM alerts.begun_at) * 1000)::bigint,
               (extract(epoch FROM alerts.resolved_at) * 1000)::bigint, alerts.thread, alerts.id
        FROM taken JOIN alerts ON alerts.key = taken.alert_key"
    );
    let statement = transaction.prepare_cached(&sql).await?;
    let (kind, channels) = (waiting.kind.as_str(), &waiting.channels);
    let rows = transaction
        .query(&statement, &[&waiting.rule_id, &kind, channels, &waiting.is_late, &PAGES_MAX])
        .await
        .context("cannot take pages")?;
    Ok(rows.iter().filter_map(|row| read_page(row, links)).collect())
}

fn read_page(row: &Row, links: &Links) -> Option<Page> {
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
        url: links.ticket(row.get(14)),
    };
    Some(Page { request, ticket, thread: row.get(13) })
}
