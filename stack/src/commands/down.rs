//! `down`: asks the supervisor to stop everything and waits until nothing is left. If the
//! supervisor is gone, the parts it recorded are stopped one by one, after checking that they are
//! still the same processes.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::StateArgs;
use crate::display::say;
use crate::lock::Lock;
use crate::run_state::{Identity, RunState};
use crate::state_dir::StateDir;
use crate::{files, wait};

/// The grace periods of all stages together: agent, workers, gateway and bus 10 s each, and the
/// database 60 s.
const SUPERVISOR_TIMEOUT: Duration = Duration::from_secs(110);
/// For parts without a supervisor: the longest of the grace periods.
const PART_TIMEOUT: Duration = Duration::from_secs(60);
/// From SIGKILL to the end, on a machine that is very busy.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);

pub async fn run(args: StateArgs) -> Result<ExitCode> {
    let Some(state) = StateDir::existing(&args.state_dir) else {
        say("Muster is not running.");
        return Ok(ExitCode::SUCCESS);
    };
    let had_supervisor = stop_supervisor(&state).await?;
    let leftover = stop_leftover(&state).await?;
    files::remove(&state.stack_json())?;
    files::remove(&state.run_json())?;
    match (had_supervisor, leftover) {
        (false, 0) => say("Muster is not running."),
        (true, 0) => say("Muster is stopped; the data stays."),
        (_, parts) => say(&format!("Muster is stopped, {parts} parts one by one; the data stays.")),
    }
    Ok(ExitCode::SUCCESS)
}

async fn stop_supervisor(state: &StateDir) -> Result<bool> {
    if Lock::holder(state)?.is_none() {
        return Ok(false);
    }
    say("stopping");
    let told =
        wait::until("the supervisor's pid", KILL_TIMEOUT, async || match Lock::holder(state) {
            Ok(Some(0)) => None,
            Ok(Some(pid)) => Some(send(pid, Signal::SIGTERM).map(|()| pid)),
            Ok(None) => Some(Ok(0)),
            Err(error) => Some(Err(error)),
        });
    let pid = told.await??;
    let is_free = async || matches!(Lock::holder(state), Ok(None)).then_some(());
    if wait::until("the supervisor to end", SUPERVISOR_TIMEOUT, is_free).await.is_err() {
        say("the supervisor does not end: killing it");
        send(pid, Signal::SIGKILL)?;
        wait::until("the supervisor to be gone", KILL_TIMEOUT, is_free).await?;
    }
    Ok(true)
}

/// Ends what a supervisor that is gone left behind, and answers how many parts that were.
async fn stop_leftover(state: &StateDir) -> Result<usize> {
    let Some(run) = files::read_json::<RunState>(&state.run_json())? else { return Ok(0) };
    let alive = run.alive();
    for part in &alive {
        let signal = Signal::try_from(part.stop_signal).unwrap_or(Signal::SIGTERM);
        send_all(part.process, signal)?;
    }
    if wait_until_gone(&run, PART_TIMEOUT).await.is_err() {
        for part in run.alive() {
            send_all(part.process, Signal::SIGKILL)?;
        }
        wait_until_gone(&run, KILL_TIMEOUT).await?;
    }
    Ok(alive.len())
}

async fn wait_until_gone(run: &RunState, limit: Duration) -> Result<()> {
    let gone = async || run.alive().is_empty().then_some(());
    wait::until("the parts to end", limit, gone).await
}

fn send_all(processes: impl IntoIterator<Item = Identity>, signal: Signal) -> Result<()> {
    processes.into_iter().try_for_each(|process| send(process.pid, signal))
}

fn send(pid: u32, signal: Signal) -> Result<()> {
    match kill(Pid::from_raw(pid.cast_signed()), signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("could not send {signal} to {pid}")),
    }
}
