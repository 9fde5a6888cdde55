//! Promise 1: what is missing is seen, asked for, repaired or known to be lost, whoever dies.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt;
use muster_ingest_worker::io::to_postgres::{Store, StoreError};
use muster_nats::{Stream, headers, subjects};
use muster_runtime::{database, now_ms};
use muster_schemas::codec::{ContentType, decode, encode};
use muster_schemas::control::{Loss, LossCause, Reply, ResendAnswer, ResendRequest};
use muster_schemas::events::Event;
use muster_schemas::ids::SEQ_MAX;
use muster_schemas::telemetry::TelemetryFrame;
use muster_schemas::{Envelope, HostId, Kind};
use muster_stack::StackOptions;
use muster_tests::bus::{Bus, TestHost};
use muster_tests::database::exactly_once;
use muster_tests::wait::{eventually, expect};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::setup::{Running, sign_in, start};

const MINUTE: i64 = 60_000;

fn options() -> StackOptions {
    StackOptions { ingest_workers: 2, gateway: true, ..StackOptions::default() }
        .env("MUSTER_INGEST_WORKER_REPAIR_AFTER", "500ms")
}

/// The kinds of a host's events in the stream, in order.
async fn event_kinds(bus: &Bus, host: &str) -> Result<Vec<String>, String> {
    let messages = bus.read_all(Stream::Events).await.map_err(|error| format!("{error:#}"))?;
    let events = messages
        .iter()
        .map(|message| decode::<Event>(ContentType::Msgpack, &message.payload).unwrap());
    let of_host = events.filter(|event| event.host.as_str() == host);
    Ok(of_host.map(|event| event.kind.as_str().to_owned()).collect())
}

#[tokio::test]
async fn a_broker_that_lost_its_store_is_refilled_from_the_journals() {
    let mut options = StackOptions { agent: true, alert_workers: 1, ..options() }
        .env("MUSTER_AGENT_HOST_ID", "robbed");
    for key in ["SAMPLE", "PUBLISH", "HEARTBEAT"] {
        options = options.env(&format!("MUSTER_AGENT_{key}_INTERVAL"), "1s");
    }
    let mut running = start(options).await;
    let host: HostId = "robbed".parse().unwrap();
    let api = sign_in(&running).await;
    eventually("the first samples are stored", async || {
        let rows = running.database.sample_times(&host).await.unwrap().len();
        if rows >= 2 { Ok(()) } else { Err(format!("{rows} rows")) }
    })
    .await;
    for worker in ["ingest-worker-1", "ingest-worker-2"] {
        running.stack.kill9(worker).await.unwrap();
    }
    let stored = running.database.sample_times(&host).await.unwrap().len();
    let published = eventually("the bus alone has acknowledged some more", async || {
        let published = running.bus.published_sample_times(&host).await.unwrap();
        if published.len() >= stored + 4 { Ok(published) } else { Err(format!("{published:?}")) }
    })
    .await;

    running.stack.kill9("nats").await.unwrap();
    std::fs::remove_dir_all(running.stack.dir().join("nats/store")).unwrap();
    running.stack.restart("nats").await.unwrap();
    for worker in ["ingest-worker-1", "ingest-worker-2"] {
        running.stack.restart(worker).await.unwrap();
    }
    eventually("what the bus had lost is stored, once", async || {
        let rows = running.database.sample_times(&host).await.unwrap();
        let newest = *published.last().unwrap();
        exactly_once(&published, &rows.into_iter().filter(|at| *at <= newest).collect::<Vec<_>>())
    })
    .await;
    let report = eventually("the gateway says 100 % and what was repaired", async || {
        let report = api.read("/hosts/robbed/completeness").await.map_err(|e| format!("{e:#}"))?;
        let channels = report["channels"].as_array().unwrap();
        let repaired = |c: &Value| c["channel"] == "telemetry" && c["repaired"].as_i64() > Some(0);
        let is_whole = report["percent"].as_f64() == Some(100.0);
        if is_whole && channels.iter().any(repaired) { Ok(report) } else { Err(report.to_string()) }
    })
    .await;
    println!("after the broker's store was deleted: {report}");
    let bus = Bus::connect(&running.stack.nats_url()).await.unwrap();
    eventually("the gap and its repair are events", async || {
        let kinds = event_kinds(&bus, "robbed").await?;
        let told = |kind: &str| kinds.iter().any(|told| told == kind);
        expect((told("gap"), told("gap_repaired"), told("gap_lost")), (true, true, false))
    })
    .await;
}

