//! Which table and which number of it a metric is read from; the catalogue itself is in `schemas`,
//! and what numbers buckets have in its migration 0004.

use crate::logic::plan::Level;

/// A table of samples, its buckets, and what tells its instances apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    Hosts,
    Cores,
    Filesystems,
    Disks,
    Networks,
    Sensors,
    Fans,
    Batteries,
    Gpus,
    Smart,
    Containers,
}

impl Table {
    /// As it stands after `FROM`.
    pub(super) fn samples(self) -> &'static str {
        match self {
            Self::Cores => {
                "(SELECT host_id, ts, (number - 1)::text AS core, percent FROM host_samples, \
                 unnest(cpu_cores_percent) WITH ORDINALITY AS each_core (percent, number)) AS cores"
            }
            _ => self.rollup(),
        }
    }

    /// The table that its samples are in.
    pub(super) fn name(self) -> &'static str {
        if self == Self::Cores { Self::Hosts.rollup() } else { self.rollup() }
    }

    /// The name of its buckets' tables, without the width.
    fn rollup(self) -> &'static str {
        match self {
            Self::Hosts => "host_samples",
            Self::Cores => "core_samples",
            Self::Filesystems => "filesystem_samples",
            Self::Disks => "disk_samples",
            Self::Networks => "network_samples",
            Self::Sensors => "sensor_samples",
            Self::Fans => "fan_samples",
            Self::Batteries => "battery_samples",
            Self::Gpus => "gpu_samples",
            Self::Smart => "smart_samples",
            Self::Containers => "container_samples",
        }
    }

    /// The table of its buckets; `None` where there are none of that width.
    pub(super) fn buckets(self, level: Level) -> Option<String> {
        match (self, level) {
            (_, Level::Samples) | (Self::Cores, Level::Minutes) => None,
            _ => Some(format!("{}_{}", self.rollup(), level.as_str())),
        }
    }

    /// A column of type text; NULL where a host has one series only.
    pub(super) fn instance(self) -> &'static str {
        match self {
            Self::Hosts => "NULL::text",
            Self::Cores => "core",
            Self::Filesystems => "mount",
            Self::Disks | Self::Smart => "device",
            Self::Networks => "interface",
            Self::Sensors => "sensor",
            Self::Fans => "fan",
            Self::Batteries => "battery",
            Self::Gpus => "gpu",
            Self::Containers => "name",
        }
    }
}

/// A figure of buckets as an expression over samples: most are columns of both.
pub(super) fn over_samples(table: Table, figure: &'static str) -> &'static str {
    match (table, figure) {
        (Table::Hosts, "memory_used_percent") => {
            "memory_used_bytes * 100.0 / nullif(memory_total_bytes, 0)"
        }
        (Table::Hosts, "swap_used_percent") => {
            "CASE WHEN swap_total_bytes = 0 THEN 0 \
             ELSE swap_used_bytes * 100.0 / swap_total_bytes END"
        }
        (Table::Filesystems, "used_percent") => {
            "coalesce(used_bytes * 100.0 / nullif(used_bytes::numeric + available_bytes, 0), 0)"
        }
        (Table::Filesystems, "inodes_used_percent") => {
            "inodes_used * 100.0 / nullif(inodes_total, 0)"
        }
        _ => figure,
    }
}

/// Where a metric of the catalogue is found: the table and the figure of its buckets.
pub(super) fn source(metric: &str) -> Option<(Table, &'static str)> {
    of_host(metric).map(|figure| (Table::Hosts, figure)).or_else(|| of_instance(metric))
}

fn of_host(metric: &str) -> Option<&'static str> {
    Some(match metric {
        "cpu.usage_percent" => "cpu_usage_percent",
        "cpu.user_percent" => "cpu_user_percent",
        "cpu.system_percent" => "cpu_system_percent",
        "cpu.iowait_percent" => "cpu_iowait_percent",
        "cpu.steal_percent" => "cpu_steal_percent",
        "cpu.idle_percent" => "cpu_idle_percent",
        "cpu.frequency_mhz" => "cpu_frequency_mhz",
        "load.one" => "load_one",
        "load.five" => "load_five",
        "load.fifteen" => "load_fifteen",
        "memory.used_percent" => "memory_used_percent",
        "memory.used_bytes" => "memory_used_bytes",
        "memory.available_bytes" => "memory_available_bytes",
        "memory.total_bytes" => "memory_total_bytes",
        "memory.buffers_bytes" => "memory_buffers_bytes",
        "memory.cached_bytes" => "memory_cached_bytes",
        "memory.dirty_bytes" => "memory_dirty_bytes",
        "memory.huge_pages_used_bytes" => "memory_huge_pages_used_bytes",
        "swap.used_percent" => "swap_used_percent",
        "swap.used_bytes" => "swap_used_bytes",
        "swap.in_bytes_per_s" => "swap_in_bytes_per_s",
        "swap.out_bytes_per_s" => "swap_out_bytes_per_s",
        "pressure.cpu_some_percent" => "pressure_cpu_some_percent",
        "pressure.memory_some_percent" => "pressure_memory_some_percent",
        "pressure.memory_full_percent" => "pressure_memory_full_percent",
        "pressure.io_some_percent" => "pressure_io_some_percent",
        "pressure.io_full_percent" => "pressure_io_full_percent",
        "disk.read_bytes_per_s" => "disk_read_bytes_per_s",
        "disk.write_bytes_per_s" => "disk_write_bytes_per_s",
        "network.rx_bytes_per_s" => "network_rx_bytes_per_s",
        "network.tx_bytes_per_s" => "network_tx_bytes_per_s",
        "network.rx_packets_per_s" => "network_rx_packets_per_s",
        "network.tx_packets_per_s" => "network_tx_packets_per_s",
        "tcp.connections" => "tcp_connections",
        "tcp.time_wait" => "tcp_time_wait",
        "tcp.listen" => "tcp_listen",
        "tcp.close_wait" => "tcp_close_wait",
        "udp.sockets" => "udp_sockets",
        "file_descriptors.open" => "file_descriptors_open",
        "processes.total" => "processes_total",
        "processes.running" => "processes_running",
        "processes.blocked" => "processes_blocked",
        "processes.zombie" => "processes_zombie",
        "services.active" => "services_active",
        "services.failed" => "services_failed",
        "temperature.max_celsius" => "temperature_max_celsius",
        "uptime_s" => "uptime_s",
        _ => return None,
    })
}

