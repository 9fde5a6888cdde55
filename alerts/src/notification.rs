//! What people get: one notice for all pages of one cause, with the list of hosts.
//!
//! Two pages have one cause where the same rule says the same of two hosts (that it began, that it
//! ended, that nobody answers) to the same channels. They are gathered until none has come for a
//! moment, but never for so long that somebody waits for it. Drawing a notice for one kind of
//! channel, and sending it, is not done here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use muster_schemas::HostId;
use serde::{Deserialize, Serialize};

use crate::engine::{PageKind, PageRequest, TicketDraft};
use crate::figures;
use crate::key::TicketKey;
use crate::rule::Priority;
use crate::template::{cut, named};

/// A notice is complete when no page has come for so long: what one switch or one release causes
/// on many hosts comes closer together.
pub const GATHER_QUIET_MS: i64 = 400;

/// The longest a page waits for others: an instant alert is to be told within two seconds.
pub const GATHER_MS_MAX: i64 = 1_200;

/// Tickets that are listed one by one.
const LISTED_MAX: usize = 20;

/// When what has been gathered is to be sent, by the times of the first and the newest page.
pub fn gathered_at(first_at: i64, newest_at: i64) -> i64 {
    newest_at.saturating_add(GATHER_QUIET_MS).min(first_at.saturating_add(GATHER_MS_MAX))
}

/// A page and what its ticket says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    pub request: PageRequest,
    pub ticket: TicketSummary,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TicketSummary {
    pub rule_name: String,
    pub metric: String,
    pub priority: Priority,
    pub title: String,
    pub description: String,
    pub recommendation: String,
    pub value: Option<f64>,
    pub threshold: Option<f64>,
}

impl From<&TicketDraft> for TicketSummary {
    fn from(draft: &TicketDraft) -> Self {
        Self {
            rule_name: draft.rule_name.clone(),
            metric: draft.metric.clone(),
            priority: draft.priority,
            title: draft.title.clone(),
            description: draft.description.clone(),
            recommendation: draft.recommendation.clone(),
            value: draft.value,
            threshold: draft.threshold,
        }
    }
}

impl PageRequest {
    /// The same for pages that may be told together on one channel.
    pub fn cause(&self) -> String {
        format!("{}/{}", self.ticket.rule_id, self.kind.as_str())
    }
}

/// One message to the same channels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Of its first page: the same for the same pages, however often they are gathered.
    pub key: String,
    pub kind: PageKind,
    /// Ids; empty: the default channels.
    pub channels: Vec<i64>,
    pub rule_id: i64,
    pub rule_name: String,
    /// The highest of its tickets.
    pub priority: Priority,
    /// Of the first page.
    pub at: i64,
    /// In the order of their keys.
    pub tickets: Vec<NoticeTicket>,
    /// Of the first ticket.
    pub description: String,
    pub recommendation: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoticeTicket {
    pub key: TicketKey,
    pub title: String,
    pub metric: String,
    pub value: Option<f64>,
    pub threshold: Option<f64>,
}

impl Notice {
    /// Gathers pages into notices, whatever their order.
    pub fn gather(pages: impl IntoIterator<Item = Page>) -> Vec<Self> {
        let mut causes: BTreeMap<(String, Vec<i64>), BTreeMap<String, Page>> = BTreeMap::new();
        for page in pages {
            let cause = (page.request.cause(), page.request.channels.clone());
            causes.entry(cause).or_default().insert(page.request.key(), page);
        }
        causes.into_values().filter_map(Self::of).collect()
    }

    fn of(pages: BTreeMap<String, Page>) -> Option<Self> {
        let priority = pages.values().map(|page| page.ticket.priority).max()?;
        let at = pages.values().map(|page| page.request.at).min()?;
        let (key, first) = pages.first_key_value()?;
        let (key, first) = (key.clone(), first.clone());
        // A ticket that escalates twice in one moment is listed once.
        let mut seen = BTreeSet::new();
        let ticket = |page: Page| NoticeTicket {
            key: page.request.ticket,
            title: page.ticket.title,
            metric: page.ticket.metric,
            value: page.ticket.value,
            threshold: page.ticket.threshold,
        };
        let mut tickets: Vec<NoticeTicket> = pages.into_values().map(ticket).collect();
        tickets.retain(|ticket| seen.insert(ticket.key.clone()));
        Some(Self {
            key,
            kind: first.request.kind,
            channels: first.request.channels,
            rule_id: first.request.ticket.rule_id,
            rule_name: first.ticket.rule_name,
            priority,
            at,
            tickets,
            description: first.ticket.description,
            recommendation: first.ticket.recommendation,
        })
    }

    /// Every host there is a ticket of, once, in order.
    pub fn hosts(&self) -> Vec<String> {
        let hosts = self.tickets.iter().filter_map(|ticket| ticket.key.host.as_ref());
        let hosts: BTreeSet<&str> = hosts.map(HostId::as_str).collect();
        hosts.into_iter().map(str::to_owned).collect()
    }

