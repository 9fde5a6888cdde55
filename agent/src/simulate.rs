//! Many hosts in one process: synthetic values through the agent's own recorder and sender.
//!
//! Each simulated host has its own journal, so that a simulation that is stopped and started again
//! goes on with its sequence numbers.

use std::sync::Arc;

use anyhow::{Context, Result};
use muster_nats::{BusOptions, connect};
use muster_runtime::time::now_ms;
use muster_schemas::HostId;
use muster_schemas::numbers::round_fraction;
use muster_schemas::telemetry::{
    Cpu, Disk, Filesystem, Load, Memory, Network, Process, Processes, Sample,
};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::config::Config;
use crate::io::journal::JournalOptions;
use crate::io::to_bus::send_journal;
use crate::recorder::Recorder;
use crate::service::{heartbeat, journal_options, publish_context};

/// What one process simulates at the most: each host has a journal and a task.
pub const HOSTS_MAX: usize = 20_000;

const ROLES: [&str; 5] = ["web", "db", "cache", "worker", "edge"];

const GIB: i64 = 1 << 30;

pub async fn run(config: Config, hosts: usize, stop: CancellationToken) -> Result<()> {
    anyhow::ensure!(hosts <= HOSTS_MAX, "--hosts is {hosts}, allowed: 0 to {HOSTS_MAX}");
    let bus = connect(BusOptions {
        url: config.nats_url.clone(),
        credentials: config.nats_credentials.clone(),
        name: format!("muster-agent simulate {hosts}"),
        inbox_prefix: None,
        connected: None,
    })
    .await?;
    let stream = publish_context(&bus);
    let mut tasks = JoinSet::new();
    for number in 1..=hosts {
        let host = simulated_host_id(number);
        let directory = config.state_dir.join("simulated").join(host.as_str());
        let options = JournalOptions { durable: false, ..journal_options(&config) };
        let recorder = Arc::new(Recorder::open(host, &directory, options, now_ms())?);
        tasks.spawn(send_journal(recorder.clone(), stream.clone(), stop.clone()));
        tasks.spawn(live_on(recorder, number as u64, config.clone(), stop.clone()));
    }
    info!(hosts, "simulating {hosts} hosts");
    while let Some(ended) = tasks.join_next().await {
        ended.context("a simulated host failed")?;
    }
    Ok(())
}

pub fn simulated_host_id(number: usize) -> HostId {
    let role = ROLES[number % ROLES.len()];
    format!("sim-{role}-{number:04}").parse().expect("lower case, digits and hyphens")
}

/// One host's days: each starts at its own moment, so that they do not all speak at once.
async fn live_on(recorder: Arc<Recorder>, seed: u64, config: Config, stop: CancellationToken) {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut host = SyntheticHost::new(seed, &mut random);
    let offset = config.sample_interval.mul_f64(random.random_range(0.0..1.0));
    let started = Instant::now();
    let mut samples = interval_at(started + offset, config.sample_interval);
    let mut beats = interval_at(started + offset, config.heartbeat_interval);
    samples.set_missed_tick_behavior(MissedTickBehavior::Skip);
    beats.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut frame_due = started;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = beats.tick() => {
                recorder.record_heartbeat(now_ms(), |journal| {
                    heartbeat(journal, config.heartbeat_interval, started)
                });
            }
            _ = samples.tick() => {
                recorder.record_sample(host.sample(now_ms(), &mut random), now_ms());
                if Instant::now() >= frame_due {
                    recorder.close_frame(now_ms());
                    recorder.maintain(now_ms());
                    frame_due = Instant::now() + config.publish_interval
                        - config.sample_interval / 2;
                }
            }
        }
    }
    recorder.close_frame(now_ms());
}

/// Values that wander: a level of its own, a daily wave, and noise.
pub struct SyntheticHost {
    booted_at: i64,
    cores: usize,
    memory_total: i64,
    disk_total: i64,
    disk_used: f64,
    cpu_level: f64,
    memory_level: f64,
    traffic: f64,
}

impl SyntheticHost {
    pub fn new(seed: u64, random: &mut SmallRng) -> Self {
        let cores = 1 << random.random_range(1..5);
        Self {
            booted_at: now_ms() - random.random_range(3_600_000..8_640_000_000i64),
            cores,
            memory_total: GIB * cores as i64 * 4,
            disk_total: GIB * random.random_range(40..2000),
            // A few hosts are nearly full, as in any fleet.
            disk_used: if seed % 17 == 3 { 0.93 } else { random.random_range(0.1..0.8) },
            cpu_level: random.random_range(2.0..45.0),
            memory_level: random.random_range(0.2..0.85),
            traffic: random.random_range(1e3..5e6),
        }
    }

