//! The catalogue of metrics: one name for a thing, in rules, queries and chart labels.

use std::borrow::Cow;

use crate::numbers::percent_of;
use crate::telemetry::{Container, Disk, Filesystem, Gpu, Network, Sample};

/// What a metric's values mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Percent,
    Bytes,
    BytesPerSecond,
    PacketsPerSecond,
    PerSecond,
    Milliseconds,
    Megahertz,
    RevolutionsPerMinute,
    Watts,
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
            Self::PerSecond => "per_s",
            Self::Milliseconds => "ms",
            Self::Megahertz => "mhz",
            Self::RevolutionsPerMinute => "rpm",
            Self::Watts => "watts",
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
    one("cpu.user_percent", Unit::Percent),
    one("cpu.system_percent", Unit::Percent),
    one("cpu.iowait_percent", Unit::Percent),
    one("cpu.steal_percent", Unit::Percent),
    one("cpu.idle_percent", Unit::Percent),
    many("cpu.core_percent", Unit::Percent),
    one("cpu.frequency_mhz", Unit::Megahertz),
    one("load.one", Unit::Load),
    one("load.five", Unit::Load),
    one("load.fifteen", Unit::Load),
    one("memory.used_percent", Unit::Percent),
    one("memory.used_bytes", Unit::Bytes),
    one("memory.available_bytes", Unit::Bytes),
    one("memory.total_bytes", Unit::Bytes),
    one("memory.buffers_bytes", Unit::Bytes),
    one("memory.cached_bytes", Unit::Bytes),
    one("memory.dirty_bytes", Unit::Bytes),
    one("memory.huge_pages_used_bytes", Unit::Bytes),
    one("swap.used_percent", Unit::Percent),
    one("swap.used_bytes", Unit::Bytes),
    one("swap.in_bytes_per_s", Unit::BytesPerSecond),
    one("swap.out_bytes_per_s", Unit::BytesPerSecond),
    one("pressure.cpu_some_percent", Unit::Percent),
    one("pressure.memory_some_percent", Unit::Percent),
    one("pressure.memory_full_percent", Unit::Percent),
    one("pressure.io_some_percent", Unit::Percent),
    one("pressure.io_full_percent", Unit::Percent),
    many("filesystem.used_percent", Unit::Percent),
    many("filesystem.used_bytes", Unit::Bytes),
    many("filesystem.inodes_used_percent", Unit::Percent),
    one("disk.read_bytes_per_s", Unit::BytesPerSecond),
    one("disk.write_bytes_per_s", Unit::BytesPerSecond),
    many("disk_device.read_bytes_per_s", Unit::BytesPerSecond),
    many("disk_device.write_bytes_per_s", Unit::BytesPerSecond),
    many("disk_device.reads_per_s", Unit::PerSecond),
    many("disk_device.writes_per_s", Unit::PerSecond),
    many("disk_device.read_await_ms", Unit::Milliseconds),
    many("disk_device.write_await_ms", Unit::Milliseconds),
    many("disk_device.queue_length", Unit::Count),
    many("disk_device.utilisation_percent", Unit::Percent),
    one("network.rx_bytes_per_s", Unit::BytesPerSecond),
    one("network.tx_bytes_per_s", Unit::BytesPerSecond),
    one("network.rx_packets_per_s", Unit::PacketsPerSecond),
    one("network.tx_packets_per_s", Unit::PacketsPerSecond),
    many("interface.rx_bytes_per_s", Unit::BytesPerSecond),
    many("interface.tx_bytes_per_s", Unit::BytesPerSecond),
    many("interface.rx_errors_per_s", Unit::PacketsPerSecond),
    many("interface.tx_errors_per_s", Unit::PacketsPerSecond),
    many("interface.rx_drops_per_s", Unit::PacketsPerSecond),
    many("interface.tx_drops_per_s", Unit::PacketsPerSecond),
    one("tcp.connections", Unit::Count),
    one("tcp.time_wait", Unit::Count),
    one("tcp.listen", Unit::Count),
    one("tcp.close_wait", Unit::Count),
    one("udp.sockets", Unit::Count),
    one("file_descriptors.open", Unit::Count),
    one("processes.total", Unit::Count),
    one("processes.running", Unit::Count),
    one("processes.blocked", Unit::Count),
    one("processes.zombie", Unit::Count),
    one("services.active", Unit::Count),
    one("services.failed", Unit::Count),
    one("temperature.max_celsius", Unit::Celsius),
    many("sensor.celsius", Unit::Celsius),
    many("fan.rpm", Unit::RevolutionsPerMinute),
    many("battery.charge_percent", Unit::Percent),
    many("gpu.utilisation_percent", Unit::Percent),
    many("gpu.memory_used_bytes", Unit::Bytes),
    many("gpu.celsius", Unit::Celsius),
    many("gpu.power_watts", Unit::Watts),
    many("container.cpu_percent", Unit::Percent),
    many("container.memory_bytes", Unit::Bytes),
    many("container.rx_bytes_per_s", Unit::BytesPerSecond),
    many("container.tx_bytes_per_s", Unit::BytesPerSecond),
    many("smart.celsius", Unit::Celsius),
    many("smart.wear_percent", Unit::Percent),
    many("smart.bad_sectors", Unit::Count),
    one("uptime_s", Unit::Seconds),
];

