//! What the engine knows around the breaches: rules, silences, hosts and whether they are online.
//! When one of these changes, every state it concerns is looked at again.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_schemas::HostId;

use super::rules::{self, Known};
use super::said::{Change, Effect, Presence, Refused, Resolution, Saved};
use super::state::{Breach, Place, State};
use super::{Engine, Host, Scope};
use crate::rule::Rule;
use crate::silence::Silence;

impl Engine {
    pub(super) fn take_rules(&mut self, now: i64, rules: Vec<Rule>) {
        let scope = self.scope;
        let is_mine = |rule: &Rule| match scope {
            Scope::Everything => true,
            Scope::Groups => rule.definition.condition.is_group(),
            Scope::Hosts => !rule.definition.condition.is_group(),
        };
        let read = rules::read(rules.into_iter().filter(is_mine).collect());
        self.rules = read.known;
        for (id, rejection) in read.refused {
            let reason = rejection.to_string();
            self.effects.push(Effect::Refused { what: Refused::Rule, id, reason });
        }
        if !self.is_loading {
            self.reconcile_all(now);
        }
    }

    pub(super) fn take_silences(&mut self, now: i64, silences: &[Silence]) {
        self.silences.clear();
        for silence in silences {
            match silence.compile() {
                Ok(compiled) => self.silences.push(compiled),
                Err(rejection) => self.effects.push(Effect::Refused {
                    what: Refused::Silence,
                    id: silence.id,
                    reason: rejection.to_string(),
                }),
            }
        }
        if self.is_loading {
            return;
        }
        for place in self.all_places() {
            let Some(rule) = self.rules.get(&place.rule).cloned() else { continue };
            if self.state(&place).is_some_and(State::has_open_ticket) {
                let mut state = self.take(&place);
                self.reconsider_page(&place, &rule, &mut state, now);
                self.put(&place, state, now);
            }
        }
    }

    pub(super) fn host(
        &mut self,
        now: i64,
        id: &HostId,
        labels: BTreeMap<String, String>,
        clock_offset_ms: i64,
    ) {
        let is_known = self.hosts.contains_key(id.as_str());
        let name = self.name(id);
        let Some(host) = self.hosts.get_mut(&name) else { return };
        host.clock_offset_ms = clock_offset_ms;
        if is_known && host.labels == labels {
            return;
        }
        host.labels = labels;
        if !self.is_loading {
            self.reconcile_host(&name, now);
            self.count_host(&name, now);
        }
    }

    pub(super) fn remove_host(&mut self, now: i64, id: &HostId) {
        let name = self.name(id);
        for place in self.places_of(&name) {
            self.abandon(&place, now, Resolution::HostRemoved);
        }
        self.hosts.remove(&name);
        self.count_host(&name, now);
    }

    pub(super) fn presence(&mut self, id: &HostId, presence: Presence, at: i64) {
        let name = self.name(id);
        let Some(host) = self.hosts.get_mut(&name) else { return };
        let is_offline = presence == Presence::Offline;
        if host.is_told && host.is_offline == is_offline {
            return;
        }
        host.is_told = true;
        host.is_offline = is_offline;
        host.changed_at = at;
        self.judge_offline(&name, at, at);
        for place in self.places_of(&name) {
            self.reschedule(&place);
        }
        self.count_host(&name, at);
    }

    pub(super) fn restore(&mut self, saved: Vec<Saved>) {
        for Saved { key, state } in saved {
            let host = match &key.host {
                Some(id) => self.name(id),
                None => "".into(),
            };
            let instance = key.instance.as_str().into();
            let place = Place { host, rule: key.rule_id, instance };
            let old = self.take(&place);
            self.schedule(&place, old.timer, None);
            let host = self.hosts.entry(Arc::clone(&place.host)).or_default();
            let states = host.states.entry(place.rule).or_default();
            let state = Box::new(State { timer: None, is_dirty: false, ..state });
            states.insert(Arc::clone(&place.instance), state);
            self.reschedule(&place);
        }
    }

    /// The name under which a host is kept; a host nobody has told of has no labels.
    fn name(&mut self, id: &HostId) -> Arc<str> {
        if let Some((name, _)) = self.hosts.get_key_value(id.as_str()) {
            return Arc::clone(name);
        }
        let name: Arc<str> = id.as_str().into();
        self.hosts.insert(Arc::clone(&name), Host::default());
        name
    }

    fn places_of(&self, name: &Arc<str>) -> Vec<Place> {
        let Some(host) = self.hosts.get(name) else { return Vec::new() };
        let of = |(rule, states): (&i64, &BTreeMap<Arc<str>, Box<State>>)| {
            let place = |instance: &Arc<str>| Place {
                host: Arc::clone(name),
                rule: *rule,
                instance: Arc::clone(instance),
            };
            states.keys().map(place).collect::<Vec<Place>>()
        };
        host.states.iter().flat_map(of).collect()
    }

    /// In an order that does not depend on how the hosts are kept.
    pub(super) fn names(&self) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = self.hosts.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    fn all_places(&self) -> Vec<Place> {
        self.names().iter().flat_map(|name| self.places_of(name)).collect()
    }

