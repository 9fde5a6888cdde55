//! A line that is one JSON object: which of its members is the level, the time, the message and
//! the application, by the names that logging libraries give them.
//!
//! Covers zap, logrus, slog, zerolog, bunyan, pino, log4j, ECS, CLEF, GELF, OpenTelemetry, Google
//! Cloud, `MongoDB` and Python's JSON formatters. Other scalar members become the line's fields.

use std::borrow::Cow;
use std::collections::BTreeMap;

use muster_schemas::logs::{FIELDS_MAX, Severity};

use super::json::{Members, Value, unescaped};
use super::{Clock, head, level, text, time};

/// A field is context, not the story: what is longer is cut.
const FIELD_BYTES_MAX: usize = 1024;
/// Members beyond this are not looked at.
const MEMBERS_MAX: usize = 256;

/// What an object says as a log line.
#[derive(Debug, Default)]
pub(super) struct JsonLine<'a> {
    pub at: Option<i64>,
    pub level: Option<Severity>,
    pub application: Option<Cow<'a, [u8]>>,
    pub message: Option<Cow<'a, [u8]>>,
    pub fields: BTreeMap<String, String>,
    /// The state of a request, which counts only where there is no level.
    status: Option<i64>,
    weak_level: Option<Severity>,
    compact_events: bool,
}

/// Docker's `{"log":"...","stream":"...","time":"..."}`: the line inside, the stream, the time.
pub(super) struct DockerLine<'a> {
    pub text: Cow<'a, [u8]>,
    pub stream: &'a [u8],
    pub at: Option<i64>,
}

pub(super) fn docker(line: &[u8], clock: Clock) -> Option<DockerLine<'_>> {
    if !line.starts_with(b"{\"log\":\"") {
        return None;
    }
    let mut docker = DockerLine { text: Cow::Borrowed(&[]), stream: b"", at: None };
    for (key, value) in Members::of(line)?.take(MEMBERS_MAX) {
        match (key, value) {
            (b"log", Value::Text(text)) => docker.text = unescaped(text),
            (b"stream", Value::Text(stream)) => docker.stream = stream,
            (b"time", Value::Text(at)) => docker.at = time::at_start(at, clock)?.at,
            (b"attrs", _) => {}
            _ => return None,
        }
    }
    Some(docker)
}

pub(super) fn read(line: &[u8], clock: Clock) -> Option<JsonLine<'_>> {
    let mut read = JsonLine::default();
    let mut stacks = Vec::new();
    for (key, value) in Members::of(line)?.take(MEMBERS_MAX) {
        read.take(key, value, clock, &mut stacks);
    }
    for stack in stacks {
        let message = read.message.get_or_insert_default().to_mut();
        if !message.is_empty() {
            message.push(b'\n');
        }
        message.extend_from_slice(&unescaped(stack));
    }
    read.settle();
    Some(read)
}

impl<'a> JsonLine<'a> {
    fn take(&mut self, key: &'a [u8], value: Value<'a>, clock: Clock, stacks: &mut Vec<&'a [u8]>) {
        if let Value::Nested(nested) = value {
            return self.take_nested(key, nested, clock);
        }
        let raw = match value {
            Value::Text(raw) | Value::Bare(raw) | Value::Nested(raw) => raw,
        };
        let is_text = matches!(value, Value::Text(_));
        self.compact_events |= matches!(key, b"@t" | b"@mt");
        let taken = match key {
            _ if head::is_level_key(key) => self.take_level(key, raw),
            b"severityNumber" | b"SeverityNumber" | b"severity_number" => {
                self.level = self.level.or(number(raw).and_then(level::open_telemetry));
                true
            }
            b"s" if is_text && raw.len() <= 2 => {
                self.level = raw.first().copied().and_then(level::letter);
                true
            }
            b"PRIORITY" => self.take_level(key, raw),
            b"status" => self.take_status(raw),
            b"time" | b"ts" | b"timestamp" | b"@timestamp" | b"@t" | b"asctime" | b"datetime"
            | b"date" | b"timeMillis" | b"Timestamp" | b"eventTime" | b"timestamp_ms" => {
                self.at = self.at.or_else(|| moment(raw, clock));
                self.at.is_some()
            }
            b"msg" | b"message" | b"MESSAGE" | b"Message" | b"log" | b"body" | b"Body" | b"@m"
            | b"@mt" | b"@message" | b"event" | b"short_message" | b"textPayload" | b"text"
                if is_text && self.message.is_none() =>
            {
                self.message = Some(unescaped(raw));
                true
            }
            b"app" | b"application" | b"app_name" | b"appname" | b"service" | b"service.name"
            | b"service_name" | b"program" | b"SYSLOG_IDENTIFIER" | b"syslog_identifier"
                if is_text && self.application.is_none() =>
            {
                self.application = Some(unescaped(raw));
                true
            }
            b"stack" | b"stacktrace" | b"stack_trace" | b"exc_info" | b"exception" | b"@x"
            | b"error.stack_trace"
                if is_text =>
            {
                stacks.push(raw);
                true
            }
            _ => false,
        };
        if !taken {
            self.keep(key, raw);
        }
    }

