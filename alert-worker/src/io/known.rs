//! What people have set and what is known of hosts: rules, silences, labels. Read as a whole when
//! it has changed, and looked at often, because that is one cheap statement.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use muster_alerts::silence::Recurrence;
use muster_alerts::{Rule, RuleDefinition, Silence, TicketKey};
use muster_schemas::{HostId, Partition};
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use tracing::error;

/// Commands of people of which one look tells; more wait for the next.
const COMMANDS_MAX: i64 = 1_000;

/// What one look tells.
pub(crate) struct Marks {
    /// Another one with each change of a rule.
    pub(crate) rules: String,
    pub(crate) silences: String,
    /// For whom something waits: a host that came or went, or what a person did.
    pub(crate) waiting: BTreeSet<Partition>,
}

/// A host as rules see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) labels: BTreeMap<String, String>,
    /// To the second: what matters are minutes.
    pub(crate) clock_offset_ms: Option<i64>,
}

pub(crate) async fn look(pool: &Pool) -> Result<Marks> {
    let sql = "
        SELECT
            (SELECT concat_ws('/', (SELECT version FROM rule_changes), sum(version), count(*),
                count(deleted_at)) FROM rules),
            (SELECT concat_ws('/', max(id), count(*), count(ended_at)) FROM silences),
            ARRAY(SELECT DISTINCT partition FROM presence_changes),
            ARRAY(SELECT alert_key FROM alert_commands ORDER BY id LIMIT $1)";
    let client = pool.get().await.context("no connection to the database")?;
    let statement = client.prepare_cached(sql).await?;
    let row = client
        .query_one(&statement, &[&COMMANDS_MAX])
        .await
        .context("cannot look what people have changed")?;
    let partitions: Vec<i32> = row.get(2);
    let keys: Vec<String> = row.get(3);
    let waiting = partitions.into_iter().filter_map(Partition::from_number);
    let commands = keys.iter().map(|key| partition_of(key));
    Ok(Marks {
        rules: row.get(0),
        silences: row.get(1),
        waiting: waiting.chain(commands).collect(),
    })
}

/// Who decides about a ticket; what is no ticket's key is the fleet's, which throws it away.
pub(crate) fn partition_of(key: &str) -> Partition {
    let host = key.parse::<TicketKey>().ok().and_then(|key| key.host);
    host.map_or(Partition::FLEET, |host| Partition::of(&host))
}

/// The rules in force.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    pub(crate) read: Vec<Rule>,
    /// Ids of those that only a newer worker understands.
    pub(crate) unread: BTreeSet<i64>,
}

impl Rules {
    /// Goes on with a rule as it was where its change cannot be read: what it has opened stays.
    pub(crate) fn after(mut self, before: &Self) -> Self {
        let known = before.read.iter().filter(|rule| self.unread.contains(&rule.id));
        self.read.extend(known.cloned());
        self.read.sort_by_key(|rule| rule.id);
        self.unread.retain(|id| !before.read.iter().any(|rule| rule.id == *id));
        self
    }
}

pub(crate) async fn rules(pool: &Pool) -> Result<Rules> {
    let sql = "SELECT id, version, definition FROM rules WHERE deleted_at IS NULL ORDER BY id";
    let client = pool.get().await.context("no connection to the database")?;
    let rows = client.query(sql, &[]).await.context("cannot read the rules")?;
    let mut rules = Rules::default();
    for row in &rows {
        let (id, version) = (row.get(0), row.get(1));
        match row.try_get::<_, Json<RuleDefinition>>(2) {
            Ok(definition) => rules.read.push(Rule { id, version, definition: definition.0 }),
            Err(reason) => {
                error!(rule.id = id, "a rule cannot be read, its tickets stay: {reason}");
                rules.unread.insert(id);
            }
        }
    }
    Ok(rules)
}

