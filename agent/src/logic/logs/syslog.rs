//! Lines of syslog: RFC 3164 and 5424, with `<PRI>` and, as files have them, without; and the ISO
//! variant that rsyslog writes by default.
//!
//! Gives the parts; whether the message has a level of its own is asked by `reading.rs`.

use super::time::{self, Stamp};
use super::{Clock, level};

/// 23 facilities of 8 levels each: a larger number is no priority.
const PRIORITY_MAX: u16 = 191;
/// A host name is at most 255 bytes, and so are the tags people choose.
const NAME_BYTES_MAX: usize = 255;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Syslog<'a> {
    /// 0 emergency to 7 debug, from `<PRI>`.
    pub level: Option<u8>,
    pub at: Option<i64>,
    pub tag: Option<&'a [u8]>,
    pub message: &'a [u8],
}

pub(super) fn read(line: &[u8], clock: Clock) -> Option<Syslog<'_>> {
    let priority = priority(line);
    let (level, text) = match priority {
        Some((level, rest)) => (Some(level), rest),
        None => (None, line),
    };
    if let Some(rest) = text.strip_prefix(b"1 ").filter(|_| level.is_some()) {
        return structured(rest, clock).map(|syslog| Syslog { level, ..syslog });
    }
    let Some(stamp) = time::at_start(text, clock).filter(|stamp| is_syslogs(text, *stamp)) else {
        let (tag, message) = tagged(text).unwrap_or((&[], text));
        let tag = Some(tag).filter(|tag| !tag.is_empty());
        return level.is_some().then_some(Syslog { level, at: None, tag, message });
    };
    let rest = text[stamp.len..].strip_prefix(b" ")?;
    let month_first = text[0].is_ascii_uppercase();
    let (tag, message) = after_stamp(rest, month_first || level.is_some())?;
    Some(Syslog { level, at: stamp.at, tag, message })
}

/// `<34>`: what its last three bits say, and what follows.
pub(super) fn priority(line: &[u8]) -> Option<(u8, &[u8])> {
    let rest = line.strip_prefix(b"<")?;
    let digits = rest.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=3).contains(&digits) || rest.get(digits) != Some(&b'>') {
        return None;
    }
    let number = rest[..digits].iter().fold(0, |n, byte| n * 10 + u16::from(byte - b'0'));
    (number <= PRIORITY_MAX).then(|| ((number % 8) as u8, &rest[digits + 1..]))
}

/// `Nov 21 12:00:00` or an ISO stamp with a `T`.
fn is_syslogs(text: &[u8], stamp: Stamp) -> bool {
    stamp.dated && (text[0].is_ascii_uppercase() || text.get(10) == Some(&b'T'))
}

/// `host tag[pid]: message`, or without the host.
fn after_stamp(rest: &[u8], sure: bool) -> Option<(Option<&[u8]>, &[u8])> {
    if sure && let Some((tag, message)) = tagged(rest) {
        return Some((Some(tag), message));
    }
    let host_len = rest.iter().take(NAME_BYTES_MAX).position(|&byte| byte == b' ')?;
    let (host, after) = (&rest[..host_len], rest[host_len..].trim_ascii_start());
    let is_host = (host.len() > 1 || sure)
        && level::named(host).is_none()
        && host.iter().all(|byte| byte.is_ascii_alphanumeric() || b".:_-/@".contains(byte));
    if !is_host {
        return sure.then_some((None, rest));
    }
    match tagged(after) {
        Some((tag, message)) => Some((Some(tag), message)),
        None => sure.then_some((None, after)),
    }
}

/// `tag[pid]: message`, `tag: message`, `tag[pid] (name): message`, `tag(name)[pid]: message`.
fn tagged(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let in_tag = |byte: &u8| byte.is_ascii_alphanumeric() || b"._/@-+%#".contains(byte);
    let name_len = text.iter().take(NAME_BYTES_MAX).take_while(|byte| in_tag(byte)).count();
    let (name, mut rest) = text.split_at(name_len);
    if name.is_empty() || level::named(name).is_some() {
        return None;
    }
    rest = skip_group(rest, b'(', b')');
    rest = skip_group(rest, b'[', b']');
    if let Some(group) = rest.strip_prefix(b" (") {
        rest = group
            .iter()
            .take(NAME_BYTES_MAX)
            .position(|&byte| byte == b')')
            .map(|at| &group[at + 1..])?;
    }
    let message = match rest.strip_prefix(b":") {
        Some(message) => message,
        // Apple's `tag[pid] <Error>: message` keeps its level for the head of the message.
        None => rest.strip_prefix(b" <").map(|_| &rest[1..])?,
    };
    if !message.is_empty() && !message.starts_with(b" ") && !message.starts_with(b"<") {
        return None;
    }
    let message = message.strip_prefix(b" ").unwrap_or(message);
    let base = memchr::memrchr(b'/', name).map_or(name, |at| &name[at + 1..]);
    Some((if base.is_empty() { name } else { base }, message))
}

fn skip_group(text: &[u8], open: u8, close: u8) -> &[u8] {
    if text.first() != Some(&open) {
        return text;
    }
    let end = text.iter().take(NAME_BYTES_MAX).position(|&byte| byte == close);
    end.map_or(text, |end| &text[end + 1..])
}

/// RFC 5424 behind its version: `TIMESTAMP HOST APP PROCID MSGID SD MSG`, `-` for what is absent.
fn structured(rest: &[u8], clock: Clock) -> Option<Syslog<'_>> {
    let mut fields = rest.splitn(6, |&byte| byte == b' ');
    let stamp = fields.next()?;
    let (_host, app, _process, _id) =
        (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let data = fields.next()?;
    let message = match data.strip_prefix(b"-") {
        Some(message) => message,
        None => &data[structured_data_len(data)..],
    };
    let message = message.strip_prefix(b" ").unwrap_or(message);
    let message = message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(message);
    let at = time::at_start(stamp, clock).and_then(|stamp| stamp.at);
    Some(Syslog { level: None, at, tag: Some(app).filter(|app| *app != b"-"), message })
}

/// `[id name="value"][id ...]`; a bracket inside a value is escaped.
fn structured_data_len(data: &[u8]) -> usize {
    let (mut quoted, mut escaped, mut inside) = (false, false, false);
    for (at, &byte) in data.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b']' if !quoted => inside = false,
            b'[' if !quoted => inside = true,
            _ if !inside => return at,
            _ => {}
        }
    }
    data.len()
}
