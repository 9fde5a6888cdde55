//! Hosts that come and go: one event each, whoever dies meanwhile.

use muster_nats::Stream;
use muster_schemas::codec::{ContentType, decode};
use muster_schemas::events::Event;
use muster_stack::StackOptions;
use muster_tests::wait::{eventually, expect};

use crate::setup::{Running, start};

/// The kinds of all events so far; what rules make of them are others.
async fn events(running: &Running) -> Result<Vec<String>, String> {
    let stored = running.bus.read_all(Stream::Events).await.map_err(|e| format!("{e:#}"))?;
    let kind = |payload: &[u8]| {
        let event: Event = decode(ContentType::Msgpack, payload).unwrap();
        event.kind.as_str().to_owned()
    };
    let kinds = stored.iter().map(|message| kind(&message.payload));
    Ok(kinds.filter(|kind| !kind.starts_with("alert_")).collect())
}

async fn wait_for_events(running: &Running, kinds: &[&str]) {
    eventually("the events are published", async || {
        let wanted = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        expect(events(running).await?, wanted)
    })
    .await;
}

async fn heartbeats(running: &Running) -> i64 {
    running.bus.context.get_stream("SIGNALS").await.unwrap().cached_info().state.messages as i64
}

async fn wait_for_heartbeats(running: &Running, more: i64) {
    let before = heartbeats(running).await;
    eventually("heartbeats come in", async || {
        let now = heartbeats(running).await;
        if now >= before + more { Ok(()) } else { Err(format!("{before} before, {now} now")) }
    })
    .await;
}

#[tokio::test]
async fn a_host_goes_offline_and_online_once_each_with_two_workers() {
    // Two heartbeats take longer than an agent waits for the gateway after the bus was away.
    let options =
        StackOptions { alert_workers: 2, agent: true, gateway: true, ..StackOptions::default() }
            .env("MUSTER_AGENT_HEARTBEAT_INTERVAL", "4s");
    let mut running = start(options).await;
    wait_for_events(&running, &["online"]).await;

    running.stack.kill9("agent").await.unwrap();
    wait_for_events(&running, &["online", "offline"]).await;
    running.stack.restart("agent").await.unwrap();
    wait_for_events(&running, &["online", "offline", "online"]).await;

    for part in ["alert-worker-1", "nats", "postgres", "alert-worker-2"] {
        running.stack.kill9(part).await.unwrap();
        running.stack.restart(part).await.unwrap();
        wait_for_heartbeats(&running, 3).await;
    }
    assert_eq!(events(&running).await.unwrap(), ["online", "offline", "online"]);
}

#[tokio::test]
async fn a_worker_that_stood_still_says_nothing_that_is_no_longer_so() {
    let options =
        StackOptions { alert_workers: 2, agent: true, gateway: true, ..StackOptions::default() }
            .env("MUSTER_AGENT_HEARTBEAT_INTERVAL", "4s");
    let mut running = start(options).await;
    wait_for_events(&running, &["online"]).await;
    for part in ["alert-worker-1", "alert-worker-2"] {
        running.stack.pause(part).unwrap();
        wait_for_heartbeats(&running, 4).await;
        running.stack.resume(part).unwrap();
        wait_for_heartbeats(&running, 2).await;
    }
    assert_eq!(events(&running).await.unwrap(), ["online"]);

    running.stack.pause("alert-worker-1").unwrap();
    running.stack.kill9("agent").await.unwrap();
    running.stack.resume("alert-worker-1").unwrap();
    wait_for_events(&running, &["online", "offline"]).await;
    running.stack.restart("agent").await.unwrap();
    wait_for_events(&running, &["online", "offline", "online"]).await;
}
