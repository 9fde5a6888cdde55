//! What agents say besides plain samples: stored once, and seen over REST.

use async_nats::HeaderMap;
use muster_nats::headers::durable;
use muster_nats::{Stream, dead, subjects};
use muster_runtime::now_ms;
use muster_schemas::codec::{ContentType, decode, encode};
use muster_schemas::conditions::Candidate;
use muster_schemas::inventory::{Inventory, InventoryItem};
use muster_schemas::logs::{LiveLogs, LogFrame, LogLine, Severity};
use muster_schemas::signals::Heartbeat;
use muster_schemas::telemetry::{Sample, TelemetryFrame};
use muster_schemas::{Durable, Envelope};
use muster_tests::bus::TestHost;
use muster_tests::wait::{eventually, expect};
use serde_json::{Value, json};

use crate::setup::{Running, start_ingest, start_with_gateway};

/// The body of a golden message.
fn golden<T: Durable>(text: &str) -> T {
    let envelope: Envelope<T> = decode(ContentType::Json, text.as_bytes()).unwrap();
    envelope.body
}

fn line(at: i64, severity: Severity, message: &str) -> LogLine {
    LogLine {
        at,
        severity,
        application: "orders".into(),
        source: "/var/log/orders.log".into(),
        message: message.into(),
        ..LogLine::default()
    }
}

async fn is_stored(running: &Running, host: &TestHost, channel: &str, received: &str) {
    eventually(&format!("{channel} is stored"), async || {
        let ledger = running.database.ledger(&host.id, channel).await.unwrap();
        expect(ledger.map(|(received, _)| received), Some(received.to_owned()))
    })
    .await;
}

#[tokio::test]
async fn every_metric_of_a_rich_sample_can_be_asked_for() {
    let (running, api) = start_with_gateway().await;
    let host = TestHost::new("web-1");
    let now = now_ms();
    let text = include_str!("../../../schemas/fixtures/telemetry_full.json");
    let mut frame: TelemetryFrame = golden(text);
    frame.samples[0].at = now;
    running.bus.publish_message(&host.message(1, now, frame)).await.unwrap();
    is_stored(&running, &host, "telemetry", "{[1,2)}").await;

    let catalogue = api.read("/metrics?host=web-1").await.unwrap();
    let names: Vec<&str> =
        catalogue["items"].as_array().unwrap().iter().filter_map(|m| m["name"].as_str()).collect();
    assert!(names.contains(&"custom.queue_length"), "{names:?}");
    let (from, to) = (now - 10_000, now + 10_000);
    let path = format!("/hosts/web-1/metrics?from={from}&to={to}&names={}", names.join(","));
    let history = api.read(&path).await.unwrap();
    let series = history["series"].as_array().unwrap();
    for name in &names {
        let found = series.iter().find(|series| series["name"] == *name);
        let values = found.unwrap_or_else(|| panic!("no {name}"))["values"].as_array().unwrap();
        assert!(values.iter().any(Value::is_number), "{name} has no value");
    }
    let queue = series.iter().find(|s| s["name"] == "custom.queue_length").unwrap();
    let (instance, unit) = (json!("{queue=\"orders\"}"), json!("messages"));
    assert_eq!((&queue["instance"], &queue["unit"]), (&instance, &unit));

    let processes = api.read("/hosts/web-1/processes").await.unwrap();
    assert_eq!(processes["at"], now);
    assert_eq!(processes["items"][0]["user"], "postgres", "{processes}");
    let (status, body) = api.get("/hosts/web-1/processes?live=true").await.unwrap();
    assert_eq!((status, &body["detail"]), (503, &json!("the agent of web-1 is not connected")));
}

