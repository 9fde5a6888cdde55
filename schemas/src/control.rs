//! `control.<host>.<verb>`: requests to one agent, answered by it. Every refusal has a reason.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::configuration::CentralConfiguration;
use crate::ids::Channel;
use crate::is_default;
use crate::signals::{ChannelProgress, JournalHealth};
use crate::telemetry::Process;

/// How often a live view may ask for values, in milliseconds.
pub const LIVE_INTERVAL_MS: std::ops::RangeInclusive<i64> = 1_000..=3_600_000;

/// The longest lease: an agent stops by itself soon after the last viewer is gone, whatever
/// happened to the gateway.
pub const LIVE_LEASE_MS_MAX: i64 = 60_000;

/// The most messages one request may ask for again.
pub const RESEND_MAX: i64 = 10_000;

/// The verbs an agent knows.
pub const VERBS: &[&str] = &["health", "status", "config", "processes", "live", "resend"];

/// `control.<host>.live`: publish on `live.<host>.<topic>` until the lease is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveRequest {
    #[serde(default, skip_serializing_if = "is_default")]
    pub topic: LiveTopic,
    /// Within [`LIVE_INTERVAL_MS`].
    pub interval_ms: i64,
    /// 0 stops at once.
    pub lease_ms: i64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveTopic {
    #[default]
    Telemetry,
    Logs,
}

/// `control.<host>.resend`: publish again what the journal still has, under an id of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResendRequest {
    pub channel: Channel,
    pub epoch: i64,
    /// The first sequence number wanted.
    pub from: i64,
    /// The last.
    pub to: i64,
    /// From 1; goes into the message id, so that the broker does not take it for a repetition.
    pub attempt: u32,
}

/// The data of the answer to `resend`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResendAnswer {
    /// How many messages are on their way again.
    pub found: i64,
    /// Ranges (first and last) the journal no longer has.
    #[serde(default)]
    pub missing: Vec<(i64, i64)>,
    /// The same numbers once more, with why they are gone: nobody else knows. Older agents do
    /// not say.
    #[serde(default, skip_serializing_if = "is_default")]
    pub losses: Vec<Loss>,
}

/// Messages, first and last, that will never be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    pub from: i64,
    pub to: i64,
    pub cause: LossCause,
}

/// Why a message is not in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossCause {
    /// The journal was full, or damaged, before the bus had acknowledged it.
    Dropped,
    /// The bus had acknowledged it and lost it, and the time to keep it was over
    /// (`retain_after_ack`).
    Trimmed,
    /// The journal of that epoch is gone: the agent was installed anew, or its state was lost.
    UnknownEpoch,
    /// The journal never gave out this number: somebody announced what never was.
    NotWritten,
}

impl LossCause {
    pub const ALL: [Self; 4] = [Self::Dropped, Self::Trimmed, Self::UnknownEpoch, Self::NotWritten];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Trimmed => "trimmed",
            Self::UnknownEpoch => "unknown_epoch",
            Self::NotWritten => "not_written",
        }
    }
}

/// `control.<host>.config`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum ConfigRequest {
    /// Answers the configuration in force, as `AppliedConfiguration`.
    Get,
    /// Takes this one. The answer is as to `get`; a bad one is refused whole.
    Set { configuration: Box<CentralConfiguration> },
    /// Asks the centre for what it wants now, and reads the host's own file again.
    Reload,
}

/// The data of the answer to `health`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Whether all collectors that are on work and nothing was dropped since the start.
    pub healthy: bool,
    #[serde(default)]
    pub collector_errors: BTreeMap<String, String>,
    pub journal: JournalHealth,
    pub clock_offset_ms: Option<i64>,
}

/// The data of the answer to `status`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub agent_version: String,
    pub agent_uptime_s: i64,
    /// When the journal was made, milliseconds since the Unix epoch.
    pub epoch: i64,
    pub configuration_version: i64,
    pub channels: BTreeMap<Channel, ChannelProgress>,
    pub journal: JournalHealth,
    /// How many files of logs are followed.
    pub log_files: i64,
    pub live_telemetry: bool,
    pub live_logs: bool,
}

/// The data of the answer to `processes`: all of them, by pid.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessList {
    pub at: i64,
    pub processes: Vec<Process>,
    /// How many were left out because the list would not fit in a message.
    #[serde(default, skip_serializing_if = "is_default")]
    pub left_out: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Reply {
    Accepted {
        #[serde(default, skip_serializing_if = "is_default")]
        data: Option<Value>,
    },
    Refused {
        reason: String,
    },
}

impl Reply {
    /// Accepted, with nothing to tell.
    pub const DONE: Self = Self::Accepted { data: None };

    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into() }
    }

    pub fn with<T: Serialize>(data: &T) -> Self {
        match serde_json::to_value(data) {
            Ok(data) => Self::Accepted { data: Some(data) },
            Err(error) => Self::refused(error.to_string()),
        }
    }

    /// The data of the answer, or why there is none.
    pub fn data<T: DeserializeOwned>(self) -> Result<T, String> {
        match self {
            Self::Accepted { data } => {
                serde_json::from_value(data.unwrap_or_default()).map_err(|error| error.to_string())
            }
            Self::Refused { reason } => Err(reason),
        }
    }
}

impl LiveRequest {
    /// The reason why an agent refuses the request, if it does.
    pub fn refusal(&self) -> Option<String> {
        if !LIVE_INTERVAL_MS.contains(&self.interval_ms) {
            let (from, to) = (LIVE_INTERVAL_MS.start(), LIVE_INTERVAL_MS.end());
            return Some(format!("interval_ms is {}, allowed: {from} to {to}", self.interval_ms));
        }
        if !(0..=LIVE_LEASE_MS_MAX).contains(&self.lease_ms) {
            return Some(format!(
                "lease_ms is {}, allowed: 0 to {LIVE_LEASE_MS_MAX}",
                self.lease_ms
            ));
        }
        None
    }
}

impl ResendRequest {
    /// The reason why an agent refuses the request, if it does.
    pub fn refusal(&self) -> Option<String> {
        let Self { from, to, attempt, .. } = self;
        if *from < 1 || to < from {
            return Some(format!("from is {from} and to is {to}, allowed: 1 <= from <= to"));
        }
        if to - from >= RESEND_MAX {
            return Some(format!("{from} to {to} are more than {RESEND_MAX} messages"));
        }
        (*attempt == 0).then(|| "attempt is 0, allowed: 1 or more".into())
    }
}
