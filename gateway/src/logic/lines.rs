//! Where a log line stands among all, and what is searched for in it.
//!
//! Pages are cut by place and not by number: lines that come meanwhile neither double nor hide
//! others.

use std::fmt;
use std::str::FromStr;

use muster_schemas::HostId;

/// A line's identity, and its order among lines of the same millisecond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Milliseconds since the Unix epoch.
    pub at: i64,
    pub host: HostId,
    pub epoch: i64,
    pub seq: i64,
    pub line: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not a place that was named before")]
pub struct NoPlace;

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, host, epoch, seq, line } = self;
        write!(f, "{at}.{host}.{epoch}.{seq}.{line}")
    }
}

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let parts: Vec<&str> = text.split('.').collect();
        let [at, host, epoch, seq, line] = parts.as_slice() else { return Err(NoPlace) };
        let number = |text: &str| text.parse::<i64>().map_err(|_| NoPlace);
        Ok(Self {
            at: number(at)?,
            host: host.parse().map_err(|_| NoPlace)?,
            epoch: number(epoch)?,
            seq: number(seq)?,
            line: line.parse().map_err(|_| NoPlace)?,
        })
    }
}

/// A pattern of `LIKE` for whatever contains the text; its own signs are taken literally.
pub fn like_pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_as_written() {
        let host = "web-3".parse().unwrap();
        let place = Place { at: 1_732_100_010_000, host, epoch: 5, seq: 7, line: 2 };
        assert_eq!(place.to_string().parse(), Ok(place));
        for bad in ["", "1.web-3.5.7", "1.*.5.7.2", "x.web-3.5.7.2", "1.web-3.5.7.2.9"] {
            assert_eq!(bad.parse::<Place>(), Err(NoPlace), "{bad}");
        }
    }

    #[test]
    fn the_signs_of_a_pattern_are_searched_for_as_they_are() {
        for (text, pattern) in [
            ("timeout", "%timeout%"),
            ("100%", r"%100\%%"),
            ("a_b", r"%a\_b%"),
            (r"c:\", r"%c:\\%"),
        ] {
            assert_eq!(like_pattern(text), pattern);
        }
    }
}
