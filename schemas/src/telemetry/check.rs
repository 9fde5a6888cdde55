//! What a sample must satisfy to be stored, beyond its types.

use std::collections::HashSet;
use std::fmt::{self, Display};

use super::{
    BYTES_MAX, Battery, Container, CustomMetric, Disk, FUTURE_MS_MAX, Filesystem, Gpu,
    INDEXED_BYTES_MAX, INSTANCES_MAX, NAME_BYTES_MAX, Network, Process, SAMPLE_AT_MS_MIN, Sample,
    Sensor, SmartDisk,
};
use crate::envelope::Rejection;

/// No rate, load or percentage comes near it, and the sum of a sample's [`INSTANCES_MAX`] is still
/// finite: totals are stored too, and infinity is not a total.
const SHARE_MAX: f32 = 1e15;

/// Where in a message a value stands, for the reason of a rejection. Spelled only when there is
/// one: all values of all samples are checked.
pub(super) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    field: &'a str,
    index: Option<usize>,
}

impl<'a> Path<'a> {
    pub(super) fn item_of(list: &'a str, index: usize) -> Self {
        Self { parent: None, field: list, index: Some(index) }
    }

    fn child(&'a self, field: &'a str) -> Self {
        Self { parent: Some(self), field, index: None }
    }

    fn item(&'a self, list: &'a str, index: usize) -> Self {
        Self { parent: Some(self), field: list, index: Some(index) }
    }

    fn bad(&self, field: &str, value: impl Display, expected: impl Into<String>) -> Rejection {
        Rejection::bad_value(self.child(field).to_string(), value, expected)
    }

    fn at_least_zero(&self, field: &str, value: i64) -> Result<(), Rejection> {
        if value >= 0 {
            return Ok(());
        }
        Err(self.bad(field, value, "0 or more"))
    }

    fn finite(&self, field: &str, value: f32) -> Result<(), Rejection> {
        if value.is_finite() {
            return Ok(());
        }
        Err(self.bad(field, value, "a finite number"))
    }

    fn share(&self, field: &str, value: f32) -> Result<(), Rejection> {
        if (0.0..=SHARE_MAX).contains(&value) {
            return Ok(());
        }
        Err(self.bad(field, value, format!("a finite number, 0 to {SHARE_MAX}")))
    }

    /// Sizes and rates of bytes.
    fn bytes(&self, values: &[(&str, i64)]) -> Result<(), Rejection> {
        values.iter().try_for_each(|(field, value)| {
            if (0..=BYTES_MAX).contains(value) {
                return Ok(());
            }
            Err(self.bad(field, value, format!("0 to {BYTES_MAX}")))
        })
    }

    fn all_at_least_zero(&self, values: &[(&str, i64)]) -> Result<(), Rejection> {
        values.iter().try_for_each(|(field, value)| self.at_least_zero(field, *value))
    }

    fn shares(&self, values: &[(&str, f32)]) -> Result<(), Rejection> {
        values.iter().try_for_each(|(field, value)| self.share(field, *value))
    }

    fn names(&self, values: &[(&str, &str)]) -> Result<(), Rejection> {
        values.iter().try_for_each(|(field, value)| self.name(field, value))
    }

    fn name(&self, field: &str, value: &str) -> Result<(), Rejection> {
        self.text(field, value, NAME_BYTES_MAX)
    }

    /// PostgreSQL's `text` holds no NUL; refusing it here gives the reason its proper name.
    fn text(&self, field: &str, value: &str, bytes_max: usize) -> Result<(), Rejection> {
        if value.len() <= bytes_max && !value.contains('\0') {
            return Ok(());
        }
        let expected = format!("text of at most {bytes_max} bytes without NUL");
        Err(self.bad(field, format!("{value:?}"), expected))
    }

