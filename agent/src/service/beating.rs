//! Heartbeats: "I am here, and this is how I am."

use std::sync::Arc;
use std::time::Duration;

use muster_runtime::time::{duration_ms, now_ms};
use muster_schemas::Channel;
use muster_schemas::signals::{COLLECTOR_ERROR_BYTES_MAX, COLLECTOR_ERRORS_MAX, Heartbeat};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Agent;
use crate::io::journal::Journal;

pub(super) async fn run(agent: Arc<Agent>, stop: CancellationToken) {
    let mut changes = agent.in_force.subscribe();
    let mut last = None;
    loop {
        let wanted = changes.borrow_and_update().settings().heartbeat_interval_ms;
        let interval = Duration::from_millis(wanted.unwrap_or(30_000).unsigned_abs());
        tokio::select! {
            () = stop.cancelled() => return,
            // A changed interval counts from the last beat.
            changed = changes.changed() => if changed.is_err() { return } else { continue },
            () = sleep_until(last.map_or_else(Instant::now, |last| last + interval)) => {}
        }
        last = Some(Instant::now());
        beat(&agent, interval);
    }
}

fn beat(agent: &Agent, interval: Duration) {
    let (logs, clock_offset_ms) = (agent.log_facts(), agent.reports().clock_offset_ms);
    let errors = agent.collector_errors().into_iter().take(COLLECTOR_ERRORS_MAX);
    let collector_errors = errors.map(|(name, error)| (name, short(&error))).collect();
    agent.recorder.record_heartbeat(now_ms(), |journal| Heartbeat {
        collector_errors,
        clock_offset_ms,
        log_lines_read: logs.lines_read as i64,
        log_lines_suppressed: logs.lines_suppressed as i64,
        ..heartbeat(journal, interval, agent.started)
    });
}

/// An error's first characters, without what no database takes.
fn short(error: &str) -> String {
    let mut text: String = error.replace('\0', "");
    while text.len() > COLLECTOR_ERROR_BYTES_MAX {
        text.pop();
    }
    text
}

/// What every host can say of itself, simulated ones too.
pub fn heartbeat(journal: &Journal, interval: Duration, started: Instant) -> Heartbeat {
    let progress = |channel| journal.progress(channel).map(|progress| (channel, progress));
    Heartbeat {
        agent_version: env!("CARGO_PKG_VERSION").into(),
        interval_ms: duration_ms(interval),
        agent_uptime_s: i64::try_from(started.elapsed().as_secs()).unwrap_or(i64::MAX),
        channels: Channel::ALL.into_iter().filter_map(progress).collect(),
        journal: journal.health(),
        collector_errors: std::collections::BTreeMap::new(),
        clock_offset_ms: None,
        log_lines_read: 0,
        log_lines_suppressed: 0,
    }
}
