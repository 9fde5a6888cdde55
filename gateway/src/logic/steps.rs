//! Which points a chart has: the step, the time stamps, and what goes where.
//!
//! - Buckets are aligned to Monday 2000-01-03, 00:00 UTC, whatever is asked for: the same bucket
//!   has the same time stamp in every answer. A bucket is named by its start; the one that is
//!   still growing is included.
//! - A step that was not asked for is chosen for about 300 points, and never finer than what is kept
//!   of that time, or twice the host's own sampling interval: with one sample a bucket, the least
//!   jitter would draw holes into a healthy host's line.
//! - Where nothing was sampled, there is null: a gap is drawn as a gap.

/// 2000-01-03T00:00:00Z in milliseconds: a Monday, so that weeks begin on one.
pub const ORIGIN_MS: i64 = 946_857_600_000;

/// What divides days and weeks evenly and people recognise, in seconds.
pub const STEPS_S: &[i64] = &[
    1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 604_800,
];

/// As many points as a chart has pixels to show them, roughly.
const POINTS_WANTED: i64 = 300;

/// More than any screen has pixels; about 1 MB for one series.
pub const POINTS_MAX: i64 = 11_000;

/// Of one statistic: 450 series of the longest chart. Two statistics of them are 160 MB here and
/// some 50 MB as JSON.
pub const VALUES_MAX: usize = 5_000_000;

/// The finest step that is chosen: an agent's samples arrive 15 s at a time.
const CHOSEN_STEP_S_MIN: i64 = 15;

/// Milliseconds since the Unix epoch; `from` inclusive, `to` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub from: i64,
    pub to: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadStep {
    #[error("step is {0} s, allowed are {list}", list = list_of_steps())]
    Unknown(i64),
    #[error(
        "step is {asked} s, which makes more than {POINTS_MAX} points: the smallest step for this range is {smallest} s"
    )]
    TooFine { asked: i64, smallest: i64 },
    #[error(
        "from and to are {days} days apart, which makes more than {POINTS_MAX} points even of the largest step, {largest} s: ask for less"
    )]
    TooLong { days: i64, largest: i64 },
}

fn list_of_steps() -> String {
    STEPS_S.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The step in milliseconds: the one that was asked for, or a sensible one. `finest_ms` is the
/// finest that draws no holes, where it is known.
pub fn step_ms(range: Range, asked_s: Option<i64>, finest_ms: Option<i64>) -> Result<i64, BadStep> {
    match asked_s {
        Some(asked) => check_step(range, asked).map(|step| step * 1_000),
        None => Ok(check_step(range, choose_step_s(range, finest_ms))? * 1_000),
    }
}

/// The finest step that draws no holes into the line of a host that samples so often.
pub fn without_holes(sampling_ms: i64) -> i64 {
    sampling_ms.saturating_mul(2)
}

fn check_step(range: Range, asked: i64) -> Result<i64, BadStep> {
    if !STEPS_S.contains(&asked) {
        return Err(BadStep::Unknown(asked));
    }
    let smallest = smallest_step_s(range)?;
    if asked < smallest { Err(BadStep::TooFine { asked, smallest }) } else { Ok(asked) }
}

fn smallest_step_s(range: Range) -> Result<i64, BadStep> {
    let fits = |step: &&i64| point_count(range, **step * 1_000) <= POINTS_MAX;
    STEPS_S.iter().find(fits).copied().ok_or_else(|| BadStep::TooLong {
        days: (range.to - range.from) / 86_400_000,
        largest: STEPS_S.last().copied().unwrap_or_default(),
    })
}

fn choose_step_s(range: Range, finest_ms: Option<i64>) -> i64 {
    let for_points = (range.to - range.from) / 1_000 / POINTS_WANTED;
    let for_data = finest_ms.unwrap_or(0) / 1_000;
    let wanted = for_points.max(for_data).max(CHOSEN_STEP_S_MIN);
    *STEPS_S.iter().find(|step| **step >= wanted).unwrap_or(&604_800)
}

fn point_count(range: Range, step_ms: i64) -> i64 {
    let first = bucket_of(range.from, step_ms);
    (range.to - first + step_ms - 1) / step_ms
}

/// The start of the bucket in which a moment falls.
pub fn bucket_of(at: i64, step_ms: i64) -> i64 {
    ORIGIN_MS + (at - ORIGIN_MS).div_euclid(step_ms) * step_ms
}

/// The starts of all buckets that a range touches.
pub fn timestamps(range: Range, step_ms: i64) -> Vec<i64> {
    let first = bucket_of(range.from, step_ms);
    (0..point_count(range, step_ms)).map(|index| first + index * step_ms).collect()
}

/// Mean and extremes of one bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub bucket: i64,
    pub mean: f64,
    /// Where it was asked for.
    pub min: Option<f64>,
    pub max: f64,
}

