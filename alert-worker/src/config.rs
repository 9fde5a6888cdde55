//! What an operator can set: `MUSTER_ALERT_WORKER_<KEY>` or `/etc/muster/alert-worker.toml`.

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
    /// 1 for a single broker, 3 in a cluster.
    #[serde(deserialize_with = "number")]
    pub nats_replicas: usize,
    pub postgres_url: String,
    /// Health and metrics.
    pub listen: String,
    /// Heartbeats that share one transaction.
    #[serde(deserialize_with = "number")]
    pub batch_messages_max: usize,
    /// How long a heartbeat may wait for others to share its transaction.
    #[serde(with = "humantime_serde")]
    pub batch_wait: Duration,
    /// Where the key of stored secrets is, unless `MUSTER_SECRET_KEY` is set; made where it is
    /// not there. The same for gateways and alert workers.
    pub secret_key_file: Option<PathBuf>,
    /// Certificates of authorities that receivers are believed by, beside the system's: PEM.
    pub certificates: Option<PathBuf>,
    /// Where people open the dashboard, such as `https://muster.example.org`: notifications link
    /// to tickets there. Without it they have no links.
    pub public_url: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            nats_url: "nats://127.0.0.1:4222".into(),
            nats_credentials: None,
            nats_replicas: 1,
            postgres_url: "postgres://muster@127.0.0.1:5432/muster".into(),
            listen: "127.0.0.1:9102".into(),
            // One statement of 1000 rows takes some 10 ms.
            batch_messages_max: 1000,
            batch_wait: Duration::from_millis(50),
            secret_key_file: None,
            certificates: None,
            public_url: None,
        }
    }
}

impl muster_runtime::Config for Config {
    const SERVICE: &'static str = "alert-worker";

    fn check(&self) -> Result<(), Problem> {
        check_nats_url(&self.nats_url)?;
        check_listen(&self.listen)?;
        database::check_url(&self.postgres_url)?;
        if let Some(url) = &self.public_url {
            check_public_url(url)?;
        }
        within("nats_replicas", self.nats_replicas, 1..=5)?;
        within("batch_messages_max", self.batch_messages_max, 1..=10_000)?;
        within("batch_wait", self.batch_wait, Duration::from_millis(1)..=Duration::from_secs(1))
    }
}

/// A link in a notification has to work where it is read, so it needs its scheme.
fn check_public_url(url: &str) -> Result<(), Problem> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let is_good = |rest: &str| !rest.is_empty() && !rest.contains([' ', '?', '#', '"', '<', '>']);
    if rest.is_some_and(is_good) {
        return Ok(());
    }
    Err(Problem::new("public_url", "such as https://muster.example.org"))
}
