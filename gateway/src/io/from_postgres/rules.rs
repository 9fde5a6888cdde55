//! Rules and their versions. What a rule means is in `muster_alerts`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use deadpool_postgres::{Pool, Transaction};
use muster_alerts::RuleDefinition;
use muster_schemas::configuration::CONDITIONS_MAX;
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Json;

use super::connection;
use super::rules_agents::rules_changed;
use super::written::{Unwritten, Written, take_turns, wake_alerting};
use crate::logic::alerts::bad;
use crate::logic::rules::{channels_of, concerns_agents, copy_of};

/// Rules in force. An agent takes no more conditions, and each is judged by all of its hosts.
pub(crate) const RULES_MAX: i64 = CONDITIONS_MAX as i64;

/// Versions that are shown: who has changed a rule more often has no use for the first ones.
const VERSIONS_MAX: i64 = 200;

/// What a rule is read as; see [`read_rule`].
const RULES: &str = "
    SELECT rules.id, rules.version, rules.definition, rules.is_default,
           (extract(epoch FROM rules.created_at) * 1000)::bigint,
           (extract(epoch FROM rules.updated_at) * 1000)::bigint,
           rules.updated_by, coalesce(firing.count, 0), coalesce(pending.count, 0)
    FROM rules
    LEFT JOIN (
        SELECT rule_id, count(*) FROM alerts WHERE status <> 'resolved' GROUP BY rule_id
    ) AS firing ON firing.rule_id = rules.id
    LEFT JOIN (
        SELECT rule_id, count(*)
        FROM alert_states
        WHERE jsonb_typeof(state -> 'breach') = 'object'
          AND jsonb_typeof(state -> 'ticket') IS DISTINCT FROM 'object'
        GROUP BY rule_id
    ) AS pending ON pending.rule_id = rules.id
    WHERE rules.deleted_at IS NULL";

const RULE: &str = "rule";

pub(crate) struct RuleRow {
    pub(crate) id: i64,
    pub(crate) version: i64,
    pub(crate) definition: Value,
    pub(crate) is_default: bool,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) updated_by: Option<String>,
    /// Tickets that are not resolved.
    pub(crate) firing: i64,
    /// Breaches that have not lasted for long enough.
    pub(crate) pending: i64,
}

pub(crate) struct VersionRow {
    pub(crate) version: i64,
    pub(crate) definition: Value,
    pub(crate) at: i64,
    pub(crate) by: Option<String>,
}

pub(crate) async fn all(pool: &Pool) -> Result<Vec<RuleRow>> {
    let client = connection(pool).await?;
    let statement = client.prepare_cached(&format!("{RULES} ORDER BY rules.id")).await?;
    let rows = client.query(&statement, &[]).await.context("cannot read the rules")?;
    Ok(rows.iter().map(read_rule).collect())
}

pub(crate) async fn one(pool: &Pool, id: i64) -> Result<Option<RuleRow>> {
    let client = connection(pool).await?;
    let statement = client.prepare_cached(&format!("{RULES} AND rules.id = $1")).await?;
    let row = client.query_opt(&statement, &[&id]).await.context("cannot read a rule")?;
    Ok(row.as_ref().map(read_rule))
}

fn read_rule(row: &Row) -> RuleRow {
    RuleRow {
        id: row.get(0),
        version: row.get(1),
        definition: row.get(2),
        is_default: row.get(3),
        created_at: row.get(4),
        updated_at: row.get(5),
        updated_by: row.get(6),
        firing: row.get(7),
        pending: row.get(8),
    }
}

/// Newest first, the one in force included. Of a rule that was deleted, too: tickets name it.
pub(crate) async fn versions(pool: &Pool, id: i64) -> Result<Vec<VersionRow>> {
    let sql = "
        SELECT version, definition, (extract(epoch FROM at) * 1000)::bigint, by
        FROM (
            SELECT version, definition, at, by FROM rule_versions WHERE rule_id = $1
            UNION ALL
            SELECT version, definition, updated_at, updated_by FROM rules
            WHERE id = $1 AND NOT EXISTS (
                SELECT FROM rule_versions AS kept
                WHERE kept.rule_id = rules.id AND kept.version = rules.version
            )
        ) AS versions
        ORDER BY version DESC
        LIMIT $2";
    let client = connection(pool).await?;
    let statement = client.prepare_cached(sql).await?;
    let rows = client.query(&statement, &[&id, &VERSIONS_MAX]).await;
    let read = |row: &Row| VersionRow {
        version: row.get(0),
        definition: row.get(1),
        at: row.get(2),
        by: row.get(3),
    };
    Ok(rows.context("cannot read the versions of a rule")?.iter().map(read).collect())
}

pub(crate) async fn add(pool: &Pool, definition: &RuleDefinition, by: &str) -> Written<i64> {
    let mut client = connection(pool).await?;
    let transaction = client.transaction().await?;
    let added = insert(&transaction, definition, by).await?;
    if added.is_ok() {
        transaction.commit().await.context("cannot add a rule")?;
    }
    Ok(added)
}

/// A copy under a new number, disabled.
pub(crate) async fn copy(pool: &Pool, id: i64, by: &str) -> Written<i64> {
    let mut client = connection(pool).await?;
    let transaction = client.transaction().await?;
    let Some((_, definition)) = locked(&transaction, id).await? else {
        return Ok(Err(Unwritten::NotThere(RULE)));
    };
    let added = insert(&transaction, &copy_of(&definition), by).await?;
    if added.is_ok() {
        transaction.commit().await.context("cannot copy a rule")?;
    }
    Ok(added)
}

