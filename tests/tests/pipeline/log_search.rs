//! Finding log lines: what can be asked for, how many there are, and that no search is endless.

use std::collections::BTreeMap;

use muster_runtime::now_ms;
use muster_schemas::Envelope;
use muster_schemas::codec::{ContentType, decode};
use muster_schemas::logs::{LogFrame, LogLine, Severity};
use muster_schemas::signals::Heartbeat;
use muster_tests::api::Api;
use muster_tests::bus::TestHost;
use muster_tests::wait::{eventually, expect};
use serde_json::{Value, json};

use crate::setup::{Running, start_with_every_service, start_with_gateway};

fn line(at: i64, severity: Severity, message: &str, fields: &[(&str, &str)]) -> LogLine {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    LogLine {
        at,
        severity,
        application: "orders".into(),
        source: "/var/log/orders.log".into(),
        message: message.into(),
        fields: fields.collect(),
        ..LogLine::default()
    }
}

async fn store(running: &Running, host: &TestHost, lines: Vec<LogLine>) {
    let count = running.database.count("log_lines").await.unwrap() + lines.len() as i64;
    let frame = host.message(1, now_ms(), LogFrame { lines });
    running.bus.publish_message(&frame).await.unwrap();
    eventually("the lines are stored", async || {
        expect(running.database.count("log_lines").await.unwrap(), count)
    })
    .await;
}

