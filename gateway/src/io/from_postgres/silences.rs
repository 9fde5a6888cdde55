//! Silences and maintenance windows. When they hold is `muster_alerts::silence`'s.

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use muster_alerts::Silence;
use muster_runtime::time::system_time;
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Json;

use super::connection;
use super::written::{Unwritten, Written, take_turns, wake_alerting};
use crate::logic::alerts::bad;

/// Silences that have not ended: each worker asks all of them for each page.
pub(crate) const SILENCES_MAX: i64 = 1_000;

/// What a silence is read as; see [`read_silence`].
const SILENCES: &str = "
    SELECT id, selector, rule_id, reason, author,
           (extract(epoch FROM starts_at) * 1000)::bigint,
           (extract(epoch FROM ends_at) * 1000)::bigint, recurrence,
           (extract(epoch FROM created_at) * 1000)::bigint,
           (extract(epoch FROM ended_at) * 1000)::bigint, ended_by
    FROM silences";

/// One that has not ended yet: it holds, it will, or it comes again.
const NOT_ENDED: &str = "ended_at IS NULL AND (ends_at IS NULL OR ends_at > now())";

pub(crate) struct SilenceRow {
    pub(crate) silence: Silence,
    pub(crate) created_at: i64,
    /// Somebody ended it before its time.
    pub(crate) ended_at: Option<i64>,
    pub(crate) ended_by: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Active,
    Ended,
    All,
}

/// The newest first, those before the given number.
pub(crate) async fn silences(
    pool: &Pool,
    which: Which,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<SilenceRow>> {
    let which = match which {
        Which::Active => NOT_ENDED.to_owned(),
        Which::Ended => format!("NOT ({NOT_ENDED})"),
        Which::All => "true".to_owned(),
    };
    let sql = format!(
        "{SILENCES} WHERE {which} AND ($1::bigint IS NULL OR id < $1) ORDER BY id DESC LIMIT $2"
    );
    let client = connection(pool).await?;
    let statement = client.prepare_cached(&sql).await?;
    let rows = client.query(&statement, &[&before, &limit]).await;
    rows.context("cannot read the silences")?.iter().map(read_silence).collect()
}

fn read_silence(row: &Row) -> Result<SilenceRow> {
    let recurrence: Option<Value> = row.get(7);
    let recurrence = recurrence.map(serde_json::from_value).transpose();
    Ok(SilenceRow {
        silence: Silence {
            id: row.get(0),
            selector: row.get(1),
            rule_id: row.get(2),
            reason: row.get(3),
            author: row.get(4),
            starts_at: row.get(5),
            ends_at: row.get(6),
            recurrence: recurrence.context("a silence is stored in a form that is not known")?,
        },
        created_at: row.get(8),
        ended_at: row.get(9),
        ended_by: row.get(10),
    })
}

/// Makes one that was checked; its number is the database's.
pub(crate) async fn add(pool: &Pool, silence: &Silence) -> Written<SilenceRow> {
    let mut client = connection(pool).await?;
    let transaction = client.transaction().await?;
    take_turns(&transaction, "silences").await?;
    let sql = format!("SELECT count(*) FROM silences WHERE {NOT_ENDED}");
    let count: i64 = transaction.query_one(&sql, &[]).await?.get(0);
    if count >= SILENCES_MAX {
        let reason = format!("there are {SILENCES_MAX} silences already: end some of them");
        return Ok(Err(Unwritten::Conflict(reason)));
    }
    if let Some(rule) = silence.rule_id {
        let sql = "SELECT FROM rules WHERE id = $1 AND deleted_at IS NULL FOR KEY SHARE";
        let known = transaction.query_opt(sql, &[&rule]).await.context("cannot read a rule")?;
        if known.is_none() {
            return Ok(Err(bad("rule_id", format!("there is no rule {rule}")).into()));
        }
    }
    let sql = "
        INSERT INTO silences (selector, rule_id, reason, author, starts_at, ends_at, recurrence)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        RETURNING id";
    let Silence { selector, rule_id, reason, author, starts_at, ends_at, recurrence, .. } = silence;
    let (starts_at, ends_at) = (system_time(*starts_at), ends_at.map(system_time));
    let recurrence = recurrence.as_ref().map(Json);
    let row = transaction
        .query_one(sql, &[selector, rule_id, reason, author, &starts_at, &ends_at, &recurrence])
        .await
        .context("cannot add a silence")?;
    let id: i64 = row.get(0);
    let row = transaction.query_one(&format!("{SILENCES} WHERE id = $1"), &[&id]).await?;
    let added = read_silence(&row)?;
    wake_alerting(&transaction).await?;
    transaction.commit().await.context("cannot add a silence")?;
    Ok(Ok(added))
}

/// One that has ended stays as it is.
pub(crate) async fn end(pool: &Pool, id: i64, by: &str) -> Written<SilenceRow> {
    let mut client = connection(pool).await?;
    let transaction = client.transaction().await?;
    let sql = format!(
        "UPDATE silences SET ended_at = now(), ended_by = $2 WHERE id = $1 AND {NOT_ENDED}"
    );
    transaction.execute(&sql, &[&id, &by]).await.context("cannot end a silence")?;
    let row = transaction.query_opt(&format!("{SILENCES} WHERE id = $1"), &[&id]).await?;
    let Some(row) = row else { return Ok(Err(Unwritten::NotThere("silence"))) };
    let ended = read_silence(&row)?;
    wake_alerting(&transaction).await?;
    transaction.commit().await.context("cannot end a silence")?;
    Ok(Ok(ended))
}
