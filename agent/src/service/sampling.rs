//! Samples and frames, and what the rules make of each sample.

use std::sync::Arc;
use std::time::Duration;

use muster_runtime::time::now_ms;
use muster_schemas::conditions::Candidate;
use muster_schemas::telemetry::Sample;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::{Agent, collector_settings};
use crate::io::collect::Collectors;
use crate::io::collect::host::boot_clock_ms;
use crate::io::directories::Directories;
use crate::logic::clock::ClockWatch;
use crate::logic::judge::{Beside, Judge};
use crate::logic::log_rate::LogRate;
use crate::logic::settings::InForce;

/// The first sample is taken this long after the start: long enough for shares to mean something,
/// short enough for a new host to show up at once.
const FIRST_SAMPLE_AFTER: Duration = Duration::from_secs(1);

struct Pace {
    sample: Duration,
    publish: Duration,
}

impl Pace {
    fn of(in_force: &InForce) -> Self {
        let settings = in_force.settings();
        let of = |ms: Option<i64>| Duration::from_millis(ms.unwrap_or(5_000).unsigned_abs());
        Self { sample: of(settings.sample_interval_ms), publish: of(settings.publish_interval_ms) }
    }

    /// Half a sample of slack, so that a late tick does not skip a whole sample.
    fn frame_due(&self) -> Instant {
        Instant::now() + self.publish - self.sample / 2
    }

    fn ticks(&self, first: Instant) -> Interval {
        let mut ticks = interval_at(first, self.sample);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        ticks
    }
}

/// Until told to stop; the last frame is closed then.
pub(super) async fn run(agent: Arc<Agent>, stop: CancellationToken) {
    let mut changes = agent.in_force.subscribe();
    let mut pace = Pace::of(&changes.borrow_and_update());
    let mut sampler = tokio::select! {
        sampler = Sampler::new(&agent) => sampler,
        () = stop.cancelled() => return,
    };
    let first = Instant::now() + FIRST_SAMPLE_AFTER.min(pace.sample);
    let mut ticks = pace.ticks(first);
    // The first frame leaves with the first sample: a new host shows up at once.
    let mut frame_due = first;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            changed = changes.changed() => {
                if changed.is_err() {
                    break;
                }
                let wanted = Pace::of(&changes.borrow_and_update());
                if wanted.sample != pace.sample {
                    ticks = wanted.ticks(Instant::now() + wanted.sample);
                }
                pace = wanted;
                frame_due = frame_due.min(pace.frame_due());
                sampler.apply(&agent);
                continue;
            }
            _ = ticks.tick() => {}
        }
        tokio::select! {
            () = sampler.sample(&agent, pace.publish) => {}
            () = stop.cancelled() => break,
        }
        if Instant::now() >= frame_due {
            agent.recorder.close_frame(now_ms());
            agent.recorder.maintain(now_ms());
            frame_due = pace.frame_due();
        }
    }
    agent.recorder.close_frame(now_ms());
}

/// The collectors, and the rules that look at what they bring.
struct Sampler {
    collectors: Collectors,
    judge: Judge,
    directories: Directories,
    log_rate: LogRate,
    clock: ClockWatch,
}

impl Sampler {
    async fn new(agent: &Agent) -> Self {
        let settings = collector_settings(&agent.config, &agent.in_force.borrow());
        let mut sampler = Self {
            collectors: Collectors::start(&settings, &agent.slow).await,
            judge: Judge::default(),
            directories: Directories::new(&agent.config.host()),
            log_rate: LogRate::default(),
            clock: ClockWatch::default(),
        };
        sampler.apply(agent);
        sampler
    }

    fn apply(&mut self, agent: &Agent) {
        self.collectors.apply(&collector_settings(&agent.config, &agent.in_force.borrow()));
        let conditions = agent.in_force.borrow().conditions().to_vec();
        record_candidates(agent, self.judge.apply(now_ms(), &conditions));
    }

    /// Takes one sample, without what hangs.
    async fn sample(&mut self, agent: &Agent, repeat: Duration) {
        let sample = self.collectors.sample().await;
        let mut errors = self.collectors.errors();
        let complaint = self.directories.complaint(boot_clock_ms());
        errors.extend(complaint.map(|reason| ("directories".into(), reason)));
        agent.reports().collector_errors = errors;
        self.take(agent, sample, repeat);
    }

    fn take(&mut self, agent: &Agent, sample: Sample, repeat: Duration) {
        let boot_ms = boot_clock_ms();
        if let Some(step_ms) = self.clock.observe(now_ms(), boot_ms) {
            info!(step_ms, "the clock was set while the agent was running");
            agent.ask_now.notify_one();
        }
        let error_lines = agent.log_facts().error_lines;
        let log_errors_per_min = self.log_rate.observe(boot_ms, error_lines);
        let repeat_ms = i64::try_from(repeat.as_millis()).unwrap_or(i64::MAX);
        let clock_offset_ms = agent.reports().clock_offset_ms;
        let beside = Beside { log_errors_per_min, clock_offset_ms };
        let mut candidates = self.judge.observe(&sample, beside, repeat_ms);
        for candidate in &mut candidates {
            self.directories.explain(candidate, boot_ms);
        }
        agent.recorder.record_sample(sample, now_ms());
        record_candidates(agent, candidates);
    }
}

fn record_candidates(agent: &Agent, candidates: Vec<Candidate>) {
    for candidate in candidates {
        if let Err(error) = agent.recorder.record(candidate, now_ms()) {
            error!(%error, "cannot write a candidate to the journal");
        }
    }
}
