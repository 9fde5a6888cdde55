//! The envelope, the same on every durable subject, and what a message must satisfy to be stored.

use serde::{Deserialize, Serialize};

use crate::ids::{Channel, HostId, Kind, MessageId, SEQ_MAX, is_sequence_number};

/// The version of the wire format. Evolution is additive within a version: unknown fields are
/// ignored and new ones are optional.
pub const ENVELOPE_VERSION: u32 = 1;

/// The last millisecond of the year 9999. A clock may be wrong, and is then told so; beyond this no
/// calendar and no database can say what it meant.
pub const TIME_MS_MAX: i64 = 253_402_300_799_999;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope<T> {
    /// [`ENVELOPE_VERSION`].
    pub v: u32,
    pub host: HostId,
    /// Milliseconds since the Unix epoch at which the agent's journal was created.
    pub epoch: i64,
    /// From 1, per channel and epoch.
    pub seq: i64,
    /// Milliseconds since the Unix epoch, UTC, by the agent's clock, when the message was made.
    /// A resend keeps it.
    pub sent_at: i64,
    pub body: T,
}

/// A body that travels in an [`Envelope`] on a durable channel.
pub trait Durable: Serialize + for<'de> Deserialize<'de> {
    const CHANNEL: Channel;

    /// Which kind of its channel's messages this is; it decides the subject.
    fn kind(&self) -> Kind;

    /// Checks what the types cannot say. `now_ms` is the judge's clock, in milliseconds since the
    /// Unix epoch.
    fn check(&self, now_ms: i64) -> Result<(), Rejection>;
}

/// Why a message that could be decoded is nevertheless not stored.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Rejection {
    #[error("envelope version {0} is unknown, expected {ENVELOPE_VERSION}")]
    UnknownVersion(u32),
    #[error("the envelope names host {envelope} but the subject names {subject}")]
    WrongHost { envelope: HostId, subject: HostId },
    #[error("sequence number {0} is outside 1..={SEQ_MAX}")]
    BadSequence(i64),
    #[error("epoch {0} is before 1970")]
    BadEpoch(i64),
    #[error("the message id says {header} but the envelope says {envelope}")]
    WrongMessageId { header: String, envelope: String },
    #[error("{field} is {value}, expected {expected}")]
    BadValue { field: String, value: String, expected: String },
}

impl Rejection {
    pub fn bad_value(
        field: impl Into<String>,
        value: impl std::fmt::Display,
        expected: impl Into<String>,
    ) -> Self {
        // A hostile value may be megabytes long; the reason must not be.
        let value = value.to_string().chars().take(120).collect();
        Self::BadValue { field: field.into(), value, expected: expected.into() }
    }

    /// The same, of a value that is part of another.
    #[must_use]
    pub fn within(self, place: &str) -> Self {
        match self {
            Self::BadValue { field, value, expected } => {
                Self::BadValue { field: format!("{place}.{field}"), value, expected }
            }
            other => other,
        }
    }
}

/// Whether the database can hold it: what it cannot would be stored as another time.
pub(crate) fn check_time(field: &str, at: i64) -> Result<(), Rejection> {
    if (0..=TIME_MS_MAX).contains(&at) {
        return Ok(());
    }
    Err(Rejection::bad_value(field, at, format!("0 (1970) to {TIME_MS_MAX} (9999)")))
}

/// Whether counts are counts.
pub(crate) fn check_counts(counts: &[(&str, i64)]) -> Result<(), Rejection> {
    let negative = counts.iter().find(|(_, count)| *count < 0);
    negative.map_or(Ok(()), |(field, count)| Err(Rejection::bad_value(*field, count, "0 or more")))
}

impl<T> Envelope<T> {
    /// The same message with its body made into something else.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Envelope<U> {
        let Self { v, host, epoch, seq, sent_at, body } = self;
        Envelope { v, host, epoch, seq, sent_at, body: make(body) }
    }
}

impl<T: Durable> Envelope<T> {
    pub fn message_id(&self) -> MessageId {
        MessageId {
            host: self.host.clone(),
            channel: T::CHANNEL,
            epoch: self.epoch,
            seq: self.seq,
            resend: 0,
        }
    }

    /// Checks the envelope against the subject it came on and the id in its header, then its body.
    pub fn check(
        &self,
        subject_host: &HostId,
        header_id: Option<&MessageId>,
        now_ms: i64,
    ) -> Result<(), Rejection> {
        if self.v != ENVELOPE_VERSION {
            return Err(Rejection::UnknownVersion(self.v));
        }
        if self.host != *subject_host {
            return Err(Rejection::WrongHost {
                envelope: self.host.clone(),
                subject: subject_host.clone(),
            });
        }
        if !is_sequence_number(self.seq) {
            return Err(Rejection::BadSequence(self.seq));
        }
        if self.epoch < 0 {
            return Err(Rejection::BadEpoch(self.epoch));
        }
        check_time("sent_at", self.sent_at)?;
        self.check_header_id(header_id)?;
        self.body.check(now_ms)
    }

    fn check_header_id(&self, header_id: Option<&MessageId>) -> Result<(), Rejection> {
        let Some(header) = header_id else { return Ok(()) };
        let own = MessageId { resend: header.resend, ..self.message_id() };
        if *header == own {
            return Ok(());
        }
        Err(Rejection::WrongMessageId { header: header.to_string(), envelope: own.to_string() })
    }
}
