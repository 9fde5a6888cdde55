//! Speaks on the bus as a host would, and reads back what the streams hold.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use async_nats::HeaderMap;
use async_nats::jetstream::{self, Context};
use bytes::Bytes;
use futures::StreamExt;
use muster_nats::{BusOptions, Stream, connect, headers, subjects};
use muster_schemas::codec::{decode, encode};
use muster_schemas::control::Reply;
use muster_schemas::telemetry::{Network, Sample, TelemetryFrame};
use muster_schemas::{Durable, ENVELOPE_VERSION, Envelope, HostId, Kind};
use serde::Serialize;

pub struct Bus {
    pub client: async_nats::Client,
    pub context: Context,
}

/// A message of a stream, as it was stored.
#[derive(Debug)]
pub struct StoredMessage {
    pub subject: String,
    pub headers: HeaderMap,
    pub payload: Bytes,
}

impl Bus {
    pub async fn connect(url: &str) -> Result<Self> {
        let client = connect(BusOptions {
            url: url.into(),
            credentials: None,
            name: "muster-tests".into(),
            inbox_prefix: None,
            connected: None,
        })
        .await?;
        let context = jetstream::new(client.clone());
        Ok(Self { client, context })
    }

    /// Applies the stream definitions, as any service does.
    pub async fn prepare(&self) -> Result<()> {
        muster_nats::definitions::apply_streams(&self.context, 1).await
    }

    /// Publishes anything on a stream's subject and waits until it is stored.
    pub async fn publish(
        &self,
        subject: &str,
        headers: HeaderMap,
        payload: impl Into<Bytes>,
    ) -> Result<()> {
        let subject = subject.to_owned();
        self.context
            .publish_with_headers(subject, headers, payload.into())
            .await?
            .await
            .map(drop)
            .context("not stored by the bus")
    }

    /// Publishes a frame under its own id, with `suffix` appended (`/r1` for a resend).
    pub async fn publish_frame(
        &self,
        frame: &Envelope<TelemetryFrame>,
        suffix: &str,
    ) -> Result<()> {
        let id = format!("{}{suffix}", frame.message_id());
        let subject = subjects::durable(&frame.host, Kind::Telemetry);
        self.publish(&subject, headers::durable(&id), encode(frame)).await
    }

    /// Asks an agent; `body` travels as MessagePack.
    pub async fn request(&self, host: &HostId, verb: &str, body: &impl Serialize) -> Result<Reply> {
        let subject = subjects::control(host, verb);
        let request =
            async_nats::Request::new().headers(headers::msgpack()).payload(encode(body).into());
        let message = self.client.send_request(subject, request).await?;
        Ok(decode(headers::content_type(message.headers.as_ref())?, &message.payload)?)
    }

    /// Publishes any durable message under its own id.
    pub async fn publish_message<T: Durable>(&self, message: &Envelope<T>) -> Result<()> {
        let subject = subjects::durable(&message.host, message.body.kind());
        let id = message.message_id().to_string();
        self.publish(&subject, headers::durable(&id), encode(message)).await
    }

    /// All messages a stream holds now, oldest first.
    pub async fn read_all(&self, stream: Stream) -> Result<Vec<StoredMessage>> {
        let stream = self.context.get_stream(stream.name()).await?;
        let count = stream.cached_info().state.messages;
        let config = jetstream::consumer::pull::OrderedConfig::default();
        let consumer = stream.create_consumer(config).await?;
        let messages = consumer.messages().await?.take(usize::try_from(count)?);
        let stored = messages.map(|message| {
            let message = message?;
            Ok(StoredMessage {
                subject: message.subject.to_string(),
                headers: message.headers.clone().unwrap_or_default(),
                payload: message.payload.clone(),
            })
        });
        stored.collect::<Vec<Result<StoredMessage>>>().await.into_iter().collect()
    }

    /// The times (ms) of all samples of `host` that the stream holds: what was published.
    pub async fn published_sample_times(&self, host: &HostId) -> Result<BTreeSet<i64>> {
        let mut times = BTreeSet::new();
        for message in self.read_all(Stream::Telemetry).await? {
            if message.subject != subjects::durable(host, Kind::Telemetry) {
                continue;
            }
            let content_type = headers::content_type(Some(&message.headers))?;
            let frame: Envelope<TelemetryFrame> = decode(content_type, &message.payload)?;
            times.extend(frame.body.samples.iter().map(|sample| sample.at));
        }
        Ok(times)
    }
}

/// A host that a test speaks for.
#[derive(Debug, Clone)]
pub struct TestHost {
    pub id: HostId,
    pub epoch: i64,
}

impl TestHost {
    pub fn new(id: &str) -> Self {
        Self { id: id.parse().expect("a test's host id is valid"), epoch: 1_700_000_000_000 }
    }

    /// Any durable message.
    pub fn message<T: Durable>(&self, seq: i64, sent_at: i64, body: T) -> Envelope<T> {
        let (host, epoch) = (self.id.clone(), self.epoch);
        Envelope { v: ENVELOPE_VERSION, host, epoch, seq, sent_at, body }
    }

    /// A frame of one sample for each of the times.
    pub fn frame(&self, seq: i64, times: &[i64]) -> Envelope<TelemetryFrame> {
        let samples = times.iter().map(|at| sample(*at)).collect();
        Envelope {
            v: ENVELOPE_VERSION,
            host: self.id.clone(),
            epoch: self.epoch,
            seq,
            sent_at: times.last().copied().unwrap_or_default(),
            body: TelemetryFrame { samples },
        }
    }
}

/// A sample with a value in every total and one interface.
pub fn sample(at: i64) -> Sample {
    let networks =
        vec![Network { interface: "eth0".into(), rx_bytes_per_s: 5, ..Network::default() }];
    let mut sample = Sample { at, uptime_s: 60, networks, ..Sample::default() };
    sample.cpu.usage_percent = 12.5;
    sample.cpu.cores_percent = vec![20.0, 5.0];
    sample.memory.total_bytes = 1 << 30;
    sample.memory.used_bytes = 1 << 29;
    sample.memory.available_bytes = 1 << 29;
    sample.processes.total = 99;
    sample
}
