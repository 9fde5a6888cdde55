//! Promise 1: any process may die at any moment, and every sample is accounted for.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use muster_runtime::now_ms;
use muster_schemas::HostId;
use muster_stack::{Service, StackJson, StackOptions};
use muster_tests::api::Api;
use muster_tests::bus::Bus;
use muster_tests::database::{Database, exactly_once};
use muster_tests::wait::eventually;

use crate::setup::start;

/// As fast as the agent goes, so that a test sees many samples and frames.
const FAST: [(&str, &str); 3] = [
    ("MUSTER_AGENT_SAMPLE_INTERVAL", "1s"),
    ("MUSTER_AGENT_PUBLISH_INTERVAL", "2s"),
    ("MUSTER_AGENT_HEARTBEAT_INTERVAL", "2s"),
];

/// `muster-stack` with a state directory of its own; `down` when the test ends, however it ends.
struct Supervised {
    directory: tempfile::TempDir,
}

impl Supervised {
    fn up() -> Self {
        let supervised = Self { directory: muster_stack::temporary_dir().unwrap() };
        let output = supervised
            .command(&["up", "--detach", "--port", "0"])
            .envs(FAST)
            .env("MUSTER_AGENT_HOST_ID", "killed-often")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "up failed: {said}");
        supervised
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let binary = Service::Agent.binary().unwrap().with_file_name("muster-stack");
        let mut command = Command::new(binary);
        command.args(arguments).arg("--state-dir").arg(self.directory.path());
        command
    }

    fn json(&self) -> StackJson {
        let path = self.directory.path().join("stack.json");
        StackJson::read(&path).unwrap().expect("a running stack has its stack.json")
    }

    fn pid(&self, part: &str) -> Option<u32> {
        let pids = self.json().pids;
        match part {
            "nats" => pids.nats,
            "postgres" => pids.postgres,
            "agent" => pids.agent.first().copied(),
            "ingest-worker" => pids.ingest_worker.first().copied(),
            "alert-worker" => pids.alert_worker.first().copied(),
            "gateway" => pids.gateway.first().copied(),
            other => panic!("no part {other}"),
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        let ended = self.command(&["down"]).status();
        if !std::thread::panicking() {
            assert!(ended.unwrap().success(), "down failed");
        }
    }
}

fn kill9(pid: u32) {
    let status = Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    assert!(status.success());
}

/// Signs in anew each time: the gateway may be the one that was killed.
async fn sign_in(stack: &StackJson) -> Result<Api, String> {
    let (url, admin) = (&stack.gateway_url, &stack.admin);
    Api::sign_in(url, &admin.username, &admin.password).await.map_err(|error| format!("{error:#}"))
}

#[tokio::test]
async fn each_part_killed_in_turn_costs_no_sample_and_doubles_none() {
    let stack = Supervised::up();
    let json = stack.json();
    let host: HostId = json.host_id.clone().unwrap().parse().unwrap();
    let api = sign_in(&json).await.unwrap();
    for part in ["agent", "nats", "postgres", "ingest-worker", "alert-worker", "gateway"] {
        let pid = stack.pid(part).unwrap();
        let killed_at = now_ms();
        kill9(pid);
        eventually(&format!("{part} runs again"), async || match stack.pid(part) {
            Some(new) if new != pid => Ok(()),
            other => Err(format!("its pid is {other:?}, it was {pid}")),
        })
        .await;
        eventually(&format!("samples flow again after {part} was killed"), async || {
            let read = api.read(&format!("/hosts/{host}")).await;
            let body = read.map_err(|error| format!("{error:#}"))?;
            let at = body["latest"]["at"].as_i64().unwrap_or(0);
            if at > killed_at { Ok(()) } else { Err(format!("newest sample at {at}")) }
        })
        .await;
    }
    let until = now_ms();
    let bus = Bus::connect(&json.nats_url).await.unwrap();
    let published = before(until, bus.published_sample_times(&host).await.unwrap());
    assert!(published.len() >= 6, "only {} samples", published.len());
    eventually("each published sample is stored once", async || {
        let database = Database::connect(&json.postgres_url).await.unwrap();
        let stored = database.sample_times(&host).await.unwrap();
        exactly_once(&published, &stored.into_iter().filter(|at| *at <= until).collect::<Vec<_>>())
    })
    .await;
    eventually("the gateway says 100 %", async || {
        let api = sign_in(&json).await?;
        let read = api.read(&format!("/hosts/{host}/completeness")).await;
        let body = read.map_err(|error| format!("{error:#}"))?;
        if body["percent"].as_f64() == Some(100.0) { Ok(()) } else { Err(body.to_string()) }
    })
    .await;
}

