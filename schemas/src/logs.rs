//! `logs.<host>`: frames of 1..n log lines that matter.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::envelope::{Durable, Rejection};
use crate::ids::{Channel, HostId, Kind};
use crate::is_default;
use crate::telemetry::{FUTURE_MS_MAX, SAMPLE_AT_MS_MIN};

/// The most lines in one frame: with [`MESSAGE_BYTES_MAX`] each they still fit in a message of
/// 1 MiB if most are short; agents close a frame at 256 KiB.
pub const LINES_PER_FRAME_MAX: usize = 1000;

/// The longest text of a line that travels, in bytes; the rest is cut off and counted.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// The longest name (application, source, field), in bytes.
const NAME_BYTES_MAX: usize = 4096;

/// The most structured fields of a line.
pub const FIELDS_MAX: usize = 32;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogFrame {
    /// In the order in which they were read, at least one.
    pub lines: Vec<LogLine>,
}

/// One line, or several that belong together (a stack trace).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Milliseconds since the Unix epoch, UTC: what the line says, else when it was read.
    pub at: i64,
    pub severity: Severity,
    /// From the line, else from the path.
    pub application: String,
    /// The path of the file, or `journal:<unit>`.
    pub source: String,
    /// The text, lines separated by `\n`, without what is not UTF-8 and without NUL.
    pub message: String,
    /// How many bytes of the text were cut off.
    #[serde(default, skip_serializing_if = "is_default")]
    pub truncated_bytes: i64,
    /// How many lines this one stands for that were left out because there were too many.
    #[serde(default, skip_serializing_if = "is_default")]
    pub suppressed: i64,
    /// Other fields of a structured line, at most [`FIELDS_MAX`].
    #[serde(default, skip_serializing_if = "is_default")]
    pub fields: BTreeMap<String, String>,
}

/// How bad it is, worst first.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The system or a whole service is down: syslog's emergency, alert and critical, `fatal`,
    /// `panic`.
    Critical,
    /// Something was tried and did not succeed, without being called an error.
    Failure,
    Error,
    Warn,
    #[default]
    Info,
}

impl Severity {
    pub const ALL: [Self; 5] = [Self::Critical, Self::Failure, Self::Error, Self::Warn, Self::Info];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Failure => "failure",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
        }
    }

    /// Of the five names.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == name)
    }
}

/// `live.<host>.logs`: all lines, on demand, never stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveLogs {
    pub v: u32,
    pub host: HostId,
    pub lines: Vec<LogLine>,
    /// Lines left out since the previous message because there were too many.
    #[serde(default)]
    pub dropped: i64,
}

impl Durable for LogFrame {
    const CHANNEL: Channel = Channel::Logs;

    fn kind(&self) -> Kind {
        Kind::Logs
    }

    fn check(&self, now_ms: i64) -> Result<(), Rejection> {
        if !(1..=LINES_PER_FRAME_MAX).contains(&self.lines.len()) {
            let expected = format!("1 to {LINES_PER_FRAME_MAX} lines");
            return Err(Rejection::bad_value("body.lines", self.lines.len(), expected));
        }
        let check = |(index, line): (usize, &LogLine)| line.check(index, now_ms);
        self.lines.iter().enumerate().try_for_each(check)
    }
}

impl LogLine {
    fn check(&self, index: usize, now_ms: i64) -> Result<(), Rejection> {
        let place = |field: &str| format!("body.lines[{index}].{field}");
        let latest = now_ms.saturating_add(FUTURE_MS_MAX);
        if !(SAMPLE_AT_MS_MIN..=latest).contains(&self.at) {
            let expected = format!("{SAMPLE_AT_MS_MIN} (2020) to {latest} (5 minutes from now)");
            return Err(Rejection::bad_value(place("at"), self.at, expected));
        }
        let text = |field: &str, value: &str, bytes_max: usize| {
            if value.len() <= bytes_max && !value.contains('\0') {
                return Ok(());
            }
            let expected = format!("text of at most {bytes_max} bytes without NUL");
            Err(Rejection::bad_value(place(field), format!("{value:?}"), expected))
        };
        text("application", &self.application, NAME_BYTES_MAX)?;
        text("source", &self.source, NAME_BYTES_MAX)?;
        text("message", &self.message, MESSAGE_BYTES_MAX)?;
        if self.fields.len() > FIELDS_MAX {
            let expected = format!("at most {FIELDS_MAX} fields");
            return Err(Rejection::bad_value(place("fields"), self.fields.len(), expected));
        }
        for (name, value) in &self.fields {
            text("fields", name, NAME_BYTES_MAX)?;
            text("fields", value, NAME_BYTES_MAX)?;
        }
        for (field, count) in
            [("truncated_bytes", self.truncated_bytes), ("suppressed", self.suppressed)]
        {
            if count < 0 {
                return Err(Rejection::bad_value(place(field), count, "0 or more"));
            }
        }
        Ok(())
    }
}
