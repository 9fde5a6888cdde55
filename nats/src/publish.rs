//! Publishing a durable message: with an id, a deadline, and a clear word about what to do next.

use std::error::Error as _;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::context::{self, PublishErrorKind};
use async_nats::jetstream::{self, Context, ErrorCode};
use bytes::Bytes;
use rand::RngExt;
use tokio::time::timeout;

/// How long the broker may take to store a message. An answer that does not come in this time
/// does not mean that it was not stored: send it again under the same id.
pub const ACK_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest pause between two attempts.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Nobody knows whether it was stored; try again under the same id.
    #[error("not acknowledged: {0}")]
    NotAcknowledged(String),
    /// It will never be stored as it is.
    #[error("refused by the bus: {0}")]
    Refused(String),
}

/// One attempt. `Ok` means that the broker has stored the message, now or earlier.
pub async fn publish(
    context: &Context,
    subject: String,
    headers: HeaderMap,
    payload: Bytes,
) -> Result<(), PublishError> {
    let limit = context.client().server_info().max_payload;
    if limit > 0 && payload.len() > limit {
        let reason = format!("{} bytes are more than its limit of {limit}", payload.len());
        return Err(PublishError::Refused(reason));
    }
    // The client queues while it is disconnected, and blocks once its queue is full.
    let acknowledged =
        async { context.publish_with_headers(subject, headers, payload).await?.await };
    match timeout(ACK_TIMEOUT, acknowledged).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
            Err(PublishError::Refused(error.to_string()))
        }
        Ok(Err(error)) if is_final(&error) => Err(PublishError::Refused(error.to_string())),
        Ok(Err(error)) => Err(PublishError::NotAcknowledged(error.to_string())),
        Err(_) => Err(PublishError::NotAcknowledged(format!("no answer within {ACK_TIMEOUT:?}"))),
    }
}

/// Whether the stream itself says that it will never take such a message.
fn is_final(error: &context::PublishError) -> bool {
    let answer = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
    let too_large =
        [ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM, ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM];
    answer.is_some_and(|answer| too_large.contains(&answer.error_code()))
}

/// The pause before attempt number `attempt` (from 1): doubles from 100 ms, with jitter.
pub fn retry_delay(attempt: u32) -> Duration {
    let ceiling = Duration::from_millis(100) * 2u32.pow(attempt.clamp(1, 8) - 1);
    ceiling.min(RETRY_DELAY_MAX).mul_f64(rand::rng().random_range(0.5..1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_slow_down_to_a_limit() {
        for attempt in 0..100 {
            assert!(retry_delay(attempt) <= RETRY_DELAY_MAX);
        }
        assert!(retry_delay(1) < Duration::from_millis(101));
    }
}
