//! What an operator can set: `MUSTER_AGENT_<KEY>` or `/etc/muster/agent.toml`.
//!
//! What of it can also be set centrally is in `schemas::configuration::Settings`; `pinned` names
//! what the centre must leave alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use muster_runtime::config::{Problem, check_nats_url, list, number, table, within};
use muster_runtime::time::duration_ms;
use muster_schemas::HostId;
use muster_schemas::configuration::{COLLECTORS, Settings};
use muster_schemas::logs::Severity;
use muster_schemas::telemetry::SAMPLES_PER_FRAME_MAX;
use serde::{Deserialize, Serialize};

use crate::io::collect::host::Host;
use crate::io::from_logs::journald_by_default;
use crate::io::journal::last_owner;
use crate::io::system_info::hostname;
use crate::logic::host_facts::is_no_name;
use crate::logic::mask::Masks;
use crate::logic::settings::SETTING_NAMES;

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
    /// How fast the backlog of an outage is sent beside fresh data; 0 is as fast as possible.
    #[serde(deserialize_with = "number")]
    pub replay_bytes_per_s: u64,
    /// Which collectors are on, by name; those not named are, but for `journald` where a followed
    /// syslog file has the same lines.
    #[serde(deserialize_with = "table")]
    pub collectors: BTreeMap<String, bool>,
    #[serde(deserialize_with = "table")]
    pub labels: BTreeMap<String, String>,
    /// Where the host stands, in the operator's words.
    pub location: String,
    /// Files and globs to follow.
    #[serde(deserialize_with = "list")]
    pub log_paths: Vec<String>,
    /// Lines at least as bad as this are stored.
    pub log_severity: Severity,
    /// Of one source; what is more is counted and left out.
    #[serde(deserialize_with = "number")]
    pub log_lines_per_min: u32,
    #[serde(deserialize_with = "number")]
    pub log_bytes_per_min: u64,
    /// Programs that print `name value unit` lines.
    pub scripts_dir: PathBuf,
    /// Prometheus endpoints on this host.
    #[serde(deserialize_with = "list")]
    pub prometheus_urls: Vec<String>,
    /// Regular expressions of what must not leave the host in command lines.
    #[serde(deserialize_with = "list")]
    pub mask_arguments: Vec<String>,
    /// Where the host's root is mounted, for an agent in a container.
    pub host_root: PathBuf,
    /// Settings the centre must not change, by name: `sample_interval_ms`, `collectors.smart`.
    #[serde(deserialize_with = "list")]
    pub pinned: Vec<String>,
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
            // An hour's outage of telemetry in a third of a second, and no broker is flooded.
            replay_bytes_per_s: 8 * 1024 * 1024,
            collectors: BTreeMap::new(),
            labels: BTreeMap::new(),
            location: String::new(),
            log_paths: [
                "/var/log/*.log",
                "/var/log/syslog",
                "/var/log/messages",
                "/var/log/*/*.log",
            ]
            .map(String::from)
            .into(),
            log_severity: Severity::Warn,
            // Ten a second of one source, for long, is a flood nobody reads.
            log_lines_per_min: 600,
            log_bytes_per_min: 512 * 1024,
            scripts_dir: "/etc/muster/scripts.d".into(),
            prometheus_urls: Vec::new(),
            mask_arguments: Vec::new(),
            host_root: "/".into(),
            pinned: Vec::new(),
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
        within("heartbeat_interval", self.heartbeat_interval, SECOND..=HOUR)?;
        within("journal_bytes_max", self.journal_bytes_max, 1 << 20..=1 << 40)?;
        within("retain_after_ack", self.retain_after_ack, Duration::ZERO..=24 * HOUR)?;
        within("log_lines_per_min", self.log_lines_per_min, 1..=1_000_000)?;
        within("log_bytes_per_min", self.log_bytes_per_min, 1024..=1 << 30)?;
        self.check_names()
    }
}

