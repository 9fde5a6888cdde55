//! Numbers and times as people say them, for sentences.

/// With its unit, in the plural but for one, and with thousands set apart: `1,744 messages`.
pub fn count_of(count: impl TryInto<i128>, one: &str) -> String {
    let count: i128 = count.try_into().unwrap_or(i128::MAX);
    let digits = count.unsigned_abs().to_string();
    let mut said = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            said.push(',');
        }
        said.push(digit);
    }
    let (sign, ending) = (if count < 0 { "-" } else { "" }, if count == 1 { "" } else { "s" });
    format!("{sign}{said} {one}{ending}")
}

/// A time to the nearest of the largest unit of which there are two at least.
pub fn time(seconds: i64) -> String {
    let nearest = |s: i64, unit: i64| (s + unit / 2) / unit;
    match seconds.max(0) {
        s if s < 120 => format!("{s} s"),
        s if s < 7_170 => format!("{} min", nearest(s, 60)),
        s if s < 171_000 => format!("{} h", nearest(s, 3_600)),
        s => format!("{} days", nearest(s, 86_400)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_their_plural_and_thousands_set_apart() {
        for (count, words) in [
            (0, "0 hosts"),
            (1, "1 host"),
            (999, "999 hosts"),
            (1_744, "1,744 hosts"),
            (1_000_000, "1,000,000 hosts"),
            (-12_345, "-12,345 hosts"),
        ] {
            assert_eq!(count_of(count, "host"), words);
        }
    }

    #[test]
    fn times_are_rounded_to_the_nearest_unit() {
        for (seconds, words) in [
            (-5, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7_169, "119 min"),
            (7_170, "2 h"),
            (86_340, "24 h"),
            (170_999, "47 h"),
            (171_000, "2 days"),
        ] {
            assert_eq!(time(seconds), words, "{seconds}");
        }
    }
}
