//! The decision: when a breach becomes a ticket, when a ticket ends, and who is told.
//!
//! For each (rule, host, instance): calm, then pending while a breach lasts, firing once it has
//! lasted for the rule's duration, cooldown after its end, calm again.
//!
//! - **Time** is the bus's: when the broker stored a message. Durations are the host's, `at -
//!   since`, so that neither a wrong clock nor a slow way shortens or lengthens them.
//! - **Deadlines** that are due before a fact are run first and dated at the deadline. The outcome
//!   therefore depends neither on when [`Engine::tick`] is called, nor on how facts are cut into
//!   batches, nor on where a worker was killed and its rows were loaded again. In return a caller
//!   ticks with the time up to which it has read everything, not with its own clock's.
//! - **One ticket per episode.** A dip begins the duration anew. Within the cooldown after an end a
//!   new breach opens nothing; it fires after it, if it still holds.
//! - **Supersession.** A higher priority of the same metric and instance on the same host takes the
//!   lower one's place. When it ends and the lower one still holds, that goes on without a page. A
//!   rule that fires at the same moment as a higher one waits for it a little.
//! - **Flapping.** More than five beginnings in half an hour: the ticket says so, stays open over
//!   the gaps, and pages are held until it has been quiet for ten minutes.
//! - **Silences** open tickets, marked; nobody is paged until they end, and then only if it still
//!   holds. Who was told that it began is told that it ended, whatever holds by then.
//! - **Inhibition.** What is pending when a host goes offline waits until the host speaks again, and
//!   its tickets escalate no further; rules about hosts being offline and about groups go on.
//! - **Silence of the host.** A host that is online and does not speak of its breach for long has
//!   forgotten it (its agent was restarted): the breach is over.
//! - **Late truth.** What was said more than five minutes before it was stored is judged in event
//!   time: its ticket is marked late and nobody is paged, unless the breach turns out to go on. So
//!   is what was sent again; and what is not newer than what is known changes nothing.
//!
//! - **Outages of our own.** Where nothing could be heard for a while ([`Engine::deaf_until`]),
//!   nobody was silent, and what was pending or waits to be escalated waits until the host speaks
//!   again. A worker that is behind says so by [`Engine::catch_up`]: a page that is
//!   more than ten minutes old waits until then, and is not sent if it was over before. Its ticket
//!   is marked late until it pages.
//!
//! - **Directories** that fill a disk are found after it is full: a breach or an open ticket that
//!   knows of none takes the first it is told, and no others.
//!
//! A worker that takes hosts over observes, all at time 0, rules, silences, hosts, what was saved
//! and presence; then the facts that follow what was committed with it. Nothing is due at time 0,
//! and nothing is decided until the first fact or tick after it.
//!
//! Only what is not calm is kept, of as many instances of a rule on a host as agents follow: no host
//! can fill a worker or its database by making names up. The alert worker calls this for its partitions, and the backtest
//! for a draft of a rule.

mod breach;
mod group;
mod known;
mod paging;
mod rules;
mod said;
mod state;
mod ticket;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

pub use said::{
    Change, Effect, Fact, PageKind, PageRequest, Presence, Refused, Resolution, Saved, Scope,
    StateKey, TicketContext, TicketDraft,
};
pub use state::State;

use crate::silence;
use group::Tally;
use rules::Known;
use state::Place;

#[derive(Debug)]
pub struct Engine {
    scope: Scope,
    rules: BTreeMap<i64, Arc<Known>>,
    silences: Vec<silence::Compiled>,
    /// By id; the group of all hosts is the one without a name.
    hosts: HashMap<Arc<str>, Host>,
    groups: BTreeMap<i64, Tally>,
    timers: BTreeSet<(i64, Place)>,
    /// What has to be saved or forgotten; some of it twice.
    dirty: Vec<Place>,
    effects: Vec<Effect>,
    is_loading: bool,
    /// What time it is on the bus, where that was told.
    present: i64,
    /// Before this nothing could be heard for a while, whoever spoke.
    heard_from: i64,
}

#[derive(Debug, Default)]
struct Host {
    labels: BTreeMap<String, String>,
    clock_offset_ms: i64,
    is_offline: bool,
    /// Whether anybody has said yet that it is online or offline, and since when it is.
    is_told: bool,
    changed_at: i64,
    /// Boxed, because a map keeps room for eleven where most hold one.
    states: BTreeMap<i64, BTreeMap<Arc<str>, Box<State>>>,
}

