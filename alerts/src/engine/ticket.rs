//! Tickets: when one is opened and closed, and which of two of the same metric people see.

use std::collections::BTreeSet;
use std::sync::Arc;

use muster_schemas::conditions::Context;

use super::Engine;
use super::rules::Known;
use super::said::{Change, Effect, PageKind, PageRequest, Resolution, TicketContext, TicketDraft};
use super::state::{Breach, Place, State, Ticket};
use crate::key::TicketKey;
use crate::template::{HOSTS_NAMED_MAX, Values};

/// What a host says of two rules in the same moment arrives one after the other: longer than that
/// takes, and short enough for whoever is paged.
const SETTLE_MS: i64 = 2_000;

impl Engine {
    /// A breach has lasted for long enough.
    pub(super) fn fire(&mut self, place: &Place, rule: &Known, state: &mut State, at: i64) {
        let Some(breach) = &mut state.breach else { return };
        let superseded_by = self.higher_ticket(place, rule, breach.is_late);
        if superseded_by.is_none() && !breach.is_late && breach.settle_until.is_none() {
            let value = breach.value;
            if self.is_higher_near(place, rule, value, at) {
                breach.settle_until = Some(at.saturating_add(SETTLE_MS));
                return;
            }
        }
        breach.settle_until = None;
        state.ticket = Some(Box::new(Ticket {
            named_at: breach.named_at,
            priority: rule.rule.definition.priority,
            is_opened: false,
            superseded_by,
            release_at: None,
            is_quiet: false,
            is_late: breach.is_late,
            is_silenced: false,
            is_flapping: state.is_flapping,
            is_acknowledged: false,
            is_past: false,
            has_directories: false,
            paged_at: None,
            stepped_s: 0,
            held_until: None,
            told: Vec::new(),
        }));
        if state.has_ticket_to_open() {
            self.open(place, rule, state, at);
            self.supersede_lower(place, rule, state, at);
            self.consider_page(place, rule, state, at);
        }
    }

    fn open(&mut self, place: &Place, rule: &Known, state: &mut State, at: i64) {
        let silenced_until = self.silenced_until(place, at);
        let is_past = self.pages_from(at).is_some();
        let Some(ticket) = &mut state.ticket else { return };
        ticket.is_past = is_past && !ticket.is_late;
        ticket.is_opened = true;
        ticket.is_silenced = silenced_until.is_some();
        ticket.has_directories = state.breach.as_ref().is_some_and(Breach::has_directories);
        let draft = self.draft(place, rule, state, at);
        self.effects.push(Effect::Open(Box::new(draft)));
        if let Some(breach) = &mut state.breach {
            breach.context = None;
        }
    }

    fn draft(&self, place: &Place, rule: &Known, state: &State, at: i64) -> TicketDraft {
        let definition = &rule.rule.definition;
        let breach = state.breach.as_ref();
        let begun_at = breach.map_or(at, |breach| breach.begun_at);
        let named_at = state.ticket.as_ref().map_or(at, |ticket| ticket.named_at);
        let labels = self.hosts.get(&place.host).map(|host| host.labels.clone());
        let labels = labels.unwrap_or_default();
        let is_group = place.is_of_group();
        let (count, hosts) = self.breached_hosts(place);
        let context = breach.and_then(|breach| breach.context.as_deref());
        let values = Values {
            host: &place.host,
            metric: rule.metric(),
            instance: &place.instance,
            value: breach.and_then(|breach| breach.value),
            threshold: breach.and_then(|breach| breach.threshold),
            is_share: is_group,
            lasted_ms: at - begun_at,
            begun_at,
            priority: definition.priority,
            rule: &definition.name,
            labels: &labels,
            context,
            count,
            hosts: &hosts,
        };
        let [title, description, recommendation] =
            rule.templates.each_ref().map(|template| template.render(&values));
        let flag = |of: fn(&Ticket) -> bool| state.ticket.as_deref().is_some_and(of);
        TicketDraft {
            key: place.ticket(named_at),
            begun_at,
            rule_name: definition.name.clone(),
            rule_version: rule.rule.version,
            metric: rule.metric().to_owned(),
            priority: definition.priority,
            title,
            description,
            recommendation,
            value: values.value,
            threshold: values.threshold,
            opened_at: at,
            is_late: flag(|ticket| ticket.is_late || ticket.is_past),
            is_past: flag(|ticket| ticket.is_past),
            is_silenced: flag(|ticket| ticket.is_silenced),
            is_flapping: flag(|ticket| ticket.is_flapping),
            context: TicketContext {
                candidate: context.cloned().unwrap_or_default(),
                hosts_count: is_group.then_some(count),
                hosts: if is_group { hosts.clone() } else { Vec::new() },
            },
        }
    }

