//! Rows by binary `COPY`, one table after the other.

mod hardware;
mod host;
mod logs;
mod storage;
mod workloads;

use std::pin::Pin;

use muster_schemas::telemetry::{Sample, TelemetryFrame};
use muster_schemas::{Envelope, HostId};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Transaction};

pub use logs::copy_lines;

type Row<'a> = [&'a (dyn ToSql + Sync)];

/// The samples of a batch and whose they are.
type Samples<'a> = [(&'a HostId, &'a Sample)];

/// Writes all rows of the frames; answers how many.
pub async fn copy_frames(
    transaction: &Transaction<'_>,
    frames: &[&Envelope<TelemetryFrame>],
) -> Result<u64, Error> {
    let samples: Vec<(&HostId, &Sample)> = frames
        .iter()
        .flat_map(|frame| frame.body.samples.iter().map(|sample| (&frame.host, sample)))
        .collect();
    let mut rows = host::copy_hosts(transaction, &samples).await?;
    rows += storage::copy_filesystems(transaction, &samples).await?;
    rows += storage::copy_disks(transaction, &samples).await?;
    rows += storage::copy_networks(transaction, &samples).await?;
    rows += hardware::copy_sensors(transaction, &samples).await?;
    rows += hardware::copy_fans(transaction, &samples).await?;
    rows += hardware::copy_batteries(transaction, &samples).await?;
    rows += hardware::copy_gpus(transaction, &samples).await?;
    rows += hardware::copy_smart_disks(transaction, &samples).await?;
    rows += workloads::copy_processes(transaction, &samples).await?;
    rows += workloads::copy_containers(transaction, &samples).await?;
    rows += workloads::copy_custom(transaction, &samples).await?;
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
