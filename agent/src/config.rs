//! What an operator can set: `MUSTER_AGENT_<KEY>` or `/etc/muster/agent.toml`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use muster_runtime::config::{Problem, check_nats_url, number, within};
use muster_schemas::HostId;
use muster_schemas::telemetry::SAMPLES_PER_FRAME_MAX;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Empty: made of the machine's hostname.
    pub host_id: String,
    pub nats_url: String,
    pub nats_credentials: Option<PathBuf>,
    pub state_dir: PathBuf,
    #[serde(with = "humantime_serde")]
    pub sample_interval: Duration,
    #[serde(with = "humantime_serde")]
    pub publish_interval: Duration,
    #[serde(with = "humantime_serde")]
    pub heartbeat_interval: Duration,
    /// What the journal may take on disk; the oldest is dropped first.
    #[serde(deserialize_with = "number")]
    pub journal_bytes_max: u64,
    /// How long an acknowledged message is kept for repairs: longer than the broker takes to
    /// write to disk what it has acknowledged (2 minutes by default).
    #[serde(with = "humantime_serde")]
    pub retain_after_ack: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host_id: String::new(),
            nats_url: "nats://127.0.0.1:4222".into(),
            nats_credentials: None,
            state_dir: "/var/lib/muster-agent".into(),
            sample_interval: Duration::from_secs(5),
            publish_interval: Duration::from_secs(15),
            heartbeat_interval: Duration::from_secs(30),
            // A frame of 3 samples is about 5 kB: nine days of outage.
            journal_bytes_max: 256 * 1024 * 1024,
            retain_after_ack: Duration::from_secs(600),
        }
    }
}

impl muster_runtime::Config for Config {
    const SERVICE: &'static str = "agent";

    fn check(&self) -> Result<(), Problem> {
        const HOUR: Duration = Duration::from_secs(3600);
        const SECOND: Duration = Duration::from_secs(1);
        if !self.host_id.is_empty() && self.host_id.parse::<HostId>().is_err() {
            return Err(Problem::new("host_id", "[a-z0-9][a-z0-9-]{0,62}, or empty"));
        }
        check_nats_url(&self.nats_url)?;
        within("sample_interval", self.sample_interval, SECOND..=HOUR)?;
        let longest = HOUR.min(self.sample_interval * SAMPLES_PER_FRAME_MAX as u32);
        within("publish_interval", self.publish_interval, self.sample_interval..=longest)?;
        within("heartbeat_interval", self.heartbeat_interval, SECOND..=24 * HOUR)?;
        within("journal_bytes_max", self.journal_bytes_max, 1 << 20..=1 << 40)?;
        within("retain_after_ack", self.retain_after_ack, Duration::ZERO..=24 * HOUR)
    }
}

impl Config {
    /// The configured id, or one made of the machine's name.
    pub fn host_id(&self) -> Result<HostId> {
        if !self.host_id.is_empty() {
            return Ok(self.host_id.parse()?);
        }
        let name = hostname::get().context("the machine's name cannot be read")?;
        let name = name.to_string_lossy();
        HostId::from_hostname(&name).with_context(|| {
            format!("no host id can be made of the hostname {name:?}: set MUSTER_AGENT_HOST_ID")
        })
    }
}
