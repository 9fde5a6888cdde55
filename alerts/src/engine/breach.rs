//! From what hosts say to breaches that begin, go on and end.

use std::ops::Bound;
use std::sync::Arc;

use muster_schemas::HostId;
use muster_schemas::conditions::{Candidate, CandidateState, Context, INSTANCES_MAX};

use super::rules::Known;
use super::said::{Change, Effect, Resolution};
use super::state::{Breach, HEARD_STEP_MS, Place, QUIET_MS, State, Ticket, UNTIL_TOLD};
use super::{Engine, Host};

/// What was said longer ago than this when it was stored is late: an agent that was cut off, not a
/// slow way.
const LATE_MS: i64 = 300_000;

/// A breach that claims to be older than a month has a clock that was moved under it.
const LASTED_MS_MAX: i64 = 30 * 86_400_000;

/// When something was said, in the bus's time.
#[derive(Debug, Clone, Copy)]
struct Times {
    stored_at: i64,
    /// Of what it tells: the same, but for what came late.
    at: i64,
    begun_at: i64,
    is_late: bool,
    is_again: bool,
}

impl Times {
    fn of(stored_at: i64, clock_offset_ms: i64, is_again: bool, candidate: &Candidate) -> Self {
        let said_at = candidate.at.saturating_sub(clock_offset_ms).min(stored_at);
        let is_late = is_again || stored_at.saturating_sub(said_at) > LATE_MS;
        let at = if is_late { said_at } else { stored_at };
        let lasted = candidate.at.saturating_sub(candidate.since).clamp(0, LASTED_MS_MAX);
        Self { stored_at, at, begun_at: at - lasted, is_late, is_again }
    }
}

impl Known {
    /// Whether hosts speak of it, so that their silence means something.
    pub(super) fn is_heard(&self, place: &Place) -> bool {
        !self.is_offline() && !place.is_of_group()
    }
}

impl State {
    pub(super) fn quiet_at(&self) -> i64 {
        self.changed_at.saturating_add(QUIET_MS)
    }

    /// Whether this says only what is known already. Most of what is said does.
    fn is_known(&self, heard_since: i64, candidate: &Candidate, times: Times) -> bool {
        if times.is_late && candidate.at <= self.said_at {
            return true;
        }
        let Some(breach) = &self.breach else {
            return candidate.state == CandidateState::Cleared && candidate.at <= self.said_at;
        };
        match candidate.state {
            CandidateState::Cleared => times.is_late && candidate.at < breach.since,
            // The host speaks of it by itself.
            _ if times.is_again && !breach.is_late => true,
            CandidateState::Breached | CandidateState::StillBreached => {
                breach.since == candidate.since
                    && !times.is_late
                    && !breach.is_late
                    && times.stored_at < breach.heard_at.saturating_add(HEARD_STEP_MS)
                    && breach.heard_at >= heard_since
                    && !self.lacks_directories_of(&candidate.context)
            }
        }
    }
}

impl Breach {
    /// Notes how long it was not heard of.
    fn widen_gap(&mut self, stored_at: i64) {
        let gap = stored_at - self.heard_at;
        let gap = (gap + HEARD_STEP_MS / 2) / HEARD_STEP_MS * HEARD_STEP_MS;
        self.gap_ms = self.gap_ms.max(gap);
    }

    fn hear(&mut self, stored_at: i64, candidate: &Candidate) {
        self.heard_at = stored_at;
        (self.value, self.threshold) = (Some(candidate.value), Some(candidate.threshold));
    }
}

