//! What some hosts have: sensors, fans, batteries, graphics processors, disks that tell of
//! themselves.

use muster_runtime::time::system_time;
use muster_schemas::telemetry::BatteryState;
use tokio_postgres::types::Type;
use tokio_postgres::{Error, Transaction};

use super::{Copy, Samples};

pub(super) async fn copy_sensors(
    transaction: &Transaction<'_>,
    samples: &Samples<'_>,
) -> Result<u64, Error> {
    const TYPES: &[Type] = &[Type::TEXT, Type::TIMESTAMPTZ, Type::TEXT, Type::FLOAT4];
    let sql = "
        COPY sensor_samples (
            host_id, ts, sensor, celsius
        ) FROM STDIN BINARY";
    let mut copy = Copy::new(transaction, sql, TYPES);
    for (host, sample) in samples {
        for sensor in &sample.sensors {
            copy.row(&[&host.as_str(), &system_time(sample.at), &sensor.name, &sensor.celsius])
                .await?;
        }
    }
    copy.finish().await
}

pub(super) async fn copy_fans(
    transaction: &Transaction<'_>,
    samples: &Samples<'_>,
) -> Result<u64, Error> {
    const TYPES: &[Type] = &[Type::TEXT, Type::TIMESTAMPTZ, Type::TEXT, Type::INT8];
    let sql = "
        COPY fan_samples (
            host_id, ts, fan, rpm
        ) FROM STDIN BINARY";
    let mut copy = Copy::new(transaction, sql, TYPES);
    for (host, sample) in samples {
        for fan in &sample.fans {
            copy.row(&[&host.as_str(), &system_time(sample.at), &fan.name, &fan.rpm]).await?;
        }
    }
    copy.finish().await
}

pub(super) async fn copy_batteries(
    transaction: &Transaction<'_>,
    samples: &Samples<'_>,
) -> Result<u64, Error> {
    const TYPES: &[Type] = &[Type::TEXT, Type::TIMESTAMPTZ, Type::TEXT, Type::FLOAT4, Type::TEXT];
    let sql = "
        COPY battery_samples (
            host_id, ts, battery, charge_percent, state
        ) FROM STDIN BINARY";
    let mut copy = Copy::new(transaction, sql, TYPES);
    for (host, sample) in samples {
        for battery in &sample.batteries {
            copy.row(&[
                &host.as_str(),
                &system_time(sample.at),
                &battery.name,
                &battery.charge_percent,
                &battery_state(battery.state),
            ])
            .await?;
        }
    }
    copy.finish().await
}

/// As on the wire.
fn battery_state(state: BatteryState) -> &'static str {
    match state {
        BatteryState::Unknown => "unknown",
        BatteryState::Charging => "charging",
        BatteryState::Discharging => "discharging",
        BatteryState::Full => "full",
        BatteryState::NotCharging => "not_charging",
    }
}

pub(super) async fn copy_gpus(
    transaction: &Transaction<'_>,
    samples: &Samples<'_>,
) -> Result<u64, Error> {
    const TYPES: &[Type] = &[
        Type::TEXT,
        Type::TIMESTAMPTZ,
        Type::TEXT,
        Type::TEXT,
        Type::FLOAT4,
        Type::INT8,
        Type::INT8,
        Type::FLOAT4,
        Type::FLOAT4,
    ];
    let sql = "
        COPY gpu_samples (
            host_id, ts, gpu, name, utilisation_percent, memory_used_bytes, memory_total_bytes, celsius, power_watts
        ) FROM STDIN BINARY";
    let mut copy = Copy::new(transaction, sql, TYPES);
    for (host, sample) in samples {
        for gpu in &sample.gpus {
            copy.row(&[
                &host.as_str(),
                &system_time(sample.at),
                &gpu.id,
                &gpu.name,
                &gpu.utilisation_percent,
                &gpu.memory_used_bytes,
                &gpu.memory_total_bytes,
                &gpu.celsius,
                &gpu.power_watts,
            ])
            .await?;
        }
    }
    copy.finish().await
}

pub(super) async fn copy_smart_disks(
    transaction: &Transaction<'_>,
    samples: &Samples<'_>,
) -> Result<u64, Error> {
    const TYPES: &[Type] = &[
        Type::TEXT,
        Type::TIMESTAMPTZ,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::BOOL,
        Type::FLOAT4,
        Type::INT8,
        Type::INT8,
        Type::FLOAT4,
    ];
    let sql = "
        COPY smart_samples (
            host_id, ts, device, model, serial, passed, celsius, power_on_hours, bad_sectors, wear_percent
        ) FROM STDIN BINARY";
    let mut copy = Copy::new(transaction, sql, TYPES);
    for (host, sample) in samples {
        for disk in &sample.smart_disks {
            copy.row(&[
                &host.as_str(),
                &system_time(sample.at),
                &disk.device,
                &disk.model,
                &disk.serial,
                &disk.passed,
                &disk.celsius,
                &disk.power_on_hours,
                &disk.bad_sectors,
                &disk.wear_percent,
            ])
            .await?;
        }
    }
    copy.finish().await
}
