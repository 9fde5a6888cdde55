//! Pages become notifications: those of one cause are gathered in the database, whichever workers
//! decided about their hosts, and written as one for each channel ([`notices`](super::notices)).
//!
//! Whoever looks first gathers; a lock for each rule keeps two from telling half of it each, and
//! what was seen without it is looked at again. The notifications and the end of the pages are one
//! transaction, so none is told twice or never.
//!
//! What was due long ago, because Muster itself was away or was restored from a copy, is not told as
//! if it were now: only what still holds.

use anyhow::{Context, Result};
use deadpool_postgres::{GenericClient, Pool, Transaction};
use muster_alerts::channel::Notice;
use muster_alerts::engine::PageKind;
use muster_alerts::notification::{
    self, Known, Page, Thread, Verdict, gather, gathered_at, verdict,
};
use tokio_postgres::Row;
use tracing::warn;

use super::locks::bound_locks;
use super::notices::{self, Links};
use super::taken::{Taken, take};

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
pub(super) const FREE: &str = "
    SELECT page.key, page.alert_key, page.rule_id, page.kind, page.channels, page.created_at,
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

/// Pages of the same rule and kind to the same channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) rule_id: i64,
    pub(crate) kind: PageKind,
    pub(crate) channels: Vec<i64>,
    pub(crate) is_late: bool,
}

/// What is free of each cause, of all rules or of one, and what is known of it.
const WAITING: &str = "
    waiting AS (
        SELECT rule_id, kind, channels, is_late,
               min(created_at) AS first_at, max(created_at) AS newest_at
        FROM free
        WHERE $1::bigint IS NULL OR rule_id = $1
        GROUP BY rule_id, kind, channels, is_late
    )
    SELECT rule_id, kind, channels, is_late,
           (extract(epoch FROM first_at) * 1000)::bigint,
           (extract(epoch FROM newest_at) * 1000)::bigint,
           (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
           coalesce(rules.definition #>> '{condition, kind}' = 'offline', false),
           ARRAY(SELECT (extract(epoch FROM came) * 1000)::bigint FROM unnest(came_at) AS came),
           cause.thread, (extract(epoch FROM thread_began_at) * 1000)::bigint,
           (SELECT count(*) FROM alerts
            WHERE alerts.thread = cause.thread AND status <> 'resolved')
    FROM waiting
    LEFT JOIN notice_causes AS cause USING (rule_id, kind, channels)
    LEFT JOIN rules ON rules.id = rule_id
    ORDER BY first_at";

struct Waiting {
    cause: Cause,
    known: Known,
    is_storm: bool,
    due_in_ms: i64,
    /// The incident that takes what is told for the first time.
    thread: Option<String>,
}

/// What one look has found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) notifications: u64,
    /// When the next cause is complete, in milliseconds from now.
    pub(crate) next_in_ms: Option<i64>,
}

impl Outcome {
    fn wait(&mut self, ms: i64) {
        self.next_in_ms = Some(self.next_in_ms.unwrap_or(i64::MAX).min(ms));
    }
}

/// Gathers what is complete. A rule whose pages cannot be told holds up no other.
pub(crate) async fn gather_due(pool: &Pool, links: &Links) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let seen = {
        let client = pool.get().await.context("no connection to the database")?;
        waiting(&client, None).await?
    };
    for Waiting { cause, due_in_ms, .. } in seen {
        if due_in_ms > 0 {
            outcome.wait(due_in_ms);
            continue;
        }
        match gather_cause(pool, &cause, links).await {
            Ok(Gathering::Written(notifications)) => outcome.notifications += notifications,
            Ok(Gathering::Waits(ms)) => outcome.wait(ms),
            Ok(Gathering::OfAnother) => {}
            Err(failure) => {
                warn!(rule.id = cause.rule_id, "pages of a rule wait: {failure:#}");
            }
        }
    }
    Ok(outcome)
}

async fn waiting(client: &impl GenericClient, rule: Option<i64>) -> Result<Vec<Waiting>> {
    let sql = format!("WITH free AS ({FREE}), {WAITING}");
    let statement = client.prepare_cached(&sql).await?;
    let rows = client.query(&statement, &[&rule]).await.context("cannot read whom to page")?;
    Ok(rows.iter().filter_map(read_waiting).collect())
}