    /// Agents look for the largest directories of a full filesystem only after they have told that
    /// it is full: a ticket that was opened before takes what they found.
    pub(super) fn take_directories(
        &mut self,
        place: &Place,
        rule: &Known,
        state: &mut State,
        at: i64,
        context: Context,
    ) {
        if state.ticket.is_none() || !state.lacks_directories_of(&context) {
            return;
        }
        let (directories, is_partial) = (context.directories.clone(), context.directories_partial);
        let description = rule.names_directories().then(|| {
            let mut shown = state.clone();
            if let Some(breach) = &mut shown.breach {
                breach.context = Some(Box::new(context));
            }
            self.draft(place, rule, &shown, at).description
        });
        let Some(ticket) = &mut state.ticket else { return };
        ticket.has_directories = true;
        let ticket = place.ticket(ticket.named_at);
        let what = Change::Directories { directories, is_partial, description };
        self.effects.push(Effect::Change { ticket, at, what });
    }

    /// The hosts a ticket is about: how many, and the first of them.
    fn breached_hosts(&self, place: &Place) -> (usize, Vec<String>) {
        if !place.is_of_group() {
            return (1, vec![place.host.to_string()]);
        }
        let Some(tally) = self.groups.get(&place.rule) else { return (0, Vec::new()) };
        let first = tally.breached.iter().take(HOSTS_NAMED_MAX);
        (tally.breached.len(), first.map(ToString::to_string).collect())
    }

    /// The episode is over, however it ended.
    pub(super) fn close(
        &mut self,
        place: &Place,
        rule: Option<&Known>,
        state: &mut State,
        at: i64,
        how: Resolution,
    ) {
        let Some(ticket) = state.ticket.take() else { return };
        let key = place.ticket(ticket.named_at);
        if ticket.is_open() {
            self.effects.push(Effect::Resolve { ticket: key.clone(), at, how });
        }
        for (number, channels) in each_once(&ticket.told) {
            let (ticket, kind) = (key.clone(), PageKind::Resolved);
            self.effects.push(Effect::Page(PageRequest { ticket, kind, number, channels, at }));
        }
        let Some(rule) = rule else { return };
        state.cooldown_until = at.saturating_add(rule.cooldown_ms());
        self.release_lower(place, rule, &key, &ticket, at);
    }

    fn neighbours(place: &Place, rules: &[i64]) -> impl Iterator<Item = Place> {
        rules.iter().map(|id| Place { rule: *id, ..place.clone() })
    }

    fn higher_ticket(&self, place: &Place, rule: &Known, is_late: bool) -> Option<TicketKey> {
        Self::neighbours(place, &rule.higher).find_map(|higher| {
            let ticket = self.state(&higher)?.ticket.as_ref()?;
            // What is only told of the past says nothing about what goes on now.
            let counts = ticket.is_open() && (!ticket.is_late || is_late);
            counts.then(|| higher.ticket(ticket.named_at))
        })
    }

    /// A higher ticket that was superseded too and has its place back by then.
    fn higher_returning(&self, place: &Place, rule: &Known, by: i64) -> Option<TicketKey> {
        Self::neighbours(place, &rule.higher).find_map(|higher| {
            let state = self.state(&higher)?;
            let ticket = state.ticket.as_ref().filter(|_| state.returns_by(by))?;
            Some(higher.ticket(ticket.named_at))
        })
    }