impl Engine {
    pub fn new(scope: Scope) -> Self {
        Self {
            scope,
            rules: BTreeMap::new(),
            silences: Vec::new(),
            hosts: HashMap::from([("".into(), Host::default())]),
            groups: BTreeMap::new(),
            timers: BTreeSet::new(),
            dirty: Vec::new(),
            effects: Vec::new(),
            is_loading: true,
            present: 0,
            heard_from: 0,
        }
    }

    /// Takes a fact of this time: for a candidate when the broker stored it, for a decision of
    /// people or of presence its own time; 0 while a worker loads.
    pub fn observe(&mut self, now: i64, fact: Fact) {
        self.advance(now);
        match fact {
            Fact::Candidate { host, stored_at, is_again, candidate } => {
                self.candidate(&host, stored_at, is_again, *candidate);
            }
            Fact::Presence { host, presence, at } => self.presence(&host, presence, at),
            Fact::Host { host, labels, clock_offset_ms } => {
                self.host(now, &host, labels, clock_offset_ms.unwrap_or_default());
            }
            Fact::HostRemoved { host } => self.remove_host(now, &host),
            Fact::Rules(rules) => self.take_rules(now, rules),
            Fact::Silences(silences) => self.take_silences(now, &silences),
            Fact::Acknowledged { ticket, by, at } => self.acknowledge(&ticket, by, at),
            Fact::Unacknowledged { ticket, by, at } => self.unacknowledge(&ticket, by, at),
            Fact::Resolved { ticket, by, at } => self.resolve(&ticket, by, at),
            Fact::Restored(saved) => self.restore(saved),
        }
        self.run_due(now);
    }

    /// Tells what time it is on the bus, before what was heard until then. What is decided of long
    /// before is history: nobody is paged of it before this time, and then only if it still holds.
    pub fn catch_up(&mut self, present: i64) {
        self.present = self.present.max(present);
    }

    /// Tells that nothing could be heard for a while before this time, by an outage of the bus or of
    /// ourselves: whoever was silent meanwhile need not have been, and what was said before is no
    /// evidence of what holds now. To be said before anything is observed that comes after it.
    pub fn deaf_until(&mut self, heard_from: i64) {
        self.heard_from = self.heard_from.max(heard_from);
    }

    /// Runs what is due up to the time until which everything was observed.
    pub fn tick(&mut self, now: i64) {
        self.advance(now);
    }

    /// The earliest time at which a tick has an effect, if nothing is observed until then.
    pub fn next_deadline(&self) -> Option<i64> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// What is to be done, in order; the states last, each at most once.
    pub fn drain_effects(&mut self) -> Vec<Effect> {
        let mut effects = std::mem::take(&mut self.effects);
        let mut forgotten = BTreeSet::new();
        for place in std::mem::take(&mut self.dirty) {
            if let Some(state) = self.state_mut(&place) {
                if std::mem::take(&mut state.is_dirty) {
                    let state = State { timer: None, ..state.clone() };
                    effects.push(Effect::Save(Saved { key: place.key(), state }));
                }
            } else if forgotten.insert(place.clone()) {
                effects.push(Effect::Forget(place.key()));
            }
        }
        effects
    }

    /// How many (rule, host, instance) are not calm.
    pub fn states_count(&self) -> usize {
        self.hosts.values().flat_map(|host| host.states.values()).map(BTreeMap::len).sum()
    }

    fn advance(&mut self, now: i64) {
        if now <= 0 {
            return;
        }
        let was_loading = std::mem::take(&mut self.is_loading);
        if was_loading {
            self.count_all();
        }
        self.run_due(now);
        if was_loading {
            self.reconcile_all(now);
            self.run_due(now);
        }
    }

    fn run_due(&mut self, now: i64) {
        if self.is_loading {
            return;
        }
        while self.timers.first().is_some_and(|(at, _)| *at <= now) {
            let Some((at, place)) = self.timers.pop_first() else { return };
            let due = self.state(&place).and_then(|state| self.next_timer(&place, state));
            if let Some(state) = self.state_mut(&place) {
                state.timer = None;
            }
            // What was said meanwhile has put it off.
            if due.is_none_or(|due| due > at) {
                self.reschedule(&place);
                continue;
            }
            let mut state = self.take(&place);
            self.due(&place, &mut state, at);
            // Whatever comes next comes later: no mistake in a deadline may make this turn in
            // place.
            self.put_after(&place, state, at, at + 1);
        }
    }

