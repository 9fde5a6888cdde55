//! The formats whose level is not a word near the beginning of the line.
//!
//! Access logs of web servers and Gin (the state of the answer is the level), `HAProxy`, klog and glog,
//! logrus at a terminal, Android's brief form, supercomputers' RAS events, Redis, Cisco and Nagios. Each function says
//! whether the line is of its format, and then what the level is. Called by `reading.rs`.

use muster_schemas::logs::Severity;

use super::time::Stamp;
use super::{Clock, level, time};

/// Requests are cut by servers well before this.
const REQUEST_BYTES_MAX: usize = 8 * 1024;

/// A line's own level, or the lack of one, with its time where the format has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub level: Severity,
    pub at: Option<i64>,
}

/// The first of the formats that the line has.
pub(super) fn read(text: &[u8], clock: Clock) -> Option<Known> {
    let first = *text.first()?;
    match first {
        b'E' | b'W' | b'I' | b'F' | b'D' | b'V' | b'A' => {
            klog(text, clock).or_else(|| logcat_brief(text)).or_else(|| logrus(text, clock))
        }
        b'P' | b'T' => logrus(text, clock).or_else(|| access(text, clock)),
        b'[' => gin(text, clock).or_else(|| nagios(text, clock)).or_else(|| access(text, clock)),
        b'%' => cisco(text),
        b'0'..=b'9' => redis(text, clock).or_else(|| access(text, clock)),
        _ => access(text, clock),
    }
}

/// A server error is an error; whatever the client asked for or calls itself says nothing.
fn of_status(status: u16) -> Severity {
    if (500..600).contains(&status) { Severity::Error } else { Severity::Info }
}

/// Common and combined: `1.2.3.4 - user [21/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 12`,
/// with a virtual host before it or not; `HAProxy`'s HTTP lines.
fn access(text: &[u8], clock: Clock) -> Option<Known> {
    const BEFORE_BYTES_MAX: usize = 1024;
    let head = &text[..text.len().min(BEFORE_BYTES_MAX)];
    let open = memchr::memchr_iter(b'[', head).find(|at| head.get(at + 3) == Some(&b'/'))?;
    let stamp = time::at_start(&text[open + 1..], clock)?;
    let rest = text[open + 1 + stamp.len..].strip_prefix(b"] ")?;
    let status = quoted_request(rest).or_else(|| haproxy(rest))?;
    Some(Known { level: of_status(status), at: stamp.at })
}

/// `[GIN] 2026/11/21 - 12:00:00 | 500 |  1.2ms | 10.0.0.1 | GET "/x"`.
fn gin(text: &[u8], clock: Clock) -> Option<Known> {
    let rest = text.strip_prefix(b"[GIN] ")?;
    let stamp = time::at_start(rest, clock)?;
    let status = status_of(rest[stamp.len..].strip_prefix(b" |")?.trim_ascii_start())?;
    Some(Known { level: of_status(status), at: stamp.at })
}

/// The state behind a quoted request, in which quotes are escaped.
fn quoted_request(rest: &[u8]) -> Option<u16> {
    let request = rest.strip_prefix(b"\"")?;
    let request = &request[..request.len().min(REQUEST_BYTES_MAX)];
    let mut from = 0;
    loop {
        let end = from + memchr::memchr(b'"', &request[from..])?;
        let escaped = end > 0 && request[end - 1] == b'\\';
        if let Some(status) = request[end + 1..].strip_prefix(b" ").and_then(status_of)
            && !escaped
        {
            return Some(status);
        }
        from = end + 1;
    }
}

/// `frontend backend/server 10/0/30/69/109 200 2750`.
fn haproxy(rest: &[u8]) -> Option<u16> {
    let mut tokens = rest.splitn(5, |&byte| byte == b' ');
    let (_frontend, backend, timers) = (tokens.next()?, tokens.next()?, tokens.next()?);
    let has_timers = timers.iter().all(|byte| byte.is_ascii_digit() || b"/-+".contains(byte));
    (backend.contains(&b'/') && has_timers).then(|| status_of(tokens.next()?)).flatten()
}

fn status_of(text: &[u8]) -> Option<u16> {
    let [a @ b'1'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] = text else { return None };
    let digit = |byte: &u8| u16::from(byte - b'0');
    rest.first().is_none_or(|byte| *byte == b' ').then(|| digit(a) * 100 + digit(b) * 10 + digit(c))
}

/// `E1121 12:00:00.000000       1 file.go:12] text`.
pub(super) fn klog(text: &[u8], clock: Clock) -> Option<Known> {
    let (&letter, rest) = text.split_first()?;
    if !rest.first()?.is_ascii_digit() {
        return None;
    }
    let Stamp { at, .. } = time::klog(rest, clock)?;
    Some(Known { level: level::letter(letter)?, at })
}

