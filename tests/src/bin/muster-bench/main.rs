//! `muster-bench`: figures of the release build on a stack it starts itself, each beside a limit
//! measured in the same run. Loopback only, bounded in count and time.

mod agent;
mod alerts;
mod chaos;
mod figures;
mod ingest;
mod peers;
mod process;
mod query;
mod replay;
mod scan;
mod tail;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};

use figures::Figures;

/// That of the services: the engine is measured in this process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Muster on this machine. With no name: everything but chaos, which is no measure.
#[derive(Parser)]
struct Arguments {
    what: Option<Bench>,
    /// How long the agent is measured beside its peers, and how long there is chaos.
    #[arg(long, default_value_t = 3)]
    minutes: u64,
    /// How many hosts the database of the query bench has.
    #[arg(long, default_value_t = 500)]
    query_hosts: usize,
    /// Of chaos, to have the same again.
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    sizes: ingest::Sizes,
    /// One JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Bench {
    Agent,
    Ingest,
    /// A part of `ingest`.
    Query,
    Alerts,
    Chaos,
}

// Two connections at once are a limit only if one thread does not serve both.
#[tokio::main]
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
        ingest::measure(&mut figures, arguments.sizes).await?;
    }
    if wanted(Bench::Ingest) || wanted(Bench::Query) {
        query::measure(&mut figures, arguments.query_hosts).await?;
    }
    if wanted(Bench::Agent) {
        scan::measure(&mut figures)?;
        tail::measure(&mut figures).await?;
        replay::measure(&mut figures).await?;
        agent::measure(&mut figures, arguments.minutes).await?;
    }
    if wanted(Bench::Alerts) {
        alerts::measure(&mut figures).await?;
    }
    if arguments.what == Some(Bench::Chaos) {
        chaos::measure(&mut figures, arguments.minutes, arguments.seed).await?;
    }
    if arguments.json {
        figures.print_json();
    } else {
        figures.print_table();
    }
    Ok(())
}
