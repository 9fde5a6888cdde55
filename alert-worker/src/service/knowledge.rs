//! What all partitions of a worker have to know: rules, silences, hosts and their labels, and for
//! whom something waits. One task reads it; each partition is told of what has changed for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use deadpool_postgres::Pool;
use muster_alerts::Silence;
use muster_alerts::engine::Fact;
use muster_schemas::{HostId, Partition};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::io::known::{self, Host, Rules};

/// How often to look: a person who acknowledges a ticket waits for this.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often to read the hosts: until then the rules of a new one go by no labels. Ten thousand are
/// some milliseconds of the database.
const HOSTS_EVERY: Duration = Duration::from_secs(10);

type Hosts = BTreeMap<HostId, Host>;

/// As of the last look.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    rules: Arc<Rules>,
    silences: Arc<Vec<Silence>>,
    hosts: BTreeMap<Partition, Arc<Hosts>>,
    pub(super) waiting: BTreeSet<Partition>,
}

impl Known {
    /// Of which rules the states are to be left as they are.
    pub(super) fn unread_rules(&self) -> &BTreeSet<i64> {
        &self.rules.unread
    }

    pub(super) fn hosts_of(&self, partition: Partition) -> impl Iterator<Item = (&HostId, &Host)> {
        let concerned = self.hosts.iter().filter(move |(of, _)| concerns(**of, partition));
        concerned.flat_map(|(_, hosts)| hosts.iter())
    }
}

fn concerns(hosts: Partition, owner: Partition) -> bool {
    owner == Partition::FLEET || hosts == owner
}

/// What a partition was told of it.
#[derive(Debug, Default)]
pub(super) struct Told {
    known: Option<Known>,
}

impl Told {
    pub(super) fn is_old(&self, partition: Partition, new: &Known) -> bool {
        let Some(old) = &self.known else { return true };
        !Arc::ptr_eq(&old.rules, &new.rules)
            || !Arc::ptr_eq(&old.silences, &new.silences)
            || changed(&old.hosts, &new.hosts, partition).next().is_some()
    }

    /// What there is to tell, and what was told then. Hosts come before the rules about them.
    pub(super) fn news(&self, partition: Partition, new: &Known) -> (Self, Vec<Fact>) {
        let mut facts = Vec::new();
        let none = Known::default();
        let old = self.known.as_ref().unwrap_or(&none);
        for (old, new) in changed(&old.hosts, &new.hosts, partition) {
            facts.extend(host_facts(old.map_or(&Hosts::new(), |hosts| hosts), new));
        }
        if self.known.is_none() || !Arc::ptr_eq(&old.silences, &new.silences) {
            facts.push(Fact::Silences(new.silences.to_vec()));
        }
        if self.known.is_none() || !Arc::ptr_eq(&old.rules, &new.rules) {
            facts.push(Fact::Rules(new.rules.read.clone()));
        }
        (Self { known: Some(new.clone()) }, facts)
    }
}

/// The hosts' partitions in which something is another, for an owner.
fn changed<'a>(
    old: &'a BTreeMap<Partition, Arc<Hosts>>,
    new: &'a BTreeMap<Partition, Arc<Hosts>>,
    owner: Partition,
) -> impl Iterator<Item = (Option<&'a Hosts>, &'a Hosts)> {
    let own = new.iter().filter(move |(of, _)| concerns(**of, owner));
    own.filter_map(move |(of, new)| {
        let old = old.get(of);
        let is_same = old.is_some_and(|old| Arc::ptr_eq(old, new));
        (!is_same).then(|| (old.map(|old| &**old), &**new))
    })
}

fn host_facts(old: &Hosts, new: &Hosts) -> Vec<Fact> {
    let gone = old.keys().filter(|host| !new.contains_key(*host));
    let gone = gone.map(|host| Fact::HostRemoved { host: host.clone() });
    let fresh = new.iter().filter(|(host, is)| old.get(*host) != Some(is));
    let fresh = fresh.map(|(host, is)| Fact::Host {
        host: host.clone(),
        labels: is.labels.clone(),
        clock_offset_ms: is.clock_offset_ms,
    });
    gone.chain(fresh).collect()
}

