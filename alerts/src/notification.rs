//! What people get: one notice for all pages of one cause, with the list of hosts.
//!
//! Two pages have one cause where the same rule says the same of two hosts (that it began, that it
//! ended, that nobody answers) to the same channels, and what they are about was first told
//! together. They are gathered until none has come for a moment, but never for so long that
//! somebody waits for it. A second host a minute later may have a trouble of its own: it is told as
//! quickly, as an incident of its own. Only in a storm, where handfuls of such pages have come
//! already, is what follows gathered for longer, into the incident that is known. Drawing a notice
//! for one kind of channel is [`channel`](crate::channel)'s business; sending it is not done here.

use std::collections::BTreeMap;

use crate::channel::{Notice, NoticeKind, Ticket};
use crate::engine::{PageKind, PageRequest};

/// A notice is complete when no page has come for so long: what one switch or one release causes
/// on many hosts comes closer together.
pub const GATHER_QUIET_MS: i64 = 400;

/// The longest a page waits for others: an instant alert is to be told within two seconds.
pub const GATHER_MS_MAX: i64 = 1_200;

/// So many pages of a cause within [`STORM_MS`] are a storm: fewer can still be read one by one.
pub const STORM_PAGES: usize = 5;

/// Of hosts that are offline, the second is taken to belong to the first: those that lose their
/// network together are missed one after the other, as their heartbeats were due.
pub const OFFLINE_PAGES: usize = 1;

/// What is counted for a storm. Hosts that lose their network together are missed over half of it.
pub const STORM_MS: i64 = 60_000;

/// How long the pages of a storm are gathered: somebody is told of the cause already, and who looks
/// after it is not to be called for each host.
pub const STORM_GATHER_MS: i64 = 30_000;

/// So long after it began an incident takes tickets. Paging services tell nobody of what is added
/// to one that was acknowledged, so what comes later is one of its own. It is four times as long as
/// a storm is gathered: hosts that lose their network together are three notices at most.
pub const THREAD_MS: i64 = 120_000;

/// The newest incident of a cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    pub name: String,
    /// When its first notice was made.
    pub began_at: i64,
    /// How many of its tickets are open.
    pub open: usize,
}

/// What came of a cause until now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Whether its rule is about hosts that are offline.
    pub is_offline: bool,
    /// When the newest pages came that were taken out to be told, [`STORM_PAGES`] of them.
    pub came_at: Vec<i64>,
    pub thread: Option<Thread>,
}

impl Known {
    fn enough(&self) -> usize {
        if self.is_offline { OFFLINE_PAGES } else { STORM_PAGES }
    }

    /// Whether a page that came at that time is one of many. Those that wait with it do not count:
    /// what breaks on many hosts at once is told at once.
    pub fn is_storm(&self, page_at: i64) -> bool {
        let since = page_at.saturating_sub(STORM_MS);
        self.came_at.iter().filter(|at| **at > since).count() >= self.enough()
    }

    /// The incident that takes what is gathered in a storm. One that is closed, or small, or not of
    /// today's trouble takes nothing.
    pub fn thread_of_storm(&self, now: i64) -> Option<&str> {
        let thread = self.thread.as_ref()?;
        let is_young = now < thread.began_at.saturating_add(THREAD_MS);
        (is_young && thread.open >= self.enough()).then_some(thread.name.as_str())
    }

    /// The newest pages, those included that are taken out now.
    pub fn came_with(&self, taken: impl IntoIterator<Item = i64>) -> Vec<i64> {
        let mut came: Vec<i64> = self.came_at.iter().copied().chain(taken).collect();
        came.sort_unstable_by(|a, b| b.cmp(a));
        came.truncate(STORM_PAGES);
        came
    }
}

/// When what has been gathered is to be sent, by the times of the first and the newest page.
pub fn gathered_at(first_at: i64, newest_at: i64, is_storm: bool) -> i64 {
    if is_storm {
        return first_at.saturating_add(STORM_GATHER_MS);
    }
    newest_at.saturating_add(GATHER_QUIET_MS).min(first_at.saturating_add(GATHER_MS_MAX))
}

/// What is to be done with a page once its time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Tell,
    /// It does not say what holds now; the ticket's history says why nobody was told.
    TellNobody(&'static str),
    /// Nobody misses it.
    Drop,
}

const OVER: &str = "it was over before it could be told";
const OVER_IN_STORM: &str = "it was over while the tickets of a storm were gathered";
const LONG_DUE: &str = "it was due long ago";

/// Why an escalation is told to nobody that was due before anybody was told of the ticket.
pub const UNTOLD: &str = "nobody had been told of the ticket yet";