    /// One line: `[critical] CPU of web-3 at 97 %`, `[resolved] 200 hosts: CPU critical`.
    pub fn headline(&self) -> String {
        let mark = match self.kind {
            PageKind::Opened => self.priority.as_str().to_owned(),
            PageKind::Escalated => format!("{}, not acknowledged", self.priority.as_str()),
            PageKind::Resolved => "resolved".to_owned(),
        };
        match self.tickets.as_slice() {
            [ticket] => format!("[{mark}] {}", ticket.title),
            tickets => {
                let (hosts, rule) = (self.hosts(), &self.rule_name);
                match hosts.as_slice() {
                    [] => format!("[{mark}] {} tickets: {rule}", tickets.len()),
                    [host] => format!("[{mark}] {} tickets of {host}: {rule}", tickets.len()),
                    hosts => format!("[{mark}] {} hosts: {rule}", hosts.len()),
                }
            }
        }
    }

    /// The whole as plain text of at most so many bytes, without the headline.
    pub fn plain(&self, bytes_max: usize) -> String {
        let mut text = String::new();
        if let [ticket] = self.tickets.as_slice() {
            let since = figures::time(ticket.key.begun_at);
            if self.kind == PageKind::Resolved {
                let at = figures::time(self.at);
                let _ = writeln!(text, "Resolved at {at}; it began at {since}.");
            } else {
                let _ = writeln!(text, "{}\nSince {since}.", self.description);
            }
        } else {
            self.list(&mut text);
        }
        if self.kind != PageKind::Resolved && !self.recommendation.is_empty() {
            let _ = writeln!(text, "\n{}", self.recommendation);
        }
        cut(&mut text, bytes_max);
        text.trim().to_owned()
    }

    fn list(&self, text: &mut String) {
        let hosts = self.hosts();
        if hosts.len() > 1 {
            let _ = writeln!(text, "{} hosts: {}\n", hosts.len(), named(&hosts, hosts.len()));
        }
        for ticket in self.tickets.iter().take(LISTED_MAX) {
            let _ = writeln!(text, "- {}", ticket.title);
        }
        if self.tickets.len() > LISTED_MAX {
            let _ = writeln!(text, "- and {} more", self.tickets.len() - LISTED_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(rule: i64, host: &str, kind: PageKind, at: i64) -> Page {
        let host = host.parse().ok();
        let ticket = TicketKey { rule_id: rule, host, instance: String::new(), begun_at: 0 };
        let title = format!("CPU of {}", ticket.host.as_ref().map_or("all", |h| h.as_str()));
        Page {
            request: PageRequest { ticket, kind, number: 0, channels: vec![1], at },
            ticket: TicketSummary {
                rule_name: "CPU critical".into(),
                metric: "cpu.usage_percent".into(),
                priority: Priority::Critical,
                title,
                description: "It is busy.".into(),
                recommendation: "Look.".into(),
                value: Some(97.0),
                threshold: Some(90.0),
            },
        }
    }

    #[test]
    fn two_hundred_hosts_of_one_cause_are_one_notice_with_their_list() {
        let pages = (0..200).map(|n| page(1, &format!("web-{n:03}"), PageKind::Opened, 1000 + n));
        let notices = Notice::gather(pages);
        let [notice] = notices.as_slice() else { panic!("{}", notices.len()) };
        assert_eq!(notice.headline(), "[critical] 200 hosts: CPU critical");
        assert_eq!((notice.hosts().len(), notice.at), (200, 1000));
        assert_eq!(notice.key, "1/web-000//0/opened/0");
        let text = notice.plain(10_000);
        assert!(text.starts_with("200 hosts: web-000, web-001"), "{text}");
        assert!(text.contains("web-019 and 180 more") && text.ends_with("Look."), "{text}");
        assert!(notice.plain(100).len() <= 100);
    }

    #[test]
    fn what_has_another_cause_or_other_channels_is_told_apart() {
        let mut other = page(1, "c", PageKind::Opened, 1);
        other.request.channels = Vec::new();
        let notices = Notice::gather([
            page(1, "a", PageKind::Opened, 1),
            page(1, "b", PageKind::Resolved, 1),
            page(2, "a", PageKind::Opened, 1),
            page(1, "b", PageKind::Opened, 1),
            other,
        ]);
        let lines: Vec<String> = notices.iter().map(Notice::headline).collect();
        assert_eq!(
            lines,
            [
                "[critical] CPU of c",
                "[critical] 2 hosts: CPU critical",
                "[resolved] CPU of b",
                "[critical] CPU of a",
            ]
        );
    }

    #[test]
    fn a_notice_waits_for_quiet_but_not_for_ever() {
        assert_eq!(gathered_at(1000, 1000), 1400);
        assert_eq!(gathered_at(1000, 1700), 2100);
        assert_eq!(gathered_at(1000, 9000), 2200);
    }

    #[test]
    fn one_ticket_is_told_with_its_own_words() {
        let notices = Notice::gather([page(1, "a", PageKind::Opened, 1)]);
        let since = "Since 1970-01-01 00:00:00 UTC.";
        assert_eq!(notices[0].plain(1000), format!("It is busy.\n{since}\n\nLook."));
        let notices = Notice::gather([page(1, "a", PageKind::Resolved, 60_000)]);
        let text = "Resolved at 1970-01-01 00:01:00 UTC; it began at 1970-01-01 00:00:00 UTC.";
        assert_eq!(notices[0].plain(1000), text);
    }
}
