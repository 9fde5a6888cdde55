//! How numbers are rounded before they travel, and what counts as a number at all.

/// Percentages, loads and temperatures are rounded to 1/64: a binary fraction compresses twice as
/// well in a column store and is finer than anyone can see.
const FRACTION: f64 = 64.0;

/// Rounds to the nearest 1/64. What is not finite becomes 0: a sensor that reports NaN has
/// nothing to say.
pub fn round_fraction(value: f64) -> f32 {
    if value.is_finite() { ((value * FRACTION).round() / FRACTION) as f32 } else { 0.0 }
}

/// A change per second between two readings of a counter, rounded to whole units.
///
/// A counter that went backwards was reset (reboot, driver reload, wrap): the rate is then 0
/// rather than a spike nobody caused. So it is where no time has passed.
pub fn rate_per_s(before: u64, after: u64, elapsed_ms: i64) -> i64 {
    rate(before, after, elapsed_ms).round() as i64
}

/// As [`rate_per_s`], in 1/64, for counts that are often below one a second.
pub fn fractional_rate_per_s(before: u64, after: u64, elapsed_ms: i64) -> f32 {
    round_fraction(rate(before, after, elapsed_ms))
}

fn rate(before: u64, after: u64, elapsed_ms: i64) -> f64 {
    if after < before || elapsed_ms <= 0 {
        return 0.0;
    }
    (after - before) as f64 * 1000.0 / elapsed_ms as f64
}

/// A share in percent, 0 where the whole is 0.
pub fn percent_of(part: i64, whole: i64) -> f64 {
    if whole <= 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_is_a_multiple_of_one_64th() {
        for (value, rounded) in
            [(12.34, 12.34375), (0.001, 0.0), (99.999, 100.0), (f64::NAN, 0.0), (-0.5, -0.5)]
        {
            assert!((round_fraction(value) - rounded).abs() < f32::EPSILON, "{value}");
        }
    }

    #[test]
    fn a_rate_survives_resets_and_stopped_clocks() {
        for (before, after, elapsed_ms, rate) in [
            (0, 5000, 5000, 1000),
            (100, 100, 5000, 0),
            (100, 50, 5000, 0),
            (0, 10, 0, 0),
            (0, 10, -5, 0),
            (0, u64::MAX, 1000, i64::MAX),
        ] {
            assert_eq!(rate_per_s(before, after, elapsed_ms), rate);
        }
    }
}
