//! Where a log line stands among all, and where a page of them ended.
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

/// Where a page before ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cursor {
    /// It was full: go on after its last line.
    After(Place),
    /// Its time was up: all lines of this moment and later were looked at. The length is that of
    /// the slice to go on with.
    Below { at: i64, slice_ms: i64 },
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(place) => place.fmt(f),
            Self::Below { at, slice_ms } => write!(f, "{at}.{slice_ms}"),
        }
    }
}

impl FromStr for Cursor {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let number = |text: &str| text.parse::<i64>().map_err(|_| NoPlace);
        match text.split('.').collect::<Vec<_>>().as_slice() {
            [at, slice_ms] => Ok(Self::Below { at: number(at)?, slice_ms: number(slice_ms)? }),
            _ => text.parse().map(Self::After),
        }
    }
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
    fn a_cursor_reads_back_as_written() {
        let host = "web-3".parse().unwrap();
        let place = Place { at: 1_732_100_010_000, host, epoch: 5, seq: 7, line: 2 };
        for cursor in [Cursor::After(place), Cursor::Below { at: 17, slice_ms: 3_600_000 }] {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for bad in ["", "1", "1.x", "1.2.3"] {
            assert_eq!(bad.parse::<Cursor>(), Err(NoPlace), "{bad}");
        }
    }
}
