//! From which level a range is answered where the finer ones do not reach back to its beginning.
//!
//! - A step has a level that is read for it (`plan::Level::of_step`). Where retention has taken the
//!   beginning of the range from that level, a finer one does if it is kept longer, which is rare;
//!   else the next coarser one that reaches, and the step grows to its buckets.
//! - One step for the whole answer: a range that straddles the horizon of a level is told by the
//!   coarser one all along. Two resolutions in one line would read as a change of the host, and a
//!   hole where something is kept as an outage.
//! - What reaches is judged by the hour, the widest bucket. A host that began to send in the middle
//!   of the range begins there on every level, and is told by the finest.
//!
//! Times are ms since the Unix epoch. The query layer (`io::from_postgres::series`) asks.

use super::plan::{HOUR_MS, Level};

/// The first moment of a range of which each level of a table tells; none where it tells nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Firsts {
    pub samples: Option<i64>,
    pub minutes: Option<i64>,
    pub hours: Option<i64>,
}

impl Firsts {
    fn of(&self, level: Level) -> Option<i64> {
        match level {
            Level::Samples => self.samples,
            Level::Minutes => self.minutes,
            Level::Hours => self.hours,
        }
    }

    /// Whether a level tells of the range from where any of them does.
    fn reaches(&self, level: Level) -> bool {
        let hour = |at: i64| at.div_euclid(HOUR_MS);
        let first = [self.samples, self.minutes, self.hours].into_iter().flatten().min();
        first.is_none_or(|first| self.of(level).is_some_and(|at| hour(at) <= hour(first)))
    }
}

/// The level and the step (ms) that answer for all of these tables.
pub fn reaching(step_ms: i64, tables: &[Firsts]) -> (Level, i64) {
    let levels: &[Level] = match Level::of_step(step_ms) {
        Level::Samples => &[Level::Samples, Level::Minutes],
        Level::Minutes => &[Level::Minutes, Level::Samples],
        Level::Hours => &[],
    };
    let all_reach = |level: &&Level| tables.iter().all(|table| table.reaches(**level));
    let level = *levels.iter().find(all_reach).unwrap_or(&Level::Hours);
    // Every step of a minute or more is a multiple of minutes, and likewise of hours.
    (level, step_ms.max(level.width_ms()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::steps::STEPS_S;
    use super::*;

    const DAY: i64 = 24 * HOUR_MS;

    fn firsts(samples: i64, minutes: i64, hours: i64) -> Firsts {
        Firsts { samples: Some(samples), minutes: Some(minutes), hours: Some(hours) }
    }

    #[track_caller]
    fn check(step_s: i64, tables: &[Firsts], level: Level, answered_s: i64) {
        assert_eq!(reaching(step_s * 1_000, tables), (level, answered_s * 1_000), "{tables:?}");
    }

    #[test]
    fn the_finest_that_reaches_back_answers_at_no_less_than_its_width() {
        // A range from day 10 on, of which less and less is kept.
        let whole = firsts(10 * DAY + 250, 10 * DAY, 10 * DAY);
        check(15, &[whole], Level::Samples, 15);
        check(300, &[whole], Level::Minutes, 300);
        let no_samples = Firsts { samples: None, ..whole };
        check(15, &[no_samples], Level::Minutes, 60);
        check(300, &[no_samples], Level::Minutes, 300);
        let only_hours = Firsts { minutes: None, ..no_samples };
        check(15, &[only_hours], Level::Hours, 3_600);
        check(300, &[only_hours], Level::Hours, 3_600);
        check(21_600, &[only_hours], Level::Hours, 21_600);
    }

    #[test]
    fn a_range_that_straddles_a_horizon_has_the_step_of_what_lies_beyond_it() {
        let samples_end_on_day_12 = firsts(12 * DAY, 10 * DAY, 10 * DAY);
        check(15, &[samples_end_on_day_12], Level::Minutes, 60);
        let minutes_do_too = firsts(12 * DAY, 12 * DAY, 10 * DAY);
        check(60, &[minutes_do_too], Level::Hours, 3_600);
        // One of the tables is kept for longer.
        check(60, &[minutes_do_too, firsts(10 * DAY, 10 * DAY, 10 * DAY)], Level::Hours, 3_600);
        let minutes_kept_shorter = firsts(10 * DAY, 12 * DAY, 10 * DAY);
        check(60, &[minutes_kept_shorter], Level::Samples, 60);
    }

    #[test]
    fn a_host_that_is_new_or_was_never_there_coarsens_nothing() {
        let new = firsts(12 * DAY + 59 * 60_000, 12 * DAY + 59 * 60_000, 12 * DAY);
        check(15, &[new], Level::Samples, 15);
        check(60, &[new, Firsts::default()], Level::Minutes, 60);
        check(15, &[], Level::Samples, 15);
    }

    proptest! {
        #[test]
        fn what_is_kept_is_told_and_the_step_is_one_that_can_be_had(
            step in 0..STEPS_S.len(), kept in prop::collection::vec(prop::array::uniform3(0..5i64), 0..4),
        ) {
            // Day 4 stands for nothing. Hours are there from where anything is.
            let table = |[samples, minutes, hours]: [i64; 3]| {
                let at = |day: i64| (day < 4).then_some(day * DAY);
                let hours = hours.min(minutes).min(samples);
                Firsts { samples: at(samples), minutes: at(minutes), hours: at(hours) }
            };
            let tables: Vec<Firsts> = kept.into_iter().map(table).collect();
            let asked = STEPS_S[step] * 1_000;
            let (level, step_ms) = reaching(asked, &tables);
            prop_assert!(tables.iter().all(|table| table.reaches(level)));
            prop_assert!(step_ms >= asked && step_ms % level.width_ms() == 0);
            prop_assert!(STEPS_S.contains(&(step_ms / 1_000)));
        }
    }
}
