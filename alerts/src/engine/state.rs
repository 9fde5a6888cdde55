//! What the engine remembers of one (rule, host, instance) that is not calm, and when that has to
//! be looked at again without anything being said.

use std::sync::Arc;

use muster_schemas::HostId;
use muster_schemas::conditions::Context;
use serde::{Deserialize, Serialize};

use super::said::StateKey;
use crate::key::TicketKey;
use crate::rule::Priority;

/// A breach that goes on is noted once a minute, not each time it is said: a note is a row that is
/// written, and agents say it every 15 s.
pub(super) const HEARD_STEP_MS: i64 = 60_000;

/// How long a host that is online may be silent about a breach before it counts as over: its agent
/// was restarted and has forgotten it. Agents repeat each publishing interval, 15 s by default.
const UNHEARD_MS: i64 = 600_000;

/// The same until the interval is known: the longest one is an hour.
const UNHEARD_AT_FIRST_MS: i64 = 65 * 60_000;

/// How many intervals may be missed.
const UNHEARD_GAPS: i64 = 3;

/// More beginnings of a breach than this...
pub(super) const FLAPS_MAX: usize = 5;

/// ...within half an hour are flapping...
pub(super) const FLAPS_WITHIN_MS: i64 = 1_800_000;

/// ...until nothing has begun or ended for ten minutes.
pub(super) const QUIET_MS: i64 = 600_000;

/// When a page is held until something is said, not until a time.
pub(super) const UNTIL_TOLD: i64 = i64::MAX;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    /// Empty for a group of hosts as a whole.
    pub host: Arc<str>,
    pub rule: i64,
    pub instance: Arc<str>,
}

impl Place {
    pub fn of_group(rule: i64) -> Self {
        Self { host: "".into(), rule, instance: "".into() }
    }

    pub fn is_of_group(&self) -> bool {
        self.host.is_empty()
    }

    pub fn key(&self) -> StateKey {
        StateKey { rule_id: self.rule, host: self.host_id(), instance: self.instance.to_string() }
    }

    pub fn ticket(&self, named_at: i64) -> TicketKey {
        let StateKey { rule_id, host, instance } = self.key();
        TicketKey { rule_id, host, instance, begun_at: named_at }
    }

    fn host_id(&self) -> Option<HostId> {
        self.host.parse().ok()
    }
}