    /// Whether a higher rule is about to fire too: it is due in a moment, or the same value is one
    /// that it fires at, and its candidate is on its way.
    fn is_higher_near(&self, place: &Place, rule: &Known, value: Option<f64>, at: i64) -> bool {
        let Some(host) = self.hosts.get(&place.host) else { return false };
        Self::neighbours(place, &rule.higher).any(|higher| {
            let Some(known) = self.rules.get(&higher.rule) else { return false };
            if let Some(state) = self.state(&higher).filter(|state| state.breach.is_some()) {
                let due = self.fires_at(&higher, known, state);
                return state.returns_by(at.saturating_add(SETTLE_MS))
                    || state.ticket.is_none() && due.is_some_and(|due| due <= at + SETTLE_MS);
            }
            let cools = self.state(&higher).is_some_and(|state| state.cooldown_until > at);
            let concerns = known.selector.holds(&place.host, &host.labels);
            !cools && concerns && known.would_fire_at_once(value)
        })
    }

    /// A ticket that was of the past goes on now, and people see one of the metric.
    pub(super) fn take_rank(&mut self, place: &Place, rule: &Known, state: &mut State, at: i64) {
        let by = self.higher_ticket(place, rule, false);
        let Some(by) = by else { return self.supersede_lower(place, rule, state, at) };
        let Some(ticket) = &mut state.ticket else { return };
        ticket.superseded_by = Some(by.clone());
        let ticket = place.ticket(ticket.named_at);
        let how = Resolution::Superseded { by };
        self.effects.push(Effect::Resolve { ticket, at, how });
    }

    fn supersede_lower(&mut self, place: &Place, rule: &Known, state: &State, at: i64) {
        let Some(own) = &state.ticket else { return };
        let by = place.ticket(own.named_at);
        for lower in Self::neighbours(place, &rule.lower) {
            let Some(ticket) = self.state(&lower).and_then(|state| state.ticket.as_ref()) else {
                continue;
            };
            if own.is_late && !ticket.is_late {
                continue;
            }
            let (is_open, named_at) = (ticket.is_open(), ticket.named_at);
            if is_open {
                let how = Resolution::Superseded { by: by.clone() };
                self.effects.push(Effect::Resolve { ticket: lower.ticket(named_at), at, how });
            }
            let mut state = self.take(&lower);
            if let Some(ticket) = &mut state.ticket {
                ticket.superseded_by = Some(by.clone());
                ticket.release_at = None;
            }
            self.put(&lower, state, at);
        }
    }

    /// What the ended one had superseded goes on in a moment, if it still holds then.
    fn release_lower(
        &mut self,
        place: &Place,
        rule: &Known,
        ended: &TicketKey,
        ticket: &Ticket,
        at: i64,
    ) {
        for lower in Self::neighbours(place, &rule.lower) {
            let held = self.state(&lower).and_then(|state| state.ticket.as_ref());
            if held.is_none_or(|held| held.superseded_by.as_ref() != Some(ended)) {
                continue;
            }
            let mut state = self.take(&lower);
            if let Some(held) = &mut state.ticket {
                held.release_at = Some(at.saturating_add(SETTLE_MS));
                held.is_quiet |= !ticket.told.is_empty();
            }
            self.put(&lower, state, at);
        }
    }

    pub(super) fn release(&mut self, place: &Place, rule: &Known, state: &mut State, at: i64) {
        let is_late = state.breach.as_ref().is_none_or(|breach| breach.is_late);
        let release_at = state.ticket.as_ref().and_then(|ticket| ticket.release_at);
        if !is_late && release_at.is_some_and(|release_at| release_at <= at) {
            self.let_go_on(place, rule, state, at);
        }
    }

