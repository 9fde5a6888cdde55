//! The host's own time zone, for lines that say none.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// How far local time is ahead of UTC just now.
pub fn utc_offset_ms() -> i64 {
    let offset = TimeZone::system().to_offset(Timestamp::now());
    i64::from(offset.seconds()) * 1000
}
