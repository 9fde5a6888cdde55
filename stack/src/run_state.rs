//! `run.json`: what the supervisor knows of itself and its parts, beside `stack.json`. Read by
//! `status`, by `down` when the supervisor is gone, and by `up --detach` while it waits.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::proc_fs;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunState {
    pub supervisor: Identity,
    pub boot_id: String,
    pub phase: Phase,
    /// What was done so far, one sentence each.
    pub done: Vec<String>,
    /// What is being done now.
    pub doing: String,
    pub parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Starting,
    Ready,
    Stopping,
    Failed { reason: String },
}

/// A process, told from a later one that was given its pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub pid: u32,
    pub start_ticks: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Part {
    pub name: String,
    pub address: Option<String>,
    /// What asks it to stop.
    pub stop_signal: i32,
    /// None while it is not running.
    pub process: Option<Identity>,
    pub started_at_ms: u64,
    pub restarts: u32,
    /// Why it is not started again.
    pub gave_up: Option<String>,
}

impl Identity {
    /// `None` if there is no such process.
    pub fn of(pid: u32) -> Option<Self> {
        Some(Self { pid, start_ticks: proc_fs::start_ticks(pid)? })
    }

    pub fn is_alive(self) -> bool {
        proc_fs::start_ticks(self.pid) == Some(self.start_ticks)
    }
}

impl RunState {
    pub fn new() -> Self {
        let me = std::process::id();
        let supervisor = Identity::of(me).unwrap_or(Identity { pid: me, start_ticks: 0 });
        Self {
            supervisor,
            boot_id: proc_fs::boot_id(),
            phase: Phase::Starting,
            done: Vec::new(),
            doing: "starting".to_owned(),
            parts: Vec::new(),
        }
    }

    /// Parts whose process still runs. Those of an earlier boot never do, whatever their pids say.
    pub fn alive(&self) -> Vec<&Part> {
        if self.boot_id != proc_fs::boot_id() {
            return Vec::new();
        }
        let is_alive = |part: &&Part| part.process.is_some_and(Identity::is_alive);
        self.parts.iter().filter(is_alive).collect()
    }

    pub fn part_mut(&mut self, name: &str) -> Option<&mut Part> {
        self.parts.iter_mut().find(|part| part.name == name)
    }
}

impl Default for RunState {
    fn default() -> Self {
        Self::new()
    }
}

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(process: Identity) -> Part {
        Part {
            name: "gateway".into(),
            address: None,
            stop_signal: 15,
            process: Some(process),
            started_at_ms: 0,
            restarts: 0,
            gave_up: None,
        }
    }

    #[test]
    fn a_stranger_with_the_same_pid_is_not_ours() {
        let me = Identity::of(std::process::id()).unwrap();
        let stranger = Identity { start_ticks: me.start_ticks + 1, ..me };
        let mut run = RunState::new();
        run.parts = vec![part(me), part(stranger)];
        assert_eq!(run.alive().len(), 1);
        run.boot_id = "before the reboot".into();
        assert!(run.alive().is_empty());
    }
}