    /// A list of a bounded number of items, each checked at its own place.
    fn each<T>(
        &self,
        field: &str,
        list: &[T],
        check: impl Fn(&T, &Path<'_>) -> Result<(), Rejection>,
    ) -> Result<(), Rejection> {
        if list.len() > INSTANCES_MAX {
            let expected = format!("at most {INSTANCES_MAX} items");
            return Err(self.bad(field, list.len(), expected));
        }
        list.iter().enumerate().try_for_each(|(index, item)| check(item, &self.item(field, index)))
    }

    /// What a chart has a line for is in a sample once: a second value of the same time would be
    /// averaged into it, and nobody could tell which was meant.
    fn once<'i, T>(
        &self,
        list: &'i [T],
        (list_field, field): (&str, &str),
        name: impl Fn(&'i T) -> &'i str,
    ) -> Result<(), Rejection> {
        if list.len() < 2 {
            return Ok(());
        }
        let mut seen = HashSet::with_capacity(list.len());
        match list.iter().position(|item| !seen.insert(name(item))) {
            None => Ok(()),
            Some(index) => {
                let value = format!("{:?}", name(&list[index]));
                Err(self.item(list_field, index).bad(field, value, "a name that comes once"))
            }
        }
    }
}

impl Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        if !self.field.is_empty() {
            let dot = if self.parent.is_some() { "." } else { "" };
            write!(f, "{dot}{}", self.field)?;
        }
        match self.index {
            Some(index) => write!(f, "[{index}]"),
            None => Ok(()),
        }
    }
}

/// What a candidate brings along of its host.
pub(crate) fn check_context(
    processes: &[Process],
    filesystem: Option<&Filesystem>,
) -> Result<(), Rejection> {
    let path = Path { parent: None, field: "body.context", index: None };
    path.each("processes", processes, Process::check)?;
    filesystem.map_or(Ok(()), |filesystem| filesystem.check(&path.child("filesystem")))
}

impl Sample {
    pub(super) fn check(&self, now_ms: i64, path: &Path<'_>) -> Result<(), Rejection> {
        self.check_time(now_ms, path)?;
        self.check_cpu(path)?;
        self.check_memory(path)?;
        self.check_counts(path)?;
        self.check_processes(&path.child("processes"))?;
        path.each("filesystems", &self.filesystems, Filesystem::check)?;
        path.each("disks", &self.disks, Disk::check)?;
        path.each("networks", &self.networks, Network::check)?;
        path.once(&self.filesystems, ("filesystems", "mount"), |item| &item.mount)?;
        path.once(&self.disks, ("disks", "device"), |item| &item.device)?;
        path.once(&self.networks, ("networks", "interface"), |item| &item.interface)?;
        path.each("sensors", &self.sensors, Sensor::check)?;
        path.each("fans", &self.fans, |fan, path| {
            path.name("name", &fan.name)?;
            path.at_least_zero("rpm", fan.rpm)
        })?;
        path.each("batteries", &self.batteries, Battery::check)?;
        path.each("gpus", &self.gpus, Gpu::check)?;
        path.each("smart_disks", &self.smart_disks, SmartDisk::check)?;
        path.each("containers", &self.containers, Container::check)?;
        path.each("custom", &self.custom, CustomMetric::check)
    }

    fn check_time(&self, now_ms: i64, path: &Path<'_>) -> Result<(), Rejection> {
        let latest = now_ms.saturating_add(FUTURE_MS_MAX);
        if (SAMPLE_AT_MS_MIN..=latest).contains(&self.at) {
            return Ok(());
        }
        let expected = format!("{SAMPLE_AT_MS_MIN} (2020) to {latest} (5 minutes from now)");
        Err(path.bad("at", self.at, expected))
    }

    fn check_cpu(&self, path: &Path<'_>) -> Result<(), Rejection> {
        path.at_least_zero("uptime_s", self.uptime_s)?;
        let (cpu, load) = (path.child("cpu"), &self.load);
        cpu.share("usage_percent", self.cpu.usage_percent)?;
        cpu.each("cores_percent", &self.cpu.cores_percent, |core, path| path.share("", *core))?;
        cpu.at_least_zero("frequency_mhz", self.cpu.frequency_mhz.unwrap_or(0))?;
        if let Some(modes) = &self.cpu.modes {
            cpu.child("modes").shares(&[
                ("user_percent", modes.user_percent),
                ("system_percent", modes.system_percent),
                ("iowait_percent", modes.iowait_percent),
                ("steal_percent", modes.steal_percent),
                ("idle_percent", modes.idle_percent),
            ])?;
        }
        let loads = [("one", load.one), ("five", load.five), ("fifteen", load.fifteen)];
        path.child("load").shares(&loads)?;
        let Some(pressure) = &self.pressure else { return Ok(()) };
        path.child("pressure").shares(&[
            ("cpu_some_percent", pressure.cpu_some_percent),
            ("memory_some_percent", pressure.memory_some_percent),
            ("memory_full_percent", pressure.memory_full_percent),
            ("io_some_percent", pressure.io_some_percent),
            ("io_full_percent", pressure.io_full_percent),
        ])
    }

