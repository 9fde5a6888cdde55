//! The commands of `muster-stack`. Each is one file: its options, what it does, and its exit code.

mod detach;
pub mod down;
pub mod engine;
mod start;
pub mod status;
pub mod up;
pub mod watch;

use std::env;
use std::path::PathBuf;

/// Where everything is kept, the same option on every command.
#[derive(Clone, Debug, clap::Args)]
pub struct StateArgs {
    /// Where data, logs and stack.json are kept
    #[arg(long, value_name = "DIR", env = "MUSTER_STATE_DIR", default_value = ".muster")]
    pub state_dir: PathBuf,
}

/// What people type to run this: the script says so, if it was the script.
fn command_name() -> String {
    env::var("MUSTER_COMMAND").unwrap_or_else(|_| "muster-stack".to_owned())
}
