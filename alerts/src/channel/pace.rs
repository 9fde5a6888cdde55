//! How fast a channel takes notifications, whoever sends them.
//!
//! One time is remembered for each channel: up to when it is paid for. Each notification moves it
//! on by its share of a minute, and as long as it is less than the allowance ahead of now, another
//! may go. So up to [`BURST_MAX`] go at once after a quiet minute, and the mean is never exceeded;
//! and because it is one time, it can be a column that all workers share.

/// What may go at once: an outage opens a few tickets in a few seconds, and the fifth should not
/// wait. Less where a channel takes less than that in a minute.
const BURST_MAX: u32 = 10;

const MINUTE_MS: i64 = 60_000;

/// How many may go now, `wanted` at most. `paid_until` is the remembered time, if there is one.
pub fn room(now: i64, paid_until: Option<i64>, per_minute: u32, wanted: u32) -> u32 {
    let (step, burst) = shape(per_minute);
    let paid_until = paid_until.unwrap_or(now).max(now);
    let allowance = step * i64::from(burst) - (paid_until - now);
    let room = if allowance < step { 0 } else { allowance / step };
    wanted.min(u32::try_from(room).unwrap_or(u32::MAX))
}

/// The time to remember after so many were sent.
pub fn after(now: i64, paid_until: Option<i64>, per_minute: u32, sent: u32) -> i64 {
    let (step, _) = shape(per_minute);
    paid_until.unwrap_or(now).max(now) + step * i64::from(sent)
}

/// The time to remember where the receiver wants nothing at all for a while: as if the whole
/// allowance had been used up.
pub fn paused(now: i64, per_minute: u32, pause_ms: i64) -> i64 {
    let (step, burst) = shape(per_minute);
    now.saturating_add(pause_ms).saturating_add(step * i64::from(burst - 1))
}

/// Milliseconds that one notification costs, and how many may be ahead.
fn shape(per_minute: u32) -> (i64, u32) {
    let per_minute = per_minute.max(1);
    ((MINUTE_MS / i64::from(per_minute)).max(1), per_minute.min(BURST_MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_quiet_channel_takes_a_burst_and_then_its_rate() {
        assert_eq!(room(0, None, 30, 100), 10);
        let paid = after(0, None, 30, 10);
        assert_eq!(room(0, Some(paid), 30, 100), 0);
        assert_eq!(room(1_999, Some(paid), 30, 100), 0);
        assert_eq!(room(2_000, Some(paid), 30, 100), 1);
        assert_eq!(room(20_000, Some(paid), 30, 100), 10);
        assert_eq!(room(10_000_000, Some(paid), 30, 3), 3);
    }

    #[test]
    fn a_slow_channel_takes_one_at_a_time() {
        assert_eq!(room(0, None, 1, 100), 1);
        let paid = after(0, None, 1, 1);
        assert_eq!((room(59_999, Some(paid), 1, 9), room(60_000, Some(paid), 1, 9)), (0, 1));
    }

    #[test]
    fn a_channel_that_asked_for_a_pause_takes_nothing_during_it() {
        for per_minute in [1, 5, 30, 600] {
            let paid = paused(1_000, per_minute, 30_000);
            assert_eq!(room(30_999, Some(paid), per_minute, 100), 0);
            assert_eq!(room(31_000, Some(paid), per_minute, 100), 1);
        }
    }

    proptest! {
        #[test]
        fn no_minute_takes_more_than_its_rate_and_a_burst(
            per_minute in 1u32..600,
            looks in prop::collection::vec((0i64..5_000, 0u32..50), 1..200),
        ) {
            let (mut now, mut paid) = (0, None);
            let mut sent: Vec<(i64, u32)> = Vec::new();
            for (pause, wanted) in looks {
                now += pause;
                let count = room(now, paid, per_minute, wanted);
                paid = Some(after(now, paid, per_minute, count));
                sent.push((now, count));
            }
            for (begin, _) in &sent {
                let within = |at: &i64| (*begin..begin + MINUTE_MS).contains(at);
                let count: u32 = sent.iter().filter(|(at, _)| within(at)).map(|(_, n)| n).sum();
                // A step is rounded down to whole milliseconds.
                prop_assert!(count <= per_minute + per_minute / 50 + BURST_MAX + 1);
            }
        }
    }
}
