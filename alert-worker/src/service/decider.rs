//! What the owner of a partition makes of it, within the transaction that moves its offset.
//!
//! Whoever has a partition begins with what the last owner saved and what that one was told, and goes
//! on with what was not decided yet: candidates from the offset on, hosts that came and went, what
//! people did. Each is taken in the order of its time, and its effects are committed with the fence,
//! so that the outcome is the same whoever decides, and wherever one was killed.
//!
//! Whoever uses this commits after each call that said `true`. After anything else, a commit that
//! failed included, it is worth nothing any more and is loaded again.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::Result;
use deadpool_postgres::Transaction;
use muster_alerts::engine::{Effect, Fact, Scope, StateKey};
use muster_alerts::{Engine, TicketKey};
use muster_nats::ordered::Place;
use muster_schemas::{HostId, Partition};
use tracing::{debug, error};

use super::knowledge::{Known, Told};
use super::partition::{BrokenOver, is_about_content};
use crate::io::from_partition::{Batch, Heard};
use crate::io::inbox::{self, Dated};
use crate::io::lease::{self, Lease};
use crate::io::{states, tickets};
use crate::logic::continuity::Offset;
use crate::logic::writes::Writes;

/// How far behind the stream's end the offset of a quiet partition may be. Far less than the stream
/// keeps (24 h): a worker that finds its offset gone has missed something, and not only nothing.
const PASSED_AGE_MS_MAX: i64 = 60_000;

/// A name is a part of keys, and an index takes 2.7 kB of one. No mount point or interface that
/// anybody would look at comes near it.
const INSTANCE_BYTES_MAX: usize = 1_000;

pub(super) struct Decider {
    lease: Lease,
    offset: Offset,
    /// Up to when everything was heard, by the broker's clock; `None` where nothing ever was.
    heard_until: Option<i64>,
    /// Whether that was before this one had it.
    is_new: bool,
    engine: Engine,
    told: Told,
    /// Rules whose states were left where they are.
    unread: BTreeSet<i64>,
    /// Whether others have something to do now: events to publish, pages to gather.
    has_news: bool,
}

impl Decider {
    /// As it was left by whoever had the partition before; `None` where another has it now.
    pub(super) async fn load(
        transaction: &Transaction<'_>,
        lease: Lease,
        known: &Known,
    ) -> Result<Option<Self>> {
        let Some(offset) = lease::offset(transaction, lease).await? else { return Ok(None) };
        let partition = lease.partition;
        let scope = if partition == Partition::FLEET { Scope::Groups } else { Scope::Hosts };
        let mut engine = Engine::new(scope);
        engine.deaf_until(offset.heard_from.unwrap_or_default());
        let (told, facts) = Told::default().news(partition, known);
        let hosts: Vec<&str> = known.hosts_of(partition).map(|(host, _)| host.as_str()).collect();
        let presence = inbox::presence(transaction, partition, &hosts).await?;
        let mut saved = states::load(transaction, partition).await?;
        // To the engine a rule that it does not know is one that was deleted.
        let unread = known.unread_rules().clone();
        saved.retain(|saved| !unread.contains(&saved.key.rule_id));
        // Nothing is due at time 0, and nothing is decided before the first fact after it.
        for fact in facts.into_iter().chain([Fact::Restored(saved)]).chain(presence) {
            engine.observe(0, fact);
        }
        let (heard_until, has_news) = (offset.at, false);
        let is_new = true;
        Ok(Some(Self { lease, offset, heard_until, is_new, engine, told, unread, has_news }))
    }

    /// Whether a rule can be read by now whose states were not loaded.
    pub(super) fn has_to_begin_again(&self, known: &Known) -> bool {
        self.unread.iter().any(|rule| !known.unread_rules().contains(rule))
    }

    pub(super) fn offset(&self) -> &Offset {
        &self.offset
    }

