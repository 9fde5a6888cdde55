//! Tickets over REST: lists, one of them, and what people do to them.

use muster_tests::api::Api;
use muster_tests::database::Database;
use serde_json::{Value, json};
use tokio_postgres::types::ToSql;

use crate::alert_api::{rule, sign_in_as};
use crate::setup::start_with_gateway;

/// 2026-11-18T12:00:00Z, a Wednesday.
const NOON: i64 = 1_795_003_200_000;
const HOUR_MS: i64 = 3_600_000;

/// A ticket as the engine opens one.
struct Opened<'a> {
    key: &'a str,
    rule: i64,
    host: Option<&'a str>,
    priority: &'a str,
    at: i64,
    resolved_at: Option<i64>,
}

async fn open(database: &Database, opened: Opened<'_>) -> i64 {
    let Opened { key, rule, host, priority, at, resolved_at } = opened;
    let sql = "
        INSERT INTO alerts (
            key, rule_id, rule_version, host_id, instance, metric, priority, status, title,
            description, recommendation, value, threshold, begun_at, opened_at, resolved_at,
            resolution, context
        )
        VALUES ($1, $2, 1, $3, '/var', 'cpu.usage_percent', $4,
                CASE WHEN $6::bigint IS NULL THEN 'open' ELSE 'resolved' END,
                'CPU of ' || coalesce($3, 'a group'), 'It is busy.', 'Look.', 97.5, 90,
                to_timestamp($5::bigint / 1000.0) - interval '5 minutes',
                to_timestamp($5 / 1000.0), to_timestamp($6 / 1000.0),
                CASE WHEN $6 IS NOT NULL THEN 'recovered' END,
                CASE WHEN $3 IS NULL THEN '{\"hosts_count\": 7}' ELSE '{}' END::jsonb)
        RETURNING id";
    let values: [&(dyn ToSql + Sync); 6] = [&key, &rule, &host, &priority, &at, &resolved_at];
    database.client.query_one(sql, &values).await.unwrap().get(0)
}

async fn titles(api: &Api, query: &str) -> Vec<String> {
    let page = api.read(&format!("/alerts?{query}")).await.unwrap();
    let items = page["items"].as_array().unwrap().iter();
    items.map(|item| item["title"].as_str().unwrap().replace("CPU of ", "")).collect()
}

async fn two_rules(api: &Api) -> (i64, i64) {
    let mut ids = Vec::new();
    for name in ["CPU", "Memory"] {
        let (status, made) = api.post("/rules", &rule(name)).await.unwrap();
        assert_eq!(status, 201, "{made}");
        ids.push(made["id"].as_i64().unwrap());
    }
    (ids[0], ids[1])
}

#[tokio::test]
async fn tickets_are_found_counted_and_summed_up() {
    let (running, api) = start_with_gateway().await;
    let (cpu, memory) = two_rules(&api).await;
    let database = &running.database;
    let hosts =
        "INSERT INTO hosts (id, labels) VALUES ('web-1', '{\"role\":\"web\"}'), ('db-1', '{}')";
    database.client.batch_execute(hosts).await.unwrap();
    let opened = |key, rule, host, priority, at, resolved_at| {
        open(database, Opened { key, rule, host, priority, at, resolved_at })
    };
    opened("1", cpu, Some("web-1"), "critical", NOON, None).await;
    opened("2", cpu, Some("db-1"), "high", NOON + 1, Some(NOON + HOUR_MS)).await;
    opened("3", memory, Some("web-1"), "low", NOON + 1, None).await;
    opened("4", memory, None, "medium", NOON + 2, None).await;

    for (query, found) in [
        ("", vec!["a group", "web-1", "db-1", "web-1"]),
        ("status=active", vec!["a group", "web-1", "web-1"]),
        ("status=resolved", vec!["db-1"]),
        ("status=acknowledged", vec![]),
        ("priority=critical,high", vec!["db-1", "web-1"]),
        ("host=web-1&priority=low", vec!["web-1"]),
        ("q=GROUP", vec!["a group"]),
        ("q=/var&status=resolved", vec!["db-1"]),
        ("label=role%3Dweb", vec!["web-1", "web-1"]),
        ("label=role", vec!["web-1", "web-1"]),
        ("label=role%3Ddb", vec![]),
    ] {
        assert_eq!(titles(&api, query).await, found, "{query}");
    }
    assert_eq!(titles(&api, &format!("rule={memory}")).await, ["a group", "web-1"]);
    let range = format!("from={}&to={}", NOON + 1, NOON + 2);
    assert_eq!(titles(&api, &range).await, ["web-1", "db-1"]);
    let first = api.read("/alerts?limit=3").await.unwrap();
    let next = first["next"].as_str().unwrap();
    assert_eq!(titles(&api, &format!("limit=3&cursor={next}")).await, ["web-1"]);
    let counts = json!({
        "open": 3, "acknowledged": 0, "critical": 1, "high": 0, "medium": 1, "low": 1,
    });
    assert_eq!(first["counts"], counts);
    assert_eq!(api.read("/alerts/counts").await.unwrap(), counts);
    assert_eq!(
        (&first["items"][0]["hosts_count"], &first["items"][0]["host_id"]),
        (&7.into(), &Value::Null)
    );
    for query in
        ["status=closed", "priority=urgent", "label=%3D", "rule=x", "limit=501", "cursor=x"]
    {
        assert_eq!(api.get(&format!("/alerts?{query}")).await.unwrap().0, 422, "{query}");
    }

    let hosts = json!({ "items": [{ "host": "web-1", "number": 2, "worst": "critical" }] });
    assert_eq!(api.read("/alerts/hosts").await.unwrap(), hosts);
    check_summaries(&api, cpu).await;
    let listed = api.read("/rules").await.unwrap();
    assert_eq!(listed["items"][0]["firing"], 1, "{listed}");
    running.stack.shutdown().await;
}

