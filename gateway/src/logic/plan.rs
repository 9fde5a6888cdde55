//! Where the points of a chart are read from: samples, or their buckets of a minute or an hour.
//!
//! - The widest bucket that divides the step. Steps that no bucket divides are read from samples.
//!   Where that does not reach back far enough, `reach` chooses another.
//! - Hours that are marked have samples which no bucket tells of; so has the bucket in which the
//!   range ends, if the range ends inside of it. These are read from samples, the rest from
//!   buckets; no moment from both. Which of them still have samples, the caller has asked before.
//! - Each stretch of samples is a part of the statement. Where there are too many, neighbours are
//!   joined over the gap between them, smallest first: between two hours that have samples,
//!   retention has dropped none.
//!
//! Times are ms since the Unix epoch, ends are exclusive.

use super::steps::Range;

const MINUTE_MS: i64 = 60_000;
pub const HOUR_MS: i64 = 3_600_000;

/// Stretches of samples in one statement. One is the rule: the hour that has just ended and the
/// one that grows. More are late data on its way through the rollup loop.
pub const STRETCHES_MAX: usize = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Samples,
    Minutes,
    Hours,
}

impl Level {
    pub fn of_step(step_ms: i64) -> Self {
        match step_ms {
            step if step % HOUR_MS == 0 => Self::Hours,
            step if step % MINUTE_MS == 0 => Self::Minutes,
            _ => Self::Samples,
        }
    }

    /// As answers name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Samples => "raw",
            Self::Minutes => "1m",
            Self::Hours => "1h",
        }
    }

    pub fn width_ms(self) -> i64 {
        match self {
            Self::Samples => 1,
            Self::Minutes => MINUTE_MS,
            Self::Hours => HOUR_MS,
        }
    }

    /// The start of the bucket inside of which a moment lies; `None` where it is a boundary.
    pub fn cut(self, at: i64) -> Option<i64> {
        let start = at.div_euclid(self.width_ms()) * self.width_ms();
        (start != at).then_some(start)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub level: Level,
    /// Aligned to the step.
    pub from: i64,
    pub to: i64,
    /// Read from samples, in order and apart from one another.
    pub samples: Vec<Range>,
}

impl Plan {
    /// `marked` are starts of hours, `cut` the start of the bucket inside of which the range ends.
    pub fn new(range: Range, level: Level, marked: &[i64], cut: Option<i64>) -> Self {
        let Range { from, to } = range;
        if level == Level::Samples {
            return Self { level, from, to, samples: vec![range] };
        }
        let hours = marked.iter().map(|hour| (*hour, hour.saturating_add(HOUR_MS)));
        let cut = cut.map(|start| (start, to));
        let mut stretches: Vec<Range> = hours
            .chain(cut)
            .map(|(start, end)| Range { from: start.max(from), to: end.min(to) })
            .filter(|stretch| stretch.from < stretch.to)
            .collect();
        stretches.sort_by_key(|stretch| (stretch.from, stretch.to));
        let mut samples = touching_joined(stretches);
        while samples.len() > STRETCHES_MAX {
            join_over_smallest_gap(&mut samples);
        }
        Self { level, from, to, samples }
    }

    /// Whether anything is left for buckets.
    pub fn has_buckets(&self) -> bool {
        let whole = [Range { from: self.from, to: self.to }];
        self.level != Level::Samples && self.samples != whole
    }
}

fn touching_joined(stretches: Vec<Range>) -> Vec<Range> {
    let mut joined: Vec<Range> = Vec::new();
    for stretch in stretches {
        match joined.last_mut() {
            Some(last) if stretch.from <= last.to => last.to = last.to.max(stretch.to),
            _ => joined.push(stretch),
        }
    }
    joined
}

fn join_over_smallest_gap(stretches: &mut Vec<Range>) {
    let gap = |index: &usize| stretches[*index].from - stretches[*index - 1].to;
    if let Some(index) = (1..stretches.len()).min_by_key(gap) {
        stretches[index - 1].to = stretches[index].to;
        stretches.remove(index);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2026-11-21T08:00:00Z
    const NOON: i64 = 1_795_248_000_000;

    fn range(from: i64, to: i64) -> Range {
        Range { from, to }
    }

    #[test]
    fn the_widest_bucket_that_divides_the_step_is_read() {
        for (step_s, level) in [
            (1, Level::Samples),
            (30, Level::Samples),
            (90, Level::Samples),
            (60, Level::Minutes),
            (900, Level::Minutes),
            (3_600, Level::Hours),
            (604_800, Level::Hours),
        ] {
            assert_eq!(Level::of_step(step_s * 1_000), level, "{step_s}");
        }
    }

    #[test]
    fn the_hour_that_grows_and_the_end_of_the_range_are_read_from_samples() {
        let to = NOON + 10_500;
        let of_day = range(NOON - 24 * HOUR_MS, to);
        let plan =
            |marked: &[i64]| Plan::new(of_day, Level::Hours, marked, Level::Hours.cut(to)).samples;
        assert_eq!(plan(&[]), [range(NOON, to)]);
        assert_eq!(plan(&[NOON]), [range(NOON, to)]);
        assert_eq!(plan(&[NOON, NOON - HOUR_MS]), [range(NOON - HOUR_MS, to)]);
        let late = NOON - 7 * HOUR_MS;
        assert_eq!(plan(&[late]), [range(late, late + HOUR_MS), range(NOON, to)]);
        assert_eq!(Level::Minutes.cut(NOON + 10_500), Some(NOON));
        assert_eq!(Level::Minutes.cut(NOON), None);
    }

    #[test]
    fn a_range_without_buckets_says_so() {
        let hour = range(NOON, NOON + HOUR_MS / 2);
        assert!(!Plan::new(hour, Level::Minutes, &[NOON], None).has_buckets());
        assert!(Plan::new(hour, Level::Minutes, &[], None).has_buckets());
        assert!(!Plan::new(hour, Level::Samples, &[], None).has_buckets());
    }

    proptest! {
        #[test]
        fn each_marked_moment_is_read_from_samples_in_few_stretches(
            hours in prop::collection::vec(0..200i64, 0..40), ahead in 0..HOUR_MS, length in 1..200i64,
        ) {
            let marked: Vec<i64> = hours.iter().map(|hour| NOON + hour * HOUR_MS).collect();
            let to = NOON + length * HOUR_MS + ahead;
            let all = range(NOON, to);
            let plan = Plan::new(all, Level::Hours, &marked, Level::Hours.cut(to));
            prop_assert!(plan.samples.len() <= STRETCHES_MAX);
            prop_assert!(plan.samples.windows(2).all(|pair| pair[0].to < pair[1].from));
            let inside = |at: i64| plan.samples.iter().any(|s| s.from <= at && at < s.to);
            for hour in marked.iter().filter(|hour| **hour < to) {
                prop_assert!(inside(*hour) && inside((hour + HOUR_MS).min(to) - 1));
            }
            if ahead > 0 {
                prop_assert!(inside(to - 1));
            }
            // What is read from samples begins and ends with buckets, or with the range.
            for stretch in &plan.samples {
                prop_assert!(Level::Hours.cut(stretch.from).is_none());
                prop_assert!(Level::Hours.cut(stretch.to).is_none() || stretch.to == to);
            }
            if plan.samples.len() < STRETCHES_MAX {
                let read: i64 = plan.samples.iter().map(|s| s.to - s.from).sum();
                let mut distinct = marked.clone();
                distinct.sort_unstable();
                distinct.dedup();
                prop_assert!(read <= (distinct.len() as i64 + 1) * HOUR_MS);
            }
        }
    }
}
