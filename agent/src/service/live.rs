//! The live views: values and lines at full rate, for as long as somebody looks.

use std::time::Duration;

use muster_nats::{headers, subjects};
use muster_schemas::ENVELOPE_VERSION;
use muster_schemas::codec::encode;
use muster_schemas::control::{LiveRequest, LiveTopic};
use muster_schemas::live::LiveSample;
use muster_schemas::logs::LiveLogs;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};
use tracing::{debug, warn};

use super::{Agent, collector_settings};
use crate::io::collect::host::boot_clock_ms;
use crate::io::collect::{CollectorSettings, Collectors};
use crate::logic::live::LiveView;

/// A live message that cannot be handed to the connection in this time is out of date.
const PUBLISH_TIMEOUT: Duration = Duration::from_millis(500);

/// Both views of one host.
#[derive(Default)]
pub(super) struct Live {
    telemetry: LiveView,
    logs: LiveView,
    /// Of its own: rates and shares are over the time between two of its samples.
    collectors: Option<Collectors>,
    /// What they were made by.
    settings: Option<CollectorSettings>,
}

impl Live {
    /// Takes a request that its `refusal` had nothing against.
    pub(super) fn observe(&mut self, request: LiveRequest) {
        match request.topic {
            LiveTopic::Telemetry => self.telemetry.observe(boot_clock_ms(), request),
            LiveTopic::Logs => self.logs.observe(boot_clock_ms(), request),
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let deadlines = [self.telemetry.next_deadline(), self.logs.next_deadline()];
        deadlines.into_iter().flatten().min().map(instant_of)
    }

    /// Publishes what is due.
    pub(super) async fn tick(&mut self, agent: &Agent) {
        agent.log_tap.set_open(self.logs.is_open());
        if self.logs.tick(boot_clock_ms()) {
            show_logs(agent).await;
        }
        if self.telemetry.is_open() {
            self.follow_settings(agent).await;
        }
        if self.telemetry.tick(boot_clock_ms()) {
            self.show_sample(agent).await;
        }
        if !self.telemetry.is_open() {
            self.collectors = None;
        }
        agent.log_tap.set_open(self.logs.is_open());
        let mut reports = agent.reports();
        reports.live_telemetry = self.telemetry.is_open();
        reports.live_logs = self.logs.is_open();
    }

    /// A mask that is added now must hold now.
    async fn follow_settings(&mut self, agent: &Agent) {
        let settings = collector_settings(&agent.config, &agent.in_force.borrow());
        if self.collectors.is_none() || self.settings.as_ref() != Some(&settings) {
            self.collectors = start(agent, settings.clone()).await;
            self.settings = Some(settings);
        }
    }

    async fn show_sample(&mut self, agent: &Agent) {
        let Some(mut collectors) = self.collectors.take() else { return };
        let taken = spawn_blocking(move || {
            let sample = collectors.sample();
            (collectors, sample)
        });
        let sample = match taken.await {
            Ok((collectors, sample)) => {
                self.collectors = Some(collectors);
                sample
            }
            Err(error) => {
                warn!(%error, "the collectors of the live view failed");
                return;
            }
        };
        let live = LiveSample { v: ENVELOPE_VERSION, host: agent.host.clone(), sample };
        publish(agent, subjects::live_telemetry(&agent.host), encode(&live)).await;
    }
}

async fn start(agent: &Agent, settings: CollectorSettings) -> Option<Collectors> {
    let slow = agent.slow.clone();
    let started = spawn_blocking(move || Collectors::start_beside(&settings, &slow)).await;
    started.inspect_err(|error| warn!(%error, "the live view has no collectors")).ok()
}

async fn show_logs(agent: &Agent) {
    let (lines, dropped) = agent.log_tap.take();
    if lines.is_empty() && dropped == 0 {
        return;
    }
    let live = LiveLogs { v: ENVELOPE_VERSION, host: agent.host.clone(), lines, dropped };
    publish(agent, subjects::live_logs(&agent.host), encode(&live)).await;
}

async fn publish(agent: &Agent, subject: String, payload: Vec<u8>) {
    let publish = agent.bus.publish_with_headers(subject, headers::msgpack(), payload.into());
    if !matches!(timeout(PUBLISH_TIMEOUT, publish).await, Ok(Ok(()))) {
        debug!("a live message was left out: the bus does not take it");
    }
}

fn instant_of(deadline_ms: i64) -> Instant {
    let ahead = u64::try_from(deadline_ms.saturating_sub(boot_clock_ms())).unwrap_or(0);
    Instant::now() + Duration::from_millis(ahead)
}
