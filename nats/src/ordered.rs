//! Some subjects of a stream in their order, from a given place on, for one reader who keeps the
//! place himself, beside what he makes of the messages.
//!
//! Nothing is acknowledged: redelivery would break the order. Whatever goes wrong, a message that
//! was skipped on the way included, ends the source; the reader opens another one at the place that
//! he has committed. What is to become of a stream that is not the one he had read is his decision:
//! [`span`] and [`stored_at_ms`] tell him what is there.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use async_nats::datetime::from_nanos;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::{Context, Message};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use crate::consume::{BatchLimits, IDLE_HEARTBEAT, PULL_EXPIRES};
use crate::definitions::{Stream, apply_streams};
use crate::overview::{Stored, ask, time_ms};

/// A reader who has not asked for this long is gone, and the broker forgets the consumer. One who
/// was only held up opens another.
const GONE_AFTER: Duration = Duration::from_secs(30);

/// The most bytes the client holds ahead of the reader: one of the largest messages the broker
/// takes (16 MiB), with its headers, or that one would never come. A worker may have some thirty
/// readers, but it takes a hostile host to make one of them hold more than a megabyte.
const PREFETCH_BYTES_MAX: usize = 17 * 1024 * 1024;

/// The broker tells a consumer of a message a moment after it was stored. A place in the stream
/// counts only when it is this old, and the broker's time less this is the time up to which
/// everything was heard.
const SETTLED_AFTER: Duration = Duration::from_millis(500);

/// A place in a stream, and when the message there was stored, milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub seq: u64,
    pub at_ms: i64,
}

/// From where to where a stream reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Another time means another stream, whatever its name.
    pub created_at_ms: i64,
    pub first_seq: u64,
    pub last: Place,
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At this message, or the first one after it that is there.
    Sequence(u64),
    /// At the first message that was stored at this time or later.
    Time(i64),
}

/// What a look at the broker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The broker's clock, milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// Up to when everything that concerns the reader was handed to him, where that can be said.
    pub heard_until_ms: Option<i64>,
    /// A place up to which nothing in the stream concerns him any more.
    pub passed: Option<Place>,
}

#[derive(Deserialize)]
struct StreamInfo {
    created: String,
    state: StreamState,
    /// Absent where there is one server.
    cluster: Option<Cluster>,
}

#[derive(Default, Deserialize)]
struct Cluster {
    leader: Option<String>,
    #[serde(default)]
    replicas: Vec<Replica>,
}

#[derive(Deserialize)]
struct Replica {
    name: String,
    current: bool,
    #[serde(default)]
    lag: u64,
}

impl Cluster {
    /// Whether the server on which this consumer lives has all that the leader has.
    fn is_current(&self, consumer: &Self) -> bool {
        let Some(home) = &consumer.leader else { return false };
        let replica = self.replicas.iter().find(|replica| replica.name == *home);
        self.leader.as_ref() == Some(home) || replica.is_some_and(|at| at.current && at.lag == 0)
    }
}

#[derive(Deserialize)]
struct StreamState {
    first_seq: u64,
    last_seq: u64,
    last_ts: String,
}

#[derive(Deserialize)]
struct ConsumerInfo {
    num_pending: u64,
    delivered: Delivered,
    ts: String,
    cluster: Option<Cluster>,
}

#[derive(Deserialize)]
struct Delivered {
    consumer_seq: u64,
}

/// Where the stream is; applies the definitions if it is not there.
pub async fn span(context: &Context, stream: Stream, replicas: usize) -> Result<Span> {
    if let Some((span, _)) = existing(context, stream).await? {
        return Ok(span);
    }
    apply_streams(context, replicas).await?;
    let made = existing(context, stream).await?.map(|(span, _)| span);
    made.with_context(|| format!("the stream {} was made and is not there", stream.name()))
}

