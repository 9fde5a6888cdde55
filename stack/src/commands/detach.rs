//! `up --detach`: leaves a supervisor behind in a session of its own, shows its progress, and
//! returns when everything runs or it is clear that it will not.

use std::ffi::OsString;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use super::up::{UpArgs, already_running, summary};
use crate::display::Display;
use crate::files;
use crate::logs;
use crate::run_state::{Phase, RunState};
use crate::state_dir::StateDir;

/// Progress moves by steps of a second or so.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Lines of the supervisor's log shown when it says nothing else.
const LOG_LINES: usize = 10;

pub(super) async fn run(state: &StateDir, args: &UpArgs) -> Result<ExitCode> {
    let mut supervisor = spawn(state, args)?;
    let mut watched = Watched { display: Display::new(), lines_shown: 0, doing: String::new() };
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let outcome = loop {
        tokio::select! {
            () = sleep(LOOK_INTERVAL) => {}
            _ = interrupt.recv() => break Err(give_up(&mut supervisor)),
            _ = terminate.recv() => break Err(give_up(&mut supervisor)),
        }
        let ended = supervisor.try_wait()?;
        if let Some(outcome) = watched.look(state, supervisor.id())? {
            break outcome.map(|()| false);
        }
        match ended {
            // It found another one at work.
            Some(status) if status.success() => break Ok(true),
            Some(status) => break Err(anyhow::anyhow!(last_words(state, &status.to_string()))),
            None => {}
        }
    };
    watched.display.finish();
    if outcome? {
        return already_running(state);
    }
    summary(state, true)?;
    Ok(ExitCode::SUCCESS)
}

/// This program again, with the same options, away from this terminal.
fn spawn(state: &StateDir, args: &UpArgs) -> Result<Child> {
    let log = logs::open(&state.log("stack")).context("could not open the supervisor's log")?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["up", "--background"]).args(options(state, args));
    // Not among the options: those can be read by every user of the machine.
    if let Some(url) = &args.postgres_url {
        command.env("MUSTER_POSTGRES_URL", url);
    }
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).current_dir(state.path());
    command.spawn().context("could not start the supervisor")
}

fn options(state: &StateDir, args: &UpArgs) -> Vec<OsString> {
    let mut options: Vec<OsString> = vec!["--state-dir".into(), state.path().into()];
    let mut add = |name: &str, value: OsString| options.extend([OsString::from(name), value]);
    add("--listen", args.listen.to_string().into());
    add("--workers", args.workers.to_string().into());
    add("--simulate", args.simulate.to_string().into());
    if let Some(port) = args.port {
        add("--port", port.to_string().into());
    }
    if let Some(Ok(dir)) = args.postgres_bin.as_ref().map(|dir| dir.canonicalize()) {
        add("--postgres-bin", dir.into());
    }
    if args.no_agent {
        options.push("--no-agent".into());
    }
    options
}

/// Ctrl-C while waiting means that nothing shall be left running.
fn give_up(supervisor: &mut Child) -> anyhow::Error {
    let pid = nix::unistd::Pid::from_raw(supervisor.id().cast_signed());
    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
    let _ = supervisor.wait();
    anyhow::anyhow!("interrupted; everything was stopped again")
}

fn last_words(state: &StateDir, status: &str) -> String {
    let lines = logs::tail(&state.log("stack"), LOG_LINES).join("\n  ");
    format!("the supervisor ended ({status}):\n  {lines}")
}

/// What of the supervisor's progress was shown already.
struct Watched {
    display: Display,
    lines_shown: usize,
    doing: String,
}

impl Watched {
    /// Shows what is new; `Some` when the outcome is known.
    fn look(&mut self, state: &StateDir, supervisor: u32) -> Result<Option<Result<()>>> {
        let run = files::read_json::<RunState>(&state.run_json())?;
        // One from before belongs to another supervisor.
        let Some(run) = run.filter(|run| run.supervisor.pid == supervisor) else { return Ok(None) };
        for line in run.done.iter().skip(self.lines_shown) {
            self.display.line(&format!("  {line}"));
        }
        self.lines_shown = run.done.len();
        if self.doing != run.doing {
            self.display.doing(&run.doing);
            self.doing = run.doing;
        }
        Ok(match run.phase {
            Phase::Starting => None,
            Phase::Ready => Some(Ok(())),
            Phase::Stopping => Some(fail("it was stopped".to_owned())),
            Phase::Failed { reason } => Some(fail(reason)),
        })
    }
}

fn fail(reason: String) -> Result<()> {
    bail!(reason)
}