    /// Decides about what came; `present` is the broker's time. `false`: the partition is not this
    /// worker's any more, or not where it was left, and nothing may be committed.
    pub(super) async fn handle(
        &mut self,
        transaction: &Transaction<'_>,
        stream_created_at: i64,
        (batch, present): (Batch, i64),
        known: &Known,
    ) -> Result<bool> {
        self.hear(batch.heard.iter().map(|heard| heard.stored_at).chain([batch.last_at]));
        let place = Place { seq: batch.last_seq, at_ms: batch.last_at };
        if !self.move_to(transaction, stream_created_at, place).await? {
            return Ok(false);
        }
        self.engine.catch_up(present);
        let mut facts: Vec<Dated> = batch.heard.into_iter().filter_map(candidate).collect();
        if known.waiting.contains(&self.lease.partition) {
            facts.extend(self.take_inbox(transaction, batch.last_at).await?);
            facts.sort_by_key(|(at, _)| *at);
        }
        self.observe(facts)?;
        self.take_news(batch.last_at, known)?;
        self.write(transaction).await?;
        Ok(true)
    }

    /// Decides about what has become due by `now`, up to which everything was heard; nothing up to
    /// `passed` in the stream is left for this partition, where that is known. `false` as above.
    /// `each_alone`: the database has refused it as a whole.
    pub(super) async fn tick(
        &mut self,
        transaction: &Transaction<'_>,
        stream_created_at: i64,
        (now, passed): (i64, Option<Place>),
        known: &Known,
        each_alone: bool,
    ) -> Result<bool> {
        self.hear([now]);
        self.engine.catch_up(now);
        let is_known = self.offset.stream_created_at == Some(stream_created_at);
        let place = passed.filter(|place| !is_known || place.seq > self.offset.seq);
        let is_kept = match place {
            Some(place) => self.move_to(transaction, stream_created_at, place).await?,
            None => self.fence(transaction, self.offset).await?,
        };
        if !is_kept {
            return Ok(false);
        }
        if known.waiting.contains(&self.lease.partition) {
            let facts = self.take_inbox(transaction, now).await?;
            self.observe(facts)?;
        }
        self.take_news(now, known)?;
        survive(|| self.engine.tick(now))?;
        if each_alone {
            self.write_each_alone(transaction).await?;
        } else {
            self.write(transaction).await?;
        }
        Ok(true)
    }

    /// When to tick at the latest, by the broker's clock; `None`: now.
    pub(super) fn next_deadline(&self, known: &Known) -> Option<i64> {
        let partition = self.lease.partition;
        if known.waiting.contains(&partition) || self.told.is_old(partition, known) {
            return None;
        }
        let heard_until = self.heard_until.filter(|_| !self.is_new)?;
        let passed = heard_until.saturating_add(PASSED_AGE_MS_MAX);
        Some(self.engine.next_deadline().map_or(passed, |due| due.min(passed)))
    }

    /// Whether something was decided that others have to see to; asked once after each commit.
    pub(super) fn take_has_news(&mut self) -> bool {
        std::mem::take(&mut self.has_news)
    }

    async fn take_inbox(&self, transaction: &Transaction<'_>, until: i64) -> Result<Vec<Dated>> {
        let partition = self.lease.partition;
        let mut facts = inbox::take_presence(transaction, partition, until).await?;
        facts.extend(inbox::take_commands(transaction, partition, until).await?);
        facts.sort_by_key(|(at, _)| *at);
        Ok(facts)
    }

    /// Notes when something was heard, in order: the engine is told before it decides about it.
    fn hear(&mut self, times: impl IntoIterator<Item = i64>) {
        for at in times {
            self.heard_until = Some(self.offset.hear(self.heard_until, at));
        }
        self.is_new = false;
        self.engine.deaf_until(self.offset.heard_from.unwrap_or_default());
    }

    fn observe(&mut self, facts: Vec<Dated>) -> Result<()> {
        facts.into_iter().try_for_each(|(at, fact)| survive(|| self.engine.observe(at, fact)))
    }

    /// What people have set since, and what hosts are called by now.
    fn take_news(&mut self, now: i64, known: &Known) -> Result<()> {
        let partition = self.lease.partition;
        if !self.told.is_old(partition, known) {
            return Ok(());
        }
        let (told, facts) = self.told.news(partition, known);
        self.told = told;
        self.observe(facts.into_iter().map(|fact| (now, fact)).collect())
    }

    async fn write(&mut self, transaction: &Transaction<'_>) -> Result<()> {
        let effects = self.engine.drain_effects();
        self.write_effects(transaction, effects).await
    }