/// Keeps looking until told to stop. Nothing is told before the first look has succeeded.
pub(super) async fn keep_looking(
    pool: Pool,
    known: watch::Sender<Option<Arc<Known>>>,
    stop: CancellationToken,
) -> Result<()> {
    let mut reader = Reader::default();
    let mut is_away = false;
    while !stop.is_cancelled() {
        match reader.look(&pool).await {
            Ok(()) => {
                is_away = false;
                known.send_replace(Some(Arc::new(reader.known.clone())));
            }
            Err(error) if !is_away => {
                is_away = true;
                warn!("decides by the rules as they were: {error:#}");
            }
            Err(_) => {}
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(LOOK_EVERY) => {}
        }
    }
    Ok(())
}

#[derive(Default)]
struct Reader {
    known: Known,
    rules: Option<String>,
    silences: Option<String>,
    hosts_read: Option<Instant>,
}

impl Reader {
    async fn look(&mut self, pool: &Pool) -> Result<()> {
        let marks = known::look(pool).await?;
        if self.rules.as_ref() != Some(&marks.rules) {
            let read = known::rules(pool).await?;
            self.known.rules = Arc::new(read.after(&self.known.rules));
            self.rules = Some(marks.rules);
        }
        if self.silences.as_ref() != Some(&marks.silences) {
            self.known.silences = Arc::new(known::silences(pool).await?);
            self.silences = Some(marks.silences);
        }
        if self.hosts_read.is_none_or(|read| read.elapsed() >= HOSTS_EVERY) {
            self.take_hosts(known::hosts(pool).await?);
            self.hosts_read = Some(Instant::now());
        }
        self.known.waiting = marks.waiting;
        Ok(())
    }

    /// Partitions in which nothing is another stay the same.
    fn take_hosts(&mut self, mut new: BTreeMap<Partition, Hosts>) {
        // One whose last host is gone has to be told so.
        for partition in self.known.hosts.keys() {
            new.entry(*partition).or_default();
        }
        for (partition, hosts) in new {
            let old = self.known.hosts.get(&partition);
            if old.is_none_or(|old| **old != hosts) {
                self.known.hosts.insert(partition, Arc::new(hosts));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(label: &str) -> Host {
        Host { labels: [("role".to_owned(), label.to_owned())].into(), clock_offset_ms: None }
    }

    fn read(hosts: &[(&str, &str)]) -> BTreeMap<Partition, Hosts> {
        let mut read: BTreeMap<Partition, Hosts> = BTreeMap::new();
        for (id, label) in hosts {
            let id: HostId = id.parse().unwrap();
            read.entry(Partition::of(&id)).or_default().insert(id, host(label));
        }
        read
    }

    fn names(facts: &[Fact]) -> Vec<String> {
        let name = |fact: &Fact| match fact {
            Fact::Host { host, .. } => format!("host {host}"),
            Fact::HostRemoved { host } => format!("gone {host}"),
            Fact::Rules(_) => "rules".into(),
            Fact::Silences(_) => "silences".into(),
            fact => format!("{fact:?}"),
        };
        facts.iter().map(name).collect()
    }

    #[test]
    fn a_partition_is_told_of_what_has_changed_for_it_and_of_nothing_else() {
        let (mut reader, fleet) = (Reader::default(), Partition::FLEET);
        reader.take_hosts(read(&[("web-1", "a"), ("web-2", "a")]));
        let first = reader.known.clone();
        let (told, facts) = Told::default().news(fleet, &first);
        assert_eq!(facts.len(), 4);
        assert_eq!(names(&facts)[2..], ["silences", "rules"]);
        assert!(!told.is_old(fleet, &first));

        reader.take_hosts(read(&[("web-1", "a"), ("web-2", "b")]));
        let second = reader.known.clone();
        let (own, other) = ("web-2".parse().unwrap(), "web-1".parse().unwrap());
        assert_ne!(Partition::of(&own), Partition::of(&other));
        assert!(told.is_old(fleet, &second) && told.is_old(Partition::of(&own), &second));
        assert!(!told.is_old(Partition::of(&other), &second));
        assert_eq!(names(&told.news(fleet, &second).1), ["host web-2"]);

        reader.take_hosts(read(&[("web-1", "a")]));
        assert_eq!(names(&told.news(fleet, &reader.known).1), ["gone web-2"]);
    }
}
