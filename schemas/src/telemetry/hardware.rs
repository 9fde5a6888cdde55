//! What some hosts have: sensors, fans, batteries, graphics processors, disks that tell of
//! themselves.

use serde::{Deserialize, Serialize};

use crate::is_default;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sensor {
    pub name: String,
    pub celsius: f32,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fan {
    pub name: String,
    /// Revolutions a minute.
    pub rpm: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Battery {
    pub name: String,
    /// 0 to 100.
    pub charge_percent: f32,
    pub state: BatteryState,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatteryState {
    #[default]
    Unknown,
    Charging,
    Discharging,
    Full,
    NotCharging,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Gpu {
    /// `0`, `1`, ... in the driver's order, or the card's (`card0`).
    pub id: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub utilisation_percent: Option<f32>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub memory_used_bytes: Option<i64>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub memory_total_bytes: Option<i64>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub celsius: Option<f32>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub power_watts: Option<f32>,
}

/// What a disk says of itself (SMART, `NVMe` health).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SmartDisk {
    pub device: String,
    pub model: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub serial: String,
    /// Whether the disk passes its own overall assessment.
    pub passed: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub celsius: Option<f32>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub power_on_hours: Option<i64>,
    /// Sectors that had to be replaced, or the media errors of an `NVMe` disk.
    #[serde(default, skip_serializing_if = "is_default")]
    pub bad_sectors: Option<i64>,
    /// Share of the rated endurance that is used up; may exceed 100.
    #[serde(default, skip_serializing_if = "is_default")]
    pub wear_percent: Option<f32>,
}