    pub fn sample(&mut self, now: i64, random: &mut SmallRng) -> Sample {
        let hour = (now % 86_400_000) as f64 / 3_600_000.0;
        let wave = 1.0 + 0.3 * ((hour - 14.0) / 24.0 * std::f64::consts::TAU).cos();
        let mut noise = |spread: f64| 1.0 + random.random_range(-spread..spread);
        self.cpu_level = (self.cpu_level * noise(0.08)).clamp(0.5, 95.0);
        self.memory_level = (self.memory_level * noise(0.01)).clamp(0.1, 0.97);
        self.traffic = (self.traffic * noise(0.15)).clamp(100.0, 1e8);
        let usage = (self.cpu_level * wave).min(100.0);
        let cores = (0..self.cores).map(|_| round_fraction((usage * noise(0.4)).min(100.0)));
        let cpu = Cpu {
            usage_percent: round_fraction(usage),
            cores_percent: cores.collect(),
            ..Cpu::default()
        };
        let (rx, tx) = ((self.traffic * wave) as i64, (self.traffic * 0.6 * noise(0.2)) as i64);
        let runnable = usage / 100.0 * self.cores as f64;
        Sample {
            at: now,
            uptime_s: (now - self.booted_at) / 1000,
            cpu,
            load: Load {
                one: round_fraction(runnable * noise(0.2)),
                five: round_fraction(runnable * noise(0.1)),
                fifteen: round_fraction(runnable),
            },
            memory: self.memory(),
            filesystems: vec![self.filesystem()],
            disks: vec![Disk {
                device: "vda".into(),
                read_bytes_per_s: (rx / 20) & !511,
                write_bytes_per_s: (rx / 7) & !511,
                reads_per_s: round_fraction(rx as f64 / 1e5),
                writes_per_s: round_fraction(rx as f64 / 4e4),
                ..Disk::default()
            }],
            networks: vec![network("eth0", rx, tx), network("lo", 1200, 1200)],
            tcp_connections: (usage * 3.0) as i64 + 4,
            processes: self.processes(usage),
            ..Sample::default()
        }
    }

    fn memory(&self) -> Memory {
        let used_bytes = ((self.memory_total as f64 * self.memory_level) as i64) & !4095;
        Memory {
            total_bytes: self.memory_total,
            used_bytes,
            available_bytes: self.memory_total - used_bytes,
            swap_total_bytes: 2 * GIB,
            swap_used_bytes: 0,
            ..Memory::default()
        }
    }

    fn filesystem(&mut self) -> Filesystem {
        self.disk_used = (self.disk_used + 1e-7).min(0.99);
        let used_bytes = ((self.disk_total as f64 * self.disk_used) as i64) & !4095;
        Filesystem {
            mount: "/".into(),
            device: "/dev/vda1".into(),
            fs_type: "ext4".into(),
            total_bytes: self.disk_total,
            used_bytes,
            available_bytes: self.disk_total - used_bytes,
            ..Filesystem::default()
        }
    }

    fn processes(&self, usage: f64) -> Processes {
        let names = ["postgres", "nginx", "node", "java", "sshd"];
        let process = |(rank, name): (usize, &&str)| Process {
            pid: 400 + rank as i64 * 37,
            name: (*name).to_owned(),
            cpu_percent: round_fraction(usage * self.cores as f64 / (rank + 2) as f64),
            memory_bytes: (self.memory_total / (8 * (rank as i64 + 1))) & !4095,
            ..Process::default()
        };
        let top: Vec<Process> = names.iter().enumerate().map(process).collect();
        Processes {
            total: 120 + usage as i64,
            top_cpu: top.clone(),
            top_memory: top,
            ..Processes::default()
        }
    }
}

fn network(interface: &str, rx: i64, tx: i64) -> Network {
    Network {
        interface: interface.into(),
        rx_bytes_per_s: rx,
        tx_bytes_per_s: tx,
        rx_packets_per_s: round_fraction(rx as f64 / 900.0),
        tx_packets_per_s: round_fraction(tx as f64 / 700.0),
        rx_errors_per_s: 0.0,
        tx_errors_per_s: 0.0,
        ..Network::default()
    }
}
