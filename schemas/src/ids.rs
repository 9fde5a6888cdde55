//! Identifiers, checked once when built and trusted after.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A host's identifier: `[a-z0-9][a-z0-9-]{0,62}`.
///
/// The syntax is a safety property, not a taste: the id is a subject token, so a `*` or `.` in it
/// would let one host publish for another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostId(String);

/// The longest host id, the same as a DNS label.
pub const HOST_ID_LENGTH_MAX: usize = 63;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("host id {0:?} is not of the form [a-z0-9][a-z0-9-]{{0,62}}")]
pub struct InvalidHostId(pub String);

impl HostId {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Makes an id of a machine's own name: lower case, `.`, `_` and blanks become `-`, the rest
    /// is dropped. `None` where nothing is left.
    pub fn from_hostname(name: &str) -> Option<Self> {
        let mapped: String = name
            .chars()
            .filter_map(|c| match c.to_ascii_lowercase() {
                c @ ('a'..='z' | '0'..='9') => Some(c),
                '-' | '.' | '_' | ' ' => Some('-'),
                _ => None,
            })
            .skip_while(|c| *c == '-')
            .take(HOST_ID_LENGTH_MAX)
            .collect();
        mapped.trim_end_matches('-').parse().ok()
    }
}

impl FromStr for HostId {
    type Err = InvalidHostId;

    fn from_str(text: &str) -> Result<Self, InvalidHostId> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for HostId {
    type Error = InvalidHostId;

    fn try_from(text: String) -> Result<Self, InvalidHostId> {
        let bytes = text.as_bytes();
        let allowed = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let valid = bytes.len() <= HOST_ID_LENGTH_MAX
            && bytes.first().is_some_and(allowed)
            && bytes.iter().all(|b| allowed(b) || *b == b'-');
        if valid {
            Ok(Self(text))
        } else {
            // A hostile id may be megabytes long; the error must not be.
            Err(InvalidHostId(text.chars().take(80).collect()))
        }
    }
}

impl From<HostId> for String {
    fn from(id: HostId) -> Self {
        id.0
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a sequence number counts within: each channel of a host has its own sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Telemetry,
    Logs,
    Signals,
    Inventory,
}

impl Channel {
    pub const ALL: [Self; 4] = [Self::Telemetry, Self::Logs, Self::Signals, Self::Inventory];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Telemetry => "telemetry",
            Self::Logs => "logs",
            Self::Signals => "signals",
            Self::Inventory => "inventory",
        }
    }

    /// The inverse of [`Channel::index`].
    pub fn from_index(index: u8) -> Option<Self> {
        Self::ALL.get(usize::from(index)).copied()
    }

    /// A stable small number, used in the agent's journal on disk.
    pub fn index(self) -> u8 {
        match self {
            Self::Telemetry => 0,
            Self::Logs => 1,
            Self::Signals => 2,
            Self::Inventory => 3,
        }
    }
}

/// What a durable message carries. Several kinds may share a channel, and so its sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Telemetry,
    Logs,
    Heartbeat,
    Candidate,
    SystemInventory,
    ConfigurationInventory,
}

impl Kind {
    pub const ALL: [Self; 6] = [
        Self::Telemetry,
        Self::Logs,
        Self::Heartbeat,
        Self::Candidate,
        Self::SystemInventory,
        Self::ConfigurationInventory,
    ];

    pub fn channel(self) -> Channel {
        match self {
            Self::Telemetry => Channel::Telemetry,
            Self::Logs => Channel::Logs,
            Self::Heartbeat | Self::Candidate => Channel::Signals,
            Self::SystemInventory | Self::ConfigurationInventory => Channel::Inventory,
        }
    }

    /// A stable small number, used in the agent's journal on disk: the channel in the low four
    /// bits.
    pub fn index(self) -> u8 {
        let of_channel = match self {
            Self::Telemetry | Self::Logs | Self::Heartbeat | Self::SystemInventory => 0,
            Self::Candidate | Self::ConfigurationInventory => 1,
        };
        of_channel << 4 | self.channel().index()
    }

