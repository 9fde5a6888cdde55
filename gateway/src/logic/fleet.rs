//! The `hosts` topic: the newest figures of each host, gathered for about a second.
//!
//! Agents that come back from an outage replay what they have; a list must not go back in time
//! with them, so a sample older than the one shown is left out. A host whose clock was set back
//! would be mute that way: after a minute without anything newer, whatever it sends counts.

use std::collections::HashMap;

use muster_schemas::HostId;
use muster_schemas::telemetry::Sample;

use super::summary::{Latest, latest};

/// How long a sample keeps older ones away.
const SHOWN_MS: i64 = 60_000;

/// Hosts remembered: about 100 bytes each. Beyond this, replays are shown as they come.
const HOSTS_MAX: usize = 100_000;

#[derive(Debug, Default)]
pub struct Fleet {
    shown: HashMap<HostId, Shown>,
    waiting: HashMap<HostId, Latest>,
}

#[derive(Debug, Clone, Copy)]
struct Shown {
    sample_at: i64,
    heard_at: i64,
}

impl Fleet {
    pub fn observe(&mut self, now: i64, host: HostId, sample: &Sample) {
        let known = self.shown.get(&host);
        if known.is_some_and(|k| sample.at < k.sample_at && now - k.heard_at < SHOWN_MS) {
            return;
        }
        if known.is_some() || self.shown.len() < HOSTS_MAX {
            self.shown.insert(host.clone(), Shown { sample_at: sample.at, heard_at: now });
        }
        self.waiting.insert(host, latest(sample));
    }

    pub fn drain(&mut self) -> impl Iterator<Item = (HostId, Latest)> + '_ {
        self.waiting.drain()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observe(fleet: &mut Fleet, now: i64, at: i64) -> Option<i64> {
        let sample = Sample { at, ..Sample::default() };
        fleet.observe(now, "web-3".parse().unwrap(), &sample);
        fleet.drain().map(|(_, latest)| latest.at).next()
    }

    #[test]
    fn a_replay_does_not_turn_the_list_back() {
        let mut fleet = Fleet::default();
        assert_eq!(observe(&mut fleet, 100_000, 100_000), Some(100_000));
        assert_eq!(observe(&mut fleet, 101_000, 50_000), None);
        assert_eq!(observe(&mut fleet, 102_000, 102_000), Some(102_000));
    }

    #[test]
    fn a_clock_that_was_set_back_is_believed_after_a_minute() {
        let mut fleet = Fleet::default();
        assert_eq!(observe(&mut fleet, 100_000, 900_000), Some(900_000));
        assert_eq!(observe(&mut fleet, 110_000, 110_000), None);
        assert_eq!(observe(&mut fleet, 160_000, 160_000), Some(160_000));
    }
}
