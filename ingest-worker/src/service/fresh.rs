//! What is fresh is not kept waiting by a backlog: while the worker is far behind, messages that
//! are published from now on are stored beside it.
//!
//! Nothing here acknowledges, buries or accounts for the dead. Each of these messages has its turn
//! in the stream as well: what was stored before is recognised by the ledger, and what went wrong
//! here is done there.

use anyhow::{Context as _, Result};
use muster_nats::ConsumerName;
use muster_nats::consume::BatchLimits;
use muster_nats::fresh::FreshSource;
use muster_nats::publish::retry_delay;
use muster_runtime::time::{duration_ms, now_ms};
use muster_schemas::Channel;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{debug, info, warn};

use super::Worker;
use crate::io::from_bus::{incoming, waited_ms};
use crate::io::write::Write;
use crate::logic::behind::is_behind;
use crate::logic::intake::sort_by;

impl Worker {
    /// Looks at what was just taken from the stream, and says when it has become late.
    pub(super) fn look_behind(
        &self,
        channel: Channel,
        messages: &[async_nats::jetstream::Message],
    ) {
        let Some(waited_ms) = waited_ms(messages, now_ms()) else { return };
        let limit_ms = duration_ms(self.config.fresh_after);
        self.behind[usize::from(channel.index())].send_if_modified(|behind| {
            let was = std::mem::replace(behind, is_behind(*behind, waited_ms, limit_ms));
            was != *behind
        });
    }

    pub(super) fn is_behind(&self, channel: Channel) -> watch::Receiver<bool> {
        self.behind[usize::from(channel.index())].subscribe()
    }

    /// Stores what is fresh whenever the worker is behind, until told to stop.
    pub(super) async fn store_fresh<T: Write>(
        self,
        consumer: ConsumerName,
        limits: BatchLimits,
    ) -> Result<()> {
        let mut behind = self.is_behind(T::CHANNEL);
        let mut attempt = 1;
        loop {
            let is_late = tokio::select! {
                is_late = behind.wait_for(|behind| *behind) => is_late.is_ok(),
                () = self.stop.cancelled() => false,
            };
            if !is_late {
                break;
            }
            let channel = T::CHANNEL.as_str();
            info!(channel, "far behind: what is fresh is stored beside the backlog");
            match self.store_beside::<T>(consumer, limits, &mut behind).await {
                Ok(()) => {
                    info!(channel, "no longer far behind");
                    attempt = 1;
                }
                Err(error) => {
                    warn!(channel, "what is fresh waits behind the backlog: {error:#}");
                    tokio::select! {
                        () = sleep(retry_delay(attempt)) => attempt += 1,
                        () = self.stop.cancelled() => break,
                    }
                }
            }
        }
        Ok(())
    }

    /// Until the worker has caught up or is told to stop.
    async fn store_beside<T: Write>(
        &self,
        consumer: ConsumerName,
        limits: BatchLimits,
        behind: &mut watch::Receiver<bool>,
    ) -> Result<()> {
        let replicas = self.config.nats_replicas;
        let mut source = FreshSource::open(&self.context, consumer, limits, replicas).await?;
        loop {
            let messages = tokio::select! {
                messages = source.next() => messages?,
                caught_up = behind.wait_for(|behind| !*behind) => {
                    return caught_up.map(drop).context("the reader of batches has ended");
                }
                () = self.stop.cancelled() => return Ok(()),
            };
            let sorted = sort_by::<T>(&incoming(&messages), self.kept.rules());
            let envelopes: Vec<_> = sorted.accepted.iter().map(|(_, envelope)| envelope).collect();
            match self.store.store(&envelopes, &[]).await {
                Ok(stored) => {
                    let channel = T::CHANNEL.as_str();
                    metrics::counter!("muster_ingest_fresh_messages_total", "channel" => channel)
                        .increment(stored.messages as u64);
                    debug!(channel, ?stored, "stored ahead of the backlog");
                }
                Err(error) => {
                    let error = anyhow::Error::new(error);
                    debug!("{} fresh messages wait for their turn: {error:#}", messages.len());
                    sleep(retry_delay(1)).await;
                }
            }
        }
    }
}
