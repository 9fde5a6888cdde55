//! The peers an agent is measured beside, where they are installed: started here at the same
//! interval, on loopback, and ended by their pid.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use muster_stack::ports::free_port;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// What the agent samples at by default.
pub const INTERVAL: Duration = Duration::from_secs(5);

pub struct Peer {
    pub name: &'static str,
    child: Child,
    scraper: Option<JoinHandle<()>>,
    _directory: TempDir,
}

impl Peer {
    pub fn pid(&self) -> Result<u32> {
        self.child.id().with_context(|| format!("{} has ended", self.name))
    }

    pub async fn stop(mut self) {
        if let Some(scraper) = self.scraper.take() {
            scraper.abort();
        }
        // It may have ended by itself.
        let _ = self.child.kill().await;
    }
}

fn find(names: &[&str]) -> Option<String> {
    let directories = ["/usr/bin", "/usr/sbin", "/usr/local/bin"];
    let candidates =
        directories.iter().flat_map(|dir| names.iter().map(move |n| format!("{dir}/{n}")));
    let mut found = candidates.filter(|path| Path::new(path).is_file());
    found.next()
}

fn start(name: &'static str, command: &mut Command, directory: TempDir) -> Result<Peer> {
    let child = command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    Ok(Peer { name, child, scraper: None, _directory: directory })
}

/// With its default collectors, scraped as Prometheus would.
pub fn node_exporter() -> Result<Option<Peer>> {
    let Some(program) = find(&["prometheus-node-exporter", "node_exporter"]) else {
        eprintln!("not beside node_exporter: apt-get install prometheus-node-exporter");
        return Ok(None);
    };
    let address = format!("127.0.0.1:{}", free_port()?);
    let listen = format!("--web.listen-address={address}");
    let mut peer = start("node_exporter", Command::new(program).arg(listen), TempDir::new()?)?;
    peer.scraper = Some(tokio::spawn(async move {
        let client = reqwest::Client::new();
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            if let Ok(answer) = client.get(format!("http://{address}/metrics")).send().await {
                // What it says is not of interest here; that it says it is what costs.
                let _ = answer.bytes().await;
            }
        }
    }));
    Ok(Some(peer))
}

/// With the plugins that come nearest to what every host's agent collects.
pub fn collectd() -> Result<Option<Peer>> {
    let Some(program) = find(&["collectd"]) else {
        eprintln!("not beside collectd: apt-get install collectd-core");
        return Ok(None);
    };
    let directory = TempDir::new()?;
    let data = directory.path().display();
    let plugins = [
        "cpu",
        "memory",
        "swap",
        "load",
        "disk",
        "df",
        "interface",
        "processes",
        "tcpconns",
        "uptime",
        "csv",
    ];
    let plugins: String = plugins.map(|plugin| format!("LoadPlugin {plugin}\n")).concat();
    let text = format!(
        "BaseDir \"{data}\"\nPIDFile \"{data}/pid\"\nInterval 5\n{plugins}\
         <Plugin csv>\n  DataDir \"{data}/csv\"\n</Plugin>\n"
    );
    let path = directory.path().join("collectd.conf");
    fs::write(&path, text)?;
    let mut command = Command::new(program);
    command.arg("-f").arg("-C").arg(path);
    Ok(Some(start("collectd", &mut command, directory)?))
}
