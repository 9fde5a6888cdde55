//! Lines that are bad without any of the words the bulk search looks for.
//!
//! klog's `E1121`, Android's ` E `, JSON's `"level":50`, syslog's `<3>`. Asked of every line, so
//! it looks at fixed places only, and errs on the side of "maybe": `reading.rs` decides.

use std::sync::LazyLock;

use muster_schemas::logs::Severity;

use super::search::Search;
use super::{formats, jul, level, reading, syslog};

/// Levels in JSON stand before long texts.
const JSON_BYTES_MAX: usize = 1024;
/// Where a syslog line's message begins at the latest: behind host and tag.
const TAG_END_MAX: usize = 128;

/// The ends of the names of members that say how bad it is, whatever the case of their first
/// letters, and a state that says so itself. One pass for all: every line of JSON is asked.
const KEYS: [&str; 5] = ["\"status\":5", "everity", "evel", "riority", "\"s\":"];
const STATUS: usize = 0;
static SEARCH: LazyLock<Search> = LazyLock::new(|| Search::new(&KEYS));

/// logrus' name of the level at a terminal, the only one of them in which there is none of the words.
const LOGRUS_PANIC: &[u8; 4] = b"PANI";

/// Whether the line may be at least as bad as `least` by a level that is not a word.
pub(super) fn may_be_bad(line: &[u8], least: Severity) -> bool {
    let [first, second, ..] = *line else { return false };
    match first {
        b'0'..=b'9' => second.is_ascii_digit() && digits_first(line, least),
        b'A'..=b'Z' if is_syslog(line) => in_syslog(line, least),
        b'A'..=b'Z' if jul::may_be_header(line) => true,
        b'{' | b'<' | b'%' | b'[' | b'E' | b'F' | b'A' | b'C' | b'W' => letter_first(line, least),
        b'P' => line.starts_with(LOGRUS_PANIC),
        // In colours.
        0x1b => line.windows(LOGRUS_PANIC.len()).take(8).any(|word| word == &LOGRUS_PANIC[..]),
        _ => false,
    }
}

fn letter_first(line: &[u8], least: Severity) -> bool {
    let bad = |letter: u8| level::letter(letter).is_some_and(|severity| severity <= least);
    match *line {
        [b'{', ..] => in_json(line, least),
        [b'<', ..] => syslog::priority(line).is_some_and(|(number, rest)| {
            level::syslog(number) <= least || letter_first(rest, least)
        }),
        [b'%', ..] => formats::cisco(line).is_some_and(|known| known.level <= least),
        [b'[', b'G', b'I', b'N', b']', ref rest @ ..] => may_be_server_error(rest),
        [b'[', letter, b' ' | b']', ..] | [letter, b':', b' ', ..] => bad(letter),
        [letter, b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', ..] | [letter, b'/', ..] => {
            bad(letter)
        }
        _ => false,
    }
}

/// A state of 500 and more in Gin's ` 2026/11/21 - 12:00:00 | 500 |`.
fn may_be_server_error(rest: &[u8]) -> bool {
    /// With colours around the state.
    const STATE_END_MAX: usize = 64;
    let head = &rest[..rest.len().min(STATE_END_MAX)];
    memchr::memmem::find(head, b" 5").is_some()
}

/// `Nov 21 12:00:00 host tag: `.
fn is_syslog(line: &[u8]) -> bool {
    matches!(line, [_, _, _, b' ', _, _, b' ', _, _, b':', _, _, b':', _, _, b' ', ..])
}

fn in_syslog(line: &[u8], least: Severity) -> bool {
    let rest = &line[16..line.len().min(TAG_END_MAX)];
    let Some(at) = colon_at(rest) else { return false };
    let message = &line[16 + at + 2..];
    match message.first() {
        Some(b'2') if in_container(message, least) => true,
        Some(b'0'..=b'9' | b':' | b'-') => is_haproxy(&rest[..at]),
        Some(b'a'..=b'z') | None => false,
        Some(_) => jul::may_be_header(message) || letter_first(message, least),
    }
}

