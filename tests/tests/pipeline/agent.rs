//! The agent as the centre sees it: requests, configuration, suspicions, logs, and what it does
//! after it was killed or put back to an earlier state.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use muster_nats::{Stream, headers, subjects};
use muster_schemas::codec::decode;
use muster_schemas::conditions::{Candidate, CandidateState, Condition, Op};
use muster_schemas::configuration::{AppliedConfiguration, CentralConfiguration, Settings};
use muster_schemas::control::{
    ConfigRequest, Health, LiveRequest, LiveTopic, LossCause, ProcessList, Reply, ResendAnswer,
    ResendRequest, Status,
};
use muster_schemas::inventory::{Inventory, InventoryItem};
use muster_schemas::{Channel, Envelope, HostId, Kind};
use muster_stack::StackOptions;
use muster_tests::bus::StoredMessage;
use muster_tests::wait::{eventually, expect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use tokio::time::{Duration, timeout};

use crate::setup::{Running, start};

const HOST: &str = "steered";

fn host() -> HostId {
    HOST.parse().unwrap()
}

/// Silence this long is a line that did not come: live lines come every second.
const SILENCE: Duration = Duration::from_secs(3);

/// An agent that looks each second and follows `logs`.
fn options(logs: &Path) -> StackOptions {
    StackOptions { agent: true, ..StackOptions::default() }
        .env("MUSTER_AGENT_HOST_ID", HOST)
        .env("MUSTER_AGENT_SAMPLE_INTERVAL", "1s")
        .env("MUSTER_AGENT_PUBLISH_INTERVAL", "2s")
        .env("MUSTER_AGENT_HEARTBEAT_INTERVAL", "2s")
        .env("MUSTER_AGENT_COLLECTORS", "journald=false")
        .env("MUSTER_AGENT_LOG_PATHS", format!("{}/*.log", logs.display()))
}

async fn ask(running: &Running, verb: &str, body: &impl Serialize) -> Reply {
    eventually("the agent answers", async || {
        running.bus.request(&host(), verb, body).await.map_err(|error| format!("{error:#}"))
    })
    .await
}

async fn ask_for<T: DeserializeOwned>(running: &Running, verb: &str, body: &impl Serialize) -> T {
    ask(running, verb, body).await.data().unwrap()
}

async fn refusal(running: &Running, verb: &str, body: &impl Serialize) -> String {
    match ask(running, verb, body).await {
        Reply::Refused { reason } => reason,
        Reply::Accepted { data } => panic!("{verb} was accepted: {data:?}"),
    }
}

/// The messages of one kind in its stream, decoded.
async fn published<T: DeserializeOwned>(
    running: &Running,
    stream: Stream,
    kind: Kind,
) -> Vec<Envelope<T>> {
    let messages = running.bus.read_all(stream).await.unwrap();
    let of_kind = |message: &&StoredMessage| {
        subjects::parse(&message.subject).is_ok_and(|address| address.kind == kind)
    };
    let read = |message: &StoredMessage| {
        let content_type = headers::content_type(Some(&message.headers)).unwrap();
        decode(content_type, &message.payload).unwrap()
    };
    messages.iter().filter(of_kind).map(read).collect()
}

#[tokio::test]
async fn every_verb_answers_and_every_refusal_has_a_reason() {
    let logs = TempDir::new().unwrap();
    fs::write(logs.path().join("a.log"), "").unwrap();
    let running = start(options(logs.path())).await;
    let health: Health = ask_for(&running, "health", &()).await;
    assert!(health.journal.bytes_max > 0, "{health:?}");
    let status: Status = ask_for(&running, "status", &()).await;
    assert_eq!(status.configuration_version, 0);
    let list: ProcessList = ask_for(&running, "processes", &()).await;
    let own = i64::from(std::process::id());
    let me = list.processes.iter().find(|process| process.pid == own).expect("this test runs");
    assert!(me.memory_bytes > 0 && me.command.contains("pipeline"), "{me:?}");
    let applied: AppliedConfiguration = ask_for(&running, "config", &ConfigRequest::Get).await;
    assert_eq!(applied.settings.sample_interval_ms, Some(1000));

    let live = |interval_ms| LiveRequest { topic: LiveTopic::Logs, interval_ms, lease_ms: 5000 };
    assert_eq!(ask(&running, "live", &live(3_600_000)).await, Reply::DONE);
    assert!(refusal(&running, "live", &live(10)).await.starts_with("interval_ms is 10"));
    assert!(refusal(&running, "dance", &()).await.contains("unknown verb"));
    assert!(refusal(&running, "live", &"now").await.contains("invalid type"));
    let mut resend = ResendRequest { channel: Channel::Logs, epoch: 1, from: 1, to: 9, attempt: 1 };
    let answer: ResendAnswer = ask_for(&running, "resend", &resend).await;
    assert_eq!(answer.losses[0].cause, LossCause::UnknownEpoch);
    resend.from = 20;
    assert!(refusal(&running, "resend", &resend).await.contains("from is 20"));
}

fn central(version: i64, settings: Settings, conditions: Vec<Condition>) -> ConfigRequest {
    let configuration = Box::new(CentralConfiguration { version, settings, conditions });
    ConfigRequest::Set { configuration }
}

#[tokio::test]
async fn a_configuration_is_applied_without_a_restart_and_outlives_one() {
    let logs = TempDir::new().unwrap();
    let options = options(logs.path()).env("MUSTER_AGENT_PINNED", "location");
    let mut running = start(options).await;
    let settings = Settings {
        sample_interval_ms: Some(2000),
        location: Some("moon".into()),
        labels: Some([("role".to_owned(), "web".to_owned())].into()),
        ..Settings::default()
    };
    let good = central(5, settings.clone(), Vec::new());
    let applied: AppliedConfiguration = ask_for(&running, "config", &good).await;
    assert_eq!((applied.version, applied.settings.sample_interval_ms), (5, Some(2000)));
    assert_eq!(applied.settings.location.as_deref(), Some(""), "the host pins it");

    let bad = Settings { sample_interval_ms: Some(1), ..settings };
    let reason = refusal(&running, "config", &central(6, bad, Vec::new())).await;
    assert!(reason.starts_with("sample_interval_ms is 1"), "{reason}");
    let applied: AppliedConfiguration = ask_for(&running, "config", &ConfigRequest::Get).await;
    assert_eq!((applied.version, applied.refused.unwrap().version), (5, 6));

    running.stack.kill9("agent").await.unwrap();
    running.stack.restart("agent").await.unwrap();
    let applied: AppliedConfiguration = ask_for(&running, "config", &ConfigRequest::Get).await;
    assert_eq!((applied.version, applied.settings.sample_interval_ms), (5, Some(2000)));

    eventually("what is in force and what the host is are in the inventory", async || {
        let system: Vec<Envelope<Inventory>> =
            published(&running, Stream::Inventory, Kind::SystemInventory).await;
        let labelled = system.iter().any(|envelope| match &envelope.body.item {
            InventoryItem::System(info) => info.labels.get("role").is_some_and(|r| r == "web"),
            InventoryItem::Configuration(_) => false,
        });
        let reported: Vec<Envelope<Inventory>> =
            published(&running, Stream::Inventory, Kind::ConfigurationInventory).await;
        let refused = reported.iter().any(|envelope| match &envelope.body.item {
            InventoryItem::Configuration(applied) => applied.refused.is_some(),
            InventoryItem::System(_) => false,
        });
        expect((labelled, refused), (true, true))
    })
    .await;
}

#[tokio::test]
async fn a_breach_leaves_the_host_at_once_with_its_context_and_ends_with_its_rule() {
    let logs = TempDir::new().unwrap();
    let running = start(options(logs.path())).await;
    let condition = Condition {
        rule: "memory-used".into(),
        rule_version: 3,
        metric: "memory.used_percent".into(),
        instance: None,
        op: Op::Above,
        threshold: Some(0.0),
        baseline_factor: None,
        limit_min: None,
        clear_at: None,
    };
    ask(&running, "config", &central(1, Settings::default(), vec![condition])).await;
    let candidates = async || -> Vec<Candidate> {
        let all = published(&running, Stream::Signals, Kind::Candidate).await;
        all.into_iter().map(|envelope| envelope.body).collect()
    };
    eventually("the breach is said, and repeated", async || {
        let states: Vec<CandidateState> = candidates().await.iter().map(|c| c.state).collect();
        let expected = [CandidateState::Breached, CandidateState::StillBreached];
        if states.starts_with(&expected) { Ok(()) } else { Err(format!("{states:?}")) }
    })
    .await;
    let first = &candidates().await[0];
    assert_eq!((first.rule.as_str(), first.rule_version), ("memory-used", 3));
    assert!(first.value > 0.0 && !first.context.processes.is_empty(), "{first:?}");
    ask(&running, "config", &central(2, Settings::default(), Vec::new())).await;
    eventually("the breach ends with its rule", async || {
        expect(candidates().await.last().map(|c| c.state), Some(CandidateState::Cleared))
    })
    .await;
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// The order numbers of all stored lines, with repetitions.
async fn stored_orders(running: &Running) -> Vec<u32> {
    let sql = "SELECT message FROM log_lines WHERE host_id = $1";
    let rows = running.database.client.query(sql, &[&HOST]).await.unwrap();
    let order = |message: &str| message.rsplit_once("order ").unwrap().1.trim().parse().unwrap();
    rows.iter().map(|row| order(row.get(0))).collect()
}

#[tokio::test]
async fn log_lines_are_stored_once_whatever_is_killed_while_files_rotate() {
    let logs = TempDir::new().unwrap();
    let path = logs.path().join("shop.log");
    append(&path, "2020-01-01 00:00:00 ERROR from before the agent, order 0\n");
    let options = StackOptions { ingest_workers: 1, ..options(logs.path()) };
    let mut running = start(options).await;
    let files = async || ask_for::<Status>(&running, "status", &()).await.log_files;
    eventually("the file is followed", async || expect(files().await, 1)).await;
    let mut order = 0;
    for round in 0..6 {
        for line in 0..200 {
            order += 1;
            let word = if order % 2 == 0 { "ERROR no such" } else { "INFO done with" };
            append(&path, &format!("2026-11-20 10:00:00 {word} order {order}\n"));
            if line == 100 && round % 2 == 0 {
                fs::rename(&path, logs.path().join(format!("shop.log.{}", round + 1))).unwrap();
            }
        }
        running.stack.kill9("agent").await.unwrap();
        running.stack.restart("agent").await.unwrap();
        let status = async || -> Status { ask_for(&running, "status", &()).await };
        eventually("the file is followed again", async || {
            let files = status().await.log_files;
            if files > 0 { Ok(()) } else { Err("none".to_owned()) }
        })
        .await;
    }
    let expected: BTreeSet<u32> = (1..=order).filter(|order| order % 2 == 0).collect();
    eventually("each line that matters is stored once", async || {
        let stored = stored_orders(&running).await;
        let distinct: BTreeSet<u32> = stored.iter().copied().collect();
        let missing = expected.difference(&distinct).count();
        let unknown = distinct.difference(&expected).count();
        expect((missing, unknown, stored.len() - distinct.len()), (0, 0, 0))
    })
    .await;
}

#[tokio::test]
async fn a_live_tail_shows_all_lines_and_not_only_those_that_matter() {
    use futures::StreamExt;
    use muster_schemas::logs::LiveLogs;

    let logs = TempDir::new().unwrap();
    let path = logs.path().join("shop.log");
    append(&path, "");
    let running = start(options(logs.path())).await;
    let live = running.bus.client.subscribe(subjects::live_logs(&host())).await.unwrap();
    let live = tokio::sync::Mutex::new(live);
    let request = LiveRequest { topic: LiveTopic::Logs, interval_ms: 1000, lease_ms: 60_000 };
    ask(&running, "live", &request).await;
    eventually("a harmless line is seen", async || {
        append(&path, "2026-11-20 10:00:00 INFO all is well\n");
        let mut live = live.lock().await;
        let message = timeout(SILENCE, live.next())
            .await
            .map_err(|_| "silence")?
            .ok_or("the subscription ended")?;
        let content_type = headers::content_type(message.headers.as_ref()).unwrap();
        let lines: LiveLogs = decode(content_type, &message.payload).unwrap();
        let seen = lines.lines.iter().any(|line| line.message.contains("all is well"));
        expect(seen, true)
    })
    .await;
}

#[tokio::test]
async fn what_was_acknowledged_is_sent_again_when_it_is_asked_for() {
    let logs = TempDir::new().unwrap();
    let running = start(options(logs.path())).await;
    eventually("some frames are stored", async || {
        let times = running.bus.published_sample_times(&host()).await.unwrap().len();
        if times >= 4 { Ok(()) } else { Err(format!("{times} samples")) }
    })
    .await;
    let status: Status = ask_for(&running, "status", &()).await;
    let request = ResendRequest {
        channel: Channel::Telemetry,
        epoch: status.epoch,
        from: 1,
        to: 3_000,
        attempt: 1,
    };
    let answer: ResendAnswer = ask_for(&running, "resend", &request).await;
    assert!(answer.found >= 1, "{answer:?}");
    assert_eq!(answer.missing.last().map(|(_, to)| *to), Some(3_000), "{answer:?}");
    let wanted = format!("{HOST}/telemetry/{}/1/r1", status.epoch);
    eventually("the first frame is in the stream again under another id", async || {
        let messages = running.bus.read_all(Stream::Telemetry).await.unwrap();
        let ids = messages.iter().filter_map(|m| headers::message_id(Some(&m.headers)));
        expect(ids.map(|id| id.to_string()).any(|id| id == wanted), true)
    })
    .await;
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_all(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[tokio::test]
async fn a_host_put_back_to_an_earlier_state_uses_no_number_twice() {
    let logs = TempDir::new().unwrap();
    let mut running =
        start(StackOptions { ingest_workers: 1, gateway: true, ..options(logs.path()) }).await;
    let stored = async |running: &Running| {
        running.database.sample_times(&host()).await.unwrap().into_iter().collect::<BTreeSet<_>>()
    };
    let wait_for = async |running: &Running, count: usize| {
        eventually("samples are stored", async || {
            let found = stored(running).await.len();
            if found >= count { Ok(()) } else { Err(format!("{found} of {count}")) }
        })
        .await;
    };
    wait_for(&running, 3).await;
    let epoch = { ask_for::<Status>(&running, "status", &()).await.epoch };
    let state = running.stack.dir().join("agent");
    let snapshot = logs.path().join("snapshot");
    running.stack.stop("agent").await.unwrap();
    copy_all(&state, &snapshot);
    running.stack.restart("agent").await.unwrap();
    let before = stored(&running).await.len();
    wait_for(&running, before + 6).await;
    running.stack.kill9("agent").await.unwrap();
    fs::remove_dir_all(&state).unwrap();
    copy_all(&snapshot, &state);
    running.stack.restart("agent").await.unwrap();
    eventually("a new epoch begins", async || {
        let status: Status = ask_for(&running, "status", &()).await;
        if status.epoch > epoch { Ok(()) } else { Err(format!("still {epoch}")) }
    })
    .await;
    eventually("all that was published is stored", async || {
        let published = running.bus.published_sample_times(&host()).await.unwrap();
        let rows = running.database.sample_times(&host()).await.unwrap();
        muster_tests::database::exactly_once(&published, &rows)
    })
    .await;
}
