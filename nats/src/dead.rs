//! Dead letters: a message that can never be stored is kept, whole, with the reason.

use anyhow::{Context as _, Result};
use async_nats::HeaderMap;
use async_nats::jetstream::{Context, Message};
use bytes::Bytes;

use crate::definitions::Stream;
use crate::headers::{self, MESSAGE_ID};
use crate::publish::{PublishError, publish};

/// Why it is dead, in one line.
pub const REASON: &str = "Muster-Reason";
/// The subject it was published on.
pub const SUBJECT: &str = "Muster-Subject";
/// The id it was published under, if it had one.
pub const ORIGINAL_ID: &str = "Muster-Message-Id";
/// Where it stands in its stream.
pub const STREAM_SEQUENCE: &str = "Muster-Stream-Sequence";

/// How many bytes the message had, where only its beginning could be kept.
pub const TRUNCATED: &str = "Muster-Truncated";

/// How many times it was published again, where somebody had it tried.
pub const RETRIES: &str = "Muster-Retries";

/// Whether this is a dead letter that somebody had tried again: the broker's time of it is that of
/// the trial, and not of what it tells.
pub fn is_retried(headers: Option<&HeaderMap>) -> bool {
    headers::text(headers, RETRIES).is_some()
}

/// How all headers of ours begin.
pub(crate) const OURS: &str = "Muster-";

/// What is kept of a message that does not fit: enough to tell what it was.
const TRUNCATED_BYTES: usize = 256 * 1024;

/// The longest reason: headers count against the broker's payload limit.
const REASON_CHARS_MAX: usize = 1000;

/// Stores `message` in the dead-letter stream. Safe to repeat: the broker deduplicates.
///
/// A message so large that it does not fit with the reason added is cut, which the header
/// [`TRUNCATED`] says.
pub async fn bury(
    context: &Context,
    stream: Stream,
    message: &Message,
    reason: &str,
) -> Result<()> {
    let sequence = message.info().map_or(0, |info| info.stream_sequence);
    let subject = format!("dead.{}", stream.token());
    let mut headers = headers_of(stream, sequence, message, reason);
    let whole = Bytes::clone(&message.payload);
    let size = whole.len();
    let mut outcome = publish(context, subject.clone(), headers.clone(), whole.clone()).await;
    if matches!(outcome, Err(PublishError::Refused(_))) {
        headers = own_headers(stream, sequence, message, reason);
        headers.insert(TRUNCATED, size.to_string().as_str());
        let start = whole.slice(..size.min(TRUNCATED_BYTES));
        outcome = publish(context, subject, headers, start).await;
    }
    outcome.with_context(|| {
        format!("cannot put message {sequence} of {} among the dead letters", stream.name())
    })
}

fn headers_of(stream: Stream, sequence: u64, message: &Message, reason: &str) -> HeaderMap {
    let mut all = HeaderMap::new();
    let original = message.headers.as_ref();
    for (name, values) in original.iter().flat_map(|headers| headers.iter()) {
        // The broker acts on its own headers, and a host must not speak for us.
        let name_text: &str = name.as_ref();
        if name_text.starts_with("Nats-") || name_text.starts_with(OURS) {
            continue;
        }
        for value in values {
            all.append(name.clone(), value.clone());
        }
    }
    for (name, values) in own_headers(stream, sequence, message, reason).iter() {
        for value in values {
            all.insert(name.clone(), value.clone());
        }
    }
    all
}

/// What we say of it.
fn own_headers(stream: Stream, sequence: u64, message: &Message, reason: &str) -> HeaderMap {
    let mut all = HeaderMap::new();
    if let Some(id) = headers::text(message.headers.as_ref(), MESSAGE_ID) {
        all.insert(ORIGINAL_ID, one_line(id).as_str());
    }
    if let Some(retries) = headers::text(message.headers.as_ref(), RETRIES) {
        all.insert(RETRIES, one_line(retries).as_str());
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
