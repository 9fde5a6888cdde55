//! `up`: starts everything and keeps it running until told to stop. Restarts are the supervisor's
//! and the order of the start is `start.rs`'s.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use super::start::Startup;
use super::{StateArgs, command_name, detach};
use crate::board::Board;
use crate::display::say;
use crate::files;
use crate::lock::Lock;
use crate::run_state::Phase;
use crate::stack_json::StackJson;
use crate::state_dir::StateDir;
use crate::supervisor::Supervisor;

/// Logs grow past their limit by at most what a part writes in this time.
const LOG_CHECK_INTERVAL: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, clap::Args)]
pub struct UpArgs {
    #[command(flatten)]
    pub state: StateArgs,
    /// Return as soon as everything runs, and leave it running
    #[arg(long)]
    pub detach: bool,
    /// Port of the dashboard; 0 takes any free one [default: 3000, or the next free one]
    #[arg(long)]
    pub port: Option<u16>,
    /// Address the dashboard listens on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub listen: IpAddr,
    /// How many ingest workers and alert workers to run
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: u16,
    /// Also simulate this many hosts
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub simulate: u32,
    /// Use this PostgreSQL database instead of a private one
    #[arg(long, value_name = "URL", env = "MUSTER_POSTGRES_URL", hide_env_values = true)]
    pub postgres_url: Option<String>,
    /// Directory with `postgres` and `initdb`
    #[arg(long, value_name = "DIR", env = "MUSTER_PG_BIN")]
    pub postgres_bin: Option<PathBuf>,
    /// Do not monitor this machine
    #[arg(long)]
    pub no_agent: bool,
    /// Set by `--detach` on the process it leaves behind
    #[arg(long, hide = true)]
    pub background: bool,
}

pub async fn run(args: UpArgs) -> Result<ExitCode> {
    let state = StateDir::create(&args.state.state_dir)?;
    if args.background {
        // Away from the terminal: closing it, or Ctrl-C in it, must not reach us.
        nix::unistd::setsid()?;
    }
    if args.detach && Lock::holder(&state)?.is_none() {
        return detach::run(&state, &args).await;
    }
    match Lock::take(&state)? {
        Some(_lock) => foreground(&state, &args).await,
        None => already_running(&state),
    }
}

pub(super) fn already_running(state: &StateDir) -> Result<ExitCode> {
    match StackJson::read(&state.stack_json())? {
        Some(stack) => say(&format!("Muster is already running: {}", stack.gateway_url)),
        None => say("Muster is already starting or stopping."),
    }
    say(&format!("`{} status` shows more.", command_name()));
    Ok(ExitCode::SUCCESS)
}

async fn foreground(state: &StateDir, args: &UpArgs) -> Result<ExitCode> {
    let stop = stop_on_signals()?;
    let board = Arc::new(Board::begin(state)?);
    let observer = Arc::clone(&board);
    let mut supervisor = Supervisor::new(Arc::new(move |part: &str, event| {
        observer.observe(part, &event);
    }));
    let outcome = start_and_wait(state, args, &board, &mut supervisor, &stop).await;
    if let Err(error) = &outcome {
        // Shown before the parts go, so that whoever waits hears it at once.
        board.phase(Phase::Failed { reason: format!("{error:#}") });
    } else {
        board.phase(Phase::Stopping);
        say("stopping");
    }
    supervisor.stop_all().await;
    board.end()?;
    outcome?;
    say("stopped; the data stays");
    Ok(ExitCode::SUCCESS)
}

/// Everything between the first step and the wish to stop.
async fn start_and_wait(
    state: &StateDir,
    args: &UpArgs,
    board: &Board,
    supervisor: &mut Supervisor,
    stop: &CancellationToken,
) -> Result<()> {
    let mut startup = Startup { state, args, board, supervisor };
    tokio::select! {
        started = startup.run() => started?,
        () = stop.cancelled() => return Err(anyhow!("stopped before everything had started")),
    }
    board.phase(Phase::Ready);
    if !args.background {
        summary(state, false)?;
    }
    let mut check = interval(LOG_CHECK_INTERVAL);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = check.tick() => tidy(state, supervisor),
        }
    }
}

fn tidy(state: &StateDir, supervisor: &Supervisor) {
    let result = supervisor.bound_logs();
    if let Err(error) = result.and_then(|()| Ok(crate::logs::bound(&state.log("stack"))?)) {
        say(&format!("could not shorten the logs: {error:#}"));
    }
}

/// What a newcomer needs to know, once everything runs.
pub(super) fn summary(state: &StateDir, detached: bool) -> Result<()> {
    let Some(stack) = StackJson::read(&state.stack_json())? else { return Ok(()) };
    let host = stack.host_id.unwrap_or_else(|| "not monitored".to_owned());
    let down = format!("{} down", command_name());
    let stop = if detached { down } else { format!("Ctrl-C, or `{down}` elsewhere") };
    say("");
    say("  Muster is running.");
    say("");
    say(&format!("  dashboard   {}", stack.gateway_url));
    say(&format!("  user        {}", stack.admin.username));
    say(&format!(
        "  password    {}   (the first one; yours, if you changed it)",
        stack.admin.password
    ));
    say(&format!("  this host   {host}"));
    say(&format!("  logs        {}", state.logs().display()));
    say(&format!("  stop        {stop}"));
    say("");
    Ok(())
}

/// Set by the first signal that asks for an end. The second one ends this process at once, and the
/// kernel then tells every part.
fn stop_on_signals() -> Result<CancellationToken> {
    let token = CancellationToken::new();
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        let mut signals = signal(kind)?;
        let token = token.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                // A terminal that closes sends more than one hangup: that is not impatience.
                if token.is_cancelled() && kind == SignalKind::interrupt() {
                    std::process::exit(130);
                }
                token.cancel();
            }
        });
    }
    Ok(token)
}

/// The first administrator: made up at the first start, found again later.
pub(super) fn admin(state: &StateDir) -> Result<crate::stack_json::Admin> {
    if let Some(admin) = files::read_json(&state.admin_json())? {
        return Ok(admin);
    }
    let admin = crate::stack_json::Admin {
        username: "admin".to_owned(),
        password: crate::secret::password(),
    };
    files::write_json(&state.admin_json(), &admin)?;
    Ok(admin)
}