    /// The inverse of [`Kind::index`].
    pub fn from_index(index: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.index() == index)
    }
}

impl FromStr for Channel {
    type Err = UnknownChannel;

    fn from_str(text: &str) -> Result<Self, UnknownChannel> {
        Self::ALL
            .into_iter()
            .find(|channel| channel.as_str() == text)
            .ok_or_else(|| UnknownChannel(text.chars().take(80).collect()))
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown channel {0:?}")]
pub struct UnknownChannel(pub String);

/// The identity of one durable message: the value of its `Nats-Msg-Id` header.
///
/// Written `<host>/<channel>/<epoch>/<seq>`, with `/r<n>` appended on the n-th resend so that the
/// broker's own deduplication window does not swallow a repair.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessageId {
    pub host: HostId,
    pub channel: Channel,
    /// Milliseconds since the Unix epoch at which the agent's journal was created.
    pub epoch: i64,
    /// From 1, without holes, per channel and epoch.
    pub seq: i64,
    /// 0 for the first sending.
    pub resend: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("message id {0:?} is not <host>/<channel>/<epoch>/<seq>[/r<n>]")]
pub struct InvalidMessageId(pub String);

impl FromStr for MessageId {
    type Err = InvalidMessageId;

    fn from_str(text: &str) -> Result<Self, InvalidMessageId> {
        parse_message_id(text).ok_or_else(|| InvalidMessageId(text.chars().take(160).collect()))
    }
}

fn parse_message_id(text: &str) -> Option<MessageId> {
    let mut parts = text.split('/');
    let host = parts.next()?.parse().ok()?;
    let channel = parts.next()?.parse().ok()?;
    let epoch = parts.next()?.parse().ok().filter(|epoch| *epoch >= 0)?;
    let seq = parts.next()?.parse().ok().filter(|seq| is_sequence_number(*seq))?;
    let resend = match parts.next() {
        None => 0,
        Some(suffix) => suffix.strip_prefix('r')?.parse().ok()?,
    };
    parts.next().is_none().then_some(MessageId { host, channel, epoch, seq, resend })
}

/// The largest sequence number: 34 years of a thousand messages a second. Numbers of all hosts can
/// be counted and added up without leaving the type.
pub const SEQ_MAX: i64 = (1 << 40) - 1;

/// Sequence numbers start at 1.
pub fn is_sequence_number(seq: i64) -> bool {
    (1..=SEQ_MAX).contains(&seq)
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, channel, epoch, seq, resend } = self;
        write!(f, "{host}/{channel}/{epoch}/{seq}")?;
        if *resend > 0 {
            write!(f, "/r{resend}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_id_is_a_lower_case_dns_label() {
        for good in ["a", "web-3", "0", "a--b", &"x".repeat(63)] {
            assert_eq!(good.parse::<HostId>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", "A", "a.b", "*", ">", "a b", "é", "a/b", &"x".repeat(64)] {
            assert!(bad.parse::<HostId>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn a_hostname_becomes_a_host_id() {
        for (name, id) in [
            ("web-3", Some("web-3")),
            ("Web_3.example.ORG", Some("web-3-example-org")),
            ("-.x.", Some("x")),
            ("日本", None),
            ("", None),
        ] {
            let got = HostId::from_hostname(name);
            assert_eq!(got.as_ref().map(HostId::as_str), id, "{name:?}");
        }
    }

    #[test]
    fn a_message_id_reads_back_as_written() {
        for text in ["web-3/telemetry/1732100000123/42", "a/signals/0/1/r2"] {
            assert_eq!(text.parse::<MessageId>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "web-3/telemetry/1/0",
            "web-3/telemetry/1/-4",
            "web-3/telemetry/1/9223372036854775807",
            "web-3/nonsense/1/1",
            "WEB/telemetry/1/1",
            "web-3/telemetry/1/1/x",
            "web-3/telemetry/1/1/r1/",
        ] {
            assert!(bad.parse::<MessageId>().is_err(), "{bad:?} was accepted");
        }
    }
}