/// Whether an answer is larger than anybody can use: each series has a value, or null, for each
/// time stamp, however few points it has.
pub fn is_too_large(series: usize, timestamps: usize) -> bool {
    series.saturating_mul(timestamps) > VALUES_MAX
}

/// Puts what is told of points where they belong on a regular axis; null where there is none.
pub fn fill(
    timestamps: &[i64],
    points: &[Point],
    told: impl Fn(&Point) -> Option<f64>,
) -> Vec<Option<f64>> {
    let mut line = vec![None; timestamps.len()];
    let Some(first) = timestamps.first() else { return line };
    let step = timestamps.get(1).map_or(1, |second| second - first);
    for point in points {
        let place = (point.bucket - first).div_euclid(step);
        if let Ok(place) = usize::try_from(place)
            && timestamps.get(place) == Some(&point.bucket)
        {
            line[place] = told(point).map(short);
        }
    }
    line
}

/// A mean has endless decimals; three are finer than the 1/64 it was made of.
fn short(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600_000;
    const NOW: i64 = 1_732_103_607_123;

    fn last(ms: i64) -> Range {
        Range { from: NOW - ms, to: NOW }
    }

    #[test]
    fn the_chosen_step_makes_about_300_points_and_never_holes() {
        for (range_ms, sampling_ms, step_s) in [
            (HOUR / 4, Some(5_000), 15),
            (HOUR, Some(5_000), 15),
            (HOUR, None, 15),
            (HOUR, Some(60_000), 120),
            (6 * HOUR, Some(5_000), 120),
            (24 * HOUR, Some(5_000), 300),
            (7 * 24 * HOUR, Some(5_000), 3_600),
            (30 * 24 * HOUR, Some(5_000), 21_600),
            (NOW, Some(5_000), 604_800),
        ] {
            let got = step_ms(last(range_ms), None, sampling_ms.map(without_holes));
            assert_eq!(got, Ok(step_s * 1_000), "{range_ms} {sampling_ms:?}");
        }
    }

    #[test]
    fn where_samples_are_gone_the_chosen_step_is_what_is_kept() {
        assert_eq!(step_ms(last(HOUR), None, Some(60_000)), Ok(60_000));
        assert_eq!(step_ms(last(24 * HOUR), None, Some(HOUR)), Ok(HOUR));
    }

    #[test]
    fn a_year_of_hours_is_one_answer() {
        assert_eq!(step_ms(last(366 * 24 * HOUR), Some(3_600), None), Ok(HOUR));
        let refused = step_ms(last(3 * 366 * 24 * HOUR), Some(3_600), None).unwrap_err();
        assert!(refused.to_string().contains("more than 11000 points"), "{refused}");
    }

    #[test]
    fn a_step_that_is_too_fine_is_refused_with_the_smallest_that_is_not() {
        let week = last(7 * 24 * HOUR);
        let refused = step_ms(week, Some(1), None);
        assert_eq!(refused, Err(BadStep::TooFine { asked: 1, smallest: 60 }));
        assert!(refused.unwrap_err().to_string().ends_with("is 60 s"));
        assert_eq!(step_ms(week, Some(60), None), Ok(60_000));
        assert!(step_ms(week, Some(7), None).unwrap_err().to_string().contains("1, 5, 10, 15"));
        assert!(step_ms(week, Some(-1), None).is_err());
    }

    #[test]
    fn a_range_that_is_too_long_for_the_largest_step_is_refused_whatever_the_step() {
        let ever = Range { from: 0, to: 253_402_300_799_000 };
        let largest = STEPS_S[STEPS_S.len() - 1];
        let refused = Err(BadStep::TooLong { days: 2_932_896, largest });
        for asked in [None, Some(1), Some(largest)] {
            assert_eq!(step_ms(ever, asked, None), refused, "{asked:?}");
        }
        assert_eq!(step_ms(last(NOW), None, None), Ok(604_800_000));
    }

    #[test]
    fn an_answer_is_as_large_as_its_series_are_long() {
        assert!(!is_too_large(450, 11_000));
        assert!(is_too_large(5_000, 11_000) && is_too_large(usize::MAX, 2));
    }

    #[test]
    fn a_range_that_ends_on_a_bucket_does_not_include_the_next() {
        let range = Range { from: ORIGIN_MS, to: ORIGIN_MS + 30_000 };
        assert_eq!(timestamps(range, 15_000), [ORIGIN_MS, ORIGIN_MS + 15_000]);
        let range = Range { from: ORIGIN_MS + 1, to: ORIGIN_MS + 30_001 };
        assert_eq!(timestamps(range, 15_000).len(), 3);
    }

    #[test]
    fn weeks_begin_on_monday() {
        let monday = 1_731_888_000_000;
        assert_eq!(bucket_of(NOW, 604_800_000), monday);
    }

    proptest! {
        #[test]
        fn timestamps_are_regular_aligned_and_cover_the_range(
            from in 0..2_000_000_000_000i64, length in 1..1_000_000_000i64, index in 0..STEPS_S.len(),
        ) {
            let step = STEPS_S[index] * 1_000;
            let range = Range { from, to: from + length };
            prop_assume!(point_count(range, step) <= POINTS_MAX);
            let stamps = timestamps(range, step);
            prop_assert!(stamps.windows(2).all(|pair| pair[1] - pair[0] == step));
            prop_assert!(stamps[0] <= range.from && range.from < stamps[0] + step);
            let last = stamps[stamps.len() - 1];
            prop_assert!(last < range.to && range.to <= last + step);
            prop_assert_eq!((stamps[0] - ORIGIN_MS).rem_euclid(step), 0);
        }

        #[test]
        fn no_point_is_lost_and_none_invented(present in prop::collection::vec(any::<bool>(), 1..200)) {
            let length = present.len() as i64 * 15_000;
            let stamps = timestamps(Range { from: ORIGIN_MS, to: ORIGIN_MS + length }, 15_000);
            let points: Vec<Point> = stamps
                .iter()
                .zip(&present)
                .filter(|(_, there)| **there)
                .map(|(bucket, _)| Point { bucket: *bucket, mean: 1.0, min: None, max: 2.0 })
                .collect();
            let means = fill(&stamps, &points, |point| Some(point.mean));
            let shown: Vec<bool> = means.iter().map(Option::is_some).collect();
            prop_assert_eq!(shown, present);
            let minima = fill(&stamps, &points, |point| point.min);
            prop_assert_eq!((minima.len(), minima.iter().flatten().count()), (stamps.len(), 0));
        }

        #[test]
        fn a_healthy_host_has_no_gaps_at_the_chosen_step(
            sampling_s in 1..600i64, range_h in 1..48i64, jitter in prop::collection::vec(-450..450i64, 64),
        ) {
            let range = last(range_h * HOUR);
            let sampling = sampling_s * 1_000;
            let step = step_ms(range, None, Some(without_holes(sampling))).unwrap();
            let samples = (0..(range.to - range.from) / sampling + 2).map(|i| {
                range.from - sampling + i * sampling + jitter[i as usize % 64] * sampling / 1_000
            });
            let points: Vec<Point> = samples
                .map(|at| Point { bucket: bucket_of(at, step), mean: 0.0, min: None, max: 0.0 })
                .collect();
            let means = fill(&timestamps(range, step), &points, |point| Some(point.mean));
            let inner = &means[..means.len() - 1];
            prop_assert!(inner.iter().all(Option::is_some), "step {}", step);
        }
    }
}