fn before(until: i64, times: BTreeSet<i64>) -> BTreeSet<i64> {
    times.into_iter().filter(|at| *at <= until).collect()
}

/// The number of the frame the agent is filling, from the file it keeps its samples in.
fn frame_in_the_making(agent_dir: &Path) -> Option<i64> {
    let entries = std::fs::read_dir(agent_dir.join("journal")).ok()?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names
        .filter_map(|name| {
            name.strip_prefix("frame-")?.strip_suffix(".samples")?.parse::<i64>().ok()
        })
        .max()
}

async fn wait_for_frames(agent_dir: &Path, more: i64) {
    let first = eventually("the agent takes samples", async || {
        frame_in_the_making(agent_dir).ok_or_else(|| "no sample file".to_owned())
    })
    .await;
    eventually(&format!("{more} frames are in the journal"), async || {
        match frame_in_the_making(agent_dir) {
            Some(now) if now >= first + more => Ok(()),
            now => Err(format!("frame {now:?}, it began at {first}")),
        }
    })
    .await;
}

#[tokio::test]
async fn samples_of_an_outage_of_the_bus_arrive_afterwards_although_the_agent_was_killed() {
    let mut options = StackOptions { ingest_workers: 1, agent: true, ..StackOptions::default() }
        .env("MUSTER_AGENT_HOST_ID", "patient");
    for (key, value) in FAST {
        options = options.env(key, value);
    }
    let mut running = start(options).await;
    let host: HostId = "patient".parse().unwrap();
    let agent_dir = running.stack.dir().join("agent");
    eventually("the first samples are stored", async || {
        let rows = running.database.sample_times(&host).await.unwrap().len();
        if rows >= 3 { Ok(()) } else { Err(format!("{rows} rows")) }
    })
    .await;

    running.stack.kill9("nats").await.unwrap();
    let outage_from = now_ms();
    wait_for_frames(&agent_dir, 3).await;
    running.stack.kill9("agent").await.unwrap();
    running.stack.restart("agent").await.unwrap();
    wait_for_frames(&agent_dir, 2).await;
    let outage_to = now_ms();
    running.stack.restart("nats").await.unwrap();

    eventually("the samples of the outage are stored, each once", async || {
        let bus = Bus::connect(&running.stack.nats_url()).await.unwrap();
        let published = bus.published_sample_times(&host).await.map_err(|e| format!("{e:#}"))?;
        let stored = running.database.sample_times(&host).await.unwrap();
        let of_the_outage =
            stored.iter().filter(|at| (outage_from..outage_to).contains(at)).count();
        // Three frames of two samples before the agent was killed, and two after.
        if of_the_outage < 8 {
            return Err(format!("{of_the_outage} samples of the outage"));
        }
        let newest = stored.last().copied().unwrap_or(0);
        exactly_once(&before(newest, published), &stored)
    })
    .await;
    let (received, dead) = running.database.ledger(&host, "telemetry").await.unwrap().unwrap();
    assert!(received.starts_with("{[1,") && !received.contains("),["), "a hole: {received}");
    assert_eq!(dead, "{}");
}
