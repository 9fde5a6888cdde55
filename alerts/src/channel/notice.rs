//! What a person is told: one cause, its tickets, and why they are told now.
//!
//! It is made where pages are grouped and stored with the outbox row as it is, so that an attempt
//! hours later says the same. What a kind of channel makes of it is not decided here.

use serde::{Deserialize, Serialize};

use crate::rule::Priority;

/// Tickets that are told in full; of more, only the hosts are listed. Twenty fill a screen.
pub const TICKETS_MAX: usize = 20;

/// Hosts that are listed by name. A name is 63 bytes at most, so the list is 63 kB at most; of
/// more, how many there are is told.
pub const HOSTS_MAX: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    Opened,
    /// Nobody has acknowledged it in time.
    Escalated,
    Resolved,
    /// Somebody wants to see whether a channel works.
    Test,
}

impl NoticeKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Escalated => "escalated",
            Self::Resolved => "resolved",
            Self::Test => "test",
        }
    }
}

/// A ticket as it was when the notice was made. Its texts are rendered already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    pub key: String,
    /// Absent where the ticket is of a group of hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Which filesystem, interface, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    pub title: String,
    #[serde(default)]
    pub description: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub recommendation: String,
    pub priority: Priority,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Milliseconds since the Unix epoch.
    pub begun_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<i64>,
    /// Its page of the dashboard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// The same at each attempt, so that a receiver can recognise the second one.
    pub key: String,
    pub kind: NoticeKind,
    /// When what it tells happened, in milliseconds since the Unix epoch.
    pub at: i64,
    /// What notices of one cause have in common, from the first to the last: a ticket's key, or
    /// that of the group in which tickets were first told. An incident at a paging service bears
    /// its name.
    pub thread: String,
    /// Tickets of the thread that are still open. A paging service closes its incident at 0.
    #[serde(default)]
    pub open: u32,
    /// The highest of the tickets'.
    pub priority: Priority,
    /// How many tickets there are, those included that are left out below.
    pub count: u32,
    /// The most urgent first; at least one unless this is a test.
    pub tickets: Vec<Ticket>,
    /// In order, each once; [`HOSTS_MAX`] at most.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// How many hosts there are, those included that are left out above.
    #[serde(default)]
    pub host_count: u32,
    /// Where in the dashboard to look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Notice {
    /// One notice of all these tickets, which have one cause and are the whole of their thread. A
    /// caller who knows of others that are still open sets `open` afterwards.
    pub fn of(
        key: impl Into<String>,
        kind: NoticeKind,
        at: i64,
        thread: impl Into<String>,
        mut tickets: Vec<Ticket>,
    ) -> Self {
        tickets.sort_by(|a, b| {
            (b.priority, a.begun_at, &a.host, &a.key)
                .cmp(&(a.priority, b.begun_at, &b.host, &b.key))
        });
        let mut hosts: Vec<String> = tickets.iter().filter_map(|t| t.host.clone()).collect();
        hosts.sort_unstable();
        hosts.dedup();
        let (count, host_count) = (tickets.len() as u32, hosts.len() as u32);
        let priority = tickets.first().map_or(Priority::Low, |ticket| ticket.priority);
        let url = tickets.first().and_then(|ticket| ticket.url.clone());
        let open = if kind == NoticeKind::Resolved { 0 } else { count };
        tickets.truncate(TICKETS_MAX);
        hosts.truncate(HOSTS_MAX);
        Self {
            key: key.into(),
            kind,
            at,
            thread: thread.into(),
            open,
            priority,
            count,
            tickets,
            hosts,
            host_count,
            url,
        }
    }

    /// What the button "send a test" sends.
    pub fn test(key: impl Into<String>, at: i64, channel: &str) -> Self {
        let key = key.into();
        let ticket = Ticket {
            key: key.clone(),
            host: None,
            instance: None,
            title: format!("Test of the channel {channel}"),
            description: "If you can read this, the channel works. Nothing has happened.".into(),
            recommendation: String::new(),
            priority: Priority::Low,
            metric: None,
            value: None,
            threshold: None,
            begun_at: at,
            resolved_at: None,
            url: None,
        };
        let thread = key.clone();
        Self { open: 0, ..Self::of(key, NoticeKind::Test, at, thread, vec![ticket]) }
    }

    /// Hosts that are not listed by name.
    pub fn hosts_left_out(&self) -> u32 {
        self.host_count.saturating_sub(self.hosts.len() as u32)
    }
}

#[cfg(test)]
pub(super) mod examples {
    use super::*;

    pub fn ticket(host: &str, priority: Priority) -> Ticket {
        Ticket {
            key: format!("7/{host}//1767225600000"),
            host: Some(host.into()),
            instance: Some("/var".into()),
            title: format!("Disk /var is nearly full on {host}"),
            description: "/var is 91 % full, more than 90 %.".into(),
            recommendation: "Remove what is not needed.".into(),
            priority,
            metric: Some("filesystem.used_percent".into()),
            value: Some(91.25),
            threshold: Some(90.0),
            begun_at: 1_767_225_600_000,
            resolved_at: None,
            url: Some("https://muster.example/alerts/7".into()),
        }
    }

    pub fn opened() -> Notice {
        let tickets = vec![ticket("web-1", Priority::Critical)];
        Notice::of("42/opened/3", NoticeKind::Opened, 1_767_225_600_000, "7/web-1", tickets)
    }

    pub fn storm(hosts: usize) -> Notice {
        let tickets = (0..hosts).map(|n| ticket(&format!("web-{n:04}"), Priority::High)).collect();
        Notice::of("43/opened/3", NoticeKind::Opened, 1_767_225_600_000, "7/group", tickets)
    }
}

#[cfg(test)]
mod tests {
    use super::examples::{opened, storm, ticket};
    use super::*;

    #[test]
    fn two_hundred_hosts_of_one_cause_are_one_notice_with_the_list() {
        let notice = storm(200);
        assert_eq!((notice.count, notice.host_count, notice.hosts.len()), (200, 200, 200));
        assert_eq!(notice.tickets.len(), TICKETS_MAX);
        assert_eq!(notice.hosts_left_out(), 0);
        let flood = storm(5_000);
        assert_eq!((flood.count, flood.hosts.len(), flood.hosts_left_out()), (5_000, 1_000, 4_000));
        assert!(serde_json::to_vec(&flood).unwrap().len() < 64 * 1024);
    }

    #[test]
    fn the_most_urgent_ticket_is_told_first_and_gives_the_notice_its_priority() {
        let tickets = vec![ticket("a", Priority::Low), ticket("b", Priority::Critical)];
        let notice = Notice::of("k", NoticeKind::Opened, 1, "t", tickets);
        assert_eq!(notice.priority, Priority::Critical);
        assert_eq!(notice.tickets[0].host.as_deref(), Some("b"));
        assert_eq!(notice.hosts, ["a", "b"]);
    }

    #[test]
    fn a_stored_notice_is_read_back_as_it_was() {
        for notice in [opened(), storm(30), Notice::test("test/1", 5, "ops")] {
            let stored = serde_json::to_value(&notice).unwrap();
            assert_eq!(serde_json::from_value::<Notice>(stored).unwrap(), notice);
        }
    }
}
