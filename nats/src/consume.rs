//! Batches of a durable consumer, as they come, for ever.
//!
//! A broker that restarts, loses a consumer or its whole store is an incident, not an end: the
//! source applies the definitions again and goes on. Acknowledging is left to the caller, after
//! its commit.

use std::time::Duration;

use anyhow::{Context as _, Result};
use async_nats::jetstream::consumer::{PullConsumer, pull};
use async_nats::jetstream::{AckKind, Context, Message};
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout, timeout_at};
use tracing::{info, warn};

use crate::definitions::{ConsumerName, apply_consumer, apply_streams};
use crate::publish::retry_delay;

/// The broker says at least this often that it is still there: a restarted broker is noticed in
/// two of them.
pub(crate) const IDLE_HEARTBEAT: Duration = Duration::from_secs(1);

/// How long one pull request waits at the broker before it is renewed.
pub(crate) const PULL_EXPIRES: Duration = Duration::from_secs(5);

/// The most bytes the client holds ahead of the worker: four of the largest messages the broker
/// takes (16 MiB).
const PREFETCH_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How many times within the broker's patience it is told that a message is still worked on: two
/// of them may be lost or late.
const SIGNS_OF_LIFE: u32 = 3;

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
    ack_wait: Duration,
    messages: Option<pull::Stream>,
}

impl BatchSource {
    pub fn new(
        context: Context,
        consumer: ConsumerName,
        limits: BatchLimits,
        replicas: usize,
    ) -> Self {
        let ack_wait = consumer.config().ack_wait;
        Self { context, consumer, limits, replicas, ack_wait, messages: None }
    }

    /// How long the broker waits for an acknowledgement before it delivers a message to another
    /// worker. All workers of a consumer should say the same.
    #[must_use]
    pub fn ack_wait(self, ack_wait: Duration) -> Self {
        Self { ack_wait, ..self }
    }

    /// How often the broker has to hear that a batch is still worked on.
    pub fn sign_of_life_every(&self) -> Duration {
        self.ack_wait / SIGNS_OF_LIFE
    }

    /// Applies the definitions and starts to pull; goes on trying until that is done.
    pub async fn open(&mut self) {
        for attempt in 1.. {
            match self.pull().await {
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
        if self.messages.is_none() {
            self.messages = Some(self.pull().await?);
        }
        batch_of(self.messages.as_mut().context("the pull has ended")?, self.limits).await
    }

    async fn pull(&self) -> Result<pull::Stream> {
        apply_streams(&self.context, self.replicas).await?;
        let consumer = apply_consumer(&self.context, self.consumer, self.ack_wait).await?;
        pulled(consumer, self.limits).await
    }

    /// Hands a batch on, however long it takes until somebody has room for it. While that is
    /// long, the batch is kept from being delivered to others, and what the client holds beyond it
    /// is let go: it was not worked on, and the broker delivers it again, once.
    ///
    /// `false` where nobody will ever take it.
    pub async fn hand_on<B>(
        &mut self,
        batches: &mpsc::Sender<B>,
        batch: B,
        messages: impl Fn(&B) -> &[Message],
    ) -> bool {
        let every = self.sign_of_life_every();
        loop {
            match timeout(every, batches.reserve()).await {
                Ok(Ok(room)) => {
                    room.send(batch);
                    return true;
                }
                Ok(Err(_)) => return false,
                Err(_) => {
                    if self.messages.take().is_some() {
                        info!(consumer = ?self.consumer, "held: no more is taken from the bus");
                    }
                    say_in_progress(messages(&batch), every).await;
                }
            }
        }
    }
}

/// The messages of a consumer as they come.
pub(crate) async fn pulled(consumer: PullConsumer, limits: BatchLimits) -> Result<pull::Stream> {
    consumer
        .stream()
        .max_messages_per_batch(limits.messages_max)
        .max_bytes_per_batch(PREFETCH_BYTES_MAX)
        .heartbeat(IDLE_HEARTBEAT)
        .expires(PULL_EXPIRES)
        .messages()
        .await
        .context("cannot pull")
}

/// The next batch, of one message at least. Dropping the future loses only what is not
/// acknowledged.
pub(crate) async fn batch_of(
    messages: &mut pull::Stream,
    limits: BatchLimits,
) -> Result<Vec<Message>> {
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

/// Does `work` on messages, and tells the broker all the while that they are worked on: however
/// long the database holds it up, nobody else is given them.
pub async fn in_progress<T>(
    messages: &[Message],
    every: Duration,
    work: impl Future<Output = T>,
) -> T {
    let mut ticks = interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let telling = async {
        loop {
            ticks.tick().await;
            say_in_progress(messages, every).await;
        }
    };
    // Side by side: a bus that does not take it must not keep the work waiting.
    tokio::select! {
        biased;
        done = work => done,
        never = telling => never,
    }
}

/// A broker that is away is not told: it will deliver them again, which the ledger recognises.
async fn say_in_progress(messages: &[Message], patience: Duration) {
    let told = async {
        for message in messages {
            message.ack_with(AckKind::Progress).await?;
        }
        Ok::<(), async_nats::Error>(())
    };
    // The client's queue is full while the broker is away.
    if !matches!(timeout(patience, told).await, Ok(Ok(()))) {
        warn!("the bus was not told that {} messages are worked on", messages.len());
    }
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
