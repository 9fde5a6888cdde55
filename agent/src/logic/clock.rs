//! What a host's clock is worth: when it is wrong enough to say so, and when it was set.
//!
//! Rates are reckoned on a clock that is never set, so that a wrong one costs none of them. What it
//! does cost is where samples and log lines appear, and beyond the centre's patience the data.

use muster_schemas::telemetry::FUTURE_MS_MAX;

/// People compare log lines of two hosts to the second; a minute apart they draw wrong
/// conclusions. What answers over a slow line differs by less.
const WRONG_MS: i64 = 60_000;

/// A clock that is slewed moves a millisecond in two seconds. Seconds between two looks are a step.
const STEP_MS: i64 = 2_000;

/// What a person is told of a clock that is this far ahead of the centre's (below zero: behind).
pub fn complaint(offset_ms: i64) -> Option<String> {
    if offset_ms.saturating_abs() < WRONG_MS {
        return None;
    }
    let by = span(offset_ms.saturating_abs());
    Some(if offset_ms > FUTURE_MS_MAX {
        let most = span(FUTURE_MS_MAX);
        format!(
            "this host's clock is {by} ahead of the centre's: what is dated more than {most} ahead \
             is not stored but set aside as a dead letter; set the clock right"
        )
    } else if offset_ms > 0 {
        format!("this host's clock is {by} ahead of the centre's: set it right")
    } else {
        format!(
            "this host's clock is {by} behind the centre's: what it sends is shown at times in the \
             past; set it right"
        )
    })
}

/// Two units at the most: people need no more.
fn span(ms: i64) -> String {
    let seconds = ms / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// Notices when the clock is set while the agent runs. A machine that is put back to a snapshot or
/// wakes up may have its clock set then.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClockWatch {
    apart_ms: Option<i64>,
}

impl ClockWatch {
    /// By how much the clock was set since the last look, if it was. `boot_ms` counts from the
    /// start of the machine, suspends included.
    pub fn observe(&mut self, wall_ms: i64, boot_ms: i64) -> Option<i64> {
        let apart_ms = wall_ms.saturating_sub(boot_ms);
        let before = self.apart_ms.replace(apart_ms)?;
        let step_ms = apart_ms.saturating_sub(before);
        (step_ms.saturating_abs() >= STEP_MS).then_some(step_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    #[test]
    fn a_clock_that_is_wrong_is_told_with_what_it_costs() {
        for right in [0, 59_999, -59_999] {
            assert_eq!(complaint(right), None);
        }
        for (offset_ms, words) in [
            (61_000, "clock is 1 min ahead of the centre's: set"),
            (
                FUTURE_MS_MAX + 1,
                "clock is 5 min ahead of the centre's: what is dated more than 5 min",
            ),
            (DAY_MS + 7_200_000, "clock is 1 d 2 h ahead of the centre's: what is dated"),
            (-5_400_000, "clock is 1 h 30 min behind the centre's"),
            (i64::MIN, "behind"),
        ] {
            let told = complaint(offset_ms).unwrap();
            assert!(told.contains(words), "{offset_ms}: {told}");
        }
    }

    #[test]
    fn a_clock_that_is_set_is_noticed_and_one_that_runs_is_not() {
        let mut watch = ClockWatch::default();
        assert_eq!(watch.observe(1_000_000, 0), None);
        assert_eq!(watch.observe(1_005_001, 5_000), None);
        assert_eq!(watch.observe(1_010_001 + DAY_MS, 10_000), Some(DAY_MS));
        assert_eq!(watch.observe(1_015_001 + DAY_MS, 15_000), None, "told once");
        assert_eq!(watch.observe(1_020_001, 20_000), Some(-DAY_MS));
        assert_eq!(watch.observe(4_620_001, 3_620_000), None, "an hour of sleep is no step");
    }
}
