//! `stack.json`: where everything is, for tests, scripts and people. Written anew whenever a part
//! gets another pid, and removed when the stack stops.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::files;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackJson {
    pub gateway_url: String,
    pub nats_url: String,
    /// A NATS credentials file, where the bus asks for one.
    pub nats_credentials: Option<String>,
    pub postgres_url: String,
    pub admin: Admin,
    /// The agent's host, or null when no agent runs here.
    pub host_id: Option<String>,
    pub pids: Pids,
}

/// The first administrator. The password is the one given at the first start; whoever changed it
/// since knows better.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admin {
    pub username: String,
    pub password: String,
}

/// Process ids by part. A part that is not there, or is being restarted, has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pids {
    pub nats: Option<u32>,
    pub postgres: Option<u32>,
    pub ingest_worker: Vec<u32>,
    pub alert_worker: Vec<u32>,
    pub gateway: Vec<u32>,
    pub agent: Vec<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub simulation: Vec<u32>,
}

impl Pids {
    /// Adds the pid of a part such as `ingest-worker-2`. A part of another kind is left out.
    pub fn add(&mut self, part: &str, pid: u32) {
        match kind(part) {
            "nats" => self.nats = Some(pid),
            "postgres" => self.postgres = Some(pid),
            "ingest-worker" => self.ingest_worker.push(pid),
            "alert-worker" => self.alert_worker.push(pid),
            "gateway" => self.gateway.push(pid),
            "agent" => self.agent.push(pid),
            "simulation" => self.simulation.push(pid),
            _ => {}
        }
    }
}

/// `ingest-worker` of `ingest-worker-2`.
pub fn kind(part: &str) -> &str {
    match part.rsplit_once('-') {
        Some((kind, number)) if number.chars().all(|c| c.is_ascii_digit()) => kind,
        _ => part,
    }
}

impl StackJson {
    pub fn write(&self, path: &Path) -> Result<()> {
        files::write_json(path, self)
    }

    /// `None` if nothing was started there.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        files::read_json(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::os::unix::fs::PermissionsExt;

    fn example() -> StackJson {
        let mut pids = Pids::default();
        let parts = ["nats", "postgres", "ingest-worker-1", "alert-worker-1", "gateway", "agent"];
        for (pid, part) in (1..).zip(parts) {
            pids.add(part, pid);
        }
        StackJson {
            gateway_url: "http://127.0.0.1:3000".into(),
            nats_url: "nats://127.0.0.1:4222".into(),
            nats_credentials: None,
            postgres_url: "postgres://muster:x@127.0.0.1:5432/muster".into(),
            admin: Admin { username: "admin".into(), password: "secret".into() },
            host_id: Some("web-3".into()),
            pids,
        }
    }

    #[test]
    fn it_has_the_documented_shape() {
        let expected = json!({
            "gateway_url": "http://127.0.0.1:3000", "nats_url": "nats://127.0.0.1:4222",
            "nats_credentials": null,
            "postgres_url": "postgres://muster:x@127.0.0.1:5432/muster",
            "admin": { "username": "admin", "password": "secret" }, "host_id": "web-3",
            "pids": { "nats": 1, "postgres": 2, "ingest-worker": [3], "alert-worker": [4],
                      "gateway": [5], "agent": [6] }
        });
        assert_eq!(serde_json::to_value(example()).unwrap(), expected);
    }

    #[test]
    fn only_its_owner_may_read_it_and_it_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stack.json");
        assert_eq!(StackJson::read(&path).unwrap(), None);
        example().write(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(StackJson::read(&path).unwrap(), Some(example()));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
