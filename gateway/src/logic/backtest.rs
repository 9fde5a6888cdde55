//! What of the stored samples a backtest has to look at, and how buckets are told to a condition.
//!
//! - Buckets of an hour say in which hours a threshold can have been passed at all. Only these are
//!   read closely, and after each the next two hours the host has, in which the breach ends and
//!   what follows its end is over. All other values are on the good side: the outcome is that of
//!   reading everything.
//! - A baseline is made of all values, so all of them are read. So are error lines, of which there
//!   are few.
//! - Close means samples where they are kept, else buckets of a minute. Where that would be more
//!   than can be read in the time there is, it is buckets of a minute everywhere.
//! - A bucket is told as its two extremes, half a bucket apart, and first the one that is nearer to
//!   what was told before: a spike and a dip inside of it are both seen, and neither is invented
//!   where the value only passed through.
//!
//! Times are ms since the Unix epoch, ends are exclusive.

use std::collections::BTreeMap;

use muster_alerts::backtest::{Episode, Look, Outcome};
use muster_alerts::rule::{MetricCondition, RuleCondition};
use muster_schemas::conditions::Op;

use super::plan::HOUR_MS;
use super::steps::{Point, Range};

/// Samples by the second: agents take no more.
pub const SAMPLES_MS: i64 = 1_000;

pub const MINUTES_MS: i64 = 60_000;

/// Samples of an hour at the usual interval of 5 s.
const SAMPLES_PER_HOUR: usize = 720;

/// More values than these take the database longer than a request may take.
const SAMPLES_MAX: usize = 3_000_000;

/// Hours that are read after one in which there may be a breach: it ends with the first value of the
/// next, and ten minutes later nothing flaps any more. One of them may be short.
const HOURS_AFTER: u32 = 2;

/// Values that are held at once. With what is made of them that is some 100 MB.
pub const VALUES_MAX: usize = 500_000;

/// How long a stretch is that is read at once: some thousand values of each instance, and no more
/// than are held of all of them. Whole minutes, so that none is read in two parts.
pub fn chunk_ms(step_ms: i64, instances: usize) -> i64 {
    let (longest, per_hour) =
        if step_ms < MINUTES_MS { (6 * HOUR_MS, SAMPLES_PER_HOUR) } else { (48 * HOUR_MS, 60) };
    let hourly = instances.max(1).saturating_mul(per_hour);
    let held_ms = i64::try_from(VALUES_MAX).unwrap_or(i64::MAX) * HOUR_MS
        / i64::try_from(hourly).unwrap_or(i64::MAX);
    shorter(longest.min(held_ms) * 2).unwrap_or(MINUTES_MS)
}

/// Half of it, where there was more than was expected; `None` where it is as short as can be.
pub fn shorter(chunk_ms: i64) -> Option<i64> {
    let half = chunk_ms / 2 / MINUTES_MS * MINUTES_MS;
    (half >= MINUTES_MS).then_some(half)
}

/// Of one instance.
pub struct Line<'a> {
    pub instance: &'a str,
    pub points: &'a [Point],
}

/// From where on a value may be a breach, or keep one going; `None` where any may.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Suspicion {
    op: Op,
    limit: Option<f64>,
}

impl Suspicion {
    /// `None` of a condition that is about no metric.
    pub fn of(condition: &RuleCondition) -> Option<Self> {
        let (op, limit) = match condition {
            RuleCondition::Metric(MetricCondition { op, threshold, clear_at, .. }) => {
                (*op, clear_at.or(*threshold))
            }
            RuleCondition::Group(group) => (group.op, group.clear_at.or(group.threshold)),
            RuleCondition::Offline(_) => return None,
        };
        Some(Self { op, limit })
    }

    /// Whether hours tell where to look.
    pub fn is_by_hours(self) -> bool {
        self.limit.is_some()
    }

    /// Buckets hold fewer digits than samples: what is next to the limit is looked at as well.
    fn concerns(self, point: &Point) -> bool {
        let Some(limit) = self.limit else { return true };
        let slack = limit.abs() * 1e-6 + f64::MIN_POSITIVE;
        match self.op {
            Op::Above | Op::AtLeast => point.max >= limit - slack,
            Op::Below | Op::AtMost => point.min.unwrap_or(point.mean) <= limit + slack,
        }
    }
}

