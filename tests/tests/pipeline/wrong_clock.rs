//! A host whose clock is wrong: it is told, nothing is lost or doubled, and nothing lands in the
//! future without a word. The agent is a real one whose clock `libfaketime` shifts; its clock since
//! boot is left alone, as it would be on such a host.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use muster_nats::{Stream, subjects};
use muster_runtime::now_ms;
use muster_schemas::codec::decode;
use muster_schemas::logs::LogFrame;
use muster_schemas::{ContentType, Envelope, HostId, Kind};
use muster_stack::StackOptions;
use muster_tests::api::Api;
use muster_tests::database::exactly_once;
use muster_tests::wait::{eventually, expect};
use serde_json::Value;
use tempfile::TempDir;

use crate::setup::{Running, sign_in, start};

const HOST: &str = "wrong-clock";
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// Enough frames of a second each to tell a rule from a chance.
const FRAMES: usize = 4;
const LINES: usize = 20;

fn host() -> HostId {
    HOST.parse().unwrap()
}

/// Debian's package `faketime` has it.
fn faketime() -> Option<PathBuf> {
    let of_architecture = |entry: fs::DirEntry| {
        let library = entry.path().join("faketime/libfaketimeMT.so.1");
        library.exists().then_some(library)
    };
    fs::read_dir("/usr/lib").ok()?.flatten().find_map(of_architecture)
}

/// Past the capture of the test's output: somebody has to see that it did not run.
fn skipped() {
    let word = "skipped: agents with a wrong clock, because faketime is not installed\n";
    let _ = std::io::stderr().write_all(word.as_bytes());
}

/// An agent that looks and sends each second, and follows `logs`.
fn agent(logs: &Path) -> StackOptions {
    StackOptions::default()
        .env("MUSTER_AGENT_HOST_ID", HOST)
        .env("MUSTER_AGENT_SAMPLE_INTERVAL", "1s")
        .env("MUSTER_AGENT_PUBLISH_INTERVAL", "1s")
        .env("MUSTER_AGENT_HEARTBEAT_INTERVAL", "1s")
        .env("MUSTER_AGENT_COLLECTORS", "journald=false")
        .env("MUSTER_AGENT_LOG_PATHS", format!("{}/*.log", logs.display()))
}

fn shifted(options: StackOptions, library: &Path, shift: &str) -> StackOptions {
    options
        .env("LD_PRELOAD", library.display().to_string())
        .env("FAKETIME", shift)
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("DONT_FAKE_MONOTONIC", "1")
}

struct Case {
    running: Running,
    api: Api,
    logs: TempDir,
}

impl Case {
    /// Everything but the agent has the right time.
    async fn start() -> Self {
        let (ingest_workers, alert_workers, gateway) = (1, 1, true);
        let options =
            StackOptions { ingest_workers, alert_workers, gateway, ..StackOptions::default() };
        let running = start(options).await;
        let api = sign_in(&running).await;
        Self { running, api, logs: TempDir::new().unwrap() }
    }

    /// Lines without a time of their own: theirs is that of reading.
    fn write_lines(&self, what: &str) {
        let lines: Vec<String> =
            (0..LINES).map(|n| format!("error: {what} {n} failed\n")).collect();
        fs::write(self.logs.path().join(format!("{what}.log")), lines.concat()).unwrap();
    }

    /// Until log, heartbeat and the agent's own word all tell of the clock, and the host is online
    /// all the same.
    async fn is_told(&self, complaint: &str, offset_ms: i64) {
        eventually("the agent's log tells of the clock", async || {
            let log = fs::read_to_string(self.running.stack.dir().join("logs/agent.log"));
            let log = log.unwrap_or_default();
            if log.contains(complaint) { Ok(()) } else { Err(log) }
        })
        .await;
        let near =
            |offset: &Value| offset.as_i64().is_some_and(|ms| (ms - offset_ms).abs() < MINUTE_MS);
        eventually("the centre shows the offset", async || {
            let path = format!("/hosts/{HOST}/agent");
            let agent = self.api.read(&path).await.map_err(|error| format!("{error:#}"))?;
            let told = ["heartbeat", "health"].map(|of| &agent[of]["clock_offset_ms"]);
            if told.into_iter().all(near) { Ok(()) } else { Err(agent.to_string()) }
        })
        .await;
        eventually("the host is online", async || {
            let (_, host) = self.api.get(&format!("/hosts/{HOST}")).await.unwrap();
            expect(host["status"].as_str().unwrap_or_default().to_owned(), "online".to_owned())
        })
        .await;
    }

    /// The numbers of a kind's messages that the bus has taken.
    async fn published(&self, stream: Stream, kind: Kind) -> BTreeSet<i64> {
        let subject = subjects::durable(&host(), kind);
        let messages = self.running.bus.read_all(stream).await.unwrap();
        let of_kind = messages.iter().filter(|message| message.subject == subject);
        let seq = |id: &str| id.split('/').nth(3).unwrap().parse::<i64>().unwrap();
        of_kind.map(|message| seq(message.headers.get("Nats-Msg-Id").unwrap().as_str())).collect()
    }

    /// Until the ledger says of all messages what is wanted: `(received, dead)` of so many.
    async fn accounted(&self, stream: Stream, kind: Kind, of: fn(usize) -> (String, String)) {
        eventually("all messages are accounted for", async || {
            let seqs = self.published(stream, kind).await;
            let whole: BTreeSet<i64> = (1..=seqs.len() as i64).collect();
            expect(&seqs, &whole)?;
            let channel = if kind == Kind::Telemetry { "telemetry" } else { "logs" };
            let ledger = self.running.database.ledger(&host(), channel).await.unwrap();
            expect(ledger, Some(of(seqs.len())))
        })
        .await;
    }

