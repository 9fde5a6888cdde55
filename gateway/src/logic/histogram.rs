//! How many log lines there were of each severity in each step of a range.
//!
//! Lines are counted newest first, and counting may end before all of them were looked at. A step
//! that was looked at in part would be drawn as one with few lines: it has no count, like those
//! before it.

use std::collections::BTreeMap;

use muster_schemas::logs::Severity;
use serde::Serialize;
use utoipa::ToSchema;

use super::steps::{Range, STEPS_S, bucket_of, timestamps};

/// A bar that can be told from its neighbour is several pixels wide.
const BARS_WANTED: i64 = 100;

/// More than that is narrower than a pixel on most screens.
const BARS_MAX: i64 = 1_500;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadStep {
    #[error("step is {0} s, which is not one of those of the metrics (1, 5, 10, 15, 30, 60, ...)")]
    Unknown(i64),
    #[error("step is {0} s, which makes more than {BARS_MAX} steps of this range")]
    TooFine(i64),
    #[error("from and to are so far apart that no step makes fewer than {BARS_MAX} of them")]
    TooLong,
}

/// Lines of a severity in the step that begins at `bucket`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub bucket: i64,
    pub severity: Severity,
    pub lines: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CountSeries {
    pub severity: &'static str,
    /// One a step; null where not all of it was looked at.
    pub counts: Vec<Option<i64>>,
}

/// The step in milliseconds: the one that was asked for, or one that makes about a hundred.
pub fn step_ms(range: Range, asked_s: Option<i64>) -> Result<i64, BadStep> {
    let bars = |step_s: i64| {
        (range.to - bucket_of(range.from, step_s * 1_000)).div_euclid(step_s * 1_000) + 1
    };
    let Some(asked) = asked_s else {
        let step = STEPS_S.iter().find(|step| bars(**step) <= BARS_WANTED);
        let step = *step.or(STEPS_S.last()).ok_or(BadStep::TooLong)?;
        return if bars(step) <= BARS_MAX { Ok(step * 1_000) } else { Err(BadStep::TooLong) };
    };
    if !STEPS_S.contains(&asked) {
        return Err(BadStep::Unknown(asked));
    }
    if bars(asked) > BARS_MAX { Err(BadStep::TooFine(asked)) } else { Ok(asked * 1_000) }
}

/// The steps of a range and, for each severity from the worst, how many lines they hold. All lines
/// of `searched_until` and later were counted.
pub fn series(
    range: Range,
    step_ms: i64,
    counts: &[Count],
    searched_until: i64,
) -> (Vec<i64>, Vec<CountSeries>) {
    let mut sums: BTreeMap<(Severity, i64), i64> = BTreeMap::new();
    for count in counts {
        *sums.entry((count.severity, count.bucket)).or_default() += count.lines;
    }
    let starts = timestamps(range, step_ms);
    let of = |severity: Severity| CountSeries {
        severity: severity.as_str(),
        counts: starts
            .iter()
            // The first step may begin before the range.
            .map(|start| ((*start).max(range.from) >= searched_until).then_some(*start))
            .map(|known| known.map(|start| sums.get(&(severity, start)).copied().unwrap_or(0)))
            .collect(),
    };
    let all = Severity::ALL.map(of).to_vec();
    (starts, all)
}

/// From which step on all was counted.
pub fn whole_from(searched_until: i64, step_ms: i64) -> i64 {
    let start = bucket_of(searched_until, step_ms);
    if start == searched_until { start } else { start + step_ms }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::steps::ORIGIN_MS;

    const MINUTE_MS: i64 = 60_000;

    #[test]
    fn a_step_is_chosen_for_about_a_hundred_bars_and_one_too_fine_is_refused() {
        let of = |ms: i64| Range { from: ORIGIN_MS, to: ORIGIN_MS + ms };
        assert_eq!(step_ms(of(3_600_000), None), Ok(60_000));
        assert_eq!(step_ms(of(86_400_000), None), Ok(900_000));
        assert_eq!(step_ms(of(30 * 86_400_000), None), Ok(43_200_000));
        assert_eq!(step_ms(of(3_600_000), Some(5)), Ok(5_000));
        assert_eq!(step_ms(of(86_400_000), Some(5)), Err(BadStep::TooFine(5)));
        assert_eq!(step_ms(of(86_400_000), Some(7)), Err(BadStep::Unknown(7)));
        assert_eq!(step_ms(of(8_000 * 366 * 86_400_000), None), Err(BadStep::TooLong));
    }

    #[test]
    fn counts_of_several_slices_add_up_and_what_was_not_looked_at_is_null() {
        let range = Range { from: ORIGIN_MS + 30_000, to: ORIGIN_MS + 4 * MINUTE_MS };
        let count = |minute: i64, lines| Count {
            bucket: ORIGIN_MS + minute * MINUTE_MS,
            severity: Severity::Error,
            lines,
        };
        let counts = [count(3, 5), count(2, 1), count(2, 2), count(1, 9)];
        let errors = |until| {
            let (starts, series) = series(range, MINUTE_MS, &counts, until);
            assert_eq!(starts.len(), 4);
            assert_eq!(series.len(), 5);
            assert_eq!(series[2].severity, "error");
            series[2].counts.clone()
        };
        let half = ORIGIN_MS + MINUTE_MS + 1;
        assert_eq!(errors(half), [None, None, Some(3), Some(5)]);
        assert_eq!(whole_from(half, MINUTE_MS), ORIGIN_MS + 2 * MINUTE_MS);
        assert_eq!(errors(range.from), [Some(0), Some(9), Some(3), Some(5)]);
        assert_eq!(whole_from(ORIGIN_MS, MINUTE_MS), ORIGIN_MS);
    }
}
