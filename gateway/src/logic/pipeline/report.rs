//! The page as it is sent. Times are milliseconds since the Unix epoch.

use std::collections::BTreeMap;

use muster_schemas::workers::{ChannelWork, Trouble};
use serde::Serialize;
use utoipa::ToSchema;

/// The stages in the order of the river.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Pipeline {
    pub at: i64,
    pub state: StageState,
    /// `agents`, `broker`, `workers` or `database`; null where nothing is held.
    pub held_at: Option<&'static str>,
    pub sentence: String,
    pub agents: Agents,
    pub broker: Broker,
    pub workers: Workers,
    pub database: Database,
    pub ledger: Ledger,
    pub dead_letters: DeadLetters,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageState {
    Ok,
    Held,
    Down,
}

/// What each stage begins with.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Verdict {
    pub state: StageState,
    pub sentence: String,
    /// How many seconds it can hold what comes, if nothing leaves it; null where that is not known.
    pub can_hold_s: Option<i64>,
    /// When the figures were read; older than `at` where the stage cannot be asked.
    pub as_of: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Agents {
    #[serde(flatten)]
    pub verdict: Verdict,
    pub hosts: i64,
    pub hosts_with_backlog: i64,
    /// Messages in all journals that wait for the broker, as the newest heartbeats tell.
    pub waiting: i64,
    /// Bytes of all journals, with what is kept of acknowledged messages.
    pub bytes: i64,
    /// Messages that were dropped for want of room, ever.
    pub dropped: i64,
    pub fullest: Option<Fullest>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Fullest {
    pub host: String,
    pub waiting: i64,
    pub bytes: i64,
    pub bytes_max: i64,
    pub full_percent: f64,
    pub fill_bytes_per_s: Option<f64>,
    pub can_hold_s: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Broker {
    #[serde(flatten)]
    pub verdict: Verdict,
    pub streams: Vec<StreamReport>,
    pub consumers: Vec<Consumer>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct StreamReport {
    pub name: &'static str,
    pub messages: u64,
    pub bytes: u64,
    pub bytes_max: u64,
    pub age_s_max: i64,
    pub oldest_at: Option<i64>,
    pub inflow_bytes_per_s: Option<f64>,
    /// Until a message that nobody has taken would be dropped; null for streams nobody consumes.
    pub can_hold_s: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Consumer {
    pub name: &'static str,
    pub stream: &'static str,
    pub pending: u64,
    pub ack_pending: u64,
    pub redelivered: u64,
    /// Requests of workers that wait for messages.
    pub waiting_requests: u64,
    /// Age of the oldest message that is not acknowledged.
    pub lag_s: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Workers {
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Age of the oldest message that is not stored.
    pub lag_s: f64,
    /// Messages that are not stored.
    pub waiting: u64,
    pub items: Vec<Worker>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Worker {
    pub id: String,
    /// `ingest-worker` or `alert-worker`.
    pub kind: String,
    pub hostname: String,
    pub pid: i64,
    pub version: String,
    pub started_at: i64,
    pub seen_at: i64,
    /// Not heard for half a minute.
    pub gone: bool,
    #[schema(value_type = Option<Object>)]
    pub held: Option<Trouble>,
    #[schema(value_type = Object)]
    pub channels: BTreeMap<String, ChannelWork>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Database {
    #[serde(flatten)]
    pub verdict: Verdict,
    pub version: String,
    /// `plain` or `timescale`.
    pub engine: String,
    pub connections: i64,
    pub connections_max: i64,
    /// From this gateway's question to the answer.
    pub answer_ms: f64,
    /// The slowest channel of all workers, over the last minute.
    pub commit_ms_p99: Option<f64>,
    pub oldest_transaction_s: f64,
    pub size_bytes: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Ledger {
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Hosts and gaps of what is missing and may still come.
    pub hosts_with_gaps: i64,
    pub gaps: i64,
    /// Messages that are missing and may still come.
    pub missing: i64,
    /// Messages that will never come: nobody has them any more.
    pub lost: i64,
    /// Messages agents had to drop before anybody had them. They are missing, and lost as soon as
    /// they were asked for.
    pub dropped: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DeadLetters {
    #[serde(flatten)]
    pub verdict: Verdict,
    pub count: u64,
    pub bytes: u64,
    pub oldest_at: Option<i64>,
}