    /// All that is due at this time for one state, in the order in which it would have come.
    fn due(&mut self, place: &Place, state: &mut State, at: i64) {
        let Some(rule) = self.rules.get(&place.rule).cloned() else { return };
        self.end_unheard(place, &rule, state, at);
        self.end_flapping(place, &rule, state, at);
        self.release(place, &rule, state, at);
        if state.ticket.is_none() && self.fires_at(place, &rule, state).is_some_and(|due| due <= at)
        {
            self.fire(place, &rule, state, at);
        }
        self.consider_page(place, &rule, state, at);
    }

    fn state(&self, place: &Place) -> Option<&State> {
        let states = self.hosts.get(&place.host)?.states.get(&place.rule)?;
        states.get(&place.instance).map(|state| &**state)
    }

    fn state_mut(&mut self, place: &Place) -> Option<&mut State> {
        let states = self.hosts.get_mut(&place.host)?.states.get_mut(&place.rule)?;
        states.get_mut(&place.instance).map(|state| &mut **state)
    }

    /// Takes a state out, to be changed and put back; a calm one is made anew.
    fn take(&mut self, place: &Place) -> Box<State> {
        let states =
            self.hosts.get_mut(&place.host).and_then(|host| host.states.get_mut(&place.rule));
        states.and_then(|states| states.remove(&place.instance)).unwrap_or_default()
    }

    fn put(&mut self, place: &Place, state: Box<State>, now: i64) {
        self.put_after(place, state, now, i64::MIN);
    }

    /// Puts a state back, to be looked at when it is due but not before `earliest`.
    fn put_after(&mut self, place: &Place, mut state: Box<State>, now: i64, earliest: i64) {
        if !std::mem::replace(&mut state.is_dirty, true) {
            self.dirty.push(place.clone());
        }
        let is_member =
            !place.is_of_group() && self.rules.get(&place.rule).is_some_and(|rule| rule.is_group());
        if state.is_calm(now) || (is_member && state.breach.is_none()) {
            self.drop_state(place, state.timer);
            return;
        }
        let next = self.next_timer(place, &state).map(|at| at.max(earliest));
        // Most of what is said puts something off: it is then looked at when it was due before.
        let next = state.timer.filter(|old| next.is_some_and(|next| *old <= next)).or(next);
        self.schedule(place, state.timer, next);
        state.timer = next;
        let host = self.hosts.entry(Arc::clone(&place.host)).or_default();
        host.states.entry(place.rule).or_default().insert(Arc::clone(&place.instance), state);
    }

    fn drop_state(&mut self, place: &Place, timer: Option<i64>) {
        self.schedule(place, timer, None);
        self.dirty.push(place.clone());
        let Some(host) = self.hosts.get_mut(&place.host) else { return };
        if let Some(states) = host.states.get_mut(&place.rule) {
            states.remove(&place.instance);
            if states.is_empty() {
                host.states.remove(&place.rule);
            }
        }
    }

    fn schedule(&mut self, place: &Place, old: Option<i64>, new: Option<i64>) {
        if old == new {
            return;
        }
        if let Some(at) = old {
            self.timers.remove(&(at, place.clone()));
        }
        if let Some(at) = new {
            self.timers.insert((at, place.clone()));
        }
    }

    /// Finds anew when a state is due, after something around it has changed.
    fn reschedule(&mut self, place: &Place) {
        let Some(state) = self.state(place) else { return };
        let (old, new) = (state.timer, self.next_timer(place, state));
        self.schedule(place, old, new);
        if let Some(state) = self.state_mut(place) {
            state.timer = new;
        }
    }

    fn next_timer(&self, place: &Place, state: &State) -> Option<i64> {
        let rule = self.rules.get(&place.rule)?;
        let host = self.hosts.get(&place.host)?;
        let mut due: [Option<i64>; 5] = [None; 5];
        if let Some(breach) = &state.breach {
            if rule.is_heard(place) && !host.is_offline {
                due[0] = Some(breach.unheard_at(self.heard_since(host)));
            }
            if rule.is_group() && !place.is_of_group() {
                return due[0];
            }
        }
        if state.ticket.is_none() {
            due[1] = match state.breach {
                Some(_) => self.fires_at(place, rule, state),
                None => Some(state.forget_at()),
            };
        }
        if state.is_flapping {
            due[2] = Some(state.quiet_at());
        }
        if let Some(ticket) = &state.ticket {
            // Without a breach, between two of a flapping one, there is nothing that could go on.
            let goes_on = state.breach.as_ref().is_some_and(|breach| !breach.is_late);
            due[3] = ticket.release_at.filter(|_| goes_on);
            due[4] = ticket.page_due_at(rule);
        }
        due.into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests;
