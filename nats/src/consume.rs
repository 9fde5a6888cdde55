//! Batches of a durable consumer, as they come, for ever.
//!
//! A broker that restarts, loses a consumer or its whole store is an incident, not an end: the
//! source applies the definitions again and goes on. Acknowledging is left to the caller, after
//! its commit.

use std::time::Duration;

use anyhow::{Context as _, Result};
use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::{Context, Message};
use futures::StreamExt;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::warn;

use crate::definitions::{ConsumerName, apply_consumer, apply_streams};
use crate::publish::retry_delay;

/// The broker says at least this often that it is still there: a restarted broker is noticed in
/// two of them.
const IDLE_HEARTBEAT: Duration = Duration::from_secs(1);

/// How long one pull request waits at the broker before it is renewed.
const PULL_EXPIRES: Duration = Duration::from_secs(5);

/// The most bytes the client holds ahead of the worker: four of the largest messages the broker
/// takes (16 MiB).
const PREFETCH_BYTES_MAX: usize = 64 * 1024 * 1024;

/// When a batch is full.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    pub messages_max: usize,
    pub bytes_max: usize,
    /// How long to wait for more after the first message.
    pub wait: Duration,
}

pub struct BatchSource {
    context: Context,
    consumer: ConsumerName,
    limits: BatchLimits,
    replicas: usize,
    messages: Option<pull::Stream>,
}

impl BatchSource {
    pub fn new(
        context: Context,
        consumer: ConsumerName,
        limits: BatchLimits,
        replicas: usize,
    ) -> Self {
        Self { context, consumer, limits, replicas, messages: None }
    }

    /// Applies the definitions and starts to pull; goes on trying until that is done.
    pub async fn open(&mut self) {
        for attempt in 1.. {
            match open(&self.context, self.consumer, self.limits, self.replicas).await {
                Ok(messages) => {
                    self.messages = Some(messages);
                    return;
                }
                Err(error) => warn!(consumer = ?self.consumer, "cannot consume yet: {error:#}"),
            }
            sleep(retry_delay(attempt)).await;
        }
    }

    /// The next batch, of one message at least. Dropping the future loses nothing: what it had
    /// taken is delivered again.
    pub async fn next(&mut self) -> Vec<Message> {
        let mut attempt = 0;
        loop {
            match self.try_next().await {
                Ok(batch) => return batch,
                Err(error) => {
                    attempt += 1;
                    self.messages = None;
                    warn!(consumer = ?self.consumer, "no messages from the bus: {error:#}");
                    sleep(retry_delay(attempt)).await;
                }
            }
        }
    }

    async fn try_next(&mut self) -> Result<Vec<Message>> {
        let limits = self.limits;
        let messages = match &mut self.messages {
            Some(messages) => messages,
            none => none.insert(open(&self.context, self.consumer, limits, self.replicas).await?),
        };
        let first = messages.next().await.context("the pull has ended")??;
        let deadline = Instant::now() + limits.wait;
        let mut bytes = first.payload.len();
        let mut batch = vec![first];
        while batch.len() < limits.messages_max && bytes < limits.bytes_max {
            match timeout_at(deadline, messages.next()).await {
                Ok(Some(Ok(message))) => {
                    bytes += message.payload.len();
                    batch.push(message);
                }
                // The next call will see the trouble; what is here is worth storing.
                Ok(Some(Err(_)) | None) | Err(_) => break,
            }
        }
        Ok(batch)
    }
}

async fn open(
    context: &Context,
    consumer: ConsumerName,
    limits: BatchLimits,
    replicas: usize,
) -> Result<pull::Stream> {
    apply_streams(context, replicas).await?;
    apply_consumer(context, consumer)
        .await?
        .stream()
        .max_messages_per_batch(limits.messages_max)
        .max_bytes_per_batch(PREFETCH_BYTES_MAX)
        .heartbeat(IDLE_HEARTBEAT)
        .expires(PULL_EXPIRES)
        .messages()
        .await
        .context("cannot pull")
}

/// Acknowledges what is durably done with. An acknowledgement that is lost means a redelivery,
/// which the ledger recognises.
pub async fn acknowledge(messages: &[Message]) {
    for message in messages {
        if let Err(error) = message.ack().await {
            warn!(%error, "an acknowledgement was not sent; the message will come again");
        }
    }
}
