//! `telemetry.<host>`: frames of 1..n samples of one host's resources.
//!
//! Units are in the names. Percentages, loads and temperatures are in 1/64 steps, byte rates in
//! whole bytes per second (see [`crate::numbers`]). What a host does not have is left out.

mod check;
mod hardware;
mod resources;

use serde::{Deserialize, Serialize};

use crate::envelope::{Durable, Rejection};
use crate::ids::{Channel, Kind};
use crate::is_default;
use check::Path;
pub(crate) use check::check_context;
pub use hardware::{Battery, BatteryState, Fan, Gpu, Sensor, SmartDisk};
pub use resources::{
    Container, Cpu, CpuModes, CustomMetric, Disk, DiskTimes, FileDescriptors, Filesystem, Inodes,
    Load, Memory, MemoryDetail, Network, Pressure, Process, ProcessStates, Processes, Services,
    Sockets, SwapRates, TcpStates,
};

/// Samples further ahead of the judge's clock than this are refused: a wrong clock must be seen,
/// not stored.
pub const FUTURE_MS_MAX: i64 = 5 * 60 * 1000;

/// The earliest time a sample may carry, 2020-01-01: a clock that was never set says 1970.
pub const SAMPLE_AT_MS_MIN: i64 = 1_577_836_800_000;

/// The most samples in one frame: an hour at 5 s; agents send 3.
pub const SAMPLES_PER_FRAME_MAX: usize = 720;

/// The most instances (filesystems, disks, interfaces, cores, ...) a sample may list of one kind.
/// Large container hosts have some hundred interfaces and 512 cores exist.
pub const INSTANCES_MAX: usize = 1024;

/// The longest name of an instance, in bytes: `PATH_MAX` on Linux.
pub const NAME_BYTES_MAX: usize = 4096;

/// The longest text that goes into an index of the database, in bytes; of what is sampled that is
/// the name of a custom metric. The database takes no entry of more than 2.7 kB, and an insert that
/// fails for it fails each time. Agents send at most 256.
pub const INDEXED_BYTES_MAX: usize = 1024;

/// The most bytes of anything, in all or a second: eight petabytes, and what a browser's numbers
/// hold exactly. The sum of a sample's [`INSTANCES_MAX`] of them still is a number of the database.
pub const BYTES_MAX: i64 = (1 << 53) - 1;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TelemetryFrame {
    /// Oldest first, at least one.
    pub samples: Vec<Sample>,
}

/// One look at a host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Milliseconds since the Unix epoch, UTC, by the host's clock.
    pub at: i64,
    pub uptime_s: i64,
    pub cpu: Cpu,
    pub load: Load,
    pub memory: Memory,
    /// Shares of the time in which tasks waited for a resource, where the kernel measures it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pressure: Option<Pressure>,
    #[serde(default)]
    pub filesystems: Vec<Filesystem>,
    #[serde(default)]
    pub disks: Vec<Disk>,
    #[serde(default)]
    pub networks: Vec<Network>,
    /// Established TCP connections, IPv4 and IPv6.
    pub tcp_connections: i64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub sockets: Option<Sockets>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub file_descriptors: Option<FileDescriptors>,
    pub processes: Processes,
    /// Temperatures.
    #[serde(default)]
    pub sensors: Vec<Sensor>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub fans: Vec<Fan>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub batteries: Vec<Battery>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub gpus: Vec<Gpu>,
    /// Only in samples before which the disks were asked: they need not be woken every few seconds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub smart_disks: Vec<SmartDisk>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub containers: Vec<Container>,
    /// Units of the service manager, where there is one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub services: Option<Services>,
    /// From scripts and from Prometheus endpoints on the host itself.
    #[serde(default, skip_serializing_if = "is_default")]
    pub custom: Vec<CustomMetric>,
}

impl Sample {
    /// What is always written is known only where its collector has said it: one that is off, has
    /// failed or hangs leaves zeros, which are no values. So for load, memory and the counts below.
    pub fn known_cpu(&self) -> Option<&Cpu> {
        Some(&self.cpu).filter(|cpu| !cpu.cores_percent.is_empty())
    }

    /// It comes with the processor's.
    pub fn known_load(&self) -> Option<&Load> {
        self.known_cpu().map(|_| &self.load)
    }

    pub fn known_memory(&self) -> Option<&Memory> {
        Some(&self.memory).filter(|memory| memory.total_bytes > 0)
    }

    pub fn known_processes_total(&self) -> Option<i64> {
        Some(self.processes.total).filter(|total| *total > 0)
    }

    pub fn known_tcp_connections(&self) -> Option<i64> {
        Some(self.tcp_connections).filter(|count| *count > 0 || self.sockets.is_some())
    }

    /// The filesystem with the largest used share.
    pub fn fullest_filesystem(&self) -> Option<&Filesystem> {
        self.filesystems.iter().max_by(|a, b| a.used_percent().total_cmp(&b.used_percent()))
    }

    pub fn temperature_max_celsius(&self) -> Option<f32> {
        self.sensors.iter().map(|sensor| sensor.celsius).max_by(f32::total_cmp)
    }

    /// Read and written, over all disks.
    pub fn disk_bytes_per_s(&self) -> Option<(i64, i64)> {
        let disks = self.disks.iter().map(|d| (d.read_bytes_per_s, d.write_bytes_per_s));
        (!self.disks.is_empty()).then(|| sum_pairs(disks))
    }

    /// Received and sent, over all interfaces but the loopback.
    pub fn network_bytes_per_s(&self) -> Option<(i64, i64)> {
        let networks = self.outward_networks().map(|n| (n.rx_bytes_per_s, n.tx_bytes_per_s));
        (!self.networks.is_empty()).then(|| sum_pairs(networks))
    }

    pub fn network_packets_per_s(&self) -> Option<(f32, f32)> {
        let sum = |(rx, tx), n: &Network| (rx + n.rx_packets_per_s, tx + n.tx_packets_per_s);
        (!self.networks.is_empty()).then(|| self.outward_networks().fold((0.0, 0.0), sum))
    }

    fn outward_networks(&self) -> impl Iterator<Item = &Network> {
        self.networks.iter().filter(|network| network.interface != "lo")
    }
}

fn sum_pairs(pairs: impl Iterator<Item = (i64, i64)>) -> (i64, i64) {
    pairs.fold((0i64, 0i64), |(a, b), (x, y)| (a.saturating_add(x), b.saturating_add(y)))
}

impl Durable for TelemetryFrame {
    const CHANNEL: Channel = Channel::Telemetry;

    fn kind(&self) -> Kind {
        Kind::Telemetry
    }

    fn check(&self, now_ms: i64) -> Result<(), Rejection> {
        if !(1..=SAMPLES_PER_FRAME_MAX).contains(&self.samples.len()) {
            let expected = format!("1 to {SAMPLES_PER_FRAME_MAX} samples");
            return Err(Rejection::bad_value("body.samples", self.samples.len(), expected));
        }
        for (index, sample) in self.samples.iter().enumerate() {
            sample.check(now_ms, &Path::item_of("body.samples", index))?;
        }
        Ok(())
    }
}
