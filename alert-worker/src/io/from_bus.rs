//! Heartbeats as the bus stored them.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use async_nats::jetstream::Message;
use muster_nats::{dead, headers, subjects};
use muster_schemas::signals::Heartbeat as WireHeartbeat;
use muster_schemas::{Envelope, HostId, Kind, codec};
use tracing::debug;

use crate::logic::presence::Heartbeat;

/// The newest heartbeat of each host of a batch, in host order, which is the order in which rows
/// are locked everywhere.
///
/// What cannot be read is left out and acknowledged with the rest: the ingest worker hears the
/// same stream and is the one that keeps dead letters.
pub(crate) fn newest_of_each_host(messages: &[Message]) -> BTreeMap<HostId, Heartbeat> {
    let mut newest: BTreeMap<HostId, Heartbeat> = BTreeMap::new();
    for message in messages {
        let (host, heartbeat) = match read(message) {
            Ok(Some(heard)) => heard,
            Ok(None) => continue,
            Err(reason) => {
                metrics::counter!("muster_alert_unreadable_total").increment(1);
                debug!(subject = %message.subject, "left out a message: {reason:#}");
                continue;
            }
        };
        newest
            .entry(host)
            .and_modify(|known| {
                if heartbeat.at > known.at {
                    *known = heartbeat;
                }
            })
            .or_insert(heartbeat);
    }
    newest
}

/// `None` for what is no sign that an agent is well now: a candidate, which is a suspicion that is
/// repeated, and a dead letter that somebody had tried again, days after its host may have gone.
fn read(message: &Message) -> Result<Option<(HostId, Heartbeat)>> {
    let address = subjects::parse(&message.subject)?;
    if address.kind == Kind::Candidate || dead::is_retried(message.headers.as_ref()) {
        return Ok(None);
    }
    ensure!(address.kind == Kind::Heartbeat, "not a heartbeat");
    let at = stored_at_ms(message)?;
    let content_type = headers::content_type(message.headers.as_ref())?;
    let envelope: Envelope<WireHeartbeat> = codec::decode(content_type, &message.payload)?;
    let id = headers::message_id(message.headers.as_ref());
    envelope.check(&address.host, id.as_ref(), at)?;
    let WireHeartbeat { interval_ms, clock_offset_ms, .. } = envelope.body;
    Ok(Some((address.host, Heartbeat { at, interval_ms, clock_offset_ms })))
}

fn stored_at_ms(message: &Message) -> Result<i64> {
    let info = message.info().map_err(|error| anyhow::anyhow!("no delivery data: {error}"))?;
    Ok((info.published.unix_timestamp_nanos() / 1_000_000) as i64)
}

/// When the broker stored the oldest of them.
pub(crate) fn oldest_at_ms(messages: &[Message]) -> i64 {
    messages.iter().filter_map(|message| stored_at_ms(message).ok()).min().unwrap_or_default()
}

/// How many of them came before.
pub(crate) fn redelivered(messages: &[Message]) -> usize {
    messages.iter().filter(|message| message.info().is_ok_and(|info| info.delivered > 1)).count()
}