pub fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}

/// The rate of log lines of severity error or worse, judged by agents though no sample holds it.
pub const LOG_ERROR_RATE: &str = "logs.error_lines_per_min";

/// How far the host's clock is from the bus's, either way, in milliseconds; judged by agents though
/// no sample holds it.
pub const CLOCK_OFFSET: &str = "clock.offset_ms";

/// The start of the name of a metric that a script or an endpoint on the host gives.
pub const CUSTOM_PREFIX: &str = "custom.";

/// Whether [`readings`] can tell its value, or an agent beside them.
pub fn is_judgeable(name: &str) -> bool {
    name == LOG_ERROR_RATE
        || name == CLOCK_OFFSET
        || name.strip_prefix(CUSTOM_PREFIX).is_some_and(|rest| !rest.is_empty())
        || metric(name).is_some()
}

/// The values of a metric in a sample, with the names of their instances (empty where a host has
/// one). Nothing where the host does not have it, or for an unknown metric.
pub fn readings<'a>(sample: &'a Sample, name: &str) -> Vec<(Cow<'a, str>, f64)> {
    if let Some(custom) = name.strip_prefix(CUSTOM_PREFIX) {
        let wanted = sample.custom.iter().filter(|metric| metric.name == custom);
        return wanted.map(|metric| (metric.instance.as_str().into(), metric.value)).collect();
    }
    match of_host(sample, name) {
        Some(value) => vec![("".into(), value)],
        None => of_instances(sample, name),
    }
}

fn of_host(sample: &Sample, name: &str) -> Option<f64> {
    let (cpu, load) = (|| sample.known_cpu(), || sample.known_load());
    let (memory, states) = (|| sample.known_memory(), || sample.processes.states);
    let int = |value: i64| value as f64;
    Some(match name {
        "cpu.usage_percent" => cpu()?.usage_percent.into(),
        "cpu.user_percent" => cpu()?.modes?.user_percent.into(),
        "cpu.system_percent" => cpu()?.modes?.system_percent.into(),
        "cpu.iowait_percent" => cpu()?.modes?.iowait_percent.into(),
        "cpu.steal_percent" => cpu()?.modes?.steal_percent.into(),
        "cpu.idle_percent" => cpu()?.modes?.idle_percent.into(),
        "cpu.frequency_mhz" => int(cpu()?.frequency_mhz?),
        "load.one" => load()?.one.into(),
        "load.five" => load()?.five.into(),
        "load.fifteen" => load()?.fifteen.into(),
        "memory.used_percent" => percent_of(memory()?.used_bytes, memory()?.total_bytes),
        "memory.used_bytes" => int(memory()?.used_bytes),
        "memory.available_bytes" => int(memory()?.available_bytes),
        "memory.total_bytes" => int(memory()?.total_bytes),
        "memory.buffers_bytes" => int(memory()?.detail?.buffers_bytes),
        "memory.cached_bytes" => int(memory()?.detail?.cached_bytes),
        "memory.dirty_bytes" => int(memory()?.detail?.dirty_bytes),
        "memory.huge_pages_used_bytes" => int(memory()?.detail?.huge_pages_used_bytes),
        "swap.used_percent" => percent_of(memory()?.swap_used_bytes, memory()?.swap_total_bytes),
        "swap.used_bytes" => int(memory()?.swap_used_bytes),
        "swap.in_bytes_per_s" => int(memory()?.swap_rates?.in_bytes_per_s),
        "swap.out_bytes_per_s" => int(memory()?.swap_rates?.out_bytes_per_s),
        "pressure.cpu_some_percent" => sample.pressure?.cpu_some_percent.into(),
        "pressure.memory_some_percent" => sample.pressure?.memory_some_percent.into(),
        "pressure.memory_full_percent" => sample.pressure?.memory_full_percent.into(),
        "pressure.io_some_percent" => sample.pressure?.io_some_percent.into(),
        "pressure.io_full_percent" => sample.pressure?.io_full_percent.into(),
        "disk.read_bytes_per_s" => int(sample.disk_bytes_per_s()?.0),
        "disk.write_bytes_per_s" => int(sample.disk_bytes_per_s()?.1),
        "network.rx_bytes_per_s" => int(sample.network_bytes_per_s()?.0),
        "network.tx_bytes_per_s" => int(sample.network_bytes_per_s()?.1),
        "network.rx_packets_per_s" => sample.network_packets_per_s()?.0.into(),
        "network.tx_packets_per_s" => sample.network_packets_per_s()?.1.into(),
        "tcp.connections" => int(sample.known_tcp_connections()?),
        "tcp.time_wait" => int(sample.sockets?.tcp_time_wait),
        "tcp.listen" => int(sample.sockets?.tcp?.listen),
        "tcp.close_wait" => int(sample.sockets?.tcp?.close_wait),
        "udp.sockets" => int(sample.sockets?.udp),
        "file_descriptors.open" => int(sample.file_descriptors?.open),
        "processes.total" => int(sample.known_processes_total()?),
        "processes.running" => int(states()?.running),
        "processes.blocked" => int(states()?.blocked),
        "processes.zombie" => int(states()?.zombie),
        "services.active" => int(sample.services.as_ref()?.active),
        "services.failed" => int(sample.services.as_ref()?.failed),
        "temperature.max_celsius" => sample.temperature_max_celsius()?.into(),
        "uptime_s" => int(sample.uptime_s),
        _ => return None,
    })
}

