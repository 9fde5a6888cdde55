//! Series as CSV (RFC 4180), for spreadsheets and scripts: a line for each step.
//!
//! Where there was no sample, a cell is empty. Titles begin with the name of a metric, so that no
//! spreadsheet takes one for a formula.

use std::fmt::Write as _;

pub struct Column<'a> {
    pub title: String,
    /// One for each time stamp.
    pub values: &'a [Option<f64>],
}

/// Time stamps are ms since the Unix epoch and are written as RFC 3339.
pub fn csv(timestamps: &[i64], columns: &[Column<'_>]) -> String {
    let mut text = String::from("time");
    for column in columns {
        text.push(',');
        text.push_str(&quoted(&column.title));
    }
    text.push_str("\r\n");
    for (line, at) in timestamps.iter().enumerate() {
        text.push_str(&rfc_3339(*at));
        for column in columns {
            text.push(',');
            if let Some(value) = column.values.get(line).copied().flatten() {
                // Writing to a string cannot fail.
                let _ = write!(text, "{value}");
            }
        }
        text.push_str("\r\n");
    }
    text
}

fn quoted(title: &str) -> String {
    if title.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", title.replace('"', "\"\""))
    } else {
        title.to_owned()
    }
}

/// Steps are whole seconds, and so are their starts.
fn rfc_3339(at: i64) -> String {
    let (days, seconds) = (at.div_euclid(86_400_000), at.rem_euclid(86_400_000) / 1_000);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of a number of days since 1970-01-01. Counted in eras of 400 years, which
/// all have the same number of days, and in years that begin in March, whose leap day is the last.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_a_line_and_a_gap_is_an_empty_cell() {
        let columns = [
            Column { title: "load.one avg".into(), values: &[Some(0.5), None] },
            Column {
                title: "filesystem.used_percent{/a,\"b\"} max".into(),
                values: &[None, Some(90.0)],
            },
        ];
        let text = csv(&[1_732_103_600_000, 1_732_103_660_000], &columns);
        let expected = "time,load.one avg,\"filesystem.used_percent{/a,\"\"b\"\"} max\"\r\n\
                        2024-11-20T11:53:20Z,0.5,\r\n\
                        2024-11-20T11:54:20Z,,90\r\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (at, written) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (951_868_800_000, "2000-03-01T00:00:00Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
            (1_798_761_599_000, "2026-12-31T23:59:59Z"),
            (253_402_300_799_000, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc_3339(at), written);
        }
    }
}
