//! What is older than it is kept goes, and nothing else: by hand, by the workers, and over REST.

use deadpool_postgres::Pool;
use muster_ingest_worker::io::retention::{Thinned, enforce};
use muster_runtime::migrate::migrate;
use muster_runtime::{database, now_ms, storage};
use muster_schemas::retention::{DAY_MS, Policy, Rule};
use muster_stack::{PostgresOptions, PostgresServer, StackOptions};
use muster_tests::api::Api;
use muster_tests::bus::TestHost;
use muster_tests::database::Database;
use muster_tests::wait::{eventually, expect};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::setup::{Running, start};

/// Ten days of hourly rows of two hosts, one of them with a label, that end now.
const TEN_DAYS: &str = "
    INSERT INTO hosts (id, labels) VALUES ('lab-1', '{\"env\":\"test\"}'), ('web-1', '{}');
    SELECT muster_ensure_partitions((now() - interval '10 days')::date, now()::date);
    INSERT INTO sensor_samples
    SELECT host, ts, 'cpu', 40
    FROM unnest(ARRAY['lab-1', 'web-1']) AS host,
         generate_series(now() - interval '10 days', now(), '1 hour') AS ts;
    INSERT INTO events (host_id, at, kind, detail, published_at) VALUES
        ('web-1', now() - interval '400 days', 'online', '{}', now()),
        ('web-1', now() - interval '400 days', 'online', '{}', NULL),
        ('web-1', now(), 'online', '{}', now());
    INSERT INTO host_inventory_history (host_id, kind, at, detail) VALUES
        ('web-1', 'system', now() - interval '2000 days', '1'),
        ('web-1', 'system', now() - interval '1900 days', '2'),
        ('web-1', 'system', now() - interval '10 days', '3');
    ANALYZE;";

fn rule(scope: &str, label: Option<&str>, keep_days: i64) -> Rule {
    Rule { scope: scope.into(), label: label.map(str::to_owned), keep_days }
}

async fn days_of(database: &Database, host: &str) -> i64 {
    let sql = "
        SELECT count(DISTINCT (ts AT TIME ZONE 'UTC')::date) FROM sensor_samples
        WHERE host_id = $1";
    database.client.query_one(sql, &[&host]).await.unwrap().get(0)
}

async fn remove(pool: &Pool, policy: &Policy) -> muster_ingest_worker::io::retention::Removed {
    enforce(pool, policy, now_ms(), &mut Thinned::default(), &CancellationToken::new())
        .await
        .unwrap()
}

#[tokio::test]
async fn days_go_whole_labels_thin_out_and_a_reader_only_puts_it_off() {
    let options = PostgresOptions { durable: false, ..PostgresOptions::default() };
    let server = PostgresServer::start_temporary(options).await.unwrap();
    let url = server.create_database("kept").await.unwrap();
    migrate(&url).await.unwrap();
    let database = Database::connect(&url).await.unwrap();
    database.client.batch_execute(TEN_DAYS).await.unwrap();
    let pool = database::pool(&url, "test", 2).unwrap();
    let policy = Policy { rules: vec![rule("raw", None, 6), rule("raw", Some("env=test"), 3)] };

    let plan = storage::plan_of(&database.client, &policy, now_ms()).await.unwrap();
    let table = |name: &str| plan.tables.iter().find(|table| table.table == name).unwrap();
    let sensors = table("sensor_samples");
    assert_eq!((sensors.days, sensors.labels[0].hosts, sensors.labels[0].days), (4, 1, 3));
    // Of the first of the four days only a part was there; a half of three more is the label's.
    let of_label = sensors.labels[0].rows;
    assert_eq!((of_label, sensors.exact), (3 * 24, false));
    let of_days = sensors.rows - of_label;
    assert!((2 * 73..=2 * 96).contains(&of_days), "{of_days}");
    assert_eq!((table("events").rows, table("events").exact), (1, true));
    assert_eq!(table("host_inventory_history").rows, 1);

    let reader = Database::connect(&url).await.unwrap();
    reader.client.batch_execute("BEGIN; SELECT count(*) FROM sensor_samples").await.unwrap();
    let removed = remove(&pool, &policy).await;
    assert_eq!((removed.left, days_of(&database, "web-1").await), (1, 11));
    reader.client.batch_execute("COMMIT").await.unwrap();

    let removed = remove(&pool, &policy).await;
    assert_eq!((removed.left, removed.days), (0, 4));
    assert_eq!(days_of(&database, "web-1").await, 7);
    assert_eq!(days_of(&database, "lab-1").await, 4);
    assert_eq!(database.count("events").await.unwrap(), 2);
    assert_eq!(database.count("host_inventory_history").await.unwrap(), 2);
    let again = remove(&pool, &policy).await;
    assert_eq!((again.days, again.rows, again.left), (0, 0, 0));
}

