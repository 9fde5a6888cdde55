//! Hosts publish while workers, bus, database and agents are killed, paused and stopped by a plan
//! made from a seed; afterwards everything published must be stored, exactly once and unaltered.
//!
//! The truth is what the publishers remember: simulated hosts in this process, which nobody kills,
//! and the journals of real agents, which are killed with the rest. Run by a pipeline test for a
//! minute, and by `./muster bench chaos` for as long as one likes.

mod host;
mod plan;
mod published;
mod state;
mod strike;
mod verify;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use async_nats::jetstream;
use muster_agent::recorder::Recorder;
use muster_agent::simulate::simulated_host_id;
use muster_nats::publish::ACK_TIMEOUT;
use muster_runtime::now_ms;
use muster_runtime::time::duration_ms;
use muster_schemas::HostId;
use muster_stack::{Stack, StackOptions};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::bus::Bus;
use crate::database::Database;
use crate::wait::within;
use host::Host;
use published::Published;
use strike::{Tally, revive, strike_all};
use verify::{Claim, read_journal, verify};

/// How long the bus may take to acknowledge what the hosts still hold at the end.
const DRAIN_MAX: Duration = Duration::from_secs(60);

/// A line of the file that the real agents follow.
const LINE_EVERY: Duration = Duration::from_millis(150);

const SERVICES: [&str; 5] =
    ["ingest-worker-1", "ingest-worker-2", "alert-worker-1", "agent-1", "agent-2"];

const INGEST_WORKERS: [&str; 2] = ["ingest-worker-1", "ingest-worker-2"];

const PARTS: [&str; 7] = [
    "ingest-worker-1",
    "ingest-worker-2",
    "alert-worker-1",
    "agent-1",
    "agent-2",
    "nats",
    "postgres",
];

const AGENTS: [(&str, &str); 2] = [("agent-1", "chaos-real-1"), ("agent-2", "chaos-real-2")];

#[derive(Debug, Clone, Copy)]
pub struct Chaos {
    pub seed: u64,
    /// How long there are blows; what follows is peace, and the reckoning.
    pub duration: Duration,
    /// Simulated ones.
    pub hosts: usize,
}

#[derive(Debug)]
pub struct Verdict {
    pub blows: usize,
    pub ended_by_themselves: usize,
    pub hosts: usize,
    pub messages: i64,
    pub rows: usize,
    /// From the last blow until all was accounted for.
    pub settled_in: Duration,
}

/// `Ok` if all was stored exactly as it was published.
pub async fn run(chaos: Chaos) -> Result<Verdict> {
    let mut stack = start().await?;
    let bus = Bus::connect(&stack.nats_url()).await?;
    bus.prepare().await?;
    let mut context = jetstream::new(bus.client.clone());
    context.set_timeout(ACK_TIMEOUT);
    let (speaking, sending) = (CancellationToken::new(), CancellationToken::new());
    let (mut speakers, mut senders) = (JoinSet::new(), JoinSet::new());
    let mut recorders = Vec::new();
    for number in 1..=chaos.hosts {
        let id = simulated_host_id(number);
        let directory = stack.dir().join("simulated").join(id.as_str());
        let host = Host::open(id, &directory, chaos.seed.wrapping_add(number as u64))?;
        let recorder = host.recorder.clone();
        host::serve(&mut senders, &recorder, &context, &sending);
        recorders.push(recorder.clone());
        let stop = speaking.clone();
        speakers.spawn(async move { (recorder, host.speak(stop).await) });
    }
    let lines = tokio::spawn(write_lines(stack.dir().join("chaos.log"), speaking.clone()));

    let steps = plan::plan(chaos.seed, &PARTS, duration_ms(chaos.duration) as u64);
    let tally = strike_all(&mut stack, &steps, &SERVICES).await?;
    let peace = Instant::now();
    speaking.cancel();
    lines.await??;
    let mut claims = Vec::new();
    while let Some(spoken) = speakers.join_next().await {
        let (recorder, published) = spoken?;
        claims.push(claim(&recorder, published?));
    }
    for (part, id) in AGENTS {
        stack.stop(part).await?;
        let directory = stack.dir().join(part).join("journal");
        let recorder = open_journal(id.parse()?, &directory)?;
        host::serve(&mut senders, &recorder, &context, &sending);
        recorders.push(recorder);
    }
    drained(&recorders).await?;
    for recorder in &recorders[chaos.hosts..] {
        claims.push(claim(recorder, read_journal(recorder)?));
    }
    let verdict = reckon(&mut stack, &bus, &claims, tally, peace).await;
    sending.cancel();
    while senders.join_next().await.is_some() {}
    stack.shutdown().await;
    verdict
}

