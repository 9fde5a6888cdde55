//! Messages as logic sees them, and the dead-letter stream.

use async_nats::jetstream::{Context, Message};
use muster_nats::publish::retry_delay;
use muster_nats::{Stream, dead, headers};
use tokio::time::sleep;
use tracing::{error, warn};

use crate::logic::intake::Incoming;

pub fn incoming(messages: &[Message]) -> Vec<Incoming<'_>> {
    messages
        .iter()
        .map(|message| Incoming {
            subject: message.subject.as_str(),
            content_type: headers::content_type(message.headers.as_ref()),
            id: headers::message_id(message.headers.as_ref()),
            stored_at: stored_at(message),
            payload: &message.payload,
        })
        .collect()
}

fn stored_at(message: &Message) -> i64 {
    message.info().map_or(0, |info| (info.published.unix_timestamp_nanos() / 1_000_000) as i64)
}

/// When the broker stored the oldest of them.
pub fn oldest_at(messages: &[Message]) -> i64 {
    messages.iter().map(stored_at).min().unwrap_or_default()
}

/// How long the oldest of them had waited for its turn: not at all, if nothing waits behind them.
/// `None` where all were delivered before, and have waited for whom they were delivered to.
pub fn waited_ms(messages: &[Message], now_ms: i64) -> Option<i64> {
    if backlog(messages).0 == 0 {
        return Some(0);
    }
    let is_first = |message: &&Message| message.info().is_ok_and(|info| info.delivered == 1);
    messages.iter().filter(is_first).map(|message| now_ms - stored_at(message)).max()
}

/// Puts a message among the dead letters; goes on trying until it is there.
pub async fn bury(bus: &Context, stream: Stream, message: &Message, reason: &str) {
    let subject = message.subject.as_str();
    warn!(subject, reason, "a message on {subject} goes to the dead letters: {reason}");
    for attempt in 1.. {
        match dead::bury(bus, stream, message, reason).await {
            Ok(()) => return,
            Err(error) => error!("{error:#}"),
        }
        sleep(retry_delay(attempt)).await;
    }
}

/// How many messages wait behind this batch, and how many of it came before.
pub fn backlog(messages: &[Message]) -> (u64, usize) {
    let pending = messages.last().and_then(|m| m.info().ok()).map_or(0, |info| info.pending);
    let again = messages.iter().filter(|m| m.info().is_ok_and(|info| info.delivered > 1));
    (pending, again.count())
}
