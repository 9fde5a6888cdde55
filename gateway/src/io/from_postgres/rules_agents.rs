//! The rules as agents need them: the conditions that concern a host, and their version.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use muster_alerts::{Rule, RuleDefinition, Selector};
use muster_schemas::HostId;
use muster_schemas::conditions::Condition;
use muster_schemas::configuration::CONDITIONS_MAX;
use tokio_postgres::types::Json;
use tokio_postgres::{Row, Transaction};
use tracing::warn;

use super::connection;

/// What an agent is told of the rules.
pub(crate) struct HostConditions {
    /// Of the rules or the host's labels, whichever changed last; 0 where neither ever did.
    pub(crate) version: i64,
    pub(crate) conditions: Vec<Condition>,
}

/// To be called by whoever writes rules, in the same transaction: agents are to ask again.
pub(crate) async fn rules_changed(transaction: &Transaction<'_>) -> Result<()> {
    // As with settings, versions grow in the order of commits.
    let sql = "
        LOCK TABLE agent_settings IN SHARE ROW EXCLUSIVE MODE;
        UPDATE rule_changes SET version = nextval('agent_settings_version')";
    transaction.batch_execute(sql).await.context("cannot note that rules have changed")
}

/// The conditions of the rules that are in force for a host.
pub(crate) async fn of_host(pool: &Pool, host: &HostId) -> Result<HostConditions> {
    // One statement, so that the version is that of the rules which are read.
    let sql = "
        SELECT greatest(rule_changes.version, hosts.labels_version, 0),
               coalesce(hosts.labels, '{}'), rules.id, rules.version, rules.definition
        FROM rule_changes
        LEFT JOIN hosts ON hosts.id = $1
        LEFT JOIN rules ON rules.deleted_at IS NULL
        ORDER BY rules.id";
    let client = connection(pool).await?;
    let statement = client.prepare_cached(sql).await?;
    let rows = client
        .query(&statement, &[&host.as_str()])
        .await
        .context("cannot read the rules of a host")?;
    let version = rows.first().map_or(0, |row| row.get(0));
    let labels = rows
        .first()
        .map_or_else(BTreeMap::new, |row| serde_json::from_value(row.get(1)).unwrap_or_default());
    let rules: Vec<Rule> = rows.iter().filter_map(read_rule).collect();
    Ok(HostConditions { version, conditions: conditions(&rules, host, &labels) })
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
    let (id, version) = (row.get::<_, Option<i64>>(2)?, row.get(3));
    match row.try_get::<_, Json<RuleDefinition>>(4) {
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
