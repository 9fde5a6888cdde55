//! The dead letters as people handle them: listed, read, published again, thrown away.
//!
//! Published again, a message goes to the subject it came on, under its own id with a suffix that
//! no agent uses, and is removed from the dead letters only once the broker has it. Interrupted in
//! between it is there twice, and the ledger stores it once.

use anyhow::{Context as _, Result};
use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::RawMessageErrorKind;
use async_nats::jetstream::{Context, ErrorCode, Message, stream};
use bytes::Bytes;
use futures::StreamExt;
use muster_schemas::{HostId, MessageId};
use std::time::Duration;

use crate::dead::{ORIGINAL_ID, OURS, REASON, RETRIES, SUBJECT, TRUNCATED};
use crate::definitions::Stream;
use crate::headers::{self, CONTENT_TYPE, MESSAGE_ID};
use crate::publish::{PublishError, publish};
use crate::subjects;

/// Numbers looked through at a time: as many letters as two pages show.
const WINDOW: u64 = 500;

/// The most letters taken from the broker at a time. Without their bodies they are about 1 kB each.
const FETCH_MAX: u64 = 5_000;

/// The most letters looked at for one page. A filter that fits none of so many answers with what it
/// has, and from where to go on.
const LOOKED_AT_MAX: usize = 20_000;

/// The broker forgets a listing that was interrupted.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30);

/// Suffixes of ids from here on are ours, and those below agents': with one that an agent has used
/// the broker would take the message for one it has, and drop it.
const RESEND_FROM: u32 = 1 << 31;

/// A dead letter without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its number among the dead letters.
    pub seq: u64,
    /// Milliseconds since the Unix epoch, by the broker's clock.
    pub at: i64,
    /// The stream it was in, in lower case.
    pub stream: String,
    /// The subject it was stored under there.
    pub subject: String,
    pub message_id: Option<String>,
    pub reason: String,
    pub content_type: Option<String>,
    /// How many bytes it had, and how many of them were kept.
    pub size: u64,
    pub kept: u64,
    /// How many times it was published again.
    pub retries: u32,
}

impl Letter {
    pub fn host(&self) -> Option<HostId> {
        subjects::parse(&self.subject).ok().map(|address| address.host)
    }

    fn read(seq: u64, at: i64, subject: &str, headers: &HeaderMap, kept: u64) -> Self {
        let text = |name| headers::text(Some(headers), name).map(str::to_owned);
        let number = |name| text(name).and_then(|text| text.parse().ok());
        Self {
            seq,
            at,
            stream: subject.strip_prefix("dead.").unwrap_or(subject).to_owned(),
            subject: text(SUBJECT).unwrap_or_default(),
            message_id: text(ORIGINAL_ID),
            reason: text(REASON).unwrap_or_default(),
            content_type: text(CONTENT_TYPE),
            size: number(TRUNCATED).unwrap_or(kept),
            kept,
            retries: number(RETRIES).and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        }
    }
}

/// A dead letter as it was kept.
#[derive(Debug, Clone)]
pub struct WholeLetter {
    pub letter: Letter,
    pub headers: HeaderMap,
    pub payload: Bytes,
}

#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// As [`Letter::stream`].
    pub stream: Option<Stream>,
    /// A part of the reason, in lower case.
    pub reason: Option<String>,
    pub host: Option<HostId>,
}

impl Filter {
    fn subject(&self) -> String {
        self.stream.map_or("dead.*".into(), |stream| format!("dead.{}", stream.token()))
    }

    fn fits(&self, letter: &Letter) -> bool {
        let reason = |part: &String| letter.reason.to_lowercase().contains(part.as_str());
        self.reason.as_ref().is_none_or(reason)
            && self.host.as_ref().is_none_or(|host| letter.host().as_ref() == Some(host))
    }
}

/// Newest first.
#[derive(Debug, Default)]
pub struct Page {
    pub letters: Vec<Letter>,
    /// What to give as `before` for the next page.
    pub next: Option<u64>,
}

