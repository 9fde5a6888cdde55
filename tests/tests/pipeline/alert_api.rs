//! What people edit of alerting, over REST: rules, silences and the dead-man's switch; who may, and
//! how all of it is described. Channels are in `alert_channels`.

use muster_tests::api::Api;
use serde_json::{Value, json};

use crate::setup::{Running, start_with_gateway};

pub fn rule(name: &str) -> Value {
    json!({
        "name": name, "priority": "high", "for_s": 300, "cooldown_s": 600,
        "selector": "role=web", "title": "CPU of {{host}} at {{value}}",
        "condition": {
            "kind": "metric", "metric": "cpu.usage_percent", "op": "above", "threshold": 90,
        },
    })
}

fn with(place: &str, value: Value) -> Value {
    let mut rule = rule("CPU");
    *rule.pointer_mut(place).unwrap() = value;
    rule
}

/// Of what a rule of this test says: a body that `POST` and `PUT` refuse alike.
async fn check_refused(api: &Api, id: i64, rule: &Value, field: &str) {
    let changed = json!({ "version": 1, "definition": rule });
    let made = api.post("/rules", rule).await.unwrap();
    let set = api.put(&format!("/rules/{id}"), &changed).await.unwrap();
    for (status, body) in [made, set] {
        assert_eq!((status, &body["field"]), (422, &json!(field)), "{body}");
        assert!(body["detail"].as_str().is_some_and(|said| said.contains(field)), "{body}");
    }
}

#[tokio::test]
async fn a_rule_with_nonsense_is_refused_by_the_name_of_its_field() {
    let (running, api) = start_with_gateway().await;
    let (status, made) = api.post("/rules", &rule("CPU")).await.unwrap();
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_i64().unwrap();
    for (place, value, field) in [
        ("/condition/threshold", json!("NaN"), "condition.threshold"),
        ("/condition/threshold", json!(null), "condition.threshold"),
        ("/condition/metric", json!("cpu.magic"), "condition.metric"),
        ("/condition/op", json!("over"), "condition.op"),
        ("/condition/kind", json!("magic"), "condition.kind"),
        ("/for_s", json!(-1), "for_s"),
        ("/for_s", json!("5m"), "for_s"),
        ("/cooldown_s", json!(-1), "cooldown_s"),
        ("/selector", json!("role==web"), "selector"),
        ("/selector", json!("role=web,,"), "selector"),
        ("/title", json!("{{hots}}"), "title"),
        ("/title", json!("{{host"), "title"),
        ("/title", json!("x".repeat(300)), "title"),
        ("/priority", json!("urgent"), "priority"),
    ] {
        check_refused(&api, id, &with(place, value), field).await;
    }
    let mut named = rule("CPU");
    named["channels"] = json!([77]);
    check_refused(&api, id, &named, "channels").await;
    named["channels"] = json!([]);
    named["escalation"] = json!([{ "after_s": 60, "channels": [77] }]);
    check_refused(&api, id, &named, "escalation[0].channels").await;

    for field in ["description", "recommendation"] {
        let mut rule = rule("CPU");
        rule[field] = json!("Look at {{hots}}.");
        check_refused(&api, id, &rule, field).await;
    }
    check_no_numbers(&api, id).await;
    check_too_large(&api, id).await;
    let listed = api.read("/rules").await.unwrap();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    running.stack.shutdown().await;
}

/// What is no JSON has a place, too.
async fn check_no_numbers(api: &Api, id: i64) {
    for number in ["NaN", "1e999", "-1e999", "Infinity", "\"NaN\""] {
        let rule = rule("CPU").to_string().replace(":90", &format!(":{number}"));
        let changed = format!("{{\"version\":1,\"definition\":{rule}}}");
        let made = api.post_text("/rules", rule).await.unwrap();
        let set = api.put_text(&format!("/rules/{id}"), changed).await.unwrap();
        for (status, body) in [made, set] {
            let field = json!("condition.threshold");
            assert_eq!((status, &body["field"]), (422, &field), "{number}: {body}");
        }
    }
}

