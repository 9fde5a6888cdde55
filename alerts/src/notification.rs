//! What people get: one notice for all pages of one cause, with the list of hosts.
//!
//! Two pages have one cause where the same rule says the same of two hosts (that it began, that it
//! ended, that nobody answers) to the same channels, and what they are about was first told
//! together. They are gathered until none has come for a moment, but never for so long that
//! somebody waits for it. What follows soon after a notice is gathered for longer. Drawing a notice for one kind of channel is [`channel`](crate::channel)'s
//! business; sending it is not done here.

use std::collections::BTreeMap;

use crate::channel::{Notice, NoticeKind, Ticket};
use crate::engine::{PageKind, PageRequest};

/// A notice is complete when no page has come for so long: what one switch or one release causes
/// on many hosts comes closer together.
pub const GATHER_QUIET_MS: i64 = 400;

/// The longest a page waits for others: an instant alert is to be told within two seconds.
pub const GATHER_MS_MAX: i64 = 1_200;

/// What comes within this time after a notice of the same cause belongs to it. Hosts that lose their
/// network together are missed over half a minute, as their heartbeats were due.
pub const GROUP_MS: i64 = 60_000;

/// How long such pages are gathered: somebody is told of the cause already, and who looks after it
/// is not to be called for each host.
pub const GROUP_GATHER_MS: i64 = 30_000;

/// The newest notice of a cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub thread: String,
    pub at: i64,
}

impl Told {
    /// Whether a page that came at that time belongs to it.
    pub fn takes(&self, page_at: i64) -> bool {
        page_at < self.at.saturating_add(GROUP_MS)
    }
}

/// When what has been gathered is to be sent, by the times of the first and the newest page, and
/// whether a notice of the same cause has just left.
pub fn gathered_at(first_at: i64, newest_at: i64, told: Option<&Told>) -> i64 {
    if told.is_some_and(|told| told.takes(first_at)) {
        return first_at.saturating_add(GROUP_GATHER_MS);
    }
    newest_at.saturating_add(GATHER_QUIET_MS).min(first_at.saturating_add(GATHER_MS_MAX))
}

/// A page and what its ticket says.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    pub request: PageRequest,
    pub ticket: Ticket,
    /// Of the notice with which the ticket was first told; absent before that.
    pub thread: Option<String>,
}

/// A notice and the channels it goes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Gathered {
    pub rule_id: i64,
    /// Ids; empty: the default channels.
    pub channels: Vec<i64>,
    pub notice: Notice,
    /// The keys of all its tickets, those included that the notice does not list.
    pub tickets: Vec<String>,
}

impl From<PageKind> for NoticeKind {
    fn from(kind: PageKind) -> Self {
        match kind {
            PageKind::Opened => Self::Opened,
            PageKind::Escalated => Self::Escalated,
            PageKind::Resolved => Self::Resolved,
        }
    }
}

/// What pages have in common that are told together.
type Cause = (i64, PageKind, Vec<i64>, Option<String>);

/// Gathers pages into notices, whatever their order. A notice has the key of its first page: the
/// same for the same pages, however often they are gathered.
pub fn gather(pages: impl IntoIterator<Item = Page>) -> Vec<Gathered> {
    let mut causes: BTreeMap<Cause, BTreeMap<String, Page>> = BTreeMap::new();
    for page in pages {
        let PageRequest { ticket, kind, channels, .. } = &page.request;
        let cause = (ticket.rule_id, *kind, channels.clone(), page.thread.clone());
        causes.entry(cause).or_default().insert(page.request.key(), page);
    }
    causes.into_iter().filter_map(|(cause, pages)| one(cause, pages)).collect()
}

