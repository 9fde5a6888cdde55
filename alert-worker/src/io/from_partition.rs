//! The candidates of a partition, in the order in which the bus stored them.

use anyhow::{Context as _, Result};
use async_nats::jetstream::{Context, Message};
use muster_nats::consume::BatchLimits;
use muster_nats::ordered::{OrderedSource, Start, span, stored_at_ms};
use muster_nats::{Stream, headers, subjects};
use muster_schemas::conditions::Candidate;
use muster_schemas::{Envelope, Partition, codec};
use tracing::debug;

use crate::logic::continuity::{Break, From, Offset, Stream as Found, go_on};

/// What a host suspects, and when the bus heard of it.
#[derive(Debug)]
pub(crate) struct Heard {
    /// Milliseconds since the Unix epoch, by the broker's clock.
    pub(crate) stored_at: i64,
    /// Whether the host was asked to say it once more, long after.
    pub(crate) is_again: bool,
    pub(crate) envelope: Envelope<Candidate>,
}

/// Messages that are decided about together.
pub(crate) struct Batch {
    pub(crate) heard: Vec<Heard>,
    /// What cannot be read included.
    pub(crate) messages: usize,
    /// Of the last of them, and when the bus stored it and the first.
    pub(crate) last_seq: u64,
    pub(crate) last_at: i64,
    pub(crate) first_at: i64,
}

/// Where reading goes on.
pub(crate) struct Opened {
    pub(crate) source: OrderedSource,
    pub(crate) stream_created_at: i64,
    /// What became of the stream meanwhile, where it is not the one that was read.
    pub(crate) broken: Option<Break>,
}

pub(crate) async fn open(
    context: &Context,
    partition: Partition,
    offset: &Offset,
    limits: BatchLimits,
    replicas: usize,
) -> Result<Opened> {
    let span = span(context, Stream::Signals, replicas).await?;
    let stored_at_offset = match offset.seq {
        0 => None,
        seq => stored_at_ms(context, Stream::Signals, seq).await?,
    };
    let (created_at, first_seq) = (span.created_at_ms, span.first_seq);
    let found = Found { created_at, first_seq, last_seq: span.last.seq, stored_at_offset };
    let (from, broken) = go_on(offset, &found);
    let start = match from {
        From::Sequence(seq) => Start::Sequence(seq),
        From::Time(ms) => Start::Time(ms),
    };
    let filter = subjects::candidates_of(partition);
    let source = OrderedSource::open(context, Stream::Signals, span, filter, start, limits).await?;
    Ok(Opened { source, stream_created_at: span.created_at_ms, broken })
}

/// What cannot be read is left out: the ingest worker hears the same stream and is the one that
/// keeps dead letters.
pub(crate) fn read_batch(messages: &[Message]) -> Result<Batch> {
    let (_, first_at) = place(messages.first().context("a batch without messages")?)?;
    let (last_seq, last_at) = place(messages.last().context("a batch without messages")?)?;
    let mut heard = Vec::with_capacity(messages.len());
    for message in messages {
        let (_, stored_at) = place(message)?;
        match read(message, stored_at) {
            Ok(heard_now) => heard.push(heard_now),
            Err(reason) => {
                metrics::counter!("muster_alert_unreadable_total").increment(1);
                debug!(subject = %message.subject, "left out a message: {reason:#}");
            }
        }
    }
    Ok(Batch { heard, messages: messages.len(), last_seq, last_at, first_at })
}

fn place(message: &Message) -> Result<(u64, i64)> {
    let info = message.info().map_err(|error| anyhow::anyhow!("no delivery data: {error}"))?;
    Ok((info.stream_sequence, (info.published.unix_timestamp_nanos() / 1_000_000) as i64))
}

fn read(message: &Message, stored_at: i64) -> Result<Heard> {
    let address = subjects::parse(&message.subject)?;
    let content_type = headers::content_type(message.headers.as_ref())?;
    let envelope: Envelope<Candidate> = codec::decode(content_type, &message.payload)?;
    let id = headers::message_id(message.headers.as_ref());
    envelope.check(&address.host, id.as_ref(), stored_at)?;
    let is_again = id.is_some_and(|id| id.resend > 0);
    Ok(Heard { stored_at, is_again, envelope })
}
