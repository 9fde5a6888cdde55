//! `inventory.<host>.<kind>`: what a host is, and how its agent is configured; on start and on
//! change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::configuration::AppliedConfiguration;
use crate::envelope::{Durable, Rejection};
use crate::ids::{Channel, Kind};
use crate::is_default;

/// The largest inventory, in bytes of its JSON text.
pub const INVENTORY_BYTES_MAX: usize = 256 * 1024;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    /// Milliseconds since the Unix epoch, UTC, when it was found to be so.
    pub at: i64,
    #[serde(flatten)]
    pub item: InventoryItem,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "detail", rename_all = "snake_case")]
pub enum InventoryItem {
    System(Box<SystemInfo>),
    Configuration(Box<AppliedConfiguration>),
}

/// What a host is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemInfo {
    pub hostname: String,
    /// As its maker names it: `Debian GNU/Linux 12 (bookworm)`.
    pub os: String,
    pub kernel: String,
    /// As the kernel names it: `x86_64`, `aarch64`.
    pub architecture: String,
    pub cpu_model: String,
    pub cores_physical: i64,
    pub cores_logical: i64,
    pub memory_bytes: i64,
    #[serde(default)]
    pub disks: Vec<DiskInfo>,
    #[serde(default)]
    pub interfaces: Vec<InterfaceInfo>,
    /// `kvm`, `vmware`, `docker`, ...; empty on bare metal.
    #[serde(default)]
    pub virtualisation: String,
    /// Milliseconds since the Unix epoch.
    pub booted_at: i64,
    pub agent_version: String,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Where it stands, as the operator put it.
    #[serde(default)]
    pub location: String,
    /// Who is signed in at a terminal or over ssh, each once, in alphabetical order.
    #[serde(default)]
    pub users: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskInfo {
    pub device: String,
    #[serde(default)]
    pub model: String,
    pub bytes: i64,
    /// Whether it spins.
    #[serde(default)]
    pub rotational: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceInfo {
    pub name: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub mac: String,
    /// With their prefix length: `192.0.2.7/24`.
    #[serde(default)]
    pub addresses: Vec<String>,
}

impl InventoryItem {
    pub fn kind(&self) -> Kind {
        match self {
            Self::System(_) => Kind::SystemInventory,
            Self::Configuration(_) => Kind::ConfigurationInventory,
        }
    }
}

impl Durable for Inventory {
    const CHANNEL: Channel = Channel::Inventory;

    fn kind(&self) -> Kind {
        self.item.kind()
    }

    fn check(&self, _now_ms: i64) -> Result<(), Rejection> {
        if self.at < 0 {
            return Err(Rejection::bad_value("body.at", self.at, "0 or more"));
        }
        let text = serde_json::to_string(&self.item).unwrap_or_default();
        if text.len() > INVENTORY_BYTES_MAX {
            let expected = format!("at most {INVENTORY_BYTES_MAX} bytes");
            return Err(Rejection::bad_value("body.detail", text.len(), expected));
        }
        // PostgreSQL's `jsonb` holds no NUL.
        if text.contains("\\u0000") {
            return Err(Rejection::bad_value("body.detail", "NUL", "text without NUL"));
        }
        Ok(())
    }
}
