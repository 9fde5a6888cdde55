//! `muster-ingest-worker`: run, or migrate the database.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use muster_ingest_worker::config::Config;
use muster_ingest_worker::service;
use muster_runtime::{config, exit_code, logging, migrate, stop_on_signal};

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
}

fn main() -> ExitCode {
    logging::start();
    exit_code(&run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<()> {
    let config: Config = config::load(arguments.config.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        match &arguments.command {
            None => service::run(config, stop_on_signal()?).await,
            Some(Command::Migrate { check: false }) => {
                let done = migrate::migrate(&config.postgres_url).await?;
                let (engine, version) = (done.engine.as_str(), done.version);
                println!("schema version {version} on {engine}, applied: {:?}", done.applied);
                Ok(())
            }
            Some(Command::Migrate { check: true }) => {
                match migrate::check(&config.postgres_url).await?.as_slice() {
                    [] => Ok(()),
                    pending => bail!("the schema lacks {pending:?}: run migrate"),
                }
            }
        }
    })
}
