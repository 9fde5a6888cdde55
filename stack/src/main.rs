//! `muster-stack`: runs all of Muster on this machine. The `muster` script brings what it needs
//! and calls it.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use muster_stack::commands::{StateArgs, down, engine, status, up, watch};

/// Runs Muster, the fleet monitor, on this machine
#[derive(Parser)]
#[command(name = "muster", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start everything and keep it running
    Up(up::UpArgs),
    /// Stop everything; the data stays
    Down(StateArgs),
    /// Show what runs
    Status(status::StatusArgs),
    /// Say which PostgreSQL and which engine the tests run on
    #[command(hide = true)]
    Engine,
    /// Print messages from the bus, decoded
    Watch(watch::WatchArgs),
}

/// One thread: all of it is waiting, and children are started from threads of their own.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let outcome: Result<ExitCode> = match Cli::parse().command {
        Command::Up(args) => up::run(args).await,
        Command::Down(args) => down::run(args).await,
        Command::Status(args) => status::run(&args),
        Command::Engine => engine::run().await,
        Command::Watch(args) => watch::run(args).await,
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
