//! `events.<host>.<kind>`: what the system decided.

use serde::{Deserialize, Serialize};

use crate::control::LossCause;
use crate::ids::{Channel, HostId};

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
    /// Messages the host has sent are not here, and are asked for.
    Gap {
        channel: Channel,
        epoch: i64,
        /// The first and the last missing sequence number.
        from: i64,
        to: i64,
        /// How many are missing; between the two some may be here.
        messages: i64,
    },
    /// What was missing is here.
    GapRepaired {
        channel: Channel,
        epoch: i64,
        from: i64,
        to: i64,
        messages: i64,
        /// How often it was asked for.
        attempts: i64,
    },
    /// What was missing will never come.
    GapLost {
        channel: Channel,
        epoch: i64,
        from: i64,
        to: i64,
        messages: i64,
        cause: LossCause,
    },
    /// Somebody had dead letters of the host published again.
    DeadLettersRetried(DeadLettersDone),
    /// Somebody threw dead letters of the host away.
    DeadLettersDiscarded(DeadLettersDone),
    /// A breach has lasted for as long as its rule says, and is a ticket now.
    AlertOpened(AlertTold),
    /// Something people see of a ticket is another: its priority, whether it is acknowledged, ...
    AlertChanged(AlertTold),
    AlertResolved(AlertTold),
}

/// The host under which tickets about groups of hosts are told, which are no single host's.
pub const FLEET: &str = "fleet";

/// A ticket, as far as somebody who hears of it needs it at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertTold {
    pub id: i64,
    /// `<rule>/<host>/<instance>/<begun_at>`.
    pub key: String,
    pub title: String,
    /// `low` to `critical`.
    pub priority: String,
    /// `open`, `acknowledged`, `resolved`.
    pub status: String,
}

/// Who did it, and to which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLettersDone {
    /// The user's name.
    pub by: String,
    /// Their numbers in the dead-letter stream.
    pub letters: Vec<u64>,
}

impl EventKind {
    /// The last token of the subject.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Online { .. } => "online",
            Self::Offline { .. } => "offline",
            Self::Gap { .. } => "gap",
            Self::GapRepaired { .. } => "gap_repaired",
            Self::GapLost { .. } => "gap_lost",
            Self::DeadLettersRetried(_) => "dead_letters_retried",
            Self::DeadLettersDiscarded(_) => "dead_letters_discarded",
            Self::AlertOpened(_) => "alert_opened",
            Self::AlertChanged(_) => "alert_changed",
            Self::AlertResolved(_) => "alert_resolved",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_an_event_is_named_alike_in_its_body_and_on_its_subject() {
        let done = DeadLettersDone { by: "ann".into(), letters: vec![3, 4] };
        let told = AlertTold {
            id: 7,
            key: "1/web-3//0".into(),
            title: "CPU".into(),
            priority: "high".into(),
            status: "open".into(),
        };
        for kind in [
            EventKind::Online { away_ms: None },
            EventKind::Offline { last_heartbeat_at: 1, interval_ms: 2 },
            EventKind::DeadLettersRetried(done.clone()),
            EventKind::DeadLettersDiscarded(done),
            EventKind::AlertOpened(told.clone()),
            EventKind::AlertChanged(told.clone()),
            EventKind::AlertResolved(told),
        ] {
            assert_eq!(serde_json::to_value(&kind).unwrap()["kind"], kind.as_str());
        }
    }
}