/// The newest letters that fit and have a lower number than `before`.
pub async fn page(
    context: &Context,
    filter: &Filter,
    before: Option<u64>,
    limit: usize,
) -> Result<Page> {
    let name = Stream::Dead.name();
    let stream = context.get_stream(name).await.context("the dead letters cannot be reached")?;
    let (first, last) =
        (stream.cached_info().state.first_sequence, stream.cached_info().state.last_sequence);
    let mut end = before.unwrap_or(u64::MAX).min(last + 1);
    let (mut width, mut looked_at, mut found) = (WINDOW, 0, Vec::new());
    while end > first && looked_at < LOOKED_AT_MAX && found.len() <= limit {
        let start = end.saturating_sub(width).max(first);
        let letters = between(context, &stream, filter.subject(), start, end).await?;
        if letters.len() as u64 >= FETCH_MAX && width > WINDOW {
            width = WINDOW;
            continue;
        }
        looked_at += letters.len();
        // Many that were thrown away leave a long way without any.
        width = if letters.is_empty() { width.saturating_mul(8) } else { WINDOW };
        found.extend(letters.into_iter().rev().filter(|letter| filter.fits(letter)));
        end = start;
    }
    let mut next = (end > first).then_some(end);
    if found.len() > limit {
        found.truncate(limit);
        next = found.last().map(|letter| letter.seq);
    }
    Ok(Page { letters: found, next })
}

/// Letters from `start` to before `end`, in order.
async fn between(
    context: &Context,
    stream: &stream::Stream,
    subject: String,
    start: u64,
    end: u64,
) -> Result<Vec<Letter>> {
    let config = pull::Config {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: start.max(1) },
        ack_policy: AckPolicy::None,
        filter_subject: subject,
        headers_only: true,
        memory_storage: true,
        inactive_threshold: FORGOTTEN_AFTER,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let consumer = stream.create_consumer(config).await.context("cannot list dead letters")?;
    let wanted = (end - start).min(FETCH_MAX) as usize;
    let mut messages =
        consumer.fetch().max_messages(wanted).messages().await.context("cannot list them")?;
    let mut letters = Vec::new();
    while let Some(message) = messages.next().await {
        let message = message.map_err(|error| anyhow::anyhow!("cannot list them: {error}"))?;
        let Some(letter) = read_head(&message) else { continue };
        if letter.seq >= end {
            break;
        }
        letters.push(letter);
    }
    let name = consumer.cached_info().name.clone();
    // It would be forgotten by itself.
    let _ = context.delete_consumer_from_stream(name, Stream::Dead.name()).await;
    Ok(letters)
}

fn read_head(message: &Message) -> Option<Letter> {
    let info = message.info().ok()?;
    let at = (info.published.unix_timestamp_nanos() / 1_000_000) as i64;
    let headers = message.headers.as_ref()?;
    let kept = headers::text(Some(headers), "Nats-Msg-Size")?.parse().ok()?;
    Some(Letter::read(info.stream_sequence, at, &message.subject, headers, kept))
}

