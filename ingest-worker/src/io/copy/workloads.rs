//! What runs on a host: processes, containers, and what its own scripts measure.

use muster_runtime::time::system_time;
use muster_schemas::telemetry::{Process, Sample};
use tokio_postgres::types::Type;
use tokio_postgres::{Error, Transaction};

use super::{Copy, Samples};

pub(super) async fn copy_processes(
    transaction: &Transaction<'_>,
    samples: &Samples<'_>,
) -> Result<u64, Error> {
    const TYPES: &[Type] = &[
        Type::TEXT,
        Type::TIMESTAMPTZ,
        Type::INT8,
        Type::TEXT,
        Type::FLOAT4,
        Type::INT8,
        Type::TEXT,
        Type::TEXT,
        Type::INT8,
        Type::INT8,
    ];
    let sql = "
        COPY process_samples (
            host_id, ts, pid, name, cpu_percent, memory_bytes, command, user_name, read_bytes_per_s, write_bytes_per_s
        ) FROM STDIN BINARY";
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
                &process.command,
                &process.user,
                &process.read_bytes_per_s,
                &process.write_bytes_per_s,
            ])
            .await?;
        }
    }
    copy.finish().await
}

/// All three lists, each process once.
fn top_processes(sample: &Sample) -> Vec<&Process> {
    let lists = &sample.processes;
    let mut found: Vec<&Process> = lists.top_cpu.iter().collect();
    for process in lists.top_memory.iter().chain(&lists.top_io) {
        if found.iter().all(|other| other.pid != process.pid) {
            found.push(process);
        }
    }
    found
}

pub(super) async fn copy_containers(
    transaction: &Transaction<'_>,
    samples: &Samples<'_>,
) -> Result<u64, Error> {
    const TYPES: &[Type] = &[
        Type::TEXT,
        Type::TIMESTAMPTZ,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::FLOAT4,
        Type::INT8,
        Type::INT8,
        Type::INT8,
        Type::INT8,
    ];
    let sql = "
        COPY container_samples (
            host_id, ts, container_id, name, image, state, health, cpu_percent, memory_bytes, memory_limit_bytes, rx_bytes_per_s, tx_bytes_per_s
        ) FROM STDIN BINARY";
    let mut copy = Copy::new(transaction, sql, TYPES);
    for (host, sample) in samples {
        for container in &sample.containers {
            copy.row(&[
                &host.as_str(),
                &system_time(sample.at),
                &container.id,
                &container.name,
                &container.image,
                &container.state,
                &container.health,
                &container.cpu_percent,
                &container.memory_bytes,
                &container.memory_limit_bytes,
                &container.rx_bytes_per_s,
                &container.tx_bytes_per_s,
            ])
            .await?;
        }
    }
    copy.finish().await
}

pub(super) async fn copy_custom(
    transaction: &Transaction<'_>,
    samples: &Samples<'_>,
) -> Result<u64, Error> {
    const TYPES: &[Type] =
        &[Type::TEXT, Type::TIMESTAMPTZ, Type::TEXT, Type::TEXT, Type::FLOAT8, Type::TEXT];
    let sql = "
        COPY custom_samples (
            host_id, ts, metric, instance, value, unit
        ) FROM STDIN BINARY";
    let mut copy = Copy::new(transaction, sql, TYPES);
    for (host, sample) in samples {
        for custom in &sample.custom {
            copy.row(&[
                &host.as_str(),
                &system_time(sample.at),
                &custom.name,
                &custom.instance,
                &custom.value,
                &custom.unit,
            ])
            .await?;
        }
    }
    copy.finish().await
}
