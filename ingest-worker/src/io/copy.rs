//! Samples as rows, by binary `COPY`, one table after the other.

use std::pin::Pin;

use muster_runtime::time::system_time;
use muster_schemas::telemetry::TelemetryFrame;
use muster_schemas::telemetry::{Process, Sample};
use muster_schemas::{Envelope, HostId};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Transaction};

type Row<'a> = [&'a (dyn ToSql + Sync)];

/// Writes all rows of the frames; answers how many.
pub async fn copy_frames(
    transaction: &Transaction<'_>,
    frames: &[&Envelope<TelemetryFrame>],
) -> Result<u64, Error> {
    let samples: Vec<(&HostId, &Sample)> = frames
        .iter()
        .flat_map(|frame| frame.body.samples.iter().map(|sample| (&frame.host, sample)))
        .collect();
    let mut rows = copy_hosts(transaction, &samples).await?;
    rows += copy_filesystems(transaction, &samples).await?;
    rows += copy_disks(transaction, &samples).await?;
    rows += copy_networks(transaction, &samples).await?;
    rows += copy_sensors(transaction, &samples).await?;
    rows += copy_processes(transaction, &samples).await?;
    Ok(rows)
}

/// One open `COPY`. It is begun with the first row, so that a table without rows costs nothing.
struct Copy<'t> {
    transaction: &'t Transaction<'t>,
    sql: &'static str,
    types: &'static [Type],
    writer: Option<Pin<Box<BinaryCopyInWriter>>>,
}

impl<'t> Copy<'t> {
    fn new(transaction: &'t Transaction<'t>, sql: &'static str, types: &'static [Type]) -> Self {
        Self { transaction, sql, types, writer: None }
    }

    async fn row(&mut self, values: &Row<'_>) -> Result<(), Error> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let sink = self.transaction.copy_in(self.sql).await?;
                none.insert(Box::pin(BinaryCopyInWriter::new(sink, self.types)))
            }
        };
        writer.as_mut().write(values).await
    }

    async fn finish(self) -> Result<u64, Error> {
        match self.writer {
            Some(mut writer) => writer.as_mut().finish().await,
            None => Ok(0),
        }
    }
}

async fn copy_hosts(
    transaction: &Transaction<'_>,
    samples: &[(&HostId, &Sample)],
) -> Result<u64, Error> {
    const TYPES: &[Type] = &[
        Type::TEXT,
        Type::TIMESTAMPTZ,
        Type::INT8,
        Type::FLOAT4,
        Type::FLOAT4_ARRAY,
        Type::FLOAT4,
        Type::FLOAT4,
        Type::FLOAT4,
        Type::INT8,
        Type::INT8,
        Type::INT8,
        Type::INT8,
        Type::INT8,
        Type::INT8,
        Type::INT8,
        Type::INT8,
        Type::INT8,
        Type::FLOAT4,
        Type::FLOAT4,
        Type::INT8,
        Type::INT8,
        Type::FLOAT4,
    ];
    let sql = "
        COPY host_samples (
            host_id, ts, uptime_s, cpu_usage_percent, cpu_cores_percent, load_one, load_five,
            load_fifteen, memory_total_bytes, memory_used_bytes, memory_available_bytes,
            swap_total_bytes, swap_used_bytes, disk_read_bytes_per_s, disk_write_bytes_per_s,
            network_rx_bytes_per_s, network_tx_bytes_per_s, network_rx_packets_per_s,
            network_tx_packets_per_s, tcp_connections, processes_total, temperature_max_celsius
        ) FROM STDIN BINARY";
    let mut copy = Copy::new(transaction, sql, TYPES);
    for (host, sample) in samples {
        copy_host(&mut copy, host, sample).await?;
    }
    copy.finish().await
}

async fn copy_host(copy: &mut Copy<'_>, host: &HostId, sample: &Sample) -> Result<(), Error> {
    let Sample { cpu, load, memory, .. } = sample;
    let (disk_read, disk_write) = sample.disk_bytes_per_s();
    let (network_rx, network_tx) = sample.network_bytes_per_s();
    let (packets_rx, packets_tx) = sample.network_packets_per_s();
    copy.row(&[
        &host.as_str(),
        &system_time(sample.at),
        &sample.uptime_s,
        &cpu.usage_percent,
        &cpu.cores_percent,
        &load.one,
        &load.five,
        &load.fifteen,
        &memory.total_bytes,
        &memory.used_bytes,
        &memory.available_bytes,
        &memory.swap_total_bytes,
        &memory.swap_used_bytes,
        &disk_read,
        &disk_write,
        &network_rx,
        &network_tx,
        &packets_rx,
        &packets_tx,
        &sample.tcp_connections,
        &sample.processes.total,
        &sample.temperature_max_celsius(),
    ])
    .await
}

