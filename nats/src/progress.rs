//! How far the workers of a consumer have come in its stream.
//!
//! For whoever must know whether something is absent or merely not worked off yet.

use anyhow::{Context as _, Result};
use async_nats::jetstream::Context;

use crate::definitions::ConsumerName;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamProgress {
    /// The newest message of the stream.
    pub last_seq: u64,
    /// All up to this one were acknowledged.
    pub done_seq: u64,
}

impl StreamProgress {
    /// Whether all that the stream held when it reached to `seq` is worked off. A stream that is
    /// shorter now was made anew: what it held is gone.
    pub fn is_past(&self, seq: u64) -> bool {
        self.done_seq >= seq || self.last_seq < seq
    }
}

/// Fails where the stream or the consumer is not there.
pub async fn stream_progress(context: &Context, consumer: ConsumerName) -> Result<StreamProgress> {
    let name = consumer.stream().name();
    let stream = context
        .get_stream(name)
        .await
        .with_context(|| format!("no word about the stream {name}"))?;
    let last_seq = stream.cached_info().state.last_sequence;
    let info = stream
        .consumer_info(consumer.name())
        .await
        .with_context(|| format!("no word about the consumer {consumer:?}"))?;
    // Where nothing waits, all that was there before this second question is worked off; what
    // retention has taken is never acknowledged.
    let is_idle = info.num_pending == 0 && info.num_ack_pending == 0;
    let done_seq = if is_idle { last_seq } else { info.ack_floor.stream_sequence };
    Ok(StreamProgress { last_seq, done_seq })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stream_held_is_worked_off_or_gone_with_it() {
        let progress = StreamProgress { last_seq: 100, done_seq: 50 };
        for (seq, is_past) in [(0, true), (50, true), (51, false), (100, false), (101, true)] {
            assert_eq!(progress.is_past(seq), is_past, "{seq}");
        }
    }
}