fn of_instances<'a>(sample: &'a Sample, name: &str) -> Vec<(Cow<'a, str>, f64)> {
    if name == "cpu.core_percent" {
        let cores = sample.cpu.cores_percent.iter().enumerate();
        return cores.map(|(core, share)| (core.to_string().into(), (*share).into())).collect();
    }
    let int = |value: i64| Some(value as f64);
    let filesystems = |of: fn(&Filesystem) -> Option<f64>| {
        each(&sample.filesystems, |filesystem| (&filesystem.mount, of(filesystem)))
    };
    let disks = |of: fn(&Disk) -> Option<f64>| each(&sample.disks, |d| (&d.device, of(d)));
    let networks = |of: fn(&Network) -> f64| {
        each(&sample.networks, |network| (&network.interface, Some(of(network))))
    };
    let containers = |of: fn(&Container) -> f64| {
        each(&sample.containers, |container| (&container.name, Some(of(container))))
    };
    let gpus = |of: fn(&Gpu) -> Option<f64>| each(&sample.gpus, |gpu| (&gpu.id, of(gpu)));
    match name {
        "filesystem.used_percent" => filesystems(|f| Some(f.used_percent())),
        "filesystem.used_bytes" => filesystems(|f| Some(f.used_bytes as f64)),
        "filesystem.inodes_used_percent" => {
            filesystems(|f| f.inodes.map(|inodes| percent_of(inodes.used, inodes.total)))
        }
        "disk_device.read_bytes_per_s" => disks(|d| Some(d.read_bytes_per_s as f64)),
        "disk_device.write_bytes_per_s" => disks(|d| Some(d.write_bytes_per_s as f64)),
        "disk_device.reads_per_s" => disks(|d| Some(d.reads_per_s.into())),
        "disk_device.writes_per_s" => disks(|d| Some(d.writes_per_s.into())),
        "disk_device.read_await_ms" => disks(|d| Some(d.times?.read_await_ms.into())),
        "disk_device.write_await_ms" => disks(|d| Some(d.times?.write_await_ms.into())),
        "disk_device.queue_length" => disks(|d| Some(d.times?.queue_length.into())),
        "disk_device.utilisation_percent" => disks(|d| Some(d.times?.utilisation_percent.into())),
        "interface.rx_bytes_per_s" => networks(|n| n.rx_bytes_per_s as f64),
        "interface.tx_bytes_per_s" => networks(|n| n.tx_bytes_per_s as f64),
        "interface.rx_errors_per_s" => networks(|n| n.rx_errors_per_s.into()),
        "interface.tx_errors_per_s" => networks(|n| n.tx_errors_per_s.into()),
        "interface.rx_drops_per_s" => networks(|n| n.rx_drops_per_s.into()),
        "interface.tx_drops_per_s" => networks(|n| n.tx_drops_per_s.into()),
        "sensor.celsius" => {
            each(&sample.sensors, |sensor| (&sensor.name, Some(sensor.celsius.into())))
        }
        "fan.rpm" => each(&sample.fans, |fan| (&fan.name, int(fan.rpm))),
        "battery.charge_percent" => {
            each(&sample.batteries, |battery| (&battery.name, Some(battery.charge_percent.into())))
        }
        "gpu.utilisation_percent" => gpus(|gpu| gpu.utilisation_percent.map(f64::from)),
        "gpu.memory_used_bytes" => gpus(|gpu| gpu.memory_used_bytes.map(|bytes| bytes as f64)),
        "gpu.celsius" => gpus(|gpu| gpu.celsius.map(f64::from)),
        "gpu.power_watts" => gpus(|gpu| gpu.power_watts.map(f64::from)),
        "container.cpu_percent" => containers(|c| c.cpu_percent.into()),
        "container.memory_bytes" => containers(|c| c.memory_bytes as f64),
        "container.rx_bytes_per_s" => containers(|c| c.rx_bytes_per_s as f64),
        "container.tx_bytes_per_s" => containers(|c| c.tx_bytes_per_s as f64),
        "smart.celsius" => {
            each(&sample.smart_disks, |disk| (&disk.device, disk.celsius.map(f64::from)))
        }
        "smart.wear_percent" => {
            each(&sample.smart_disks, |disk| (&disk.device, disk.wear_percent.map(f64::from)))
        }
        "smart.bad_sectors" => each(&sample.smart_disks, |disk| {
            (&disk.device, disk.bad_sectors.map(|count| count as f64))
        }),
        _ => Vec::new(),
    }
}

