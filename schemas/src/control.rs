//! `control.<host>.<verb>`: requests to one agent, answered by it. Every refusal has a reason.

use serde::{Deserialize, Serialize};

/// How often a live view may ask for values, in milliseconds.
pub const LIVE_INTERVAL_MS: std::ops::RangeInclusive<i64> = 1_000..=3_600_000;

/// The longest lease: an agent stops by itself soon after the last viewer is gone, whatever
/// happened to the gateway.
pub const LIVE_LEASE_MS_MAX: i64 = 60_000;

/// `control.<host>.live`: publish on `live.<host>.telemetry` until the lease is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveRequest {
    /// Within [`LIVE_INTERVAL_MS`].
    pub interval_ms: i64,
    /// 0 stops at once.
    pub lease_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Reply {
    Accepted,
    Refused { reason: String },
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