/// What is too large is read as far as it may be.
async fn check_too_large(api: &Api, id: i64) {
    let rule = with("/title", json!("x".repeat(10 << 20)));
    let changed = json!({ "version": 1, "definition": rule });
    let made = api.post("/rules", &rule).await.unwrap();
    let set = api.put(&format!("/rules/{id}"), &changed).await.unwrap();
    for (status, body) in [made, set] {
        assert_eq!((status, &body["field"]), (413, &json!("title")), "{body}");
    }
}

#[tokio::test]
async fn a_rule_has_versions_copies_and_an_end_and_nobody_overwrites_another() {
    let (running, api) = start_with_gateway().await;
    let (_, made) = api.post("/rules", &rule("CPU")).await.unwrap();
    let path = format!("/rules/{}", made["id"]);
    assert_eq!((&made["version"], &made["updated_by"]), (&json!(1), &json!("admin")));
    assert_eq!((&made["firing"], &made["pending"]), (&json!(0), &json!(0)));
    assert_eq!(made["definition"]["enabled"], true);

    let change = json!({ "version": 1, "definition": with("/for_s", json!(60)) });
    let (status, changed) = api.put(&path, &change).await.unwrap();
    assert_eq!((status, &changed["version"]), (200, &json!(2)), "{changed}");
    let (status, body) = api.put(&path, &change).await.unwrap();
    assert_eq!(status, 409, "{body}");
    // The same once more is no new version.
    let again = json!({ "version": 2, "definition": with("/for_s", json!(60)) });
    assert_eq!(api.put(&path, &again).await.unwrap().1["version"], 2);

    let versions = api.read(&format!("{path}/versions")).await.unwrap();
    let told: Vec<(i64, i64)> = versions["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| (v["version"].as_i64().unwrap(), v["definition"]["for_s"].as_i64().unwrap()))
        .collect();
    assert_eq!(told, [(2, 60), (1, 300)], "{versions}");
    assert_eq!(versions["items"][0]["by"], "admin");

    let (status, copy) = api.post(&format!("{path}/clone"), &json!({})).await.unwrap();
    let definition = &copy["definition"];
    assert_eq!((status, &definition["name"]), (201, &json!("Copy of CPU")), "{copy}");
    assert_eq!((&definition["enabled"], &copy["is_default"]), (&json!(false), &json!(false)));

    assert_eq!(api.delete(&format!("{path}?version=1")).await.unwrap().0, 409);
    assert_eq!(api.delete(&format!("{path}?version=2")).await.unwrap().0, 204);
    assert_eq!(api.get(&path).await.unwrap().0, 404);
    assert_eq!(api.read("/rules").await.unwrap()["items"].as_array().unwrap().len(), 1);
    assert_eq!(api.read(&format!("{path}/versions")).await.unwrap()["items"][0]["version"], 2);
    for path in ["/rules/0", "/rules/abc", "/rules/0/versions"] {
        assert_eq!(api.get(path).await.unwrap().0, 404, "{path}");
    }
    let words = api.read("/rules/vocabulary").await.unwrap();
    assert_eq!(words["metrics"][0]["name"], "cpu.usage_percent");
    assert_eq!(words["limits"]["title_bytes"], 200);
    running.stack.shutdown().await;
}

#[tokio::test]
async fn only_administrators_change_what_alerting_does() {
    let (running, api) = start_with_gateway().await;
    assert_eq!(api.post("/rules", &rule("CPU")).await.unwrap().0, 201);
    for role in ["viewer", "operator"] {
        let other = sign_in_as(&running, role).await;
        for (path, body) in [
            ("/rules", rule("b")),
            ("/rules/1/clone", json!({})),
            ("/silences", json!({ "reason": "a", "ends_at": 4_000_000_000_000i64 })),
            ("/channels", json!({ "name": "a", "definition": { "kind": "ntfy", "topic": "a" } })),
            ("/channels/1/test", json!({})),
            ("/notifications/1/discard", json!({})),
        ] {
            let (status, body) = other.post(path, &body).await.unwrap();
            assert_eq!(status, 403, "{role} {path}: {body}");
        }
        let ntfy = json!({ "kind": "ntfy", "topic": "a" });
        for (path, body) in [
            ("/deadman", json!({ "version": 0, "url": null })),
            ("/rules/1", json!({ "version": 1, "definition": rule("b") })),
            ("/channels/1", json!({ "version": 1, "name": "a", "definition": ntfy })),
        ] {
            let (status, body) = other.put(path, &body).await.unwrap();
            assert_eq!(status, 403, "{role} {path}: {body}");
        }
        for path in ["/rules/1?version=1", "/channels/1"] {
            assert_eq!(other.delete(path).await.unwrap().0, 403, "{role} {path}");
        }
        for path in ["/silences/1/end", "/notifications/1/retry"] {
            assert_eq!(other.post(path, &json!({})).await.unwrap().0, 403, "{role} {path}");
        }
        let may_test = if role == "viewer" { 403 } else { 200 };
        let draft = json!({ "definition": rule("b") });
        let (status, body) = other.post("/rules/backtest", &draft).await.unwrap();
        assert_eq!(status, may_test, "{role}: {body}");
        for path in ["/rules", "/silences", "/channels", "/notifications", "/deadman", "/alerts"] {
            assert_eq!(other.get(path).await.unwrap().0, 200, "{role} {path}");
        }
    }
    running.stack.shutdown().await;
}

/// Somebody else, with the administrator's password.
pub async fn sign_in_as(running: &Running, role: &str) -> Api {
    let sql = "
        INSERT INTO users (username, password_hash, role)
        SELECT $1, password_hash, $1 FROM users WHERE username = 'admin'";
    running.database.client.execute(sql, &[&role]).await.unwrap();
    let password = &running.stack.admin().password;
    Api::sign_in(running.stack.gateway_url(), role, password).await.unwrap()
}

#[tokio::test]
async fn silences_are_made_listed_and_ended() {
    let (running, api) = start_with_gateway().await;
    let far = 4_000_000_000_000i64;
    let silence = |more: Value| {
        let mut silence = json!({ "selector": "role=web", "reason": "patching", "ends_at": far });
        silence.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        silence
    };
    let window = |zone: &str| {
        json!({ "recurrence": {
            "weekdays": ["sat"], "time": "23:00", "duration_s": 3600, "zone": zone,
        }})
    };
    for (more, field) in [
        (json!({ "selector": "a=" }), "selector"),
        (json!({ "reason": "" }), "reason"),
        (json!({ "ends_at": 1 }), "ends_at"),
        (json!({ "ends_at": null }), "ends_at"),
        (json!({ "rule_id": 9 }), "rule_id"),
        (json!({ "for": "ever" }), "for"),
        (window("Mars/Base"), "recurrence.zone"),
    ] {
        let (status, body) = api.post("/silences", &silence(more)).await.unwrap();
        assert_eq!((status, &body["field"]), (422, &json!(field)), "{body}");
    }
    let (status, now) = api.post("/silences", &silence(json!({}))).await.unwrap();
    assert_eq!((status, &now["is_active"], &now["author"]), (201, &json!(true), &json!("admin")));
    let coming = silence(json!({ "starts_at": far - 1 }));
    assert_eq!(api.post("/silences", &coming).await.unwrap().1["is_active"], false);
    let again = silence(window("Europe/Berlin"));
    let (status, again) = api.post("/silences", &again).await.unwrap();
    assert_eq!((status, &again["recurrence"]["zone"]), (201, &json!("Europe/Berlin")), "{again}");

    let end = format!("/silences/{}/end", now["id"]);
    let (status, ended) = api.post(&end, &json!({})).await.unwrap();
    assert_eq!((status, &ended["is_active"]), (200, &json!(false)), "{ended}");
    assert_eq!(ended["ended_by"], "admin");
    for (state, count) in [("active", 2), ("ended", 1), ("all", 3)] {
        let page = api.read(&format!("/silences?state={state}")).await.unwrap();
        assert_eq!(page["items"].as_array().unwrap().len(), count, "{state}: {page}");
    }
    let page = api.read("/silences?state=all&limit=2").await.unwrap();
    let next = page["next"].as_str().unwrap();
    let rest = api.read(&format!("/silences?state=all&limit=2&cursor={next}")).await.unwrap();
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (1, &json!(null)));
    assert_eq!(api.post("/silences/99/end", &json!({})).await.unwrap().0, 404);
    running.stack.shutdown().await;
}

