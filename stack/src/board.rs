//! What the supervisor shows the world: `run.json`, `stack.json` and lines for people. Every
//! change of a part passes here, so the files are never behind.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::Result;

use crate::child::Launch;
use crate::display::{Display, say};
use crate::files;
use crate::run_state::{Identity, Part, Phase, RunState, now_ms};
use crate::stack_json::{Pids, StackJson};
use crate::state_dir::StateDir;
use crate::supervisor::Event;

pub struct Board {
    state: StateDir,
    shown: Mutex<Shown>,
    display: Display,
}

struct Shown {
    run: RunState,
    /// Only once the stack is reachable.
    stack: Option<StackJson>,
    step_began: Instant,
}

impl Board {
    /// Begins a new run; whatever an earlier one left is no longer true.
    pub fn begin(state: &StateDir) -> Result<Self> {
        files::remove(&state.stack_json())?;
        let shown = Shown { run: RunState::new(), stack: None, step_began: Instant::now() };
        let board =
            Self { state: state.clone(), shown: Mutex::new(shown), display: Display::new() };
        board.lock().write(&board.state);
        Ok(board)
    }

    pub fn doing(&self, text: &str) {
        self.display.doing(text);
        let mut shown = self.lock();
        text.clone_into(&mut shown.run.doing);
        shown.step_began = Instant::now();
        shown.write(&self.state);
    }

    /// Ends the step that `doing` began.
    pub fn done(&self, text: &str) {
        let took = self.lock().step_began.elapsed();
        self.note(&format!("{text} ({:.1} s)", took.as_secs_f64()));
    }

    /// Something a person should know.
    pub fn note(&self, text: &str) {
        self.display.line(&format!("  {text}"));
        let mut shown = self.lock();
        shown.run.done.push(text.to_owned());
        shown.write(&self.state);
    }

    /// Lists a part before its first start.
    pub fn list(&self, launch: &Launch, address: Option<String>) {
        let mut shown = self.lock();
        shown.run.parts.push(Part {
            name: launch.name.clone(),
            address,
            stop_signal: launch.stop_signal as i32,
            process: None,
            started_at_ms: now_ms(),
            restarts: 0,
            gave_up: None,
        });
        shown.write(&self.state);
    }

    /// The supervisor's observer.
    pub fn observe(&self, part: &str, event: &Event) {
        let mut shown = self.lock();
        if let Some(part) = shown.run.part_mut(part) {
            apply(part, event);
        }
        shown.write(&self.state);
        let stopping = shown.run.phase == Phase::Stopping;
        drop(shown);
        if let Some(text) = told(part, event).filter(|_| !stopping) {
            let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now());
            self.display.line(&format!("  {now} {text}"));
        }
    }

    /// From now on `stack.json` is there.
    pub fn publish(&self, stack: StackJson) {
        let mut shown = self.lock();
        shown.stack = Some(stack);
        shown.write(&self.state);
    }

    pub fn phase(&self, phase: Phase) {
        if phase != Phase::Starting {
            self.display.finish();
        }
        let mut shown = self.lock();
        shown.run.phase = phase;
        shown.write(&self.state);
    }

    /// The first part that will not come back, and why.
    pub fn gave_up(&self) -> Option<String> {
        let shown = self.lock();
        shown.run.parts.iter().find_map(|part| {
            part.gave_up.as_ref().map(|reason| format!("{} gave up: {reason}", part.name))
        })
    }

    /// How often a part had to be started again.
    pub fn restarts(&self, part: &str) -> u32 {
        self.lock().run.part_mut(part).map_or(0, |part| part.restarts)
    }

    /// Takes the files away at a clean end; a failed start leaves its reason.
    pub fn end(&self) -> Result<()> {
        files::remove(&self.state.stack_json())?;
        if !matches!(self.lock().run.phase, Phase::Failed { .. }) {
            files::remove(&self.state.run_json())?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown {
    /// A full disk must not end the supervisor: it says so and goes on.
    fn write(&mut self, state: &StateDir) {
        let mut result = files::write_json(&state.run_json(), &self.run);
        if let Some(stack) = &mut self.stack {
            stack.pids = pids(&self.run);
            result = result.and_then(|()| stack.write(&state.stack_json()));
        }
        if let Err(error) = result {
            say(&format!("  {error:#}"));
        }
    }
}

fn pids(run: &RunState) -> Pids {
    let mut pids = Pids::default();
    for part in &run.parts {
        if let Some(process) = part.process {
            pids.add(&part.name, process.pid);
        }
    }
    pids
}

fn apply(part: &mut Part, event: &Event) {
    match event {
        Event::Started { pid, restarts } => {
            part.process = Identity::of(*pid);
            part.started_at_ms = now_ms();
            part.restarts = *restarts;
        }
        Event::Ended { .. } | Event::Stopped => part.process = None,
        Event::GaveUp { reason } => {
            part.process = None;
            part.gave_up = Some(reason.clone());
        }
    }
}

/// First starts and stops are told as steps; this tells what was not planned.
fn told(part: &str, event: &Event) -> Option<String> {
    match event {
        Event::Started { restarts: 0, .. } | Event::Stopped => None,
        Event::Started { pid, restarts } => {
            Some(format!("{part} runs again as {pid} (restart {restarts})"))
        }
        Event::Ended { how } => Some(format!("{part} ended ({how})")),
        Event::GaveUp { reason } => Some(format!("{part} will not be started again: {reason}")),
    }
}
