//! What is published from now on, read past a backlog.
//!
//! A stream is in order, so what is fresh would wait behind hours of what came before it. This
//! reads ahead of the durable consumer and promises nothing: messages are not acknowledged, one
//! that is lost on the way comes again when its turn comes, and one that was stored is recognised
//! then. The consumer is shared by all workers of a channel, begins with the first message after
//! it was made, and is removed by the broker once nobody has pulled for a while.

use std::time::Duration;

use anyhow::{Context as _, Result};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::{Context, Message};

use crate::consume::{BatchLimits, batch_of, pulled};
use crate::definitions::ConsumerName;

/// Longer than workers take from one batch to the next, so that none of them makes another
/// consumer, which would leave out what came in between.
const GONE_AFTER: Duration = Duration::from_secs(60);

pub struct FreshSource {
    limits: BatchLimits,
    messages: pull::Stream,
}

impl FreshSource {
    /// Begins with what is published from now on, or joins the workers that began before.
    pub async fn open(
        context: &Context,
        beside: ConsumerName,
        limits: BatchLimits,
        replicas: usize,
    ) -> Result<Self> {
        let name = format!("{}-fresh", beside.name());
        let config = pull::Config {
            name: Some(name.clone()),
            deliver_policy: DeliverPolicy::New,
            ack_policy: AckPolicy::None,
            inactive_threshold: GONE_AFTER,
            num_replicas: replicas,
            ..pull::Config::default()
        };
        let consumer = context
            .create_consumer_on_stream(config, beside.stream().name())
            .await
            .with_context(|| format!("cannot make the consumer {name}"))?;
        Ok(Self { limits, messages: pulled(consumer, limits).await? })
    }

    /// The next batch, of one message at least.
    pub async fn next(&mut self) -> Result<Vec<Message>> {
        batch_of(&mut self.messages, self.limits).await
    }
}
