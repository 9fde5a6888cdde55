//! Settings of agents and the rules they judge by: set over REST, answered on the bus.

use std::time::Duration;

use futures::StreamExt;
use muster_nats::{headers, subjects};
use muster_runtime::now_ms;
use muster_schemas::Channel;
use muster_schemas::codec::{ContentType, decode, encode};
use muster_schemas::configuration::{
    AppliedConfiguration, ConfigurationAnswer, ConfigurationRequest,
};
use muster_schemas::control::{ConfigRequest, Reply};
use muster_tests::bus::TestHost;
use muster_tests::wait::{PATIENCE, eventually, expect};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::alert_api::rule;
use crate::setup::{Running, start_with_gateway};

async fn ask(running: &Running, host: &TestHost, have_version: i64) -> ConfigurationAnswer {
    let request =
        ConfigurationRequest { agent_version: "0.1.0".into(), have_version, epoch: host.epoch };
    let subject = subjects::agents(&host.id, "config");
    let asked = running.bus.client.request_with_headers(
        subject,
        headers::msgpack(),
        encode(&request).into(),
    );
    let answer = timeout(PATIENCE, asked).await.unwrap().unwrap();
    let reply: Reply = decode(ContentType::Msgpack, &answer.payload).unwrap();
    reply.data().unwrap()
}

/// A host that is known because it has sent two frames.
async fn known_host(running: &Running) -> TestHost {
    let host = TestHost::new("web-1");
    for seq in 1..=2 {
        running.bus.publish_frame(&host.frame(seq, &[now_ms()]), "").await.unwrap();
    }
    eventually("the host is known", async || {
        let ledger = running.database.ledger(&host.id, "telemetry").await.unwrap();
        expect(ledger.map(|(received, _)| received), Some("{[1,3)}".to_owned()))
    })
    .await;
    host
}

#[tokio::test]
async fn an_agent_is_answered_what_is_set_for_the_fleet_and_for_its_host() {
    let (running, api) = start_with_gateway().await;
    let host = known_host(&running).await;
    let answer = ask(&running, &host, 0).await;
    assert_eq!(answer.configuration, None);
    assert_eq!(answer.highest.get(&Channel::Telemetry), Some(&2));
    assert!((now_ms() - answer.at).abs() < 3_600_000, "{answer:?}");

    let fleet = json!({ "publish_interval_ms": 15000, "labels": { "env": "prod", "site": "a" } });
    let (status, body) = api.put("/agent-settings", &fleet).await.unwrap();
    assert_eq!((status, &body["version"]), (200, &json!(1)), "{body}");
    let own = json!({ "sample_interval_ms": 2000, "labels": { "site": "b" } });
    let (status, body) = api.put("/hosts/web-1/settings", &own).await.unwrap();
    assert_eq!((status, &body["version"]), (200, &json!(2)), "{body}");
    assert_eq!(body["trouble"], "the agent of web-1 is not connected");
    assert_eq!(body["updated_by"], "admin");

    let configuration = ask(&running, &host, 0).await.configuration.unwrap();
    assert_eq!(configuration.version, 2);
    let settings = json!({
        "sample_interval_ms": 2000, "publish_interval_ms": 15000,
        "labels": { "env": "prod", "site": "b" },
    });
    assert_eq!(serde_json::to_value(&configuration.settings).unwrap(), settings);
    assert_eq!(ask(&running, &host, 2).await.configuration, None);
    let other = ask(&running, &TestHost::new("web-2"), 2).await.configuration.unwrap();
    assert_eq!((other.version, other.settings.sample_interval_ms), (1, None));
}

/// Whoever locks the rules holds the gateway between the settings and them.
#[tokio::test]
async fn an_agent_is_given_settings_and_rules_of_one_moment() {
    let (running, api) = start_with_gateway().await;
    let host = known_host(&running).await;
    let fleet = json!({ "publish_interval_ms": 15_000 });
    assert_eq!(api.put("/agent-settings", &fleet).await.unwrap().0, 200);
    let database = &running.database.client;
    database.batch_execute("BEGIN; LOCK TABLE rules").await.unwrap();
    let change = async {
        let waiting = "
            SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'rules'::regclass";
        eventually("the gateway waits for the rules", async || {
            let row = database.query_one(waiting, &[]).await.unwrap();
            expect(row.get::<_, i64>(0), 1)
        })
        .await;
        let later = "
            UPDATE agent_settings SET version = 7, settings = '{\"publish_interval_ms\": 30000}';
            UPDATE rule_changes SET version = 7;
            COMMIT";
        database.batch_execute(later).await.unwrap();
    };
    let (answer, ()) = tokio::join!(ask(&running, &host, 0), change);
    let told = |answer: ConfigurationAnswer| {
        let configuration = answer.configuration.unwrap();
        (configuration.version, configuration.settings.publish_interval_ms)
    };
    assert_eq!(told(answer), (1, Some(15_000)));
    assert_eq!(told(ask(&running, &host, 1).await), (7, Some(30_000)));
}