/// Opaque to all but the engine; it is stored as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Of the rule under which it began.
    pub(super) condition_version: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) breach: Option<Breach>,
    /// Of the episode that fires, also where a higher one supersedes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ticket: Option<Box<Ticket>>,
    #[serde(default)]
    pub(super) cooldown_until: i64,
    /// When a breach last began or ended.
    #[serde(default)]
    pub(super) changed_at: i64,
    /// When the last breach that ended had begun, by the host's clock: what is said of it later is
    /// a repetition.
    #[serde(default)]
    pub(super) ended_since: i64,
    /// The newest that was noted of what the host said of it, its end above all, by the host's
    /// clock: what comes late and is not newer is known or over.
    #[serde(default)]
    pub(super) said_at: i64,
    /// The newest beginnings, at most one more than makes it flapping.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) begins: Vec<i64>,
    #[serde(default)]
    pub(super) is_flapping: bool,
    /// When it is looked at, which is not after it is due; kept beside it so that the old entry is
    /// found.
    #[serde(skip)]
    pub(super) timer: Option<i64>,
    /// Whether it is among what has to be saved.
    #[serde(skip)]
    pub(super) is_dirty: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Breach {
    /// By the host's clock, as it says it.
    pub since: i64,
    /// By the bus's clock.
    pub begun_at: i64,
    /// What names its ticket: the beginning where that was heard, else the first that was heard.
    /// What is heard of again after it was over is another episode.
    pub named_at: i64,
    /// Since when there is evidence of it without a break: nothing fires before.
    pub known_from: i64,
    /// When it was last noted that the host says so.
    pub heard_at: i64,
    /// The longest time between two notes; 0 before the second.
    pub gap_ms: i64,
    /// Waits until then for a higher rule that is about to fire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle_until: Option<i64>,
    /// All that was said of it came late.
    #[serde(default)]
    pub is_late: bool,
    /// A person has resolved its ticket: until it is over it opens none.
    #[serde(default)]
    pub is_dismissed: bool,
    pub value: Option<f64>,
    pub threshold: Option<f64>,
    /// Kept until a ticket has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Box<Context>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is true or not whatever the others are")]
pub(super) struct Ticket {
    /// Part of its key.
    pub named_at: i64,
    pub priority: Priority,
    /// Whether the database has it; it has none of what was superseded from the first.
    pub is_opened: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<TicketKey>,
    /// The higher one has ended: goes on then, if it still holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_at: Option<i64>,
    /// Nobody is told: they were told of the higher one.
    pub is_quiet: bool,
    pub is_late: bool,
    pub is_silenced: bool,
    pub is_flapping: bool,
    pub is_acknowledged: bool,
    /// It was opened long after its time, because we were away.
    #[serde(default)]
    pub is_past: bool,
    /// What it was opened with, or has taken since, tells the largest directories.
    #[serde(default)]
    pub has_directories: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paged_at: Option<i64>,
    /// Of the last step of the escalation that was told: how long after the first page.
    #[serde(default)]
    pub stepped_s: i64,
    /// A page waits until then, or [`UNTIL_TOLD`]; or a silence has to be looked at again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until: Option<i64>,
    /// The channels that were told, a set for each page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<Vec<i64>>,
}

impl Ticket {
    /// Whether people see it as open.
    pub fn is_open(&self) -> bool {
        self.is_opened && self.superseded_by.is_none()
    }
}

impl Breach {
    pub fn has_directories(&self) -> bool {
        self.context.as_ref().is_some_and(|context| !context.directories.is_empty())
    }

    /// When it counts as over, if the host stays online and silent.
    pub fn unheard_at(&self, heard_since: i64) -> i64 {
        let allowed = match self.gap_ms {
            0 => UNHEARD_AT_FIRST_MS,
            gap => UNHEARD_MS.max(gap.saturating_mul(UNHEARD_GAPS)),
        };
        self.heard_at.max(heard_since).saturating_add(allowed)
    }
}

impl State {
    /// When the breach has lasted for long enough and nothing else is in the way.
    pub fn fires_at(&self, for_ms: i64) -> Option<i64> {
        let breach = self.breach.as_ref().filter(|breach| !breach.is_dismissed)?;
        let lasted = breach.begun_at.saturating_add(for_ms);
        Some(lasted.max(self.cooldown_until).max(breach.known_from))
    }

    /// When nothing is left to be remembered, if nothing is said until then.
    pub fn forget_at(&self) -> i64 {
        self.cooldown_until.max(self.changed_at.saturating_add(FLAPS_WITHIN_MS))
    }

    pub fn is_calm(&self, now: i64) -> bool {
        self.breach.is_none() && self.ticket.is_none() && self.forget_at() <= now
    }

    /// Notes the beginning of a breach. Answers whether it flaps since now.
    pub fn count_begin(&mut self, at: i64) -> bool {
        self.begins.retain(|before| *before > at - FLAPS_WITHIN_MS);
        self.begins.push(at);
        if self.begins.len() > FLAPS_MAX + 1 {
            self.begins.remove(0);
        }
        let flaps = self.begins.len() > FLAPS_MAX;
        let is_new = flaps && !self.is_flapping;
        self.is_flapping |= flaps;
        is_new
    }

    /// Whether this tells the largest directories to a ticket, or to a breach that may become one,
    /// that knows of none.
    pub fn lacks_directories_of(&self, context: &Context) -> bool {
        let lacks = match (&self.ticket, &self.breach) {
            (Some(ticket), _) => ticket.is_open() && !ticket.has_directories,
            (None, Some(breach)) => !breach.is_dismissed && !breach.has_directories(),
            (None, None) => false,
        };
        lacks && !context.directories.is_empty()
    }

    pub fn has_open_ticket(&self) -> bool {
        self.ticket.as_ref().is_some_and(|ticket| ticket.is_open())
    }
}
