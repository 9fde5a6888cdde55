//! What a list shows of a host: the figures of its newest sample, in one flat row.
//!
//! The same function serves `GET /hosts` and the live `hosts` topic, so that a row does not
//! change its meaning when the live value replaces the stored one.

use muster_schemas::telemetry::Sample;
use serde::Serialize;
use utoipa::ToSchema;

/// What is not known is `null`: its collector is off, has failed or hangs.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Latest {
    /// Milliseconds since the Unix epoch, by the host's clock.
    pub at: i64,
    pub uptime_s: i64,
    pub cpu_usage_percent: Option<f32>,
    pub load_1: Option<f32>,
    pub load_5: Option<f32>,
    pub load_15: Option<f32>,
    pub memory_used_bytes: Option<i64>,
    pub memory_total_bytes: Option<i64>,
    pub swap_used_bytes: Option<i64>,
    pub swap_total_bytes: Option<i64>,
    /// Of the fullest filesystem.
    pub disk_used_percent: Option<f64>,
    pub disk_used_mount: Option<String>,
    pub disk_read_bytes_per_s: Option<i64>,
    pub disk_write_bytes_per_s: Option<i64>,
    pub network_rx_bytes_per_s: Option<i64>,
    pub network_tx_bytes_per_s: Option<i64>,
    pub temperature_max_celsius: Option<f32>,
    pub processes_total: Option<i64>,
    pub tcp_connections: Option<i64>,
}

pub fn latest(sample: &Sample) -> Latest {
    let fullest = sample.fullest_filesystem();
    let (load, memory) = (sample.known_load(), sample.known_memory());
    let (disk_read_bytes_per_s, disk_write_bytes_per_s) = sample.disk_bytes_per_s().unzip();
    let (network_rx_bytes_per_s, network_tx_bytes_per_s) = sample.network_bytes_per_s().unzip();
    Latest {
        at: sample.at,
        uptime_s: sample.uptime_s,
        cpu_usage_percent: sample.known_cpu().map(|cpu| cpu.usage_percent),
        load_1: load.map(|load| load.one),
        load_5: load.map(|load| load.five),
        load_15: load.map(|load| load.fifteen),
        memory_used_bytes: memory.map(|memory| memory.used_bytes),
        memory_total_bytes: memory.map(|memory| memory.total_bytes),
        swap_used_bytes: memory.map(|memory| memory.swap_used_bytes),
        swap_total_bytes: memory.map(|memory| memory.swap_total_bytes),
        disk_used_percent: fullest.map(|filesystem| two_decimals(filesystem.used_percent())),
        disk_used_mount: fullest.map(|filesystem| filesystem.mount.clone()),
        disk_read_bytes_per_s,
        disk_write_bytes_per_s,
        network_rx_bytes_per_s,
        network_tx_bytes_per_s,
        temperature_max_celsius: sample.temperature_max_celsius(),
        processes_total: sample.known_processes_total(),
        tcp_connections: sample.known_tcp_connections(),
    }
}

/// Finer than anyone can see, and short on the wire.
fn two_decimals(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use muster_schemas::telemetry::{Filesystem, Network, Sensor};

    use super::*;

    #[test]
    fn the_fullest_filesystem_the_hottest_sensor_and_the_outward_traffic_are_shown() {
        let filesystem = |mount: &str, used_bytes, available_bytes| Filesystem {
            mount: mount.into(),
            used_bytes,
            available_bytes,
            ..Filesystem::default()
        };
        let network = |interface: &str, rx_bytes_per_s| Network {
            interface: interface.into(),
            rx_bytes_per_s,
            ..Network::default()
        };
        let sample = Sample {
            filesystems: vec![filesystem("/", 1, 2), filesystem("/data", 2, 1)],
            networks: vec![network("lo", 1_000), network("eth0", 7), network("eth1", 3)],
            sensors: vec![
                Sensor { name: "a".into(), celsius: 40.0 },
                Sensor { name: "b".into(), celsius: 60.5 },
            ],
            ..Sample::default()
        };
        let latest = latest(&sample);
        assert_eq!(latest.disk_used_percent, Some(66.67));
        assert_eq!(latest.disk_used_mount.as_deref(), Some("/data"));
        assert_eq!(latest.network_rx_bytes_per_s, Some(10));
        assert_eq!(latest.temperature_max_celsius, Some(60.5));
    }

    #[test]
    fn what_a_host_does_not_have_is_null() {
        let latest = latest(&Sample::default());
        assert_eq!(latest.disk_used_percent, None);
        assert_eq!(latest.disk_used_mount, None);
        assert_eq!(latest.temperature_max_celsius, None);
        assert_eq!((latest.cpu_usage_percent, latest.memory_used_bytes), (None, None));
        assert_eq!((latest.network_rx_bytes_per_s, latest.tcp_connections), (None, None));
    }
}