impl Engine {
    pub(super) fn candidate(
        &mut self,
        id: &HostId,
        stored_at: i64,
        is_again: bool,
        mut candidate: Candidate,
    ) {
        let Ok(rule) = candidate.rule.parse::<i64>() else { return };
        let Some(rule) = self.rules.get(&rule).cloned() else { return };
        let is_of_now = rule.condition_version == candidate.rule_version;
        if !is_of_now || !rule.concerns(&candidate.instance) {
            return;
        }
        if rule.is_group() {
            // The ticket of a group shows its hosts, and nothing of one of them.
            candidate.context = Context::default();
        }
        let Some((name, host)) = self.hosts.get_key_value(id.as_str()) else {
            self.hosts.insert(id.as_str().into(), Host::default());
            return self.candidate(id, stored_at, is_again, candidate);
        };
        let times = Times::of(stored_at, host.clock_offset_ms, is_again, &candidate);
        let states = host.states.get(&rule.rule.id);
        match states.and_then(|states| states.get(candidate.instance.as_str())) {
            Some(state) if state.is_known(self.heard_since(host), &candidate, times) => return,
            None if candidate.state == CandidateState::Cleared && rule.is_group() => return,
            None if !rule.selector.holds(name, &host.labels) => return,
            _ => {}
        }
        let name = Arc::clone(name);
        if self.note(&name, &rule, times, &mut candidate) {
            return;
        }
        let instance = candidate.instance.as_str().into();
        let place = Place { host: Arc::clone(&name), rule: rule.rule.id, instance };
        if self.state(&place).is_none() && !self.has_room(&place) {
            return;
        }
        let mut state = self.take(&place);
        state.said_at = state.said_at.max(candidate.at);
        self.hear(&place, &rule, &mut state, times, candidate);
        self.put(&place, state, stored_at);
        if rule.is_group() {
            self.count_host(&name, stored_at);
        }
    }

    /// Notes that a breach goes on as it did, which is most of what is said and not known. `false`
    /// where more may come of it, and nothing was noted.
    fn note(
        &mut self,
        name: &Arc<str>,
        rule: &Known,
        times: Times,
        candidate: &mut Candidate,
    ) -> bool {
        let heard_from = self.heard_from;
        let Some(host) = self.hosts.get_mut(name) else { return false };
        let heard_since = host.changed_at.max(heard_from);
        let Some(states) = host.states.get_mut(&rule.rule.id) else { return false };
        let own = candidate.instance.as_str();
        let found = states.range_mut::<str, _>((Bound::Included(own), Bound::Included(own)));
        let Some((instance, state)) = found.into_iter().next() else { return false };
        if state.lacks_directories_of(&candidate.context) {
            return false;
        }
        let Some(breach) = &mut state.breach else { return false };
        let goes_on = candidate.state != CandidateState::Cleared
            && candidate.since == breach.since
            && breach.heard_at >= heard_since
            && !(times.is_late || breach.is_late || rule.is_group());
        let is_told = |ticket: &Ticket| ticket.is_told(rule, times.at);
        if !goes_on || !self.silences.is_empty() || !state.ticket.as_deref().is_none_or(is_told) {
            return false;
        }
        let gap_before_ms = breach.gap_ms;
        breach.widen_gap(times.stored_at);
        breach.hear(times.stored_at, candidate);
        state.said_at = state.said_at.max(candidate.at);
        let is_put_forward = breach.gap_ms != gap_before_ms;
        let place =
            || Place { host: Arc::clone(name), rule: rule.rule.id, instance: Arc::clone(instance) };
        match state.ticket.as_deref().map(|ticket| ticket.is_open().then_some(ticket.named_at)) {
            None => breach.context = boxed(std::mem::take(&mut candidate.context)),
            Some(None) => {}
            Some(Some(named_at)) => {
                let what = Change::Value(candidate.value);
                let ticket = place().ticket(named_at);
                self.effects.push(Effect::Change { ticket, at: times.at, what });
            }
        }
        let changed = (is_put_forward || !state.is_dirty).then(place);
        let was_dirty = std::mem::replace(&mut state.is_dirty, true);
        let Some(place) = changed else { return true };
        if is_put_forward {
            self.reschedule(&place);
        }
        if !was_dirty {
            self.dirty.push(place);
        }
        true
    }

    /// Whether there is room for one more instance of a host. What is over keeps its place until it
    /// is forgotten, or names that are made up would open tickets without end.
    fn has_room(&self, place: &Place) -> bool {
        let states = self.hosts.get(&place.host).and_then(|host| host.states.get(&place.rule));
        states.is_none_or(|states| states.len() < INSTANCES_MAX)
    }