fn of_instance(metric: &str) -> Option<(Table, &'static str)> {
    Some(match metric {
        "cpu.core_percent" => (Table::Cores, "percent"),
        "filesystem.used_percent" => (Table::Filesystems, "used_percent"),
        "filesystem.used_bytes" => (Table::Filesystems, "used_bytes"),
        "filesystem.inodes_used_percent" => (Table::Filesystems, "inodes_used_percent"),
        "disk_device.read_bytes_per_s" => (Table::Disks, "read_bytes_per_s"),
        "disk_device.write_bytes_per_s" => (Table::Disks, "write_bytes_per_s"),
        "disk_device.reads_per_s" => (Table::Disks, "reads_per_s"),
        "disk_device.writes_per_s" => (Table::Disks, "writes_per_s"),
        "disk_device.read_await_ms" => (Table::Disks, "read_await_ms"),
        "disk_device.write_await_ms" => (Table::Disks, "write_await_ms"),
        "disk_device.queue_length" => (Table::Disks, "queue_length"),
        "disk_device.utilisation_percent" => (Table::Disks, "utilisation_percent"),
        "interface.rx_bytes_per_s" => (Table::Networks, "rx_bytes_per_s"),
        "interface.tx_bytes_per_s" => (Table::Networks, "tx_bytes_per_s"),
        "interface.rx_errors_per_s" => (Table::Networks, "rx_errors_per_s"),
        "interface.tx_errors_per_s" => (Table::Networks, "tx_errors_per_s"),
        "interface.rx_drops_per_s" => (Table::Networks, "rx_drops_per_s"),
        "interface.tx_drops_per_s" => (Table::Networks, "tx_drops_per_s"),
        "sensor.celsius" => (Table::Sensors, "celsius"),
        "fan.rpm" => (Table::Fans, "rpm"),
        "battery.charge_percent" => (Table::Batteries, "charge_percent"),
        "gpu.utilisation_percent" => (Table::Gpus, "utilisation_percent"),
        "gpu.memory_used_bytes" => (Table::Gpus, "memory_used_bytes"),
        "gpu.celsius" => (Table::Gpus, "celsius"),
        "gpu.power_watts" => (Table::Gpus, "power_watts"),
        "container.cpu_percent" => (Table::Containers, "cpu_percent"),
        "container.memory_bytes" => (Table::Containers, "memory_bytes"),
        "container.rx_bytes_per_s" => (Table::Containers, "rx_bytes_per_s"),
        "container.tx_bytes_per_s" => (Table::Containers, "tx_bytes_per_s"),
        "smart.celsius" => (Table::Smart, "celsius"),
        "smart.wear_percent" => (Table::Smart, "wear_percent"),
        "smart.bad_sectors" => (Table::Smart, "bad_sectors"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use muster_schemas::metrics::METRICS;

    use super::*;

    #[test]
    fn every_metric_of_the_catalogue_has_a_source_and_instances_where_it_says_so() {
        for metric in METRICS {
            let Some((table, _)) = source(metric.name) else {
                panic!("{} has no source", metric.name);
            };
            assert_eq!(metric.per_instance, table != Table::Hosts, "{}", metric.name);
        }
        assert_eq!(source("nonsense"), None);
    }
}
