//! The command as people use it, with the real servers and small scripts in place of the
//! services: it starts, repairs and stops everything, and leaves no process behind.

#![allow(clippy::unwrap_used, reason = "this file is tests and their helpers")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use muster_stack::run_state::{Identity, Part, RunState};
use muster_stack::{StackJson, connect_postgres, proc_fs, temporary_dir, wait};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(60);
const NOBODY: [u32; 0] = [];

const WORKER: &str = "#!/bin/sh\n[ \"$1\" = migrate ] && exit 0\nexec sleep 100000\n";
const AGENT: &str = "#!/bin/sh\n[ \"$1\" = host-id ] && exec echo test-host\nexec sleep 100000\n";
/// Ready at once, lets everybody in, and has always just heard from the host.
const GATEWAY: &str = r#"#!/bin/sh
exec python3 -c '
import http.server, json, os, time
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.send_response(200)
        self.end_headers()
        at = int(time.time() * 1000)
        self.wfile.write(json.dumps({"access_token": "x", "latest": {"at": at}}).encode())
    do_GET = do_POST = answer
address, port = os.environ["MUSTER_GATEWAY_LISTEN"].split(":")
http.server.HTTPServer((address, int(port)), Handler).serve_forever()
'
"#;

/// A state directory and services of its own; stopped when dropped.
struct Fixture {
    dir: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let fixture = Self { dir: temporary_dir().unwrap() };
        fs::create_dir(fixture.bin_dir()).unwrap();
        fixture.service("ingest-worker", WORKER);
        fixture.service("alert-worker", WORKER);
        fixture.service("agent", AGENT);
        fixture.service("gateway", GATEWAY);
        fixture
    }

    fn service(&self, name: &str, script: &str) {
        let path = self.bin_dir().join(format!("muster-{name}"));
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }

    fn bin_dir(&self) -> PathBuf {
        self.dir.path().join("bin")
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster-stack"));
        command.args(args).arg("--state-dir").arg(self.state());
        command.env("MUSTER_BIN_DIR", self.bin_dir()).stdin(Stdio::null());
        command
    }

    /// Runs it to its end: the exit code and everything printed.
    fn run(&self, args: &[&str]) -> (i32, String) {
        let Output { status, stdout, stderr } = self.command(args).output().unwrap();
        let text = [stdout, stderr].concat();
        (status.code().unwrap(), String::from_utf8(text).unwrap())
    }

    #[track_caller]
    fn up(&self) -> StackJson {
        let (code, text) = self.run(&["up", "--detach", "--port", "0"]);
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("Muster is running"), "{text}");
        self.stack().unwrap()
    }

    fn stack(&self) -> Option<StackJson> {
        StackJson::read(&self.state().join("stack.json")).unwrap()
    }

    fn supervisor(&self) -> u32 {
        fs::read_to_string(self.state().join("stack.lock")).unwrap().parse().unwrap()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.run(&["down"]);
    }
}

fn pids(stack: &StackJson) -> Vec<u32> {
    let pids = &stack.pids;
    let lists = [&pids.ingest_worker, &pids.alert_worker, &pids.gateway, &pids.agent];
    let services = lists.into_iter().flatten().copied();
    services.chain([pids.nats.unwrap(), pids.postgres.unwrap()]).collect()
}

fn running(pids: &[u32]) -> Vec<u32> {
    pids.iter().copied().filter(|pid| proc_fs::start_ticks(*pid).is_some()).collect()
}

fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.cast_signed()), signal).unwrap();
}

async fn wait_until_gone(pids: &[u32]) {
    let gone = async || running(pids).is_empty().then_some(());
    wait::until(format!("the end of {pids:?}"), LIMIT, gone).await.unwrap();
}

