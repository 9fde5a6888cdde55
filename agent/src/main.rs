//! `muster-agent`: run, or simulate many hosts.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use muster_agent::config::Config;
use muster_agent::io::install::{Install, Uninstall};
use muster_agent::{service, simulate};
use muster_runtime::{config, exit_code, logging, stop_on_signal};

/// Small and without glibc's per-thread arenas, which inflate a process of a few threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Watches this host and publishes what it sees on the bus. Opens no port.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// A TOML file; the default is /etc/muster/agent.toml if it is there. Variables
    /// `MUSTER_AGENT_<KEY>` win over it.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Print the host id that would be used.
    HostId,
    /// Install this program as a service of this host, or upgrade it.
    Install(Install),
    /// Remove what `install` brought.
    Uninstall(Uninstall),
    /// Publish synthetic values of many hosts, through the agent's own journal and sender.
    Simulate {
        /// How many hosts.
        #[arg(long, default_value_t = 10)]
        hosts: usize,
    },
}

fn main() -> ExitCode {
    logging::start();
    exit_code(&run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.command {
        Some(Command::Install(install)) => return install.run(),
        Some(Command::Uninstall(uninstall)) => return uninstall.run(),
        _ => {}
    }
    let config: Config = config::load(arguments.config.as_deref())?;
    // One thread: an agent has little to do and must cost little.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let outcome = runtime.block_on(async {
        match &arguments.command {
            Some(Command::HostId) => {
                println!("{}", config.host_id()?);
                Ok(())
            }
            Some(Command::Simulate { hosts }) => {
                simulate::run(config, *hosts, stop_on_signal()?).await
            }
            _ => service::run(config, arguments.config.clone(), stop_on_signal()?).await,
        }
    });
    // A thread that waits for a disk that hangs must not hold up the end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}