async fn existing(context: &Context, stream: Stream) -> Result<Option<(Span, Cluster)>> {
    let question = format!("STREAM.INFO.{}", stream.name());
    let Some(info) = ask::<StreamInfo>(context, question, &json!({})).await? else {
        return Ok(None);
    };
    let StreamState { first_seq, last_seq, last_ts } = info.state;
    let last = Place { seq: last_seq, at_ms: time_ms(&last_ts)? };
    let span = Span { created_at_ms: time_ms(&info.created)?, first_seq, last };
    Ok(Some((span, info.cluster.unwrap_or_default())))
}

/// When the message at that place was stored; `None` where none is there.
pub async fn stored_at_ms(context: &Context, stream: Stream, seq: u64) -> Result<Option<i64>> {
    let subject = format!("STREAM.MSG.GET.{}", stream.name());
    let stored: Option<Stored> = ask(context, subject, &json!({ "seq": seq })).await?;
    stored.map(|stored| time_ms(&stored.message.time)).transpose()
}

pub struct OrderedSource {
    context: Context,
    stream: Stream,
    created_at_ms: i64,
    limits: BatchLimits,
    consumer: PullConsumer,
    messages: pull::Stream,
    /// Messages of this consumer that came so far.
    received: u64,
    /// All before this one has come or does not concern the reader, where that is known.
    passed_seq: Option<u64>,
    /// Where the stream ended at an earlier look.
    noted: Option<(Place, Instant)>,
    batch: Vec<Message>,
    batch_bytes: usize,
    /// When the batch is handed on, however few it has.
    batch_until: Option<Instant>,
}

impl OrderedSource {
    /// Reads what `filter` names of the stream that `span` told of.
    pub async fn open(
        context: &Context,
        stream: Stream,
        span: Span,
        filter: String,
        start: Start,
        limits: BatchLimits,
    ) -> Result<Self> {
        let consumer = make_consumer(context, stream, &filter, start).await?;
        let messages = consumer
            .stream()
            // One batch comes while the other is worked on.
            .max_messages_per_batch(2 * limits.messages_max)
            .max_bytes_per_batch(PREFETCH_BYTES_MAX)
            .heartbeat(IDLE_HEARTBEAT)
            .expires(PULL_EXPIRES)
            .messages()
            .await
            .with_context(|| format!("cannot pull {filter}"))?;
        let passed_seq = match start {
            Start::Sequence(seq) => Some(seq.saturating_sub(1)),
            Start::Time(_) => None,
        };
        Ok(Self {
            context: context.clone(),
            stream,
            created_at_ms: span.created_at_ms,
            limits,
            consumer,
            messages,
            received: 0,
            passed_seq,
            noted: None,
            batch: Vec::new(),
            batch_bytes: 0,
            batch_until: None,
        })
    }

    /// The next batch, of one message at least. Dropping the future loses nothing: what was
    /// gathered is part of the next one's batch.
    pub async fn next(&mut self) -> Result<Vec<Message>> {
        while self.batch.len() < self.limits.messages_max
            && self.batch_bytes < self.limits.bytes_max
        {
            let message = match self.batch_until {
                None => self.messages.next().await,
                Some(until) => match timeout_at(until, self.messages.next()).await {
                    Ok(message) => message,
                    Err(_) => break,
                },
            };
            self.take(message.context("the pull has ended")??)?;
        }
        self.batch_bytes = 0;
        self.batch_until = None;
        Ok(std::mem::take(&mut self.batch))
    }

    fn take(&mut self, message: Message) -> Result<()> {
        let info = message.info().map_err(|error| anyhow::anyhow!("no delivery data: {error}"))?;
        let expected = self.received + 1;
        let came = info.consumer_sequence;
        ensure!(came == expected, "message {came} of the consumer came, {expected} was next");
        self.received = came;
        self.passed_seq = Some(info.stream_sequence);
        self.batch_bytes += message.payload.len();
        self.batch_until.get_or_insert_with(|| Instant::now() + self.limits.wait);
        self.batch.push(message);
        Ok(())
    }