#[tokio::test]
async fn rules_and_silences_say_how_many_hosts_they_select() {
    let (running, api) = start_with_gateway().await;
    let sql =
        "INSERT INTO hosts (id, labels) VALUES ('web-1', '{\"role\":\"web\"}'), ('db-1', '{}')";
    running.database.client.execute(sql, &[]).await.unwrap();
    for (selector, count) in [("role=web", 1), ("", 2), ("role=wbe", 0), ("id=db-*|web-1", 2)] {
        let mut wanted = rule(selector);
        (wanted["name"], wanted["selector"]) = (json!(format!("of {count}")), json!(selector));
        let (status, made) = api.post("/rules", &wanted).await.unwrap();
        assert_eq!((status, &made["hosts_selected"]), (201, &json!(count)), "{made}");
        let silence =
            json!({ "selector": selector, "reason": "a", "ends_at": 4_000_000_000_000i64 });
        let (status, made) = api.post("/silences", &silence).await.unwrap();
        assert_eq!((status, &made["hosts_selected"]), (201, &json!(count)), "{made}");
    }
    let selected = |list: &Value| -> Vec<i64> {
        let items = list["items"].as_array().unwrap();
        items.iter().map(|item| item["hosts_selected"].as_i64().unwrap()).collect()
    };
    let rules = api.read("/rules").await.unwrap();
    assert_eq!(selected(&rules), [1, 2, 0, 2]);
    assert_eq!(selected(&api.read("/silences").await.unwrap()), [2, 0, 2, 1]);
    let first = &rules["items"][0];
    let mut changed = first["definition"].clone();
    changed["selector"] = json!("!role");
    let path = format!("/rules/{}", first["id"]);
    let change = json!({ "version": first["version"], "definition": changed });
    let (_, set) = api.put(&path, &change).await.unwrap();
    assert_eq!(set["hosts_selected"], 1, "{set}");
    assert_eq!(api.read(&path).await.unwrap()["hosts_selected"], 1);
    running.stack.shutdown().await;
}