/// All but those that have been over for a day: what is decided late is decided as it was then.
pub(crate) async fn silences(pool: &Pool) -> Result<Vec<Silence>> {
    let sql = "
        SELECT id, selector, rule_id, reason, author,
               (extract(epoch FROM starts_at) * 1000)::bigint,
               (extract(epoch FROM least(ends_at, ended_at)) * 1000)::bigint, recurrence
        FROM silences
        WHERE coalesce(least(ends_at, ended_at), 'infinity') > now() - interval '1 day'
          AND coalesce(ended_at, 'infinity') > starts_at
        ORDER BY id";
    let client = pool.get().await.context("no connection to the database")?;
    let rows = client.query(sql, &[]).await.context("cannot read the silences")?;
    let read = |row: &Row| {
        let id = row.get(0);
        let recurrence = match row.try_get::<_, Option<Json<Recurrence>>>(7) {
            Ok(recurrence) => recurrence.map(|recurrence| recurrence.0),
            Err(reason) => {
                error!(silence.id = id, "a silence cannot be read and is left out: {reason}");
                return None;
            }
        };
        Some(Silence {
            id,
            selector: row.get(1),
            rule_id: row.get(2),
            reason: row.get(3),
            author: row.get(4),
            starts_at: row.get(5),
            ends_at: row.get(6),
            recurrence,
        })
    };
    Ok(rows.iter().filter_map(read).collect())
}

/// All hosts, by partition.
pub(crate) async fn hosts(pool: &Pool) -> Result<BTreeMap<Partition, BTreeMap<HostId, Host>>> {
    let sql = "
        SELECT coalesce(hosts.id, presence.host_id), coalesce(hosts.labels, '{}'),
               (round(presence.clock_offset_ms / 1000.0) * 1000)::bigint
        FROM hosts
        FULL JOIN host_presence AS presence ON presence.host_id = hosts.id";
    let client = pool.get().await.context("no connection to the database")?;
    let rows = client.query(sql, &[]).await.context("cannot read the hosts")?;
    let mut hosts: BTreeMap<Partition, BTreeMap<HostId, Host>> = BTreeMap::new();
    for row in &rows {
        let Ok(id) = HostId::try_from(row.get::<_, String>(0)) else { continue };
        let labels = serde_json::from_value(row.get(1)).unwrap_or_default();
        let host = Host { labels, clock_offset_ms: row.get(2) };
        hosts.entry(Partition::of(&id)).or_default().insert(id, host);
    }
    Ok(hosts)
}

/// Makes the rules of a new installation, once in its life: what people delete stays deleted.
/// Answers how many.
pub(crate) async fn make_default_rules(pool: &Pool) -> Result<usize> {
    let mut client = pool.get().await.context("no connection to the database")?;
    let transaction = client.transaction().await?;
    // A second worker waits here until the first is done, and then has nothing to do.
    let sql = "INSERT INTO done_once (name) VALUES ('default rules') ON CONFLICT DO NOTHING";
    if transaction.execute(sql, &[]).await.context("cannot see whether there are rules")? == 0 {
        return Ok(0);
    }
    let rules = muster_alerts::defaults::default_rules();
    let sql = "
        WITH made AS (
            INSERT INTO rules (definition, is_default) VALUES ($1, true)
            RETURNING id, version, definition
        )
        INSERT INTO rule_versions (rule_id, version, definition)
        SELECT id, version, definition FROM made";
    for rule in &rules {
        transaction.execute(sql, &[&Json(rule)]).await.context("cannot make a default rule")?;
    }
    // As all that concerns agents: versions grow in the order of commits.
    let sql = "
        LOCK TABLE agent_settings IN SHARE ROW EXCLUSIVE MODE;
        UPDATE rule_changes SET version = nextval('agent_settings_version')";
    transaction.batch_execute(sql).await.context("cannot note that there are rules")?;
    transaction.commit().await.context("cannot make the default rules")?;
    Ok(rules.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_whose_change_cannot_be_read_goes_on_as_it_was() {
        let rule = |id| {
            let definition = muster_alerts::defaults::default_rules().remove(0);
            Rule { id, version: 1, definition }
        };
        let ids = |rules: &Rules| rules.read.iter().map(|rule| rule.id).collect::<Vec<_>>();
        let before = Rules { read: vec![rule(1), rule(2)], unread: BTreeSet::new() };
        let now = Rules { read: vec![rule(2)], unread: [1, 3].into() }.after(&before);
        assert_eq!((ids(&now), now.unread), (vec![1, 2], BTreeSet::from([3])));
    }

    #[test]
    fn what_people_do_to_a_ticket_is_for_the_owner_of_its_host() {
        let host = Partition::of(&"web-3".parse().unwrap());
        assert_eq!(partition_of("7/web-3//var/1732100000123"), host);
        assert_eq!(partition_of("7///1732100000123"), Partition::FLEET);
        assert_eq!(partition_of("nonsense"), Partition::FLEET);
    }
}
