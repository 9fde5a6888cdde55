//! Channels over REST: their secrets, tests, dead notifications, how many there may be, and what
//! stays of one that was deleted.

use muster_alerts::channel::SealKey;
use muster_runtime::now_ms;
use muster_schemas::conditions::CandidateState::{Breached, Cleared};
use muster_stack::StackOptions;
use muster_stack::stack::SECRET_KEY;
use muster_tests::api::Api;
use muster_tests::bus::TestHost;
use serde_json::{Value, json};

use crate::alert_api::{rule, sign_in_as};
use crate::desk::{Desk, cpu_rule};
use crate::setup::{Running, sign_in, start_with_gateway};

const SECRET: &str = "a-very-secret-token";

fn channel(url: &str, token: &Value) -> Value {
    let definition =
        json!({ "kind": "webhook", "url": url, "headers": { "Authorization": token } });
    json!({ "name": "ops", "is_default": true, "definition": definition })
}

#[tokio::test]
async fn secrets_of_channels_never_come_back() {
    let (running, api) = start_with_gateway().await;
    let url = "https://hooks.example/a";
    let secret = || json!({ "value": SECRET });
    let (status, made) = api.post("/channels", &channel(url, &secret())).await.unwrap();
    assert_eq!(status, 201, "{made}");
    let stored = json!({ "stored": true });
    assert_eq!(made["definition"]["headers"]["Authorization"], stored, "{made}");
    let path = format!("/channels/{}", made["id"]);
    let sealed = |when: &'static str| {
        let database = &running.database;
        async move {
            let sql = "SELECT row_to_json(channels)::text, secrets FROM channels";
            let row = database.client.query_one(sql, &[]).await.unwrap();
            let (row, sealed): (String, Vec<u8>) = (row.get(0), row.get(1));
            assert!(!row.contains(SECRET), "{when}: {row}");
            sealed
        }
    };
    let first = sealed("made").await;
    // Whoever sends has the same key.
    let key = std::fs::read_to_string(running.stack.dir().join(SECRET_KEY)).unwrap();
    let opened = SealKey::from_hex(&key).unwrap().open(&first).unwrap();
    assert_eq!(opened.get("headers.Authorization").unwrap().expose(), SECRET);

    // Left as it is, it stays; where it would go to another server, it does not.
    let set = |version: i64, url: &str, token: Value| {
        let mut body = channel(url, &token);
        body["version"] = json!(version);
        body
    };
    let moved = set(1, "https://elsewhere.example/a", stored.clone());
    let (status, body) = api.put(&path, &moved).await.unwrap();
    assert_eq!((status, &body["field"]), (422, &json!("headers.Authorization")), "{body}");
    let kept = set(1, "https://hooks.example/b", stored.clone());
    let (status, body) = api.put(&path, &kept).await.unwrap();
    assert_eq!((status, &body["version"]), (200, &json!(2)), "{body}");
    assert_ne!(sealed("kept").await, first, "it is sealed anew");
    assert_eq!(api.put(&path, &kept).await.unwrap().0, 409);
    let named = set(2, url, json!({ "env": "MUSTER_CHANNEL_OPS_TOKEN" }));
    let (_, body) = api.put(&path, &named).await.unwrap();
    assert_eq!(
        body["definition"]["headers"]["Authorization"]["env"], "MUSTER_CHANNEL_OPS_TOKEN",
        "{body}"
    );
    let lost = set(3, url, stored);
    assert_eq!(api.put(&path, &lost).await.unwrap().0, 422);
    for path in ["/channels", path.as_str()] {
        assert!(!api.read(path).await.unwrap().to_string().contains(SECRET), "{path}");
    }

    for (body, field) in [
        (channel("gopher://a", &secret()), "url"),
        (json!({ "name": "a", "kind": "pigeon", "definition": {} }), "kind"),
        (
            json!({ "name": "a", "kind": "telegram",
                    "definition": { "token": "a", "chat_id": "1\0" } }),
            "chat_id",
        ),
        (json!({ "name": "", "definition": { "kind": "ntfy", "topic": "a" } }), "name"),
        (json!({ "name": "ops", "definition": { "kind": "ntfy", "topic": "a" } }), "name"),
    ] {
        let (status, said) = api.post("/channels", &body).await.unwrap();
        assert_eq!((status, &said["field"]), (422, &json!(field)), "{said}");
        assert!(!said.to_string().contains(SECRET), "{said}");
    }
    running.stack.shutdown().await;
}

