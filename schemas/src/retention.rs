//! How long what is stored is kept: groups of tables, rules, and what a rule means for a table and
//! for a host.
//!
//! A rule names a group or a single table; the rule of a table wins over that of its group. A rule
//! with a label concerns rows of hosts with that label alone, and can only shorten: days are
//! dropped whole, which is cheap, and rows of single hosts are deleted, which is not. What is
//! dropped are whole days, UTC, that have ended at least `keep_days` ago; of the tables of hours
//! whole months, so that some of their rows are a month older.
//!
//! Gateways take and show rules, ingest workers enforce them; both use this.

pub mod plan;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Rejection;

pub const DAY_MS: i64 = 86_400_000;

/// A hundred years: longer is a typing mistake.
const KEEP_DAYS_MAX: i64 = 36_500;

/// More rules than anybody can oversee; each one with a label costs deletes of its own.
const RULES_MAX: usize = 200;

/// Of a label, as agents may have them.
const LABEL_CHARS_MAX: usize = 256;

/// Tables that are kept for the same time unless a rule says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    Raw,
    Rollup1m,
    Rollup1h,
    Logs,
    Events,
    InventoryHistory,
    LedgerHistory,
    Alerts,
    Notifications,
}

impl Group {
    pub const ALL: [Self; 9] = [
        Self::Raw,
        Self::Rollup1m,
        Self::Rollup1h,
        Self::Logs,
        Self::Events,
        Self::InventoryHistory,
        Self::LedgerHistory,
        Self::Alerts,
        Self::Notifications,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Rollup1m => "rollup_1m",
            Self::Rollup1h => "rollup_1h",
            Self::Logs => "logs",
            Self::Events => "events",
            Self::InventoryHistory => "inventory_history",
            Self::LedgerHistory => "ledger_history",
            Self::Alerts => "alerts",
            Self::Notifications => "notifications",
        }
    }

    /// Raw samples for a look back over a fortnight, minutes for a quarter, hours for three years;
    /// what is small and tells a story is kept as long as somebody may ask for it.
    pub fn default_days(self) -> i64 {
        match self {
            Self::Raw => 14,
            Self::Rollup1m | Self::LedgerHistory | Self::Notifications => 90,
            Self::Rollup1h | Self::InventoryHistory | Self::Alerts => 3 * 365,
            Self::Logs => 30,
            Self::Events => 365,
        }
    }

    /// The group of a time-series table, told by its name: a new one needs no entry here.
    pub fn of_series(table: &str) -> Self {
        match table {
            "log_lines" => Self::Logs,
            _ if table.ends_with("_1m") => Self::Rollup1m,
            _ if table.ends_with("_1h") => Self::Rollup1h,
            _ => Self::Raw,
        }
    }
}

impl FromStr for Group {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|group| group.as_str() == name).ok_or(())
    }
}

/// A table that is no time series and is kept for a time: its old rows are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowTable {
    pub name: &'static str,
    pub group: Group,
    /// The column that says how old a row is; null is not old.
    pub time: &'static str,
    /// What must hold beyond its age, as SQL over the row `old`.
    pub also: &'static str,
}

pub const ROW_TABLES: [RowTable; 9] = [
    // What the bus does not have yet is still to be published.
    RowTable {
        name: "events",
        group: Group::Events,
        time: "at",
        also: "old.published_at IS NOT NULL",
    },
    // What a host was at the horizon, it became before: that row stays.
    RowTable {
        name: "host_inventory_history",
        group: Group::InventoryHistory,
        time: "at",
        also: "EXISTS (
            SELECT FROM host_inventory_history AS next
            WHERE next.host_id = old.host_id AND next.kind = old.kind AND next.at < $1
              AND (next.at, next.epoch, next.seq) > (old.at, old.epoch, old.seq))",
    },
    RowTable { name: "ledger_marks", group: Group::LedgerHistory, time: "at", also: "true" },
    RowTable { name: "gaps", group: Group::LedgerHistory, time: "closed_at", also: "true" },
    RowTable { name: "backfills", group: Group::LedgerHistory, time: "stored_at", also: "true" },
    // Before the tickets it tells of. What is still to be sent stays.
    RowTable {
        name: "notifications",
        group: Group::Notifications,
        time: "created_at",
        also: "old.state <> 'pending'",
    },
    // With its history. An index knows when a ticket was opened: not after it was resolved.
    RowTable {
        name: "alerts",
        group: Group::Alerts,
        time: "resolved_at",
        also: "old.status = 'resolved' AND old.opened_at < $1",
    },
    // The time at which it ended, whichever way; one that goes on for ever has none.
    RowTable {
        name: "silences",
        group: Group::Alerts,
        time: "created_at",
        also: "least(old.ended_at, old.ends_at) < $1",
    },
    // What a rule was when a ticket that is kept was opened stays, and what it was at the horizon.
    RowTable {
        name: "rule_versions",
        group: Group::Alerts,
        time: "at",
        also: "EXISTS (
            SELECT FROM rule_versions AS next
            WHERE next.rule_id = old.rule_id AND next.version > old.version AND next.at < $1)
          AND NOT EXISTS (
            SELECT FROM alerts
            WHERE alerts.rule_id = old.rule_id AND alerts.rule_version = old.version)",
    },
];

/// `key=value`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    pub key: String,
    pub value: String,
}

