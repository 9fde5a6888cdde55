//! What every host has: processor, memory, storage, network, processes and what runs in them.

use serde::{Deserialize, Serialize};

use crate::is_default;

/// Shares of the time since the previous sample.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cpu {
    /// 0 to 100, all cores together.
    pub usage_percent: f32,
    /// 0 to 100 each, in the kernel's order.
    pub cores_percent: Vec<f32>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub modes: Option<CpuModes>,
    /// The mean of all cores, where the kernel tells it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub frequency_mhz: Option<i64>,
}

/// What all cores together did, 0 to 100 each, 100 in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct CpuModes {
    /// Programs, those of low priority and guests of virtual machines included.
    pub user_percent: f32,
    /// The kernel, interrupts included.
    pub system_percent: f32,
    pub iowait_percent: f32,
    /// Taken by the hypervisor.
    pub steal_percent: f32,
    pub idle_percent: f32,
}

/// Runnable and uninterruptible tasks, averaged over 1, 5 and 15 minutes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Load {
    pub one: f32,
    pub five: f32,
    pub fifteen: f32,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    pub total_bytes: i64,
    /// Total minus available: what could not be had without swapping.
    pub used_bytes: i64,
    pub available_bytes: i64,
    pub swap_total_bytes: i64,
    pub swap_used_bytes: i64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub detail: Option<MemoryDetail>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub swap_rates: Option<SwapRates>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryDetail {
    pub free_bytes: i64,
    pub buffers_bytes: i64,
    /// The page cache and what the kernel could give back of its own (`SReclaimable`).
    pub cached_bytes: i64,
    pub dirty_bytes: i64,
    /// 0 where no huge pages are set aside.
    #[serde(default, skip_serializing_if = "is_default")]
    pub huge_pages_total_bytes: i64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub huge_pages_used_bytes: i64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwapRates {
    /// Read back from swap.
    pub in_bytes_per_s: i64,
    /// Written to swap.
    pub out_bytes_per_s: i64,
}

/// Pressure stall information: shares, 0 to 100, of the time since the previous sample in which
/// some or all (`full`) tasks waited. Source: the kernel's `Documentation/accounting/psi.rst`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Pressure {
    pub cpu_some_percent: f32,
    pub memory_some_percent: f32,
    pub memory_full_percent: f32,
    pub io_some_percent: f32,
    pub io_full_percent: f32,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Filesystem {
    pub mount: String,
    pub device: String,
    pub fs_type: String,
    pub total_bytes: i64,
    pub used_bytes: i64,
    /// What an unprivileged user can still write; total - used - reserved.
    pub available_bytes: i64,
    /// Absent where the filesystem makes them as needed (btrfs, vfat).
    #[serde(default, skip_serializing_if = "is_default")]
    pub inodes: Option<Inodes>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub read_only: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inodes {
    pub total: i64,
    pub used: i64,
}

impl Filesystem {
    /// Used of what an unprivileged user can have, in percent, as `df` prints it.
    pub fn used_percent(&self) -> f64 {
        let all = self.used_bytes.saturating_add(self.available_bytes);
        crate::numbers::percent_of(self.used_bytes, all)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Disk {
    pub device: String,
    pub read_bytes_per_s: i64,
    pub write_bytes_per_s: i64,
    pub reads_per_s: f32,
    pub writes_per_s: f32,
    #[serde(default, skip_serializing_if = "is_default")]
    pub times: Option<DiskTimes>,
}

/// As `iostat -x` has them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct DiskTimes {
    /// Mean time from request to completion of what was completed since the previous sample.
    pub read_await_ms: f32,
    pub write_await_ms: f32,
    /// Mean number of requests under way.
    pub queue_length: f32,
    /// Share of the time in which at least one request was under way, 0 to 100.
    pub utilisation_percent: f32,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Network {
    pub interface: String,
    pub rx_bytes_per_s: i64,
    pub tx_bytes_per_s: i64,
    pub rx_packets_per_s: f32,
    pub tx_packets_per_s: f32,
    pub rx_errors_per_s: f32,
    pub tx_errors_per_s: f32,
    #[serde(default, skip_serializing_if = "is_default")]
    pub rx_drops_per_s: f32,
    #[serde(default, skip_serializing_if = "is_default")]
    pub tx_drops_per_s: f32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sockets {
    pub udp: i64,
    /// In the state TIME-WAIT, which the kernel counts even where the states are not read.
    pub tcp_time_wait: i64,
    /// Absent where there are too many sockets to read them all at every sample.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tcp: Option<TcpStates>,
}

/// TCP sockets by state, IPv4 and IPv6 together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpStates {
    pub established: i64,
    pub syn_sent: i64,
    pub syn_received: i64,
    pub fin_wait: i64,
    pub close_wait: i64,
    pub last_ack: i64,
    pub listen: i64,
    pub closing: i64,
}

/// Of the whole system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDescriptors {
    pub open: i64,
    pub max: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Processes {
    pub total: i64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub states: Option<ProcessStates>,
    /// The largest by CPU, largest first. Empty but in the newest sample of a frame: their
    /// history is kept at the publishing interval, not at the sampling interval.
    #[serde(default)]
    pub top_cpu: Vec<Process>,
    /// The largest by resident memory, largest first; see `top_cpu`.
    #[serde(default)]
    pub top_memory: Vec<Process>,
    /// The largest by bytes read and written, largest first; see `top_cpu`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub top_io: Vec<Process>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessStates {
    pub running: i64,
    pub sleeping: i64,
    /// Waiting for a device, not interruptible.
    pub blocked: i64,
    pub stopped: i64,
    pub zombie: i64,
    /// Kernel threads and others that idle.
    pub idle: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Process {
    pub pid: i64,
    pub name: String,
    /// 100 is one core.
    pub cpu_percent: f32,
    /// Resident.
    pub memory_bytes: i64,
    /// Program and arguments, with what is masked replaced; empty for threads of the kernel.
    #[serde(default, skip_serializing_if = "is_default")]
    pub command: String,
    /// Name of the owner, or the number where it has no name.
    #[serde(default, skip_serializing_if = "is_default")]
    pub user: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub read_bytes_per_s: i64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub write_bytes_per_s: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// The first 12 hexadecimal digits, as `docker ps` prints them.
    pub id: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub image: String,
    /// As the runtime names it: `running`, `exited`, ...
    pub state: String,
    /// `healthy`, `unhealthy` or `starting`, where the container has a health check.
    #[serde(default, skip_serializing_if = "is_default")]
    pub health: String,
    /// 100 is one core.
    pub cpu_percent: f32,
    /// Without the page cache that can be given back.
    pub memory_bytes: i64,
    /// 0 where there is no limit.
    #[serde(default, skip_serializing_if = "is_default")]
    pub memory_limit_bytes: i64,
    pub rx_bytes_per_s: i64,
    pub tx_bytes_per_s: i64,
}

/// Units of systemd.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Services {
    pub active: i64,
    pub failed: i64,
    /// Names of those that failed, in alphabetical order, at most 32.
    #[serde(default, skip_serializing_if = "is_default")]
    pub failed_units: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CustomMetric {
    /// As the script or the endpoint names it.
    pub name: String,
    /// What tells several of one name apart, such as `{path="/api"}`; empty for one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub instance: String,
    pub value: f64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub unit: String,
}
