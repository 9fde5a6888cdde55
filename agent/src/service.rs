//! The agent at work: its parts, what they share, and in which order they begin and end.

mod answering;
mod beating;
mod centre;
mod footprint;
mod inventory;
mod live;
mod sampling;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use anyhow::{Context, Result, ensure};
use async_nats::Client;
use async_nats::jetstream;
use muster_nats::{BusOptions, connect, publish};
use muster_runtime::time::{duration_ms, now_ms};
use muster_schemas::HostId;
use muster_schemas::control::{ConfigRequest, Reply};
use muster_schemas::logs::LogFrame;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Duration, Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::Config;
use crate::io::central::LastGood;
use crate::io::collect::{CollectorSettings, SlowSources};
use crate::io::from_logs::{LiveTap, LogFacts, LogFollower, LogSettings, LogSink};
use crate::io::journal::JournalOptions;
use crate::io::to_bus::{Resender, SendOptions, Sender};
use crate::logic::clock;
use crate::logic::journal_policy::JournalLimits;
use crate::logic::logs::FloodLimits;
use crate::logic::settings::{InForce, Own};
use crate::recorder::Recorder;

pub use beating::heartbeat;

/// Configuration requests that wait while one is being served. More is a mistake of the asker.
const CONFIG_REQUESTS_MAX: usize = 8;

/// How long a stopping agent waits for its parts: one that reads from a disk that hangs may never
/// end.
const LAST_WORDS_TIME: Duration = Duration::from_secs(3);

/// Log files that are followed at most: 100,000 take 28 MB, of the 128 MB that the unit allows the
/// agent, and more of them in the paths of one host is a glob that means too much.
const LOG_FILES_MAX: usize = 100_000;

/// What the parts of one agent share.
pub struct Agent {
    pub host: HostId,
    pub config: Config,
    /// Where the configuration was read from, to read it again.
    config_file: Option<PathBuf>,
    recorder: Arc<Recorder>,
    bus: Client,
    started: Instant,
    in_force: watch::Sender<InForce>,
    /// Has the centre asked at once: after each connection, and when the clock was set.
    ask_now: Arc<Notify>,
    /// To the part that talks with the centre.
    config_requests: mpsc::Sender<(ConfigRequest, oneshot::Sender<Reply>)>,
    resender: Resender,
    /// Until it is stopped.
    logs: Mutex<Option<LogFollower>>,
    log_tap: LiveTap,
    /// What is slow to find out, for the live view to show too.
    slow: SlowSources,
    /// Held while a list of all processes is made.
    process_lists: tokio::sync::Mutex<()>,
    reports: Mutex<Reports>,
}

/// What one part found out and another tells.
#[derive(Debug, Clone, Default)]
struct Reports {
    collector_errors: BTreeMap<String, String>,
    clock_offset_ms: Option<i64>,
    live_telemetry: bool,
    live_logs: bool,
}

impl Agent {
    fn reports(&self) -> MutexGuard<'_, Reports> {
        self.reports.lock().expect("nothing panics while it holds the reports")
    }

    /// The errors of all collectors, the log follower's among them.
    fn collector_errors(&self) -> BTreeMap<String, String> {
        let mut errors = self.reports().collector_errors.clone();
        errors.extend(self.log_facts().errors);
        let offset_ms = self.reports().clock_offset_ms;
        errors.extend(offset_ms.and_then(clock::complaint).map(|reason| ("clock".into(), reason)));
        errors.extend(self.recorder.notice(now_ms()).map(|notice| ("journal".into(), notice)));
        errors
    }

    /// How following logs goes; nothing once it is stopped.
    fn log_facts(&self) -> LogFacts {
        self.logs().as_ref().map(LogFollower::facts).unwrap_or_default()
    }

    fn logs(&self) -> MutexGuard<'_, Option<LogFollower>> {
        self.logs.lock().expect("nothing panics while it holds the log follower")
    }
}

pub async fn run(
    config: Config,
    config_file: Option<PathBuf>,
    stop: CancellationToken,
) -> Result<()> {
    let has_kernel = config.host().proc("stat").exists();
    let host_root = config.host_root.display();
    ensure!(has_kernel, "there is no host's root with its /proc at {host_root}");
    let host = config.host_id()?;
    let recorder = Arc::new(open_recorder(&config, host.clone())?);
    let in_force = restore(&config, &host);
    let ask_now = Arc::new(Notify::new());
    let bus = connect(BusOptions {
        url: config.nats_url.clone(),
        credentials: config.nats_credentials.clone(),
        name: format!("muster-agent {host}"),
        inbox_prefix: Some(format!("_INBOX.{host}")),
        connected: Some(ask_now.clone()),
    })
    .await?;
    let log_tap = LiveTap::default();
    let log_settings = log_settings(&config, &in_force);
    let logs = LogFollower::start(log_settings, recorder.clone(), log_tap.clone())
        .context("logs cannot be followed")?;
    let (config_requests, requests) = mpsc::channel(CONFIG_REQUESTS_MAX);
    let options = SendOptions { replay_bytes_per_s: config.replay_bytes_per_s };
    let (sender, resender) = Sender::new(recorder.clone(), publish_context(&bus), options);
    let agent = Arc::new(Agent {
        host,
        config,
        config_file,
        recorder,
        bus,
        started: Instant::now(),
        in_force: watch::Sender::new(in_force),
        ask_now,
        config_requests,
        resender,
        logs: Mutex::new(Some(logs)),
        log_tap,
        slow: SlowSources::default(),
        process_lists: tokio::sync::Mutex::default(),
        reports: Mutex::default(),
    });
    let (host, epoch) = (&agent.host, agent.recorder.epoch());
    info!(host.id = %host, epoch, version = env!("CARGO_PKG_VERSION"), "the agent is running");
    work(&agent, sender, requests, stop).await
}

