//! What following a busy log costs: lines a second it keeps up with, and CPU at a calm rate.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use async_nats::Subscriber;
use futures::StreamExt;
use muster_nats::headers;
use muster_schemas::codec::decode;
use muster_schemas::signals::Heartbeat;
use muster_schemas::{Envelope, HostId, Kind};
use muster_stack::{Stack, StackOptions};
use muster_tests::bus::Bus;
use tempfile::TempDir;
use tokio::time::{Instant, interval, sleep, timeout};

use crate::figures::{Better, Figure, Figures};
use crate::process::cpu_seconds;

const HOST: &str = "bench";

/// About 300 MB: a few seconds of work.
const BURST_LINES: u64 = 3_000_000;
const BURST_TIMEOUT: Duration = Duration::from_secs(120);

const CALM_LINES_PER_S: u64 = 1_000;
const CALM: Duration = Duration::from_secs(30);

/// One line in so many matters.
const ONE_IN: u64 = 100;

pub async fn measure(figures: &mut Figures) -> Result<()> {
    let directory = TempDir::new()?;
    let path = directory.path().join("application.log");
    let mut file = BufWriter::new(File::create(&path)?);
    let mut stack = Stack::start(options(directory.path())).await?;
    let bus = Bus::connect(&stack.nats_url()).await?;
    bus.prepare().await?;
    let host: HostId = HOST.parse()?;
    let subject = muster_nats::subjects::durable(&host, Kind::Heartbeat);
    let mut beats = bus.client.subscribe(subject).await?;
    lines_read(&mut beats).await?;
    let pid = stack.pid("agent")?.context("the agent has ended")?;
    eprintln!("tail: {} s idle, {} s calm, then a burst", CALM.as_secs(), CALM.as_secs());
    sleep(Duration::from_secs(10)).await;
    let idle = share(pid, sleep(CALM)).await?;
    let mut written = 0;
    let calm = share(pid, write_calmly(&mut file, &mut written)).await?;
    figures.add(Figure {
        name: "agent.cpu_percent_of_1000_lines_per_s",
        value: calm - idle,
        unit: "% of a core",
        limit: None,
        goal: Some((1.0, Better::Lower)),
    });
    let started = Instant::now();
    while written < BURST_LINES {
        write(&mut file, &mut written, 10_000)?;
    }
    let everything = async {
        while lines_read(&mut beats).await? < written {}
        anyhow::Ok(())
    };
    timeout(BURST_TIMEOUT, everything).await.context("the agent does not keep up")??;
    figures.add(Figure {
        name: "agent.tail_lines_per_s",
        value: BURST_LINES as f64 / started.elapsed().as_secs_f64(),
        unit: "lines/s",
        limit: None,
        goal: Some((100_000.0, Better::Higher)),
    });
    stack.shutdown().await;
    Ok(())
}

fn options(directory: &Path) -> StackOptions {
    StackOptions { agent: true, ..StackOptions::default() }
        .env("MUSTER_AGENT_HOST_ID", HOST)
        .env("MUSTER_AGENT_HEARTBEAT_INTERVAL", "1s")
        .env("MUSTER_AGENT_LOG_PATHS", format!("{}/*.log", directory.display()))
        // All that matters is stored: the bound is not what is measured.
        .env("MUSTER_AGENT_LOG_LINES_PER_MIN", "1000000")
        .env("MUSTER_AGENT_LOG_BYTES_PER_MIN", "1000000000")
}

async fn lines_read(beats: &mut Subscriber) -> Result<u64> {
    let Some(message) = beats.next().await else { bail!("the subscription has ended") };
    let content_type = headers::content_type(message.headers.as_ref())?;
    let heartbeat: Envelope<Heartbeat> = decode(content_type, &message.payload)?;
    Ok(heartbeat.body.log_lines_read.unsigned_abs())
}

/// CPU in percent of a core while something goes on.
async fn share<T>(pid: u32, during: impl Future<Output = T>) -> Result<f64> {
    let (before, started) = (cpu_seconds(pid)?, Instant::now());
    during.await;
    Ok((cpu_seconds(pid)? - before) / started.elapsed().as_secs_f64() * 100.0)
}

async fn write_calmly(file: &mut BufWriter<File>, written: &mut u64) -> Result<()> {
    const PER_SECOND: u64 = 10;
    let mut ticks = interval(Duration::from_secs(1) / PER_SECOND as u32);
    for _ in 0..CALM.as_secs() * PER_SECOND {
        ticks.tick().await;
        write(file, written, CALM_LINES_PER_S / PER_SECOND)?;
    }
    Ok(())
}

fn write(file: &mut BufWriter<File>, written: &mut u64, lines: u64) -> Result<()> {
    for number in *written..*written + lines {
        let (level, text) = if number.is_multiple_of(ONE_IN) {
            ("ERROR", "could not be delivered")
        } else {
            ("INFO", "was delivered in 12 ms")
        };
        writeln!(
            file,
            "2026-11-20 10:00:00,120 {level} [pool-3] c.e.Orders - order {number} {text}"
        )?;
    }
    *written += lines;
    file.flush()?;
    Ok(())
}