async fn copy_filesystems(
    transaction: &Transaction<'_>,
    samples: &[(&HostId, &Sample)],
) -> Result<u64, Error> {
    const TYPES: &[Type] = &[
        Type::TEXT,
        Type::TIMESTAMPTZ,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::INT8,
        Type::INT8,
        Type::INT8,
    ];
    let sql = "
        COPY filesystem_samples (
            host_id, ts, mount, device, fs_type, total_bytes, used_bytes, available_bytes
        ) FROM STDIN BINARY";
    let mut copy = Copy::new(transaction, sql, TYPES);
    for (host, sample) in samples {
        for filesystem in &sample.filesystems {
            copy.row(&[
                &host.as_str(),
                &system_time(sample.at),
                &filesystem.mount,
                &filesystem.device,
                &filesystem.fs_type,
                &filesystem.total_bytes,
                &filesystem.used_bytes,
                &filesystem.available_bytes,
            ])
            .await?;
        }
    }
    copy.finish().await
}

async fn copy_disks(
    transaction: &Transaction<'_>,
    samples: &[(&HostId, &Sample)],
) -> Result<u64, Error> {
    const TYPES: &[Type] = &[
        Type::TEXT,
        Type::TIMESTAMPTZ,
        Type::TEXT,
        Type::INT8,
        Type::INT8,
        Type::FLOAT4,
        Type::FLOAT4,
    ];
    let sql = "
        COPY disk_samples (
            host_id, ts, device, read_bytes_per_s, write_bytes_per_s, reads_per_s, writes_per_s
        ) FROM STDIN BINARY";
    let mut copy = Copy::new(transaction, sql, TYPES);
    for (host, sample) in samples {
        for disk in &sample.disks {
            copy.row(&[
                &host.as_str(),
                &system_time(sample.at),
                &disk.device,
                &disk.read_bytes_per_s,
                &disk.write_bytes_per_s,
                &disk.reads_per_s,
                &disk.writes_per_s,
            ])
            .await?;
        }
    }
    copy.finish().await
}

async fn copy_networks(
    transaction: &Transaction<'_>,
    samples: &[(&HostId, &Sample)],
) -> Result<u64, Error> {
    const TYPES: &[Type] = &[
        Type::TEXT,
        Type::TIMESTAMPTZ,
        Type::TEXT,
        Type::INT8,
        Type::INT8,
        Type::FLOAT4,
        Type::FLOAT4,
        Type::FLOAT4,
        Type::FLOAT4,
    ];
    let sql = "
        COPY network_samples (
            host_id, ts, interface, rx_bytes_per_s, tx_bytes_per_s, rx_packets_per_s,
            tx_packets_per_s, rx_errors_per_s, tx_errors_per_s
        ) FROM STDIN BINARY";
    let mut copy = Copy::new(transaction, sql, TYPES);
    for (host, sample) in samples {
        for network in &sample.networks {
            copy.row(&[
                &host.as_str(),
                &system_time(sample.at),
                &network.interface,
                &network.rx_bytes_per_s,
                &network.tx_bytes_per_s,
                &network.rx_packets_per_s,
                &network.tx_packets_per_s,
                &network.rx_errors_per_s,
                &network.tx_errors_per_s,
            ])
            .await?;
        }
    }
    copy.finish().await
}

async fn copy_sensors(
    transaction: &Transaction<'_>,
    samples: &[(&HostId, &Sample)],
) -> Result<u64, Error> {
    const TYPES: &[Type] = &[Type::TEXT, Type::TIMESTAMPTZ, Type::TEXT, Type::FLOAT4];
    let sql = "COPY sensor_samples (host_id, ts, sensor, celsius) FROM STDIN BINARY";
    let mut copy = Copy::new(transaction, sql, TYPES);
    for (host, sample) in samples {
        for sensor in &sample.sensors {
            let at = system_time(sample.at);
            copy.row(&[&host.as_str(), &at, &sensor.name, &sensor.celsius]).await?;
        }
    }
    copy.finish().await
}

async fn copy_processes(
    transaction: &Transaction<'_>,
    samples: &[(&HostId, &Sample)],
) -> Result<u64, Error> {
    const TYPES: &[Type] =
        &[Type::TEXT, Type::TIMESTAMPTZ, Type::INT8, Type::TEXT, Type::FLOAT4, Type::INT8];
    let sql = "
        COPY process_samples (host_id, ts, pid, name, cpu_percent, memory_bytes)
        FROM STDIN BINARY";
    let mut copy = Copy::new(transaction, sql, TYPES);
    for (host, sample) in samples {
        for process in top_processes(sample) {
            copy.row(&[
                &host.as_str(),
                &system_time(sample.at),
                &process.pid,
                &process.name,
                &process.cpu_percent,
                &process.memory_bytes,
            ])
            .await?;
        }
    }
    copy.finish().await
}

/// Both lists, each process once.
fn top_processes(sample: &Sample) -> impl Iterator<Item = &Process> {
    let by_cpu = &sample.processes.top_cpu;
    let only_by_memory = sample
        .processes
        .top_memory
        .iter()
        .filter(|process| by_cpu.iter().all(|other| other.pid != process.pid));
    by_cpu.iter().chain(only_by_memory)
}
