//! What waits for one browser, bounded however slow it is.
//!
//! Telemetry conflates to the latest value of each topic, the fleet to the latest row of each
//! host, an error to the latest of its topic. Events and log lines are kept in order; where there are
//! too many, the oldest go and the browser is told how many.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;

use muster_schemas::HostId;

use super::topic::Topic;

/// Events that wait for one browser, some 200 bytes each. A rack that loses power is 40 hosts.
const EVENTS_MAX: usize = 1_000;

/// Hosts whose newest row waits for one browser, some 600 bytes each, shared among browsers.
const HOSTS_MAX: usize = 50_000;

/// Log lines that wait for one browser, in bytes of their frames: more than a screen can scroll
/// through in the second that a slow line needs for it.
const LOGS_BYTES_MAX: usize = 1024 * 1024;

/// Text that is ready to be sent, shared among all who are to get it.
pub type Shared = Arc<str>;

#[derive(Debug, Default)]
pub struct Mailbox {
    errors: BTreeMap<Topic, Shared>,
    events: VecDeque<Shared>,
    events_dropped: u64,
    hosts: BTreeMap<HostId, Shared>,
    hosts_at: i64,
    hosts_dropped: u64,
    telemetry: BTreeMap<Topic, Shared>,
    logs: VecDeque<Lines>,
    logs_bytes: usize,
    lines_dropped: BTreeMap<Topic, u64>,
}

/// A frame of log lines.
#[derive(Debug)]
struct Lines {
    topic: Topic,
    frame: Shared,
    count: u64,
}

impl Mailbox {
    pub fn put_error(&mut self, topic: Topic, frame: Shared) {
        self.errors.insert(topic, frame);
    }

    /// Answers whether an older one had to go.
    pub fn put_event(&mut self, frame: Shared) -> bool {
        let full = self.events.len() >= EVENTS_MAX;
        if full {
            self.events.pop_front();
            self.events_dropped += 1;
        }
        self.events.push_back(frame);
        full
    }

    /// `rows` are objects of the `hosts` frame, one a host.
    pub fn put_hosts(&mut self, at: i64, rows: &[(HostId, Shared)]) {
        self.hosts_at = at;
        for (host, row) in rows {
            if self.hosts.len() < HOSTS_MAX || self.hosts.contains_key(host) {
                self.hosts.insert(host.clone(), row.clone());
            } else {
                self.hosts_dropped += 1;
            }
        }
    }

    pub fn put_telemetry(&mut self, topic: Topic, frame: Shared) {
        self.telemetry.insert(topic, frame);
    }

    /// `count` lines in one frame. Answers how many older ones had to go.
    pub fn put_lines(&mut self, topic: Topic, frame: Shared, count: u64) -> u64 {
        self.logs_bytes += frame.len();
        self.logs.push_back(Lines { topic, frame, count });
        let mut gone = 0;
        while self.logs_bytes > LOGS_BYTES_MAX && self.logs.len() > 1 {
            let Some(oldest) = self.logs.pop_front() else { break };
            self.logs_bytes -= oldest.frame.len();
            gone += oldest.count;
            self.note_dropped(oldest.topic, oldest.count);
        }
        gone
    }

    /// Lines that were left out on the way here.
    pub fn note_dropped(&mut self, topic: Topic, count: u64) {
        *self.lines_dropped.entry(topic).or_default() += count;
    }

    /// What came for a topic nobody listens to any more.
    pub fn forget(&mut self, topic: &Topic) {
        self.errors.remove(topic);
        self.telemetry.remove(topic);
        match topic {
            Topic::Events => self.events.clear(),
            Topic::Hosts => self.hosts.clear(),
            Topic::Telemetry(_) => {}
            Topic::Logs(_) => {
                self.logs.retain(|lines| lines.topic != *topic);
                self.logs_bytes = self.logs.iter().map(|lines| lines.frame.len()).sum();
                self.lines_dropped.remove(topic);
            }
        }
    }

    /// The next frame to send: what a person must know first, what is replaced soonest last.
    pub fn take(&mut self) -> Option<Shared> {
        if let Some((_, error)) = self.errors.pop_first() {
            return Some(error);
        }
        if self.events_dropped > 0 {
            return Some(dropped(&Topic::Events, std::mem::take(&mut self.events_dropped)));
        }
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        if self.hosts_dropped > 0 {
            return Some(dropped(&Topic::Hosts, std::mem::take(&mut self.hosts_dropped)));
        }
        if !self.hosts.is_empty() {
            return Some(self.take_hosts());
        }
        if let Some((topic, count)) = self.lines_dropped.pop_first() {
            return Some(dropped(&topic, count));
        }
        if let Some(lines) = self.logs.pop_front() {
            self.logs_bytes -= lines.frame.len();
            return Some(lines.frame);
        }
        self.telemetry.pop_first().map(|(_, frame)| frame)
    }