    /// Gives a superseded ticket its place back.
    pub(super) fn let_go_on(&mut self, place: &Place, rule: &Known, state: &mut State, at: i64) {
        let Some(ticket) = &mut state.ticket else { return };
        ticket.release_at = None;
        ticket.superseded_by = self
            .higher_ticket(place, rule, ticket.is_late)
            .or_else(|| self.higher_returning(place, rule, at));
        if ticket.superseded_by.is_some() {
            return;
        }
        ticket.is_quiet |= !ticket.told.is_empty();
        // What held it up may have changed while it was nobody's concern.
        ticket.held_until = None;
        if ticket.is_opened {
            let ticket = place.ticket(ticket.named_at);
            self.effects.push(Effect::Change { ticket, at, what: Change::Reopened });
        } else {
            self.open(place, rule, state, at);
        }
        // One that is lower still may have begun while none was open.
        self.supersede_lower(place, rule, state, at);
        self.consider_page(place, rule, state, at);
    }

    /// A person has closed it. It stays closed however long the breach goes on; the next one opens
    /// another.
    pub(super) fn resolve(&mut self, key: &TicketKey, by: String, at: i64) {
        let Some(place) = self.place_of(key) else { return };
        let rule = self.rules.get(&place.rule).cloned();
        let mut state = self.take(&place);
        if let Some(breach) = &mut state.breach {
            breach.is_dismissed = true;
        }
        self.close(&place, rule.as_deref(), &mut state, at, Resolution::By { by });
        self.put(&place, state, at);
    }

    pub(super) fn acknowledge(&mut self, key: &TicketKey, by: String, at: i64) {
        let Some(place) = self.place_of(key) else { return };
        let mut state = self.take(&place);
        if let Some(ticket) = &mut state.ticket
            && !std::mem::replace(&mut ticket.is_acknowledged, true)
        {
            let what = Change::Acknowledged { by };
            self.effects.push(Effect::Change { ticket: key.clone(), at, what });
        }
        self.put(&place, state, at);
    }

    pub(super) fn unacknowledge(&mut self, key: &TicketKey, by: String, at: i64) {
        let Some(place) = self.place_of(key) else { return };
        let mut state = self.take(&place);
        if let Some(ticket) = &mut state.ticket
            && std::mem::take(&mut ticket.is_acknowledged)
        {
            let what = Change::Unacknowledged { by };
            self.effects.push(Effect::Change { ticket: key.clone(), at, what });
        }
        self.put(&place, state, at);
    }

    /// Where an open ticket is; `None` for one that is not open any more.
    fn place_of(&self, key: &TicketKey) -> Option<Place> {
        let host = key.host.as_ref().map_or("", |host| host.as_str());
        let (host, _) = self.hosts.get_key_value(host)?;
        let instance = key.instance.as_str().into();
        let place = Place { host: Arc::clone(host), rule: key.rule_id, instance };
        let ticket = self.state(&place)?.ticket.as_ref()?;
        (ticket.is_open() && ticket.named_at == key.begun_at).then_some(place)
    }
}

/// The pages of an end: of those who were told by more than one page, each by the first of them.
/// An empty set stands for the default channels, which are known where pages are written.
fn each_once(told: &[Vec<i64>]) -> Vec<(u32, Vec<i64>)> {
    let mut known = BTreeSet::new();
    let mut is_default_known = false;
    let mut pages = Vec::new();
    for (number, channels) in (0..).zip(told) {
        let news: Vec<i64> = channels.iter().copied().filter(|id| known.insert(*id)).collect();
        if !news.is_empty() || (channels.is_empty() && !is_default_known) {
            is_default_known |= channels.is_empty();
            pages.push((number, news));
        }
    }
    pages
}

impl State {
    /// Whether a superseded ticket gets its place back by then, as far as is known.
    fn returns_by(&self, at: i64) -> bool {
        let goes_on = self.breach.as_ref().is_some_and(|breach| !breach.is_late);
        let release_at = self.ticket.as_ref().and_then(|ticket| ticket.release_at);
        goes_on && release_at.is_some_and(|release_at| release_at <= at)
    }

    fn has_ticket_to_open(&self) -> bool {
        self.ticket.as_ref().is_some_and(|ticket| ticket.superseded_by.is_none())
    }
}
