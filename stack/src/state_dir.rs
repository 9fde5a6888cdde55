//! The names of what lies in a state directory.

use std::path::{Path, PathBuf};

use anyhow::Result;

#[derive(Clone, Debug)]
pub struct StateDir(PathBuf);

impl StateDir {
    /// Makes it where it is not there.
    pub fn create(path: &Path) -> Result<Self> {
        crate::state_dir(path).map(Self)
    }

    /// One that is there; `None` if nothing was ever started in it.
    pub fn existing(path: &Path) -> Option<Self> {
        path.canonicalize().ok().map(Self)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where everything is, see `stack_json`.
    pub fn stack_json(&self) -> PathBuf {
        self.0.join("stack.json")
    }

    /// What the supervisor knows of its parts, see `run_state`.
    pub fn run_json(&self) -> PathBuf {
        self.0.join("run.json")
    }

    /// The first administrator's password.
    pub fn admin_json(&self) -> PathBuf {
        self.0.join("admin.json")
    }

    /// Held by the supervisor as long as it lives.
    pub fn lock(&self) -> PathBuf {
        self.0.join("stack.lock")
    }

    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    pub fn log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{name}.log"))
    }
}