#[tokio::test]
async fn the_dead_mans_switch_is_set_by_one_at_a_time() {
    let (running, api) = start_with_gateway().await;
    let unset = api.read("/deadman").await.unwrap();
    assert_eq!((&unset["version"], &unset["url"]), (&json!(0), &json!(null)), "{unset}");
    assert_eq!(unset["interval_s"], 60);
    let url = "https://hc.example/ping/7";
    let body = json!({ "version": 0, "url": url, "interval_s": 120 });
    let (status, set) = api.put("/deadman", &body).await.unwrap();
    assert_eq!((status, &set["version"], &set["url"]), (200, &json!(1), &json!(url)), "{set}");
    assert_eq!(set["updated_by"], "admin");
    assert_eq!(api.put("/deadman", &body).await.unwrap().0, 409);
    for (body, field) in [
        (json!({ "version": 1, "url": "hc.example" }), "url"),
        (json!({ "version": 1, "url": url, "interval_s": 5 }), "interval_s"),
        (json!({ "url": url }), "version"),
    ] {
        let (status, said) = api.put("/deadman", &body).await.unwrap();
        assert_eq!((status, &said["field"]), (422, &json!(field)), "{said}");
    }
    let fail = "UPDATE deadman SET last_error = '404 of https://hc.example/ping/7'";
    running.database.client.batch_execute(fail).await.unwrap();
    let shown = sign_in_as(&running, "viewer").await.read("/deadman").await.unwrap();
    assert_eq!(shown["url"], "https://hc.example/...", "{shown}");
    assert!(!shown.to_string().contains("ping/7"), "{shown}");
    assert_eq!(api.read("/deadman").await.unwrap()["url"], url);
    check_answers_of_the_address(&running, &api, url).await;
    let off = json!({ "version": 3, "url": null });
    assert_eq!(api.put("/deadman", &off).await.unwrap().1["url"], json!(null));
    running.stack.shutdown().await;
}