    fn take_level(&mut self, key: &[u8], raw: &[u8]) -> bool {
        let read = level::named(raw)
            .or_else(|| (raw == b"DEFAULT" || raw == b"default").then_some(Severity::Info))
            .or_else(|| match raw {
                [letter] => level::letter(letter.to_ascii_uppercase()),
                _ => None,
            })
            .or_else(|| number(raw).and_then(level::number));
        // A priority is a level only where nothing is called one.
        if key.eq_ignore_ascii_case(b"priority") {
            self.weak_level = self.weak_level.or(read);
        } else {
            self.level = self.level.or(read);
        }
        read.is_some()
    }

    fn take_status(&mut self, raw: &[u8]) -> bool {
        self.status = number(raw);
        self.weak_level = self.weak_level.or(level::named(raw));
        false
    }

    /// One level down, only where libraries are known to put what is looked for.
    fn take_nested(&mut self, key: &[u8], nested: &'a [u8], clock: Clock) {
        let Some(members) = Members::of(nested) else { return };
        for (inner, value) in members.take(MEMBERS_MAX) {
            let (Value::Text(raw) | Value::Bare(raw)) = value else { continue };
            match (key, inner) {
                (b"log" | b"level", b"level" | b"name") => {
                    self.level = self.level.or(level::named(raw));
                }
                (b"service", b"name") => self.application = Some(unescaped(raw)),
                (b"t", b"$date") | (b"instant", b"epochSecond") => self.at = moment(raw, clock),
                (b"fields", b"message") if self.message.is_none() => {
                    self.message = Some(unescaped(raw));
                }
                (b"error", b"message" | b"type") => {
                    self.keep(&[b"error.", inner].concat(), raw);
                }
                (b"fields", _) => self.keep(inner, raw),
                _ => {}
            }
        }
    }

    fn keep(&mut self, key: &[u8], raw: &[u8]) {
        if self.fields.len() < FIELDS_MAX && raw != b"null" {
            let name = text::clean(key, FIELD_BYTES_MAX).text;
            self.fields.entry(name).or_insert_with(|| {
                text::clean(&unescaped(&raw[..raw.len().min(2 * FIELD_BYTES_MAX)]), FIELD_BYTES_MAX)
                    .text
            });
        }
    }

    /// What follows from several members together.
    fn settle(&mut self) {
        let is_request =
            ["uri", "path", "method", "request", "request_uri", "url", "request_method"]
                .iter()
                .any(|key| self.fields.contains_key(*key));
        let from_status = match self.status {
            Some(500..=599) if is_request => Some(Severity::Error),
            Some(100..=499) if is_request => Some(Severity::Info),
            _ => None,
        };
        // CLEF leaves the level out where it is `Information`.
        let implied = self.compact_events.then_some(Severity::Info);
        self.level = self.level.or(self.weak_level).or(from_status).or(implied);
    }
}

fn number(raw: &[u8]) -> Option<i64> {
    std::str::from_utf8(raw).ok()?.parse().ok()
}

/// A time as text or as a number of any unit.
fn moment(raw: &[u8], clock: Clock) -> Option<i64> {
    let number = std::str::from_utf8(raw).ok().and_then(|text| text.parse::<f64>().ok());
    match number {
        Some(number) => time::epoch_ms(number).filter(|&at| time::is_plausible(at, clock)),
        None => time::at_start(raw, clock)?.at,
    }
}
