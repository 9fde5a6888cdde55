//! The catalogue of metrics: one name for a thing, in rules, queries and chart labels.

/// What a metric's values mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Percent,
    Bytes,
    BytesPerSecond,
    PacketsPerSecond,
    Count,
    Load,
    Celsius,
    Seconds,
}

impl Unit {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Percent => "percent",
            Self::Bytes => "bytes",
            Self::BytesPerSecond => "bytes_per_s",
            Self::PacketsPerSecond => "packets_per_s",
            Self::Count => "count",
            Self::Load => "load",
            Self::Celsius => "celsius",
            Self::Seconds => "s",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    pub name: &'static str,
    pub unit: Unit,
    /// Whether a host has one series (`false`) or one per filesystem, interface, core, ...
    pub per_instance: bool,
}

const fn one(name: &'static str, unit: Unit) -> Metric {
    Metric { name, unit, per_instance: false }
}

const fn many(name: &'static str, unit: Unit) -> Metric {
    Metric { name, unit, per_instance: true }
}

pub const METRICS: &[Metric] = &[
    one("cpu.usage_percent", Unit::Percent),
    many("cpu.core_percent", Unit::Percent),
    one("load.one", Unit::Load),
    one("load.five", Unit::Load),
    one("load.fifteen", Unit::Load),
    one("memory.used_percent", Unit::Percent),
    one("memory.used_bytes", Unit::Bytes),
    one("memory.available_bytes", Unit::Bytes),
    one("memory.total_bytes", Unit::Bytes),
    one("swap.used_percent", Unit::Percent),
    one("swap.used_bytes", Unit::Bytes),
    many("filesystem.used_percent", Unit::Percent),
    many("filesystem.used_bytes", Unit::Bytes),
    one("disk.read_bytes_per_s", Unit::BytesPerSecond),
    one("disk.write_bytes_per_s", Unit::BytesPerSecond),
    many("disk_device.read_bytes_per_s", Unit::BytesPerSecond),
    many("disk_device.write_bytes_per_s", Unit::BytesPerSecond),
    one("network.rx_bytes_per_s", Unit::BytesPerSecond),
    one("network.tx_bytes_per_s", Unit::BytesPerSecond),
    one("network.rx_packets_per_s", Unit::PacketsPerSecond),
    one("network.tx_packets_per_s", Unit::PacketsPerSecond),
    many("interface.rx_bytes_per_s", Unit::BytesPerSecond),
    many("interface.tx_bytes_per_s", Unit::BytesPerSecond),
    one("tcp.connections", Unit::Count),
    one("processes.total", Unit::Count),
    one("temperature.max_celsius", Unit::Celsius),
    many("sensor.celsius", Unit::Celsius),
    one("uptime_s", Unit::Seconds),
];

pub fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}
