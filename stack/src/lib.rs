//! Starts a real NATS, a real PostgreSQL and Muster's services on this machine.
//!
//! For tests and benches: [`Stack`], or [`NatsServer`] and [`PostgresServer`] on their own. For
//! people: the `muster-stack` binary, which supervises the same parts. It leaves out what the
//! services do; it knows only how each is started, stopped and reached.

pub mod board;
pub mod child;
pub mod commands;
pub mod display;
pub mod files;
pub mod http;
pub mod install;
pub mod lock;
pub mod logic;
pub mod logs;
pub mod nats;
pub mod ports;
pub mod postgres;
pub mod proc_fs;
pub mod run_state;
pub mod secret;
pub mod service;
pub mod stack;
pub mod stack_json;
pub mod state_dir;
pub mod supervisor;
pub mod wait;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

pub use child::{Child, Launch, RunAs};
pub use nats::{NatsOptions, NatsServer};
pub use postgres::{PostgresOptions, PostgresServer, connect as connect_postgres};
pub use service::{Service, ServiceProcess};
pub use stack::{Stack, StackOptions};
pub use stack_json::{Admin, Pids, StackJson};

/// A directory the database's own user may enter: when root runs this, that is somebody else.
pub fn temporary_dir() -> Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("muster-").permissions(Permissions::from_mode(0o755));
    builder.tempdir().context("could not make a temporary directory")
}

/// Makes a state directory where there is none, and answers its full path: children have other
/// working directories.
pub(crate) fn state_dir(path: &Path) -> Result<PathBuf> {
    let made = fs::create_dir_all(path).and_then(|()| path.canonicalize());
    made.with_context(|| format!("could not make the directory {}", path.display()))
}
