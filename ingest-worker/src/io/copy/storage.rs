//! Filesystems, disks and network interfaces.

use muster_runtime::time::system_time;
use tokio_postgres::types::Type;
use tokio_postgres::{Error, Transaction};

use super::{Copy, Samples};

pub(super) async fn copy_filesystems(
    transaction: &Transaction<'_>,
    samples: &Samples<'_>,
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
        Type::INT8,
        Type::INT8,
        Type::BOOL,
    ];
    let sql = "
        COPY filesystem_samples (
            host_id, ts, mount, device, fs_type, total_bytes, used_bytes, available_bytes, inodes_total, inodes_used, read_only
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
                &filesystem.inodes.map(|inodes| inodes.total),
                &filesystem.inodes.map(|inodes| inodes.used),
                &filesystem.read_only,
            ])
            .await?;
        }
    }
    copy.finish().await
}

pub(super) async fn copy_disks(
    transaction: &Transaction<'_>,
    samples: &Samples<'_>,
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
        Type::FLOAT4,
        Type::FLOAT4,
    ];
    let sql = "
        COPY disk_samples (
            host_id, ts, device, read_bytes_per_s, write_bytes_per_s, reads_per_s, writes_per_s, read_await_ms, write_await_ms, queue_length, utilisation_percent
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
                &disk.times.map(|times| times.read_await_ms),
                &disk.times.map(|times| times.write_await_ms),
                &disk.times.map(|times| times.queue_length),
                &disk.times.map(|times| times.utilisation_percent),
            ])
            .await?;
        }
    }
    copy.finish().await
}

pub(super) async fn copy_networks(
    transaction: &Transaction<'_>,
    samples: &Samples<'_>,
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
        Type::FLOAT4,
        Type::FLOAT4,
    ];
    let sql = "
        COPY network_samples (
            host_id, ts, interface, rx_bytes_per_s, tx_bytes_per_s, rx_packets_per_s, tx_packets_per_s, rx_errors_per_s, tx_errors_per_s, rx_drops_per_s, tx_drops_per_s
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
                &network.rx_drops_per_s,
                &network.tx_drops_per_s,
            ])
            .await?;
        }
    }
    copy.finish().await
}
