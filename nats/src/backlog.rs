//! How far behind a consumer is, and what time it is at the broker.
//!
//! For workers that judge absence: silence means something only to one who has heard all there
//! was to hear, and only by the clock that dated what was heard.

use anyhow::{Context as _, Result, bail};
use async_nats::jetstream::Context;
use serde::Deserialize;

use crate::definitions::ConsumerName;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Stored messages that were not delivered to any worker yet.
    pub waiting: u64,
    /// The broker's clock, milliseconds since the Unix epoch.
    pub at_ms: i64,
}

/// The part of the broker's answer that is read here; the client's own type leaves out `ts`.
#[derive(Deserialize)]
struct ConsumerInfo {
    num_pending: Option<u64>,
    ts: Option<String>,
    error: Option<serde_json::Value>,
}

pub async fn backlog(context: &Context, consumer: ConsumerName) -> Result<Backlog> {
    let subject = format!("CONSUMER.INFO.{}.{}", consumer.stream().name(), consumer.name());
    let info: ConsumerInfo = context
        .request(subject, &serde_json::json!({}))
        .await
        .with_context(|| format!("no word about the consumer {consumer:?}"))?;
    let (Some(waiting), Some(ts)) = (info.num_pending, info.ts) else {
        bail!("no consumer {consumer:?} at the bus: {}", info.error.unwrap_or_default());
    };
    let at = async_nats::datetime::parse_rfc3339(&ts)
        .map_err(|error| anyhow::anyhow!("the bus says {ts:?} for a time: {error}"))?;
    let at_ms = (at.unix_timestamp_nanos() / 1_000_000) as i64;
    Ok(Backlog { waiting, at_ms })
}
