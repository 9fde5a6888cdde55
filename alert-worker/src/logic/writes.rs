//! What the database is to hold after the engine has decided: its effects, gathered so that each
//! table is written once, however many tickets they are about.
//!
//! Of what is said twice of a ticket the last counts. What a person did stands in the ticket
//! already, with its history: only what follows from it is written here.

use std::collections::BTreeMap;

use muster_alerts::engine::{
    Change, Effect, PageRequest, Refused, Resolution, Saved, StateKey, TicketDraft,
};
use muster_alerts::{Priority, TicketKey};
use muster_schemas::conditions::{Context, Directory};
use serde_json::{Value, json};

#[derive(Debug, Default, PartialEq)]
pub struct Writes {
    pub save: Vec<Saved>,
    pub forget: Vec<StateKey>,
    pub open: Vec<TicketDraft>,
    pub patches: BTreeMap<TicketKey, Patch>,
    pub history: Vec<Entry>,
    /// In order, each kind once for a ticket.
    pub told: Vec<Told>,
    pub pages: Vec<PageRequest>,
    pub refused: Vec<(Refused, i64, String)>,
}

/// What of a ticket is another now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Patch {
    pub priority: Option<Priority>,
    pub value: Option<f64>,
    pub description: Option<String>,
    /// What is added to it.
    pub context: Option<Value>,
    pub is_flapping: Option<bool>,
    pub is_silenced: Option<bool>,
    pub is_late: Option<bool>,
    pub is_reopened: bool,
    pub resolved: Option<Resolved>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    pub at: i64,
    pub how: &'static str,
    pub superseded_by: Option<TicketKey>,
}

/// A line of a ticket's history.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub ticket: TicketKey,
    pub at: i64,
    pub kind: &'static str,
    pub detail: Value,
}

/// An event that others are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub ticket: TicketKey,
    pub at: i64,
    pub kind: &'static str,
}

pub const OPENED: &str = "alert_opened";
pub const CHANGED: &str = "alert_changed";
pub const RESOLVED: &str = "alert_resolved";

