//! Dead letters: a message that can never be stored is kept, whole, with the reason.

use anyhow::{Context as _, Result};
use async_nats::HeaderMap;
use async_nats::jetstream::{Context, Message};
use bytes::Bytes;

use crate::definitions::Stream;
use crate::headers::{self, MESSAGE_ID};
use crate::publish::publish;

/// Why it is dead, in one line.
pub const REASON: &str = "Muster-Reason";
/// The subject it was published on.
pub const SUBJECT: &str = "Muster-Subject";
/// The id it was published under, if it had one.
pub const ORIGINAL_ID: &str = "Muster-Message-Id";
/// Where it stands in its stream.
pub const STREAM_SEQUENCE: &str = "Muster-Stream-Sequence";

/// The longest reason: headers count against the broker's payload limit.
const REASON_CHARS_MAX: usize = 1000;

/// Stores `message` in the dead-letter stream. Safe to repeat: the broker deduplicates.
pub async fn bury(
    context: &Context,
    stream: Stream,
    message: &Message,
    reason: &str,
) -> Result<()> {
    let sequence = message.info().map_or(0, |info| info.stream_sequence);
    let subject = format!("dead.{}", stream.name().to_lowercase());
    let headers = headers_of(stream, sequence, message, reason);
    let payload = Bytes::clone(&message.payload);
    publish(context, subject, headers, payload).await.with_context(|| {
        format!("cannot put message {sequence} of {} among the dead letters", stream.name())
    })
}

fn headers_of(stream: Stream, sequence: u64, message: &Message, reason: &str) -> HeaderMap {
    let mut all = HeaderMap::new();
    let original = message.headers.as_ref();
    for (name, values) in original.iter().flat_map(|headers| headers.iter()) {
        // The broker acts on its own headers; on a dead letter they must not have an effect.
        if name.to_string().starts_with("Nats-") {
            continue;
        }
        for value in values {
            all.append(name.clone(), value.clone());
        }
    }
    if let Some(id) = headers::text(original, MESSAGE_ID) {
        all.insert(ORIGINAL_ID, id);
    }
    all.insert(REASON, one_line(reason).as_str());
    all.insert(SUBJECT, message.subject.as_str());
    all.insert(STREAM_SEQUENCE, sequence.to_string().as_str());
    all.insert(MESSAGE_ID, format!("dead/{}/{sequence}", stream.name()).as_str());
    all
}

fn one_line(reason: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    reason.chars().take(REASON_CHARS_MAX).map(printable).collect()
}
