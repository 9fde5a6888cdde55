//! `signals.<host>.<kind>`: a host's signs of life, and what it suspects.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::codec::{ContentType, DecodeError, decode};
use crate::conditions::Candidate;
use crate::envelope::{Durable, Envelope, Rejection, check_counts};
use crate::ids::{Channel, Kind, SEQ_MAX};
use crate::is_default;

/// The longest heartbeat interval a host may announce: a day. More is a mistake that would make
/// an offline host go unnoticed.
pub const HEARTBEAT_INTERVAL_MS_MAX: i64 = 24 * 3600 * 1000;

/// The longest agent version, in bytes.
const VERSION_BYTES_MAX: usize = 64;

/// The most collectors a heartbeat tells an error of.
pub const COLLECTOR_ERRORS_MAX: usize = 32;

/// The longest text of such an error, in bytes.
pub const COLLECTOR_ERROR_BYTES_MAX: usize = 512;

/// "I am here, and this is how far you have acknowledged me."
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    pub agent_version: String,
    /// Milliseconds until the next heartbeat is due.
    pub interval_ms: i64,
    /// Seconds since the agent was started.
    pub agent_uptime_s: i64,
    /// What the bus has acknowledged, per channel, so that a lost tail is noticed too.
    #[serde(default)]
    pub channels: BTreeMap<Channel, ChannelProgress>,
    #[serde(default)]
    pub journal: JournalHealth,
    /// The last error of each collector that does not work now.
    #[serde(default, skip_serializing_if = "is_default")]
    pub collector_errors: BTreeMap<String, String>,
    /// The host's clock minus the bus's, in milliseconds, give or take half of a round trip;
    /// absent until it was measured.
    #[serde(default, skip_serializing_if = "is_default")]
    pub clock_offset_ms: Option<i64>,
    /// Log lines read since the agent was started.
    #[serde(default, skip_serializing_if = "is_default")]
    pub log_lines_read: i64,
    /// Lines that were left out since then because there were too many.
    #[serde(default, skip_serializing_if = "is_default")]
    pub log_lines_suppressed: i64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelProgress {
    /// All sequence numbers up to and including this one were acknowledged by the bus, or were
    /// dropped before they could be.
    pub acked: i64,
    /// Messages that were dropped from the journal before they were acknowledged.
    #[serde(default)]
    pub dropped: i64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalHealth {
    /// Messages that wait for an acknowledgement.
    pub waiting: i64,
    /// Bytes on disk, acknowledged messages that are still kept included.
    pub bytes: i64,
    /// The limit of `bytes`.
    pub bytes_max: i64,
}

impl Durable for Heartbeat {
    const CHANNEL: Channel = Channel::Signals;

    fn kind(&self) -> Kind {
        Kind::Heartbeat
    }

    fn check(&self, _now_ms: i64) -> Result<(), Rejection> {
        text("body.agent_version", &self.agent_version, VERSION_BYTES_MAX)?;
        if !(1..=HEARTBEAT_INTERVAL_MS_MAX).contains(&self.interval_ms) {
            let expected = format!("1 to {HEARTBEAT_INTERVAL_MS_MAX}");
            return Err(Rejection::bad_value("body.interval_ms", self.interval_ms, expected));
        }
        check_counts(&[
            ("body.agent_uptime_s", self.agent_uptime_s),
            ("body.journal.waiting", self.journal.waiting),
            ("body.journal.bytes", self.journal.bytes),
            ("body.journal.bytes_max", self.journal.bytes_max),
            ("body.log_lines_read", self.log_lines_read),
            ("body.log_lines_suppressed", self.log_lines_suppressed),
        ])?;
        for (channel, progress) in &self.channels {
            let in_range = (0..=SEQ_MAX).contains(&progress.acked) && progress.dropped >= 0;
            if !in_range {
                let field = format!("body.channels.{channel}");
                return Err(Rejection::bad_value(
                    field,
                    format!("{progress:?}"),
                    format!("0 or more, at most {SEQ_MAX}"),
                ));
            }
        }
        if self.collector_errors.len() > COLLECTOR_ERRORS_MAX {
            let expected = format!("at most {COLLECTOR_ERRORS_MAX} collectors");
            let count = self.collector_errors.len();
            return Err(Rejection::bad_value("body.collector_errors", count, expected));
        }
        for (collector, error) in &self.collector_errors {
            text("body.collector_errors", collector, VERSION_BYTES_MAX)?;
            text("body.collector_errors", error, COLLECTOR_ERROR_BYTES_MAX)?;
        }
        Ok(())
    }
}

fn text(field: &str, value: &str, bytes_max: usize) -> Result<(), Rejection> {
    if value.len() <= bytes_max && !value.contains('\0') {
        return Ok(());
    }
    let expected = format!("text of at most {bytes_max} bytes without NUL");
    Err(Rejection::bad_value(field, value, expected))
}

/// Any message of the channel. Which one it is says the subject, so that neither needs a tag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Signal {
    Heartbeat(Heartbeat),
    Candidate(Box<Candidate>),
}

impl Signal {
    /// Decodes what came on a subject of this kind.
    pub fn decode(
        kind: Kind,
        content_type: ContentType,
        payload: &[u8],
    ) -> Result<Envelope<Self>, DecodeError> {
        if kind == Kind::Candidate {
            let envelope: Envelope<Candidate> = decode(content_type, payload)?;
            return Ok(envelope.map(|candidate| Self::Candidate(Box::new(candidate))));
        }
        let envelope: Envelope<Heartbeat> = decode(content_type, payload)?;
        Ok(envelope.map(Self::Heartbeat))
    }
}

impl Durable for Signal {
    const CHANNEL: Channel = Channel::Signals;

    fn kind(&self) -> Kind {
        match self {
            Self::Heartbeat(heartbeat) => heartbeat.kind(),
            Self::Candidate(candidate) => candidate.kind(),
        }
    }

    fn check(&self, now_ms: i64) -> Result<(), Rejection> {
        match self {
            Self::Heartbeat(heartbeat) => heartbeat.check(now_ms),
            Self::Candidate(candidate) => candidate.check(now_ms),
        }
    }
}
