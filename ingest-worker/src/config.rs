//! What an operator can set: `MUSTER_INGEST_WORKER_<KEY>` or `/etc/muster/ingest-worker.toml`.

use std::path::PathBuf;
use std::time::Duration;

use muster_runtime::config::{Problem, check_listen, check_nats_url, number, within};
use muster_runtime::database;
use serde::{Deserialize, Serialize};

const DAY: Duration = Duration::from_secs(86_400);

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
    /// How long the broker waits before it gives a message to another worker; while one works on
    /// it, the broker is told so. The same for all workers.
    #[serde(with = "humantime_serde")]
    pub ack_wait: Duration,
    /// When what is taken from the stream had waited there for longer, what is fresh is stored
    /// beside it, ahead of its turn.
    #[serde(with = "humantime_serde")]
    pub fresh_after: Duration,
    /// Older samples go to the dead-letter stream, even where retention would keep them.
    #[serde(with = "humantime_serde")]
    pub late_max: Duration,
    /// Older log lines are left out, and the others of their message are stored; the same.
    #[serde(with = "humantime_serde")]
    pub late_lines_max: Duration,
    /// How long a gap may close by itself before its host is asked to send again.
    #[serde(with = "humantime_serde")]
    pub repair_after: Duration,
    /// How often what is older than it is kept is removed. A change of the rules is heeded within
    /// a minute.
    #[serde(with = "humantime_serde")]
    pub retention_every: Duration,
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
            // A worker that was killed costs its messages half a minute.
            ack_wait: Duration::from_secs(30),
            // A restart of a worker or of the database is made up for in less.
            fresh_after: Duration::from_secs(15),
            // As long as the broker waits before it hands out again what a worker died with.
            repair_after: Duration::from_secs(30),
            // Retention decides; this is for who wants to refuse more.
            late_max: 3650 * DAY,
            late_lines_max: 3650 * DAY,
            // Days are dropped whole, so that once a day would nearly do.
            retention_every: Duration::from_secs(3600),
        }
    }
}

impl muster_runtime::Config for Config {
    const SERVICE: &'static str = "ingest-worker";

    fn check(&self) -> Result<(), Problem> {
        check_nats_url(&self.nats_url)?;
        check_listen(&self.listen)?;
        database::check_url(&self.postgres_url)?;
        within("nats_replicas", self.nats_replicas, 1..=5)?;
        within("batch_messages", self.batch_messages, 1..=20_000)?;
        within("batch_bytes", self.batch_bytes, 1 << 10..=1 << 28)?;
        within("batch_wait", self.batch_wait, Duration::ZERO..=Duration::from_secs(10))?;
        within("ack_wait", self.ack_wait, Duration::from_secs(1)..=Duration::from_secs(600))?;
        within("fresh_after", self.fresh_after, Duration::from_millis(100)..=DAY)?;
        within("late_max", self.late_max, DAY..=3650 * DAY)?;
        within("late_lines_max", self.late_lines_max, DAY..=3650 * DAY)?;
        within("repair_after", self.repair_after, Duration::from_millis(100)..=DAY)?;
        within("retention_every", self.retention_every, Duration::from_secs(1)..=DAY)
    }
}