/// Tickets, notifications, silences and versions of a rule that are four years old, and others that
/// only began then or are needed still.
const FOUR_YEARS: &str = "
    INSERT INTO rules (definition) VALUES ('{}');
    INSERT INTO rule_versions (rule_id, version, definition, at)
    SELECT 1, version, '{}', now() - interval '4 years' FROM generate_series(1, 3) AS version;
    INSERT INTO channels (name, kind, definition) VALUES ('ops', 'ntfy', '{}');
    INSERT INTO alerts (
        key, rule_id, rule_version, host_id, metric, priority, status, title, description,
        begun_at, opened_at, resolved_at
    )
    SELECT key, 1, version, 'web-1', 'cpu.usage_percent', 'low', status, 'CPU', '',
           now() - interval '4 years', now() - interval '4 years', now() - ago
    FROM (VALUES ('over', 1, 'resolved', interval '4 years'),
                 ('long', 2, 'resolved', interval '1 year'),
                 ('open', 2, 'open', NULL)) AS old (key, version, status, ago);
    INSERT INTO alert_history (alert_id, at, kind)
    SELECT id, opened_at, 'opened' FROM alerts;
    INSERT INTO notifications (key, channel_id, alert_ids, kind, payload, state, created_at)
    SELECT state || ago, 1, ARRAY[1], 'opened', '{}', state, now() - ago
    FROM unnest(ARRAY['sent', 'dead', 'pending']) AS state,
         unnest(ARRAY[interval '100 days', interval '10 days']) AS ago;
    INSERT INTO silences (selector, reason, author, starts_at, ends_at, created_at, ended_at)
    SELECT '', reason, 'ann', now() - interval '4 years', now() + ends, now() - interval '4 years',
           now() + ended
    FROM (VALUES ('over', interval '-4 years' + interval '1 day', NULL),
                 ('ended', NULL, interval '-4 years' + interval '1 day'),
                 ('long', interval '1 day', NULL),
                 ('for ever', NULL, NULL)) AS old (reason, ends, ended);";

