//! `signals.<host>.<kind>`: a host's sign of life.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::envelope::{Durable, Rejection};
use crate::ids::Channel;

/// The longest heartbeat interval a host may announce: a day. More is a mistake that would make
/// an offline host go unnoticed.
pub const HEARTBEAT_INTERVAL_MS_MAX: i64 = 24 * 3600 * 1000;

/// The longest agent version, in bytes.
const VERSION_BYTES_MAX: usize = 64;

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

    fn check(&self, _now_ms: i64) -> Result<(), Rejection> {
        let version = &self.agent_version;
        if version.len() > VERSION_BYTES_MAX || version.contains('\0') {
            let expected = format!("text of at most {VERSION_BYTES_MAX} bytes without NUL");
            return Err(Rejection::bad_value("body.agent_version", version, expected));
        }
        if !(1..=HEARTBEAT_INTERVAL_MS_MAX).contains(&self.interval_ms) {
            let expected = format!("1 to {HEARTBEAT_INTERVAL_MS_MAX}");
            return Err(Rejection::bad_value("body.interval_ms", self.interval_ms, expected));
        }
        for (channel, progress) in &self.channels {
            let in_range = (0..i64::MAX).contains(&progress.acked) && progress.dropped >= 0;
            if !in_range {
                let field = format!("body.channels.{channel}");
                return Err(Rejection::bad_value(field, format!("{progress:?}"), "0 or more"));
            }
        }
        Ok(())
    }
}