    /// Since when this host would have been heard, if it had spoken.
    pub(super) fn heard_since(&self, host: &Host) -> i64 {
        host.changed_at.max(self.heard_from)
    }

    fn hear(
        &mut self,
        place: &Place,
        rule: &Known,
        state: &mut State,
        times: Times,
        candidate: Candidate,
    ) {
        let is_cleared = candidate.state == CandidateState::Cleared;
        match &state.breach {
            Some(_) if is_cleared => self.clear(place, rule, state, times),
            // Its beginning was lost. It is remembered for as long as that may come yet.
            None if is_cleared => {
                if !state.is_flapping {
                    state.changed_at = times.stored_at;
                }
            }
            // An old message that was sent again.
            Some(breach) if times.is_late && candidate.since < breach.since => {}
            // An agent that was restarted begins anew, and so does the duration. A ticket goes on,
            // and what a person has resolved stays so.
            Some(breach)
                if breach.since == candidate.since
                    || state.ticket.is_some()
                    || breach.is_dismissed =>
            {
                self.go_on(place, rule, state, times, candidate);
            }
            _ => self.begin(place, rule, state, times, candidate),
        }
    }

    fn begin(
        &mut self,
        place: &Place,
        rule: &Known,
        state: &mut State,
        times: Times,
        candidate: Candidate,
    ) {
        let is_repeated = times.is_late && candidate.since <= state.ended_since;
        // A group is judged by what its hosts are, not by what they were.
        if is_repeated || (times.is_late && rule.is_group()) {
            return;
        }
        let is_beginning = candidate.state == CandidateState::Breached;
        state.condition_version = rule.condition_version;
        state.changed_at = times.stored_at;
        state.breach = Some(Breach {
            since: candidate.since,
            begun_at: times.begun_at,
            named_at: if is_beginning { times.begun_at } else { times.at },
            known_from: times.at,
            heard_at: times.stored_at,
            gap_ms: 0,
            settle_until: None,
            is_late: times.is_late,
            is_dismissed: false,
            value: Some(candidate.value),
            threshold: Some(candidate.threshold),
            context: boxed(candidate.context),
        });
        if times.is_late {
            self.fire_late(place, rule, state, times.at);
        } else if !rule.is_group() && state.count_begin(times.at) {
            self.mark_flapping(place, state, times.at);
        }
    }

    fn go_on(
        &mut self,
        place: &Place,
        rule: &Known,
        state: &mut State,
        times: Times,
        candidate: Candidate,
    ) {
        let heard_since = self.hosts.get(&place.host).map_or(0, |host| self.heard_since(host));
        let Some(breach) = &mut state.breach else { return };
        breach.since = candidate.since;
        if times.is_late {
            if !rule.is_group() && state.ticket.is_none() {
                breach.is_late = true;
                breach.heard_at = times.stored_at;
                self.fire_late(place, rule, state, times.at);
            }
            if !times.is_again {
                self.take_directories(place, rule, state, times.at, candidate.context);
            }
            return;
        }
        let was_late = std::mem::take(&mut breach.is_late);
        let resumes = breach.heard_at < heard_since;
        if was_late || resumes {
            breach.known_from = breach.known_from.max(times.at);
        } else {
            breach.widen_gap(times.stored_at);
        }
        breach.hear(times.stored_at, &candidate);
        let Some(ticket) = &mut state.ticket else {
            breach.context = boxed(candidate.context);
            return;
        };
        let is_current = was_late && std::mem::take(&mut ticket.is_late);
        if ticket.held_until == Some(UNTIL_TOLD) {
            ticket.held_until = None;
        }
        if ticket.is_open() {
            let key = place.ticket(ticket.named_at);
            let change = |what| Effect::Change { ticket: key.clone(), at: times.at, what };
            self.effects.push(change(Change::Value(candidate.value)));
            if is_current {
                self.effects.push(change(Change::Current));
                self.take_rank(place, rule, state, times.at);
            }
        }
        self.take_directories(place, rule, state, times.at, candidate.context);
        self.consider_page(place, rule, state, times.at);
    }