#[tokio::test]
async fn what_an_agent_does_not_know_is_absent_and_not_zero() {
    let (running, api) = start_with_gateway().await;
    let (host, now) = (TestHost::new("web-1"), now_ms());
    let samples = vec![Sample { at: now, uptime_s: 60, ..Sample::default() }];
    running.bus.publish_message(&host.message(1, now, TelemetryFrame { samples })).await.unwrap();
    is_stored(&running, &host, "telemetry", "{[1,2)}").await;

    let (from, to) = (now - 10_000, now + 10_000);
    let unknown = "cpu.usage_percent,load.one,memory.used_percent,swap.used_percent,\
                   disk.read_bytes_per_s,network.rx_packets_per_s,tcp.connections,processes.total";
    let path = format!("/hosts/web-1/metrics?from={from}&to={to}&names={unknown},uptime_s");
    let history = api.read(&path).await.unwrap();
    let has_value =
        |series: &&Value| series["values"].as_array().unwrap().iter().any(|v| !v.is_null());
    let series = history["series"].as_array().unwrap();
    let known: Vec<&Value> =
        series.iter().filter(has_value).map(|series| &series["name"]).collect();
    assert_eq!(known, ["uptime_s"], "{history}");
    let latest = &api.read("/hosts/web-1").await.unwrap()["latest"];
    let figures = latest.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
    let known: Vec<&str> = figures.map(|(name, _)| name.as_str()).collect();
    assert_eq!(known, ["at", "uptime_s"], "{latest}");
}

#[tokio::test]
async fn lines_are_found_newest_first_page_by_page_by_what_is_asked_for() {
    let (running, api) = start_with_gateway().await;
    let host = TestHost::new("web-1");
    let now = now_ms();
    let lines = (0..5).map(|n| line(now - 1000, Severity::Warn, &format!("line {n}")));
    let first = LogFrame { lines: lines.collect() };
    let text = include_str!("../../../schemas/fixtures/logs.json");
    let mut second: LogFrame = golden(text);
    for (n, line) in (0..).zip(&mut second.lines) {
        line.at = now + n;
    }
    running.bus.publish_message(&host.message(1, now, first)).await.unwrap();
    running.bus.publish_message(&host.message(2, now, second)).await.unwrap();
    let old = LogFrame { lines: vec![line(now - 90 * 86_400_000, Severity::Error, "of old")] };
    running.bus.publish_message(&TestHost::new("web-2").message(1, now, old)).await.unwrap();
    is_stored(&running, &host, "logs", "{[1,3)}").await;

    let said = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|line| line["message"].as_str().unwrap().to_owned()).collect()
    };
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api.read(&format!("/hosts/web-1/logs?limit=3&cursor={cursor}")).await.unwrap();
        all.extend(said(&page));
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(all.len(), 8, "{all:?}");
    assert_eq!(all[0], "412 lines suppressed");
    assert_eq!(all[3..], ["line 4", "line 3", "line 2", "line 1", "line 0"]);

    for (query, count) in [
        ("severity=critical", 1),
        ("severity=error", 2),
        ("application=nginx", 1),
        ("source=journal:kernel", 1),
        ("text=TIMED%20out", 1),
        ("text=%25", 0),
        ("severity=warn&text=line", 6),
    ] {
        let page = api.read(&format!("/logs?{query}")).await.unwrap();
        assert_eq!(said(&page).len(), count, "{query}: {page}");
    }
    let page = api.read("/logs?severity=error&application=orders").await.unwrap();
    assert_eq!(page["items"][0]["fields"]["order"], "4711", "{page}");
    is_stored(&running, &TestHost::new("web-2"), "logs", "{[1,2)}").await;
    assert_eq!(api.read("/hosts/web-2/logs").await.unwrap()["items"], json!([]));
    let (status, body) = api.get("/logs?severity=awful").await.unwrap();
    assert_eq!(status, 422, "{body}");
}