impl FromStr for Label {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (key, value) = text.split_once('=').ok_or(())?;
        let fits = text.chars().count() <= LABEL_CHARS_MAX && !text.contains(char::is_control);
        if key.is_empty() || value.is_empty() || !fits {
            return Err(());
        }
        Ok(Self { key: key.to_owned(), value: value.to_owned() })
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// A group or a table.
    pub scope: String,
    /// `key=value`; absent or null for all hosts.
    #[serde(default)]
    pub label: Option<String>,
    pub keep_days: i64,
}

/// All rules that were set; for what they do not name, the defaults of the groups hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub rules: Vec<Rule>,
}

impl Policy {
    /// Checks rules against the time-series tables there are; names the field that is wrong.
    pub fn check(&self, series: &[String]) -> Result<(), Rejection> {
        if self.rules.len() > RULES_MAX {
            let expected = format!("at most {RULES_MAX} rules");
            return Err(Rejection::bad_value("rules", self.rules.len(), expected));
        }
        for (index, rule) in self.rules.iter().enumerate() {
            self.check_rule(index, rule, series)?;
        }
        Ok(())
    }

    fn check_rule(&self, index: usize, rule: &Rule, series: &[String]) -> Result<(), Rejection> {
        let field = |name: &str| format!("rules[{index}].{name}");
        let is_series = series.contains(&rule.scope);
        let group = group_of(&rule.scope);
        if rule.scope.parse::<Group>().is_err() && row_table(&rule.scope).is_none() && !is_series {
            let groups = Group::ALL.map(Group::as_str).join(", ");
            let expected = format!("a table, or a group: {groups}");
            return Err(Rejection::bad_value(field("scope"), &rule.scope, expected));
        }
        if !(1..=KEEP_DAYS_MAX).contains(&rule.keep_days) {
            let expected = format!("1 to {KEEP_DAYS_MAX}");
            return Err(Rejection::bad_value(field("keep_days"), rule.keep_days, expected));
        }
        if self.rules[..index].iter().any(|r| r.scope == rule.scope && r.label == rule.label) {
            let expected = "named once, with or without the same label";
            return Err(Rejection::bad_value(field("scope"), &rule.scope, expected));
        }
        let Some(label) = &rule.label else { return Ok(()) };
        let of_hosts =
            matches!(group, Group::Raw | Group::Rollup1m | Group::Rollup1h | Group::Logs);
        if label.parse::<Label>().is_err() || !of_hosts {
            let expected = "key=value, for time series alone (raw, rollups, logs)";
            return Err(Rejection::bad_value(field("label"), label, expected));
        }
        let all = self.days_of_scope(&rule.scope);
        if rule.keep_days >= all {
            let expected = format!("less than the {all} days for all hosts: a label only shortens");
            return Err(Rejection::bad_value(field("keep_days"), rule.keep_days, expected));
        }
        Ok(())
    }

    /// For how many days rows of a table are kept, whatever their host.
    pub fn keep_days(&self, table: &str) -> i64 {
        self.days_of_scope(table)
    }

    fn days_of_scope(&self, scope: &str) -> i64 {
        let group = group_of(scope);
        let of = |name: &str| {
            let rule = self.rules.iter().find(|rule| rule.label.is_none() && rule.scope == name);
            rule.map(|rule| rule.keep_days)
        };
        of(scope).or_else(|| of(group.as_str())).unwrap_or_else(|| group.default_days())
    }

    /// The rules that shorten this for hosts with a label, the shortest first.
    pub fn shorter(&self, table: &str) -> Vec<(Label, i64)> {
        let group = group_of(table);
        let all = self.keep_days(table);
        let concerns = |rule: &&Rule| {
            (rule.scope == table || rule.scope == group.as_str()) && rule.keep_days < all
        };
        let labelled = |rule: &Rule| Some((rule.label.as_ref()?.parse().ok()?, rule.keep_days));
        let mut found: Vec<(Label, i64)> =
            self.rules.iter().filter(concerns).filter_map(labelled).collect();
        found.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
        found
    }

    /// As [`Policy::keep_days`], for a host with these labels.
    pub fn keep_days_of(&self, table: &str, labels: &BTreeMap<String, String>) -> i64 {
        let has = |label: &Label| labels.get(&label.key) == Some(&label.value);
        let shorter = self.shorter(table).into_iter().find(|(label, _)| has(label));
        shorter.map_or_else(|| self.keep_days(table), |(_, days)| days)
    }

    /// How old a sample may be to be stored still: as long as any table keeps a part of it. Parts
    /// that are kept for a shorter time go with the next pass.
    pub fn samples_days_of(&self, raw: &[String], labels: &BTreeMap<String, String>) -> i64 {
        let days = raw.iter().map(|table| self.keep_days_of(table, labels));
        days.max().unwrap_or_else(|| self.days_of_scope(Group::Raw.as_str()))
    }
}

/// The group of a table, or the one that is named.
pub fn group_of(scope: &str) -> Group {
    let row_table = row_table(scope).map(|table| table.group);
    scope.parse().ok().or(row_table).unwrap_or_else(|| Group::of_series(scope))
}

fn row_table(name: &str) -> Option<RowTable> {
    ROW_TABLES.into_iter().find(|table| table.name == name)
}

/// What ended at or before this is dropped: the start of the day that lies `keep_days` back.
pub fn horizon(now_ms: i64, keep_days: i64) -> i64 {
    (now_ms.div_euclid(DAY_MS) - keep_days).saturating_mul(DAY_MS)
}

#[cfg(test)]
mod tests;
