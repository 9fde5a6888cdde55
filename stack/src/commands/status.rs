//! `status`: what runs, since when, and how to reach it. Exit code 0 if everything does, 3 if not
//! (as for an init script).

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::{StateArgs, command_name};
use crate::display::say;
use crate::lock::Lock;
use crate::run_state::{Identity, Part, Phase, RunState, now_ms};
use crate::stack_json::StackJson;
use crate::state_dir::StateDir;
use crate::{files, proc_fs};

/// "Program is not running", by the Linux Standard Base.
const NOT_RUNNING: u8 = 3;

#[derive(Clone, Debug, clap::Args)]
pub struct StatusArgs {
    #[command(flatten)]
    pub state: StateArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Default, Serialize)]
struct Status {
    running: bool,
    gateway_url: Option<String>,
    phase: Option<Phase>,
    parts: Vec<PartStatus>,
}

#[derive(Debug, Serialize)]
struct PartStatus {
    name: String,
    state: &'static str,
    pid: Option<u32>,
    uptime_s: Option<u64>,
    restarts: u32,
    memory_bytes: Option<u64>,
    address: Option<String>,
    /// Why it is not started again.
    reason: Option<String>,
}

pub fn run(args: &StatusArgs) -> Result<ExitCode> {
    let status = match StateDir::existing(&args.state.state_dir) {
        Some(state) => look(&state)?,
        None => Status::default(),
    };
    if args.json {
        say(&serde_json::to_string_pretty(&status)?);
    } else {
        print(&status);
    }
    Ok(if status.running { ExitCode::SUCCESS } else { ExitCode::from(NOT_RUNNING) })
}

fn look(state: &StateDir) -> Result<Status> {
    if Lock::holder(state)?.is_none() {
        return Ok(Status::default());
    }
    let Some(run) = files::read_json::<RunState>(&state.run_json())? else {
        return Ok(Status::default());
    };
    let parts: Vec<_> = run.parts.iter().map(part_status).collect();
    let all_run = parts.iter().all(|part| part.state == "running");
    let stack = StackJson::read(&state.stack_json())?;
    Ok(Status {
        running: run.phase == Phase::Ready && all_run,
        gateway_url: stack.map(|stack| stack.gateway_url),
        phase: Some(run.phase),
        parts,
    })
}

fn part_status(part: &Part) -> PartStatus {
    let pid =
        part.process.filter(|process| Identity::is_alive(*process)).map(|process| process.pid);
    let state = match pid {
        Some(_) => "running",
        None if part.gave_up.is_some() => "failed",
        None => "restarting",
    };
    PartStatus {
        name: part.name.clone(),
        state,
        pid,
        uptime_s: pid.map(|_| now_ms().saturating_sub(part.started_at_ms) / 1000),
        restarts: part.restarts,
        memory_bytes: pid.map(proc_fs::memory_bytes),
        address: part.address.clone(),
        reason: part.gave_up.clone(),
    }
}

fn print(status: &Status) {
    let Some(phase) = &status.phase else {
        return say(&format!("Muster is not running. `{} up` starts it.", command_name()));
    };
    say(
        &row(["PART", "STATE", "PID", "UPTIME", "RESTARTS", "MEMORY", "ADDRESS"].map(String::from)),
    );
    for part in &status.parts {
        say(&part_row(part));
    }
    say("");
    match (phase, &status.gateway_url) {
        (Phase::Ready, Some(url)) if status.running => say(&format!("Muster is running: {url}")),
        (Phase::Ready, Some(url)) => say(&format!("Muster is running in part: {url}")),
        (Phase::Failed { reason }, _) => say(&format!("Muster failed to start: {reason}")),
        (Phase::Stopping, _) => say("Muster is stopping."),
        _ => say("Muster is starting."),
    }
}

fn part_row(part: &PartStatus) -> String {
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let uptime =
        part.uptime_s.map(|s| humantime::format_duration(Duration::from_secs(s)).to_string());
    let memory = part.memory_bytes.map(|bytes| format!("{:.1} MB", bytes as f64 / 1e6));
    row([
        part.name.clone(),
        part.state.to_owned(),
        or_dash(part.pid.map(|pid| pid.to_string())),
        or_dash(uptime),
        part.restarts.to_string(),
        or_dash(memory),
        or_dash(part.reason.clone().or_else(|| part.address.clone())),
    ])
}

fn row(cells: [String; 7]) -> String {
    let [part, state, pid, uptime, restarts, memory, address] = cells;
    let line = format!(
        "{part:<18} {state:<11} {pid:>8}  {uptime:<14} {restarts:>8} {memory:>10}  {address}"
    );
    line.trim_end().to_owned()
}
