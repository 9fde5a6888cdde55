//! Tables of lines and what they say, after the formats' public documentation; events of several
//! lines; and laws that hold for any bytes.

mod events;
mod formats;
mod parts;
mod properties;
mod terminal;
mod times;
mod words;

use muster_schemas::logs::Severity;

use super::{Clock, Found, Scanner};

/// 2026-11-21 12:30:00 UTC, on a host one hour ahead of it.
const CLOCK: Clock = Clock { now_ms: 1_795_264_200_000, utc_offset_ms: 3_600_000 };

/// What a scanner finds in a text that is fed as one block.
fn scan(text: &[u8], least: Severity) -> Vec<Found> {
    let mut scanner = Scanner::new("/var/log/shop/orders.log", least);
    let mut found = Vec::new();
    scanner.feed(text, 0, CLOCK, &mut found);
    scanner.flush(CLOCK, &mut found);
    found
}