async fn check_summaries(api: &Api, cpu: i64) {
    let week = api.read(&format!("/alerts/summary?period=week&by=rule&at={NOON}")).await.unwrap();
    let monday = NOON - 60 * HOUR_MS;
    assert_eq!((&week["from"], &week["to"]), (&json!(monday), &json!(monday + 168 * HOUR_MS)));
    let row = &week["items"].as_array().unwrap().iter().find(|r| r["rule_id"] == cpu).unwrap();
    assert_eq!(
        (&row["count"], &row["rule_name"], &row["host_id"]),
        (&json!(2), &json!("CPU"), &Value::Null)
    );
    let month = api.read(&format!("/alerts/summary?period=month&by=host&at={NOON}")).await.unwrap();
    let of_db = month["items"].as_array().unwrap().iter().find(|r| r["host_id"] == "db-1").unwrap();
    assert_eq!((&of_db["count"], &of_db["total_s"]), (&json!(1), &json!(3_900)), "{of_db}");
    assert_eq!(of_db["mean_acknowledge_s"], Value::Null);
    assert!((of_db["mean_resolve_s"].as_f64().unwrap() - 3_600.0).abs() < 0.01, "{of_db}");
    assert_eq!((&of_db["acknowledged"], &of_db["resolved"]), (&json!(0), &json!(1)), "{of_db}");
    // Three hosts' worth of rows, the group among them, and all four tickets.
    for summary in [&week, &month] {
        let total = &summary["total"];
        assert_eq!((&total["count"], &total["resolved"]), (&json!(4), &json!(1)), "{total}");
        let of_rows = |field: &str| -> i64 {
            let rows = summary["items"].as_array().unwrap().iter();
            rows.map(|row| row[field].as_i64().unwrap()).sum()
        };
        assert_eq!((of_rows("count"), of_rows("acknowledged")), (4, 0), "{summary}");
        assert!((total["mean_resolve_s"].as_f64().unwrap() - 3_600.0).abs() < 0.01, "{total}");
    }
    let other = api.read(&format!("/alerts/summary?at={}", monday - 1)).await.unwrap();
    assert_eq!((&other["items"], &other["total"]["count"]), (&json!([]), &json!(0)));
    assert_eq!(
        (&other["total"]["total_s"], &other["total"]["mean_resolve_s"]),
        (&0.into(), &Value::Null)
    );
}

async fn check_nonsense(api: &Api, path: &str) {
    for (path, body, status) in [
        (format!("{path}/comments"), json!({ "text": " " }), 422),
        (format!("{path}/comments"), json!({ "text": "x".repeat(4_097) }), 422),
        (format!("{path}/comments"), json!({}), 422),
        ("/alerts/0/comments".to_owned(), json!({ "text": "a" }), 404),
        ("/alerts/0/resolve".to_owned(), json!({}), 404),
        ("/alerts/acknowledge".to_owned(), json!({ "ids": [] }), 422),
        ("/alerts/acknowledge".to_owned(), json!({ "ids": vec![1; 501] }), 422),
    ] {
        let (found, body) = api.post(&path, &body).await.unwrap();
        assert_eq!(found, status, "{path}: {body}");
    }
}

