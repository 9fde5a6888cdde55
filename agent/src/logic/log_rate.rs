//! Log lines a minute from a count that only grows: what came in the last minute, whatever the
//! sampling interval. Before a minute has passed the rate is of the time there was.

use std::collections::VecDeque;

const MINUTE_MS: i64 = 60_000;

/// Looks at 1 s intervals for a minute, and one before it.
const LOOKS_MAX: usize = 62;

#[derive(Debug, Default)]
pub struct LogRate {
    looks: VecDeque<(i64, u64)>,
}

impl LogRate {
    /// Takes the count as it is now; answers lines a minute.
    pub fn observe(&mut self, now: i64, count: u64) -> f64 {
        if self.looks.back().is_some_and(|(at, before)| *at > now || *before > count) {
            self.looks.clear();
        }
        self.looks.push_back((now, count));
        // The first one kept is the newest that is a minute old.
        while self.looks.len() > LOOKS_MAX
            || self.looks.get(1).is_some_and(|(at, _)| now - at >= MINUTE_MS)
        {
            self.looks.pop_front();
        }
        let (from, before) = self.looks[0];
        let elapsed = now - from;
        if elapsed <= 0 {
            return 0.0;
        }
        (count - before) as f64 * MINUTE_MS as f64 / elapsed.max(MINUTE_MS) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_of_the_last_minute() {
        let mut rate = LogRate::default();
        let mut at = |second: i64, count: u64| rate.observe(second * 1000, count);
        assert!(at(0, 100) < f64::EPSILON, "what was before the start is not of this minute");
        assert!((at(5, 160) - 60.0).abs() < 1e-9, "a burst does not count for twelve");
        for second in (10..=60).step_by(5) {
            at(second, 160);
        }
        assert!((at(65, 160)).abs() < f64::EPSILON);
    }

    #[test]
    fn a_count_or_clock_that_goes_back_begins_anew() {
        let mut rate = LogRate::default();
        rate.observe(100_000, 50);
        assert!(rate.observe(50_000, 60) < f64::EPSILON);
        assert!(rate.observe(55_000, 10) < f64::EPSILON);
        assert!((rate.observe(60_000, 11) - 1.0).abs() < 1e-9);
    }
}
