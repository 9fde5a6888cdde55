//! The rules as agents need them: the conditions that concern a host, and their version.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use deadpool_postgres::{Pool, Transaction};
use muster_alerts::{Rule, RuleDefinition, Selector};
use muster_schemas::HostId;
use muster_schemas::conditions::Condition;
use muster_schemas::configuration::CONDITIONS_MAX;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use tracing::warn;

use super::connection;

/// To be called by whoever writes rules, in the same transaction: agents are to ask again.
pub(crate) async fn rules_changed(transaction: &Transaction<'_>) -> Result<()> {
    // As with settings, versions grow in the order of commits.
    let sql = "
        LOCK TABLE agent_settings IN SHARE ROW EXCLUSIVE MODE;
        UPDATE rule_changes SET version = nextval('agent_settings_version')";
    transaction.batch_execute(sql).await.context("cannot note that rules have changed")
}

/// The conditions of the rules that are in force for a host.
pub(crate) async fn of_host(snapshot: &Transaction<'_>, host: &HostId) -> Result<Vec<Condition>> {
    let sql = "SELECT coalesce(labels, '{}') FROM hosts WHERE id = $1";
    let statement = snapshot.prepare_cached(sql).await?;
    let row = snapshot.query_opt(&statement, &[&host.as_str()]).await;
    let labels = row
        .context("cannot read the labels of a host")?
        .map_or_else(BTreeMap::new, |row| serde_json::from_value(row.get(0)).unwrap_or_default());
    let sql = "
        SELECT id, version, definition FROM rules WHERE deleted_at IS NULL ORDER BY id";
    let statement = snapshot.prepare_cached(sql).await?;
    let rows = snapshot.query(&statement, &[]).await.context("cannot read the rules of a host")?;
    let rules: Vec<Rule> = rows.iter().filter_map(read_rule).collect();
    Ok(conditions(&rules, host, &labels))
}

/// What the rules' version is: it grows with each change of one.
pub(crate) async fn rules_version(pool: &Pool) -> Result<i64> {
    let client = connection(pool).await?;
    let statement = client.prepare_cached("SELECT version FROM rule_changes").await?;
    let row = client.query_one(&statement, &[]).await.context("cannot read how new rules are")?;
    Ok(row.get(0))
}

/// Gives hosts whose labels have changed a version to ask for; answers which. Not done where labels
/// are written: whoever stores inventories must not wait for a lock that others hold.
pub(crate) async fn settle_labels(pool: &Pool) -> Result<Vec<HostId>> {
    let mut client = connection(pool).await?;
    let sql = "SELECT EXISTS (SELECT FROM hosts WHERE labels_version < 0)";
    let statement = client.prepare_cached(sql).await?;
    let row =
        client.query_one(&statement, &[]).await.context("cannot read whose labels changed")?;
    if !row.get::<_, bool>(0) {
        return Ok(Vec::new());
    }
    let transaction = client.transaction().await?;
    let lock = "LOCK TABLE agent_settings IN SHARE ROW EXCLUSIVE MODE";
    transaction.batch_execute(lock).await.context("cannot lock the settings")?;
    let sql = "
        UPDATE hosts SET labels_version = nextval('agent_settings_version')
        WHERE labels_version < 0
        RETURNING id";
    let rows = transaction.query(sql, &[]).await.context("cannot note whose labels changed")?;
    transaction.commit().await.context("cannot note whose labels changed")?;
    Ok(rows.iter().filter_map(|row| row.get::<_, String>(0).try_into().ok()).collect())
}

fn read_rule(row: &Row) -> Option<Rule> {
    let (id, version) = (row.get(0), row.get(1));
    match row.try_get::<_, Json<RuleDefinition>>(2) {
        Ok(definition) => Some(Rule { id, version, definition: definition.0 }),
        Err(error) => {
            warn!(rule.id = id, %error, "left out a rule that cannot be read");
            None
        }
    }
}

/// In the order of their rules; agents take so many and no more.
fn conditions(rules: &[Rule], host: &HostId, labels: &BTreeMap<String, String>) -> Vec<Condition> {
    let concerns = |rule: &&Rule| {
        let selector = Selector::parse(&rule.definition.selector);
        rule.definition.enabled && selector.is_ok_and(|selector| selector.matches(host, labels))
    };
    let chosen = rules.iter().filter(concerns);
    chosen.filter_map(Rule::condition).take(CONDITIONS_MAX).collect()
}
