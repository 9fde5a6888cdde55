//! Samples: their rows, and the newest of each host.

use std::collections::BTreeMap;

use muster_runtime::time::system_time;
use muster_schemas::telemetry::{Sample, TelemetryFrame};
use muster_schemas::{Envelope, HostId};
use tokio_postgres::{Error, Transaction};

use super::Write;
use crate::io::copy::copy_frames;

impl Write for TelemetryFrame {
    const IS_ROLLED_UP: bool = true;

    fn times(&self) -> Vec<i64> {
        self.samples.iter().map(|sample| sample.at).collect()
    }

    async fn write(transaction: &Transaction<'_>, batch: &[&Envelope<Self>]) -> Result<u64, Error> {
        // Half of what a row costs the database is its place in the index, which goes by host and
        // time: neighbours there should come one after the other. So they do on disk then, and a
        // query for one host reads fewer pages.
        let mut ordered = batch.to_vec();
        ordered.sort_unstable_by(|a, b| (&a.host, a.seq).cmp(&(&b.host, b.seq)));
        let rows = copy_frames(transaction, &ordered).await?;
        update_latest(transaction, batch).await?;
        Ok(rows)
    }
}

/// Hosts in order, so that two workers lock the same rows in the same order.
async fn update_latest(
    transaction: &Transaction<'_>,
    batch: &[&Envelope<TelemetryFrame>],
) -> Result<(), Error> {
    let mut newest: BTreeMap<&HostId, &Sample> = BTreeMap::new();
    for frame in batch {
        for sample in &frame.body.samples {
            let known = newest.entry(&frame.host).or_insert(sample);
            if known.at < sample.at {
                *known = sample;
            }
        }
    }
    let hosts: Vec<&str> = newest.keys().map(|host| host.as_str()).collect();
    let times: Vec<_> = newest.values().map(|sample| system_time(sample.at)).collect();
    let samples: Vec<String> = newest
        .values()
        .map(|sample| serde_json::to_string(sample).expect("a sample is plain data"))
        .collect();
    let sql = "
        INSERT INTO host_latest (host_id, ts, sample)
        SELECT host_id, ts, sample::json
        FROM unnest($1::text[], $2::timestamptz[], $3::text[]) AS u (host_id, ts, sample)
        ON CONFLICT (host_id) DO UPDATE
        SET ts = excluded.ts, sample = excluded.sample, received_at = now()
        WHERE host_latest.ts <= excluded.ts";
    transaction.execute(sql, &[&hosts, &times, &samples]).await?;
    Ok(())
}