/// What of a host has to be read closely, by its hours; in order and apart from one another.
pub fn stretches(range: Range, suspicion: Suspicion, lines: &[Line<'_>]) -> Vec<Range> {
    let mut hours: BTreeMap<i64, bool> = BTreeMap::new();
    for point in lines.iter().flat_map(|line| line.points) {
        *hours.entry(point.bucket).or_default() |= suspicion.concerns(point);
    }
    let mut found: Vec<Range> = Vec::new();
    let mut after = 0;
    for (hour, is_suspicious) in hours {
        if is_suspicious || after > 0 {
            let (from, to) = (hour.max(range.from), (hour + HOUR_MS).min(range.to));
            match found.last_mut() {
                Some(last) if last.to == from => last.to = to,
                _ if from < to => found.push(Range { from, to }),
                _ => {}
            }
        }
        after = if is_suspicious { HOURS_AFTER } else { after.saturating_sub(1) };
    }
    found
}

/// How finely stretches of hosts are read: for each its instances and its length.
pub fn step_ms(stretches: impl IntoIterator<Item = (usize, i64)>) -> i64 {
    let values = |(instances, length_ms): (usize, i64)| {
        let hours = usize::try_from(length_ms / HOUR_MS + 1).unwrap_or(usize::MAX);
        instances.max(1).saturating_mul(hours).saturating_mul(SAMPLES_PER_HOUR)
    };
    let all = stretches.into_iter().map(values).fold(0, usize::saturating_add);
    if all <= SAMPLES_MAX { SAMPLES_MS } else { MINUTES_MS }
}

/// Cuts stretches into what is read at once.
pub fn chunks(stretches: &[Range], chunk_ms: i64) -> Vec<Range> {
    let cut = |stretch: &Range| {
        let Range { from, to } = *stretch;
        let starts = (from..to).step_by(usize::try_from(chunk_ms).unwrap_or(usize::MAX));
        starts.map(move |start| Range { from: start, to: (start + chunk_ms).min(to) })
    };
    stretches.iter().flat_map(cut).collect()
}

/// Tells what was read of a host, chunk after chunk.
#[derive(Debug, Default)]
pub struct Teller {
    last: BTreeMap<String, f64>,
}

impl Teller {
    /// In order of time. `width_ms` is the buckets'; of samples it is that of [`SAMPLES_MS`].
    pub fn looks(&mut self, lines: &[Line<'_>], width_ms: i64) -> Vec<Look> {
        let mut looks: BTreeMap<i64, Vec<(String, f64)>> = BTreeMap::new();
        let mut tell = |at: i64, instance: &str, value: f64| {
            looks.entry(at).or_default().push((instance.to_owned(), value));
        };
        for Line { instance, points } in lines {
            let mut last = self.last.get(*instance).copied();
            for point in *points {
                let min = point.min.unwrap_or(point.mean);
                if width_ms <= SAMPLES_MS {
                    tell(point.bucket, instance, point.mean);
                    continue;
                }
                let (first, second) = match last {
                    Some(last) if (last - point.max).abs() < (last - min).abs() => (point.max, min),
                    _ => (min, point.max),
                };
                tell(point.bucket, instance, first);
                tell(point.bucket + width_ms / 2, instance, second);
                last = Some(second);
            }
            if let Some(last) = last {
                self.last.insert((*instance).to_owned(), last);
            }
        }
        looks.into_iter().map(|(at, values)| Look { at, values }).collect()
    }
}

/// Counts of minutes that had something, as points; with the first minute of the range and the one
/// after each of these, which had nothing unless they are counted.
pub fn rates(range: Range, counts: &[(i64, f64)]) -> Vec<Point> {
    let first = range.from.div_euclid(MINUTES_MS) * MINUTES_MS;
    let mut minutes = BTreeMap::from([(first, 0.0)]);
    for (minute, count) in counts {
        minutes.insert(*minute, *count);
        let next = minute + MINUTES_MS;
        if next < range.to {
            minutes.insert(next, 0.0);
        }
    }
    let point = |(bucket, mean)| Point { bucket, mean, min: None, max: mean };
    minutes.into_iter().map(point).collect()
}

/// What all hosts together came to.
#[derive(Debug, Default)]
pub struct Tally {
    /// The first ones by the time at which they fire.
    pub episodes: Vec<Episode>,
    pub total: usize,
    pub pages: usize,
}

impl Tally {
    pub fn add(&mut self, outcome: Outcome, listed_max: usize) {
        self.total += outcome.episodes.len() + outcome.more;
        let listed = outcome.episodes.iter().filter(|e| e.pages_at.is_some()).count();
        self.pages += listed + outcome.more_pages;
        self.episodes.extend(outcome.episodes);
        self.episodes.sort_by(|a, b| (a.fires_at, &a.host).cmp(&(b.fires_at, &b.host)));
        self.episodes.truncate(listed_max);
    }
}

#[cfg(test)]
mod tests {
    use muster_alerts::RuleDefinition;
    use muster_alerts::backtest::run;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// 2026-11-21T08:00:00Z
    const START: i64 = 1_795_248_000_000;

    fn condition(more: &serde_json::Value) -> RuleCondition {
        let mut all = json!({ "kind": "metric", "metric": "cpu.usage_percent", "op": "above" });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    fn rule(for_s: i64, limits: &serde_json::Value) -> RuleDefinition {
        let definition = json!({
            "name": "a", "title": "a", "priority": "low", "for_s": for_s,
            "condition": condition(limits),
        });
        serde_json::from_value(definition).unwrap()
    }

    /// Samples of 5 s as points of samples, or of buckets.
    fn points(values: &[f64], width_ms: i64) -> Vec<Point> {
        let per_bucket = usize::try_from(width_ms / 5_000).unwrap().max(1);
        let bucket = |(index, chunk): (usize, &[f64])| Point {
            bucket: START + index as i64 * width_ms.max(5_000),
            mean: chunk.iter().sum::<f64>() / chunk.len() as f64,
            min: chunk.iter().copied().reduce(f64::min),
            max: chunk.iter().copied().fold(f64::MIN, f64::max),
        };
        values.chunks(per_bucket).enumerate().map(bucket).collect()
    }

    fn line(points: &[Point]) -> [Line<'_>; 1] {
        [Line { instance: "", points }]
    }

    fn hours(marks: &[(i64, f64)]) -> Vec<Point> {
        let hour = |(hour, max): &(i64, f64)| Point {
            bucket: START + hour * HOUR_MS,
            mean: 1.0,
            min: Some(0.0),
            max: *max,
        };
        marks.iter().map(hour).collect()
    }

    #[test]
    fn hours_that_may_hold_a_breach_are_read_and_the_next_there_is() {
        let suspicion = Suspicion::of(&condition(&json!({ "threshold": 90 }))).unwrap();
        let range = Range { from: START + 60_000, to: START + 20 * HOUR_MS };
        let points =
            hours(&[(0, 95.0), (1, 50.0), (2, 50.0), (3, 50.0), (5, 99.0), (9, 1.0), (12, 90.0)]);
        let found = stretches(range, suspicion, &line(&points));
        let hour = |from: i64, to: i64| Range {
            from: (START + from * HOUR_MS).max(range.from),
            to: START + to * HOUR_MS,
        };
        assert_eq!(found, [hour(0, 3), hour(5, 6), hour(9, 10), hour(12, 13)]);
        let held = condition(&json!({ "threshold": 90, "clear_at": 40 }));
        let all = stretches(range, Suspicion::of(&held).unwrap(), &line(&points));
        assert_eq!(all, [hour(0, 4), hour(5, 6), hour(9, 10), hour(12, 13)]);
        assert!(
            !Suspicion::of(&condition(&json!({ "baseline_factor": 5 }))).unwrap().is_by_hours()
        );
    }

    #[test]
    fn samples_are_read_unless_there_are_too_many() {
        assert_eq!(step_ms([(1, 24 * HOUR_MS); 10]), SAMPLES_MS);
        assert_eq!(step_ms([(1, 30 * 24 * HOUR_MS); 200]), MINUTES_MS);
        assert_eq!(step_ms([(1_000, 24 * HOUR_MS)]), MINUTES_MS);
        let stretch = Range { from: START, to: START + 13 * HOUR_MS };
        let parts = chunks(&[stretch], chunk_ms(SAMPLES_MS, 1));
        assert_eq!((parts.len(), parts[0].from, parts[2].to), (3, START, stretch.to));
    }

    #[test]
    fn no_more_values_are_read_at_once_than_are_held() {
        assert_eq!(chunk_ms(SAMPLES_MS, 0), 6 * HOUR_MS);
        assert_eq!(chunk_ms(MINUTES_MS, 1), 48 * HOUR_MS);
        for (step_ms, per_hour) in [(SAMPLES_MS, SAMPLES_PER_HOUR), (MINUTES_MS, 60)] {
            // A group of 200 hosts, and as many with 50 filesystems each.
            for instances in [200, 10_000, 100_000] {
                let chunk_ms = chunk_ms(step_ms, instances);
                let values = chunk_ms * (instances * per_hour) as i64 / HOUR_MS;
                assert!(values <= VALUES_MAX as i64 || chunk_ms == MINUTES_MS, "{instances}");
                assert_eq!(chunk_ms % MINUTES_MS, 0);
            }
        }
        assert_eq!(chunk_ms(SAMPLES_MS, usize::MAX), MINUTES_MS);
        assert_eq!(shorter(5 * MINUTES_MS), Some(2 * MINUTES_MS));
        assert_eq!(shorter(MINUTES_MS), None);
    }

    #[test]
    fn a_minute_is_told_as_its_extremes_the_nearer_one_first() {
        let mut teller = Teller::default();
        let mut told = |min: f64, max: f64| {
            let points = [Point { bucket: START, mean: 50.0, min: Some(min), max }];
            let looks = teller.looks(&line(&points), MINUTES_MS);
            looks.iter().map(|look| (look.at - START, look.values[0].1)).collect::<Vec<_>>()
        };
        assert_eq!(told(20.0, 30.0), [(0, 20.0), (30_000, 30.0)]);
        assert_eq!(told(25.0, 95.0), [(0, 25.0), (30_000, 95.0)]);
        assert_eq!(told(90.0, 99.0), [(0, 99.0), (30_000, 90.0)]);
        assert_eq!(told(20.0, 95.0), [(0, 95.0), (30_000, 20.0)]);
    }

    #[test]
    fn after_a_minute_with_lines_comes_one_without() {
        let minute = |number: i64| START + number * MINUTES_MS;
        let range = Range { from: minute(0) + 7, to: minute(10) };
        let told = |counts: &[(i64, f64)]| {
            let points = rates(range, counts).into_iter();
            points.map(|p| ((p.bucket - START) / MINUTES_MS, p.mean)).collect::<Vec<_>>()
        };
        let counted = told(&[(minute(1), 3.0), (minute(2), 50.0), (minute(9), 1.0)]);
        assert_eq!(counted, [(0, 0.0), (1, 3.0), (2, 50.0), (3, 0.0), (9, 1.0)]);
        assert_eq!(told(&[]), [(0, 0.0)]);
    }

    #[test]
    fn a_breach_in_minutes_is_that_of_samples_within_a_minute() {
        let mut values = vec![50.0; 100];
        values.extend([95.0; 200]);
        values.extend([40.0; 100]);
        let rule = rule(300, &json!({ "threshold": 90 }));
        let host = "web-1".parse().unwrap();
        let of = |width_ms: i64| {
            let looks = Teller::default().looks(&line(&points(&values, width_ms)), width_ms);
            let found = run(&rule, &host, &BTreeMap::new(), looks).unwrap().episodes;
            let [episode] = found.as_slice() else { panic!("{found:?}") };
            (episode.from, episode.to.unwrap(), episode.peak)
        };
        let (fine, coarse) = (of(SAMPLES_MS), of(MINUTES_MS));
        assert_eq!(fine, (START + 500_000, START + 1_500_000, 95.0));
        assert!((fine.0 - coarse.0).abs() <= 60_000 && (fine.1 - coarse.1).abs() <= 60_000);
        assert!((coarse.2 - 95.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_spike_below_the_least_limit_is_found_in_no_test() {
        let host = "web-1".parse().unwrap();
        let found = |peak: f64, limits: &serde_json::Value| {
            let mut values = vec![20.0; 100];
            values.extend([peak; 20]);
            let looks = Teller::default().looks(&line(&points(&values, SAMPLES_MS)), SAMPLES_MS);
            run(&rule(0, limits), &host, &BTreeMap::new(), looks).unwrap().episodes.len()
        };
        let limits = json!({ "baseline_factor": 5, "limit_min": 1e6 });
        assert_eq!((found(100e3, &limits), found(2e6, &limits)), (0, 1));
        assert_eq!(found(100e3, &json!({ "baseline_factor": 5 })), 1);
    }

    proptest! {
        /// The law the hours rest on: what is left out holds no breach and ends none.
        #[test]
        fn reading_only_suspicious_hours_finds_what_reading_everything_finds(
            levels in prop::collection::vec((0.0..110.0f64, 1..40usize), 1..40),
            for_s in 0..900i64, clear_at in 70.0..90.0f64,
        ) {
            let values: Vec<f64> = levels
                .iter()
                .flat_map(|(level, minutes)| vec![*level; minutes * 12])
                .collect();
            let rule = rule(for_s, &json!({ "threshold": 90, "clear_at": clear_at }));
            let host = "web-1".parse().unwrap();
            let points_of = points(&values, SAMPLES_MS);
            let hours = points(&values, HOUR_MS);
            let range = Range { from: START, to: START + values.len() as i64 * 5_000 };
            let suspicion = Suspicion::of(&rule.condition).unwrap();
            let mut teller = Teller::default();
            let mut looks = Vec::new();
            for part in chunks(&stretches(range, suspicion, &line(&hours)), 2 * HOUR_MS) {
                let inside = |p: &&Point| (part.from..part.to).contains(&p.bucket);
                let points: Vec<Point> = points_of.iter().filter(inside).copied().collect();
                looks.extend(teller.looks(&line(&points), SAMPLES_MS));
            }
            let all = Teller::default().looks(&line(&points_of), SAMPLES_MS);
            let labels = BTreeMap::new();
            let found = run(&rule, &host, &labels, looks).unwrap();
            prop_assert_eq!(found, run(&rule, &host, &labels, all).unwrap());
        }
    }
}