#[tokio::test]
async fn an_inventory_is_kept_as_it_is_and_as_it_was() {
    let (running, api) = start_with_gateway().await;
    let host = TestHost::new("web-1");
    let now = now_ms();
    let text = include_str!("../../../schemas/fixtures/inventory_system.json");
    let system: Inventory = golden(text);
    let mut moved = system.clone();
    if let InventoryItem::System(info) = &mut moved.item {
        info.location = "Helsinki".into();
    }
    let at = |inventory: &Inventory, at| Inventory { at, ..inventory.clone() };
    let stories = [at(&system, now - 3000), at(&system, now - 2000), at(&moved, now - 1000)];
    for (seq, story) in (1..).zip(stories) {
        running.bus.publish_message(&host.message(seq, now, story)).await.unwrap();
    }
    let text = include_str!("../../../schemas/fixtures/inventory_configuration.json");
    let configuration: Inventory = golden(text);
    running.bus.publish_message(&host.message(4, now, configuration)).await.unwrap();
    is_stored(&running, &host, "inventory", "{[1,5)}").await;

    let newest = api.read("/hosts/web-1/inventory").await.unwrap();
    let items = newest["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{newest}");
    assert_eq!(items[1]["detail"]["location"], "Helsinki");
    let history = api.read("/hosts/web-1/inventory?kind=system&history=true").await.unwrap();
    let times: Vec<i64> =
        history["items"].as_array().unwrap().iter().filter_map(|i| i["at"].as_i64()).collect();
    assert_eq!(times, [now - 1000, now - 3000]);
    let shown = api.read("/hosts/web-1").await.unwrap();
    assert_eq!(shown["os"], "Debian GNU/Linux 12 (bookworm)", "{shown}");
    assert_eq!((&shown["location"], &shown["labels"]["role"]), (&json!("Helsinki"), &json!("web")));
    let completeness = api.read("/hosts/web-1/completeness").await.unwrap();
    assert_eq!(completeness["channels"][0]["channel"], "inventory", "{completeness}");
    assert_eq!(completeness["percent"], 100.0, "{completeness}");

    // Said between the two that were the same, and after the last of the same millisecond, but
    // both come late.
    let late =
        [(6, at(&system, now - 1000), "{[1,5),[6,7)}"), (5, at(&moved, now - 2500), "{[1,7)}")];
    for (seq, story, received) in late {
        running.bus.publish_message(&host.message(seq, now, story)).await.unwrap();
        is_stored(&running, &host, "inventory", received).await;
    }
    let history = api.read("/hosts/web-1/inventory?kind=system&history=true").await.unwrap();
    let items = history["items"].as_array().unwrap();
    let said: Vec<_> =
        items.iter().map(|i| (i["at"].as_i64().unwrap(), &i["detail"]["location"])).collect();
    let (home, away) = (&items[0]["detail"]["location"], &json!("Helsinki"));
    assert_ne!(home, away);
    let expected = [
        (now - 1000, home),
        (now - 1000, away),
        (now - 2000, home),
        (now - 2500, away),
        (now - 3000, home),
    ];
    assert_eq!(said, expected);
    let newest = api.read("/hosts/web-1/inventory?kind=system").await.unwrap();
    assert_eq!(&newest["items"][0]["detail"]["location"], home, "{newest}");
}

#[tokio::test]
async fn a_heartbeat_tells_how_its_agent_fares_and_a_candidate_is_accounted_for() {
    let (running, api) = start_with_gateway().await;
    let host = TestHost::new("web-1");
    let now = now_ms();
    let text = include_str!("../../../schemas/fixtures/heartbeat_full.json");
    let mut heartbeat: Heartbeat = golden(text);
    heartbeat.channels.clear();
    running.bus.publish_message(&host.message(1, now, heartbeat)).await.unwrap();
    let text = include_str!("../../../schemas/fixtures/candidate.json");
    let candidate: Candidate = golden(text);
    running.bus.publish_message(&host.message(2, now, candidate)).await.unwrap();
    is_stored(&running, &host, "signals", "{[1,3)}").await;

    let agent = api.read("/hosts/web-1/agent").await.unwrap();
    assert_eq!(agent["heartbeat"]["clock_offset_ms"], -12, "{agent}");
    assert_eq!(agent["heartbeat_at"], now);
    assert_eq!(agent["trouble"], "the agent of web-1 is not connected");
    assert_eq!(running.bus.read_all(Stream::Dead).await.unwrap().len(), 0);
}

