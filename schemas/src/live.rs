//! `live.<host>.telemetry`: on demand, at full rate, never stored.

use serde::{Deserialize, Serialize};

use crate::ids::HostId;
use crate::telemetry::Sample;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveSample {
    pub v: u32,
    pub host: HostId,
    pub sample: Sample,
}