/// They are told as long as it is the same one.
async fn check_answers_of_the_address(running: &Running, api: &Api, url: &str) {
    let answered = "
        UPDATE deadman
        SET last_at = to_timestamp(2), last_error = 'answered 500', last_ok_at = to_timestamp(1)";
    running.database.client.batch_execute(answered).await.unwrap();
    let last = |shown: &Value| {
        let [at, error, ok_at] = ["last_at", "last_error", "last_ok_at"].map(|key| &shown[key]);
        json!([at, error, ok_at])
    };
    let known = json!([2_000, "answered 500", 1_000]);
    assert_eq!(last(&api.read("/deadman").await.unwrap()), known);
    let slower = json!({ "version": 1, "url": url, "interval_s": 300 });
    assert_eq!(last(&api.put("/deadman", &slower).await.unwrap().1), known);
    let other = json!({ "version": 2, "url": "https://hc.example/ping/8" });
    let (status, shown) = api.put("/deadman", &other).await.unwrap();
    assert_eq!((status, last(&shown)), (200, json!([null, null, null])), "{shown}");
}

/// The page of the interface is made of the same words.
#[tokio::test]
async fn every_address_of_alerting_is_described() {
    let (running, _) = start_with_gateway().await;
    let url = format!("{}/api/openapi.json", running.stack.gateway_url());
    let described: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    for (path, methods) in [
        ("alerts", &["get"][..]),
        ("alerts/counts", &["get"]),
        ("alerts/hosts", &["get"]),
        ("alerts/summary", &["get"]),
        ("alerts/acknowledge", &["post"]),
        ("alerts/{id}", &["get"]),
        ("alerts/{id}/acknowledge", &["post"]),
        ("alerts/{id}/unacknowledge", &["post"]),
        ("alerts/{id}/resolve", &["post"]),
        ("alerts/{id}/comments", &["post"]),
        ("rules", &["get", "post"]),
        ("rules/{id}", &["delete", "get", "put"]),
        ("rules/{id}/clone", &["post"]),
        ("rules/{id}/versions", &["get"]),
        ("rules/vocabulary", &["get"]),
        ("rules/backtest", &["post"]),
        ("silences", &["get", "post"]),
        ("silences/{id}/end", &["post"]),
        ("channels", &["get", "post"]),
        ("channels/{id}", &["delete", "get", "put"]),
        ("channels/{id}/test", &["post"]),
        ("notifications", &["get"]),
        ("notifications/{id}", &["get"]),
        ("notifications/{id}/retry", &["post"]),
        ("notifications/{id}/discard", &["post"]),
        ("deadman", &["get", "put"]),
    ] {
        let described = described["paths"][format!("/api/v1/{path}")].as_object().unwrap();
        let mut found: Vec<&str> = described.keys().map(String::as_str).collect();
        found.sort_unstable();
        assert_eq!(found, methods, "{path}");
        for (method, operation) in described {
            check_described(&format!("{method} {path}"), operation);
        }
    }
    running.stack.shutdown().await;
}

/// What it takes and answers, also where it refuses.
fn check_described(what: &str, operation: &Value) {
    let answers = operation["responses"].as_object().unwrap();
    let mut expected = vec!["401"];
    let has_body = operation["requestBody"].is_object();
    let conditions = [
        ("403", !what.starts_with("get ")),
        ("404", what.contains("{id}")),
        ("413", has_body),
        ("422", has_body || what.contains("summary")),
    ];
    expected.extend(conditions.into_iter().filter(|(_, is_so)| *is_so).map(|(status, _)| status));
    for status in expected {
        assert!(answers.contains_key(status), "{what} answers {status}, too: {operation}");
    }
    assert!(answers.keys().any(|status| status.starts_with('2')), "{what}: {operation}");
    for (status, answer) in answers {
        let problem = &answer["content"]["application/problem+json"]["schema"]["$ref"];
        let body = &answer["content"]["application/json"]["schema"];
        match status.as_str() {
            "204" => assert_eq!(answer["content"], Value::Null, "{what}"),
            "200" | "201" | "202" => assert!(body.is_object(), "{what} {status}: {answer}"),
            _ => assert_eq!(problem, "#/components/schemas/ProblemBody", "{what} {status}"),
        }
    }
    let taken = &operation["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(taken.is_object(), has_body, "{what}: {operation}");
}
