//! What the centre wants: asked for at each connection, when told to, and now and then.
//!
//! The answer also tells which sequence numbers the centre has seen. An agent that is behind them
//! was put back to an earlier state and begins a new epoch. Nothing is sent on a connection before
//! the centre has answered on it, or has not for a while (`logic::hold`).

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use async_nats::Client;
use async_nats::connection::State;
use muster_runtime::now_ms;
use muster_schemas::configuration::{CentralConfiguration, ConfigurationRequest};
use muster_schemas::control::{ConfigRequest, Reply};
use muster_schemas::inventory::{Inventory, InventoryItem};
use rand::RngExt;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::Agent;
use crate::config::Config;
use crate::io::central::{ANSWER_TIMEOUT, Heard, LastGood, ask};
use crate::io::collect::host::boot_clock_ms;
use crate::io::to_bus::connection;
use crate::logic::clock;
use crate::logic::hold::{Hold, is_behind};
use crate::logic::settings::Own;

/// A change is told to agents at once; this is for those that missed it, and for the clock.
const ASK_EVERY: Duration = Duration::from_secs(300);

/// After nobody answered.
const ASK_AGAIN: Duration = Duration::from_secs(30);

type Requests = mpsc::Receiver<(ConfigRequest, oneshot::Sender<Reply>)>;

/// How often to look for a connection that nobody has told of.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often to look whether the connection is still there on which an answer is waited for.
const LOOK_WHILE_ASKING: Duration = Duration::from_millis(200);

/// `clearance` tells the sender on which connection it may send.
pub(super) async fn run(
    agent: Arc<Agent>,
    mut requests: Requests,
    clearance: watch::Sender<u64>,
    stop: CancellationToken,
) {
    report(&agent);
    let mut talk = Talk { agent: agent.clone(), hold: Hold::default(), clearance };
    let mut ask_at = Instant::now() + pause(ASK_AGAIN);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = agent.ask_now.notified() => talk.begin_if_new(),
            () = talk.missed() => talk.hold.begin(boot_clock_ms()),
            () = sleep_until(ask_at) => {}
            Some((request, reply)) = requests.recv() => {
                // Whoever asked may have gone.
                let _ = reply.send(talk.serve(request).await);
                continue;
            }
        }
        ask_at = tokio::select! {
            () = stop.cancelled() => return,
            next = talk.meet() => Instant::now() + next,
        };
    }
}

/// The talk with the centre, and what of it the sender waits for.
struct Talk {
    agent: Arc<Agent>,
    hold: Hold,
    clearance: watch::Sender<u64>,
}

impl Talk {
    /// It is also asked at once where the clock was set: nothing is held back for that.
    fn begin_if_new(&mut self) {
        if connection(&self.agent.bus) > *self.clearance.borrow() {
            self.hold.begin(boot_clock_ms());
        }
    }

    /// Returns when there is a connection that was not told of.
    async fn missed(&self) {
        loop {
            sleep(LOOK_EVERY).await;
            let (bus, cleared) = (&self.agent.bus, *self.clearance.borrow());
            if is_connected(bus) && self.hold.has_missed(connection(bus), cleared) {
                return;
            }
        }
    }

    /// Asks the centre; lets the sender go where it need not wait any more. Answers when to ask
    /// again.
    async fn meet(&mut self) -> Duration {
        // What is made while the centre is asked is not meant.
        let connection = connection(&self.agent.bus);
        if self.hold.is_on() && !is_connected(&self.agent.bus) {
            self.hold.is_away(boot_clock_ms());
            return pause(LOOK_EVERY);
        }
        if is_connected(&self.agent.bus)
            && self.hold.has_missed(connection, *self.clearance.borrow())
        {
            self.hold.begin(boot_clock_ms());
        }
        let patience = self.hold.patience_ms(boot_clock_ms()).map_or(ANSWER_TIMEOUT, duration);
        let consulted = self.consult(patience).await;
        if let Err(error) = &consulted {
            debug!("the centre was not reached: {error:#}");
        }
        if !self.has_good_numbers().await {
            return pause(ASK_AGAIN);
        }
        if self.hold.is_on() && !is_on(&self.agent.bus, connection) {
            self.hold.lost(boot_clock_ms());
            return pause(LOOK_EVERY);
        }
        if let Some(again_ms) = self.hold.asked(boot_clock_ms(), consulted.is_ok()) {
            return pause(duration(again_ms - boot_clock_ms()));
        }
        if let Err(error) = &consulted
            && *self.clearance.borrow() != connection
        {
            info!("sending without a word from the centre: {error:#}");
        }
        let clear = |cleared: &mut u64| std::mem::replace(cleared, connection) != connection;
        self.clearance.send_if_modified(clear);
        if consulted.is_ok() { pause(ASK_EVERY) } else { pause(ASK_AGAIN) }
    }