async fn insert(
    transaction: &Transaction<'_>,
    definition: &RuleDefinition,
    by: &str,
) -> Written<i64> {
    take_turns(transaction, "rules").await?;
    let sql = "SELECT count(*) FROM rules WHERE deleted_at IS NULL";
    let count: i64 = transaction.query_one(sql, &[]).await.context("cannot count rules")?.get(0);
    if count >= RULES_MAX {
        let reason = format!("there are {RULES_MAX} rules already, and more cannot be judged");
        return Ok(Err(Unwritten::Conflict(reason)));
    }
    if let Err(unwritten) = check_channels(transaction, definition).await? {
        return Ok(Err(unwritten));
    }
    let sql = "
        WITH added AS (
            INSERT INTO rules (definition, updated_by) VALUES ($1, $2)
            RETURNING id, version, definition, updated_at, updated_by
        ), kept AS (
            INSERT INTO rule_versions (rule_id, version, definition, at, by) TABLE added
        )
        SELECT id FROM added";
    let row = transaction.query_one(sql, &[&Json(definition), &by]).await;
    let id = row.context("cannot add a rule")?.get(0);
    tell(transaction, None, Some(definition)).await?;
    Ok(Ok(id))
}

/// Refused where it is not of this version any more. What changes nothing is no new version.
pub(crate) async fn replace(
    pool: &Pool,
    id: i64,
    version: i64,
    definition: &RuleDefinition,
    by: &str,
) -> Written<()> {
    let mut client = connection(pool).await?;
    let transaction = client.transaction().await?;
    let before = match expected(&transaction, id, version).await? {
        Ok(before) => before,
        Err(unwritten) => return Ok(Err(unwritten)),
    };
    if let Err(unwritten) = check_channels(&transaction, definition).await? {
        return Ok(Err(unwritten));
    }
    if before != *definition {
        let sql = "
            WITH changed AS (
                UPDATE rules
                SET version = version + 1, definition = $2, updated_at = now(), updated_by = $3
                WHERE id = $1
                RETURNING id, version, definition, updated_at, updated_by
            )
            INSERT INTO rule_versions (rule_id, version, definition, at, by) TABLE changed";
        let changed = transaction.execute(sql, &[&id, &Json(definition), &by]).await;
        changed.context("cannot change a rule")?;
        tell(&transaction, Some(&before), Some(definition)).await?;
        transaction.commit().await.context("cannot change a rule")?;
    }
    Ok(Ok(()))
}

/// It is no longer in force; its tickets and versions stay.
pub(crate) async fn remove(pool: &Pool, id: i64, version: i64, by: &str) -> Written<()> {
    let mut client = connection(pool).await?;
    let transaction = client.transaction().await?;
    let before = match expected(&transaction, id, version).await? {
        Ok(before) => before,
        Err(unwritten) => return Ok(Err(unwritten)),
    };
    let sql = "UPDATE rules SET deleted_at = now(), updated_at = now(), updated_by = $2
               WHERE id = $1";
    transaction.execute(sql, &[&id, &by]).await.context("cannot delete a rule")?;
    tell(&transaction, Some(&before), None).await?;
    transaction.commit().await.context("cannot delete a rule")?;
    Ok(Ok(()))
}

/// Those who heed a change: workers always, agents where they judge otherwise.
async fn tell(
    transaction: &Transaction<'_>,
    before: Option<&RuleDefinition>,
    after: Option<&RuleDefinition>,
) -> Result<()> {
    if concerns_agents(before, after) {
        rules_changed(transaction).await?;
    }
    wake_alerting(transaction).await
}

async fn expected(transaction: &Transaction<'_>, id: i64, version: i64) -> Written<RuleDefinition> {
    Ok(match locked(transaction, id).await? {
        None => Err(Unwritten::NotThere(RULE)),
        Some((stored, _)) if stored != version => Err(Unwritten::Stale(RULE)),
        Some((_, definition)) => Ok(definition),
    })
}

async fn locked(transaction: &Transaction<'_>, id: i64) -> Result<Option<(i64, RuleDefinition)>> {
    let sql = "
        SELECT version, definition FROM rules WHERE id = $1 AND deleted_at IS NULL FOR UPDATE";
    let row = transaction.query_opt(sql, &[&id]).await.context("cannot read a rule")?;
    let Some(row) = row else { return Ok(None) };
    let definition: Value = row.get(1);
    let definition = serde_json::from_value(definition)
        .with_context(|| format!("rule {id} is stored in a form that this version cannot read"))?;
    Ok(Some((row.get(0), definition)))
}

/// A channel that is named cannot be deleted or switched off meanwhile.
async fn check_channels(transaction: &Transaction<'_>, definition: &RuleDefinition) -> Written<()> {
    let named = channels_of(definition);
    let ids: Vec<i64> = named.iter().map(|(_, id)| *id).collect();
    let sql = "
        SELECT id, enabled FROM channels WHERE id = ANY($1) AND deleted_at IS NULL
        ORDER BY id
        FOR SHARE";
    let rows = transaction.query(sql, &[&ids]).await.context("cannot read the channels")?;
    let known: BTreeMap<i64, bool> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let trouble = named.iter().find_map(|(field, id)| match known.get(id) {
        Some(true) => None,
        Some(false) => Some(bad(field, format!("channel {id} is switched off"))),
        None => Some(bad(field, format!("there is no channel {id}"))),
    });
    Ok(trouble.map_or(Ok(()), |trouble| Err(trouble.into())))
}
