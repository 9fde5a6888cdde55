//! The live views: values and lines at full rate, for as long as somebody looks.
//!
//! Values are taken beside the answering of requests: a source that is slow holds up neither them
//! nor the stop.

use std::sync::Arc;
use std::time::Duration;

use muster_nats::{headers, subjects};
use muster_schemas::ENVELOPE_VERSION;
use muster_schemas::codec::encode;
use muster_schemas::control::{LiveRequest, LiveTopic};
use muster_schemas::live::LiveSample;
use muster_schemas::logs::LiveLogs;
use tokio::task::JoinSet;
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
    /// Starts the collectors, or takes and publishes one sample, and brings them back. One at most.
    at_work: JoinSet<Collectors>,
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
    pub(super) async fn tick(&mut self, agent: &Arc<Agent>) {
        agent.log_tap.set_open(self.logs.is_open());
        if self.logs.tick(boot_clock_ms()) {
            show_logs(agent).await;
        }
        let is_due = self.telemetry.tick(boot_clock_ms());
        if self.telemetry.is_open() {
            self.show_sample(agent, is_due);
        } else {
            self.close();
        }
        agent.log_tap.set_open(self.logs.is_open());
        let mut reports = agent.reports();
        reports.live_telemetry = self.telemetry.is_open();
        reports.live_logs = self.logs.is_open();
    }

    fn close(&mut self) {
        self.collectors = None;
        if !self.at_work.is_empty() {
            self.at_work = JoinSet::new();
        }
    }

    /// What is due while the sample before is still being taken is left out.
    fn show_sample(&mut self, agent: &Arc<Agent>, is_due: bool) {
        while let Some(worked) = self.at_work.try_join_next() {
            let worked = worked.inspect_err(|error| warn!(%error, "a live view has ended early"));
            self.collectors = worked.ok();
        }
        if !self.at_work.is_empty() {
            return;
        }
        let settings = collector_settings(&agent.config, &agent.in_force.borrow());
        // A mask that is added now must hold now.
        let collectors =
            self.collectors.take().filter(|_| self.settings.as_ref() == Some(&settings));
        match collectors {
            Some(collectors) if is_due => {
                self.at_work.spawn(show(agent.clone(), collectors));
            }
            Some(collectors) => self.collectors = Some(collectors),
            None => {
                self.settings = Some(settings.clone());
                let shared = agent.slow.clone();
                self.at_work
                    .spawn(async move { Collectors::start_beside(&settings, &shared).await });
            }
        }
    }
}

async fn show(agent: Arc<Agent>, mut collectors: Collectors) -> Collectors {
    let sample = collectors.sample().await;
    let live = LiveSample { v: ENVELOPE_VERSION, host: agent.host.clone(), sample };
    publish(&agent, subjects::live_telemetry(&agent.host), encode(&live)).await;
    collectors
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