    /// What the database takes of it: what it refuses for what it says is given up, and costs no
    /// other host or rule of the partition anything.
    async fn write_each_alone(&mut self, transaction: &Transaction<'_>) -> Result<()> {
        let mut places: BTreeMap<_, Vec<Effect>> = BTreeMap::new();
        for effect in self.engine.drain_effects() {
            places.entry(place_of(&effect)).or_default().push(effect);
        }
        for (place, effects) in places {
            transaction.batch_execute("SAVEPOINT place").await?;
            let Err(failure) = self.write_effects(transaction, effects).await else { continue };
            if !is_about_content(&failure) {
                return Err(failure);
            }
            transaction.batch_execute("ROLLBACK TO SAVEPOINT place").await?;
            let Some((rule_id, host, instance)) = place else { continue };
            metrics::counter!("muster_alert_unreadable_total").increment(1);
            error!(rule.id = rule_id, ?host, instance, "what was due is given up: {failure:#}");
            let key = StateKey { rule_id, host, instance };
            states::forget(transaction, self.lease.partition, &[key]).await?;
        }
        Ok(())
    }

    async fn write_effects(
        &mut self,
        transaction: &Transaction<'_>,
        effects: Vec<Effect>,
    ) -> Result<()> {
        let writes = Writes::of(effects);
        for (what, id, reason) in &writes.refused {
            error!("a {what:?} that is stored is left out: {id}: {reason}");
        }
        states::forget(transaction, self.lease.partition, &writes.forget).await?;
        states::save(transaction, self.lease.partition, &writes.save).await?;
        tickets::write(transaction, &writes).await?;
        count(&writes);
        self.has_news |= !writes.told.is_empty() || !writes.pages.is_empty();
        Ok(())
    }

    async fn move_to(
        &mut self,
        transaction: &Transaction<'_>,
        stream_created_at: i64,
        place: Place,
    ) -> Result<bool> {
        let to = Offset {
            seq: place.seq,
            at: Some(place.at_ms),
            stream_created_at: Some(stream_created_at),
            ..self.offset
        };
        self.fence(transaction, to).await
    }

    async fn fence(&mut self, transaction: &Transaction<'_>, to: Offset) -> Result<bool> {
        let moved = lease::fence(transaction, self.lease, &self.offset, to).await?;
        if let Some(offset) = moved {
            self.offset = offset;
        }
        Ok(moved.is_some())
    }
}

/// Rule, host and instance.
type PlaceKey = (i64, Option<HostId>, String);

fn place_of(effect: &Effect) -> Option<PlaceKey> {
    let state = |key: &StateKey| Some((key.rule_id, key.host.clone(), key.instance.clone()));
    let ticket = |key: &TicketKey| Some((key.rule_id, key.host.clone(), key.instance.clone()));
    match effect {
        Effect::Save(saved) => state(&saved.key),
        Effect::Forget(key) => state(key),
        Effect::Open(draft) => ticket(&draft.key),
        Effect::Change { ticket: key, .. } | Effect::Resolve { ticket: key, .. } => ticket(key),
        Effect::Page(request) => ticket(&request.ticket),
        Effect::Refused { .. } => None,
    }
}

/// A fact that the engine breaks over is one that cannot be kept, and no reason for the partition to
/// stand still. What is left of the engine is of no use any more, as after any failure.
fn survive(decide: impl FnOnce()) -> Result<()> {
    catch_unwind(AssertUnwindSafe(decide)).map_err(|_| BrokenOver.into())
}

fn candidate(heard: Heard) -> Option<Dated> {
    let Heard { stored_at, is_again, envelope } = heard;
    let (host, candidate) = (envelope.host, envelope.body);
    if candidate.instance.len() > INSTANCE_BYTES_MAX {
        left_out(&host);
        return None;
    }
    let candidate = Box::new(candidate);
    Some((stored_at, Fact::Candidate { host, stored_at, is_again, candidate }))
}

fn left_out(host: &HostId) {
    metrics::counter!("muster_alert_unreadable_total").increment(1);
    debug!(host.id = %host, "left out a candidate whose instance has too long a name");
}

fn count(writes: &Writes) {
    let tickets = [("opened", writes.open.len()), ("paged", writes.pages.len())];
    for (what, count) in tickets {
        metrics::counter!("muster_alert_decisions_total", "what" => what).increment(count as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_that_the_engine_breaks_over_is_one_that_cannot_be_kept() {
        assert!(survive(|| ()).is_ok());
        let failure = survive(|| assert!(std::env::args().count() == usize::MAX)).unwrap_err();
        assert!(is_about_content(&failure));
    }
}