    /// Asks the broker how far the reader is, who has handled all that [`Self::next`] gave him.
    /// Fails where the stream is another one by now, or has lost what he had not heard yet.
    pub async fn look(&mut self) -> Result<Look> {
        let name = self.stream.name();
        let span = existing(&self.context, self.stream).await?;
        let (span, stream) = span.with_context(|| format!("the stream {name} is gone"))?;
        ensure!(span.created_at_ms == self.created_at_ms, "the stream {name} was made anew");
        let consumer = &self.consumer.cached_info().name;
        let question = format!("CONSUMER.INFO.{name}.{consumer}");
        let info: Option<ConsumerInfo> = ask(&self.context, question, &json!({})).await?;
        let Some(info) = info else { bail!("the consumer {consumer} of {name} is gone") };
        let at_ms = time_ms(&info.ts)?;
        // One of several servers may not have yet what the others have stored.
        let is_current = info.cluster.is_none_or(|consumer| stream.is_current(&consumer));
        let has_all = info.num_pending == 0
            && is_current
            && info.delivered.consumer_seq == self.received
            && self.batch.is_empty();
        if !has_all {
            let is_there = self.passed_seq.is_none_or(|passed| span.first_seq <= passed + 1);
            ensure!(is_there, "the stream {name} has dropped messages before they were read");
            return Ok(Look { at_ms, heard_until_ms: None, passed: None });
        }
        let heard_until_ms = Some(at_ms - SETTLED_AFTER.as_millis() as i64);
        Ok(Look { at_ms, heard_until_ms, passed: self.pass(span.last) })
    }

    /// Notes where the stream ends; answers where it ended at an earlier look, once that has
    /// settled.
    fn pass(&mut self, last: Place) -> Option<Place> {
        if self.noted.is_some_and(|(_, noted_at)| noted_at.elapsed() < SETTLED_AFTER) {
            return None;
        }
        let (place, _) = self.noted.replace((last, Instant::now()))?;
        self.passed_seq = self.passed_seq.max(Some(place.seq));
        Some(place)
    }
}

/// Unnamed: two readers must not share one, not even for a moment.
async fn make_consumer(
    context: &Context,
    stream: Stream,
    filter: &str,
    start: Start,
) -> Result<PullConsumer> {
    let deliver_policy = match start {
        // The broker counts from one.
        Start::Sequence(seq) => DeliverPolicy::ByStartSequence { start_sequence: seq.max(1) },
        Start::Time(ms) => {
            let start_time = from_nanos(i128::from(ms) * 1_000_000)
                .map_err(|error| anyhow::anyhow!("{ms} is no time to begin at: {error}"))?;
            DeliverPolicy::ByStartTime { start_time }
        }
    };
    let config = pull::Config {
        description: Some(format!("in order: {filter}")),
        deliver_policy,
        ack_policy: AckPolicy::None,
        filter_subject: filter.to_owned(),
        inactive_threshold: GONE_AFTER,
        // One that is lost is made again where its reader is; that is cheaper than to keep three.
        num_replicas: 1,
        ..pull::Config::default()
    };
    context
        .create_consumer_on_stream(config, stream.name())
        .await
        .with_context(|| format!("cannot make a consumer of {filter}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_lags_behind_the_leader_does_not_say_that_all_was_heard() {
        let replica = |name: &str, current, lag| json!({ "name": name, "current": current, "lag": lag, "active": 1 });
        let stream = json!({
            "name": "muster", "leader": "a",
            "replicas": [replica("b", true, 0), replica("c", true, 7), replica("d", false, 0)],
        });
        let stream: Cluster = serde_json::from_value(stream).unwrap();
        let has_all = |home: Option<&str>| {
            stream.is_current(&Cluster { leader: home.map(Into::into), replicas: Vec::new() })
        };
        assert!(has_all(Some("a")) && has_all(Some("b")));
        assert!(!has_all(Some("c")) && !has_all(Some("d")) && !has_all(Some("e")));
        assert!(!has_all(None));
    }
}