#[tokio::test]
async fn a_header_typed_as_a_text_is_sealed_and_others_see_no_more_than_the_server() {
    let (running, api) = start_with_gateway().await;
    let mut typed = channel("https://hooks.example:8443/T1/path?key=1", &json!(SECRET));
    typed["definition"]["headers"]["X-Tenant"] = json!("web");
    let (status, made) = api.post("/channels", &typed).await.unwrap();
    let stored = json!({ "stored": true });
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["definition"]["headers"]["Authorization"], stored, "{made}");
    let sql = "SELECT row_to_json(channels)::text, secrets FROM channels";
    let row = running.database.client.query_one(sql, &[]).await.unwrap();
    assert!(!row.get::<_, String>(0).contains(SECRET));
    assert!(row.get::<_, Option<Vec<u8>>>(1).is_some());

    let path = format!("/channels/{}", made["id"]);
    assert_eq!(api.read(&path).await.unwrap()["definition"]["url"], typed["definition"]["url"]);
    let mut kept = typed.clone();
    (kept["version"], kept["definition"]) = (json!(1), made["definition"].clone());
    assert_eq!(api.put(&path, &kept).await.unwrap().0, 200);

    // As it was stored before such a header was a secret: it is shown to nobody, and not lost.
    let sql = "UPDATE channels SET secrets = NULL, definition =
               jsonb_set(definition, '{headers,Authorization}', to_jsonb($1::text))";
    running.database.client.execute(sql, &[&SECRET]).await.unwrap();
    let viewer = sign_in_as(&running, "viewer").await;
    for who in [&api, &viewer] {
        assert!(!who.read("/channels").await.unwrap().to_string().contains(SECRET));
    }
    for seen in [
        viewer.read(&path).await.unwrap(),
        viewer.read("/channels").await.unwrap()["items"][0].clone(),
    ] {
        let definition = &seen["definition"];
        assert_eq!(definition["url"], "https://hooks.example:8443/...", "{seen}");
        assert_eq!(definition["headers"]["X-Tenant"], json!({ "hidden": true }), "{seen}");
        assert_eq!(definition["headers"]["Authorization"], stored, "{seen}");
    }
    kept["version"] = json!(2);
    assert_eq!(api.put(&path, &kept).await.unwrap().0, 200);
    let row = running.database.client.query_one("SELECT secrets FROM channels", &[]).await.unwrap();
    assert!(row.get::<_, Option<Vec<u8>>>(0).is_some(), "it is sealed by the next change");
    running.stack.shutdown().await;
}

#[tokio::test]
async fn a_channel_is_tested_and_its_dead_notifications_are_dealt_with() {
    let (running, api) = start_with_gateway().await;
    let body = json!({ "name": "ops", "definition": { "kind": "ntfy", "topic": "a" } });
    let (status, made) = api.post("/channels", &body).await.unwrap();
    assert_eq!(status, 201, "{made}");
    let path = format!("/channels/{}", made["id"]);
    let (status, test) = api.post(&format!("{path}/test"), &json!({})).await.unwrap();
    assert_eq!(status, 202, "{test}");
    let id = test["notification_id"].as_i64().unwrap();
    let notification = format!("/notifications/{id}");
    let told = api.read(&notification).await.unwrap();
    assert_eq!((&told["state"], &told["kind"]), (&json!("pending"), &json!("test")), "{told}");
    assert_eq!(api.post(&format!("{path}/test"), &json!({})).await.unwrap().0, 409);
    assert_eq!(api.post(&format!("{notification}/retry"), &json!({})).await.unwrap().0, 409);

    let die = "UPDATE notifications SET state = 'dead', error = 'answered 500', attempts = 1";
    running.database.client.batch_execute(die).await.unwrap();
    let dead = api.read("/notifications?state=dead").await.unwrap();
    assert_eq!((&dead["items"][0]["id"], &dead["next"]), (&json!(id), &json!(null)), "{dead}");
    let shown = api.read(&path).await.unwrap();
    assert_eq!((&shown["dead_24h"], &shown["waiting"]), (&json!(1), &json!(0)), "{shown}");
    assert_eq!(shown["last_error"], "answered 500");
    assert_eq!(api.post(&format!("{notification}/retry"), &json!({})).await.unwrap().0, 204);
    let told = api.read(&notification).await.unwrap();
    assert_eq!((&told["state"], &told["attempts"]), (&json!("pending"), &json!(0)), "{told}");
    running.database.client.batch_execute(die).await.unwrap();
    assert_eq!(api.post(&format!("{notification}/discard"), &json!({})).await.unwrap().0, 204);
    assert_eq!(api.get(&notification).await.unwrap().0, 404);

    let mut named = rule("CPU");
    named["escalation"] = json!([{ "after_s": 60, "channels": [made["id"]] }]);
    let (status, rule) = api.post("/rules", &named).await.unwrap();
    assert_eq!(status, 201, "{rule}");
    let (status, body) = api.delete(&path).await.unwrap();
    assert_eq!(status, 409, "{body}");
    assert!(body["detail"].as_str().unwrap().contains("CPU"), "{body}");
    check_switching_off(&running, &api, &path, &named).await;
    assert_eq!(api.delete(&format!("/rules/{}?version=1", rule["id"])).await.unwrap().0, 204);
    assert_eq!(api.delete(&path).await.unwrap().0, 204);
    running.stack.shutdown().await;
}