    fn take_hosts(&mut self) -> Shared {
        let rows = std::mem::take(&mut self.hosts);
        let bytes: usize = rows.values().map(|row| row.len() + 1).sum();
        let mut frame = String::with_capacity(bytes + 100);
        let at = self.hosts_at;
        // Writing to a string cannot fail.
        let _ = write!(frame, r#"{{"type":"data","topic":"hosts","at":{at},"data":{{"hosts":["#);
        for (index, row) in rows.values().enumerate() {
            if index > 0 {
                frame.push(',');
            }
            frame.push_str(row);
        }
        frame.push_str("]}}");
        frame.into()
    }
}

fn dropped(topic: &Topic, count: u64) -> Shared {
    format!(r#"{{"type":"dropped","topic":"{topic}","count":{count}}}"#).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web(n: usize) -> HostId {
        format!("web-{n}").parse().unwrap()
    }

    fn all(mailbox: &mut Mailbox) -> Vec<String> {
        std::iter::from_fn(|| mailbox.take()).map(|frame| frame.to_string()).collect()
    }

    #[test]
    fn telemetry_conflates_to_the_latest_of_each_host() {
        let mut mailbox = Mailbox::default();
        for n in 0..100 {
            mailbox.put_telemetry(Topic::Telemetry(web(1)), format!("a{n}").into());
            mailbox.put_telemetry(Topic::Telemetry(web(2)), format!("b{n}").into());
        }
        assert_eq!(all(&mut mailbox), ["a99", "b99"]);
    }

    #[test]
    fn events_drop_the_oldest_and_say_how_many() {
        let mut mailbox = Mailbox::default();
        for n in 0..EVENTS_MAX + 3 {
            assert_eq!(mailbox.put_event(n.to_string().into()), n >= EVENTS_MAX);
        }
        let frames = all(&mut mailbox);
        assert_eq!(frames[0], r#"{"type":"dropped","topic":"events","count":3}"#);
        assert_eq!(frames[1], "3");
        assert_eq!(frames.len(), EVENTS_MAX + 1);
    }

    #[test]
    fn of_too_many_lines_the_oldest_go_and_are_counted() {
        let mut mailbox = Mailbox::default();
        let topic = Topic::Logs(web(1));
        let frame = |n: usize| n.to_string().repeat(LOGS_BYTES_MAX / 4);
        for n in 0..6 {
            let gone = mailbox.put_lines(topic.clone(), frame(n).into(), 10);
            assert_eq!(gone, if n < 4 { 0 } else { 10 }, "{n}");
        }
        let frames = all(&mut mailbox);
        assert_eq!(frames[0], r#"{"type":"dropped","topic":"host/web-1/logs","count":20}"#);
        assert_eq!(frames[1..], [frame(2), frame(3), frame(4), frame(5)]);
        assert_eq!(mailbox.logs_bytes, 0);
    }

    #[test]
    fn hosts_conflate_to_one_frame_with_the_latest_row_of_each() {
        let mut mailbox = Mailbox::default();
        mailbox.put_hosts(1, &[(web(1), r#"{"id":"web-1","n":1}"#.into())]);
        mailbox.put_hosts(2, &[(web(2), r#"{"id":"web-2","n":1}"#.into())]);
        mailbox.put_hosts(3, &[(web(1), r#"{"id":"web-1","n":2}"#.into())]);
        let frames = all(&mut mailbox);
        assert_eq!(frames.len(), 1);
        let frame: serde_json::Value = serde_json::from_str(&frames[0]).unwrap();
        assert_eq!(frame["at"], 3);
        assert_eq!(frame["data"]["hosts"][0]["n"], 2);
        assert_eq!(frame["data"]["hosts"][1]["id"], "web-2");
    }

    #[test]
    fn what_nobody_wants_any_more_is_not_sent() {
        let mut mailbox = Mailbox::default();
        mailbox.put_event("e".into());
        mailbox.put_hosts(1, &[(web(1), "{}".into())]);
        mailbox.put_telemetry(Topic::Telemetry(web(1)), "t".into());
        mailbox.put_lines(Topic::Logs(web(1)), "l".into(), 1);
        mailbox.note_dropped(Topic::Logs(web(1)), 1);
        let host_topics = [Topic::Telemetry(web(1)), Topic::Logs(web(1))];
        for topic in [Topic::Events, Topic::Hosts].into_iter().chain(host_topics) {
            mailbox.forget(&topic);
        }
        assert_eq!(mailbox.take(), None);
    }
}
