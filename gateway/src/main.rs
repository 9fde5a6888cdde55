//! The process: configuration, logging, run until told to stop.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use muster_gateway::{Config, service};
use muster_runtime::{config, exit_code, logging, stop_on_signal};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Serves the dashboard, the REST interface and the WebSocket.
#[derive(Parser)]
#[command(name = "muster-gateway", version)]
struct Arguments {
    /// A TOML file; environment variables `MUSTER_GATEWAY_<KEY>` override it.
    #[arg(long)]
    config: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    logging::start();
    exit_code(&run(arguments).await)
}

async fn run(arguments: Arguments) -> Result<()> {
    let config: Config = config::load(arguments.config.as_deref())?;
    service::run(config, stop_on_signal()?).await
}