    fn check_memory(&self, path: &Path<'_>) -> Result<(), Rejection> {
        let (path, memory) = (path.child("memory"), &self.memory);
        path.bytes(&[
            ("total_bytes", memory.total_bytes),
            ("used_bytes", memory.used_bytes),
            ("available_bytes", memory.available_bytes),
            ("swap_total_bytes", memory.swap_total_bytes),
            ("swap_used_bytes", memory.swap_used_bytes),
        ])?;
        if let Some(rates) = &memory.swap_rates {
            path.child("swap_rates").bytes(&[
                ("in_bytes_per_s", rates.in_bytes_per_s),
                ("out_bytes_per_s", rates.out_bytes_per_s),
            ])?;
        }
        let Some(detail) = &memory.detail else { return Ok(()) };
        path.child("detail").bytes(&[
            ("free_bytes", detail.free_bytes),
            ("buffers_bytes", detail.buffers_bytes),
            ("cached_bytes", detail.cached_bytes),
            ("dirty_bytes", detail.dirty_bytes),
            ("huge_pages_total_bytes", detail.huge_pages_total_bytes),
            ("huge_pages_used_bytes", detail.huge_pages_used_bytes),
        ])
    }

    fn check_counts(&self, path: &Path<'_>) -> Result<(), Rejection> {
        path.at_least_zero("tcp_connections", self.tcp_connections)?;
        if let Some(sockets) = &self.sockets {
            let path = path.child("sockets");
            path.all_at_least_zero(&[
                ("udp", sockets.udp),
                ("tcp_time_wait", sockets.tcp_time_wait),
            ])?;
            if let Some(tcp) = &sockets.tcp {
                path.child("tcp").all_at_least_zero(&[
                    ("established", tcp.established),
                    ("syn_sent", tcp.syn_sent),
                    ("syn_received", tcp.syn_received),
                    ("fin_wait", tcp.fin_wait),
                    ("close_wait", tcp.close_wait),
                    ("last_ack", tcp.last_ack),
                    ("listen", tcp.listen),
                    ("closing", tcp.closing),
                ])?;
            }
        }
        if let Some(files) = &self.file_descriptors {
            let counts = [("open", files.open), ("max", files.max)];
            path.child("file_descriptors").all_at_least_zero(&counts)?;
        }
        let Some(services) = &self.services else { return Ok(()) };
        let path = path.child("services");
        path.all_at_least_zero(&[("active", services.active), ("failed", services.failed)])?;
        path.each("failed_units", &services.failed_units, |unit, path| path.name("", unit))
    }

    fn check_processes(&self, path: &Path<'_>) -> Result<(), Rejection> {
        let processes = &self.processes;
        path.at_least_zero("total", processes.total)?;
        if let Some(states) = &processes.states {
            path.child("states").all_at_least_zero(&[
                ("running", states.running),
                ("sleeping", states.sleeping),
                ("blocked", states.blocked),
                ("stopped", states.stopped),
                ("zombie", states.zombie),
                ("idle", states.idle),
            ])?;
        }
        path.each("top_cpu", &processes.top_cpu, Process::check)?;
        path.each("top_memory", &processes.top_memory, Process::check)?;
        path.each("top_io", &processes.top_io, Process::check)
    }
}

impl Filesystem {
    fn check(&self, path: &Path<'_>) -> Result<(), Rejection> {
        let (mount, device, fs_type) = (&self.mount, &self.device, &self.fs_type);
        path.names(&[("mount", mount), ("device", device), ("fs_type", fs_type)])?;
        path.bytes(&[
            ("total_bytes", self.total_bytes),
            ("used_bytes", self.used_bytes),
            ("available_bytes", self.available_bytes),
        ])?;
        let Some(inodes) = &self.inodes else { return Ok(()) };
        let counts = [("total", inodes.total), ("used", inodes.used)];
        path.child("inodes").all_at_least_zero(&counts)
    }
}

