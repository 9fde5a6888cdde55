//! Reads versions out of what programs print about themselves.

use std::fmt;

use muster_schemas::sql;

/// Major and minor are all that is asked for here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
}

/// Older servers lack the stream and consumer features the bus relies on.
pub const NATS_MIN: Version = Version { major: 2, minor: 11 };
/// Older databases lack parts of the SQL in use.
pub const POSTGRES_MIN: Version = Version { major: 15, minor: 0 };
/// An older one is left alone: the schema would refuse it.
pub const TIMESCALE_MIN: Version =
    Version { major: sql::TIMESCALE_MIN.0, minor: sql::TIMESCALE_MIN.1 };

impl Version {
    /// The first word that looks like a version: `nats-server: v2.15.1`,
    /// `postgres (PostgreSQL) 17.4 (Debian 17.4-1)`, `postgres (PostgreSQL) 18beta1`.
    pub fn find(text: &str) -> Option<Self> {
        text.split_whitespace().find_map(Self::parse)
    }

    /// Of an extension's control file: `default_version = '2.29.2'`.
    pub fn of_control_file(text: &str) -> Option<Self> {
        let line = text.lines().find(|line| line.trim_start().starts_with("default_version"))?;
        Self::parse(line.split('\'').nth(1)?)
    }

    fn parse(word: &str) -> Option<Self> {
        let mut parts = word.trim_start_matches('v').split('.');
        let major = leading_number(parts.next()?)?;
        let minor = parts.next().and_then(leading_number).unwrap_or(0);
        Some(Self { major, minor })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

fn leading_number(text: &str) -> Option<u32> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(u32, u32)>) {
        let found = Version::find(text).map(|version| (version.major, version.minor));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn versions_are_found_in_what_the_programs_print() {
        check("nats-server: v2.15.1\n", Some((2, 15)));
        check("postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)", Some((15, 20)));
        check("postgres (PostgreSQL) 18beta1", Some((18, 0)));
        check("no version here", None);
        check("", None);
    }

    #[test]
    fn an_extension_says_its_version_in_its_control_file() {
        let text = "# timescaledb\ncomment = 'for 17'\ndefault_version = '2.29.2'\n";
        let found = Version::of_control_file(text);
        assert_eq!(found, Some(Version { major: 2, minor: 29 }));
        assert!(found >= Some(TIMESCALE_MIN));
        assert_eq!(Version::of_control_file("comment = 'x'"), None);
    }
}