fn open_recorder(config: &Config, host: HostId) -> Result<Recorder> {
    let machine = config.host().machine_id();
    let (directory, options) = (config.journal_dir(), journal_options(config));
    Recorder::open_on(machine.as_deref(), host, &directory, options, now_ms())
}

async fn work(
    agent: &Arc<Agent>,
    sender: Sender,
    requests: mpsc::Receiver<(ConfigRequest, oneshot::Sender<Reply>)>,
    stop: CancellationToken,
) -> Result<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(sampling::run(agent.clone(), stop.clone()));
    tasks.spawn(beating::run(agent.clone(), stop.clone()));
    tasks.spawn(inventory::run(agent.clone(), stop.clone()));
    tasks.spawn(answering::run(agent.clone(), stop.clone()));
    tasks.spawn(follow_settings(agent.clone(), stop.clone()));
    tasks.spawn(footprint::run(stop.clone()));
    // Nothing is sent before the centre was heard: it knows which numbers were used.
    let (clearance, cleared) = watch::channel(0);
    let sender = sender.cleared_by(cleared);
    tasks.spawn(centre::run(agent.clone(), requests, clearance, stop.clone()));
    // The sender goes on until the others have said their last.
    let said = CancellationToken::new();
    let sending = tokio::spawn(sender.run(said.clone()));
    let late = async {
        stop.cancelled().await;
        sleep(LAST_WORDS_TIME).await;
    };
    let ended = tokio::select! {
        ended = all(tasks) => ended,
        () = late => {
            warn!("a part of the agent does not end; going without it");
            Ok(())
        }
    };
    said.cancel();
    sending.await.context("the sender failed")?;
    ended
}

async fn all(mut tasks: JoinSet<()>) -> Result<()> {
    while let Some(ended) = tasks.join_next().await {
        ended.context("a part of the agent failed")?;
    }
    Ok(())
}

impl LogSink for Recorder {
    fn commit(&self, frame: LogFrame, note: &[u8]) -> io::Result<i64> {
        self.record_logs(frame, note, now_ms())
    }

    fn notes(&self) -> io::Result<Vec<(i64, i64, Vec<u8>)>> {
        self.log_notes()
    }

    fn last(&self) -> (i64, i64) {
        self.last_logs()
    }

    fn checkpointed(&self, epoch: i64, seq: i64) {
        self.checkpointed_logs(epoch, seq);
    }
}

/// The last good central configuration, for a start without the bus.
fn restore(config: &Config, host: &HostId) -> InForce {
    let own = Own { settings: config.settings(), pinned: config.pinned() };
    let mut in_force = InForce::new(own);
    let restored = LastGood::new(&config.state_dir, host.clone()).load();
    match restored {
        Ok(Some(central)) => {
            if let Err(reason) = in_force.take(central) {
                warn!("the stored central configuration is not used: {reason}");
            }
        }
        Ok(None) => {}
        Err(error) => warn!("going on without the stored central configuration: {error:#}"),
    }
    in_force
}

/// Hands changed settings to the log follower, and stops it in the end.
async fn follow_settings(agent: Arc<Agent>, stop: CancellationToken) {
    let mut changes = agent.in_force.subscribe();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            changed = changes.changed() => if changed.is_err() { break },
        }
        let settings = log_settings(&agent.config, &changes.borrow_and_update());
        if let Some(logs) = &*agent.logs() {
            logs.apply(settings);
        }
    }
    let logs = agent.logs().take();
    if let Some(logs) = logs
        && spawn_blocking(move || logs.stop()).await.is_err()
    {
        warn!("the log follower did not stop in order");
    }
}

fn log_settings(config: &Config, in_force: &InForce) -> LogSettings {
    let settings = in_force.settings();
    let on = |name: &str| settings.collectors.as_ref().is_none_or(|all| all[name]);
    let paths = if on("logs") { settings.log_paths.clone() } else { None };
    let host = config.host();
    let here = |path: String| host.given(&path).to_string_lossy().into_owned();
    let paths = paths.unwrap_or_default().into_iter().map(here).collect();
    LogSettings {
        journald: on("journald"),
        paths,
        least: config.log_severity,
        flood: FloodLimits {
            lines_per_min: config.log_lines_per_min.into(),
            bytes_per_min: config.log_bytes_per_min,
        },
        state_dir: config.state_dir.clone(),
        files_max: LOG_FILES_MAX,
        host_root: host.is_mounted().then(|| config.host_root.clone()),
        journal_directory: None,
        read_from_start: false,
    }
}

fn collector_settings(config: &Config, in_force: &InForce) -> CollectorSettings {
    let settings = in_force.settings();
    CollectorSettings {
        enabled: settings.collectors.clone().unwrap_or_default(),
        host_root: config.host_root.clone(),
        scripts_dir: config.scripts_dir.clone(),
        prometheus_urls: config.prometheus_urls.clone(),
        mask_arguments: settings.mask_arguments.clone().unwrap_or_default(),
    }
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
