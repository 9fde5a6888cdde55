//! What a log says: which lines matter, how bad they are, when, and of which application.
//!
//! Severity is the level field's where the format has one, whatever words the text uses; else the
//! worst of the words `emerg alert critical panic fatal`, `fail`, `error`, `warn`, read so that
//! "0 errors" is none (`words.rs`). The time is the line's own if it is plausible, else that of
//! reading (`time.rs`). The application is the syslog tag's or a field's, else the path's. A
//! message is the whole line where the line is plain text, the text behind the tag of syslog, and
//! the message member of JSON, whose other members are fields. A stack trace is one event.
//!
//! No file, no clock: blocks of bytes and the time are arguments. Work is bounded per line: only
//! its first 16 KiB are looked at. Leaves out how files are found, read and remembered; called by
//! the io that follows files and the systemd journal, and by the live tail.

mod application;
mod civil;
mod event;
mod flood;
mod formats;
mod head;
mod json;
mod json_line;
mod jul;
mod level;
mod partial;
mod reading;
mod scanner;
mod search;
mod shape;
mod syslog;
mod text;
mod time;
mod wordless;
mod words;

#[cfg(test)]
mod tests;

use muster_schemas::logs::{LogLine, MESSAGE_BYTES_MAX, Severity};

pub use flood::{Flood, FloodLimits};
pub use scanner::{Found, Scanner};

/// The time of reading, and the host's own zone for lines that do not say theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    pub now_ms: i64,
    /// How far the host's own time is ahead of UTC.
    pub utc_offset_ms: i64,
}

/// One line by itself, whatever its severity: for the live tail.
pub fn read_line(line: &[u8], source: &str, clock: Clock) -> LogLine {
    let (head, cut) = line.split_at(line.len().min(MESSAGE_BYTES_MAX));
    let shown = text::visible(head);
    let reading = reading::read(&shown, clock);
    let application = application::from_path(source);
    let source = text::clean(source.as_bytes(), text::SOURCE_BYTES_MAX).text;
    let line = scanner::line_of(&reading, reading.severity(), &source, &application, clock);
    with_message(line, &reading.message, cut.len())
}

/// An entry of the systemd journal. Its priority is its level, except for 6: systemd gives that to
/// everything a service prints, so that the level the text carries says more.
pub fn read_journal_entry(
    priority: Option<u8>,
    identifier: Option<&str>,
    unit: Option<&str>,
    message: &[u8],
    at_ms: i64,
    clock: Clock,
) -> LogLine {
    const GIVEN_TO_OUTPUT: u8 = 6;
    let (head, cut) = message.split_at(message.len().min(MESSAGE_BYTES_MAX));
    let shown = text::visible(head);
    let mut reading = reading::read(&shown, clock);
    let severity = match priority {
        Some(GIVEN_TO_OUTPUT) => reading.level.unwrap_or_else(|| {
            let trace = shape::begins_trace(&reading.message);
            if trace { Severity::Error } else { Severity::Info }
        }),
        Some(priority) => level::syslog(priority),
        None => reading.severity(),
    };
    reading.at = Some(at_ms);
    let unit_name = unit.map(|unit| unit.strip_suffix(".service").unwrap_or(unit));
    let name = identifier.or(unit_name).unwrap_or("journal");
    reading.application = Some(name.as_bytes().into());
    let source = format!("journal:{}", unit.or(identifier).unwrap_or("unknown"));
    let source = text::clean(source.as_bytes(), text::SOURCE_BYTES_MAX).text;
    let line = scanner::line_of(&reading, severity, &source, name, clock);
    with_message(line, &reading.message, cut.len())
}

fn with_message(mut line: LogLine, message: &[u8], cut_bytes: usize) -> LogLine {
    let clean = text::clean(message, MESSAGE_BYTES_MAX);
    line.message = clean.text;
    line.truncated_bytes = (clean.cut_bytes + cut_bytes) as i64;
    line
}