#[tokio::test]
async fn settings_an_agent_could_not_use_are_refused_by_the_name_of_their_field() {
    let (running, api) = start_with_gateway().await;
    known_host(&running).await;
    let fleet = json!({ "publish_interval_ms": 15000 });
    assert_eq!(api.put("/agent-settings", &fleet).await.unwrap().0, 200);
    for (path, body, field) in [
        ("/agent-settings", json!({ "sample_interval_ms": 10 }), "sample_interval_ms"),
        ("/agent-settings", json!({ "sampling": 10 }), "sampling"),
        ("/hosts/web-1/settings", json!({ "sample_interval_ms": 20000 }), "publish_interval_ms"),
        ("/hosts/web-1/settings", json!({ "collectors": { "telepathy": true } }), "collectors"),
    ] {
        let (status, answer) = api.put(path, &body).await.unwrap();
        assert_eq!((status, &answer["field"]), (422, &json!(field)), "{body}: {answer}");
        assert!(answer["detail"].as_str().is_some_and(|detail| detail.contains(field)));
    }
    assert_eq!(api.read("/hosts/web-1/settings").await.unwrap()["version"], 0);
}

#[tokio::test]
async fn an_agent_that_is_there_is_told_of_a_change_at_once() {
    let (running, api) = start_with_gateway().await;
    let host = known_host(&running).await;
    let subject = subjects::control(&host.id, "config");
    let mut control = running.bus.client.subscribe(subject).await.unwrap();
    running.bus.client.flush().await.unwrap();
    let bus = running.bus.client.clone();
    let agent = tokio::spawn(async move {
        let request = timeout(Duration::from_secs(60), control.next()).await.unwrap().unwrap();
        let asked: ConfigRequest = decode(ContentType::Msgpack, &request.payload).unwrap();
        assert_eq!(asked, ConfigRequest::Reload);
        let applied = AppliedConfiguration { version: 1, ..AppliedConfiguration::default() };
        let inbox = request.reply.unwrap();
        let reply = encode(&Reply::with(&applied)).into();
        bus.publish_with_headers(inbox, headers::msgpack(), reply).await.unwrap();
    });
    let own = json!({ "location": "rack 7" });
    let (status, body) = api.put("/hosts/web-1/settings", &own).await.unwrap();
    assert_eq!((status, &body["applied"]["version"]), (200, &json!(1)), "{body}");
    assert_eq!(body["trouble"], json!(null));
    agent.await.unwrap();
}

/// The limits an agent judges by, where they are not those it has.
async fn limits(running: &Running, host: &TestHost, have: &mut i64) -> Option<Vec<f64>> {
    let configuration = ask(running, host, *have).await.configuration?;
    *have = configuration.version;
    Some(configuration.conditions.iter().filter_map(|condition| condition.threshold).collect())
}

/// Titles and durations are none of its business.
#[tokio::test]
async fn a_rule_that_is_edited_reaches_the_agents_it_concerns() {
    let (running, api) = start_with_gateway().await;
    let host = known_host(&running).await;
    let online = "
        UPDATE hosts SET labels = '{\"role\": \"web\"}';
        INSERT INTO host_presence (
            host_id, status, status_since, heartbeat_at, heartbeat_interval_ms
        )
        VALUES ('web-1', 'online', now(), now(), 5000)";
    running.database.client.batch_execute(online).await.unwrap();
    let subject = subjects::control(&host.id, "config");
    let mut control = running.bus.client.subscribe(subject).await.unwrap();
    running.bus.client.flush().await.unwrap();
    let mut rule = rule("CPU");
    let (status, made) = api.post("/rules", &rule).await.unwrap();
    assert_eq!(status, 201, "{made}");
    let request = timeout(PATIENCE, control.next()).await.unwrap().unwrap();
    let asked: ConfigRequest = decode(ContentType::Msgpack, &request.payload).unwrap();
    assert_eq!(asked, ConfigRequest::Reload);

    let mut have = 0;
    assert_eq!(limits(&running, &host, &mut have).await, Some(vec![90.0]));
    let path = format!("/rules/{}", made["id"]);
    let with_limit = |threshold: i64| {
        json!({ "kind": "metric", "metric": "cpu.usage_percent", "op": "above",
                "threshold": threshold })
    };
    let edits: [(&str, Value, Option<Vec<f64>>); 7] = [
        ("title", json!("Busy"), None),
        ("condition", with_limit(80), Some(vec![80.0])),
        ("selector", json!("role=db"), Some(vec![])),
        ("selector", json!("role=web"), Some(vec![80.0])),
        ("enabled", json!(false), Some(vec![])),
        ("for_s", json!(60), None),
        ("enabled", json!(true), Some(vec![80.0])),
    ];
    for (version, (field, value, expected)) in (1..).zip(edits) {
        rule[field] = value;
        let changed = json!({ "version": version, "definition": rule });
        let (status, body) = api.put(&path, &changed).await.unwrap();
        assert_eq!(status, 200, "{body}");
        assert_eq!(limits(&running, &host, &mut have).await, expected, "{field}: {body}");
    }
    assert_eq!(api.post(&format!("{path}/clone"), &json!({})).await.unwrap().0, 201);
    assert_eq!(limits(&running, &host, &mut have).await, None);
    assert_eq!(api.delete(&format!("{path}?version=8")).await.unwrap().0, 204);
    assert_eq!(limits(&running, &host, &mut have).await, Some(vec![]));
    running.stack.shutdown().await;
}
