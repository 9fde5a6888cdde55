//! What the agent costs its host: CPU and memory over a minute at the default intervals.

use std::time::Duration;

use anyhow::{Context, Result};
use muster_stack::{Stack, StackOptions};
use tokio::time::{Instant, sleep};

use crate::figures::{Better, Figure, Figures};
use crate::process::{cpu_seconds, rss_bytes};

/// Start-up is not what a host pays for: connections are made and first readings taken by then.
const WARM_UP: Duration = Duration::from_secs(20);

/// Twelve samples, four frames and two heartbeats.
const MEASURED: Duration = Duration::from_secs(60);

pub async fn measure(figures: &mut Figures) -> Result<()> {
    eprintln!("agent: {}s of warm-up, then {}s", WARM_UP.as_secs(), MEASURED.as_secs());
    let options = StackOptions { ingest_workers: 1, agent: true, ..StackOptions::default() };
    let mut stack = Stack::start(options).await?;
    let pid = stack.pid("agent")?.context("the agent has ended")?;
    sleep(WARM_UP).await;
    let (before, started) = (cpu_seconds(pid)?, Instant::now());
    sleep(MEASURED).await;
    let share = (cpu_seconds(pid)? - before) / started.elapsed().as_secs_f64();
    figures.add(Figure {
        name: "agent.cpu_percent",
        value: share * 100.0,
        unit: "% of a core",
        limit: None,
        goal: Some((0.3, Better::Lower)),
    });
    figures.add(Figure {
        name: "agent.rss_bytes",
        value: rss_bytes(pid)?,
        unit: "bytes",
        limit: None,
        goal: Some((15e6, Better::Lower)),
    });
    stack.shutdown().await;
    Ok(())
}
