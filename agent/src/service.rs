//! The agent at work: sample, frame, heartbeat, send, and answer.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use async_nats::Client;
use async_nats::jetstream;
use futures::StreamExt;
use muster_nats::{BusOptions, connect, headers, publish, subjects};
use muster_runtime::time::{duration_ms, now_ms};
use muster_schemas::codec::encode;
use muster_schemas::control::Reply;
use muster_schemas::live::LiveSample;
use muster_schemas::signals::Heartbeat;
use muster_schemas::telemetry::Sample;
use muster_schemas::{Channel, ENVELOPE_VERSION, HostId};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::config::Config;
use crate::io::control;
use crate::io::from_system::Collector;
use crate::io::journal::{Journal, JournalOptions};
use crate::io::to_bus::send_journal;
use crate::logic::journal_policy::JournalLimits;
use crate::logic::live::LiveView;
use crate::recorder::Recorder;

/// The first sample is taken this long after the start: long enough for shares to mean something,
/// short enough for a new host to show up at once.
const FIRST_SAMPLE_AFTER: Duration = Duration::from_secs(1);

/// A live sample that cannot be handed to the connection in this time is out of date.
const LIVE_PUBLISH_TIMEOUT: Duration = Duration::from_millis(500);

pub async fn run(config: Config, stop: CancellationToken) -> Result<()> {
    let host = config.host_id()?;
    let directory = config.state_dir.join("journal");
    let recorder =
        Arc::new(Recorder::open(host.clone(), &directory, journal_options(&config), now_ms())?);
    let bus = connect(BusOptions {
        url: config.nats_url.clone(),
        credentials: config.nats_credentials.clone(),
        name: format!("muster-agent {host}"),
        inbox_prefix: Some(format!("_INBOX.{host}")),
    })
    .await?;
    let epoch = recorder.epoch();
    info!(host.id = %host, epoch, version = env!("CARGO_PKG_VERSION"), "the agent is running");

    let mut tasks = JoinSet::new();
    let stream = publish_context(&bus);
    tasks.spawn(send_journal(recorder.clone(), stream, stop.clone()));
    tasks.spawn(sample(recorder.clone(), config.clone(), stop.clone()));
    tasks.spawn(beat(recorder, config.heartbeat_interval, stop.clone()));
    tasks.spawn(answer(bus, host, stop));
    while let Some(ended) = tasks.join_next().await {
        ended.context("a part of the agent failed")?;
    }
    Ok(())
}

pub fn publish_context(bus: &Client) -> jetstream::Context {
    let mut context = jetstream::new(bus.clone());
    context.set_timeout(publish::ACK_TIMEOUT);
    context
}

pub fn journal_options(config: &Config) -> JournalOptions {
    JournalOptions {
        limits: JournalLimits {
            bytes_max: config.journal_bytes_max,
            retain_after_ack_ms: duration_ms(config.retain_after_ack),
        },
        durable: true,
    }
}

/// Samples and frames, until told to stop; the last frame is closed then.
async fn sample(recorder: Arc<Recorder>, config: Config, stop: CancellationToken) {
    let mut collector = start_collector().await;
    let first = Instant::now() + FIRST_SAMPLE_AFTER.min(config.sample_interval);
    let mut samples = interval_at(first, config.sample_interval);
    samples.set_missed_tick_behavior(MissedTickBehavior::Skip);
    // The first frame leaves with the first sample: a new host shows up at once.
    let mut frame_due = first;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = samples.tick() => {}
        }
        let Some((back, sample)) = look(collector.take()).await else {
            collector = start_collector().await;
            continue;
        };
        collector = Some(back);
        recorder.record_sample(sample, now_ms());
        if Instant::now() >= frame_due {
            recorder.close_frame(now_ms());
            recorder.maintain(now_ms());
            // Half a sample of slack, so that a late tick does not skip a whole sample.
            frame_due = Instant::now() + config.publish_interval - config.sample_interval / 2;
        }
    }
    recorder.close_frame(now_ms());
}

