//! The central configuration: asked for on the bus, and kept on disk for a start without it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use async_nats::Client;
use async_nats::client::Request;
use muster_nats::{headers, subjects};
use muster_runtime::now_ms;
use muster_runtime::time::duration_ms;
use muster_schemas::HostId;
use muster_schemas::codec::{decode, encode};
use muster_schemas::configuration::{
    CentralConfiguration, ConfigurationAnswer, ConfigurationRequest,
};
use muster_schemas::control::Reply;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

/// A gateway answers from one query; the slowest line in two seconds more.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What the centre said, and how far apart the clocks are.
#[derive(Debug)]
pub struct Heard {
    pub answer: ConfigurationAnswer,
    /// This host's clock minus the centre's, in milliseconds.
    pub clock_offset_ms: i64,
}

/// Asks any gateway; waits no longer than `patience`, nor than [`ANSWER_TIMEOUT`].
pub async fn ask(
    bus: &Client,
    host: &HostId,
    request: &ConfigurationRequest,
    patience: Duration,
) -> Result<Heard> {
    let patience = patience.min(ANSWER_TIMEOUT);
    let subject = subjects::agents(host, "config");
    let request = Request::new()
        .headers(headers::msgpack())
        .payload(encode(request).into())
        .timeout(Some(patience));
    let (began, asked_at) = (Instant::now(), now_ms());
    // The client waits without a limit of its own while its queue is full.
    let message = timeout(patience * 2, bus.send_request(subject, request))
        .await
        .context("no gateway answered in time")?
        .context("no gateway answers")?;
    let round_trip_ms = duration_ms(began.elapsed());
    let content_type = headers::content_type(message.headers.as_ref())?;
    let reply: Reply = decode(content_type, &message.payload)?;
    let answer: ConfigurationAnswer =
        reply.data().map_err(|reason| anyhow!("the gateway refused: {reason}"))?;
    let clock_offset_ms = asked_at + round_trip_ms / 2 - answer.at;
    Ok(Heard { answer, clock_offset_ms })
}

/// The last good configuration, on disk.
#[derive(Debug, Clone)]
pub struct LastGood {
    path: PathBuf,
    host: HostId,
}

/// What is in the file. Numbers of configurations mean nothing to another host: one that came here
/// with a cloned image would be taken for this host's.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// Absent in files of before.
    #[serde(default)]
    host: Option<HostId>,
    #[serde(flatten)]
    configuration: CentralConfiguration,
}

impl LastGood {
    pub fn new(state_dir: &Path, host: HostId) -> Self {
        Self { path: state_dir.join("central.json"), host }
    }

    /// `None` where there is none of this host.
    pub fn load(&self) -> Result<Option<CentralConfiguration>> {
        let text = match fs::read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("cannot read {}", self.path.display()))?,
        };
        let kept: Kept = serde_json::from_slice(&text)
            .with_context(|| format!("{} is damaged", self.path.display()))?;
        let is_ours = kept.host.is_none_or(|host| host == self.host);
        Ok(is_ours.then_some(kept.configuration))
    }

    /// In one step: a kill in between leaves the one before.
    pub fn store(&self, configuration: &CentralConfiguration) -> Result<()> {
        let kept = Kept { host: Some(self.host.clone()), configuration: configuration.clone() };
        let write = || -> io::Result<()> {
            let temporary = self.path.with_extension("json.new");
            let mut file = File::create(&temporary)?;
            file.write_all(&serde_json::to_vec_pretty(&kept)?)?;
            file.sync_all()?;
            fs::rename(temporary, &self.path)
        };
        write().with_context(|| format!("cannot write {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_good_configuration_is_found_again_and_damage_is_named() {
        let directory = tempfile::TempDir::new().unwrap();
        let of = |host: &str| LastGood::new(directory.path(), host.parse().unwrap());
        let last_good = of("web-3");
        assert_eq!(last_good.load().unwrap(), None);
        let configuration = CentralConfiguration { version: 4, ..Default::default() };
        last_good.store(&configuration).unwrap();
        assert_eq!(last_good.load().unwrap(), Some(configuration.clone()));
        assert_eq!(of("web-4").load().unwrap(), None, "it came with a cloned image");
        fs::write(directory.path().join("central.json"), b"{\"version\":4}").unwrap();
        assert_eq!(of("web-4").load().unwrap(), Some(configuration), "a file of before");
        fs::write(directory.path().join("central.json"), b"{\"ver").unwrap();
        let said = format!("{:#}", last_good.load().unwrap_err());
        assert!(said.contains("central.json is damaged"), "{said}");
    }
}
