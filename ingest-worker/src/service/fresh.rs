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
use crate::io::from_bus::{backlog, incoming, waited_ms};
use crate::io::write::Write;
use crate::logic::behind::{Waiting, is_behind};
use crate::logic::intake::sort_by;

impl Worker {
    /// Looks at what was just taken from the stream: how late it is, and how much is behind it.
    pub(super) fn look_behind(
        &self,
        channel: Channel,
        messages: &[async_nats::jetstream::Message],
    ) {
        let (waited_ms, (pending, _)) = (waited_ms(messages, now_ms()), backlog(messages));
        let limit_ms = duration_ms(self.config.fresh_after);
        let has_backlog = pending > self.config.batch_messages as u64;
        self.waiting[usize::from(channel.index())].send_if_modified(|waiting| {
            let was = *waiting;
            let judged = waited_ms.map(|waited_ms| is_behind(was.is_behind, waited_ms, limit_ms));
            *waiting = Waiting { is_behind: judged.unwrap_or(was.is_behind), has_backlog };
            was != *waiting
        });
    }

    pub(super) fn waiting(&self, channel: Channel) -> watch::Receiver<Waiting> {
        self.waiting[usize::from(channel.index())].subscribe()
    }

    /// Stores what is fresh whenever the worker is behind, until told to stop.
    pub(super) async fn store_fresh<T: Write>(
        self,
        consumer: ConsumerName,
        limits: BatchLimits,
    ) -> Result<()> {
        let mut waiting = self.waiting(T::CHANNEL);
        let mut attempt = 1;
        loop {
            let is_late = tokio::select! {
                is_late = waiting.wait_for(|waiting| waiting.is_behind) => is_late.is_ok(),
                () = self.stop.cancelled() => false,
            };
            if !is_late {
                break;
            }
            let channel = T::CHANNEL.as_str();
            info!(channel, "far behind: what is fresh is stored beside the backlog");
            match self.store_beside::<T>(consumer, limits, &mut waiting).await {
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
        waiting: &mut watch::Receiver<Waiting>,
    ) -> Result<()> {
        let replicas = self.config.nats_replicas;
        let mut source = FreshSource::open(&self.context, consumer, limits, replicas).await?;
        loop {
            let messages = tokio::select! {
                messages = source.next() => messages?,
                caught_up = waiting.wait_for(|waiting| !waiting.is_behind) => {
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