fn check_history(ticket: &Value, on_it: &Value, text: &Value) {
    let history: Vec<(&str, &Value)> = ticket["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["kind"].as_str().unwrap(), &entry["detail"]))
        .collect();
    let nothing = json!({});
    let expected = [
        ("acknowledged", on_it),
        ("unacknowledged", &nothing),
        ("commented", text),
        ("resolved", &nothing),
    ];
    assert_eq!(history, expected, "{ticket}");
    assert!(ticket["history"].as_array().unwrap().iter().all(|entry| entry["by"] == "operator"));
}

async fn commands(database: &Database) -> Vec<(String, String, String)> {
    let sql = "SELECT alert_key, kind, by FROM alert_commands ORDER BY id";
    let rows = database.client.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

#[tokio::test]
async fn operators_handle_tickets_and_the_engine_is_told() {
    let (running, admin) = start_with_gateway().await;
    let (cpu, _) = two_rules(&admin).await;
    let mut ids = Vec::new();
    for key in ["1/web-1//1", "1/web-1//2", "1/web-1//3"] {
        let host = Some("web-1");
        let ticket = Opened { key, rule: cpu, host, priority: "high", at: NOON, resolved_at: None };
        ids.push(open(&running.database, ticket).await);
    }
    let path = format!("/alerts/{}", ids[0]);
    let viewer = sign_in_as(&running, "viewer").await;
    let api = sign_in_as(&running, "operator").await;
    for deed in ["acknowledge", "unacknowledge", "resolve"] {
        let (status, body) = viewer.post(&format!("{path}/{deed}"), &json!({})).await.unwrap();
        assert_eq!(status, 403, "{deed}: {body}");
    }
    for (path, body) in [
        (format!("{path}/comments"), json!({ "text": "a" })),
        ("/alerts/acknowledge".to_owned(), json!({ "ids": ids })),
    ] {
        assert_eq!(viewer.post(&path, &body).await.unwrap().0, 403, "{path}");
    }
    for path in [&path, "/alerts/counts", "/alerts/hosts", "/alerts/summary"] {
        assert_eq!(viewer.get(path).await.unwrap().0, 200, "{path}");
    }
    let on_it = json!({ "comment": "on it" });
    let (status, ticket) = api.post(&format!("{path}/acknowledge"), &on_it).await.unwrap();
    assert_eq!((status, &ticket["status"]), (200, &json!("acknowledged")), "{ticket}");
    assert_eq!(
        (&ticket["acknowledged_by"], &ticket["unit"]),
        (&json!("operator"), &json!("percent"))
    );
    assert_eq!(
        (&ticket["description"], &ticket["notifications"]),
        (&json!("It is busy."), &json!([]))
    );
    // Twice is once.
    assert_eq!(api.post(&format!("{path}/acknowledge"), &json!({})).await.unwrap().0, 200);
    let (_, ticket) = api.post(&format!("{path}/unacknowledge"), &json!({})).await.unwrap();
    assert_eq!((&ticket["status"], &ticket["acknowledged_at"]), (&json!("open"), &Value::Null));
    let text = json!({ "text": "a disk" });
    assert_eq!(api.post(&format!("{path}/comments"), &text).await.unwrap().0, 200);
    let (_, ticket) = api.post(&format!("{path}/resolve"), &json!({})).await.unwrap();
    assert_eq!((&ticket["status"], &ticket["resolution"]), (&json!("resolved"), &json!("by_hand")));
    check_history(&ticket, &on_it, &text);
    let (status, body) = api.post(&format!("{path}/acknowledge"), &json!({})).await.unwrap();
    assert_eq!(status, 409, "{body}");

    check_nonsense(&api, &path).await;
    let all = json!({ "ids": [ids[2], ids[1], ids[0], ids[1]] });
    let (status, done) = api.post("/alerts/acknowledge", &all).await.unwrap();
    assert_eq!((status, &done["done"]), (200, &json!(2)), "{done}");
    assert_eq!(done["refused"][0]["id"], ids[0], "{done}");

    let by = || "operator".to_owned();
    let command = |number: i64, kind: &str| (format!("1/web-1//{number}"), kind.to_owned(), by());
    let expected = [
        command(1, "acknowledged"),
        command(1, "unacknowledged"),
        command(1, "resolved"),
        command(2, "acknowledged"),
        command(3, "acknowledged"),
    ];
    assert_eq!(commands(&running.database).await, expected);
    assert_eq!(api.get("/alerts/0").await.unwrap().0, 404);
    running.stack.shutdown().await;
}