async fn start_collector() -> Option<Collector> {
    match spawn_blocking(Collector::start).await {
        Ok(Ok(collector)) => Some(collector),
        Ok(Err(error)) => {
            warn!("no samples can be taken: {error:#}");
            None
        }
        Err(error) => {
            warn!(%error, "the collector failed to start");
            None
        }
    }
}

/// Takes one sample on a thread of its own: a disk that hangs must not hold up the rest.
async fn look(collector: Option<Collector>) -> Option<(Collector, Sample)> {
    let mut collector = collector?;
    let taken = spawn_blocking(move || {
        let sample = collector.sample();
        (collector, sample)
    });
    match taken.await {
        Ok(taken) => Some(taken),
        Err(error) => {
            warn!(%error, "the collector failed");
            None
        }
    }
}

async fn beat(recorder: Arc<Recorder>, interval: Duration, stop: CancellationToken) {
    let started = Instant::now();
    let mut beats = interval_at(started, interval);
    beats.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = beats.tick() => {}
        }
        recorder.record_heartbeat(now_ms(), |journal| heartbeat(journal, interval, started));
    }
}

pub fn heartbeat(journal: &Journal, interval: Duration, started: Instant) -> Heartbeat {
    let progress = |channel| journal.progress(channel).map(|progress| (channel, progress));
    Heartbeat {
        agent_version: env!("CARGO_PKG_VERSION").into(),
        interval_ms: duration_ms(interval),
        agent_uptime_s: i64::try_from(started.elapsed().as_secs()).unwrap_or(i64::MAX),
        channels: Channel::ALL.into_iter().filter_map(progress).collect(),
        journal: journal.health(),
    }
}

/// Listens for requests and publishes the live view they ask for.
async fn answer(bus: Client, host: HostId, stop: CancellationToken) {
    let subject = subjects::control_all(&host);
    let mut requests = loop {
        match bus.subscribe(subject.clone()).await {
            Ok(requests) => break requests,
            Err(error) => {
                warn!(%error, "cannot listen for requests");
                sleep(Duration::from_secs(1)).await;
            }
        }
    };
    let mut view = LiveView::default();
    let mut collector = None;
    loop {
        let wake_at = view.next_deadline().map(instant_of);
        tokio::select! {
            () = stop.cancelled() => return,
            Some(message) = requests.next() => {
                let reply = match control::read(&host, &message) {
                    Ok(request) => {
                        view.observe(now_ms(), request);
                        Reply::Accepted
                    }
                    Err(reason) => Reply::Refused { reason },
                };
                debug!(?reply, subject = %message.subject, "answered a request");
                control::answer(&bus, message, reply).await;
            }
            () = sleep_until(wake_at.unwrap_or_else(Instant::now)), if wake_at.is_some() => {}
        }
        if view.is_open() && collector.is_none() {
            collector = start_collector().await;
        }
        if view.tick(now_ms()) {
            let Some((back, sample)) = look(collector.take()).await else { continue };
            collector = Some(back);
            show(&bus, &host, sample).await;
        }
        if !view.is_open() {
            collector = None;
        }
    }
}

async fn show(bus: &Client, host: &HostId, sample: Sample) {
    let live = LiveSample { v: ENVELOPE_VERSION, host: host.clone(), sample };
    let payload = encode(&live).into();
    let subject = subjects::live_telemetry(host);
    let publish = bus.publish_with_headers(subject, headers::msgpack(), payload);
    if !matches!(timeout(LIVE_PUBLISH_TIMEOUT, publish).await, Ok(Ok(()))) {
        debug!("a live sample was left out: the bus does not take it");
    }
}

fn instant_of(deadline_ms: i64) -> Instant {
    let ahead = u64::try_from(deadline_ms.saturating_sub(now_ms())).unwrap_or(0);
    Instant::now() + Duration::from_millis(ahead)
}