    fn clear(&mut self, place: &Place, rule: &Known, state: &mut State, times: Times) {
        if let Some(breach) = &mut state.breach
            && times.is_late
            && state.ticket.is_none()
            && !rule.is_group()
        {
            breach.is_late = true;
        }
        if state.breach.as_ref().is_some_and(|breach| breach.is_late) {
            self.fire_late(place, rule, state, times.at);
        }
        self.end(place, rule, state, times.at, times.stored_at, Resolution::Recovered);
    }

    /// Late breaches fire by what was said of them: that they have lasted until then.
    fn fire_late(&mut self, place: &Place, rule: &Known, state: &mut State, at: i64) {
        let Some(fires_at) = state.fires_at(rule.for_ms()) else { return };
        if let Some(ticket) = &state.ticket {
            if ticket.release_at.is_some_and(|release_at| release_at <= at) {
                self.let_go_on(place, rule, state, at);
            }
        } else if fires_at <= at {
            self.fire(place, rule, state, fires_at);
        }
    }

    /// When it fires by itself: with the evidence of a host that has spoken since it is online.
    pub(super) fn fires_at(&self, place: &Place, rule: &Known, state: &State) -> Option<i64> {
        let breach = state.breach.as_ref()?;
        let is_member = rule.is_group() && !place.is_of_group();
        if breach.is_late || is_member || !self.has_evidence(place, rule, breach) {
            return None;
        }
        let fires_at = state.fires_at(rule.for_ms())?;
        Some(breach.settle_until.map_or(fires_at, |until| until.max(fires_at)))
    }

    pub(super) fn has_evidence(&self, place: &Place, rule: &Known, breach: &Breach) -> bool {
        let spoken = |host: &Host| !host.is_offline && breach.heard_at >= self.heard_since(host);
        !rule.is_heard(place) || self.hosts.get(&place.host).is_some_and(spoken)
    }

    /// Ends a breach, and with it the episode, unless it flaps: then the ticket waits.
    pub(super) fn end(
        &mut self,
        place: &Place,
        rule: &Known,
        state: &mut State,
        at: i64,
        stored_at: i64,
        how: Resolution,
    ) {
        let Some(breach) = state.breach.take() else { return };
        state.ended_since = breach.since;
        state.changed_at = stored_at;
        let waits = state.is_flapping && how == Resolution::Recovered && !breach.is_late;
        if !waits {
            self.close(place, Some(rule), state, at, how);
        }
    }

    pub(super) fn end_unheard(&mut self, place: &Place, rule: &Known, state: &mut State, at: i64) {
        let Some(host) = self.hosts.get(&place.host) else { return };
        let Some(breach) = &state.breach else { return };
        if !rule.is_heard(place)
            || host.is_offline
            || breach.unheard_at(self.heard_since(host)) > at
        {
            return;
        }
        self.end(place, rule, state, at, at, Resolution::Unheard);
        if rule.is_group() {
            self.uncount(place, at);
        }
    }

    pub(super) fn mark_flapping(&mut self, place: &Place, state: &mut State, at: i64) {
        if let Some(ticket) = &mut state.ticket
            && ticket.is_open()
        {
            ticket.is_flapping = true;
            let ticket = place.ticket(ticket.named_at);
            self.effects.push(Effect::Change { ticket, at, what: Change::Flapping(true) });
        }
    }

    pub(super) fn end_flapping(&mut self, place: &Place, rule: &Known, state: &mut State, at: i64) {
        if !state.is_flapping || state.quiet_at() > at {
            return;
        }
        state.is_flapping = false;
        let Some(ticket) = &mut state.ticket else { return };
        if ticket.held_until == Some(UNTIL_TOLD) {
            ticket.held_until = None;
        }
        if std::mem::take(&mut ticket.is_flapping) && ticket.is_open() {
            let ticket = place.ticket(ticket.named_at);
            self.effects.push(Effect::Change { ticket, at, what: Change::Flapping(false) });
        }
        if state.breach.is_none() {
            self.close(place, Some(rule), state, at, Resolution::Recovered);
        }
    }
}

/// What helps to understand it, where it says anything.
fn boxed(context: Context) -> Option<Box<Context>> {
    (context != Context::default()).then(|| Box::new(context))
}