impl Disk {
    fn check(&self, path: &Path<'_>) -> Result<(), Rejection> {
        path.name("device", &self.device)?;
        path.bytes(&[
            ("read_bytes_per_s", self.read_bytes_per_s),
            ("write_bytes_per_s", self.write_bytes_per_s),
        ])?;
        path.shares(&[("reads_per_s", self.reads_per_s), ("writes_per_s", self.writes_per_s)])?;
        let Some(times) = &self.times else { return Ok(()) };
        path.child("times").shares(&[
            ("read_await_ms", times.read_await_ms),
            ("write_await_ms", times.write_await_ms),
            ("queue_length", times.queue_length),
            ("utilisation_percent", times.utilisation_percent),
        ])
    }
}

impl Network {
    fn check(&self, path: &Path<'_>) -> Result<(), Rejection> {
        path.name("interface", &self.interface)?;
        path.bytes(&[
            ("rx_bytes_per_s", self.rx_bytes_per_s),
            ("tx_bytes_per_s", self.tx_bytes_per_s),
        ])?;
        path.shares(&[
            ("rx_packets_per_s", self.rx_packets_per_s),
            ("tx_packets_per_s", self.tx_packets_per_s),
            ("rx_errors_per_s", self.rx_errors_per_s),
            ("tx_errors_per_s", self.tx_errors_per_s),
            ("rx_drops_per_s", self.rx_drops_per_s),
            ("tx_drops_per_s", self.tx_drops_per_s),
        ])
    }
}

impl Process {
    fn check(&self, path: &Path<'_>) -> Result<(), Rejection> {
        path.names(&[("name", &self.name), ("command", &self.command), ("user", &self.user)])?;
        path.share("cpu_percent", self.cpu_percent)?;
        path.at_least_zero("pid", self.pid)?;
        path.bytes(&[
            ("memory_bytes", self.memory_bytes),
            ("read_bytes_per_s", self.read_bytes_per_s),
            ("write_bytes_per_s", self.write_bytes_per_s),
        ])
    }
}

impl Sensor {
    fn check(&self, path: &Path<'_>) -> Result<(), Rejection> {
        path.name("name", &self.name)?;
        path.finite("celsius", self.celsius)
    }
}

impl Battery {
    fn check(&self, path: &Path<'_>) -> Result<(), Rejection> {
        path.name("name", &self.name)?;
        path.share("charge_percent", self.charge_percent)
    }
}

impl Gpu {
    fn check(&self, path: &Path<'_>) -> Result<(), Rejection> {
        path.names(&[("id", &self.id), ("name", &self.name)])?;
        path.share("utilisation_percent", self.utilisation_percent.unwrap_or(0.0))?;
        path.bytes(&[
            ("memory_used_bytes", self.memory_used_bytes.unwrap_or(0)),
            ("memory_total_bytes", self.memory_total_bytes.unwrap_or(0)),
        ])?;
        path.finite("celsius", self.celsius.unwrap_or(0.0))?;
        path.share("power_watts", self.power_watts.unwrap_or(0.0))
    }
}

impl SmartDisk {
    fn check(&self, path: &Path<'_>) -> Result<(), Rejection> {
        let (device, model, serial) = (&self.device, &self.model, &self.serial);
        path.names(&[("device", device), ("model", model), ("serial", serial)])?;
        path.finite("celsius", self.celsius.unwrap_or(0.0))?;
        path.at_least_zero("power_on_hours", self.power_on_hours.unwrap_or(0))?;
        path.at_least_zero("bad_sectors", self.bad_sectors.unwrap_or(0))?;
        path.share("wear_percent", self.wear_percent.unwrap_or(0.0))
    }
}

impl Container {
    fn check(&self, path: &Path<'_>) -> Result<(), Rejection> {
        path.names(&[("id", &self.id), ("name", &self.name), ("image", &self.image)])?;
        path.names(&[("state", &self.state), ("health", &self.health)])?;
        path.share("cpu_percent", self.cpu_percent)?;
        path.bytes(&[
            ("memory_bytes", self.memory_bytes),
            ("memory_limit_bytes", self.memory_limit_bytes),
            ("rx_bytes_per_s", self.rx_bytes_per_s),
            ("tx_bytes_per_s", self.tx_bytes_per_s),
        ])
    }
}

impl CustomMetric {
    fn check(&self, path: &Path<'_>) -> Result<(), Rejection> {
        path.text("name", &self.name, INDEXED_BYTES_MAX)?;
        path.names(&[("instance", &self.instance), ("unit", &self.unit)])?;
        if self.value.is_finite() {
            return Ok(());
        }
        Err(path.bad("value", self.value, "a finite number"))
    }
}
