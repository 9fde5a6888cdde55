//! `events.<host>.<kind>`: what the system decided.

use serde::{Deserialize, Serialize};

use crate::ids::HostId;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub v: u32,
    pub host: HostId,
    /// Milliseconds since the Unix epoch, UTC: when what the event tells of happened.
    pub at: i64,
    #[serde(flatten)]
    pub kind: EventKind,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "detail", rename_all = "snake_case")]
pub enum EventKind {
    /// The host's first heartbeat, or the first after it was offline.
    Online {
        /// Milliseconds since its last heartbeat, where there was one.
        away_ms: Option<i64>,
    },
    /// More than two heartbeats in a row were missed.
    Offline {
        /// Milliseconds since the Unix epoch of the last heartbeat.
        last_heartbeat_at: i64,
        interval_ms: i64,
    },
}

impl EventKind {
    /// The last token of the subject.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Online { .. } => "online",
            Self::Offline { .. } => "offline",
        }
    }
}
