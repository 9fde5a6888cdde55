//! Rules about groups: which of the selected hosts are online, which of these are breached, and
//! whether that is too large a share. A host that goes offline while it is breached counts as both
//! until it speaks again: that it fell silent is no recovery.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Engine;
use super::said::{Change, Effect, Resolution};
use super::state::{HEARD_STEP_MS, Place};
use crate::rule::RuleCondition;

#[derive(Debug, Default)]
pub(super) struct Tally {
    online: BTreeSet<Arc<str>>,
    /// Those are among them.
    pub breached: BTreeSet<Arc<str>>,
}

impl Tally {
    fn share_percent(&self) -> f64 {
        if self.online.is_empty() {
            return 0.0;
        }
        100.0 * self.breached.len() as f64 / self.online.len() as f64
    }

    /// Answers whether it is another one than before.
    fn count(&mut self, name: &Arc<str>, is_online: bool, is_breached: bool) -> bool {
        fn put(set: &mut BTreeSet<Arc<str>>, name: &Arc<str>, belongs: bool) -> bool {
            if belongs { set.insert(Arc::clone(name)) } else { set.remove(name) }
        }
        let online = put(&mut self.online, name, is_online);
        put(&mut self.breached, name, is_breached) || online
    }
}

impl Engine {
    /// Counts every host for every group.
    pub(super) fn count_all(&mut self) {
        let groups = self.rules.values().filter(|rule| rule.is_group());
        self.groups = groups.map(|rule| (rule.rule.id, Tally::default())).collect();
        for name in self.names() {
            for rule in self.groups.keys().copied().collect::<Vec<i64>>() {
                self.count(rule, &name);
            }
        }
    }

    /// Counts one host anew, after it has changed.
    pub(super) fn count_host(&mut self, name: &Arc<str>, at: i64) {
        if self.is_loading {
            return;
        }
        for rule in self.groups.keys().copied().collect::<Vec<i64>>() {
            if self.count(rule, name) {
                self.judge_group(rule, at, true);
            }
        }
    }

    /// A breach of a host has ended whose state is not yet put back.
    pub(super) fn uncount(&mut self, place: &Place, at: i64) {
        let has_others = self
            .hosts
            .get(&place.host)
            .and_then(|host| host.states.get(&place.rule))
            .is_some_and(|states| states.values().any(|state| state.breach.is_some()));
        if let Some(tally) = self.groups.get_mut(&place.rule)
            && !has_others
            && tally.breached.remove(&place.host)
        {
            self.judge_group(place.rule, at, true);
        }
    }

    fn count(&mut self, rule: i64, name: &Arc<str>) -> bool {
        let (Some(known), Some(tally)) = (self.rules.get(&rule), self.groups.get_mut(&rule)) else {
            return false;
        };
        let host = self.hosts.get(name).filter(|_| !name.is_empty());
        let Some(host) = host else { return tally.count(name, false, false) };
        let is_selected = known.selector.holds(name, &host.labels);
        let states = host.states.get(&rule).into_iter().flat_map(|states| states.values());
        let is_breached = is_selected && states.into_iter().any(|state| state.breach.is_some());
        tally.count(name, is_breached || is_selected && !host.is_offline, is_breached)
    }

    /// Begins or ends the breach of the group as a whole; after a change also notes its share.
    pub(super) fn judge_group(&mut self, id: i64, at: i64, has_changed: bool) {
        let (Some(rule), Some(tally)) = (self.rules.get(&id).cloned(), self.groups.get(&id)) else {
            return;
        };
        let RuleCondition::Group(group) = &rule.rule.definition.condition else { return };
        let (share, limit) = (tally.share_percent(), group.share_percent);
        let place = Place::of_group(id);
        let breach = self.state(&place).and_then(|state| state.breach.as_ref());
        let noted_at = breach.map_or(at, |breach| breach.heard_at);
        let is_noted = !has_changed || at < noted_at.saturating_add(HEARD_STEP_MS);
        match (breach.is_some(), share > limit) {
            (false, false) => return,
            (true, true) if is_noted => return,
            _ => {}
        }
        let mut state = self.take(&place);
        if share <= limit {
            self.end(&place, &rule, &mut state, at, at, Resolution::Recovered);
        } else if let Some(breach) = &mut state.breach {
            (breach.value, breach.heard_at) = (Some(share), at);
            if let Some(ticket) = state.ticket.as_ref().filter(|ticket| ticket.is_open()) {
                let ticket = place.ticket(ticket.named_at);
                self.effects.push(Effect::Change { ticket, at, what: Change::Value(share) });
            }
        } else {
            self.begin_here(&place, &rule, &mut state, at, Some(share), Some(limit));
        }
        self.put(&place, state, at);
    }
}