    pub(super) fn reconcile_all(&mut self, now: i64) {
        for name in self.names() {
            self.reconcile_host(&name, now);
        }
        self.count_all();
        for rule in self.groups.keys().copied().collect::<Vec<i64>>() {
            self.judge_group(rule, now, false);
        }
    }

    /// Holds what is kept of a host against the rules and silences as they are.
    fn reconcile_host(&mut self, name: &Arc<str>, now: i64) {
        for place in self.places_of(name) {
            let rule = self.rules.get(&place.rule).cloned();
            if !rule.is_some_and(|rule| self.is_concerned(&place, &rule)) {
                self.abandon(&place, now, Resolution::RuleChanged);
            }
        }
        for place in self.places_of(name) {
            if let Some(rule) = self.rules.get(&place.rule).cloned() {
                self.reconcile(&place, &rule, now);
            }
        }
        let is_offline = self.hosts.get(name).is_some_and(|host| host.is_offline);
        if is_offline {
            let since = self.hosts.get(name).map_or(now, |host| host.changed_at);
            self.judge_offline(name, since, now);
        }
    }

    fn is_concerned(&self, place: &Place, rule: &Known) -> bool {
        let Some(host) = self.hosts.get(&place.host) else { return false };
        let is_same = self.state(place).is_some_and(|state| {
            state.breach.is_none() || state.condition_version == rule.condition_version
        });
        is_same && (place.is_of_group() || rule.selector.holds(&place.host, &host.labels))
    }

    fn reconcile(&mut self, place: &Place, rule: &Known, now: i64) {
        let held = self.state(place).and_then(|state| state.ticket.as_ref());
        let Some(ticket) = held else { return self.reschedule(place) };
        let is_orphaned = ticket.release_at.is_none()
            && ticket.superseded_by.as_ref().is_some_and(|by| !self.is_open(place, by.rule_id));
        let silence_is_over = ticket.is_open()
            && ticket.is_silenced
            && ticket.held_until.is_some_and(|until| until > now)
            && self.silenced_until(place, now).is_none();
        let priority = rule.rule.definition.priority;
        if !is_orphaned && !silence_is_over && ticket.priority == priority {
            return self.reschedule(place);
        }
        let mut state = self.take(place);
        if let Some(ticket) = &mut state.ticket {
            if is_orphaned {
                ticket.release_at = Some(now);
            }
            if std::mem::replace(&mut ticket.priority, priority) != priority && ticket.is_open() {
                let ticket = place.ticket(ticket.named_at);
                let what = Change::Priority(priority);
                self.effects.push(Effect::Change { ticket, at: now, what });
            }
        }
        if silence_is_over {
            self.reconsider_page(place, rule, &mut state, now);
        }
        self.put(place, state, now);
    }

    fn is_open(&self, place: &Place, rule: i64) -> bool {
        let other = Place { rule, ..place.clone() };
        self.state(&other).is_some_and(State::has_open_ticket)
    }

    /// Forgets a state for good; its ticket is over.
    fn abandon(&mut self, place: &Place, now: i64, how: Resolution) {
        let rule = self.rules.get(&place.rule).cloned();
        let mut state = self.take(place);
        self.close(place, rule.as_deref(), &mut state, now, how);
        self.drop_state(place, state.timer);
    }

    /// Begins or ends what rules about hosts being offline say of this one. Where a rule is younger
    /// than what it is about, that counts from `now`, with the silences of now.
    fn judge_offline(&mut self, name: &Arc<str>, at: i64, now: i64) {
        let offline: Vec<Arc<Known>> =
            self.rules.values().filter(|rule| rule.is_offline()).cloned().collect();
        for rule in offline {
            let Some(host) = self.hosts.get(name) else { return };
            let is_breached = host.is_offline && rule.selector.holds(name, &host.labels);
            let place = Place { host: Arc::clone(name), rule: rule.rule.id, instance: "".into() };
            let was_breached = self.state(&place).is_some_and(|state| state.breach.is_some());
            // A worker that loads looks at what has not begun once it knows what time it is.
            if is_breached == was_breached || (is_breached && self.is_loading) {
                continue;
            }
            let mut state = self.take(&place);
            if is_breached {
                self.begin_here(&place, &rule, &mut state, now, None, None);
                if let Some(breach) = &mut state.breach {
                    (breach.since, breach.begun_at) = (at, at);
                }
            } else {
                self.end(&place, &rule, &mut state, at, at, Resolution::Recovered);
            }
            self.put(&place, state, now);
        }
    }

    /// Begins a breach that is found here, not said by a host.
    pub(super) fn begin_here(
        &mut self,
        place: &Place,
        rule: &Known,
        state: &mut State,
        at: i64,
        value: Option<f64>,
        threshold: Option<f64>,
    ) {
        state.condition_version = rule.condition_version;
        state.changed_at = at;
        state.breach = Some(Breach {
            since: at,
            begun_at: at,
            named_at: at,
            known_from: at,
            heard_at: at,
            gap_ms: 0,
            settle_until: None,
            is_late: false,
            is_dismissed: false,
            value,
            threshold,
            context: None,
        });
        if state.count_begin(at) {
            self.mark_flapping(place, state, at);
        }
    }
}