impl Writes {
    pub fn of(effects: Vec<Effect>) -> Self {
        let mut writes = Self::default();
        for effect in effects {
            writes.add(effect);
        }
        writes.patches.retain(|_, patch| *patch != Patch::default());
        writes
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn add(&mut self, effect: Effect) {
        match effect {
            Effect::Save(saved) => self.save.push(saved),
            Effect::Forget(key) => self.forget.push(key),
            Effect::Open(draft) => self.open(*draft),
            Effect::Change { ticket, at, what } => self.change(ticket, at, &what),
            Effect::Resolve { ticket, at, how } => self.resolve(ticket, at, how),
            Effect::Page(request) => self.pages.push(request),
            Effect::Refused { what, id, reason } => self.refused.push((what, id, reason)),
        }
    }

    fn open(&mut self, draft: TicketDraft) {
        let (ticket, at) = (draft.key.clone(), draft.opened_at);
        let detail = json!({ "value": draft.value, "threshold": draft.threshold });
        self.history.push(Entry { ticket: ticket.clone(), at, kind: "opened", detail });
        self.tell(ticket, at, OPENED);
        self.open.push(draft);
    }

    fn change(&mut self, ticket: TicketKey, at: i64, what: &Change) {
        let patch = self.patches.entry(ticket.clone()).or_default();
        let (kind, detail) = match *what {
            Change::Directories { ref directories, is_partial, ref description } => {
                patch.description.clone_from(description);
                patch.context = Some(context(directories, is_partial));
                return self.tell(ticket, at, CHANGED);
            }
            // Said each minute: it is seen when somebody looks.
            Change::Value(value) => return patch.value = Some(value),
            Change::Acknowledged { .. } | Change::Unacknowledged { .. } => {
                return self.tell(ticket, at, CHANGED);
            }
            Change::Priority(priority) => {
                patch.priority = Some(priority);
                ("priority", json!({ "priority": priority }))
            }
            Change::Flapping(is) => {
                patch.is_flapping = Some(is);
                (if is { "flapping" } else { "quiet" }, json!({}))
            }
            Change::Silenced(is) => {
                patch.is_silenced = Some(is);
                (if is { "silenced" } else { "silence_ended" }, json!({}))
            }
            Change::Current => {
                patch.is_late = Some(false);
                ("current", json!({}))
            }
            Change::Reopened => {
                patch.is_reopened = true;
                patch.resolved = None;
                ("reopened", json!({}))
            }
        };
        self.history.push(Entry { ticket: ticket.clone(), at, kind, detail });
        self.tell(ticket, at, CHANGED);
    }

    fn resolve(&mut self, ticket: TicketKey, at: i64, how: Resolution) {
        let (name, superseded_by) = match how {
            Resolution::Recovered => ("recovered", None),
            Resolution::Unheard => ("unheard", None),
            Resolution::Superseded { by } => ("superseded", Some(by)),
            Resolution::RuleChanged => ("rule_changed", None),
            Resolution::HostRemoved => ("host_removed", None),
            Resolution::By { .. } => ("by_hand", None),
        };
        if name != "by_hand" {
            let detail = json!({ "how": name, "superseded_by": superseded_by });
            self.history.push(Entry { ticket: ticket.clone(), at, kind: "resolved", detail });
        }
        let resolved = Resolved { at, how: name, superseded_by };
        self.patches.entry(ticket.clone()).or_default().resolved = Some(resolved);
        self.tell(ticket, at, RESOLVED);
    }

    fn tell(&mut self, ticket: TicketKey, at: i64, kind: &'static str) {
        // What people see of the ticket is told as it is after all of this.
        self.told.retain(|told| told.ticket != ticket || told.kind != kind);
        self.told.push(Told { ticket, at, kind });
    }
}

/// The same as of a ticket that is opened with them.
fn context(directories: &[Directory], is_partial: bool) -> Value {
    let (directories, directories_partial) = (directories.to_vec(), is_partial);
    json!(Context { directories, directories_partial, ..Context::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> TicketKey {
        "1/web-1//0".parse().unwrap()
    }

    fn change(what: Change) -> Effect {
        Effect::Change { ticket: key(), at: 5, what }
    }

    fn resolve(how: Resolution) -> Effect {
        Effect::Resolve { ticket: key(), at: 6, how }
    }

    #[track_caller]
    fn check(effects: Vec<Effect>, history: &[&str], told: &[&str]) -> Patch {
        let mut writes = Writes::of(effects);
        let kinds: Vec<&str> = writes.history.iter().map(|entry| entry.kind).collect();
        assert_eq!(kinds, history);
        let events: Vec<&str> = writes.told.iter().map(|told| told.kind).collect();
        assert_eq!(events, told);
        writes.patches.remove(&key()).unwrap_or_default()
    }

    #[test]
    fn of_what_is_said_twice_the_last_counts() {
        let changes = vec![
            change(Change::Value(1.0)),
            change(Change::Flapping(true)),
            change(Change::Value(2.0)),
            change(Change::Flapping(false)),
        ];
        let patch = check(changes, &["flapping", "quiet"], &[CHANGED]);
        assert_eq!((patch.value, patch.is_flapping), (Some(2.0), Some(false)));
        assert_eq!(patch.resolved, None);
    }

    #[test]
    fn the_largest_directories_are_added_to_the_context_and_told() {
        let directories = vec![Directory { path: "/var/log".into(), bytes: 7 }];
        let found = |is_partial, description: Option<&str>| Change::Directories {
            directories: directories.clone(),
            is_partial,
            description: description.map(Into::into),
        };
        let patch = check(vec![change(found(true, Some("full of logs")))], &[], &[CHANGED]);
        let listed = json!([{ "path": "/var/log", "bytes": 7 }]);
        let context = json!({ "directories": listed, "directories_partial": true });
        assert_eq!(patch.context, Some(context));
        assert_eq!(patch.description.as_deref(), Some("full of logs"));
        let patch = check(vec![change(found(false, None))], &[], &[CHANGED]);
        assert_eq!(
            (patch.context, patch.description),
            (Some(json!({ "directories": listed })), None)
        );
    }

    #[test]
    fn a_ticket_that_goes_on_after_a_higher_one_is_open_again() {
        let by: TicketKey = "2/web-1//0".parse().unwrap();
        let ended = resolve(Resolution::Superseded { by: by.clone() });
        let patch = check(vec![ended.clone()], &["resolved"], &[RESOLVED]);
        let resolved = Resolved { at: 6, how: "superseded", superseded_by: Some(by) };
        assert_eq!(patch.resolved, Some(resolved));
        let both = vec![ended, change(Change::Reopened)];
        let patch = check(both, &["resolved", "reopened"], &[RESOLVED, CHANGED]);
        assert!(patch.is_reopened && patch.resolved.is_none());
        let again = vec![change(Change::Reopened), resolve(Resolution::Recovered)];
        let patch = check(again, &["reopened", "resolved"], &[CHANGED, RESOLVED]);
        assert!(patch.is_reopened && patch.resolved.is_some());
    }

    #[test]
    fn what_a_person_did_is_told_and_has_its_history_already() {
        let by = || "ann".to_owned();
        let effects =
            vec![change(Change::Acknowledged { by: by() }), resolve(Resolution::By { by: by() })];
        let patch = check(effects, &[], &[CHANGED, RESOLVED]);
        assert_eq!(patch.resolved.unwrap().how, "by_hand");
    }
}
