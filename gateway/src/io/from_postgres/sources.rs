//! Which table and which expression a metric is read from; the catalogue itself is in `schemas`.

/// A table of samples, as it stands after `FROM`, and what tells its instances apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    Hosts,
    Cores,
    Filesystems,
    Disks,
    Networks,
    Sensors,
}

impl Table {
    pub(super) fn from(self) -> &'static str {
        match self {
            Self::Hosts => "host_samples",
            Self::Cores => {
                "host_samples, unnest(cpu_cores_percent) WITH ORDINALITY AS core (percent, number)"
            }
            Self::Filesystems => "filesystem_samples",
            Self::Disks => "disk_samples",
            Self::Networks => "network_samples",
            Self::Sensors => "sensor_samples",
        }
    }

    /// An expression of type text; NULL where a host has one series only.
    pub(super) fn instance(self) -> &'static str {
        match self {
            Self::Hosts => "NULL::text",
            Self::Cores => "(core.number - 1)::text",
            Self::Filesystems => "mount",
            Self::Disks => "device",
            Self::Networks => "interface",
            Self::Sensors => "sensor",
        }
    }
}

/// Where a metric of the catalogue is found.
pub(super) fn source(metric: &str) -> Option<(Table, &'static str)> {
    of_host(metric).map(|expression| (Table::Hosts, expression)).or_else(|| of_instance(metric))
}

fn of_host(metric: &str) -> Option<&'static str> {
    Some(match metric {
        "cpu.usage_percent" => "cpu_usage_percent",
        "load.one" => "load_one",
        "load.five" => "load_five",
        "load.fifteen" => "load_fifteen",
        "memory.used_percent" => {
            "coalesce(memory_used_bytes * 100.0 / nullif(memory_total_bytes, 0), 0)"
        }
        "memory.used_bytes" => "memory_used_bytes",
        "memory.available_bytes" => "memory_available_bytes",
        "memory.total_bytes" => "memory_total_bytes",
        "swap.used_percent" => "coalesce(swap_used_bytes * 100.0 / nullif(swap_total_bytes, 0), 0)",
        "swap.used_bytes" => "swap_used_bytes",
        "disk.read_bytes_per_s" => "disk_read_bytes_per_s",
        "disk.write_bytes_per_s" => "disk_write_bytes_per_s",
        "network.rx_bytes_per_s" => "network_rx_bytes_per_s",
        "network.tx_bytes_per_s" => "network_tx_bytes_per_s",
        "network.rx_packets_per_s" => "network_rx_packets_per_s",
        "network.tx_packets_per_s" => "network_tx_packets_per_s",
        "tcp.connections" => "tcp_connections",
        "processes.total" => "processes_total",
        "temperature.max_celsius" => "temperature_max_celsius",
        "uptime_s" => "uptime_s",
        _ => return None,
    })
}

fn of_instance(metric: &str) -> Option<(Table, &'static str)> {
    Some(match metric {
        "cpu.core_percent" => (Table::Cores, "core.percent"),
        "filesystem.used_percent" => (
            Table::Filesystems,
            "coalesce(used_bytes * 100.0 / nullif(used_bytes + available_bytes, 0), 0)",
        ),
        "filesystem.used_bytes" => (Table::Filesystems, "used_bytes"),
        "disk_device.read_bytes_per_s" => (Table::Disks, "read_bytes_per_s"),
        "disk_device.write_bytes_per_s" => (Table::Disks, "write_bytes_per_s"),
        "interface.rx_bytes_per_s" => (Table::Networks, "rx_bytes_per_s"),
        "interface.tx_bytes_per_s" => (Table::Networks, "tx_bytes_per_s"),
        "sensor.celsius" => (Table::Sensors, "celsius"),
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
