//! Who is told of an open ticket, and what holds that up.

use super::Engine;
use super::rules::Known;
use super::said::{Change, Effect, PageKind, PageRequest};
use super::state::{Place, State, Ticket, UNTIL_TOLD};
use crate::rule::EscalationStep;

/// A page that is older than this is of another situation: what a worker that is merely busy or
/// being replaced is behind stays well below.
const PAGE_AGE_MS_MAX: i64 = 600_000;

impl Ticket {
    /// When the next page is due or has to be thought about again, if nothing is said until then.
    pub(super) fn page_due_at(&self, rule: &Known) -> Option<i64> {
        if !self.is_open() {
            return None;
        }
        match self.held_until {
            Some(UNTIL_TOLD) => None,
            Some(until) => Some(until),
            None if self.is_late || self.is_quiet || self.is_acknowledged => None,
            None => self.step_due_at(rule),
        }
    }

    /// Whether nobody has to be told of it now, nor anything thought about that holds a page up.
    pub(super) fn is_told(&self, rule: &Known, at: i64) -> bool {
        let is_free = self.held_until.is_none() && !self.is_silenced && !self.is_past;
        is_free && !self.is_late && !self.has_page_due(rule, at)
    }

    fn has_page_due(&self, rule: &Known, at: i64) -> bool {
        self.paged_at.is_none() || self.step_due_at(rule).is_some_and(|due| due <= at)
    }

    /// When the next step of the escalation is due.
    fn step_due_at(&self, rule: &Known) -> Option<i64> {
        Some(self.paged_at?.saturating_add(self.next_step(rule)?.after_s * 1000))
    }

    /// By time and not by number: the rule may have been edited meanwhile.
    fn next_step<'a>(&self, rule: &'a Known) -> Option<&'a EscalationStep> {
        let steps = &rule.rule.definition.escalation;
        steps.iter().find(|step| step.after_s > self.stepped_s)
    }
}

impl Engine {
    /// Pages what is due, or notes until when it is held up. Said again at every occasion.
    pub(super) fn consider_page(
        &mut self,
        place: &Place,
        rule: &Known,
        state: &mut State,
        at: i64,
    ) {
        if !state.has_open_ticket() {
            return;
        }
        let silenced_until = self.silenced_until(place, at);
        let speaks =
            state.breach.as_ref().is_some_and(|breach| self.has_evidence(place, rule, breach));
        let pages_from = self.pages_from(at);
        let is_held = state.is_flapping || !speaks;
        let Some(ticket) = &mut state.ticket else { return };
        if ticket.held_until.is_some_and(|until| until > at) {
            return;
        }
        ticket.held_until = silenced_until;
        self.mark_silenced(place, ticket, silenced_until.is_some(), at);
        if let Some(present) =
            pages_from.filter(|_| ticket.is_past || ticket.has_page_due(rule, at))
        {
            ticket.held_until = Some(silenced_until.map_or(present, |until| until.min(present)));
            return;
        }
        if std::mem::take(&mut ticket.is_past) {
            let ticket = place.ticket(ticket.named_at);
            self.effects.push(Effect::Change { ticket, at, what: Change::Current });
        }
        if silenced_until.is_some() || ticket.is_late || ticket.is_quiet || ticket.is_acknowledged {
            return;
        }
        while ticket.has_page_due(rule, at) {
            if is_held {
                ticket.held_until = Some(UNTIL_TOLD);
                return;
            }
            let page = next_page(place, rule, ticket, at);
            self.effects.push(Effect::Page(page));
        }
    }

    /// From when on people are paged again, where a page of this time would be too old.
    pub(super) fn pages_from(&self, at: i64) -> Option<i64> {
        (self.present.saturating_sub(at) > PAGE_AGE_MS_MAX).then_some(self.present)
    }

    fn mark_silenced(&mut self, place: &Place, ticket: &mut Ticket, is_silenced: bool, at: i64) {
        if std::mem::replace(&mut ticket.is_silenced, is_silenced) == is_silenced {
            return;
        }
        let ticket = place.ticket(ticket.named_at);
        self.effects.push(Effect::Change { ticket, at, what: Change::Silenced(is_silenced) });
    }

    /// Until when a silence holds for this place, if one holds now.
    pub(super) fn silenced_until(&self, place: &Place, at: i64) -> Option<i64> {
        if self.silences.is_empty() {
            return None;
        }
        let host = self.hosts.get(&place.host)?;
        let of = (!place.is_of_group()).then_some((&*place.host, &host.labels));
        let concern = self.silences.iter().filter(|silence| silence.concerns(place.rule, of));
        concern.filter_map(|silence| silence.holds_until(at)).filter(|until| *until > at).max()
    }

    /// After silences have changed: what they held up is thought about anew.
    pub(super) fn reconsider_page(
        &mut self,
        place: &Place,
        rule: &Known,
        state: &mut State,
        at: i64,
    ) {
        if let Some(ticket) = &mut state.ticket {
            ticket.held_until = None;
        }
        self.consider_page(place, rule, state, at);
    }
}

/// The first page, then the steps of the escalation.
fn next_page(place: &Place, rule: &Known, ticket: &mut Ticket, at: i64) -> PageRequest {
    let definition = &rule.rule.definition;
    let (kind, number, channels) = if ticket.paged_at.is_none() {
        ticket.paged_at = Some(at);
        (PageKind::Opened, 0, definition.channels.clone())
    } else {
        let step = ticket.next_step(rule);
        let channels = step.map(|step| step.channels.clone()).unwrap_or_default();
        ticket.stepped_s = step.map_or(ticket.stepped_s, |step| step.after_s);
        (PageKind::Escalated, ticket.told.len() as u32 - 1, channels)
    };
    ticket.told.push(channels.clone());
    PageRequest { ticket: place.ticket(ticket.named_at), kind, number, channels, at }
}