impl Config {
    fn check_names(&self) -> Result<(), Problem> {
        if self.collectors.keys().any(|name| !COLLECTORS.contains(&name.as_str())) {
            return Err(Problem::new("collectors", COLLECTORS.join(", ")));
        }
        let known = |name: &String| match name.strip_prefix("collectors.") {
            Some(collector) => COLLECTORS.contains(&collector),
            None => SETTING_NAMES.contains(&name.as_str()),
        };
        if !self.pinned.iter().all(known) {
            let allowed = format!("{}, collectors.<name>", SETTING_NAMES.join(", "));
            return Err(Problem::new("pinned", allowed));
        }
        if !self.host_root.is_absolute() {
            return Err(Problem::new("host_root", "an absolute path"));
        }
        if self.log_paths.iter().any(|path| !path.starts_with('/')) {
            return Err(Problem::new("log_paths", "absolute paths"));
        }
        if Masks::new(&self.mask_arguments).is_err() {
            return Err(Problem::new("mask_arguments", "regular expressions"));
        }
        if self.settings().check().is_err() {
            return Err(Problem::new("labels", "at most 64, of 1 KiB each, without NUL"));
        }
        Ok(())
    }

    pub fn host(&self) -> Host {
        Host::new(&self.host_root)
    }

    pub fn journal_dir(&self) -> PathBuf {
        self.state_dir.join("journal")
    }

    /// The configured id, or one made of the machine's name.
    pub fn host_id(&self) -> Result<HostId> {
        if !self.host_id.is_empty() {
            return Ok(self.host_id.parse()?);
        }
        let host = self.host();
        let name = hostname(&host);
        let id = if is_no_name(&name) {
            host.machine_id().and_then(|machine| self.id_of_machine(&machine))
        } else {
            HostId::from_hostname(&name)
        };
        id.with_context(|| {
            format!("no host id can be made of the hostname {name:?}: set MUSTER_AGENT_HOST_ID")
        })
    }

    /// A machine that was started without its network has no name for a while: it is who it was.
    fn id_of_machine(&self, machine: &str) -> Option<HostId> {
        let made = || format!("host-{}", machine.get(..8)?).parse().ok();
        last_owner(&self.journal_dir(), machine).or_else(made)
    }

    /// What of it the centre may change; all of it is set.
    pub fn settings(&self) -> Settings {
        let on = |name: &&str| match self.collectors.get(*name) {
            Some(on) => *on,
            None => *name != "journald" || journald_by_default(&self.host(), &self.log_paths),
        };
        Settings {
            sample_interval_ms: Some(duration_ms(self.sample_interval)),
            publish_interval_ms: Some(duration_ms(self.publish_interval)),
            heartbeat_interval_ms: Some(duration_ms(self.heartbeat_interval)),
            log_paths: Some(self.log_paths.clone()),
            labels: Some(self.labels.clone()),
            location: Some(self.location.clone()),
            collectors: Some(COLLECTORS.iter().map(|name| ((*name).into(), on(name))).collect()),
            mask_arguments: Some(self.mask_arguments.clone()),
        }
    }

    pub fn pinned(&self) -> BTreeSet<String> {
        self.pinned.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const MACHINE: &str = "0123abcd0123abcd0123abcd0123abcd";

    #[test]
    fn a_machine_without_a_name_is_called_after_its_machine_id_or_asks_for_an_id() {
        let root = tempfile::TempDir::new().unwrap();
        let path = |file: &str| root.path().join("etc").join(file);
        fs::create_dir(root.path().join("etc")).unwrap();
        let state_dir = root.path().join("state");
        let host_root = root.path().to_path_buf();
        let config = Config { state_dir, host_root, ..Config::default() };
        fs::write(path("hostname"), "web-3\n").unwrap();
        assert_eq!(config.host_id().unwrap().as_str(), "web-3");
        fs::write(path("hostname"), "localhost.localdomain\n").unwrap();
        let refused = config.host_id().unwrap_err().to_string();
        assert!(refused.contains("set MUSTER_AGENT_HOST_ID"), "{refused}");
        fs::write(path("machine-id"), format!("{MACHINE}\n")).unwrap();
        assert_eq!(config.host_id().unwrap().as_str(), "host-0123abcd");
        fs::write(path("machine-id"), "uninitialized\n").unwrap();
        assert!(config.host_id().is_err());
    }
}