fn one(
    (rule_id, kind, channels, thread): Cause,
    pages: BTreeMap<String, Page>,
) -> Option<Gathered> {
    let key = pages.first_key_value()?.0.clone();
    let at = pages.values().map(|page| page.request.at).min()?;
    // A ticket that escalates twice in one moment is listed once.
    let told: BTreeMap<String, Ticket> =
        pages.into_values().map(|page| (page.ticket.key.clone(), page.ticket)).collect();
    let tickets = told.keys().cloned().collect();
    let thread = thread.unwrap_or_else(|| key.clone());
    let notice = Notice::of(key, kind.into(), at, thread, told.into_values().collect());
    Some(Gathered { rule_id, channels, notice, tickets })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::TicketKey;
    use crate::rule::Priority;

    fn page(rule: i64, host: &str, kind: PageKind, at: i64) -> Page {
        let key: TicketKey = format!("{rule}/{host}//0").parse().unwrap();
        let ticket = Ticket {
            key: key.to_string(),
            host: Some(host.into()),
            instance: None,
            title: format!("CPU of {host}"),
            description: "It is busy.".into(),
            recommendation: "Look.".into(),
            priority: Priority::Critical,
            metric: Some("cpu.usage_percent".into()),
            value: Some(97.0),
            threshold: Some(90.0),
            begun_at: 0,
            resolved_at: None,
            url: None,
        };
        let request = PageRequest { ticket: key, kind, number: 0, channels: vec![1], at };
        Page { request, ticket, thread: None }
    }

    #[test]
    fn two_hundred_hosts_of_one_cause_are_one_notice_with_their_list() {
        let pages = (0..200).map(|n| page(1, &format!("web-{n:03}"), PageKind::Opened, 1000 + n));
        let gathered = gather(pages);
        let [Gathered { notice, tickets, .. }] = gathered.as_slice() else {
            panic!("{}", gathered.len())
        };
        assert_eq!((notice.count, notice.host_count, notice.at), (200, 200, 1000));
        assert_eq!((tickets.len(), tickets[199].as_str()), (200, "1/web-199//0"));
        assert_eq!(notice.key, "1/web-000//0/opened/0");
        assert_eq!(notice.thread, notice.key);
    }

    #[test]
    fn what_has_another_cause_or_other_channels_or_was_told_apart_is_told_apart() {
        let mut other = page(1, "c", PageKind::Opened, 1);
        other.request.channels = Vec::new();
        let mut told = page(1, "d", PageKind::Resolved, 1);
        told.thread = Some("1/a//0/opened/0".into());
        let gathered = gather([
            page(1, "a", PageKind::Opened, 1),
            page(1, "b", PageKind::Resolved, 1),
            page(2, "a", PageKind::Opened, 1),
            page(1, "b", PageKind::Opened, 1),
            other,
            told,
        ]);
        let counts: Vec<(&str, u32)> =
            gathered.iter().map(|g| (g.notice.key.as_str(), g.notice.count)).collect();
        let expected = [
            ("1/c//0/opened/0", 1),
            ("1/a//0/opened/0", 2),
            ("1/b//0/resolved/0", 1),
            ("1/d//0/resolved/0", 1),
            ("2/a//0/opened/0", 1),
        ];
        assert_eq!(counts, expected);
        assert_eq!(gathered[3].notice.thread, "1/a//0/opened/0");
    }

    #[test]
    fn a_ticket_that_escalates_twice_in_one_moment_is_listed_once() {
        let mut second = page(1, "a", PageKind::Escalated, 2);
        second.request.number = 1;
        let gathered = gather([second, page(1, "a", PageKind::Escalated, 1)]);
        assert_eq!((gathered.len(), gathered[0].notice.count), (1, 1));
        assert_eq!(gathered[0].notice.key, "1/a//0/escalated/0");
    }

    #[test]
    fn a_notice_waits_for_quiet_but_not_for_ever() {
        assert_eq!(gathered_at(1000, 1000, None), 1400);
        assert_eq!(gathered_at(1000, 1700, None), 2100);
        assert_eq!(gathered_at(1000, 9000, None), 2200);
    }

    #[test]
    fn what_follows_a_notice_within_a_minute_is_gathered_for_half_a_minute() {
        let told = Told { thread: "1/a//0/opened/0".into(), at: 1000 };
        assert_eq!(gathered_at(1500, 2000, Some(&told)), 31_500);
        assert_eq!(gathered_at(60_999, 60_999, Some(&told)), 90_999);
        assert_eq!(gathered_at(61_000, 61_000, Some(&told)), 61_400);
    }
}
