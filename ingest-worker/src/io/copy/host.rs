//! What a host has once: one wide row a sample.

use std::sync::LazyLock;

use muster_runtime::time::system_time;
use muster_schemas::HostId;
use muster_schemas::telemetry::{Memory, Sample};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Transaction};

use super::{Copy, Samples};

const SQL: &str = "
        COPY host_samples (
            host_id, ts, uptime_s, cpu_usage_percent, cpu_cores_percent, load_one, load_five,
            load_fifteen, memory_total_bytes, memory_used_bytes, memory_available_bytes,
            swap_total_bytes, swap_used_bytes, disk_read_bytes_per_s, disk_write_bytes_per_s,
            network_rx_bytes_per_s, network_tx_bytes_per_s, network_rx_packets_per_s,
            network_tx_packets_per_s, tcp_connections, processes_total, temperature_max_celsius,
            cpu_user_percent, cpu_system_percent, cpu_iowait_percent, cpu_steal_percent,
            cpu_idle_percent, pressure_cpu_some_percent, pressure_memory_some_percent,
            pressure_memory_full_percent, pressure_io_some_percent, pressure_io_full_percent,
            cpu_frequency_mhz, memory_free_bytes, memory_buffers_bytes, memory_cached_bytes,
            memory_dirty_bytes, memory_huge_pages_total_bytes, memory_huge_pages_used_bytes,
            swap_in_bytes_per_s, swap_out_bytes_per_s, udp_sockets, tcp_time_wait, tcp_syn_sent,
            tcp_syn_received, tcp_fin_wait, tcp_close_wait, tcp_last_ack, tcp_listen,
            tcp_closing, file_descriptors_open, file_descriptors_max, processes_running,
            processes_sleeping, processes_blocked, processes_stopped, processes_zombie,
            processes_idle, services_active, services_failed
        ) FROM STDIN BINARY";

/// The types of those columns, and how many of each follow one another.
const RUNS: &[(Type, usize)] = &[
    (Type::TEXT, 1),
    (Type::TIMESTAMPTZ, 1),
    (Type::INT8, 1),
    (Type::FLOAT4, 1),
    (Type::FLOAT4_ARRAY, 1),
    (Type::FLOAT4, 3),
    (Type::INT8, 9),
    (Type::FLOAT4, 2),
    (Type::INT8, 2),
    (Type::FLOAT4, 1),
    (Type::FLOAT4, SHARES),
    (Type::INT8, COUNTS),
];

/// Columns that only some hosts fill: shares of time,
const SHARES: usize = 10;

/// and counts.
const COUNTS: usize = 28;

static TYPES: LazyLock<Vec<Type>> = LazyLock::new(|| {
    RUNS.iter().flat_map(|(of, count)| std::iter::repeat_n(of.clone(), *count)).collect()
});

pub(super) async fn copy_hosts(
    transaction: &Transaction<'_>,
    samples: &Samples<'_>,
) -> Result<u64, Error> {
    let mut copy = Copy::new(transaction, SQL, &TYPES);
    for (host, sample) in samples {
        copy_host(&mut copy, host, sample).await?;
    }
    copy.finish().await
}

