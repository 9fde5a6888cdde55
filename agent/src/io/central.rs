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
use tokio::time::timeout;

/// A gateway answers from one query; the slowest line in two seconds more.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What the centre said, and how far apart the clocks are.
#[derive(Debug)]
pub struct Heard {
    pub answer: ConfigurationAnswer,
    /// This host's clock minus the centre's, in milliseconds.
    pub clock_offset_ms: i64,
}

/// Asks any gateway.
pub async fn ask(bus: &Client, host: &HostId, request: &ConfigurationRequest) -> Result<Heard> {
    let subject = subjects::agents(host, "config");
    let request = Request::new()
        .headers(headers::msgpack())
        .payload(encode(request).into())
        .timeout(Some(ANSWER_TIMEOUT));
    let (began, asked_at) = (Instant::now(), now_ms());
    // The client waits without a limit of its own while its queue is full.
    let message = timeout(ANSWER_TIMEOUT * 2, bus.send_request(subject, request))
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
}

impl LastGood {
    pub fn new(state_dir: &Path) -> Self {
        Self { path: state_dir.join("central.json") }
    }

    /// `None` where there is none.
    pub fn load(&self) -> Result<Option<CentralConfiguration>> {
        let text = match fs::read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("cannot read {}", self.path.display()))?,
        };
        let configuration = serde_json::from_slice(&text)
            .with_context(|| format!("{} is damaged", self.path.display()))?;
        Ok(Some(configuration))
    }

    /// In one step: a kill in between leaves the one before.
    pub fn store(&self, configuration: &CentralConfiguration) -> Result<()> {
        let write = || -> io::Result<()> {
            let temporary = self.path.with_extension("json.new");
            let mut file = File::create(&temporary)?;
            file.write_all(&serde_json::to_vec_pretty(configuration)?)?;
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
        let last_good = LastGood::new(directory.path());
        assert_eq!(last_good.load().unwrap(), None);
        let configuration = CentralConfiguration { version: 4, ..Default::default() };
        last_good.store(&configuration).unwrap();
        assert_eq!(last_good.load().unwrap(), Some(configuration));
        fs::write(directory.path().join("central.json"), b"{\"ver").unwrap();
        let said = format!("{:#}", last_good.load().unwrap_err());
        assert!(said.contains("central.json is damaged"), "{said}");
    }
}
