//! One of Muster's own services as a child process: which binary, which environment, which log.
//! What the settings mean is each service's own business.

use std::path::{Path, PathBuf};

use anyhow::Result;
use nix::sys::signal::Signal;

use crate::child::{Child, Launch};
use crate::install;

/// The services by the name of their part in `stack.json`; the binary is `muster-<name>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    Agent,
    AlertWorker,
    Gateway,
    IngestWorker,
}

impl Service {
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::AlertWorker => "alert-worker",
            Self::Gateway => "gateway",
            Self::IngestWorker => "ingest-worker",
        }
    }

    /// `MUSTER_INGEST_WORKER_NATS_URL` for the key `NATS_URL`.
    pub fn env_key(self, key: &str) -> String {
        format!("MUSTER_{}_{key}", self.name().to_uppercase().replace('-', "_"))
    }

    pub fn binary(self) -> Result<PathBuf> {
        install::service_binary(&format!("muster-{}", self.name()))
    }

    /// How to start it, logging to `<state>/logs/<part>.log`. Several parts may be one service.
    pub fn launch(self, state: &Path, part: &str, settings: &[(&str, String)]) -> Result<Launch> {
        let log = state.join("logs").join(format!("{part}.log"));
        let mut launch = Launch::new(part, self.binary()?, log);
        for (key, value) in settings {
            launch = launch.env(&self.env_key(key), value);
        }
        Ok(launch)
    }
}

/// A started service that is not supervised: tests and benches decide when it dies.
pub struct ServiceProcess {
    child: Option<Child>,
    launch: Launch,
}

impl ServiceProcess {
    pub fn start(launch: Launch) -> Result<Self> {
        let child = Some(launch.spawn()?);
        Ok(Self { child, launch })
    }

    pub fn launch(&self) -> &Launch {
        &self.launch
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::pid)
    }

    /// Whether it is there and has not ended by itself.
    pub fn is_running(&self) -> bool {
        self.child.as_ref().is_some_and(|child| child.exit_status().is_none())
    }

    /// Starts it again, with the same settings.
    pub fn restart(&mut self) -> Result<()> {
        if !self.is_running() {
            self.child = Some(self.launch.spawn()?);
        }
        Ok(())
    }

    /// Sends a signal, if it runs.
    pub fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            child.signal(signal);
        }
    }

    /// Waits until it ends by itself; `None` if it was not running.
    pub async fn wait(&self) -> Option<std::process::ExitStatus> {
        match &self.child {
            Some(child) => Some(child.wait().await),
            None => None,
        }
    }

    /// SIGTERM, the grace period, then SIGKILL.
    pub async fn stop(&mut self) -> Option<std::process::ExitStatus> {
        let child = self.child.take()?;
        Some(child.stop(self.launch.stop_signal, self.launch.grace).await)
    }

    pub async fn kill9(&mut self) {
        if let Some(child) = self.child.take() {
            child.kill9().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_environment_variables_named_after_the_service() {
        assert_eq!(Service::IngestWorker.env_key("NATS_URL"), "MUSTER_INGEST_WORKER_NATS_URL");
        assert_eq!(Service::Agent.env_key("HOST_ID"), "MUSTER_AGENT_HOST_ID");
    }
}
