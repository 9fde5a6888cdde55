//! `muster-bench`: figures of the release build on a stack it starts itself, each beside a limit
//! measured in the same run. Loopback only, bounded in count and time.

mod agent;
mod figures;
mod ingest;
mod peers;
mod process;
mod replay;
mod scan;
mod tail;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};

use figures::Figures;

/// Measures Muster on this machine. With no name: everything.
#[derive(Parser)]
struct Arguments {
    what: Option<Bench>,
    /// How long the agent is measured beside its peers.
    #[arg(long, default_value_t = 3)]
    minutes: u64,
    /// One JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Bench {
    Agent,
    Ingest,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<()> {
    let wanted = |bench| arguments.what.is_none_or(|what| what == bench);
    let mut figures = Figures::default();
    if wanted(Bench::Ingest) {
        ingest::measure(&mut figures).await?;
    }
    if wanted(Bench::Agent) {
        scan::measure(&mut figures)?;
        tail::measure(&mut figures).await?;
        replay::measure(&mut figures).await?;
        agent::measure(&mut figures, arguments.minutes).await?;
    }
    if arguments.json {
        figures.print_json();
    } else {
        figures.print_table();
    }
    Ok(())
}
