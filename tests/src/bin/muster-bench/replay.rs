//! How fast a backlog leaves: a journal of a million samples, beside messages of the same content
//! published as fast as the client can.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use async_nats::jetstream;
use futures::stream::{self, TryStreamExt};
use muster_agent::io::journal::JournalOptions;
use muster_agent::io::to_bus::{SendOptions, Sender};
use muster_agent::logic::journal_policy::JournalLimits;
use muster_agent::recorder::Recorder;
use muster_agent::simulate::{SyntheticHost, simulated_host_id};
use muster_nats::publish::{ACK_TIMEOUT, publish};
use muster_nats::{headers, subjects};
use muster_runtime::now_ms;
use muster_schemas::codec::encode;
use muster_schemas::telemetry::TelemetryFrame;
use muster_schemas::{ENVELOPE_VERSION, Envelope, HostId, Kind};
use muster_stack::{Stack, StackOptions};
use muster_tests::bus::Bus;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::figures::{Better, Figure, Figures};

const SAMPLES: i64 = 1_000_000;
const SAMPLES_PER_FRAME: i64 = 3;
const FRAMES: i64 = SAMPLES / SAMPLES_PER_FRAME;

/// The limit is measured over fewer: its rate is steady.
const LIMIT_FRAMES: i64 = 60_000;

/// As many as the sender has under way.
const UNDER_WAY: usize = 256;

const TIMEOUT: Duration = Duration::from_secs(300);

pub async fn measure(figures: &mut Figures) -> Result<()> {
    let stack = Stack::start(StackOptions::default()).await?;
    let bus = Bus::connect(&stack.nats_url()).await?;
    bus.prepare().await?;
    let mut context = jetstream::new(bus.client.clone());
    context.set_timeout(ACK_TIMEOUT);
    eprintln!("replay: {LIMIT_FRAMES} messages as the limit, then {FRAMES} from the journal");
    let limit = publish_limit(&context).await?;
    let directory = TempDir::new()?;
    let recorder = Arc::new(fill(&directory)?);
    let options = SendOptions { replay_bytes_per_s: 0 };
    let (sender, _resender) = Sender::new(recorder.clone(), context, options);
    let stop = CancellationToken::new();
    let started = Instant::now();
    let sending = tokio::spawn(sender.run(stop.clone()));
    let empty = async {
        while recorder.waiting() > 0 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(TIMEOUT, empty).await.context("the backlog does not leave")?;
    let rate = FRAMES as f64 / started.elapsed().as_secs_f64();
    stop.cancel();
    sending.await?;
    let samples = SAMPLES_PER_FRAME as f64;
    figures.add(Figure {
        name: "agent.replay_samples_per_s",
        value: rate * samples,
        unit: "samples/s",
        limit: Some(limit * samples),
        goal: None,
    });
    figures.add(Figure {
        name: "agent.replay_ratio_to_publish_limit",
        value: rate / limit,
        unit: "ratio",
        limit: None,
        goal: Some((0.5, Better::Higher)),
    });
    stack.shutdown().await;
    Ok(())
}

/// Frames of wandering values: what repeats itself the broker compresses to nothing.
struct Frames {
    host: HostId,
    values: SyntheticHost,
    random: SmallRng,
    start: i64,
}

impl Frames {
    fn new(number: usize) -> Self {
        let mut random = SmallRng::seed_from_u64(number as u64);
        let values = SyntheticHost::new(number as u64, &mut random);
        Self { host: simulated_host_id(number), values, random, start: now_ms() - 86_400_000 }
    }

    fn next(&mut self, frame: i64) -> TelemetryFrame {
        let at = |index| self.start + (frame * SAMPLES_PER_FRAME + index) * 50;
        let times: Vec<i64> = (0..SAMPLES_PER_FRAME).map(at).collect();
        let sample = |at| self.values.sample(at, &mut self.random);
        TelemetryFrame { samples: times.into_iter().map(sample).collect() }
    }
}

/// Messages a second, acknowledgements pipelined.
async fn publish_limit(context: &jetstream::Context) -> Result<f64> {
    let mut frames = Frames::new(1);
    let host = frames.host.clone();
    let payloads: Vec<Vec<u8>> = (1..=LIMIT_FRAMES)
        .map(|seq| {
            let (host, body) = (host.clone(), frames.next(seq));
            encode(&Envelope { v: ENVELOPE_VERSION, host, epoch: 1, seq, sent_at: 1, body })
        })
        .collect();
    let started = Instant::now();
    stream::iter(payloads.into_iter().zip(1..).map(Ok::<_, anyhow::Error>))
        .try_for_each_concurrent(UNDER_WAY, |(payload, seq)| {
            let subject = subjects::durable(&host, Kind::Telemetry);
            let headers = headers::durable(&format!("{host}/telemetry/1/{seq}"));
            async move { Ok(publish(context, subject, headers, payload.into()).await?) }
        })
        .await?;
    Ok(LIMIT_FRAMES as f64 / started.elapsed().as_secs_f64())
}

/// A journal of frames nobody has acknowledged.
fn fill(directory: &TempDir) -> Result<Recorder> {
    let mut frames = Frames::new(2);
    let limits = JournalLimits { bytes_max: 1 << 34, retain_after_ack_ms: 0 };
    let options = JournalOptions { limits, durable: false };
    let recorder = Recorder::open(frames.host.clone(), directory.path(), options, now_ms())?;
    for frame in 0..FRAMES {
        recorder.record(frames.next(frame), now_ms())?;
    }
    Ok(recorder)
}