    /// Begins a new epoch where the next numbers were used before: what is sent under them would be
    /// taken for a repetition. Where that fails, nothing is sent on any connection.
    async fn has_good_numbers(&mut self) -> bool {
        if self.hold.is_behind() {
            let has_begun = begin_epoch(&self.agent).await;
            self.hold.note_numbers(!has_begun);
        }
        if self.hold.is_behind() {
            self.clearance.send_if_modified(|cleared| std::mem::take(cleared) != 0);
        }
        !self.hold.is_behind()
    }

    async fn serve(&mut self, request: ConfigRequest) -> Reply {
        let done = match request {
            ConfigRequest::Get => Ok(()),
            ConfigRequest::Set { configuration } => take(&self.agent, &configuration),
            ConfigRequest::Reload => self.reload().await.map_err(|error| format!("{error:#}")),
        };
        match done {
            Ok(()) => Reply::with(&self.agent.in_force.borrow().applied()),
            Err(reason) => Reply::refused(reason),
        }
    }

    async fn reload(&mut self) -> Result<()> {
        read_own_file(&self.agent)?;
        let consulted = self.consult(ANSWER_TIMEOUT).await;
        self.has_good_numbers().await;
        consulted?;
        report(&self.agent);
        Ok(())
    }

    /// Asks the centre and does what it says.
    async fn consult(&mut self, patience: Duration) -> Result<()> {
        let agent = &self.agent;
        let request = ConfigurationRequest {
            agent_version: env!("CARGO_PKG_VERSION").into(),
            have_version: agent.in_force.borrow().version(),
            epoch: agent.recorder.epoch(),
        };
        let connection = connection(&agent.bus);
        let heard = tokio::select! {
            heard = ask(&agent.bus, &agent.host, &request, patience) => heard,
            () = lost(&agent.bus, connection) => Err(anyhow!("there is no connection to the bus")),
        };
        let Heard { answer, clock_offset_ms } = heard?;
        note_clock(agent, clock_offset_ms);
        self.hold.note_numbers(is_behind(&agent.recorder.shown(), &answer.highest));
        if let Some(configuration) = answer.configuration
            && let Err(reason) = take(agent, &configuration)
        {
            warn!("the central configuration is refused, the old one goes on: {reason}");
        }
        Ok(())
    }
}

/// Returns when the connection of this number is not there any more.
async fn lost(bus: &Client, connection: u64) {
    while is_on(bus, connection) {
        sleep(LOOK_WHILE_ASKING).await;
    }
}

fn is_on(bus: &Client, number: u64) -> bool {
    is_connected(bus) && connection(bus) == number
}

fn is_connected(bus: &Client) -> bool {
    bus.connection_state() == State::Connected
}

fn duration(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// With jitter: ten thousand agents must not ask in one instant.
fn pause(about: Duration) -> Duration {
    about.mul_f64(rand::rng().random_range(0.8..1.2))
}

/// Takes what the host's own file says now.
fn read_own_file(agent: &Agent) -> Result<()> {
    let file = agent.config_file.as_deref();
    let config: Config = muster_runtime::config::load(file)?;
    let own = Own { settings: config.settings(), pinned: config.pinned() };
    let mut outcome = Ok(());
    agent.in_force.send_if_modified(|in_force| {
        let before = in_force.clone();
        outcome = in_force.take_own(own);
        before != *in_force
    });
    outcome.map_err(anyhow::Error::msg).context("the host's own file does not fit")
}

fn note_clock(agent: &Agent, offset_ms: i64) {
    let before = agent.reports().clock_offset_ms.replace(offset_ms);
    let complaint = clock::complaint(offset_ms);
    // Told when it begins; from then on the heartbeat tells it.
    let was_told = before.is_some_and(|before| {
        clock::complaint(before).is_some() && before.signum() == offset_ms.signum()
    });
    if let Some(complaint) = complaint
        && !was_told
    {
        warn!("{complaint}");
    }
}

/// Whether it has begun.
async fn begin_epoch(agent: &Agent) -> bool {
    let recorder = agent.recorder.clone();
    // A long backlog takes a while to be numbered anew.
    match spawn_blocking(move || recorder.begin_epoch(now_ms())).await {
        Ok(Ok(epoch)) => {
            warn!(
                epoch,
                "the centre has newer messages of this host than its journal: the machine was put \
                 back to an earlier state; a new epoch begins"
            );
            return true;
        }
        Ok(Err(error)) => error!(%error, "no new epoch could be begun; trying again later"),
        Err(error) => error!(%error, "beginning a new epoch failed"),
    }
    false
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
    if let Err(error) =
        LastGood::new(&agent.config.state_dir, agent.host.clone()).store(configuration)
    {
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
