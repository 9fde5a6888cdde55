//! What the owner of a partition makes of it, within the transaction that moves its offset.
//!
//! So far that is the offset alone: how far the partition was heard. Rules are not decided about
//! yet; what decides about them is loaded, told and saved where the offset is.
//!
//! Whoever uses this commits after each call that said `true`. After anything else, a commit that
//! failed included, it is worth nothing any more and is loaded again.

use anyhow::Result;
use deadpool_postgres::Transaction;
use muster_nats::ordered::Place;
use tracing::debug;

use crate::io::from_partition::Batch;
use crate::io::lease::{self, Lease};
use crate::logic::continuity::Offset;

/// How far behind the stream's end the offset of a quiet partition may be. Far less than the stream
/// keeps (24 h): a worker that finds its offset gone has missed something, and not only nothing.
const PASSED_AGE_MS_MAX: i64 = 60_000;

pub(super) struct Decider {
    lease: Lease,
    offset: Offset,
    /// Up to when everything was heard, by the broker's clock; `None` until that is known.
    heard_until: Option<i64>,
}

impl Decider {
    /// As it was left by whoever had the partition before; `None` where another has it now.
    pub(super) async fn load(transaction: &Transaction<'_>, lease: Lease) -> Result<Option<Self>> {
        let offset = lease::offset(transaction, lease).await?;
        Ok(offset.map(|offset| Self { lease, offset, heard_until: None }))
    }

    pub(super) fn offset(&self) -> &Offset {
        &self.offset
    }

    /// Decides about what came. `false`: the partition is not this worker's any more, or not where
    /// it was left, and nothing may be committed.
    pub(super) async fn handle(
        &mut self,
        transaction: &Transaction<'_>,
        stream_created_at: i64,
        batch: &Batch,
    ) -> Result<bool> {
        let place = Place { seq: batch.last_seq, at_ms: batch.last_at };
        if !self.move_to(transaction, stream_created_at, place).await? {
            return Ok(false);
        }
        for heard in &batch.heard {
            let envelope = &heard.envelope;
            let (host, state) = (&envelope.host, envelope.body.state);
            debug!(host.id = %host, stored_at = heard.stored_at, "{host} says {state:?}");
        }
        self.heard_until = Some(batch.last_at);
        Ok(true)
    }

    /// Decides about what has become due by `now`, up to which everything was heard. Nothing up to
    /// `passed` in the stream is left for this partition, where that is known. `false` as above.
    pub(super) async fn tick(
        &mut self,
        transaction: &Transaction<'_>,
        stream_created_at: i64,
        now: i64,
        passed: Option<Place>,
    ) -> Result<bool> {
        self.heard_until = Some(now);
        let is_known = self.offset.stream_created_at == Some(stream_created_at);
        match passed {
            Some(place) if !is_known || place.seq > self.offset.seq => {
                self.move_to(transaction, stream_created_at, place).await
            }
            _ => lease::fence(transaction, self.lease, &self.offset, &self.offset).await,
        }
    }

    /// When to tick at the latest, by the broker's clock; `None`: now.
    pub(super) fn next_deadline(&self) -> Option<i64> {
        self.heard_until.map(|heard_until| heard_until.saturating_add(PASSED_AGE_MS_MAX))
    }

    async fn move_to(
        &mut self,
        transaction: &Transaction<'_>,
        stream_created_at: i64,
        place: Place,
    ) -> Result<bool> {
        let to = Offset {
            seq: place.seq,
            at: Some(place.at_ms),
            stream_created_at: Some(stream_created_at),
        };
        if !lease::fence(transaction, self.lease, &self.offset, &to).await? {
            return Ok(false);
        }
        self.offset = to;
        Ok(true)
    }
}
