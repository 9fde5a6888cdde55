//! `java.util.logging` as Java writes it by default: an event is two lines, the first with the
//! time and the place, the second with the level.
//!
//! `Nov 21, 2026 7:40:12 AM com.example.Foo bar`, then `SEVERE: text`. The first line waits for
//! the second in `event.rs`; `wordless.rs` asks whether a line might be one.

use muster_schemas::logs::Severity;

use super::{Clock, level, time};

/// The date with its comma: enough to let a line be read.
pub(super) fn may_be_header(line: &[u8]) -> bool {
    matches!(
        line,
        [b'A'..=b'Z', _, _, b' ', b'0'..=b'9', b',', b' ', ..]
            | [b'A'..=b'Z', _, _, b' ', b'0'..=b'9', b'0'..=b'9', b',', b' ', ..]
    )
}

/// Whether there is nothing but a time, and a class with a method or a logger's name.
pub(super) fn is_header(text: &[u8], clock: Clock) -> bool {
    let Some(stamp) = may_be_header(text).then(|| time::at_start(text, clock)).flatten() else {
        return false;
    };
    let mut words = text[stamp.len..].trim_ascii_end().split(|&byte| byte == b' ');
    let (before, class) = (words.next(), words.next());
    words.next();
    before == Some(b"") && class.is_some_and(|name| !name.is_empty()) && words.next().is_none()
}

/// The level with which the second line begins.
pub(super) fn level(text: &[u8]) -> Option<Severity> {
    const NAMES: [&[u8]; 7] =
        [b"SEVERE", b"WARNING", b"INFO", b"CONFIG", b"FINE", b"FINER", b"FINEST"];
    let name = &text[..memchr::memchr(b':', &text[..text.len().min(8)])?];
    NAMES.contains(&name).then(|| level::named(name)).flatten()
}
