//! `telemetry.<host>`: frames of 1..n samples of one host's resources.
//!
//! Units are in the names. Percentages, loads and temperatures are in 1/64 steps, byte rates in
//! whole bytes per second (see [`crate::numbers`]).

use serde::{Deserialize, Serialize};

use crate::envelope::{Durable, Rejection};
use crate::ids::Channel;

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
    #[serde(default)]
    pub filesystems: Vec<Filesystem>,
    #[serde(default)]
    pub disks: Vec<Disk>,
    #[serde(default)]
    pub networks: Vec<Network>,
    /// Established TCP connections, IPv4 and IPv6.
    pub tcp_connections: i64,
    pub processes: Processes,
    #[serde(default)]
    pub sensors: Vec<Sensor>,
}

/// Shares of the time since the previous sample.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cpu {
    /// 0 to 100, all cores together.
    pub usage_percent: f32,
    /// 0 to 100 each, in the kernel's order.
    pub cores_percent: Vec<f32>,
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
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Disk {
    pub device: String,
    pub read_bytes_per_s: i64,
    pub write_bytes_per_s: i64,
    pub reads_per_s: f32,
    pub writes_per_s: f32,
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
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Processes {
    pub total: i64,
    /// The largest by CPU, largest first. Empty but in the newest sample of a frame: their
    /// history is kept at the publishing interval, not at the sampling interval.
    #[serde(default)]
    pub top_cpu: Vec<Process>,
    /// The largest by resident memory, largest first; see `top_cpu`.
    #[serde(default)]
    pub top_memory: Vec<Process>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Process {
    pub pid: i64,
    pub name: String,
    /// 100 is one core.
    pub cpu_percent: f32,
    /// Resident.
    pub memory_bytes: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sensor {
    pub name: String,
    pub celsius: f32,
}

impl Filesystem {
    /// Used of what an unprivileged user can have, in percent, as `df` prints it.
    pub fn used_percent(&self) -> f64 {
        crate::numbers::percent_of(self.used_bytes, self.used_bytes + self.available_bytes)
    }
}

impl Sample {
    /// The filesystem with the largest used share.
    pub fn fullest_filesystem(&self) -> Option<&Filesystem> {
        self.filesystems.iter().max_by(|a, b| a.used_percent().total_cmp(&b.used_percent()))
    }

    pub fn temperature_max_celsius(&self) -> Option<f32> {
        self.sensors.iter().map(|sensor| sensor.celsius).max_by(f32::total_cmp)
    }

    pub fn disk_bytes_per_s(&self) -> (i64, i64) {
        sum_pairs(self.disks.iter().map(|d| (d.read_bytes_per_s, d.write_bytes_per_s)))
    }

    /// Received and sent, over all interfaces but the loopback.
    pub fn network_bytes_per_s(&self) -> (i64, i64) {
        sum_pairs(self.outward_networks().map(|n| (n.rx_bytes_per_s, n.tx_bytes_per_s)))
    }

    pub fn network_packets_per_s(&self) -> (f32, f32) {
        self.outward_networks()
            .fold((0.0, 0.0), |(rx, tx), n| (rx + n.rx_packets_per_s, tx + n.tx_packets_per_s))
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

    fn check(&self, now_ms: i64) -> Result<(), Rejection> {
        if !(1..=SAMPLES_PER_FRAME_MAX).contains(&self.samples.len()) {
            let expected = format!("1 to {SAMPLES_PER_FRAME_MAX} samples");
            return Err(Rejection::bad_value("body.samples", self.samples.len(), expected));
        }
        for (index, sample) in self.samples.iter().enumerate() {
            sample.check(now_ms, &Path { prefix: format!("body.samples[{index}]") })?;
        }
        Ok(())
    }
}

/// Where in a message a value stands, for the reason of a rejection.
struct Path {
    prefix: String,
}

impl Path {
    fn child(&self, name: impl std::fmt::Display) -> Self {
        Self { prefix: format!("{}.{name}", self.prefix) }
    }

    fn item(&self, list: &str, index: usize) -> Self {
        Self { prefix: format!("{}.{list}[{index}]", self.prefix) }
    }

    fn at_least_zero(&self, field: &str, value: i64) -> Result<(), Rejection> {
        if value >= 0 {
            return Ok(());
        }
        Err(Rejection::bad_value(self.child(field).prefix, value, "0 or more"))
    }

    fn finite(&self, field: &str, value: f32) -> Result<(), Rejection> {
        if value.is_finite() {
            return Ok(());
        }
        Err(Rejection::bad_value(self.child(field).prefix, value, "a finite number"))
    }

    fn share(&self, field: &str, value: f32) -> Result<(), Rejection> {
        if value.is_finite() && value >= 0.0 {
            return Ok(());
        }
        Err(Rejection::bad_value(self.child(field).prefix, value, "a finite number, 0 or more"))
    }

    /// PostgreSQL's `text` holds no NUL; refusing it here gives the reason its proper name.
    fn name(&self, field: &str, value: &str) -> Result<(), Rejection> {
        if value.len() <= NAME_BYTES_MAX && !value.contains('\0') {
            return Ok(());
        }
        let expected = format!("text of at most {NAME_BYTES_MAX} bytes without NUL");
        Err(Rejection::bad_value(self.child(field).prefix, format!("{value:?}"), expected))
    }

    fn few<T>(&self, field: &str, list: &[T]) -> Result<(), Rejection> {
        if list.len() <= INSTANCES_MAX {
            return Ok(());
        }
        let expected = format!("at most {INSTANCES_MAX} items");
        Err(Rejection::bad_value(self.child(field).prefix, list.len(), expected))
    }
}

impl Sample {
    fn check(&self, now_ms: i64, path: &Path) -> Result<(), Rejection> {
        self.check_time(now_ms, path)?;
        self.check_totals(path)?;
        self.check_sizes(path)?;
        self.check_storage(path)?;
        self.check_networks(path)?;
        self.check_processes(path)
    }

    fn check_time(&self, now_ms: i64, path: &Path) -> Result<(), Rejection> {
        let latest = now_ms.saturating_add(FUTURE_MS_MAX);
        if (SAMPLE_AT_MS_MIN..=latest).contains(&self.at) {
            return Ok(());
        }
        let expected = format!("{SAMPLE_AT_MS_MIN} (2020) to {latest} (5 minutes from now)");
        Err(Rejection::bad_value(path.child("at").prefix, self.at, expected))
    }

    fn check_totals(&self, path: &Path) -> Result<(), Rejection> {
        path.at_least_zero("uptime_s", self.uptime_s)?;
        path.at_least_zero("tcp_connections", self.tcp_connections)?;
        let cpu = path.child("cpu");
        cpu.share("usage_percent", self.cpu.usage_percent)?;
        for core in &self.cpu.cores_percent {
            cpu.share("cores_percent", *core)?;
        }
        let load = path.child("load");
        load.share("one", self.load.one)?;
        load.share("five", self.load.five)?;
        load.share("fifteen", self.load.fifteen)?;
        let memory = path.child("memory");
        memory.at_least_zero("total_bytes", self.memory.total_bytes)?;
        memory.at_least_zero("used_bytes", self.memory.used_bytes)?;
        memory.at_least_zero("available_bytes", self.memory.available_bytes)?;
        memory.at_least_zero("swap_total_bytes", self.memory.swap_total_bytes)?;
        memory.at_least_zero("swap_used_bytes", self.memory.swap_used_bytes)
    }

    fn check_sizes(&self, path: &Path) -> Result<(), Rejection> {
        path.few("cpu.cores_percent", &self.cpu.cores_percent)?;
        path.few("filesystems", &self.filesystems)?;
        path.few("disks", &self.disks)?;
        path.few("networks", &self.networks)?;
        path.few("sensors", &self.sensors)?;
        path.few("processes.top_cpu", &self.processes.top_cpu)?;
        path.few("processes.top_memory", &self.processes.top_memory)
    }

    fn check_storage(&self, path: &Path) -> Result<(), Rejection> {
        for (index, filesystem) in self.filesystems.iter().enumerate() {
            let path = path.item("filesystems", index);
            path.name("mount", &filesystem.mount)?;
            path.name("device", &filesystem.device)?;
            path.name("fs_type", &filesystem.fs_type)?;
            path.at_least_zero("total_bytes", filesystem.total_bytes)?;
            path.at_least_zero("used_bytes", filesystem.used_bytes)?;
            path.at_least_zero("available_bytes", filesystem.available_bytes)?;
        }
        for (index, disk) in self.disks.iter().enumerate() {
            let path = path.item("disks", index);
            path.name("device", &disk.device)?;
            path.at_least_zero("read_bytes_per_s", disk.read_bytes_per_s)?;
            path.at_least_zero("write_bytes_per_s", disk.write_bytes_per_s)?;
            path.share("reads_per_s", disk.reads_per_s)?;
            path.share("writes_per_s", disk.writes_per_s)?;
        }
        Ok(())
    }

    fn check_networks(&self, path: &Path) -> Result<(), Rejection> {
        for (index, network) in self.networks.iter().enumerate() {
            let path = path.item("networks", index);
            path.name("interface", &network.interface)?;
            path.at_least_zero("rx_bytes_per_s", network.rx_bytes_per_s)?;
            path.at_least_zero("tx_bytes_per_s", network.tx_bytes_per_s)?;
            path.share("rx_packets_per_s", network.rx_packets_per_s)?;
            path.share("tx_packets_per_s", network.tx_packets_per_s)?;
            path.share("rx_errors_per_s", network.rx_errors_per_s)?;
            path.share("tx_errors_per_s", network.tx_errors_per_s)?;
        }
        Ok(())
    }

    fn check_processes(&self, path: &Path) -> Result<(), Rejection> {
        for (index, sensor) in self.sensors.iter().enumerate() {
            let path = path.item("sensors", index);
            path.name("name", &sensor.name)?;
            path.finite("celsius", sensor.celsius)?;
        }
        let processes = path.child("processes");
        processes.at_least_zero("total", self.processes.total)?;
        let lists =
            [("top_cpu", &self.processes.top_cpu), ("top_memory", &self.processes.top_memory)];
        for (list, processes_of_list) in lists {
            for (index, process) in processes_of_list.iter().enumerate() {
                let path = processes.item(list, index);
                path.at_least_zero("pid", process.pid)?;
                path.name("name", &process.name)?;
                path.share("cpu_percent", process.cpu_percent)?;
                path.at_least_zero("memory_bytes", process.memory_bytes)?;
            }
        }
        Ok(())
    }
}
