//! One line read: its time, severity, application and message.
//!
//! What wraps the line is taken off first (Docker, CRI, syslog), then what is inside is read.
//! The level of the innermost format that has one counts, but a `<PRI>` is the level of its line.
//! The message is the whole line where it is plain text (people search for what they know), the
//! text behind the tag of a syslog line, what a container wrote, and the message member of JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;

use muster_schemas::logs::Severity;

use super::{Clock, formats, head, json_line, jul, level, shape, syslog, text, time, words};

/// How deep wrappers are taken off: a container's output, in syslog, in a file.
const DEPTH_MAX: u8 = 3;

/// What a line says.
#[derive(Debug, Default)]
pub(super) struct Reading<'a> {
    pub at: Option<i64>,
    /// From the level field, where the format has one.
    pub level: Option<Severity>,
    pub application: Option<Cow<'a, [u8]>>,
    pub message: Cow<'a, [u8]>,
    pub fields: BTreeMap<String, String>,
    /// What is innermost has a time or a level of its own, so that it begins something.
    pub begins: bool,
    /// It was inside of something else: the raw line does not show how the message begins.
    pub wrapped: bool,
    /// PostgreSQL's `DETAIL:` and its like: more about the line before.
    pub detail: bool,
}

impl Reading<'_> {
    /// From the level, else from the words.
    pub(super) fn severity(&self) -> Severity {
        let by_words = || {
            let by_shape = shape::begins_trace(&self.message).then_some(Severity::Error);
            words::severity(&self.message).into_iter().chain(by_shape).min()
        };
        self.level.or_else(by_words).unwrap_or_default()
    }
}

/// Reads a line of a file. `line` is what [`text::visible`] left of it.
pub(super) fn read(line: &[u8], clock: Clock) -> Reading<'_> {
    read_at_depth(line, clock, 0)
}

fn read_at_depth(line: &[u8], clock: Clock, depth: u8) -> Reading<'_> {
    if line.starts_with(b"{")
        && let Some(reading) = object(line, clock, depth)
    {
        return reading;
    }
    if depth < DEPTH_MAX {
        if let Some(reading) = container_line(line, clock, depth) {
            return reading;
        }
        // Java's time of day would be followed by what could be a host and a tag.
        if !jul::may_be_header(line)
            && let Some(reading) = syslog_line(line, clock, depth)
        {
            return reading;
        }
    }
    plain(line, clock, depth)
}

fn object(line: &[u8], clock: Clock, depth: u8) -> Option<Reading<'_>> {
    if depth < DEPTH_MAX
        && let Some(docker) = json_line::docker(line, clock)
    {
        let mut inner = match docker.text {
            Cow::Borrowed(text) => read_at_depth(text, clock, depth + 1),
            Cow::Owned(text) => owned(read_at_depth(&text::visible(&text), clock, depth + 1)),
        };
        wrap(&mut inner, docker.at, docker.stream);
        return Some(inner);
    }
    let json = json_line::read(line, clock)?;
    Some(Reading {
        at: json.at,
        // Without a level, every member is asked for words: `"error":"timeout"`.
        level: json.level.or_else(|| words::severity(line)).or(Some(Severity::Info)),
        application: json.application,
        message: json.message.unwrap_or(Cow::Borrowed(line)),
        fields: json.fields,
        begins: true,
        wrapped: true,
        detail: false,
    })
}

fn owned(reading: Reading<'_>) -> Reading<'static> {
    Reading {
        at: reading.at,
        level: reading.level,
        application: reading.application.map(|name| Cow::Owned(name.into_owned())),
        message: Cow::Owned(reading.message.into_owned()),
        fields: reading.fields,
        begins: reading.begins,
        wrapped: reading.wrapped,
        detail: reading.detail,
    }
}

fn wrap(inner: &mut Reading<'_>, at: Option<i64>, stream: &[u8]) {
    inner.at = inner.at.or(at);
    inner.wrapped = true;
    let stream = text::clean(stream, 16).text;
    inner.fields.entry("stream".to_owned()).or_insert(stream);
}

/// CRI: `2026-11-21T12:00:00.123456789Z stderr F text`.
fn container_line(line: &[u8], clock: Clock, depth: u8) -> Option<Reading<'_>> {
    let cri = cri(line)?;
    let at = time::at_start(&line[..cri.stamp_len], clock)?.at;
    let mut inner = read_at_depth(cri.message, clock, depth + 1);
    wrap(&mut inner, at, cri.stream);
    Some(inner)
}

/// A line of the Container Runtime Interface.
pub(super) struct Cri<'a> {
    pub stamp_len: usize,
    pub stream: &'a [u8],
    /// The line goes on in the next one of its stream.
    pub is_partial: bool,
    pub message: &'a [u8],
}

pub(super) fn cri(line: &[u8]) -> Option<Cri<'_>> {
    const STAMP_BYTES_MAX: usize = 40;
    if line.get(10) != Some(&b'T') {
        return None;
    }
    let stamp_len = line.iter().take(STAMP_BYTES_MAX).position(|&byte| byte == b' ')?;
    let rest = &line[stamp_len + 1..];
    let stream = rest.get(..6).filter(|stream| matches!(*stream, b"stdout" | b"stderr"))?;
    let (tag, message): (u8, &[u8]) = match rest[6..] {
        [b' ', tag @ (b'F' | b'P')] => (tag, b""),
        [b' ', tag @ (b'F' | b'P'), b' ', ref message @ ..] => (tag, message),
        _ => return None,
    };
    Some(Cri { stamp_len, stream, is_partial: tag == b'P', message })
}

fn syslog_line(line: &[u8], clock: Clock, depth: u8) -> Option<Reading<'_>> {
    let syslog = syslog::read(line, clock)?;
    // rsyslog writes a leading tab as an escape; the indentation is what tells a stack trace.
    let mut inner = read_at_depth(syslog.message, clock, depth + 1);
    inner.level = syslog.level.map(level::syslog).or(inner.level);
    inner.at = syslog.at.or(inner.at);
    inner.application = syslog.tag.map(Cow::Borrowed).or(inner.application);
    inner.wrapped = true;
    Some(inner)
}

fn plain(line: &[u8], clock: Clock, depth: u8) -> Reading<'_> {
    let inner = formats::event_prefix_len(line).filter(|_| depth < DEPTH_MAX);
    if let Some(len) = inner {
        let event = &line[len..];
        let mut reading = read_at_depth(event, clock, DEPTH_MAX - 1);
        reading.level = formats::ras_level(line).or(reading.level);
        reading.begins = true;
        reading.message = Cow::Borrowed(line);
        return reading;
    }
    if let Some(known) = formats::read(line, clock) {
        return Reading {
            at: known.at,
            level: Some(known.level),
            message: Cow::Borrowed(line),
            begins: true,
            ..Reading::default()
        };
    }
    let head = head::read(line, clock);
    let of_detail = head.detail.then_some(Severity::Info);
    let level = head.level.or(of_detail).or_else(|| head::field_level(line));
    Reading {
        at: head.at,
        level,
        message: Cow::Borrowed(line),
        begins: head.stamped || head.level.is_some(),
        detail: head.detail,
        ..Reading::default()
    }
}