async fn start() -> Result<Stack> {
    let settings = [
        // Small batches: more transactions to be struck in the middle.
        ("MUSTER_INGEST_WORKER_BATCH_MESSAGES", "40"),
        // Shorter than most pauses: the other worker is given what a paused one still holds.
        ("MUSTER_INGEST_WORKER_ACK_WAIT", "2s"),
        ("MUSTER_AGENT_SAMPLE_INTERVAL", "1s"),
        ("MUSTER_AGENT_PUBLISH_INTERVAL", "2s"),
        ("MUSTER_AGENT_HEARTBEAT_INTERVAL", "2s"),
        // The journal is the record of what was published.
        ("MUSTER_AGENT_RETAIN_AFTER_ACK", "24h"),
    ];
    let mut options =
        StackOptions { ingest_workers: 2, alert_workers: 1, ..StackOptions::default() };
    for (key, value) in settings {
        options = options.env(key, value);
    }
    let mut stack = Stack::start(options.clone()).await?;
    let log = stack.dir().join("chaos.log");
    for (part, id) in AGENTS {
        let options = options.clone().env("MUSTER_AGENT_HOST_ID", id);
        let options = options.env("MUSTER_AGENT_LOG_PATHS", log.to_string_lossy());
        stack.add(part, &options)?;
    }
    Ok(stack)
}

/// What the real agents have to tell besides their values.
async fn write_lines(path: std::path::PathBuf, stop: CancellationToken) -> Result<()> {
    let mut file = std::fs::File::options().create(true).append(true).open(&path)?;
    let mut number = 0;
    while !stop.is_cancelled() {
        number += 1;
        writeln!(file, "ERROR chaos: line {number} of the log went wrong")?;
        sleep(LINE_EVERY).await;
    }
    Ok(())
}

fn claim(recorder: &Recorder, published: Published) -> Claim {
    Claim { host: recorder.host().clone(), epoch: recorder.epoch(), published }
}

fn open_journal(id: HostId, directory: &Path) -> Result<Arc<Recorder>> {
    let recorder = Recorder::open(id, directory, host::journal_options(), now_ms());
    recorder.map(Arc::new).context("the journal of an agent cannot be read")
}

/// Returns once the bus has acknowledged all that the hosts have to say.
async fn drained(recorders: &[Arc<Recorder>]) -> Result<()> {
    within(DRAIN_MAX, "the bus has taken all there is", async || {
        match recorders.iter().map(|recorder| recorder.waiting()).sum::<i64>() {
            0 => Ok(()),
            waiting => Err(format!("{waiting} messages wait")),
        }
    })
    .await
}

async fn reckon(
    stack: &mut Stack,
    bus: &Bus,
    claims: &[Claim],
    tally: Tally,
    peace: Instant,
) -> Result<Verdict> {
    let agents = AGENTS.map(|(part, _)| part);
    let ended = revive(stack, &SERVICES, &BTreeSet::from(agents))?;
    let database = Database::connect(&stack.postgres_url()).await?;
    verify(&database, bus, claims).await?;
    // Nobody else may make the same buckets at the same time.
    for worker in INGEST_WORKERS {
        stack.stop(worker).await?;
    }
    state::rollups(&database).await?;
    Ok(Verdict {
        blows: tally.blows,
        ended_by_themselves: tally.ended_by_themselves + ended,
        hosts: claims.len(),
        messages: claims.iter().map(|claim| claim.published.messages()).sum(),
        rows: claims.iter().map(|claim| claim.published.rows_in_all()).sum(),
        settled_in: peace.elapsed(),
    })
}
