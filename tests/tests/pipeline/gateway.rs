//! The gateway as a browser uses it.

use futures::StreamExt;
use muster_schemas::HostId;
use muster_stack::StackOptions;
use muster_tests::api::Api;
use muster_tests::wait::{PATIENCE, eventually, expect};
use serde_json::Value;
use tokio::time::{Duration, timeout};

use crate::setup::{Running, start};

const HOST: &str = "watched";

/// Silence this long is an end: live samples come every second.
const SILENCE: Duration = Duration::from_secs(4);

async fn start_all() -> Running {
    let options = StackOptions::all()
        .env("MUSTER_AGENT_HOST_ID", HOST)
        .env("MUSTER_AGENT_SAMPLE_INTERVAL", "1s")
        .env("MUSTER_AGENT_PUBLISH_INTERVAL", "2s")
        .env("MUSTER_AGENT_HEARTBEAT_INTERVAL", "2s");
    start(options).await
}

async fn sign_in(running: &Running) -> Api {
    let admin = running.stack.admin();
    Api::sign_in(running.stack.gateway_url(), &admin.username, &admin.password).await.unwrap()
}

async fn wait_for_host(api: &Api) -> Value {
    eventually("the host is listed as online with a sample", async || {
        let hosts = api.read("/hosts").await.map_err(|error| format!("{error:#}"))?;
        let host = hosts["items"][0].clone();
        expect(host["id"].as_str(), Some(HOST))?;
        expect(host["status"].as_str(), Some("online"))?;
        host["latest"]["at"].as_i64().map(|_| host.clone()).ok_or_else(|| host.to_string())
    })
    .await
}

#[tokio::test]
async fn this_host_is_listed_with_true_values_and_its_history_can_be_asked_for() {
    let running = start_all().await;
    let api = sign_in(&running).await;
    let host = wait_for_host(&api).await;
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
    let kib = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap();
    let kib: i64 = kib.trim().trim_end_matches(" kB").parse().unwrap();
    assert_eq!(host["latest"]["memory_total_bytes"], kib * 1024);

    eventually("the history has several points", async || {
        let path =
            format!("/hosts/{HOST}/metrics?step=1&names=cpu.usage_percent,filesystem.used_percent");
        let answer = api.read(&path).await.map_err(|error| format!("{error:#}"))?;
        let series = answer["series"].as_array().unwrap();
        let points = |series: &Value| {
            series["values"].as_array().unwrap().iter().filter(|v| v.is_number()).count()
        };
        let enough = series.len() >= 2 && series.iter().all(|series| points(series) >= 4);
        if enough { Ok(()) } else { Err(format!("{} series", series.len())) }
    })
    .await;
    let completeness = api.read(&format!("/hosts/{HOST}/completeness")).await.unwrap();
    assert_eq!(completeness["percent"], 100.0, "{completeness}");
    let stored = completeness["channels"][0]["stored"].as_i64().unwrap();
    assert!(stored > 0, "{completeness}");
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_one_plain_sentence() {
    let running = start_all().await;
    let url = running.stack.gateway_url();
    let refused = Api::sign_in(url, "admin", "not the password").await.err().unwrap().to_string();
    assert!(refused.contains("401"), "{refused}");
    let api = sign_in(&running).await;
    wait_for_host(&api).await;
    for (path, status) in [
        ("/hosts/nobody", 404),
        ("/hosts/NOT-AN-ID", 404),
        ("/nowhere", 404),
        ("/hosts?limit=many", 422),
        ("/hosts/watched/metrics?names=cpu.nonsense", 422),
        ("/hosts/watched/metrics?names=load.one&from=2000&to=1000", 422),
        ("/hosts/watched/metrics?names=load.one&step=1&from=0&to=86400000000", 422),
    ] {
        let (found, body) = api.get(path).await.unwrap();
        assert_eq!(found, status, "{path}: {body}");
        assert_eq!(body["status"], status, "{path}: {body}");
        assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{path}: {body}");
    }
    let (status, _) = api.with_token("forged").get("/hosts").await.unwrap();
    assert_eq!(status, 401);
}

#[tokio::test]
async fn a_live_view_makes_the_agent_publish_and_its_end_makes_it_stop() {
    let running = start_all().await;
    let api = sign_in(&running).await;
    wait_for_host(&api).await;
    let host: HostId = HOST.parse().unwrap();
    let subject = muster_nats::subjects::live_telemetry(&host);
    let mut live = running.bus.client.subscribe(subject).await.unwrap();

    let topic = format!("host/{HOST}/telemetry");
    let mut first = api.open_socket().await.unwrap();
    first.subscribe(&topic).await.unwrap();
    let mut second = api.open_socket().await.unwrap();
    second.subscribe(&topic).await.unwrap();
    let mut last = 0;
    for _ in 0..4 {
        let frame = first.next_of("data").await.unwrap();
        assert_eq!(frame["topic"], topic);
        let at = frame["data"]["at"].as_i64().unwrap();
        assert!(at > last);
        last = at;
    }
    second.next_of("data").await.unwrap();
    drop(first);
    for _ in 0..3 {
        second.next_of("data").await.unwrap();
    }
    drop(second);
    let silent = async { while let Ok(Some(_)) = timeout(SILENCE, live.next()).await {} };
    timeout(PATIENCE, silent).await.expect("the agent stops when nobody looks");
}

#[tokio::test]
async fn the_fleet_and_its_events_come_by_themselves() {
    let mut running = start_all().await;
    let api = sign_in(&running).await;
    wait_for_host(&api).await;
    let mut socket = api.open_socket().await.unwrap();
    socket.subscribe("hosts").await.unwrap();
    let frame = socket.next_of("data").await.unwrap();
    assert_eq!(frame["data"]["hosts"][0]["id"], HOST);
    socket.send(serde_json::json!({ "type": "unsubscribe", "topic": "hosts" })).await.unwrap();
    socket.subscribe("events").await.unwrap();
    socket.next_of("subscribed").await.unwrap();
    running.stack.kill9("agent").await.unwrap();
    let event = loop {
        let frame = socket.next_of("data").await.unwrap();
        if frame["topic"] == "events" {
            break frame;
        }
    };
    assert_eq!((&event["data"]["host"], &event["data"]["kind"]), (&HOST.into(), &"offline".into()));
    socket.subscribe("host/nobody/telemetry").await.unwrap();
    let error = socket.next_of("error").await.unwrap();
    assert_eq!(error["topic"], "host/nobody/telemetry", "{error}");
}
