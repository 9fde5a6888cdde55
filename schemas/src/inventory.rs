//! `inventory.<host>.<kind>`: what a host is, and how its agent is configured; on start and on
//! change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::codec::{ContentType, DecodeError, decode};
use crate::configuration::AppliedConfiguration;
use crate::envelope::{Durable, Envelope, Rejection, check_counts};
use crate::ids::{Channel, Kind};
use crate::is_default;
use crate::telemetry::{FUTURE_MS_MAX, SAMPLE_AT_MS_MIN};

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

/// An inventory of which the kind is known beforehand.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only the way in which it cannot be read is of interest")]
struct Of<T> {
    at: i64,
    kind: KindName,
    detail: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum KindName {
    System,
    Configuration,
}

impl Inventory {
    /// Decodes what came on a subject of this kind. What cannot be read is looked at once more as
    /// what it should be: the kind stands in the message itself, and until it is known no field
    /// has a name.
    pub fn decode(
        kind: Kind,
        content_type: ContentType,
        payload: &[u8],
    ) -> Result<Envelope<Self>, DecodeError> {
        decode(content_type, payload).map_err(|error| {
            let told = if kind == Kind::ConfigurationInventory {
                decode::<Envelope<Of<AppliedConfiguration>>>(content_type, payload).err()
            } else {
                decode::<Envelope<Of<SystemInfo>>>(content_type, payload).err()
            };
            told.unwrap_or(error)
        })
    }
}

impl SystemInfo {
    fn check(&self) -> Result<(), Rejection> {
        check_counts(&[
            ("body.detail.cores_physical", self.cores_physical),
            ("body.detail.cores_logical", self.cores_logical),
            ("body.detail.memory_bytes", self.memory_bytes),
            ("body.detail.booted_at", self.booted_at),
        ])?;
        let negative = self.disks.iter().position(|disk| disk.bytes < 0);
        negative.map_or(Ok(()), |index| {
            let field = format!("body.detail.disks[{index}].bytes");
            Err(Rejection::bad_value(field, self.disks[index].bytes, "0 or more"))
        })
    }
}

impl Durable for Inventory {
    const CHANNEL: Channel = Channel::Inventory;

    fn kind(&self) -> Kind {
        self.item.kind()
    }

    fn check(&self, now_ms: i64) -> Result<(), Rejection> {
        // The newest of a kind counts: one of the future would stay the newest for years.
        let latest = now_ms.saturating_add(FUTURE_MS_MAX);
        if !(SAMPLE_AT_MS_MIN..=latest).contains(&self.at) {
            let expected = format!("{SAMPLE_AT_MS_MIN} (2020) to {latest} (5 minutes from now)");
            return Err(Rejection::bad_value("body.at", self.at, expected));
        }
        if let InventoryItem::System(system) = &self.item {
            system.check()?;
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
