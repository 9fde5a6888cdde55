//! When a host was there and when it was not, from the events of its coming and going.
//!
//! - A host is online from the heartbeat that brought it back, and offline from the last heartbeat
//!   that was heard of it: the event says so later, once the silence was too long to be chance.
//!   Both are the broker's times. An absence shorter than three heartbeats is no event and is not
//!   seen here.
//! - Between two events the host is as the earlier one left it. While nobody could judge (the bus
//!   or the database was away), that is what is assumed.
//! - Before the first event that is still kept, nothing is known; but a return tells how long the
//!   host was away. Unknown time counts neither for nor against a host.

use serde::Serialize;
use utoipa::ToSchema;

use super::steps::Range;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Online,
    Offline,
    /// Before anything was heard of the host, or what was is no longer kept.
    Unknown,
}

/// A host came or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Online {
        at: i64,
        /// Since its last heartbeat, where there was one.
        away_ms: Option<i64>,
    },
    Offline {
        last_heartbeat_at: i64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Interval {
    pub status: State,
    pub from: i64,
    pub to: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Availability {
    pub from: i64,
    pub to: i64,
    /// Of the time in which it is known; null where nothing is.
    pub percent: Option<f64>,
    pub online_ms: i64,
    pub offline_ms: i64,
    pub unknown_ms: i64,
    /// How often it went offline within this time.
    pub outages: i64,
    /// Oldest first, without gaps.
    pub intervals: Vec<Interval>,
}

impl Change {
    fn state_and_time(self) -> (State, i64) {
        match self {
            Self::Online { at, .. } => (State::Online, at),
            Self::Offline { last_heartbeat_at } => (State::Offline, last_heartbeat_at),
        }
    }
}

/// `changes` in the order in which they were decided, from the last before the range to the first
/// after it: that one may tell of a silence that began within.
pub fn availability(range: Range, changes: &[Change]) -> Availability {
    let mut intervals = Vec::new();
    let mut state = State::Unknown;
    let mut since = i64::MIN;
    for change in changes {
        if let (State::Unknown, Change::Online { at, away_ms: Some(away_ms) }) = (state, *change) {
            let left_at = at.saturating_sub(away_ms).max(since);
            push(&mut intervals, range, Interval { status: state, from: since, to: left_at });
            (state, since) = (State::Offline, left_at);
        }
        let (next, at) = change.state_and_time();
        let at = at.max(since);
        push(&mut intervals, range, Interval { status: state, from: since, to: at });
        (state, since) = (next, at);
    }
    push(&mut intervals, range, Interval { status: state, from: since, to: i64::MAX });
    summed(range, intervals)
}

/// Cut to the range; joined with the one before where nothing changed.
fn push(intervals: &mut Vec<Interval>, range: Range, interval: Interval) {
    let (from, to) = (interval.from.max(range.from), interval.to.min(range.to));
    if from >= to {
        return;
    }
    match intervals.last_mut() {
        Some(last) if last.status == interval.status => last.to = to,
        _ => intervals.push(Interval { from, to, ..interval }),
    }
}

fn summed(range: Range, intervals: Vec<Interval>) -> Availability {
    let total = |state| -> i64 {
        intervals.iter().filter(|i| i.status == state).map(|i| i.to - i.from).sum()
    };
    let (online_ms, offline_ms) = (total(State::Online), total(State::Offline));
    let known = online_ms + offline_ms;
    let percent = (known > 0).then(|| online_ms as f64 * 100.0 / known as f64);
    let began = |i: &&Interval| i.status == State::Offline && i.from > range.from;
    Availability {
        from: range.from,
        to: range.to,
        percent,
        online_ms,
        offline_ms,
        unknown_ms: total(State::Unknown),
        outages: intervals.iter().filter(began).count() as i64,
        intervals,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::{Offline, Online, Unknown};

    const RANGE: Range = Range { from: 1_000, to: 2_000 };

    fn online(at: i64, away_ms: Option<i64>) -> Change {
        Change::Online { at, away_ms }
    }

    fn offline(last_heartbeat_at: i64) -> Change {
        Change::Offline { last_heartbeat_at }
    }

    #[test]
    fn intervals_follow_the_events_and_cover_the_range() {
        for (changes, expected) in [
            (vec![], vec![(Unknown, 1_000, 2_000)]),
            (vec![online(500, None)], vec![(Online, 1_000, 2_000)]),
            (vec![online(1_200, None)], vec![(Unknown, 1_000, 1_200), (Online, 1_200, 2_000)]),
            (
                vec![online(500, None), offline(1_300), online(1_600, Some(300))],
                vec![(Online, 1_000, 1_300), (Offline, 1_300, 1_600), (Online, 1_600, 2_000)],
            ),
            // Older events are no longer kept: a return tells of its absence.
            (
                vec![online(1_600, Some(300))],
                vec![(Unknown, 1_000, 1_300), (Offline, 1_300, 1_600), (Online, 1_600, 2_000)],
            ),
            // Decided after the range, but the silence began within.
            (
                vec![online(500, None), offline(1_900)],
                vec![(Online, 1_000, 1_900), (Offline, 1_900, 2_000)],
            ),
            (vec![online(500, None), offline(2_500)], vec![(Online, 1_000, 2_000)]),
            // Decided within, began before.
            (
                vec![online(100, None), offline(900), online(1_500, Some(600))],
                vec![(Offline, 1_000, 1_500), (Online, 1_500, 2_000)],
            ),
        ] {
            let found = availability(RANGE, &changes).intervals;
            let found: Vec<_> = found.iter().map(|i| (i.status, i.from, i.to)).collect();
            assert_eq!(found, expected, "{changes:?}");
        }
    }

    #[test]
    fn the_percentage_is_of_the_time_that_is_known() {
        let changes = [online(1_200, None), offline(1_400), online(1_600, Some(200))];
        let found = availability(RANGE, &changes);
        assert_eq!((found.online_ms, found.offline_ms, found.unknown_ms), (600, 200, 200));
        assert_eq!((found.percent, found.outages), (Some(75.0), 1));
        let none = availability(RANGE, &[]);
        assert_eq!((none.percent, none.unknown_ms, none.outages), (None, 1_000, 0));
    }

    #[test]
    fn events_out_of_order_in_time_never_make_an_interval_of_less_than_nothing() {
        let changes = [online(1_500, None), offline(1_400), online(1_450, Some(50))];
        let found = availability(RANGE, &changes);
        assert!(found.intervals.iter().all(|i| i.from < i.to), "{found:?}");
        assert_eq!(found.online_ms + found.offline_ms + found.unknown_ms, 1_000);
    }
}