async fn listed(database: &Database, sql: &str) -> Vec<String> {
    let rows = database.client.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn old_tickets_go_with_their_history_and_what_is_open_or_unsent_stays() {
    let options = PostgresOptions { durable: false, ..PostgresOptions::default() };
    let server = PostgresServer::start_temporary(options).await.unwrap();
    let url = server.create_database("tickets").await.unwrap();
    migrate(&url).await.unwrap();
    let database = Database::connect(&url).await.unwrap();
    database.client.batch_execute(FOUR_YEARS).await.unwrap();
    let pool = database::pool(&url, "test", 2).unwrap();
    assert_eq!(remove(&pool, &Policy::default()).await.rows, 1 + 2 + 2 + 1);
    for (sql, left) in [
        ("SELECT key FROM alerts ORDER BY id", vec!["long", "open"]),
        ("SELECT kind FROM alert_history", vec!["opened"; 2]),
        ("SELECT version::text FROM rule_versions ORDER BY version", vec!["2", "3"]),
        ("SELECT reason FROM silences ORDER BY id", vec!["long", "for ever"]),
        (
            "SELECT state FROM notifications ORDER BY created_at, state",
            vec!["pending", "dead", "pending", "sent"],
        ),
    ] {
        assert_eq!(listed(&database, sql).await, left, "{sql}");
    }
    assert_eq!(remove(&pool, &Policy::default()).await.rows, 0);
}

#[tokio::test]
async fn what_comes_late_for_a_label_goes_with_the_next_pass() {
    let options = PostgresOptions { durable: false, ..PostgresOptions::default() };
    let server = PostgresServer::start_temporary(options).await.unwrap();
    let url = server.create_database("thinned").await.unwrap();
    migrate(&url).await.unwrap();
    let database = Database::connect(&url).await.unwrap();
    database.client.batch_execute(TEN_DAYS).await.unwrap();
    let pool = database::pool(&url, "test", 2).unwrap();
    // Other tables keep samples for longer, so that they are taken still.
    let policy = Policy { rules: vec![rule("sensor_samples", Some("env=test"), 3)] };
    let (mut thinned, stop) = (Thinned::default(), CancellationToken::new());
    for late in [0, 1] {
        if late > 0 {
            let sql = "
                INSERT INTO sensor_samples
                VALUES ('lab-1', now() - interval '6 days 1 second', 'cpu', 40)";
            database.client.execute(sql, &[]).await.unwrap();
            assert_eq!(days_of(&database, "lab-1").await, 5);
        }
        enforce(&pool, &policy, now_ms(), &mut thinned, &stop).await.unwrap();
        assert_eq!(days_of(&database, "lab-1").await, 4, "late: {late}");
    }
}

async fn start_quick() -> (Running, Api) {
    let options = StackOptions { ingest_workers: 1, gateway: true, ..StackOptions::default() };
    let running = start(options.env("MUSTER_INGEST_WORKER_RETENTION_EVERY", "1s")).await;
    let admin = running.stack.admin();
    let api = Api::sign_in(running.stack.gateway_url(), &admin.username, &admin.password).await;
    (running, api.unwrap())
}

#[tokio::test]
async fn rules_are_set_over_rest_and_heeded_by_the_worker() {
    let (running, api) = start_quick().await;
    running.database.client.batch_execute(TEN_DAYS).await.unwrap();
    let (_, kept) = api.get("/retention").await.unwrap();
    assert_eq!((&kept["version"], &kept["rules"]), (&json!(0), &json!([])));
    assert_eq!(kept["groups"][0]["keep_days"], 14, "{kept}");
    let sizes = api.read("/storage").await.unwrap();
    // The database does not say; the stack knows where the data of its own one are.
    let is_own = running.stack.postgres.data_dir().is_some();
    assert_eq!(sizes["free_bytes"].as_i64() > Some(0), is_own, "{}", sizes["free_bytes"]);
    let sensors = sizes["tables"].as_array().unwrap().iter();
    let sensors = sensors.clone().find(|table| table["table"] == "sensor_samples").unwrap();
    assert!(sensors["bytes"].as_i64() > Some(0) && sensors["rows_per_day"] == 48, "{sensors}");
    let hosts = api.read("/storage/hosts?limit=1").await.unwrap();
    assert_eq!((hosts["items"].as_array().unwrap().len(), &hosts["next"]), (1, &json!("1")));

    let bad = json!({ "rules": [{ "scope": "raw", "keep_days": 6 }, { "scope": "rwa", "keep_days": 6 }] });
    let (status, problem) = api.put("/retention", &bad).await.unwrap();
    assert_eq!((status, &problem["field"]), (422, &json!("rules[1].scope")), "{problem}");
    let good = json!({ "rules": [
        { "scope": "raw", "keep_days": 6 }, { "scope": "raw", "label": "env=test", "keep_days": 3 },
    ] });
    let draft = api.post("/retention/plan", &good).await.unwrap();
    assert_eq!((draft.0, draft.1["days"].as_i64() >= Some(4)), (200, true), "{}", draft.1);
    let (_, now) = api.get("/retention/plan").await.unwrap();
    assert_eq!(now["days"], 0, "{now}");
    assert_eq!(days_of(&running.database, "web-1").await, 11);

    let (status, kept) = api.put("/retention", &good).await.unwrap();
    assert_eq!(
        (status, &kept["version"], &kept["groups"][0]["keep_days"]),
        (200, &json!(1), &json!(6))
    );
    let outdated = json!({ "rules": [], "version": 0 });
    let (status, problem) = api.put("/retention", &outdated).await.unwrap();
    assert_eq!(status, 409, "{problem}");
    eventually("the worker has removed what is old", async || {
        let of = async |host| days_of(&running.database, host).await;
        expect((of("web-1").await, of("lab-1").await), (7, 4))
    })
    .await;

    // What retention would drop at once is not taken either, and a label shortens that too.
    let (host, lab) = (TestHost::new("web-1"), TestHost::new("lab-1"));
    for (host, days) in [(&host, 5), (&host, 8), (&lab, 2), (&lab, 5)] {
        let frame = host.frame(days, &[now_ms() - days * DAY_MS]);
        running.bus.publish_frame(&frame, "").await.unwrap();
    }
    eventually("late samples are stored, later ones are dead", async || {
        let of =
            async |host: &TestHost| running.database.ledger(&host.id, "telemetry").await.unwrap();
        let wanted = |stored: &str, dead: &str| Some((stored.to_owned(), dead.to_owned()));
        expect(of(&host).await, wanted("{[5,6)}", "{[8,9)}"))?;
        expect(of(&lab).await, wanted("{[2,3)}", "{[5,6)}"))
    })
    .await;
}

#[tokio::test]
async fn how_long_tickets_and_notifications_are_kept_is_set_over_rest() {
    let (running, api) = start_quick().await;
    running.database.client.batch_execute(FOUR_YEARS).await.unwrap();
    let days = |kept: &Value| {
        let groups = kept["groups"].as_array().unwrap().clone();
        let of = |name: &str| {
            let group = groups.iter().find(|group| group["group"] == name);
            group.unwrap_or_else(|| panic!("{name}: {kept}"))["keep_days"].as_i64().unwrap()
        };
        (of("alerts"), of("notifications"))
    };
    assert_eq!(days(&api.read("/retention").await.unwrap()), (1_095, 90));
    let labelled = json!({ "rules": [{ "scope": "alerts", "label": "env=test", "keep_days": 9 }] });
    let (status, problem) = api.put("/retention", &labelled).await.unwrap();
    assert_eq!((status, &problem["field"]), (422, &json!("rules[0].label")), "{problem}");
    let shorter = json!({ "rules": [
        { "scope": "alerts", "keep_days": 200 }, { "scope": "notifications", "keep_days": 5 },
    ] });
    let (status, kept) = api.put("/retention", &shorter).await.unwrap();
    assert_eq!((status, days(&kept)), (200, (200, 5)), "{kept}");
    eventually("the worker has removed what is old", async || {
        let database = &running.database;
        expect(listed(database, "SELECT key FROM alerts").await, vec!["open".to_owned()])?;
        let states = listed(database, "SELECT state FROM notifications").await;
        expect(states, vec!["pending".to_owned(); 2])
    })
    .await;
    running.stack.shutdown().await;
}
