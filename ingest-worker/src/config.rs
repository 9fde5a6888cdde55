//! What an operator can set: `MUSTER_INGEST_WORKER_<KEY>` or `/etc/muster/ingest-worker.toml`.

use std::path::PathBuf;
use std::time::Duration;

use muster_runtime::config::{Problem, check_listen, check_nats_url, number, within};
use muster_runtime::database;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub nats_url: String,
    pub nats_credentials: Option<PathBuf>,
    /// Copies of each stream: 1 for a single broker, 3 in a cluster.
    #[serde(deserialize_with = "number")]
    pub nats_replicas: usize,
    pub postgres_url: String,
    /// Where health and metrics are served.
    pub listen: String,
    /// A batch is written when it has so many messages,
    #[serde(deserialize_with = "number")]
    pub batch_messages: usize,
    /// or so many bytes,
    #[serde(deserialize_with = "number")]
    pub batch_bytes: usize,
    /// or when its first message has waited so long.
    #[serde(with = "humantime_serde")]
    pub batch_wait: Duration,
    /// Older samples go to the dead-letter stream: raw data of that time is no longer kept.
    #[serde(with = "humantime_serde")]
    pub late_max: Duration,
    /// Older log lines are left out, and the others of their message are stored.
    #[serde(with = "humantime_serde")]
    pub late_lines_max: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            nats_url: "nats://127.0.0.1:4222".into(),
            nats_credentials: None,
            nats_replicas: 1,
            postgres_url: "postgres://muster@127.0.0.1/muster".into(),
            listen: "127.0.0.1:9101".into(),
            // 2000 frames are some 30,000 rows: a commit's fixed cost is spread thin, and a batch
            // that has to be done again is not much work.
            batch_messages: 2000,
            batch_bytes: 16 * 1024 * 1024,
            batch_wait: Duration::from_millis(200),
            late_max: Duration::from_secs(14 * 86_400),
            late_lines_max: Duration::from_secs(30 * 86_400),
        }
    }
}

impl muster_runtime::Config for Config {
    const SERVICE: &'static str = "ingest-worker";

    fn check(&self) -> Result<(), Problem> {
        const DAY: Duration = Duration::from_secs(86_400);
        check_nats_url(&self.nats_url)?;
        check_listen(&self.listen)?;
        database::check_url(&self.postgres_url)?;
        within("nats_replicas", self.nats_replicas, 1..=5)?;
        within("batch_messages", self.batch_messages, 1..=20_000)?;
        within("batch_bytes", self.batch_bytes, 1 << 10..=1 << 28)?;
        within("batch_wait", self.batch_wait, Duration::ZERO..=Duration::from_secs(10))?;
        within("late_max", self.late_max, DAY..=3650 * DAY)?;
        within("late_lines_max", self.late_lines_max, DAY..=3650 * DAY)
    }
}