/// logrus at a terminal: levels of four letters, and the seconds since the start or a stamp, as in
/// `ERRO[0000] text` and `WARN[2026-11-21T12:00:00Z] text`.
fn logrus(text: &[u8], clock: Clock) -> Option<Known> {
    let (name, rest) = text.split_at_checked(4)?;
    let level = match name {
        b"PANI" | b"FATA" => Severity::Critical,
        b"ERRO" => Severity::Error,
        b"WARN" => Severity::Warn,
        b"INFO" | b"DEBU" | b"TRAC" => Severity::Info,
        _ => return None,
    };
    let rest = rest.strip_prefix(b"[")?;
    let stamp = time::at_start(rest, clock).filter(|stamp| rest.get(stamp.len) == Some(&b']'));
    let seconds = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let has_seconds = seconds > 0 && rest.get(seconds) == Some(&b']');
    (stamp.is_some() || has_seconds).then(|| Known { level, at: stamp.and_then(|stamp| stamp.at) })
}

/// `E/ActivityManager( 1234): text`.
pub(super) fn logcat_brief(text: &[u8]) -> Option<Known> {
    const TAG_BYTES_MAX: usize = 128;
    let [letter, b'/', rest @ ..] = text else { return None };
    let open = rest.iter().take(TAG_BYTES_MAX).position(|&byte| byte == b'(')?;
    let pid = rest[open + 1..].trim_ascii_start();
    let digits = pid.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits > 0 && pid[digits..].starts_with(b"):"))
        .then(|| level::letter(*letter))
        .flatten()
        .map(|level| Known { level, at: None })
}

/// `- 1117838570 2005.06.03 R02-M1 `: the prefix of supercomputers' event logs, and its length.
pub(super) fn event_prefix_len(text: &[u8]) -> Option<usize> {
    const FIELD_BYTES_MAX: usize = 64;
    let mut at = 0;
    for field in 0..4 {
        let len = text[at..].iter().take(FIELD_BYTES_MAX).position(|&byte| byte == b' ')?;
        let token = &text[at..at + len];
        let fits = match field {
            1 => len == 10 && token.iter().all(u8::is_ascii_digit),
            2 => len == 10 && token[4] == b'.' && token[7] == b'.',
            _ => len > 0,
        };
        if !fits {
            return None;
        }
        at += len + 1;
    }
    Some(at)
}

/// Blue Gene's `RAS KERNEL INFO text`: the level is the second word behind `RAS`.
pub(super) fn ras_level(text: &[u8]) -> Option<Severity> {
    const HEAD_BYTES_MAX: usize = 256;
    let head = &text[..text.len().min(HEAD_BYTES_MAX)];
    let at = memchr::memmem::find(head, b" RAS ")?;
    level::named(head[at + 5..].split(|&byte| byte == b' ').nth(1)?)
}

/// `1234:M 21 Nov 2026 12:00:00.123 # text`; `#` is Redis' warning.
pub(super) fn redis(text: &[u8], clock: Clock) -> Option<Known> {
    let digits = text.iter().take(8).take_while(|byte| byte.is_ascii_digit()).count();
    let [b':', b'M' | b'C' | b'S' | b'X', b' ', rest @ ..] = &text[digits..] else { return None };
    let stamp = time::at_start(rest, clock)?;
    let level = match rest[stamp.len..] {
        [b' ', b'#', b' ', ..] => Severity::Warn,
        [b' ', b'.' | b'-' | b'*', b' ', ..] => Severity::Info,
        _ => return None,
    };
    Some(Known { level, at: stamp.at })
}

/// `%LINK-3-UPDOWN: text`, with syslog's levels.
pub(super) fn cisco(text: &[u8]) -> Option<Known> {
    const NAME_BYTES_MAX: usize = 64;
    let head = text.strip_prefix(b"%")?;
    let head = &head[..head.iter().take(NAME_BYTES_MAX).position(|&byte| byte == b':')?];
    let mut parts = head.split(|&byte| byte == b'-');
    let (facility, number) = (parts.next()?, parts.find(|part| part.len() == 1)?);
    let capitals =
        facility.iter().all(|byte| byte.is_ascii_uppercase() || b"_0123456789".contains(byte));
    let digit = number[0].checked_sub(b'0').filter(|digit| *digit <= 7)?;
    capitals.then(|| Known { level: level::syslog(digit), at: None })
}

/// `[1700000000] SERVICE ALERT: host;service;CRITICAL;HARD;3;text`: the state is the level.
fn nagios(text: &[u8], clock: Clock) -> Option<Known> {
    let rest = text.strip_prefix(b"[")?;
    let stamp = time::at_start(rest, clock)?;
    let (kind, event) = rest[stamp.len..].strip_prefix(b"] ").and_then(split_event)?;
    if !kind.ends_with(b" ALERT") && !kind.ends_with(b" NOTIFICATION") {
        return None;
    }
    let state = event.split(|&byte| byte == b';').skip(1).take(4).find_map(|field| match field {
        b"CRITICAL" | b"DOWN" => Some(Severity::Critical),
        b"UNREACHABLE" => Some(Severity::Error),
        b"WARNING" | b"UNKNOWN" => Some(Severity::Warn),
        b"OK" | b"UP" => Some(Severity::Info),
        _ => None,
    });
    Some(Known { level: state?, at: stamp.at })
}

fn split_event(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    const KIND_BYTES_MAX: usize = 64;
    let colon = rest.iter().take(KIND_BYTES_MAX).position(|&byte| byte == b':')?;
    Some((&rest[..colon], &rest[colon + 1..]))
}
