//! Heartbeats: what an agent is, how it fares, and how far it was acknowledged. Candidates are only
//! accounted for here: who judges them reads the stream.

use std::collections::BTreeMap;

use muster_runtime::time::system_time;
use muster_schemas::signals::{Heartbeat, Signal};
use muster_schemas::{Channel, Envelope, HostId};
use tokio_postgres::types::Json;
use tokio_postgres::{Error, Transaction};

use super::Write;

/// A heartbeat of a batch and where it stands in what its host sent.
struct Beat<'a> {
    envelope: &'a Envelope<Signal>,
    heartbeat: &'a Heartbeat,
}

impl<'a> Beat<'a> {
    fn of(envelope: &'a Envelope<Signal>) -> Option<Self> {
        match &envelope.body {
            Signal::Heartbeat(heartbeat) => Some(Self { envelope, heartbeat }),
            Signal::Candidate(_) => None,
        }
    }

    fn host(&self) -> &'a str {
        self.envelope.host.as_str()
    }
}

impl Write for Signal {
    fn times(&self) -> Vec<i64> {
        Vec::new()
    }

    fn announced(&self) -> Vec<Channel> {
        match self {
            Self::Heartbeat(heartbeat) => heartbeat.channels.keys().copied().collect(),
            Self::Candidate(_) => Vec::new(),
        }
    }

    async fn write(transaction: &Transaction<'_>, batch: &[&Envelope<Self>]) -> Result<u64, Error> {
        let beats = batch.iter().filter_map(|envelope| Beat::of(envelope));
        let mut newest: BTreeMap<(&HostId, i64), Beat<'_>> = BTreeMap::new();
        for beat in beats {
            let key = (&beat.envelope.host, beat.envelope.epoch);
            let older =
                newest.get(&key).is_some_and(|known| known.envelope.seq > beat.envelope.seq);
            if !older {
                newest.insert(key, beat);
            }
        }
        let newest: Vec<Beat<'_>> = newest.into_values().collect();
        if newest.is_empty() {
            return Ok(0);
        }
        record_announcements(transaction, &newest).await?;
        // Of a host that began a new epoch within the batch, the newer one counts.
        let of_hosts: BTreeMap<&str, &Beat<'_>> =
            newest.iter().map(|beat| (beat.host(), beat)).collect();
        let of_hosts: Vec<&Beat<'_>> = of_hosts.into_values().collect();
        update_versions(transaction, &of_hosts).await?;
        record_health(transaction, &of_hosts).await?;
        Ok(newest.len() as u64)
    }
}

async fn update_versions(transaction: &Transaction<'_>, beats: &[&Beat<'_>]) -> Result<(), Error> {
    let hosts: Vec<&str> = beats.iter().map(|beat| beat.host()).collect();
    let versions: Vec<&str> =
        beats.iter().map(|beat| beat.heartbeat.agent_version.as_str()).collect();
    let sql = "
        UPDATE hosts SET agent_version = new.agent_version
        FROM unnest($1::text[], $2::text[]) AS new (id, agent_version)
        WHERE hosts.id = new.id AND hosts.agent_version IS DISTINCT FROM new.agent_version";
    transaction.execute(sql, &[&hosts, &versions]).await?;
    Ok(())
}

/// A lower number of the same epoch is an older message, come late.
async fn record_health(transaction: &Transaction<'_>, beats: &[&Beat<'_>]) -> Result<(), Error> {
    let hosts: Vec<&str> = beats.iter().map(|beat| beat.host()).collect();
    let epochs: Vec<i64> = beats.iter().map(|beat| beat.envelope.epoch).collect();
    let numbers: Vec<i64> = beats.iter().map(|beat| beat.envelope.seq).collect();
    let times: Vec<_> = beats.iter().map(|beat| system_time(beat.envelope.sent_at)).collect();
    let heartbeats: Vec<Json<&Heartbeat>> = beats.iter().map(|beat| Json(beat.heartbeat)).collect();
    let sql = "
        INSERT INTO host_agent (host_id, epoch, seq, sent_at, heartbeat)
        SELECT * FROM unnest($1::text[], $2::int8[], $3::int8[], $4::timestamptz[], $5::jsonb[])
        ON CONFLICT (host_id) DO UPDATE
        SET epoch = excluded.epoch, seq = excluded.seq, sent_at = excluded.sent_at,
            heartbeat = excluded.heartbeat
        WHERE host_agent.epoch <> excluded.epoch OR host_agent.seq < excluded.seq";
    transaction.execute(sql, &[&hosts, &epochs, &numbers, &times, &heartbeats]).await?;
    Ok(())
}

/// What an agent says was acknowledged is believed to be missing only when it is still not here
/// half a minute later; until then it may be on its way through another worker.
async fn record_announcements(
    transaction: &Transaction<'_>,
    beats: &[Beat<'_>],
) -> Result<(), Error> {
    let (mut hosts, mut channels, mut epochs) = (Vec::new(), Vec::new(), Vec::new());
    let (mut acked, mut dropped) = (Vec::new(), Vec::new());
    for beat in beats {
        for (channel, progress) in &beat.heartbeat.channels {
            hosts.push(beat.host());
            channels.push(channel.as_str());
            epochs.push(beat.envelope.epoch);
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
