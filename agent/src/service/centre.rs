//! What the centre wants: asked for at each connection, when told to, and now and then.
//!
//! The answer also tells which sequence numbers the centre has seen. An agent that is behind them
//! was put back to an earlier state and begins a new epoch.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use muster_runtime::now_ms;
use muster_schemas::Channel;
use muster_schemas::configuration::{CentralConfiguration, ConfigurationRequest};
use muster_schemas::control::{ConfigRequest, Reply};
use muster_schemas::inventory::{Inventory, InventoryItem};
use rand::RngExt;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::Agent;
use crate::config::Config;
use crate::io::central::{Heard, LastGood, ask};
use crate::logic::settings::Own;

/// A change is told to agents at once; this is for those that missed it, and for the clock.
const ASK_EVERY: Duration = Duration::from_secs(300);

/// After nobody answered.
const ASK_AGAIN: Duration = Duration::from_secs(30);

type Requests = mpsc::Receiver<(ConfigRequest, oneshot::Sender<Reply>)>;

/// Waits for the bus, without which nothing can be sent anyway, and asks once before anything is;
/// answers whether that succeeded.
pub(super) async fn meet(agent: &Agent, connected: &Notify, stop: &CancellationToken) -> bool {
    let meeting = async {
        connected.notified().await;
        consult(agent).await
    };
    tokio::select! {
        () = stop.cancelled() => false,
        met = meeting => {
            if let Err(error) = &met {
                info!("going on without a word from the centre: {error:#}");
            }
            met.is_ok()
        }
    }
}

pub(super) async fn run(
    agent: Arc<Agent>,
    connected: Arc<Notify>,
    mut requests: Requests,
    met: bool,
    stop: CancellationToken,
) {
    report(&agent);
    let mut ask_at = Instant::now() + if met { pause(ASK_EVERY) } else { pause(ASK_AGAIN) };
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = connected.notified() => {}
            () = sleep_until(ask_at) => {}
            Some((request, reply)) = requests.recv() => {
                // Whoever asked may have gone.
                let _ = reply.send(serve(&agent, request).await);
                continue;
            }
        }
        let consulted = tokio::select! {
            () = stop.cancelled() => return,
            consulted = consult(&agent) => consulted,
        };
        if let Err(error) = &consulted {
            debug!("the centre was not reached: {error:#}");
        }
        let about = if consulted.is_ok() { ASK_EVERY } else { ASK_AGAIN };
        ask_at = Instant::now() + pause(about);
    }
}

/// With jitter: ten thousand agents must not ask in one instant.
fn pause(about: Duration) -> Duration {
    about.mul_f64(rand::rng().random_range(0.8..1.2))
}

async fn serve(agent: &Agent, request: ConfigRequest) -> Reply {
    let done = match request {
        ConfigRequest::Get => Ok(()),
        ConfigRequest::Set { configuration } => take(agent, &configuration),
        ConfigRequest::Reload => reload(agent).await.map_err(|error| format!("{error:#}")),
    };
    match done {
        Ok(()) => Reply::with(&agent.in_force.borrow().applied()),
        Err(reason) => Reply::refused(reason),
    }
}

async fn reload(agent: &Agent) -> Result<()> {
    let file = agent.config_file.as_deref();
    let config: Config = muster_runtime::config::load(file)?;
    let own = Own { settings: config.settings(), pinned: config.pinned() };
    let mut outcome = Ok(());
    agent.in_force.send_if_modified(|in_force| {
        let before = in_force.clone();
        outcome = in_force.take_own(own);
        before != *in_force
    });
    outcome.map_err(anyhow::Error::msg).context("the host's own file does not fit")?;
    consult(agent).await?;
    report(agent);
    Ok(())
}

/// Asks the centre and does what it says.
async fn consult(agent: &Agent) -> Result<()> {
    let request = ConfigurationRequest {
        agent_version: env!("CARGO_PKG_VERSION").into(),
        have_version: agent.in_force.borrow().version(),
        epoch: agent.recorder.epoch(),
    };
    let Heard { answer, clock_offset_ms } = ask(&agent.bus, &agent.host, &request).await?;
    agent.reports().clock_offset_ms = Some(clock_offset_ms);
    let own = agent.recorder.highest();
    let seen = |channel: &Channel| own.get(channel).copied().unwrap_or(0);
    if answer.highest.iter().any(|(channel, highest)| *highest > seen(channel)) {
        begin_epoch(agent).await;
    }
    if let Some(configuration) = answer.configuration
        && let Err(reason) = take(agent, &configuration)
    {
        warn!("the central configuration is refused, the old one goes on: {reason}");
    }
    Ok(())
}

async fn begin_epoch(agent: &Agent) {
    let recorder = agent.recorder.clone();
    // A long backlog takes a while to be numbered anew.
    match spawn_blocking(move || recorder.begin_epoch(now_ms())).await {
        Ok(Ok(epoch)) => warn!(
            epoch,
            "the centre has newer messages of this host than its journal: the machine was put \
             back to an earlier state; a new epoch begins"
        ),
        Ok(Err(error)) => error!(%error, "no new epoch could be begun; trying again later"),
        Err(error) => error!(%error, "beginning a new epoch failed"),
    }
}

/// Takes a central configuration and keeps it, or refuses it; reports either.
fn take(agent: &Agent, configuration: &CentralConfiguration) -> Result<(), String> {
    let version = configuration.version;
    let mut outcome = Ok(());
    let changed = agent.in_force.send_if_modified(|in_force| {
        let before = in_force.clone();
        outcome = in_force.take(configuration.clone());
        before != *in_force
    });
    if changed {
        report(agent);
    }
    outcome?;
    info!(version, "the central configuration is in force");
    if let Err(error) = LastGood::new(&agent.config.state_dir).store(configuration) {
        warn!("a restart without the bus will not know this configuration: {error:#}");
    }
    Ok(())
}

/// Tells the centre what is in force.
fn report(agent: &Agent) {
    let applied = Box::new(agent.in_force.borrow().applied());
    let at = now_ms();
    let inventory = Inventory { at, item: InventoryItem::Configuration(applied) };
    if let Err(error) = agent.recorder.record(inventory, at) {
        warn!(%error, "the configuration in force could not be reported");
    }
}
