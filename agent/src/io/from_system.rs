//! One look at this host, with `sysinfo` and `/proc`.
//!
//! A collector remembers its last readings: rates and shares are over the time between two of its
//! samples. The live view has a collector of its own for that reason.

use std::time::Instant;

use anyhow::{Context, Result};
use muster_runtime::time::{duration_ms, now_ms};
use muster_schemas::numbers::round_fraction;
use muster_schemas::telemetry::{Cpu, Load, Memory, Process, Sample, Sensor};
use sysinfo::{
    Components, CpuRefreshKind, MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, System,
};

use crate::io::proc_files;
use crate::logic::rates::{Counters, DiskCounters, NetworkCounters, disk_rates, network_rates};
use crate::logic::top::top_processes;

pub struct Collector {
    system: System,
    /// `None` where the kernel shows no sensors.
    components: Option<Components>,
    disks: Counters<DiskCounters>,
    networks: Counters<NetworkCounters>,
    read_at: Instant,
}

impl Collector {
    /// Takes the first readings, from which the first sample is reckoned.
    pub fn start() -> Result<Self> {
        let mut collector = Self {
            system: System::new().context("this system cannot be read")?,
            components: Components::new_with_refreshed_list().ok(),
            disks: proc_files::disk_counters(),
            networks: proc_files::network_counters(),
            read_at: Instant::now(),
        };
        collector.refresh();
        Ok(collector)
    }

    /// Blocks for a few milliseconds while it reads.
    pub fn sample(&mut self) -> Sample {
        let disks_before = std::mem::replace(&mut self.disks, proc_files::disk_counters());
        let networks_before = std::mem::replace(&mut self.networks, proc_files::network_counters());
        let elapsed_ms = duration_ms(self.read_at.elapsed());
        self.read_at = Instant::now();
        self.refresh();
        Sample {
            at: now_ms(),
            uptime_s: System::uptime().map_or(0, |s| i64::try_from(s).unwrap_or(i64::MAX)),
            cpu: self.cpu(),
            load: load(),
            memory: self.memory(),
            filesystems: proc_files::filesystems(),
            disks: disk_rates(&disks_before, &self.disks, elapsed_ms),
            networks: network_rates(&networks_before, &self.networks, elapsed_ms),
            tcp_connections: proc_files::tcp_connections(),
            processes: top_processes(self.processes()),
            sensors: self.sensors(),
        }
    }

    fn refresh(&mut self) {
        self.system.refresh_cpu_specifics(CpuRefreshKind::nothing().with_usage());
        self.system.refresh_memory_specifics(MemoryRefreshKind::everything());
        self.system.refresh_processes_specifics(
            ProcessesToUpdate::All,
            true,
            ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks(),
        );
        if let Some(components) = &mut self.components {
            components.refresh(false);
        }
    }

    fn cpu(&self) -> Cpu {
        let share = |percent: f32| round_fraction(f64::from(percent.clamp(0.0, 100.0)));
        Cpu {
            usage_percent: share(self.system.global_cpu_usage()),
            cores_percent: self.system.cpus().iter().map(|core| share(core.usage())).collect(),
        }
    }

    fn memory(&self) -> Memory {
        let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let total_bytes = bytes(self.system.total_memory());
        let available_bytes = bytes(self.system.available_memory());
        Memory {
            total_bytes,
            used_bytes: total_bytes.saturating_sub(available_bytes).max(0),
            available_bytes,
            swap_total_bytes: bytes(self.system.total_swap()),
            swap_used_bytes: bytes(self.system.used_swap()),
        }
    }

    fn processes(&self) -> Vec<Process> {
        self.system
            .processes()
            .values()
            .map(|process| Process {
                pid: i64::from(process.pid().as_u32()),
                name: process.name().to_string_lossy().replace('\0', ""),
                cpu_percent: round_fraction(f64::from(process.cpu_usage().max(0.0))),
                memory_bytes: i64::try_from(process.memory()).unwrap_or(i64::MAX),
            })
            .collect()
    }

    fn sensors(&self) -> Vec<Sensor> {
        let components = self.components.iter().flat_map(|components| components.iter());
        components
            .filter_map(|component| {
                let celsius = component.temperature().filter(|celsius| celsius.is_finite())?;
                let name = component.label().to_owned();
                Some(Sensor { name, celsius: round_fraction(f64::from(celsius)) })
            })
            .collect()
    }
}

fn load() -> Load {
    let Ok(average) = System::load_average() else { return Load::default() };
    Load {
        one: round_fraction(average.one),
        five: round_fraction(average.five),
        fifteen: round_fraction(average.fifteen),
    }
}

#[cfg(test)]
mod tests {
    use muster_schemas::Durable;
    use muster_schemas::telemetry::TelemetryFrame;

    use super::*;

    #[test]
    fn this_machine_agrees_with_proc() {
        let mut collector = Collector::start().unwrap();
        let sample = collector.sample();
        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
        let total_kib: i64 = meminfo
            .lines()
            .find_map(|line| line.strip_prefix("MemTotal:"))
            .and_then(|rest| rest.split_ascii_whitespace().next())
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(sample.memory.total_bytes, total_kib * 1024);
        let cores = std::thread::available_parallelism().unwrap().get();
        assert!(sample.cpu.cores_percent.len() >= cores);
        assert!(sample.processes.total >= 1);
        assert!(sample.processes.top_memory.iter().all(|process| process.memory_bytes > 0));
        let now = now_ms();
        TelemetryFrame { samples: vec![sample] }.check(now).unwrap();
    }
}