fn said(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap().iter();
    items.map(|line| line["message"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn lines_are_found_by_words_phrases_exceptions_and_fields_and_counted() {
    let (running, api) = start_with_gateway().await;
    let host = TestHost::new("web-1");
    // The middle of a minute, so that all lines are of the same step.
    let at = now_ms() / 60_000 * 60_000 - 30_000;
    let lines = vec![
        line(at, Severity::Error, "request to db-1 timed out on conn_4711", &[("status", "504")]),
        line(
            at + 1,
            Severity::Error,
            "timed retry, out of sockets",
            &[("status", "504"), ("id", "a:b")],
        ),
        line(at + 2, Severity::Warn, "out at db-1, timed by 100%", &[]),
    ];
    store(&running, &host, lines).await;

    for (query, found) in [
        ("text=timed%20out", &["out at", "timed retry", "request"][..]),
        ("text=%22TIMED%20OUT%22", &["request"]),
        ("text=timed%20-retry%20-%22at%20db%22", &["request"]),
        ("text=n_47", &["request"]),
        ("text=100%25", &["out at"]),
        ("text=-out", &[]),
        ("field=status:504", &["timed retry", "request"]),
        ("field=status:504&field=id:a:b", &["timed retry"]),
        ("field=status:504&field=status:200", &[]),
        ("field=status:504&text=conn&limit=1", &["request"]),
    ] {
        let page = api.read(&format!("/logs?{query}")).await.unwrap();
        let said = said(&page);
        let fits =
            said.len() == found.len() && said.iter().zip(found).all(|(s, f)| s.starts_with(f));
        assert!(fits, "{query}: {said:?}");
        assert_eq!((&page["next"], &page["searched_until"]), (&Value::Null, &Value::Null));
    }
    for (query, parameter) in
        [("text=%22open", "text"), ("field=status", "field"), ("limit=0", "limit")]
    {
        let (status, body) = api.get(&format!("/logs?{query}")).await.unwrap();
        assert_eq!(status, 422, "{query}: {body}");
        assert!(body["detail"].as_str().unwrap().starts_with(parameter), "{query}: {body}");
    }
    counts_follow_the_filter(&api, at).await;
}

async fn counts_follow_the_filter(api: &Api, at: i64) {
    let minute = at / 60_000 * 60_000;
    let (from, to) = (minute - 60_000, minute + 60_000);
    for (query, errors, warnings) in [("", 2, 1), ("&text=db-1", 1, 1), ("&severity=error", 2, 0)] {
        let path = format!("/hosts/web-1/logs/counts?from={from}&to={to}&step=60{query}");
        let counts = api.read(&path).await.unwrap();
        assert_eq!(counts["timestamps"], json!([from, minute]), "{counts}");
        let series = counts["series"].as_array().unwrap();
        let of = |name: &str| &series.iter().find(|s| s["severity"] == name).unwrap()["counts"];
        assert_eq!(of("error"), &json!([0, errors]), "{query}: {counts}");
        assert_eq!(of("warn"), &json!([0, warnings]), "{query}: {counts}");
        assert_eq!(counts["searched_until"], Value::Null);
    }
    let nobody = api.read("/logs/counts?host=nobody").await.unwrap();
    assert_eq!(nobody["series"][0]["counts"][0], 0, "{nobody}");
    let (status, body) = api.get("/logs/counts?step=7").await.unwrap();
    assert_eq!(status, 422, "{body}");
}

/// So many lines, one every 36 s, of which only the oldest says `needle`; and from now on each
/// takes the database 2 ms to look at.
const SLOW_LINES: i64 = 3_000;

async fn make_slow(running: &Running, newest: i64) {
    let sql = format!(
        "SELECT muster_ensure_partitions(
             ((to_timestamp({newest} / 1000) - interval '36 s' * {SLOW_LINES})
                 AT TIME ZONE 'UTC')::date,
             (to_timestamp({newest} / 1000) AT TIME ZONE 'UTC')::date);
         INSERT INTO log_lines
         SELECT 'web-1', to_timestamp({newest} / 1000) - interval '36 s' * n, now(), 2, 'a', 'b',
                CASE n WHEN {SLOW_LINES} - 1 THEN 'needle' ELSE 'hay' END, 0, 0, NULL, 1, 1, n
         FROM generate_series(0, {SLOW_LINES} - 1) AS n;
         ALTER TABLE log_lines RENAME TO stored_lines;
         CREATE VIEW log_lines WITH (security_barrier) AS
         SELECT * FROM stored_lines WHERE pg_sleep(0.002) IS NOT NULL"
    );
    running.database.client.batch_execute(&sql).await.unwrap();
}

#[tokio::test]
async fn a_search_that_takes_long_says_how_far_it_came_and_goes_on_from_there() {
    let (running, api) = start_with_gateway().await;
    let newest = now_ms() / 1000 * 1000;
    make_slow(&running, newest).await;

    let mut path = "/logs?text=needle".to_owned();
    let (mut until, mut cut_off) = (i64::MAX, 0);
    let last = loop {
        let page = api.read(&path).await.unwrap();
        let (Some(at), Some(next)) = (page["searched_until"].as_i64(), page["next"].as_str())
        else {
            break page;
        };
        assert_eq!(page["items"], json!([]));
        assert!(at < until, "{at} is no earlier than {until}");
        (until, cut_off) = (at, cut_off + 1);
        path = format!("/logs?text=needle&cursor={next}");
    };
    assert_eq!(said(&last), ["needle"]);
    assert!(cut_off > 0, "all was looked at in one go");

    let from = newest - SLOW_LINES * 36_000;
    let counts = api.read(&format!("/logs/counts?from={from}&step=3600")).await.unwrap();
    let counted = counts["series"][2]["counts"].as_array().unwrap();
    let until = counts["searched_until"].as_i64().unwrap();
    let starts = counts["timestamps"].as_array().unwrap();
    for (start, count) in starts.iter().zip(counted) {
        let start = start.as_i64().unwrap();
        let is_whole = start >= until && start + 3_600_000 <= newest;
        let expected = if is_whole { json!(100) } else { count.clone() };
        assert_eq!(*count, expected, "{counts}");
        assert_eq!(count.is_null(), start < until, "{counts}");
    }
}

fn heartbeat(interval_ms: i64) -> Heartbeat {
    let text = include_str!("../../../schemas/fixtures/heartbeat.json");
    let golden: Envelope<Heartbeat> = decode(ContentType::Json, text.as_bytes()).unwrap();
    Heartbeat { interval_ms, channels: BTreeMap::new(), ..golden.body }
}

/// The kinds of the host's events, newest first.
async fn wait_for_events(api: &Api, kinds: &[&str]) {
    eventually(&format!("the events are {kinds:?}"), async || {
        let page = api.read("/hosts/web-1/events").await;
        let page = page.map_err(|error| format!("{error:#}"))?;
        let events = page["items"].as_array().unwrap().iter();
        expect(events.filter_map(|event| event["kind"].as_str()).collect(), kinds.to_vec())
    })
    .await;
}

#[tokio::test]
async fn a_hosts_coming_and_going_is_listed_and_summed_up() {
    let (running, api) = start_with_every_service().await;
    let host = TestHost::new("web-1");
    let begun = now_ms();
    running.bus.publish_message(&host.message(1, begun, heartbeat(1_000))).await.unwrap();
    wait_for_events(&api, &["online"]).await;
    // It was online from the first heartbeat to the last.
    running.bus.publish_message(&host.message(2, begun, heartbeat(1_000))).await.unwrap();
    wait_for_events(&api, &["offline", "online"]).await;
    // Long enough to stay until the end of the test.
    running.bus.publish_message(&host.message(3, begun, heartbeat(60_000))).await.unwrap();
    wait_for_events(&api, &["online", "offline", "online"]).await;

    events_are_paged(&api).await;
    let path = format!("/hosts/web-1/availability?from={}", begun - 60_000);
    let found = api.read(&path).await.unwrap();
    let states: Vec<&str> = found["intervals"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|i| i["status"].as_str())
        .collect();
    assert_eq!(states, ["unknown", "online", "offline", "online"], "{found}");
    assert_eq!(found["outages"], 1, "{found}");
    let sum: i64 =
        ["online_ms", "offline_ms", "unknown_ms"].iter().map(|n| found[n].as_i64().unwrap()).sum();
    assert_eq!(sum, found["to"].as_i64().unwrap() - found["from"].as_i64().unwrap());
    assert!(found["percent"].as_f64().is_some_and(|p| (0.0..100.0).contains(&p)), "{found}");
    for path in ["/hosts/nobody/events", "/hosts/nobody/availability"] {
        assert_eq!(api.get(path).await.unwrap().0, 404, "{path}");
    }
}

async fn events_are_paged(api: &Api) {
    let first = api.read("/hosts/web-1/events?limit=2").await.unwrap();
    let next = first["next"].as_str().unwrap();
    let second = api.read(&format!("/hosts/web-1/events?limit=2&cursor={next}")).await.unwrap();
    assert_eq!(second["items"].as_array().unwrap().len(), 1, "{second}");
    assert_eq!(second["next"], Value::Null);
    let offline = api.read("/hosts/web-1/events?kind=offline").await.unwrap();
    assert!(offline["items"][0]["detail"]["last_heartbeat_at"].is_i64(), "{offline}");
}
