//! Dates to milliseconds and back to years, in the Gregorian calendar.
//!
//! Only what time stamps of log lines need; zones are added by `time.rs`, which calls this.

const DAY_MS: i64 = 86_400_000;
/// Days of a year before the first of each month, without a leap day.
const DAYS_BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
/// Days from year 0 to 1970.
const DAYS_TO_1970: i64 = 719_528;

/// A time of some clock, as a line writes it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Civil {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    pub ms: i64,
}

impl Civil {
    /// Milliseconds since 1970 as if the clock were UTC; none for a time that never was.
    pub(super) fn to_ms(self) -> Option<i64> {
        let leap_day = i64::from(self.month == 2 && is_leap(self.year));
        let days_of_month = match self.month {
            4 | 6 | 9 | 11 => 30,
            2 => 28 + leap_day,
            _ => 31,
        };
        // A leap second is written as second 60.
        let valid = (1..=9999).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=days_of_month).contains(&self.day)
            && (0..24).contains(&self.hour)
            && (0..60).contains(&self.minute)
            && (0..=60).contains(&self.second);
        if !valid {
            return None;
        }
        let day_of_year =
            DAYS_BEFORE[self.month as usize - 1] + i64::from(self.month > 2 && is_leap(self.year));
        let days = days_before_year(self.year) + day_of_year + self.day - 1 - DAYS_TO_1970;
        let seconds = (self.hour * 60 + self.minute) * 60 + self.second;
        Some(days * DAY_MS + seconds * 1000 + self.ms)
    }
}

/// The year in which this moment lies.
pub(super) fn year_of(at_ms: i64) -> i64 {
    let days = at_ms.div_euclid(DAY_MS).clamp(-DAYS_TO_1970, 2_900_000) + DAYS_TO_1970;
    // One too late at most on either side: 400 years have 146,097 days.
    let guess = days * 400 / 146_097;
    match guess {
        _ if days_before_year(guess) > days => guess - 1,
        _ if days_before_year(guess + 1) <= days => guess + 1,
        _ => guess,
    }
}

fn days_before_year(year: i64) -> i64 {
    let past = (year - 1).max(0);
    // Year 0 is a leap year.
    year * 365 + past / 4 - past / 100 + past / 400 + i64::from(year > 0)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_counted_as_the_calendar_counts_them() {
        let at = |year, month, day| Civil { year, month, day, ..Civil::default() }.to_ms();
        assert_eq!(at(1970, 1, 1), Some(0));
        assert_eq!(at(2000, 3, 1), Some(951_868_800_000));
        assert_eq!(at(2024, 2, 29), Some(1_709_164_800_000));
        assert_eq!(at(2023, 2, 29), None);
        assert_eq!(at(2026, 12, 31), Some(1_798_675_200_000));
    }

    #[test]
    fn a_moment_lies_in_the_year_it_was_made_from() {
        for year in 1..4000 {
            for (month, day) in [(1, 1), (12, 31)] {
                let at = Civil { year, month, day, ..Civil::default() }.to_ms().unwrap();
                assert_eq!(year_of(at), year, "{year}-{month}-{day}");
            }
        }
    }
}