/// A page is late that was due long ago, because Muster itself was away.
pub fn verdict(page: &Page, is_late: bool, is_storm: bool) -> Verdict {
    let is_over = page.ticket.resolved_at.is_some();
    match page.request.kind {
        PageKind::Opened if is_over && is_late => Verdict::TellNobody(OVER),
        PageKind::Opened if is_over && is_storm => Verdict::TellNobody(OVER_IN_STORM),
        PageKind::Escalated if is_over => Verdict::TellNobody(OVER),
        PageKind::Escalated if is_late => Verdict::TellNobody(LONG_DUE),
        // Whoever was not told that it began need not be told that it is over.
        PageKind::Resolved if page.thread.is_none() => Verdict::Drop,
        _ => Verdict::Tell,
    }
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
    fn a_notice_waits_for_quiet_but_not_for_ever_and_in_a_storm_for_half_a_minute() {
        assert_eq!(gathered_at(1000, 1000, false), 1400);
        assert_eq!(gathered_at(1000, 1700, false), 2100);
        assert_eq!(gathered_at(1000, 9000, false), 2200);
        assert_eq!(gathered_at(1000, 9000, true), 31_000);
    }

    fn known(is_offline: bool, came_at: &[i64]) -> Known {
        Known { is_offline, came_at: came_at.to_vec(), thread: None }
    }

    #[test]
    fn five_pages_within_a_minute_are_a_storm_and_of_hosts_offline_one_is() {
        let four = [10_000, 20_000, 30_000, 40_000];
        assert!(!known(false, &[]).is_storm(40_000));
        assert!(!known(false, &four).is_storm(40_500));
        assert!(known(true, &four[..1]).is_storm(69_999));
        assert!(!known(true, &four[..1]).is_storm(70_000));
        let five = known(false, &[10_000, 20_000, 30_000, 40_000, 40_000]);
        assert!(five.is_storm(40_500));
        assert!(five.is_storm(69_999));
        assert!(!five.is_storm(70_000));
    }

    #[test]
    fn the_newest_pages_are_remembered_and_no_more() {
        let came = known(false, &[1, 3]).came_with([2, 9, 7, 8]);
        assert_eq!(came, [9, 8, 7, 3, 2]);
        assert_eq!(known(false, &[]).came_with([4]), [4]);
    }

    #[test]
    fn an_incident_takes_tickets_while_it_is_young_open_and_that_of_a_storm() {
        let of = |is_offline, open| {
            let thread = Thread { name: "1/a//0/opened/0".into(), began_at: 1_000, open };
            Known { is_offline, came_at: Vec::new(), thread: Some(thread) }
        };
        assert_eq!(of(false, 5).thread_of_storm(120_999), Some("1/a//0/opened/0"));
        assert_eq!(of(false, 5).thread_of_storm(121_000), None);
        assert_eq!(of(false, 4).thread_of_storm(2_000), None);
        assert_eq!(of(true, 1).thread_of_storm(2_000), Some("1/a//0/opened/0"));
        assert_eq!(of(true, 0).thread_of_storm(2_000), None);
        assert_eq!(known(false, &[]).thread_of_storm(2_000), None);
    }

    #[test]
    fn what_is_over_before_its_turn_is_told_only_if_it_came_and_went_in_a_moment() {
        use PageKind::{Escalated, Opened, Resolved};
        for (kind, is_over, is_late, is_storm, expected) in [
            (Opened, false, false, false, Verdict::Tell),
            (Opened, false, true, true, Verdict::Tell),
            (Opened, true, false, false, Verdict::Tell),
            (Opened, true, false, true, Verdict::TellNobody(OVER_IN_STORM)),
            (Opened, true, true, true, Verdict::TellNobody(OVER)),
            (Escalated, false, false, true, Verdict::Tell),
            (Escalated, false, true, false, Verdict::TellNobody(LONG_DUE)),
            (Escalated, true, false, false, Verdict::TellNobody(OVER)),
            (Resolved, true, false, false, Verdict::Drop),
        ] {
            let mut page = page(1, "a", kind, 1);
            page.ticket.resolved_at = is_over.then_some(2);
            let verdict = verdict(&page, is_late, is_storm);
            assert_eq!(verdict, expected, "{kind:?} {is_over} {is_late} {is_storm}");
        }
        let mut told = page(1, "a", Resolved, 1);
        told.thread = Some("1/a//0/opened/0".into());
        assert_eq!(verdict(&told, true, true), Verdict::Tell);
    }
}
