//! Bad input ends among the dead letters with its reason; its neighbours are stored and the worker
//! goes on.

use async_nats::HeaderMap;
use muster_nats::headers::{CONTENT_TYPE, MESSAGE_ID, durable};
use muster_nats::{Stream, dead};
use muster_runtime::now_ms;
use muster_schemas::codec::encode;
use muster_tests::bus::TestHost;
use muster_tests::wait::{eventually, expect};
use serde_json::{Value, json};

use crate::setup::{Running, start_ingest};

/// The largest frame an attacker gets past the broker's own limit.
const TEN_MEGABYTES: usize = 10 * 1024 * 1024;

struct Poison {
    subject: String,
    headers: HeaderMap,
    payload: Vec<u8>,
    reason: &'static str,
}

fn poison(host: &TestHost, seq: i64, reason: &'static str, payload: Vec<u8>) -> Poison {
    let id = format!("{}/telemetry/{}/{seq}", host.id, host.epoch);
    let subject = format!("telemetry.{}", host.id);
    Poison { subject, headers: durable(&id), payload, reason }
}

/// A good frame as free-form JSON, to be spoiled.
fn value(host: &TestHost, seq: i64) -> Value {
    serde_json::to_value(host.frame(seq, &[now_ms()])).unwrap()
}

fn spoiled(host: &TestHost, seq: i64, spoil: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut frame = value(host, seq);
    spoil(&mut frame);
    encode(&frame)
}

fn poisons(host: &TestHost) -> Vec<Poison> {
    let mut all = vec![
        poison(host, 2, "the message: ", b"this is not MessagePack".to_vec()),
        poison(
            host,
            3,
            "the envelope names host web-666 but the subject names web-1",
            spoiled(host, 3, |frame| frame["host"] = json!("web-666")),
        ),
        poison(
            host,
            4,
            "body.samples[0].at is ",
            spoiled(host, 4, |frame| {
                frame["body"]["samples"][0]["at"] = json!(now_ms() + 3_600_000);
            }),
        ),
        poison(
            host,
            5,
            "a message of 10485760 bytes is larger than the limit of 1048576",
            vec![0; TEN_MEGABYTES],
        ),
        poison(
            host,
            6,
            "body.samples[0].networks[0].interface: invalid type: integer `5`",
            spoiled(host, 6, |frame| {
                frame["body"]["samples"][0]["networks"][0]["interface"] = json!(5);
            }),
        ),
        poison(
            host,
            7,
            "body.samples[0].networks[0].interface is \"eth\\00\"",
            spoiled(host, 7, |frame| {
                frame["body"]["samples"][0]["networks"][0]["interface"] = json!("eth\u{0}0");
            }),
        ),
        poison(host, 8, "envelope version 7", spoiled(host, 8, |frame| frame["v"] = json!(7))),
        poison(
            host,
            9,
            "host: host id \"*\" is not of the form",
            spoiled(host, 9, |frame| frame["host"] = json!("*")),
        ),
        poison(
            host,
            10,
            "the message id says web-1/telemetry/1700000000000/10",
            spoiled(host, 11, |_| {}),
        ),
    ];
    let mut typed = poison(host, 12, "content type \"text/plain\"", b"hello".to_vec());
    typed.headers.insert(CONTENT_TYPE, "text/plain");
    all.push(typed);
    all
}

#[tokio::test]
async fn each_poison_message_ends_among_the_dead_letters_with_its_reason() {
    let running = start_ingest(1).await;
    let host = TestHost::new("web-1");
    let poisons = poisons(&host);
    let (first, last) = (now_ms() - 1000, now_ms());
    running.bus.publish_frame(&host.frame(1, &[first]), "").await.unwrap();
    for poison in &poisons {
        let Poison { subject, headers, payload, .. } = poison;
        running.bus.publish(subject, headers.clone(), payload.clone()).await.unwrap();
    }
    running.bus.publish_frame(&host.frame(13, &[last]), "").await.unwrap();

    eventually("good neighbours are stored", async || {
        expect(running.database.sample_times(&host.id).await.unwrap(), vec![first, last])
    })
    .await;
    eventually("the ledger accounts for the dead", async || {
        let ledger = running.database.ledger(&host.id, "telemetry").await.unwrap();
        expect(ledger, Some(("{[1,2),[13,14)}".into(), "{[2,11),[12,13)}".into())))
    })
    .await;
    check_dead_letters(&running, &poisons).await;
}

/// Each is there once and whole, with its reason and where it came from.
async fn check_dead_letters(running: &Running, poisons: &[Poison]) {
    let mut letters = running.bus.read_all(Stream::Dead).await.unwrap();
    // Two batches may be under way at once.
    letters.sort_by_key(|letter| {
        let sequence = letter.headers.get(dead::STREAM_SEQUENCE).unwrap();
        sequence.as_str().parse::<u64>().unwrap()
    });
    assert_eq!(letters.len(), poisons.len());
    for (letter, poison) in letters.iter().zip(poisons) {
        let header = |name| letter.headers.get(name).map(|v| v.as_str().to_owned());
        let reason = header(dead::REASON).unwrap();
        assert!(reason.starts_with(poison.reason), "{reason:?} is not {:?}", poison.reason);
        assert_eq!(letter.subject, "dead.telemetry");
        assert_eq!(letter.payload, poison.payload, "{reason}");
        assert_eq!(header(dead::SUBJECT).as_ref(), Some(&poison.subject));
        let id = poison.headers.get(MESSAGE_ID).map(|v| v.as_str().to_owned());
        assert_eq!(header(dead::ORIGINAL_ID), id);
    }
}

#[tokio::test]
async fn a_message_too_large_to_be_kept_whole_is_cut_and_stops_nobody() {
    let running = start_ingest(1).await;
    let host = TestHost::new("web-1");
    // The broker's limit leaves no room for the reason.
    let size = 16 * 1024 * 1024 - 200;
    let poison = poison(&host, 1, "", vec![7; size]);
    running.bus.publish(&poison.subject, poison.headers, poison.payload).await.unwrap();
    let at = now_ms();
    running.bus.publish_frame(&host.frame(2, &[at]), "").await.unwrap();
    eventually("what comes after it is stored", async || {
        expect(running.database.sample_times(&host.id).await.unwrap(), vec![at])
    })
    .await;
    let letters = running.bus.read_all(Stream::Dead).await.unwrap();
    let header = |name| letters[0].headers.get(name).map(|value| value.as_str().to_owned());
    assert_eq!(header(dead::TRUNCATED), Some(size.to_string()));
    assert_eq!(header(dead::ORIGINAL_ID), Some("web-1/telemetry/1700000000000/1".to_owned()));
    assert_eq!(letters[0].payload, vec![7; 256 * 1024]);
    let ledger = running.database.ledger(&host.id, "telemetry").await.unwrap();
    assert_eq!(ledger, Some(("{[2,3)}".into(), "{[1,2)}".into())));
}

#[tokio::test]
async fn a_frame_in_json_without_an_id_is_as_good_as_any() {
    let running = start_ingest(1).await;
    let host = TestHost::new("web-1");
    let at = now_ms();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, "application/json");
    let body = serde_json::to_vec(&host.frame(1, &[at])).unwrap();
    running.bus.publish("telemetry.web-1", headers, body).await.unwrap();
    eventually("the JSON frame is stored", async || {
        expect(running.database.sample_times(&host.id).await.unwrap(), vec![at])
    })
    .await;
}
