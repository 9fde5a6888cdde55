//! What the broker holds: its streams and how far the consumers are.
//!
//! For the page that shows where data is held. Every question has a deadline, because the answer
//! that matters most is that there is none.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use async_nats::jetstream::Context;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::definitions::{ConsumerName, Stream};

/// A broker at work answers in a millisecond; one that takes this long is not to be counted on.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Times are milliseconds since the Unix epoch, by the broker's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamView {
    pub stream: Stream,
    pub messages: u64,
    pub bytes: u64,
    pub bytes_max: u64,
    pub age_ms_max: i64,
    pub last_seq: u64,
    /// When the oldest message was stored, where there is one.
    pub oldest_at: Option<i64>,
    pub at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerView {
    pub consumer: ConsumerName,
    /// Not delivered to any worker yet.
    pub pending: u64,
    /// Delivered and not acknowledged.
    pub ack_pending: u64,
    /// Of these, delivered more than once.
    pub redelivered: u64,
    /// Requests of workers that wait for messages.
    pub waiting: u64,
    /// How long the oldest message that is not acknowledged has waited.
    pub lag_ms: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overview {
    pub streams: Vec<StreamView>,
    /// A consumer that no worker has made yet is not there.
    pub consumers: Vec<ConsumerView>,
}

/// All streams and consumers.
pub async fn overview(context: &Context) -> Result<Overview> {
    let mut overview = Overview::default();
    for stream in Stream::ALL {
        overview.streams.push(stream_view(context, stream).await?);
    }
    for consumer in ConsumerName::ALL {
        overview.consumers.extend(consumer_view(context, consumer).await?);
    }
    Ok(overview)
}

#[derive(Deserialize)]
struct StreamInfo {
    config: StreamLimits,
    state: StreamState,
    ts: String,
}

#[derive(Deserialize)]
struct StreamLimits {
    max_bytes: i64,
    /// Nanoseconds.
    max_age: i64,
}

#[derive(Deserialize)]
struct StreamState {
    messages: u64,
    bytes: u64,
    last_seq: u64,
    first_ts: String,
}

async fn stream_view(context: &Context, stream: Stream) -> Result<StreamView> {
    let name = stream.name();
    let info: Option<StreamInfo> = ask(context, format!("STREAM.INFO.{name}"), &json!({})).await?;
    let Some(info) = info else { bail!("the stream {name} is not there") };
    let StreamState { messages, bytes, last_seq, first_ts } = info.state;
    let oldest_at = if messages == 0 { None } else { Some(time_ms(&first_ts)?) };
    Ok(StreamView {
        stream,
        messages,
        bytes,
        bytes_max: u64::try_from(info.config.max_bytes).unwrap_or(0),
        age_ms_max: info.config.max_age / 1_000_000,
        last_seq,
        oldest_at,
        at: time_ms(&info.ts)?,
    })
}

#[derive(Deserialize)]
struct ConsumerInfo {
    num_pending: u64,
    num_ack_pending: u64,
    num_redelivered: u64,
    num_waiting: u64,
    ack_floor: Position,
    ts: String,
}

#[derive(Deserialize)]
struct Position {
    stream_seq: u64,
}

async fn consumer_view(context: &Context, consumer: ConsumerName) -> Result<Option<ConsumerView>> {
    let (stream, name) = (consumer.stream().name(), consumer.name());
    let question = format!("CONSUMER.INFO.{stream}.{name}");
    let Some(info) = ask::<ConsumerInfo>(context, question, &json!({})).await? else {
        return Ok(None);
    };
    let oldest = if info.num_pending + info.num_ack_pending == 0 {
        None
    } else {
        stored_at(context, stream, info.ack_floor.stream_seq + 1).await?
    };
    let at = time_ms(&info.ts)?;
    Ok(Some(ConsumerView {
        consumer,
        pending: info.num_pending,
        ack_pending: info.num_ack_pending,
        redelivered: info.num_redelivered,
        waiting: info.num_waiting,
        lag_ms: oldest.map_or(0, |oldest| (at - oldest).max(0)),
    }))
}

#[derive(Deserialize)]
pub(crate) struct Stored {
    pub(crate) message: StoredTime,
}

#[derive(Deserialize)]
pub(crate) struct StoredTime {
    pub(crate) time: String,
}

/// When the first message from `seq` on was stored.
async fn stored_at(context: &Context, stream: &str, seq: u64) -> Result<Option<i64>> {
    let question = json!({ "seq": seq, "next_by_subj": ">" });
    let stored: Option<Stored> =
        ask(context, format!("STREAM.MSG.GET.{stream}"), &question).await?;
    stored.map(|stored| time_ms(&stored.message.time)).transpose()
}

/// `None`: there is no such thing.
pub(crate) async fn ask<T: DeserializeOwned>(
    context: &Context,
    subject: String,
    question: &Value,
) -> Result<Option<T>> {
    let answer = timeout(ANSWER_TIMEOUT, context.request(subject.clone(), question)).await;
    let answer: Value = answer
        .map_err(|_| anyhow!("no answer within {ANSWER_TIMEOUT:?}"))?
        .with_context(|| format!("no answer to {subject}"))?;
    match answer.get("error") {
        Some(error) if error["code"] == 404 => Ok(None),
        Some(error) => bail!("{subject} is answered by {error}"),
        None => serde_json::from_value(answer)
            .map(Some)
            .with_context(|| format!("the answer to {subject} cannot be read")),
    }
}

pub(crate) fn time_ms(text: &str) -> Result<i64> {
    let at = async_nats::datetime::parse_rfc3339(text)
        .map_err(|error| anyhow::anyhow!("the bus says {text:?} for a time: {error}"))?;
    Ok((at.unix_timestamp_nanos() / 1_000_000) as i64)
}
