//! Which buckets are made anew, in which order, and which never are.
//!
//! - The oldest and the newest hours take turns: a backlog of old hours, such as after an upgrade
//!   or an outage, is worked off from its beginning, and does not keep the hour that has just ended
//!   waiting.
//! - Buckets whose samples retention may have dropped are not replaced: what late data makes of
//!   such an hour is a part of it. Where there are no buckets at all, a part is more than nothing.
//!   What is asked here is only whether retention is at the day now, by today's longest rule;
//!   whether it was there before, for any table and by any rule, the schema counts (0010).
//!
//! Times are ms since the Unix epoch. The rollup loop (`io::rollups`) asks.

pub const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;

/// Raw data goes by whole days. A day that ends so soon is taken as gone: clocks differ, and a
/// transaction that has begun must end before the day is dropped under it.
const RETENTION_MARGIN_MS: i64 = HOUR_MS;

/// An hour of a slice of the hosts, whose buckets are to be made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Due {
    pub hour: i64,
    pub slice: i32,
}

/// The hour in which a moment lies.
pub fn hour_of(at: i64) -> i64 {
    at.div_euclid(HOUR_MS) * HOUR_MS
}

/// Whether the day of an hour is not about to be dropped, so that its buckets may be replaced.
pub fn is_whole(hour: i64, now: i64, raw_retention_ms: i64) -> bool {
    let day_end = (hour.div_euclid(DAY_MS) + 1) * DAY_MS;
    day_end - RETENTION_MARGIN_MS > now.saturating_sub(raw_retention_ms)
}

/// The newest, the oldest, the second newest, ...
pub fn in_turns(mut due: Vec<Due>) -> Vec<Due> {
    due.sort_unstable();
    let mut ordered = Vec::with_capacity(due.len());
    let (mut oldest, mut newest) = (0, due.len());
    while oldest < newest {
        newest -= 1;
        ordered.push(due[newest]);
        if oldest < newest {
            ordered.push(due[oldest]);
            oldest += 1;
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RETENTION: i64 = 14 * DAY_MS;
    /// 2026-11-21T08:00:00Z
    const NOW: i64 = 1_795_248_000_000;

    #[test]
    fn an_hour_is_whole_until_its_day_is_nearly_dropped() {
        let dropped_next = (NOW - RETENTION).div_euclid(DAY_MS) * DAY_MS;
        for (hour, now, whole) in [
            (NOW - HOUR_MS, NOW, true),
            (dropped_next, NOW, true),
            (dropped_next - HOUR_MS, NOW, false),
            (dropped_next, dropped_next + DAY_MS + RETENTION - 2 * HOUR_MS, true),
            (dropped_next, dropped_next + DAY_MS + RETENTION - HOUR_MS, false),
        ] {
            assert_eq!(is_whole(hour, now, RETENTION), whole, "{hour} {now}");
        }
        assert!(is_whole(0, NOW, i64::MAX));
    }

    #[test]
    fn old_hours_and_fresh_ones_take_turns() {
        let due = |hour| Due { hour, slice: 0 };
        let ordered = in_turns(vec![due(3), due(1), due(4), due(2), due(5)]);
        assert_eq!(ordered, [due(5), due(1), due(4), due(2), due(3)]);
        assert_eq!(in_turns(vec![]), []);
    }

    proptest! {
        #[test]
        fn taking_turns_loses_nothing(hours in prop::collection::vec((0..50i64, 0..4i32), 0..60)) {
            let due: Vec<Due> = hours.iter().map(|(hour, slice)| Due { hour: *hour, slice: *slice }).collect();
            let mut ordered = in_turns(due.clone());
            let mut due = due;
            due.sort_unstable();
            ordered.sort_unstable();
            prop_assert_eq!(ordered, due);
        }

        #[test]
        fn an_hour_holds_its_moments(at in -10_000_000_000i64..2_000_000_000_000) {
            prop_assert!(hour_of(at) <= at && at < hour_of(at) + HOUR_MS);
        }
    }
}
