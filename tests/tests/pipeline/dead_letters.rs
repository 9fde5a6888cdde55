//! Dead letters over REST: listed, read, tried again, thrown away, and accounted for all the while.

use muster_nats::headers::durable;
use muster_runtime::now_ms;
use muster_stack::StackOptions;
use muster_tests::api::Api;
use muster_tests::bus::TestHost;
use muster_tests::wait::{eventually, expect};
use serde_json::{Value, json};

use crate::setup::{Running, start};

const DAY_MS: i64 = 86_400_000;

async fn start_strict() -> (Running, Api) {
    let options = StackOptions { ingest_workers: 1, gateway: true, ..StackOptions::default() }
        .env("MUSTER_INGEST_WORKER_LATE_MAX", "1d");
    let running = start(options).await;
    let admin = running.stack.admin();
    let api = Api::sign_in(running.stack.gateway_url(), &admin.username, &admin.password).await;
    (running, api.unwrap())
}

async fn wait_for_ledger(running: &Running, host: &TestHost, received: &str, dead: &str) {
    eventually(&format!("the ledger says {received} and {dead} dead"), async || {
        let ledger = running.database.ledger(&host.id, "telemetry").await.unwrap();
        expect(ledger, Some((received.into(), dead.into())))
    })
    .await;
}

async fn publish_raw(running: &Running, host: &TestHost, seq: i64, payload: Vec<u8>) {
    let id = format!("{}/telemetry/{}/{seq}", host.id, host.epoch);
    let subject = format!("telemetry.{}", host.id);
    running.bus.publish(&subject, durable(&id), payload).await.unwrap();
}

async fn letters(api: &Api, query: &str) -> Vec<Value> {
    let page = api.read(&format!("/dead-letters{query}")).await.unwrap();
    page["items"].as_array().unwrap().clone()
}

/// What was done, as the events tell it.
async fn told(running: &Running) -> Vec<(String, Value)> {
    let sql = "SELECT kind, detail FROM events WHERE kind LIKE 'dead%' ORDER BY id";
    let rows = running.database.client.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn a_dead_letter_is_stored_when_it_is_tried_again_and_nothing_is_wrong_with_it_any_more() {
    let (mut running, api) = start_strict().await;
    let host = TestHost::new("web-1");
    let at = now_ms() - 3 * DAY_MS;
    running.bus.publish_frame(&host.frame(1, &[at]), "").await.unwrap();
    publish_raw(&running, &host, 2, b"this is not MessagePack".to_vec()).await;
    wait_for_ledger(&running, &host, "{}", "{[1,3)}").await;

    let all = letters(&api, "").await;
    let (garbage, late) = (&all[0], &all[1]);
    assert_eq!(garbage["preview"], "this is not MessagePack");
    assert_eq!((&late["host"], &late["stream"]), (&json!("web-1"), &json!("telemetry")));
    assert!(late["preview"].as_str().unwrap().contains("\"samples\""), "{late}");
    let whole = api.read(&format!("/dead-letters/{}", late["id"])).await.unwrap();
    assert_eq!(whole["body"]["body"]["samples"][0]["at"], at);
    assert_eq!(api.read("/pipeline").await.unwrap()["dead_letters"]["state"], "ok");

    running.stack.stop("ingest-worker-1").await.unwrap();
    running.stack.add("ingest-worker-2", &StackOptions::default()).unwrap();
    for letter in &all {
        let (status, body) =
            api.post(&format!("/dead-letters/{}/retry", letter["id"]), &json!({})).await.unwrap();
        assert_eq!(status, 200, "{body}");
        assert_eq!(body["subject"], "telemetry.web-1");
    }
    wait_for_ledger(&running, &host, "{[1,2)}", "{[2,3)}").await;
    assert_eq!(running.database.sample_times(&host.id).await.unwrap(), [at]);
    let again = eventually("what is still wrong comes back", async || {
        let letters = letters(&api, "").await;
        expect(letters.len(), 1)?;
        Ok(letters[0].clone())
    })
    .await;
    assert_eq!((&again["retries"], &again["size"]), (&json!(1), &json!(23)), "{again}");
    assert_eq!(api.get(&format!("/dead-letters/{}", late["id"])).await.unwrap().0, 404);
    let told = told(&running).await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[1].0, "dead_letters_retried");
    assert_eq!(told[1].1, json!({ "by": "admin", "letters": [late["id"]] }));
}

#[tokio::test]
async fn dead_letters_are_found_page_by_page_and_handled_by_filter() {
    let (running, api) = start_strict().await;
    let (one, two) = (TestHost::new("web-1"), TestHost::new("web-2"));
    for seq in 1..=5 {
        publish_raw(&running, &one, seq, b"no".to_vec()).await;
    }
    // The broker's limit leaves no room for the reason, so it is cut.
    publish_raw(&running, &two, 1, vec![7; 16 * 1024 * 1024 - 200]).await;
    wait_for_ledger(&running, &one, "{}", "{[1,6)}").await;
    wait_for_ledger(&running, &two, "{}", "{[1,2)}").await;

    let first = api.read("/dead-letters?host=web-1&limit=3").await.unwrap();
    let path =
        format!("/dead-letters?host=web-1&limit=3&cursor={}", first["next"].as_str().unwrap());
    let second = api.read(&path).await.unwrap();
    let ids = |page: &Value| -> Vec<u64> {
        page["items"].as_array().unwrap().iter().map(|l| l["id"].as_u64().unwrap()).collect()
    };
    let all: Vec<u64> = ids(&first).into_iter().chain(ids(&second)).collect();
    assert_eq!(all.len(), 5);
    assert!(all.is_sorted_by(|a, b| a > b), "{all:?}");
    assert_eq!(letters(&api, "?reason=LARGER&stream=telemetry").await.len(), 1);
    assert_eq!(letters(&api, "?stream=logs").await.len(), 0);
    assert_eq!(api.get("/dead-letters?stream=x").await.unwrap().0, 422);

    let cut = letters(&api, "?host=web-2").await[0]["id"].clone();
    let (status, body) = api.post(&format!("/dead-letters/{cut}/retry"), &json!({})).await.unwrap();
    assert_eq!(status, 409, "{body}");
    assert!(body["detail"].as_str().unwrap().contains("only the first 262144 of"), "{body}");
    assert_eq!(api.post("/dead-letters/discard", &json!({})).await.unwrap().0, 422);
    let (status, body) =
        api.post("/dead-letters/discard", &json!({ "host": "web-1" })).await.unwrap();
    assert_eq!((status, &body["done"]), (200, &json!(5)), "{body}");
    let (_, body) = api.post("/dead-letters/retry", &json!({ "host": "web-2" })).await.unwrap();
    assert_eq!(body["refused"][0]["id"], cut, "{body}");
    assert_eq!(api.delete(&format!("/dead-letters/{cut}")).await.unwrap().0, 204);
    assert_eq!(letters(&api, "").await.len(), 0);
    // What was thrown away stays accounted for.
    wait_for_ledger(&running, &one, "{}", "{[1,6)}").await;
    assert_eq!(told(&running).await.len(), 2);
}