async fn copy_host(copy: &mut Copy<'_>, host: &HostId, sample: &Sample) -> Result<(), Error> {
    let (cpu, load, memory) = (sample.known_cpu(), sample.known_load(), sample.known_memory());
    let usage = cpu.map(|cpu| cpu.usage_percent);
    let loads = [load.map(|load| load.one), load.map(|load| load.five), load.map(|l| l.fifteen)];
    let (name, at) = (host.as_str(), system_time(sample.at));
    let temperature = sample.temperature_max_celsius();
    let of_memory = memory_bytes(memory);
    let (disk_read, disk_write) = sample.disk_bytes_per_s().unzip();
    let (network_rx, network_tx) = sample.network_bytes_per_s().unzip();
    let (packets_rx, packets_tx) = sample.network_packets_per_s().unzip();
    let (connections, processes) = (sample.known_tcp_connections(), sample.known_processes_total());
    let (shares, counts) = (shares(sample), counts(sample));
    let mut row: Vec<&(dyn ToSql + Sync)> = Vec::with_capacity(TYPES.len());
    row.extend_from_slice(&[&name, &at, &sample.uptime_s, &usage, &sample.cpu.cores_percent]);
    row.extend(loads.iter().map(|load| load as &(dyn ToSql + Sync)));
    row.extend(of_memory.iter().map(|bytes| bytes as &(dyn ToSql + Sync)));
    row.extend_from_slice(&[
        &disk_read,
        &disk_write,
        &network_rx,
        &network_tx,
        &packets_rx,
        &packets_tx,
        &connections,
        &processes,
        &temperature,
    ]);
    row.extend(shares.iter().map(|share| share as &(dyn ToSql + Sync)));
    row.extend(counts.iter().map(|count| count as &(dyn ToSql + Sync)));
    copy.row(&row).await
}

/// Memory and swap.
fn memory_bytes(memory: Option<&Memory>) -> [Option<i64>; 5] {
    [
        memory.map(|memory| memory.total_bytes),
        memory.map(|memory| memory.used_bytes),
        memory.map(|memory| memory.available_bytes),
        memory.map(|memory| memory.swap_total_bytes),
        memory.map(|memory| memory.swap_used_bytes),
    ]
}

fn shares(sample: &Sample) -> [Option<f32>; SHARES] {
    let (modes, pressure) = (sample.cpu.modes, sample.pressure);
    [
        modes.map(|modes| modes.user_percent),
        modes.map(|modes| modes.system_percent),
        modes.map(|modes| modes.iowait_percent),
        modes.map(|modes| modes.steal_percent),
        modes.map(|modes| modes.idle_percent),
        pressure.map(|pressure| pressure.cpu_some_percent),
        pressure.map(|pressure| pressure.memory_some_percent),
        pressure.map(|pressure| pressure.memory_full_percent),
        pressure.map(|pressure| pressure.io_some_percent),
        pressure.map(|pressure| pressure.io_full_percent),
    ]
}

fn counts(sample: &Sample) -> [Option<i64>; COUNTS] {
    let (detail, swap) = (sample.memory.detail, sample.memory.swap_rates);
    let (sockets, states) = (sample.sockets, sample.processes.states);
    let (files, services) = (sample.file_descriptors, sample.services.as_ref());
    let tcp = sockets.and_then(|sockets| sockets.tcp);
    [
        sample.cpu.frequency_mhz,
        detail.map(|detail| detail.free_bytes),
        detail.map(|detail| detail.buffers_bytes),
        detail.map(|detail| detail.cached_bytes),
        detail.map(|detail| detail.dirty_bytes),
        detail.map(|detail| detail.huge_pages_total_bytes),
        detail.map(|detail| detail.huge_pages_used_bytes),
        swap.map(|rates| rates.in_bytes_per_s),
        swap.map(|rates| rates.out_bytes_per_s),
        sockets.map(|sockets| sockets.udp),
        sockets.map(|sockets| sockets.tcp_time_wait),
        tcp.map(|tcp| tcp.syn_sent),
        tcp.map(|tcp| tcp.syn_received),
        tcp.map(|tcp| tcp.fin_wait),
        tcp.map(|tcp| tcp.close_wait),
        tcp.map(|tcp| tcp.last_ack),
        tcp.map(|tcp| tcp.listen),
        tcp.map(|tcp| tcp.closing),
        files.map(|files| files.open),
        files.map(|files| files.max),
        states.map(|states| states.running),
        states.map(|states| states.sleeping),
        states.map(|states| states.blocked),
        states.map(|states| states.stopped),
        states.map(|states| states.zombie),
        states.map(|states| states.idle),
        services.map(|services| services.active),
        services.map(|services| services.failed),
    ]
}