/// An agent that has what it is given and has dropped the rest; what it was asked for is kept.
fn answer_resends(
    bus: &Bus,
    host: &TestHost,
    held: Vec<Envelope<TelemetryFrame>>,
    cause: LossCause,
) -> Asked {
    let asked = Asked::default();
    let (client, context) = (bus.client.clone(), bus.context.clone());
    let (host, seen) = (host.id.clone(), asked.clone());
    tokio::spawn(async move {
        let subject = subjects::control(&host, "resend");
        let bus = Bus { client, context };
        let mut requests = bus.client.subscribe(subject).await.unwrap();
        while let Some(message) = requests.next().await {
            let request: ResendRequest = decode(ContentType::Msgpack, &message.payload).unwrap();
            let wanted = request.from..=request.to;
            let found: Vec<_> = held.iter().filter(|f| wanted.contains(&f.seq)).collect();
            let last = found.last().map_or(request.from - 1, |frame| frame.seq);
            let loss = Loss { from: last + 1, to: request.to, cause };
            let answer = ResendAnswer {
                found: found.len() as i64,
                missing: vec![(loss.from, loss.to)],
                losses: vec![loss],
            };
            let reply = encode(&Reply::with(&answer));
            let inbox = message.reply.unwrap();
            bus.client.publish_with_headers(inbox, headers::msgpack(), reply.into()).await.unwrap();
            for frame in found {
                bus.publish_frame(frame, &format!("/r{}", request.attempt)).await.unwrap();
            }
            seen.lock().await.push(request);
        }
    });
    asked
}

type Asked = Arc<Mutex<Vec<ResendRequest>>>;

/// The first channel of the host's completeness.
async fn channel(running: &Running, host: &str, query: &str) -> Result<Value, String> {
    let api = sign_in(running).await;
    let report = api.read(&format!("/hosts/{host}/completeness{query}")).await;
    Ok(report.map_err(|error| format!("{error:#}"))?["channels"][0].clone())
}

#[tokio::test]
async fn a_gap_waits_for_its_host_and_is_then_repaired_or_lost_with_its_cause() {
    let running = start(StackOptions { alert_workers: 1, ..options() }).await;
    let host = TestHost::new("web-1");
    let begin = now_ms() - 60 * MINUTE;
    let frame = |seq: i64| host.frame(seq, &[begin + seq * MINUTE]);
    for seq in (1..=59).filter(|seq| !(30..=39).contains(seq)) {
        running.bus.publish_frame(&frame(seq), "").await.unwrap();
    }
    let gap = || {
        running.database.client.query_opt(
            "SELECT state, attempts, seq_from, seq_to FROM gaps WHERE confirmed_at IS NOT NULL",
            &[],
        )
    };
    eventually("the gap is found, and nobody answers for the host", async || {
        let row = gap().await.map_err(|error| error.to_string())?.ok_or("no gap")?;
        let found = (row.get::<_, String>(0), row.get(1), row.get(2), row.get(3));
        expect(found, ("open".to_owned(), 0, 30i64, 39i64))
    })
    .await;
    let open = channel(&running, "web-1", "").await.unwrap();
    assert_eq!((&open["percent"], &open["repaired"]), (&83.05.into(), &0.into()), "{open}");
    let listed = &open["gaps"][0];
    let span = (&listed["from"], &listed["to"]);
    assert_eq!((&listed["state"], span), (&"open".into(), (&30.into(), &39.into())));
    for (field, seq) in [("from_at", 30), ("to_at", 39)] {
        let off = listed[field].as_i64().unwrap() - (begin + seq * MINUTE);
        assert!(off.abs() < 2 * MINUTE, "{field} is off by {off} ms: {open}");
    }

    let held = (30..=34).map(frame).collect();
    let asked = answer_resends(&running.bus, &host, held, LossCause::Dropped);
    let settled = eventually("a half is repaired and the other lost", async || {
        let channel = channel(&running, "web-1", "").await?;
        expect((channel["repaired"].as_i64(), channel["lost"].as_i64()), (Some(5), Some(5)))?;
        Ok(channel)
    })
    .await;
    let gaps = settled["gaps"].as_array().unwrap();
    assert_eq!(gaps.len(), 1, "{settled}");
    for (field, value) in [
        ("state", Value::from("lost")),
        ("cause", "dropped".into()),
        ("from", 35.into()),
        ("to", 39.into()),
    ] {
        assert_eq!(gaps[0][field], value, "{settled}");
    }
    let attempts: Vec<u32> = asked.lock().await.iter().map(|request| request.attempt).collect();
    assert_eq!(attempts, [1], "no worker asks for what another has asked for");
    eventually("all of it is told", async || {
        expect(
            event_kinds(&running.bus, "web-1").await?,
            ["gap", "gap_lost", "gap_repaired"].map(str::to_owned).into(),
        )
    })
    .await;
    what_is_asked_of_the_gateway_is_answered(&running, begin).await;
    what_is_lost_stays_lost_when_its_gap_is_no_longer_kept(&running).await;

    for seq in 35..=39 {
        running.bus.publish_frame(&frame(seq), "/r9").await.unwrap();
    }
    eventually("what comes after all is not lost", async || {
        let channel = channel(&running, "web-1", "").await?;
        expect((channel["lost"].as_i64(), channel["percent"].as_f64()), (Some(0), Some(100.0)))
    })
    .await;
}

