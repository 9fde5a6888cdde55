//! Requests from the centre. What takes time is answered beside the rest, a few at once.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Message, Subscriber};
use futures::StreamExt;
use muster_nats::subjects;
use muster_runtime::now_ms;
use muster_schemas::Channel;
use muster_schemas::codec::encode;
use muster_schemas::control::{ConfigRequest, Health, ProcessList, Reply, ResendRequest, Status};
use muster_schemas::telemetry::Process;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::live::Live;
use super::{Agent, collector_settings};
use crate::io::collect::all_processes;
use crate::io::control::{self, Request};

/// Requests that are served at once. More is a flood, or an asker that does not wait.
const AT_ONCE_MAX: usize = 4;

/// Shares of CPU and rates of a process list are over this time.
const PROCESS_LIST_OVER: Duration = Duration::from_millis(500);

/// What a process list may take of a message, leaving room for the rest of the reply.
const PROCESS_LIST_BYTES_MAX: usize = 768 * 1024;

pub(super) async fn run(agent: Arc<Agent>, stop: CancellationToken) {
    let mut requests = tokio::select! {
        requests = subscribe(&agent) => requests,
        () = stop.cancelled() => return,
    };
    let mut live = Live::default();
    let mut serving = JoinSet::new();
    loop {
        let wake_at = live.next_deadline();
        tokio::select! {
            () = stop.cancelled() => return,
            Some(_) = serving.join_next() => continue,
            message = requests.next() => if let Some(message) = message {
                receive(&agent, message, &mut live, &mut serving).await;
            } else {
                tokio::select! {
                    again = subscribe(&agent) => requests = again,
                    () = stop.cancelled() => return,
                }
            },
            () = sleep_until(wake_at.unwrap_or_else(Instant::now)), if wake_at.is_some() => {}
        }
        live.tick(&agent).await;
    }
}

async fn subscribe(agent: &Agent) -> Subscriber {
    loop {
        match agent.bus.subscribe(subjects::control_all(&agent.host)).await {
            Ok(requests) => return requests,
            Err(error) => {
                warn!(%error, "cannot listen for requests");
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn receive(agent: &Arc<Agent>, message: Message, live: &mut Live, serving: &mut JoinSet<()>) {
    debug!(subject = %message.subject, "received a request");
    let request = match control::read(&agent.host, &message) {
        Ok(Request::Live(request)) => {
            live.observe(request);
            return control::answer(&agent.bus, message, Reply::DONE).await;
        }
        Ok(request) => request,
        Err(reason) => return control::answer(&agent.bus, message, Reply::refused(reason)).await,
    };
    if serving.len() >= AT_ONCE_MAX {
        let busy = format!("busy: {AT_ONCE_MAX} requests are being served");
        return control::answer(&agent.bus, message, Reply::refused(busy)).await;
    }
    let agent = agent.clone();
    serving.spawn(async move {
        let reply = serve(&agent, request).await;
        control::answer(&agent.bus, message, reply).await;
    });
}

async fn serve(agent: &Arc<Agent>, request: Request) -> Reply {
    match request {
        Request::Health => health(agent),
        Request::Status => status(agent),
        Request::Config(request) => configure(agent, request).await,
        Request::Processes => processes(agent).await,
        Request::Resend(request) => resend(agent, request).await,
        Request::Live(_) => Reply::refused("a live request is answered where it is received"),
    }
}

fn health(agent: &Agent) -> Reply {
    let collector_errors = agent.collector_errors();
    let (journal, channels) = agent.recorder.health();
    let dropped = channels.values().any(|progress| progress.dropped > 0);
    let clock_offset_ms = agent.reports().clock_offset_ms;
    let healthy = collector_errors.is_empty() && !dropped;
    Reply::with(&Health { healthy, collector_errors, journal, clock_offset_ms })
}

fn status(agent: &Agent) -> Reply {
    let (journal, channels) = agent.recorder.health();
    let reports = agent.reports().clone();
    Reply::with(&Status {
        agent_version: env!("CARGO_PKG_VERSION").into(),
        agent_uptime_s: i64::try_from(agent.started.elapsed().as_secs()).unwrap_or(i64::MAX),
        epoch: agent.recorder.epoch(),
        configuration_version: agent.in_force.borrow().version(),
        channels,
        journal,
        log_files: agent.log_facts().files as i64,
        live_telemetry: reports.live_telemetry,
        live_logs: reports.live_logs,
    })
}

async fn configure(agent: &Agent, request: ConfigRequest) -> Reply {
    let (reply, answer) = oneshot::channel();
    if agent.config_requests.try_send((request, reply)).is_err() {
        return Reply::refused("busy: other configuration requests wait already");
    }
    answer.await.unwrap_or_else(|_| Reply::refused("the agent is stopping"))
}

async fn processes(agent: &Arc<Agent>) -> Reply {
    // Each keeps files open while it is made.
    let _turn = agent.process_lists.lock().await;
    let settings = collector_settings(&agent.config, &agent.in_force.borrow());
    match all_processes(&settings, &agent.slow, PROCESS_LIST_OVER).await {
        Ok(all) => Reply::with(&fitting(all)),
        Err(reason) => Reply::refused(format!("the processes cannot be read: {reason}")),
    }
}

/// As many as fit in a message: those that use most stay.
fn fitting(mut all: Vec<Process>) -> ProcessList {
    let mut bytes: usize = all.iter().map(|process| encode(process).len()).sum();
    let mut left_out = 0;
    if bytes > PROCESS_LIST_BYTES_MAX {
        all.sort_by(|a, b| {
            b.cpu_percent.total_cmp(&a.cpu_percent).then(b.memory_bytes.cmp(&a.memory_bytes))
        });
        while bytes > PROCESS_LIST_BYTES_MAX
            && let Some(process) = all.pop()
        {
            bytes -= encode(&process).len();
            left_out += 1;
        }
        all.sort_by_key(|process| process.pid);
    }
    ProcessList { at: now_ms(), processes: all, left_out }
}

async fn resend(agent: &Agent, request: ResendRequest) -> Reply {
    let channel: Channel = request.channel;
    match agent.resender.resend(request).await {
        Ok(answer) => {
            debug!(%channel, found = answer.found, "sending again what was asked for");
            Reply::with(&answer)
        }
        Err(reason) => Reply::refused(reason),
    }
}