fn each<'a, T>(
    list: &'a [T],
    reading: impl Fn(&'a T) -> (&'a String, Option<f64>),
) -> Vec<(Cow<'a, str>, f64)> {
    list.iter()
        .filter_map(|item| {
            let (name, value) = reading(item);
            Some((name.as_str().into(), value?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{
        Battery, CpuModes, CustomMetric, DiskTimes, Fan, FileDescriptors, Inodes, MemoryDetail,
        Pressure, ProcessStates, Sensor, Services, SmartDisk, Sockets, SwapRates, TcpStates,
    };

    /// A host that has one of everything.
    fn rich() -> Sample {
        let mut sample = Sample {
            pressure: Some(Pressure::default()),
            filesystems: vec![Filesystem { inodes: Some(Inodes::default()), ..Default::default() }],
            disks: vec![Disk { times: Some(DiskTimes::default()), ..Default::default() }],
            networks: vec![Network::default()],
            sockets: Some(Sockets { tcp: Some(TcpStates::default()), ..Default::default() }),
            file_descriptors: Some(FileDescriptors::default()),
            sensors: vec![Sensor::default()],
            fans: vec![Fan::default()],
            batteries: vec![Battery::default()],
            gpus: vec![Gpu {
                utilisation_percent: Some(1.0),
                memory_used_bytes: Some(1),
                celsius: Some(1.0),
                power_watts: Some(1.0),
                ..Default::default()
            }],
            smart_disks: vec![SmartDisk {
                celsius: Some(1.0),
                wear_percent: Some(1.0),
                bad_sectors: Some(1),
                ..Default::default()
            }],
            containers: vec![Container::default()],
            services: Some(Services::default()),
            custom: vec![CustomMetric { name: "queue".into(), value: 7.0, ..Default::default() }],
            ..Default::default()
        };
        sample.cpu.modes = Some(CpuModes::default());
        sample.cpu.frequency_mhz = Some(2500);
        sample.cpu.cores_percent = vec![1.0];
        sample.memory.detail = Some(MemoryDetail::default());
        sample.memory.swap_rates = Some(SwapRates::default());
        sample.processes.states = Some(ProcessStates::default());
        sample.processes.total = 1;
        sample.memory.total_bytes = 1;
        sample
    }

    #[test]
    fn every_metric_of_the_catalogue_is_read_from_a_sample() {
        let sample = rich();
        for metric in METRICS {
            assert_eq!(readings(&sample, metric.name).len(), 1, "{}", metric.name);
        }
        assert_eq!(readings(&sample, "custom.queue"), [("".into(), 7.0)]);
        assert!(readings(&sample, "cpu.magic").is_empty());
    }

    #[test]
    fn what_a_host_does_not_have_has_no_value() {
        let bare = Sample::default();
        assert!(readings(&bare, "pressure.io_full_percent").is_empty());
        assert!(readings(&bare, "gpu.celsius").is_empty());
        assert!(readings(&bare, "cpu.usage_percent").is_empty());
        assert!(readings(&bare, "memory.available_bytes").is_empty());
    }
}