#[tokio::test]
async fn lines_reach_a_browser_live_with_the_number_of_those_left_out() {
    let (running, api) = start_with_gateway().await;
    let host = TestHost::new("web-1");
    running.bus.publish_frame(&host.frame(1, &[now_ms()]), "").await.unwrap();
    is_stored(&running, &host, "telemetry", "{[1,2)}").await;
    let mut socket = api.open_socket().await.unwrap();
    socket.subscribe("host/web-1/logs").await.unwrap();
    socket.next_of("subscribed").await.unwrap();
    let text = include_str!("../../../schemas/fixtures/live_logs.json");
    let mut live: LiveLogs = decode(ContentType::Json, text.as_bytes()).unwrap();
    live.host = host.id.clone();
    // Nobody answers for the agent: the reason says that the gateway listens by now.
    let error = socket.next_of("error").await.unwrap();
    assert_eq!(error["reason"], "the agent of web-1 is not connected", "{error}");
    let subject = subjects::live_logs(&host.id);
    let headers = muster_nats::headers::msgpack();
    running.bus.client.publish_with_headers(subject, headers, encode(&live).into()).await.unwrap();
    let dropped = socket.next_of("dropped").await.unwrap();
    assert_eq!(dropped["count"], 5, "{dropped}");
    let data = socket.next_of("data").await.unwrap();
    assert_eq!(data["data"]["lines"][0]["severity"], "critical", "{data}");
}

async fn spoil<T: Durable>(running: &Running, id: &str, subject: &str, message: &Envelope<T>) {
    let headers: HeaderMap = durable(id);
    running.bus.publish(subject, headers, encode(message)).await.unwrap();
}

#[tokio::test]
async fn poison_of_any_channel_ends_among_the_dead_letters_with_its_reason() {
    let running = start_ingest(1).await;
    let host = TestHost::new("web-1");
    let now = now_ms();
    let empty = host.message(1, now, LogFrame { lines: Vec::new() });
    spoil(&running, "web-1/logs/1700000000000/1", "logs.web-1", &empty).await;
    let nul = LogFrame { lines: vec![line(now, Severity::Error, "a\0b")] };
    spoil(&running, "web-1/logs/1700000000000/2", "logs.web-1", &host.message(2, now, nul)).await;
    let text = include_str!("../../../schemas/fixtures/inventory_system.json");
    let system = host.message(1, now, golden::<Inventory>(text));
    let id = "web-1/inventory/1700000000000/1";
    spoil(&running, id, "inventory.web-1.configuration", &system).await;
    let text = include_str!("../../../schemas/fixtures/candidate.json");
    let mut candidate: Candidate = golden(text);
    candidate.value = f64::NAN;
    let candidate = host.message(1, now, candidate);
    let id = "web-1/signals/1700000000000/1";
    spoil(&running, id, "signals.web-1.candidate", &candidate).await;

    for (channel, numbers) in
        [("logs", "{[1,3)}"), ("inventory", "{[1,2)}"), ("signals", "{[1,2)}")]
    {
        eventually(&format!("the ledger accounts for the dead of {channel}"), async || {
            let ledger = running.database.ledger(&host.id, channel).await.unwrap();
            expect(ledger.map(|(_, dead)| dead), Some(numbers.to_owned()))
        })
        .await;
    }
    let letters = running.bus.read_all(Stream::Dead).await.unwrap();
    let reasons: Vec<&str> =
        letters.iter().map(|letter| letter.headers.get(dead::REASON).unwrap().as_str()).collect();
    for wanted in [
        "body.lines is 0, expected 1 to 1000 lines",
        "body.lines[0].message is \"a\\0b\"",
        "subject \"inventory.web-1.configuration\" does not carry",
        "body.value is NaN",
    ] {
        assert!(reasons.iter().any(|reason| reason.starts_with(wanted)), "{wanted}: {reasons:?}");
    }
    assert_eq!(letters.len(), 4, "{reasons:?}");
}