#[tokio::test]
async fn a_gap_is_what_was_missing_when_it_was_known_to_be_one() {
    // Only the test says when it is somebody's turn.
    let options = StackOptions { ingest_workers: 1, ..StackOptions::default() }
        .env("MUSTER_INGEST_WORKER_REPAIR_AFTER", "1h");
    let running = start(options).await;
    let host = TestHost::new("web-1");
    let begin = now_ms() - 60 * MINUTE;
    let missing = async || {
        let sql = "SELECT missing::text, confirmed_at IS NOT NULL, seq_from, seq_to FROM gaps";
        let row = running.database.client.query_opt(sql, &[]).await.map_err(|e| e.to_string())?;
        let row = row.ok_or("no gap")?;
        Ok::<_, String>((row.get::<_, String>(0), row.get(1), row.get::<_, i64>(2), row.get(3)))
    };
    for part in [58..=59, 1..=29, 40..=57] {
        for seq in part.clone() {
            let frame = host.frame(seq, &[begin + seq * MINUTE]);
            running.bus.publish_frame(&frame, "").await.unwrap();
        }
        if *part.start() == 58 {
            eventually("what may be late is suspected", async || {
                expect(missing().await?, ("{[1,58)}".to_owned(), false, 1, 57i64))
            })
            .await;
        }
    }
    eventually("what was late is no longer missing", async || {
        expect(missing().await?, ("{[30,40)}".to_owned(), false, 1, 57i64))
    })
    .await;
    let now = "UPDATE gaps SET next_attempt_at = now()";
    running.database.client.batch_execute(now).await.unwrap();
    eventually("it is a gap, and no larger than what is missing", async || {
        expect(missing().await?, ("{[30,40)}".to_owned(), true, 30, 39i64))
    })
    .await;
}

