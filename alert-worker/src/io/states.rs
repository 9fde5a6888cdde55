//! What the engine remembers, as rows: read by whoever takes a partition over.

use anyhow::{Context, Result};
use deadpool_postgres::Transaction;
use muster_alerts::engine::{Saved, State, StateKey};
use muster_schemas::Partition;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use tracing::error;

/// All of a partition.
pub(crate) async fn load(
    transaction: &Transaction<'_>,
    partition: Partition,
) -> Result<Vec<Saved>> {
    let sql = "
        SELECT rule_id, host_id, instance, state FROM alert_states WHERE partition = $1
        ORDER BY rule_id, host_id, instance";
    let rows = transaction
        .query(sql, &[&partition.number()])
        .await
        .with_context(|| format!("cannot read the states of {partition}"))?;
    Ok(rows.iter().filter_map(read).collect())
}

fn read(row: &Row) -> Option<Saved> {
    let (rule_id, host, instance): (i64, String, String) = (row.get(0), row.get(1), row.get(2));
    let state: Json<State> = match row.try_get(3) {
        Ok(state) => state,
        Err(reason) => {
            // What it stood for begins anew; to stop here would stop the whole partition.
            error!(rule.id = rule_id, host.id = host, "a state cannot be read: {reason}");
            return None;
        }
    };
    let host = if host.is_empty() { None } else { Some(host.try_into().ok()?) };
    Some(Saved { key: StateKey { rule_id, host, instance }, state: state.0 })
}

pub(crate) async fn save(
    transaction: &Transaction<'_>,
    partition: Partition,
    saved: &[Saved],
) -> Result<()> {
    if saved.is_empty() {
        return Ok(());
    }
    let sql = "
        INSERT INTO alert_states AS stored (partition, rule_id, host_id, instance, state)
        SELECT $1, rule_id, host_id, instance, state::jsonb
        FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[])
            AS new (rule_id, host_id, instance, state)
        ON CONFLICT (rule_id, host_id, instance) DO UPDATE
        SET partition = excluded.partition, state = excluded.state";
    let keys = Keys::of(saved.iter().map(|saved| &saved.key));
    let states: Vec<String> = saved
        .iter()
        .map(|saved| serde_json::to_string(&saved.state).context("a state cannot be written"))
        .collect::<Result<_>>()?;
    let statement = transaction.prepare_cached(sql).await?;
    let Keys { rules, hosts, instances } = keys;
    transaction
        .execute(&statement, &[&partition.number(), &rules, &hosts, &instances, &states])
        .await
        .with_context(|| format!("cannot save {} states", saved.len()))?;
    Ok(())
}

/// Only the partition's own: a group that another owner decides about by now has the same key.
pub(crate) async fn forget(
    transaction: &Transaction<'_>,
    partition: Partition,
    keys: &[StateKey],
) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let sql = "
        DELETE FROM alert_states AS stored
        USING unnest($1::bigint[], $2::text[], $3::text[]) AS gone (rule_id, host_id, instance)
        WHERE stored.rule_id = gone.rule_id AND stored.host_id = gone.host_id
          AND stored.instance = gone.instance AND stored.partition = $4";
    let Keys { rules, hosts, instances } = Keys::of(keys);
    let statement = transaction.prepare_cached(sql).await?;
    transaction
        .execute(&statement, &[&rules, &hosts, &instances, &partition.number()])
        .await
        .with_context(|| format!("cannot forget {} states", keys.len()))?;
    Ok(())
}

/// Keys as columns.
struct Keys<'a> {
    rules: Vec<i64>,
    hosts: Vec<&'a str>,
    instances: Vec<&'a str>,
}

impl<'a> Keys<'a> {
    fn of(keys: impl IntoIterator<Item = &'a StateKey>) -> Self {
        let mut columns = Self { rules: vec![], hosts: vec![], instances: vec![] };
        for key in keys {
            columns.rules.push(key.rule_id);
            columns.hosts.push(key.host.as_ref().map_or("", |host| host.as_str()));
            columns.instances.push(&key.instance);
        }
        columns
    }
}