#[derive(Debug, thiserror::Error)]
pub enum LetterError {
    #[error("there is no dead letter {0}")]
    NotThere(u64),
    /// It is there and stays there.
    #[error("{0}")]
    Refused(String),
    /// Try again.
    #[error("the bus did not do it")]
    Bus(#[source] anyhow::Error),
}

/// One letter, whole.
pub async fn read(context: &Context, seq: u64) -> Result<WholeLetter, LetterError> {
    let stream = dead_letters(context).await?;
    let message = match stream.get_raw_message(seq).await {
        Ok(message) => message,
        Err(error) if is_not_there(error.kind()) => return Err(LetterError::NotThere(seq)),
        Err(error) => return Err(LetterError::Bus(error.into())),
    };
    let at = (message.time.unix_timestamp_nanos() / 1_000_000) as i64;
    let kept = message.payload.len() as u64;
    let letter = Letter::read(seq, at, &message.subject, &message.headers, kept);
    Ok(WholeLetter { letter, headers: message.headers, payload: message.payload })
}

fn is_not_there(kind: RawMessageErrorKind) -> bool {
    match kind {
        RawMessageErrorKind::NoMessageFound => true,
        RawMessageErrorKind::JetStream(error) => error.error_code() == ErrorCode::NO_MESSAGE_FOUND,
        _ => false,
    }
}

async fn dead_letters(context: &Context) -> Result<stream::Stream<()>, LetterError> {
    let stream = context.get_stream_no_info(Stream::Dead.name()).await;
    stream.map_err(|error| LetterError::Bus(error.into()))
}

/// Publishes a letter again and removes it; answers where to and under which id.
pub async fn retry(
    context: &Context,
    whole: &WholeLetter,
) -> Result<(String, String), LetterError> {
    let letter = &whole.letter;
    if letter.kept < letter.size {
        return Err(LetterError::Refused(format!(
            "only the first {} of its {} bytes were kept, it cannot be published again",
            letter.kept, letter.size
        )));
    }
    let address = subjects::parse(&letter.subject)
        .map_err(|error| LetterError::Refused(format!("it can never be stored: {error}")))?;
    let subject = subjects::durable(&address.host, address.kind);
    let id = retry_id(letter);
    let headers = retry_headers(&whole.headers, &id, letter.retries + 1);
    publish(context, subject.clone(), headers, whole.payload.clone()).await.map_err(|error| {
        match error {
            PublishError::Refused(_) => LetterError::Refused(error.to_string()),
            PublishError::NotAcknowledged(_) => LetterError::Bus(error.into()),
        }
    })?;
    discard(context, letter.seq).await?;
    Ok((subject, id))
}

/// The number among the dead letters makes the id one of its own; tried twice, it is the same.
fn retry_id(letter: &Letter) -> String {
    let original: Option<MessageId> = letter.message_id.as_ref().and_then(|id| id.parse().ok());
    let resend = RESEND_FROM | (letter.seq as u32 & !RESEND_FROM);
    match original {
        Some(id) => MessageId { resend, ..id }.to_string(),
        None => format!("dead/{}/retry", letter.seq),
    }
}

fn retry_headers(kept: &HeaderMap, id: &str, retries: u32) -> HeaderMap {
    let mut all = HeaderMap::new();
    for (name, values) in kept.iter() {
        let name_text: &str = name.as_ref();
        if name_text.starts_with("Nats-") || name_text.starts_with(OURS) {
            continue;
        }
        for value in values {
            all.append(name.clone(), value.clone());
        }
    }
    all.insert(MESSAGE_ID, id);
    all.insert(RETRIES, retries.to_string().as_str());
    all
}

/// Removes a letter. What the ledger says of it stays.
pub async fn discard(context: &Context, seq: u64) -> Result<(), LetterError> {
    let removed = dead_letters(context).await?.delete_message(seq).await;
    match removed {
        Ok(_) => Ok(()),
        Err(error) => match error.kind() {
            stream::DeleteMessageErrorKind::JetStream(answer)
                if answer.error_code() == ErrorCode::NO_MESSAGE_FOUND =>
            {
                Err(LetterError::NotThere(seq))
            }
            _ => Err(LetterError::Bus(error.into())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dead::is_retried;

    fn letter(message_id: Option<&str>) -> Letter {
        let mut headers = HeaderMap::new();
        headers.insert(SUBJECT, "p.3.web-3.heartbeat");
        headers.insert(REASON, "body.Interval_ms is 0");
        headers.insert(RETRIES, "2");
        if let Some(id) = message_id {
            headers.insert(ORIGINAL_ID, id);
        }
        Letter::read(7, 1, "dead.signals", &headers, 10)
    }

    #[test]
    fn a_letter_says_whose_it_is_and_how_often_it_was_tried() {
        let letter = letter(None);
        assert_eq!(letter.host().unwrap().as_str(), "web-3");
        assert_eq!((letter.stream.as_str(), letter.size, letter.retries), ("signals", 10, 2));
    }

    #[test]
    fn a_retry_has_an_id_that_no_agent_uses_and_that_is_the_message_s_own() {
        for (original, id) in [
            (Some("web-3/signals/5/9"), "web-3/signals/5/9/r2147483655"),
            (Some("web-3/signals/5/9/r2147483652"), "web-3/signals/5/9/r2147483655"),
            (Some("something else"), "dead/7/retry"),
            (None, "dead/7/retry"),
        ] {
            assert_eq!(retry_id(&letter(original)), id, "{original:?}");
        }
    }

    #[test]
    fn a_retry_carries_the_headers_of_its_host_and_not_those_of_its_death() {
        let mut kept = HeaderMap::new();
        for (name, value) in [(CONTENT_TYPE, "application/json"), (REASON, "x"), ("Trace", "1")] {
            kept.insert(name, value);
        }
        let headers = retry_headers(&kept, "a/logs/1/2/r3", 1);
        let text = |name| headers::text(Some(&headers), name);
        assert_eq!(text(CONTENT_TYPE), Some("application/json"));
        assert_eq!((text(REASON), text("Trace")), (None, Some("1")));
        assert_eq!((text(MESSAGE_ID), text(RETRIES)), (Some("a/logs/1/2/r3"), Some("1")));
        assert!(is_retried(Some(&headers)) && !is_retried(Some(&kept)) && !is_retried(None));
    }

    #[test]
    fn a_filter_is_a_part_of_the_reason_whatever_the_case_and_a_host() {
        let reason = |part: &str| Filter { reason: Some(part.into()), ..Filter::default() };
        let host = |id: &str| Filter { host: id.parse().ok(), ..Filter::default() };
        for (filter, fits) in [
            (Filter::default(), true),
            (reason("interval_ms"), true),
            (reason("samples"), false),
            (host("web-3"), true),
            (host("web-4"), false),
        ] {
            assert_eq!(filter.fits(&letter(None)), fits, "{filter:?}");
        }
    }
}