fn read_waiting(row: &Row) -> Option<Waiting> {
    let kind = serde_json::from_value(row.get::<_, &str>(1).into()).ok()?;
    let cause = Cause { rule_id: row.get(0), kind, channels: row.get(2), is_late: row.get(3) };
    let (first_at, newest_at, now): (i64, i64, i64) = (row.get(4), row.get(5), row.get(6));
    let thread: Option<(String, i64)> = row.get::<_, Option<String>>(9).zip(row.get(10));
    let open = usize::try_from(row.get::<_, i64>(11)).unwrap_or(usize::MAX);
    let thread = thread.map(|(name, began_at)| Thread { name, began_at, open });
    let known = Known { is_offline: row.get(7), came_at: row.get(8), thread };
    let is_storm = known.is_storm(first_at);
    let due_at = if cause.is_late && kind == PageKind::Opened {
        newest_at.saturating_add(LATE_WAIT_MS)
    } else {
        gathered_at(first_at, newest_at, is_storm)
    };
    let takes = (is_storm && kind == PageKind::Opened).then(|| known.thread_of_storm(now));
    let thread = takes.flatten().map(str::to_owned);
    Some(Waiting { cause, known, is_storm, due_in_ms: due_at - now, thread })
}

/// What became of a cause that had been seen to be complete.
enum Gathering {
    Written(u64),
    /// Another worker has told what was due; what came since is due in so many milliseconds.
    Waits(i64),
    /// Another worker has it, or has told all of it.
    OfAnother,
}

async fn gather_cause(pool: &Pool, cause: &Cause, links: &Links) -> Result<Gathering> {
    let mut client = pool.get().await.context("no connection to the database")?;
    let transaction = client.transaction().await?;
    bound_locks(&transaction).await?;
    let sql = "SELECT pg_try_advisory_xact_lock(hashtextextended('muster.pages', $1))";
    let row = transaction.query_one(sql, &[&cause.rule_id]).await?;
    if !row.get::<_, bool>(0) {
        return Ok(Gathering::OfAnother);
    }
    let found = waiting(&transaction, Some(cause.rule_id)).await?;
    let Some(waiting) = found.into_iter().find(|waiting| waiting.cause == *cause) else {
        return Ok(Gathering::OfAnother);
    };
    if waiting.due_in_ms > 0 {
        return Ok(Gathering::Waits(waiting.due_in_ms));
    }
    let notifications = tell(&transaction, &waiting, links).await?;
    transaction.commit().await.context("cannot commit notifications")?;
    Ok(Gathering::Written(notifications))
}

async fn tell(transaction: &Transaction<'_>, waiting: &Waiting, links: &Links) -> Result<u64> {
    let Waiting { cause, known, is_storm, .. } = waiting;
    let taken = take(transaction, cause, links).await?;
    let came_at = known.came_with(taken.iter().map(|taken| taken.came_at));
    let (mut told, mut untold) = (Vec::new(), Vec::new());
    for Taken { page, .. } in taken {
        match verdict(&page, cause.is_late, *is_storm) {
            Verdict::Tell => told.push(joined(page, waiting)),
            Verdict::TellNobody(reason) => untold.push((page.ticket.key, reason)),
            Verdict::Drop => {}
        }
    }
    if cause.kind == PageKind::Opened {
        if cause.is_late {
            notices::mark_late(transaction, &untold).await?;
        }
        drop_overdue(transaction, &told).await?;
    }
    notices::tell_nobody(transaction, cause.kind, &untold).await?;
    let gathered = gather(told);
    let is_begun = |notice: &&Notice| notice.thread == notice.key;
    let begun = gathered.iter().map(|gathered| &gathered.notice).find(is_begun);
    let begun =
        begun.filter(|_| cause.kind == PageKind::Opened).map(|notice| notice.thread.clone());
    let mut notifications = 0;
    for gathered in gathered {
        notifications += notices::write(transaction, gathered, cause.kind, links).await?;
    }
    notices::remember(transaction, cause, begun.as_deref(), &came_at).await?;
    Ok(notifications)
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
          AND (request ->> 'at')::bigint < extract(epoch FROM created_at) * 1000 - $2::bigint
        RETURNING alert_key";
    let keys: Vec<&str> = opened.iter().map(|page| page.ticket.key.as_str()).collect();
    let rows = transaction
        .query(sql, &[&keys, &OVERDUE_MS])
        .await
        .context("cannot leave out overdue escalations")?;
    let untold: Vec<_> = rows.iter().map(|row| (row.get(0), notification::UNTOLD)).collect();
    notices::tell_nobody(transaction, PageKind::Escalated, &untold).await
}