#[tokio::test]
async fn up_starts_everything_and_down_leaves_nothing_but_the_data() {
    let fixture = Fixture::new();
    let first = fixture.up();
    assert_eq!(first.host_id.as_deref(), Some("test-host"));
    assert_eq!(running(&pids(&first)).len(), 6);
    let (code, text) = fixture.run(&["status"]);
    assert_eq!((code, text.matches(" running ").count()), (0, 6), "{text}");
    let (code, text) = fixture.run(&["up"]);
    assert!(code == 0 && text.contains("already running") && text.contains(&first.gateway_url));
    let client = connect_postgres(&first.postgres_url).await.unwrap();
    client.batch_execute("CREATE TABLE kept AS SELECT 1").await.unwrap();

    let (code, text) = fixture.run(&["down"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(running(&pids(&first)), NOBODY);
    assert!(fixture.stack().is_none());
    assert_eq!(fixture.run(&["status"]).0, 3);
    let (code, text) = fixture.run(&["down"]);
    assert!(code == 0 && text.contains("not running"), "{text}");

    let second = fixture.up();
    assert_eq!(second.admin, first.admin);
    let client = connect_postgres(&second.postgres_url).await.unwrap();
    client.query_one("SELECT * FROM kept", &[]).await.unwrap();
}

#[tokio::test]
async fn a_killed_part_comes_back_and_stack_json_has_its_new_pid() {
    let fixture = Fixture::new();
    let before = fixture.up();
    let old = [before.pids.gateway[0], before.pids.nats.unwrap(), before.pids.postgres.unwrap()];
    for pid in old {
        signal(pid, Signal::SIGKILL);
    }
    let repaired = async || {
        let stack = fixture.stack()?;
        let new = [*stack.pids.gateway.first()?, stack.pids.nats?, stack.pids.postgres?];
        new.iter().all(|pid| !old.contains(pid)).then_some(stack)
    };
    let after = wait::until("new pids of all three", LIMIT, repaired).await.unwrap();
    assert_eq!(after.pids.agent, before.pids.agent);
    assert_eq!((after.nats_url, &after.postgres_url), (before.nats_url, &before.postgres_url));
    let answers = async || connect_postgres(&before.postgres_url).await.ok();
    wait::until("the database to recover", LIMIT, answers).await.unwrap();
}

#[tokio::test]
async fn nothing_survives_a_supervisor_that_is_killed() {
    let fixture = Fixture::new();
    let stack = fixture.up();
    signal(fixture.supervisor(), Signal::SIGKILL);
    wait_until_gone(&pids(&stack)).await;
    assert_eq!(fixture.run(&["status"]).0, 3);
    let again = fixture.up();
    assert_eq!(again.admin, stack.admin);
}

#[tokio::test]
async fn an_interrupt_ends_a_stack_in_the_foreground() {
    let fixture = Fixture::new();
    let mut up = fixture.command(&["up", "--port", "0"]).stdout(Stdio::null()).spawn().unwrap();
    let with_agent = async || fixture.stack().filter(|stack| !stack.pids.agent.is_empty());
    let stack = wait::until("stack.json with an agent", LIMIT, with_agent).await.unwrap();
    signal(up.id(), Signal::SIGINT);
    let ended = async || up.try_wait().unwrap();
    wait::until("the command to end", LIMIT, ended).await.unwrap();
    assert_eq!(running(&pids(&stack)), NOBODY);
    assert!(fixture.stack().is_none());
}

#[tokio::test]
async fn a_part_that_ignores_the_wish_to_stop_is_killed_after_its_grace() {
    let fixture = Fixture::new();
    fixture.service("agent", &AGENT.replace("exec sleep", "trap '' TERM\nexec sleep"));
    let stack = fixture.up();
    let (code, text) = fixture.run(&["down"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(running(&pids(&stack)), NOBODY);
}

/// A process that a supervisor might have left, and how `run.json` would name it.
fn leftover() -> (std::process::Child, Part) {
    let process = Command::new("sleep").arg("100000").spawn().unwrap();
    let part = Part {
        name: "gateway".into(),
        address: None,
        stop_signal: Signal::SIGTERM as i32,
        process: Identity::of(process.id()),
        started_at_ms: 0,
        restarts: 0,
        gave_up: None,
    };
    (process, part)
}

#[test]
fn down_stops_what_a_lost_supervisor_left_but_no_strangers() {
    let fixture = Fixture::new();
    let ((mut ours, part), (mut stranger, mut reused)) = (leftover(), leftover());
    // The pid was ours once; now somebody who started later has it.
    reused.process = reused.process.map(|p| Identity { start_ticks: p.start_ticks - 1, ..p });
    let run = RunState { parts: vec![part, reused], ..RunState::new() };
    fs::create_dir(fixture.state()).unwrap();
    let write = |run: &RunState| {
        let text = serde_json::to_vec(run).unwrap();
        fs::write(fixture.state().join("run.json"), text).unwrap();
    };
    write(&RunState { boot_id: "before the reboot".into(), ..run.clone() });
    assert!(fixture.run(&["down"]).1.contains("not running"));
    assert_eq!(running(&[ours.id()]), [ours.id()]);
    write(&run);
    let (code, text) = fixture.run(&["down"]);
    assert!(code == 0 && text.contains("1 parts"), "{text}");
    assert_eq!(running(&[ours.id(), stranger.id()]), [stranger.id()]);
    stranger.kill().unwrap();
    ours.wait().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn a_part_with_a_bad_configuration_fails_the_start_in_its_own_words() {
    let fixture = Fixture::new();
    fixture.service("gateway", "#!/bin/sh\necho 'listen: no such address' >&2\nexit 64\n");
    let (code, text) = fixture.run(&["up", "--detach"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("listen: no such address"), "{text}");
    let free = async || (fixture.run(&["status"]).0 == 3).then_some(());
    wait::until("the end of what had started", LIMIT, free).await.unwrap();
    fixture.run(&["down"]);
    assert_eq!(proc_fs::pids_standing_in(&fixture.state().join("postgres/data")), NOBODY);
}

#[tokio::test]
async fn a_taken_port_is_an_error_only_if_it_was_asked_for() {
    let fixture = Fixture::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, text) = fixture.run(&["up", "--detach", "--port", &port]);
    assert_eq!(code, 1);
    assert!(text.contains(&format!("port {port} on 127.0.0.1 is taken")), "{text}");
}

#[tokio::test]
async fn watch_prints_what_passes_over_the_bus() {
    let fixture = Fixture::new();
    let stack = fixture.up();
    let mut watch = fixture.command(&["watch", "telemetry.>", "--count", "1"]);
    let watch = watch.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let client = async_nats::connect(&stack.nats_url).await.unwrap();
    let pid = watch.id();
    let told = async || {
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Content-Type", "application/json");
        let body = r#"{"host": "web-3"}"#;
        client.publish_with_headers("telemetry.web-3", headers, body.into()).await.unwrap();
        client.flush().await.unwrap();
        running(&[pid]).is_empty().then_some(())
    };
    wait::until("watch to have seen one", LIMIT, told).await.unwrap();
    let line = String::from_utf8(watch.wait_with_output().unwrap().stdout).unwrap();
    assert!(line.ends_with("telemetry.web-3 {\"host\":\"web-3\"}\n"), "{line}");
    assert_eq!(line.lines().count(), 1);
}
