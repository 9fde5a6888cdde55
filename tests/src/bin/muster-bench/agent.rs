//! What the agent costs its host with everything on, beside its peers in the same minutes.

use std::time::Duration;

use anyhow::{Context, Result};
use muster_stack::{Stack, StackOptions};
use tokio::time::{Instant, sleep};

use crate::figures::{Better, Figure, Figures};
use crate::peers::{self, Peer};
use crate::process::{cpu_seconds, rss_bytes};

/// Start-up is not what a host pays for: connections are made, first readings taken and caches
/// filled by then.
const WARM_UP: Duration = Duration::from_secs(30);

const LOOK_EVERY: Duration = Duration::from_secs(10);

/// One process under measurement.
struct Measured {
    pid: u32,
    cpu_before: f64,
    cpu_percent: f64,
    rss: Vec<f64>,
}

impl Measured {
    fn begin(pid: u32) -> Result<Self> {
        Ok(Self { pid, cpu_before: cpu_seconds(pid)?, cpu_percent: 0.0, rss: Vec::new() })
    }

    fn look(&mut self, elapsed: Duration) -> Result<()> {
        let used = cpu_seconds(self.pid)? - self.cpu_before;
        self.cpu_percent = used / elapsed.as_secs_f64() * 100.0;
        self.rss.push(rss_bytes(self.pid)?);
        Ok(())
    }

    fn rss_max(&self) -> f64 {
        self.rss.iter().copied().fold(0.0, f64::max)
    }

    /// The mean of the last third less that of the second: the first may still fill caches.
    fn rss_growth(&self) -> f64 {
        let third = self.rss.len() / 3;
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len().max(1) as f64;
        mean(&self.rss[2 * third..]) - mean(&self.rss[third..2 * third])
    }
}

pub async fn measure(figures: &mut Figures, minutes: u64) -> Result<()> {
    let options = StackOptions { ingest_workers: 1, agent: true, ..StackOptions::default() };
    let mut stack = Stack::start(options).await?;
    let pid = stack.pid("agent")?.context("the agent has ended")?;
    let peers: Vec<Peer> =
        [peers::node_exporter()?, peers::collectd()?].into_iter().flatten().collect();
    let names: Vec<&str> = peers.iter().map(|peer| peer.name).collect();
    eprintln!("agent: {minutes} minutes beside {}", names.join(" and "));
    sleep(WARM_UP).await;
    let mut all = vec![Measured::begin(pid)?];
    for peer in &peers {
        all.push(Measured::begin(peer.pid()?)?);
    }
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(60 * minutes) {
        sleep(LOOK_EVERY).await;
        for measured in &mut all {
            measured.look(started.elapsed())?;
        }
    }
    report(figures, &all, &names);
    for peer in peers {
        peer.stop().await;
    }
    stack.shutdown().await;
    Ok(())
}

fn report(figures: &mut Figures, all: &[Measured], names: &[&str]) {
    let (agent, peers) = all.split_first().expect("the agent comes first");
    let mut add = |name, value, unit, limit, goal| {
        figures.add(Figure { name, value, unit, limit, goal: Some((goal, Better::Lower)) });
    };
    add("agent.cpu_percent", agent.cpu_percent, "% of a core", None, 0.15);
    add("agent.rss_bytes", agent.rss_max(), "bytes", None, 12e6);
    add("agent.rss_growth_bytes", agent.rss_growth(), "bytes", None, 256e3);
    for (peer, name) in peers.iter().zip(names) {
        let cpu = agent.cpu_percent / peer.cpu_percent.max(f64::MIN_POSITIVE);
        let rss = agent.rss_max() / peer.rss_max().max(1.0);
        eprintln!(
            "{name}: {:.4} % of a core, {:.0} bytes resident",
            peer.cpu_percent,
            peer.rss_max()
        );
        match *name {
            "node_exporter" => {
                add("agent.cpu_ratio_to_node_exporter", cpu, "ratio", None, 1.0);
                add("agent.rss_ratio_to_node_exporter", rss, "ratio", None, 1.0);
            }
            _ => add("agent.cpu_ratio_to_collectd", cpu, "ratio", None, 1.2),
        }
    }
}