/// Of a channel that a rule names, which would tell nobody then.
async fn check_switching_off(running: &Running, api: &Api, path: &str, named: &Value) {
    let definition = json!({ "kind": "ntfy", "topic": "a" });
    let off = |name: &str, version: i64| json!({ "name": name, "version": version, "enabled": false, "definition": definition });
    let (status, body) = api.put(path, &off("ops", 1)).await.unwrap();
    assert_eq!(status, 409, "{body}");
    assert!(body["detail"].as_str().unwrap().contains("CPU"), "{body}");
    assert_eq!(api.read(path).await.unwrap()["enabled"], true);

    let other = json!({ "name": "other", "definition": definition });
    let (_, other) = api.post("/channels", &other).await.unwrap();
    let dead = "
        INSERT INTO notifications (key, channel_id, alert_ids, kind, payload, state)
        VALUES ('dead', $1, '{}', 'opened', '{}', 'dead') RETURNING id";
    let id = other["id"].as_i64().unwrap();
    let dead: i64 = running.database.client.query_one(dead, &[&id]).await.unwrap().get(0);
    let (status, body) = api.put(&format!("/channels/{id}"), &off("other", 1)).await.unwrap();
    assert_eq!((status, &body["enabled"]), (200, &json!(false)), "{body}");
    let retry = format!("/notifications/{dead}/retry");
    let (status, body) = api.post(&retry, &json!({})).await.unwrap();
    assert_eq!(status, 409, "{body}");
    assert_eq!(api.read(&format!("/notifications/{dead}")).await.unwrap()["state"], "dead");
    let mut named = named.clone();
    named["channels"] = json!([id]);
    let (status, body) = api.post("/rules", &named).await.unwrap();
    assert_eq!((status, &body["field"]), (422, &json!("channels")), "{body}");
}

/// A ticket that was told to a channel, of which more is waiting there and more is being sent.
const TOLD: &str = "
    INSERT INTO rules (definition) VALUES ('{\"name\": \"CPU\"}');
    INSERT INTO alerts (
        key, rule_id, rule_version, host_id, metric, priority, status, title, description,
        begun_at, opened_at
    )
    VALUES ('1/web-1//1', 1, 1, 'web-1', 'cpu.usage_percent', 'low', 'open', 'CPU', '', now(),
            now());
    INSERT INTO notifications (
        key, channel_id, alert_ids, kind, payload, state, error, claimed_by, claimed_until
    )
    SELECT told.key, channels.id, ARRAY[alerts.id], 'opened', '{}', told.state, told.error,
           told.worker, now() + interval '1 hour' * told.hours
    FROM channels, alerts, (VALUES
        (1, 'sent', 'sent', NULL, NULL, NULL),
        (2, 'waiting', 'pending', 'answered 500', NULL, NULL),
        (3, 'lost', 'pending', NULL, 'killed', -1),
        (4, 'leaving', 'pending', NULL, 'alive', 1)
    ) AS told (place, key, state, error, worker, hours)
    ORDER BY told.place;";

#[tokio::test]
async fn a_ticket_shows_whom_it_was_told_to_after_the_channel_was_deleted() {
    let (running, api) = start_with_gateway().await;
    let definition = json!({ "kind": "webhook", "url": "https://hooks.example/a",
                             "headers": { "Authorization": SECRET } });
    let body = json!({ "name": "ops", "is_default": true, "definition": definition });
    let (status, made) = api.post("/channels", &body).await.unwrap();
    assert_eq!(status, 201, "{made}");
    let path = format!("/channels/{}", made["id"]);
    running.database.client.batch_execute(TOLD).await.unwrap();
    assert_eq!(api.delete(&path).await.unwrap().0, 204);

    let ticket = api.read("/alerts/1").await.unwrap();
    let told: Vec<Value> = ticket["notifications"]
        .as_array()
        .unwrap()
        .iter()
        .map(|told| json!([told["channel"], told["state"], told["error"]]))
        .collect();
    let expected = [
        json!(["ops", "pending", null]),
        json!(["ops", "dead", "its channel was deleted"]),
        json!(["ops", "dead", "its channel was deleted: answered 500"]),
        json!(["ops", "sent", null]),
    ];
    assert_eq!(told, expected, "{ticket}");
    let dead =
        api.read(&format!("/notifications?state=dead&channel={}", made["id"])).await.unwrap();
    let dead = format!("/notifications/{}", dead["items"][0]["id"]);
    let (status, body) = api.post(&format!("{dead}/retry"), &json!({})).await.unwrap();
    assert_eq!(status, 409, "{body}");
    assert!(body["detail"].as_str().unwrap().contains("deleted"), "{body}");
    assert_eq!(api.post(&format!("{dead}/discard"), &json!({})).await.unwrap().0, 204);
    check_gone(&running, &api, &made).await;
    running.stack.shutdown().await;
}

