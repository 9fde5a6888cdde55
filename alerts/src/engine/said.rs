//! What the engine is told and what it answers; all of it can be stored and sent.

use std::collections::BTreeMap;

use muster_schemas::HostId;
use muster_schemas::conditions::{Candidate, Context, Directory};
use serde::{Deserialize, Serialize};

use super::state::State;
use crate::key::TicketKey;
use crate::rule::{Priority, Rule};
use crate::silence::Silence;

#[derive(Debug, Clone)]
pub enum Fact {
    /// All rules there are; what is not among them is over.
    Rules(Vec<Rule>),
    /// A host as it is now, before anything else of it.
    Host {
        host: HostId,
        labels: BTreeMap<String, String>,
        /// The host's clock minus the bus's, where it was measured: a wrong clock must not make
        /// everything the host says look late.
        clock_offset_ms: Option<i64>,
    },
    /// A host that is no longer watched: what was open for it is over.
    HostRemoved {
        host: HostId,
    },
    Candidate {
        host: HostId,
        /// When the broker stored it.
        stored_at: i64,
        /// It was sent once more, because a gap was found: most of what comes so is known, and
        /// none of it is news.
        is_again: bool,
        candidate: Box<Candidate>,
    },
    /// A host became online or offline at this time, by the bus's clock.
    Presence {
        host: HostId,
        presence: Presence,
        at: i64,
    },
    /// All silences there are.
    Silences(Vec<Silence>),
    Acknowledged {
        ticket: TicketKey,
        by: String,
        at: i64,
    },
    /// Somebody has taken it back: escalation goes on.
    Unacknowledged {
        ticket: TicketKey,
        by: String,
        at: i64,
    },
    Resolved {
        ticket: TicketKey,
        by: String,
        at: i64,
    },
    /// What was saved by whoever had these hosts before.
    Restored(Vec<Saved>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    Online,
    Offline,
}

/// Which rules an engine decides about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those of single hosts: for the owner of a partition.
    Hosts,
    /// Those of groups of hosts, which need to hear all of them.
    Groups,
    Everything,
}

/// Which state a row holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StateKey {
    pub rule_id: i64,
    /// Absent for a group of hosts as a whole.
    pub host: Option<HostId>,
    pub instance: String,
}

/// The state of one (rule, host, instance), so that a worker restarts from rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    pub key: StateKey,
    pub state: State,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Each state at most once for each [`drain_effects`](super::Engine::drain_effects).
    Save(Saved),
    Forget(StateKey),
    Open(Box<TicketDraft>),
    Change {
        ticket: TicketKey,
        at: i64,
        what: Change,
    },
    Resolve {
        ticket: TicketKey,
        at: i64,
        how: Resolution,
    },
    Page(PageRequest),
    /// A rule or silence that was stored though it does not pass its check; it is left out.
    Refused {
        what: Refused,
        id: i64,
        reason: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    Rule,
    Silence,
}

/// A ticket to be opened. Opening one whose key is there already changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is true or not whatever the others are")]
pub struct TicketDraft {
    pub key: TicketKey,
    /// When the breach began; before the key's time where its beginning was missed.
    pub begun_at: i64,
    pub rule_name: String,
    pub rule_version: i64,
    pub metric: String,
    pub priority: Priority,
    pub title: String,
    pub description: String,
    pub recommendation: String,
    /// Absent where there is none: a host is offline or it is not. Of a group: its share, percent.
    pub value: Option<f64>,
    pub threshold: Option<f64>,
    pub opened_at: i64,
    pub is_late: bool,
    /// Late only because we were away.
    pub is_past: bool,
    pub is_silenced: bool,
    pub is_flapping: bool,
    pub context: TicketContext,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TicketContext {
    #[serde(default, flatten)]
    pub candidate: Context,
    /// Of a group: how many hosts are breached, and the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts_count: Option<usize>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Priority(Priority),
    /// The newest value, said at most once a minute.
    Value(f64),
    /// What fills the filesystem it is about was found out after it was opened: said once.
    Directories {
        directories: Vec<Directory>,
        is_partial: bool,
        /// Drawn anew, where it names them.
        description: Option<String>,
    },
    Flapping(bool),
    Silenced(bool),
    /// A breach that was told of late goes on now: the ticket is no longer marked late.
    Current,
    /// The higher one that superseded it has ended, and this one still holds.
    Reopened,
    Acknowledged {
        by: String,
    },
    Unacknowledged {
        by: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    Recovered,
    /// The host is online and has not spoken of the breach for long.
    Unheard,
    Superseded {
        by: TicketKey,
    },
    /// The rule was changed, disabled or deleted, or does not concern the host any more.
    RuleChanged,
    HostRemoved,
    By {
        by: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRequest {
    pub ticket: TicketKey,
    pub kind: PageKind,
    /// Which of its kind for this ticket, from 0.
    pub number: u32,
    /// Ids; empty: the default channels.
    pub channels: Vec<i64>,
    pub at: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageKind {
    Opened,
    Escalated,
    /// To all that were told that it is open.
    Resolved,
}

impl PageKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Escalated => "escalated",
            Self::Resolved => "resolved",
        }
    }
}

impl PageRequest {
    /// The same for the same page, whoever asks for it and how often.
    pub fn key(&self) -> String {
        format!("{}/{}/{}", self.ticket, self.kind.as_str(), self.number)
    }
}