    async fn count(&self, what: &str) -> i64 {
        self.running.database.count(what).await.unwrap()
    }

    /// The last of a file waits a moment for what may belong to it, and is another message's.
    async fn lines_published(&self) -> usize {
        let messages = self.running.bus.read_all(Stream::Logs).await.unwrap();
        let lines = messages.iter().map(|message| {
            let frame: Envelope<LogFrame> = decode(ContentType::Msgpack, &message.payload).unwrap();
            frame.body.lines.len()
        });
        lines.sum()
    }

    async fn nothing_is_in_the_future(&self) {
        for (table, time) in [
            ("host_samples", "ts"),
            ("host_samples_1m", "ts"),
            ("log_lines", "ts"),
            ("events", "at"),
            ("host_inventory_history", "at"),
        ] {
            let ahead = format!("{table} WHERE {time} > now() + interval '5 minutes'");
            assert_eq!(self.count(&ahead).await, 0, "{ahead}");
        }
    }

    async fn some_frames(&self) {
        eventually("some frames and all lines were sent", async || {
            let frames = self.published(Stream::Telemetry, Kind::Telemetry).await.len();
            expect((frames >= FRAMES, self.lines_published().await), (true, LINES))
        })
        .await;
    }
}

fn all_stored(count: usize) -> (String, String) {
    (format!("{{[1,{})}}", count + 1), "{}".to_owned())
}

fn all_dead(count: usize) -> (String, String) {
    ("{}".to_owned(), format!("{{[1,{})}}", count + 1))
}

#[tokio::test]
async fn an_agent_an_hour_ahead_is_told_and_its_data_are_set_aside_until_the_clock_is_right() {
    let Some(library) = faketime() else { return skipped() };
    let mut case = Case::start().await;
    let right = agent(case.logs.path());
    case.running.stack.add("agent", &shifted(right.clone(), &library, "+1h")).unwrap();
    case.is_told("ahead of the centre's: what is dated more than 5 min ahead", HOUR_MS).await;
    case.write_lines("ahead");
    case.some_frames().await;
    case.running.stack.stop("agent").await.unwrap();

    case.accounted(Stream::Telemetry, Kind::Telemetry, all_dead).await;
    case.accounted(Stream::Logs, Kind::Logs, all_dead).await;
    let dead = case.published(Stream::Telemetry, Kind::Telemetry).await.len();
    assert_eq!((case.count("host_samples").await, case.count("log_lines").await), (0, 0));
    case.nothing_is_in_the_future().await;
    let path = format!("/dead-letters?stream=telemetry&host={HOST}&limit=200");
    let letters = case.api.read(&path).await.unwrap();
    let letters = letters["items"].as_array().unwrap();
    assert_eq!(letters.len(), dead);
    for letter in letters {
        let reason = letter["reason"].as_str().unwrap();
        assert!(reason.contains("samples[0].at"), "{reason}");
    }

    // From the moment the clock is right, all is stored, under numbers of its own.
    case.write_lines("right");
    let before = now_ms();
    case.running.stack.add("agent", &right).unwrap();
    eventually("samples and lines of the right time are stored", async || {
        let of_agent = format!("host_samples WHERE host_id = '{HOST}'");
        let samples = case.count(&of_agent).await >= FRAMES as i64;
        expect((samples, case.count("log_lines").await), (true, LINES as i64))
    })
    .await;
    let times = case.running.database.sample_times(&host()).await.unwrap();
    let distinct: BTreeSet<i64> = times.iter().copied().collect();
    assert_eq!(distinct.len(), times.len());
    assert!(times.iter().all(|at| (before - MINUTE_MS..=now_ms() + MINUTE_MS).contains(at)));
    case.nothing_is_in_the_future().await;
    case.running.stack.shutdown().await;
}

#[tokio::test]
async fn an_agent_a_day_behind_is_told_and_all_it_sends_is_stored_once_at_its_own_time() {
    let Some(library) = faketime() else { return skipped() };
    let mut case = Case::start().await;
    let options = shifted(agent(case.logs.path()), &library, "-1d");
    case.running.stack.add("agent", &options).unwrap();
    case.is_told("behind the centre's", -24 * HOUR_MS).await;
    case.write_lines("behind");
    case.some_frames().await;
    case.running.stack.stop("agent").await.unwrap();

    case.accounted(Stream::Telemetry, Kind::Telemetry, all_stored).await;
    case.accounted(Stream::Logs, Kind::Logs, all_stored).await;
    let stored = case.running.database.sample_times(&host()).await.unwrap();
    let published = case.running.bus.published_sample_times(&host()).await.unwrap();
    exactly_once(&published, &stored).unwrap();
    let a_day_ago = now_ms() - 24 * HOUR_MS;
    assert!(stored.iter().all(|at| (a_day_ago - HOUR_MS..=a_day_ago + MINUTE_MS).contains(at)));
    let lines = "(SELECT DISTINCT message FROM log_lines) AS lines";
    let (all, distinct) = (case.count("log_lines").await, case.count(lines).await);
    assert_eq!((all, distinct), (LINES as i64, LINES as i64));
    case.nothing_is_in_the_future().await;
    case.running.stack.shutdown().await;
}
