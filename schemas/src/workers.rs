//! How a worker fares, as it writes it into its row of `workers` and the gateway shows it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkerState {
    pub channels: BTreeMap<String, ChannelWork>,
}

/// One channel of a worker. Counts are since it was started.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelWork {
    /// Over the last minute.
    pub messages_per_s: f64,
    pub rows_per_s: f64,
    pub messages: i64,
    pub rows: i64,
    /// Messages of the newest batch.
    pub batch_messages: i64,
    /// From the first statement to the commit, of the last minute; absent where there was none.
    pub commit_ms_p50: Option<f64>,
    pub commit_ms_p99: Option<f64>,
    /// Messages that the broker delivered more than once.
    pub redelivered: i64,
    /// Messages that were stored already.
    pub duplicates: i64,
    pub dead_letters: i64,
    /// How long the oldest message of the batch in hand, or of the last one, has waited since the
    /// broker stored it.
    pub lag_ms: i64,
    pub last_error: Option<Trouble>,
    /// Why nothing moves, and since when.
    pub held: Option<Trouble>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Milliseconds since the Unix epoch.
    pub at: i64,
    pub reason: String,
}

impl WorkerState {
    /// What holds it, the longest first.
    pub fn held(&self) -> Option<&Trouble> {
        self.channels.values().filter_map(|work| work.held.as_ref()).min_by_key(|held| held.at)
    }
}
