//! Streams and consumers as they should be, from `definitions/*.json`, applied idempotently.
//!
//! Any service may apply them at start or when one is found missing. Agents do not: they may
//! publish, not administer.

use std::time::Duration;

use anyhow::{Context as _, Result};
use async_nats::datetime::DateTime;
use async_nats::jetstream::consumer::{DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::{Context, stream};
use tracing::debug;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    Telemetry,
    Logs,
    Signals,
    Inventory,
    Events,
    Dead,
}

impl Stream {
    pub const ALL: [Self; 6] =
        [Self::Telemetry, Self::Logs, Self::Signals, Self::Inventory, Self::Events, Self::Dead];

    pub fn name(self) -> &'static str {
        match self {
            Self::Telemetry => "TELEMETRY",
            Self::Logs => "LOGS",
            Self::Signals => "SIGNALS",
            Self::Inventory => "INVENTORY",
            Self::Events => "EVENTS",
            Self::Dead => "DEAD",
        }
    }

    /// As it is written in subjects: `dead.<token>`.
    pub fn token(self) -> &'static str {
        match self {
            Self::Telemetry => "telemetry",
            Self::Logs => "logs",
            Self::Signals => "signals",
            Self::Inventory => "inventory",
            Self::Events => "events",
            Self::Dead => "dead",
        }
    }

    fn json(self) -> &'static str {
        match self {
            Self::Telemetry => include_str!("../definitions/telemetry.json"),
            Self::Logs => include_str!("../definitions/logs.json"),
            Self::Signals => include_str!("../definitions/signals.json"),
            Self::Inventory => include_str!("../definitions/inventory.json"),
            Self::Events => include_str!("../definitions/events.json"),
            Self::Dead => include_str!("../definitions/dead.json"),
        }
    }

    fn config(self, replicas: usize) -> stream::Config {
        let mut config: stream::Config = serde_json::from_str(self.json())
            .expect("stream definitions are part of the build and tested");
        config.num_replicas = replicas;
        config
    }
}

/// A worker may make a consumer again, as it was defined, between its end and its new beginning.
const RESTARTS_MAX: usize = 5;

/// A durable consumer: what one kind of worker has taken from a stream, shared by all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConsumerName {
    IngestTelemetry,
    IngestLogs,
    IngestSignals,
    IngestInventory,
    AlertSignals,
}

impl ConsumerName {
    pub const ALL: [Self; 5] = [
        Self::IngestTelemetry,
        Self::IngestLogs,
        Self::IngestSignals,
        Self::IngestInventory,
        Self::AlertSignals,
    ];

    pub fn stream(self) -> Stream {
        match self {
            Self::IngestTelemetry => Stream::Telemetry,
            Self::IngestLogs => Stream::Logs,
            Self::IngestInventory => Stream::Inventory,
            Self::IngestSignals | Self::AlertSignals => Stream::Signals,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::IngestTelemetry => "ingest-telemetry",
            Self::IngestLogs => "ingest-logs",
            Self::IngestSignals => "ingest-signals",
            Self::IngestInventory => "ingest-inventory",
            Self::AlertSignals => "alert-signals",
        }
    }

    fn json(self) -> &'static str {
        match self {
            Self::IngestTelemetry => include_str!("../definitions/consumer-ingest-telemetry.json"),
            Self::IngestLogs => include_str!("../definitions/consumer-ingest-logs.json"),
            Self::IngestSignals => include_str!("../definitions/consumer-ingest-signals.json"),
            Self::IngestInventory => include_str!("../definitions/consumer-ingest-inventory.json"),
            Self::AlertSignals => include_str!("../definitions/consumer-alert-signals.json"),
        }
    }

    pub(crate) fn config(self) -> pull::Config {
        serde_json::from_str(self.json())
            .expect("consumer definitions are part of the build and tested")
    }
}

/// Creates what is missing and brings the rest up to date. `replicas` is 1 for a single broker,
/// 3 in a cluster.
pub async fn apply_streams(context: &Context, replicas: usize) -> Result<()> {
    for stream in Stream::ALL {
        context
            .create_or_update_stream(stream.config(replicas))
            .await
            .with_context(|| format!("cannot apply the stream {}", stream.name()))?;
        debug!(stream = stream.name(), "stream is as defined");
    }
    Ok(())
}

/// The consumer, created if it is missing.
pub async fn apply_consumer(
    context: &Context,
    name: ConsumerName,
    ack_wait: Duration,
) -> Result<PullConsumer> {
    let mut config = pull::Config { ack_wait, ..name.config() };
    // Where one began can never be changed, and one that was begun anew keeps its own place.
    if let Ok(existing) = existing(context, name).await {
        config.deliver_policy = existing.cached_info().config.deliver_policy;
    }
    create(context, name, config).await
}

async fn existing(context: &Context, name: ConsumerName) -> Result<PullConsumer> {
    Ok(context.get_consumer_from_stream(name.name(), name.stream().name()).await?)
}

async fn create(
    context: &Context,
    name: ConsumerName,
    config: pull::Config,
) -> Result<PullConsumer> {
    let stream = name.stream().name();
    context
        .create_consumer_on_stream(config, stream)
        .await
        .with_context(|| format!("cannot apply the consumer {name:?} of the stream {stream}"))
}

/// Lets a consumer begin anew with the first message stored at or after `since`, else with the
/// oldest one there is; answers how many messages will come. Workers that were consuming go on
/// with the new one by themselves.
pub async fn restart_consumer(
    context: &Context,
    name: ConsumerName,
    since: Option<DateTime>,
) -> Result<u64> {
    let deliver_policy = match since {
        Some(start_time) => DeliverPolicy::ByStartTime { start_time },
        None => DeliverPolicy::All,
    };
    let mut outcome = Err(anyhow::anyhow!("not tried"));
    for _ in 0..RESTARTS_MAX {
        // Gone already is as good.
        let _ = context.delete_consumer_from_stream(name.name(), name.stream().name()).await;
        let config = pull::Config { deliver_policy, ..name.config() };
        outcome = create(context, name, config).await;
        if let Ok(consumer) = &outcome {
            return Ok(consumer.cached_info().num_pending);
        }
    }
    outcome.map(|_| 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_readable_and_named_as_the_code_names_them() {
        for stream in Stream::ALL {
            let config = stream.config(1);
            assert_eq!(config.name, stream.name());
            assert!(config.max_bytes > 0, "{} has no limit", stream.name());
            assert!(!config.max_age.is_zero(), "{} has no limit", stream.name());
        }
        for consumer in ConsumerName::ALL {
            let config = consumer.config();
            assert_eq!(config.durable_name, config.name);
            assert_eq!(config.name.as_deref(), Some(consumer.name()));
            assert!(config.max_ack_pending > 0);
        }
    }
}
