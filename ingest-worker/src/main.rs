//! `muster-ingest-worker`: run, or do something by hand.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use muster_ingest_worker::config::Config;
use muster_ingest_worker::{commands, service};
use muster_runtime::{config, exit_code, logging, stop_on_signal};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Consumes the streams into the database. Run as many as the load needs.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// A TOML file; the default is /etc/muster/ingest-worker.toml if it is there. Variables
    /// `MUSTER_INGEST_WORKER_<KEY>` win over it.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Bring the database up to this version's schema.
    Migrate {
        /// Change nothing; fail if there is something to do.
        #[arg(long)]
        check: bool,
    },
    /// Remove now what is older than it is kept; the workers do it by themselves once an hour.
    Retention {
        /// Remove nothing; show what would go.
        #[arg(long)]
        plan: bool,
    },
    /// Copy a database into another, empty one, which may be of the other engine (`TimescaleDB`).
    /// Services that use the database to copy from have to be stopped.
    Copy {
        /// postgres://user:password@host:port/database
        #[arg(long, value_name = "URL", env = "MUSTER_COPY_FROM", hide_env_values = true)]
        from: String,
        /// The same of the other one.
        #[arg(long, value_name = "URL", env = "MUSTER_COPY_TO", hide_env_values = true)]
        to: String,
        /// Go on with a copy that was cut short.
        #[arg(long)]
        resume: bool,
    },
    /// After the database was restored to an older state: let the streams deliver again what they
    /// still have. What is stored already is recognised.
    Replay {
        /// Only what the broker has stored since then, such as 2026-11-21T03:00:00Z; some minutes
        /// before the backup was begun. Everything, if left out.
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
    },
}

fn main() -> ExitCode {
    logging::start();
    exit_code(&run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<()> {
    let config: Config = config::load(arguments.config.as_deref())?;
    // One thread: what a worker does beside decoding is little, and to wake another thread for each
    // piece of a `COPY` costs more than it gains.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        match &arguments.command {
            None => service::run(config, stop_on_signal()?).await,
            Some(Command::Migrate { check }) => commands::migrate(&config, *check).await,
            Some(Command::Retention { plan }) => commands::retention(&config, *plan).await,
            Some(Command::Copy { from, to, resume }) => commands::copy(from, to, *resume).await,
            Some(Command::Replay { since }) => commands::replay(&config, since.as_deref()).await,
        }
    })
}