/// Nobody can do anything with it any more, and another may have its name.
async fn check_gone(running: &Running, api: &Api, made: &Value) {
    let path = format!("/channels/{}", made["id"]);
    assert_eq!(api.read("/channels").await.unwrap()["items"], json!([]));
    let definition = json!({ "kind": "ntfy", "topic": "a" });
    let mut body = json!({ "name": "ops", "version": 2, "definition": definition });
    assert_eq!(api.get(&path).await.unwrap().0, 404);
    assert_eq!(api.put(&path, &body).await.unwrap().0, 404);
    assert_eq!(api.post(&format!("{path}/test"), &json!({})).await.unwrap().0, 404);
    assert_eq!(api.delete(&path).await.unwrap().0, 404);
    let mut named = rule("CPU");
    named["channels"] = json!([made["id"]]);
    let (status, said) = api.post("/rules", &named).await.unwrap();
    assert_eq!((status, &said["field"]), (422, &json!("channels")), "{said}");
    let kept = "
        SELECT definition = '{}' AND secrets IS NULL AND NOT enabled AND NOT is_default
               AND updated_by = 'admin'
        FROM channels";
    assert!(running.database.client.query_one(kept, &[]).await.unwrap().get::<_, bool>(0));

    body.as_object_mut().unwrap().remove("version");
    let (status, other) = api.post("/channels", &body).await.unwrap();
    assert_eq!(status, 201, "{other}");
    assert_ne!(other["id"], made["id"]);
}

#[tokio::test]
async fn nobody_is_told_over_a_channel_that_was_deleted_and_the_ticket_says_so() {
    let mut desk = Desk::new(StackOptions { gateway: true, ..StackOptions::default() }).await;
    let api = sign_in(&desk.running).await;
    // What the same rule says soon after would be gathered for longer.
    let (rule, other) = (desk.rule(&cpu_rule()).await, desk.rule(&cpu_rule()).await);
    desk.start_workers(1);
    let (first, second, since) = (TestHost::new("web-1"), TestHost::new("web-2"), now_ms());
    desk.say(&first, &rule, Breached, since).await;
    desk.wait_for_kinds(&desk.hook, &["opened"]).await;
    let channel = api.read("/channels").await.unwrap()["items"][0]["id"].clone();
    assert_eq!(api.delete(&format!("/channels/{channel}")).await.unwrap().0, 204);
    desk.say(&first, &rule, Cleared, since).await;
    desk.say(&second, &other, Breached, since).await;
    let untold = "SELECT count(*) FROM alert_history WHERE kind = 'told_nobody'";
    desk.wait_for("the second ticket says that nobody was told", untold, 1).await;
    let over = "SELECT count(*) FROM alerts WHERE status = 'resolved'";
    desk.wait_for("the first ticket is over", over, 1).await;
    desk.wait_for("nothing is left to be told", "SELECT count(*) FROM pages", 0).await;
    assert_eq!(desk.running.database.count("notifications").await.unwrap(), 1);
    desk.running.stack.shutdown().await;
}

#[tokio::test]
async fn there_are_250_channels_and_no_more() {
    let (running, api) = start_with_gateway().await;
    let many = "
        INSERT INTO channels (name, kind, definition)
        SELECT 'channel ' || n, 'ntfy', '{\"topic\": \"a\"}' FROM generate_series(1, 250) AS n";
    running.database.client.batch_execute(many).await.unwrap();
    let one_more = json!({ "name": "ops", "definition": { "kind": "ntfy", "topic": "a" } });
    let (status, body) = api.post("/channels", &one_more).await.unwrap();
    assert_eq!(status, 409, "{body}");
    assert!(body["detail"].as_str().unwrap().contains("250"), "{body}");
    assert_eq!(api.delete("/channels/7").await.unwrap().0, 204);
    let (status, body) = api.post("/channels", &one_more).await.unwrap();
    assert_eq!(status, 201, "{body}");
    running.stack.shutdown().await;
}