/// The first colon with a space behind it: the end of the tag.
fn colon_at(text: &[u8]) -> Option<usize> {
    let first = memchr::memchr(b':', text)?;
    if text.get(first + 1) == Some(&b' ') {
        return Some(first);
    }
    // A host may be an IPv6 address.
    text.windows(2).position(|pair| pair == b": ")
}

fn is_haproxy(tag_and_host: &[u8]) -> bool {
    let tag_at = memchr::memrchr(b' ', tag_and_host).map_or(0, |at| at + 1);
    tag_and_host[tag_at..].starts_with(b"haproxy")
}

/// A stamp first: a level of one letter may follow it, or what a container wrote.
fn digits_first(line: &[u8], least: Severity) -> bool {
    match *line {
        // Android: `03-17 16:13:38.811  1702  2395 E Tag: text`.
        [_, _, b'-', _, _, b' ', _, _, b':', ..] => letter_behind(line, 14, least),
        [_, _, _, _, b'-', _, _, b'-', _, _, b'T', ..] => {
            letter_behind(line, 19, least) || in_container(line, least)
        }
        [_, _, _, _, b'-' | b'/', _, _, b'-' | b'/', _, _, b' ', ..] => {
            letter_behind(line, 19, least)
        }
        _ => least >= Severity::Warn && is_redis(line),
    }
}

fn is_redis(line: &[u8]) -> bool {
    let digits = line.iter().take(8).take_while(|byte| byte.is_ascii_digit()).count();
    matches!(line[digits..], [b':', b'M' | b'C' | b'S' | b'X', b' ', ..])
}

/// A bad letter alone, behind the rest of the time at `at` and at most a few numbers.
fn letter_behind(line: &[u8], at: usize, least: Severity) -> bool {
    const NUMBERS_MAX: usize = 48;
    let line = &line[..line.len().min(at + NUMBERS_MAX)];
    let in_numbers =
        |byte: &u8| matches!(byte, b'0'..=b'9' | b' ' | b'.' | b',' | b':' | b'+' | b'Z');
    let rest = line.get(at..).unwrap_or_default();
    let len = rest.iter().position(|byte| !in_numbers(byte)).unwrap_or(rest.len());
    match rest[len..] {
        [letter @ b'A'..=b'Z', b' ' | b'/' | b'|', ..] | [b'[', letter @ b'A'..=b'Z', b']', ..] => {
            level::letter(letter).is_some_and(|severity| severity <= least)
        }
        _ => false,
    }
}

fn in_container(line: &[u8], least: Severity) -> bool {
    reading::cri(line)
        .is_some_and(|cri| jul::may_be_header(cri.message) || letter_first(cri.message, least))
}

/// A level or a state as a number, a letter, or in a line inside.
fn in_json(line: &[u8], least: Severity) -> bool {
    let head = &line[..line.len().min(JSON_BYTES_MAX)];
    if let Some(inner) = head.strip_prefix(b"{\"log\":\"")
        && (jul::may_be_header(inner) || letter_first(inner, least))
    {
        return true;
    }
    let mut from = 0;
    while let Some(key) = SEARCH.find(head, from) {
        from = key.end();
        let value = &head[from..];
        // The numbers of OpenTelemetry are left to whoever reads the candidate.
        let is_open = key.pattern().as_usize() == STATUS || value.starts_with(b"Number");
        if is_open || bad_value(value, least) {
            return true;
        }
    }
    false
}

/// `": 50`, `":"E"`: behind a key's last letter.
fn bad_value(rest: &[u8], least: Severity) -> bool {
    let skip =
        rest.iter().take(8).take_while(|byte| matches!(byte, b'"' | b'\\' | b':' | b' ')).count();
    match rest[skip..] {
        [letter @ b'A'..=b'z', b'"' | b'\\', ..] => {
            level::letter(letter.to_ascii_uppercase()).is_some_and(|severity| severity <= least)
        }
        [first @ b'0'..=b'9', ref more @ ..] => {
            let digit = i64::from(first - b'0');
            let number = match more.first() {
                Some(second @ b'0'..=b'9') => digit * 10 + i64::from(second - b'0'),
                _ => digit,
            };
            level::number(number).is_some_and(|severity| severity <= least)
        }
        _ => false,
    }
}