/// Retention removes closed gaps after 90 days; the ledger still knows.
async fn what_is_lost_stays_lost_when_its_gap_is_no_longer_kept(running: &Running) {
    let sql = "DELETE FROM gaps WHERE state IN ('lost', 'repaired')";
    running.database.client.batch_execute(sql).await.unwrap();
    let listed = channel(running, "web-1", "").await.unwrap()["gaps"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    let said = ["state", "cause", "from", "to"].map(|field| listed[0][field].clone());
    assert_eq!(said, ["lost".into(), Value::Null, 35.into(), 39.into()], "{listed}");
    let api = sign_in(running).await;
    eventually("the pipeline knows what is lost and waits for nothing", async || {
        let page = api.read("/pipeline").await.map_err(|error| format!("{error:#}"))?;
        let ledger = &page["ledger"];
        let said = ["state", "missing", "gaps", "lost"].map(|field| ledger[field].clone());
        expect(said, ["ok".into(), 0.into(), 0.into(), 5.into()])
    })
    .await;
}

async fn what_is_asked_of_the_gateway_is_answered(running: &Running, begin: i64) {
    let window =
        |from: i64, to: i64| format!("?from={}&to={}", begin + from * MINUTE, begin + to * MINUTE);
    let whole = channel(running, "web-1", &window(2, 20)).await.unwrap();
    assert_eq!(whole["percent"], 100.0, "{whole}");
    let stored = whole["stored"].as_i64().unwrap();
    assert!((16..=20).contains(&stored), "18 minutes are about 18 messages: {whole}");
    let torn = channel(running, "web-1", &window(32, 43)).await.unwrap();
    assert_eq!(torn["lost"], 5, "{torn}");
    assert!(torn["stored"].as_i64() < Some(12), "{torn}");

    let api = sign_in(running).await;
    let report = api.read("/hosts/web-1/completeness").await.unwrap();
    let backfilled: i64 = report["backfilled"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|b| b["messages"].as_i64())
        .sum();
    assert!(backfilled >= 50, "{report}");
    let fleet = api.read("/completeness").await.unwrap();
    assert_eq!(fleet["gaps"]["lost"], 1, "{fleet}");
    assert_eq!(fleet["gaps"]["repaired"], 1, "{fleet}");
    assert_eq!(fleet["hosts"]["items"][0]["id"], "web-1", "{fleet}");
    assert_eq!(fleet["hosts"]["items"][0]["missing"], 5, "{fleet}");
    assert_eq!(fleet["channels"][0]["lost"], 5, "{fleet}");
    for bad in
        ["/hosts/web-1/completeness?from=5&to=5", "/completeness?limit=0", "/completeness?cursor=x"]
    {
        assert_eq!(api.get(bad).await.unwrap().0, 422, "{bad}");
    }
}

#[tokio::test]
async fn two_stores_that_are_given_the_same_messages_at_once_store_each_once() {
    let running = start(StackOptions::default()).await;
    let host = TestHost::new("web-1");
    let begin = now_ms() - 30 * MINUTE;
    let mut random = StdRng::seed_from_u64(4);
    let mut deliveries: Vec<i64> =
        (1..=300).flat_map(|seq| vec![seq; random.random_range(1..=4)]).collect();
    deliveries.shuffle(&mut random);
    let mut batches: Vec<BTreeSet<i64>> = Vec::new();
    while !deliveries.is_empty() {
        let count = random.random_range(1..=40).min(deliveries.len());
        batches.push(deliveries.drain(..count).collect());
    }
    let batches = Arc::new(std::sync::Mutex::new(batches));
    let workers = [0, 1].map(|_| {
        let pool = database::pool(&running.stack.postgres_url(), "a-store", 2).unwrap();
        let (store, host, batches) = (Store::new(pool), host.clone(), batches.clone());
        tokio::spawn(async move {
            loop {
                let Some(batch) = batches.lock().unwrap().pop() else { return };
                let frames: Vec<_> =
                    batch.iter().map(|seq| host.frame(*seq, &[begin + seq * 1000])).collect();
                let frames: Vec<&Envelope<TelemetryFrame>> = frames.iter().collect();
                while let Err(error) = store.store(&frames, &[]).await {
                    assert!(matches!(error, StoreError::Retry(_)), "{error:?}");
                }
            }
        })
    });
    for worker in workers {
        worker.await.unwrap();
    }
    let published = (1..=300).map(|seq| begin + seq * 1000).collect();
    exactly_once(&published, &running.database.sample_times(&host.id).await.unwrap()).unwrap();
    let ledger = running.database.ledger(&host.id, "telemetry").await.unwrap();
    assert_eq!(ledger, Some(("{[1,301)}".into(), "{}".into())));
    let marks = running.database.count("ledger_marks").await.unwrap();
    assert!((1..=2).contains(&marks), "{marks} marks of five minutes");
}

#[tokio::test]
async fn a_number_that_only_the_header_of_a_garbled_message_says_is_missed_by_nobody() {
    let running = start(options()).await;
    let host = TestHost::new("garbled");
    let begin = now_ms() - 10 * MINUTE;
    for seq in 1..=3 {
        running.bus.publish_frame(&host.frame(seq, &[begin + seq * MINUTE]), "").await.unwrap();
    }
    let absurd = format!("garbled/telemetry/{}/{SEQ_MAX}", host.epoch);
    let subject = subjects::durable(&host.id, Kind::Telemetry);
    running.bus.publish(&subject, headers::durable(&absurd), &b"\xc1"[..]).await.unwrap();
    eventually("it is set aside, and nothing is missing", async || {
        let ledger = running.database.ledger(&host.id, "telemetry").await.unwrap();
        let dead = format!("{{[{SEQ_MAX},{})}}", SEQ_MAX + 1);
        expect(ledger, Some(("{[1,4)}".into(), dead)))?;
        let channel = channel(&running, "garbled", "").await?;
        expect((channel["stored"].as_i64(), channel["percent"].as_f64()), (Some(3), Some(100.0)))
    })
    .await;
}

#[tokio::test]
async fn what_an_agent_announced_and_never_wrote_is_taken_back() {
    let running = start(options()).await;
    let host = TestHost::new("boaster");
    let begin = now_ms() - 10 * MINUTE;
    for seq in 1..=3 {
        running.bus.publish_frame(&host.frame(seq, &[begin + seq * MINUTE]), "").await.unwrap();
    }
    eventually("all it wrote is stored", async || {
        let ledger = running.database.ledger(&host.id, "telemetry").await.unwrap();
        expect(ledger, Some(("{[1,4)}".into(), "{}".into())))
    })
    .await;
    let asked = answer_resends(&running.bus, &host, Vec::new(), LossCause::NotWritten);
    // As a heartbeat of some minutes ago would have it.
    let sql = "
        UPDATE ledger SET announced = $1, announced_at = now() - interval '5 minutes'
        WHERE host_id = 'boaster'";
    running.database.client.execute(sql, &[&(1i64 << 39)]).await.unwrap();
    eventually("it was asked, and nothing is missing or lost", async || {
        if asked.lock().await.is_empty() {
            return Err("it was not asked".into());
        }
        let channel = channel(&running, "boaster", "").await?;
        expect((channel["lost"].as_i64(), channel["percent"].as_f64()), (Some(0), Some(100.0)))?;
        let open = "SELECT count(*) FROM gaps WHERE host_id = 'boaster'";
        let row = running.database.client.query_one(open, &[]).await;
        expect(row.map_err(|error| error.to_string())?.get::<_, i64>(0), 0)
    })
    .await;
}
