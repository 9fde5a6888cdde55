//! What is written of each kind of message, inside the batch's transaction.

use std::collections::BTreeMap;

use muster_runtime::time::system_time;
use muster_schemas::signals::Heartbeat;
use muster_schemas::telemetry::{Sample, TelemetryFrame};
use muster_schemas::{Channel, Envelope, HostId};
use tokio_postgres::{Error, Transaction};

use crate::io::copy::copy_frames;
use crate::logic::intake::Storable;

/// A message that knows how it is stored.
pub trait Write: Storable {
    /// Times in ms since the Unix epoch for which partitions must be there.
    fn times(&self) -> Vec<i64>;

    /// Channels of the ledger that it speaks of, besides its own.
    fn announced(&self) -> Vec<Channel> {
        Vec::new()
    }

    /// Writes the batch but for the ledger; answers the number of rows.
    fn write(
        transaction: &Transaction<'_>,
        batch: &[&Envelope<Self>],
    ) -> impl Future<Output = Result<u64, Error>> + Send;
}

impl Write for TelemetryFrame {
    fn times(&self) -> Vec<i64> {
        self.samples.iter().map(|sample| sample.at).collect()
    }

    async fn write(transaction: &Transaction<'_>, batch: &[&Envelope<Self>]) -> Result<u64, Error> {
        let rows = copy_frames(transaction, batch).await?;
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
        SELECT host_id, ts, sample::jsonb
        FROM unnest($1::text[], $2::timestamptz[], $3::text[]) AS u (host_id, ts, sample)
        ON CONFLICT (host_id) DO UPDATE
        SET ts = excluded.ts, sample = excluded.sample, received_at = now()
        WHERE host_latest.ts <= excluded.ts";
    transaction.execute(sql, &[&hosts, &times, &samples]).await?;
    Ok(())
}

impl Write for Heartbeat {
    fn times(&self) -> Vec<i64> {
        Vec::new()
    }

    fn announced(&self) -> Vec<Channel> {
        self.channels.keys().copied().collect()
    }

    async fn write(transaction: &Transaction<'_>, batch: &[&Envelope<Self>]) -> Result<u64, Error> {
        let mut newest: BTreeMap<(&HostId, i64), &Envelope<Heartbeat>> = BTreeMap::new();
        for heartbeat in batch {
            let known = newest.entry((&heartbeat.host, heartbeat.epoch)).or_insert(heartbeat);
            if known.seq < heartbeat.seq {
                *known = heartbeat;
            }
        }
        let newest: Vec<&Envelope<Heartbeat>> = newest.into_values().collect();
        update_versions(transaction, &newest).await?;
        record_announcements(transaction, &newest).await?;
        Ok(batch.len() as u64)
    }
}

async fn update_versions(
    transaction: &Transaction<'_>,
    heartbeats: &[&Envelope<Heartbeat>],
) -> Result<(), Error> {
    let hosts: Vec<&str> = heartbeats.iter().map(|heartbeat| heartbeat.host.as_str()).collect();
    let versions: Vec<&str> =
        heartbeats.iter().map(|heartbeat| heartbeat.body.agent_version.as_str()).collect();
    let sql = "
        UPDATE hosts SET agent_version = new.agent_version
        FROM unnest($1::text[], $2::text[]) AS new (id, agent_version)
        WHERE hosts.id = new.id AND hosts.agent_version IS DISTINCT FROM new.agent_version";
    transaction.execute(sql, &[&hosts, &versions]).await?;
    Ok(())
}

/// What an agent says was acknowledged is believed to be missing only when it is still not here
/// half a minute later; until then it may be on its way through another worker.
async fn record_announcements(
    transaction: &Transaction<'_>,
    heartbeats: &[&Envelope<Heartbeat>],
) -> Result<(), Error> {
    let (mut hosts, mut channels, mut epochs) = (Vec::new(), Vec::new(), Vec::new());
    let (mut acked, mut dropped) = (Vec::new(), Vec::new());
    for heartbeat in heartbeats {
        for (channel, progress) in &heartbeat.body.channels {
            hosts.push(heartbeat.host.as_str());
            channels.push(channel.as_str());
            epochs.push(heartbeat.epoch);
            acked.push(progress.acked);
            dropped.push(progress.dropped);
        }
    }
    let sql = "
        UPDATE ledger
        SET settled = CASE WHEN ready THEN greatest(settled, announced) ELSE settled END,
            announced = CASE WHEN ready THEN greatest(announced, new.acked) ELSE announced END,
            announced_at = CASE WHEN ready THEN now() ELSE announced_at END,
            dropped = greatest(ledger.dropped, new.dropped)
        FROM (
            SELECT u.*, l.announced_at < now() - interval '30 seconds' AS ready
            FROM unnest($1::text[], $2::text[], $3::int8[], $4::int8[], $5::int8[])
                AS u (host_id, channel, epoch, acked, dropped)
            JOIN ledger AS l USING (host_id, channel, epoch)
        ) AS new
        WHERE ledger.host_id = new.host_id
          AND ledger.channel = new.channel
          AND ledger.epoch = new.epoch
          AND (new.ready OR ledger.dropped < new.dropped)";
    transaction.execute(sql, &[&hosts, &channels, &epochs, &acked, &dropped]).await?;
    Ok(())
}
