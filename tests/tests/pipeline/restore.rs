//! A database is put back to an older state: what the streams still have is stored again, each
//! message once, and what they no longer have is shown as missing.

use std::collections::BTreeSet;
use std::time::Duration;

use async_nats::jetstream;
use muster_runtime::now_ms;
use muster_schemas::conditions::CandidateState::{Breached, Cleared};
use muster_stack::{Launch, Service, StackOptions};
use muster_tests::bus::TestHost;
use muster_tests::database::{Database, exactly_once};
use muster_tests::wait::{eventually, expect};

use crate::desk::{Desk, cpu_rule};
use crate::setup::{Running, start_ingest};

/// A dump of a test's database takes a second.
const DUMP_TIMEOUT: Duration = Duration::from_secs(90);

async fn publish(running: &Running, host: &TestHost, numbers: std::ops::Range<i64>, at: i64) {
    for seq in numbers {
        running.bus.publish_frame(&host.frame(seq, &[at + seq * 1000]), "").await.unwrap();
    }
}

async fn stored(database: &Database, host: &TestHost, received: &str) {
    eventually("the ledger has what was published", async || {
        let ledger = database.ledger(&host.id, "telemetry").await.unwrap();
        expect(ledger.map(|(received, _)| received), Some(received.to_owned()))
    })
    .await;
}

/// Runs one of PostgreSQL's own programs against the stack's database.
async fn tool(running: &Running, name: &str, arguments: &[&str]) {
    let server = &running.stack.postgres;
    let log = running.stack.dir().join("logs").join(format!("{name}.log"));
    let mut launch = Launch::new(name, server.program(name).unwrap(), log);
    for argument in arguments {
        launch = launch.arg(argument);
    }
    launch.run(DUMP_TIMEOUT).await.unwrap();
}

#[tokio::test]
async fn after_a_restore_the_streams_fill_up_what_they_have_and_the_ledger_shows_the_rest() {
    let mut running = start_ingest(2).await;
    let url = running.stack.postgres_url();
    let (host, other) = (TestHost::new("web-1"), TestHost::new("web-2"));
    let at = now_ms() - 3_600_000;
    let sql = "SELECT to_char(now() - interval '1 minute', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";
    let since: String = running.database.client.query_one(sql, &[]).await.unwrap().get(0);
    publish(&running, &host, 1..101, at).await;
    publish(&running, &other, 1..11, at).await;
    stored(&running.database, &host, "{[1,101)}").await;

    // Under load: the other host goes on while the dump is made.
    let dump = running.stack.dir().join("muster.dump");
    let dump = dump.to_str().unwrap();
    let arguments = ["--format=custom", "--file", dump, &url];
    tokio::join!(tool(&running, "pg_dump", &arguments), publish(&running, &other, 11..151, at));
    publish(&running, &host, 101..201, at).await;
    stored(&running.database, &host, "{[1,201)}").await;
    stored(&running.database, &other, "{[1,151)}").await;

    for worker in ["ingest-worker-1", "ingest-worker-2"] {
        running.stack.stop(worker).await.unwrap();
    }
    // The broker has lost a part of what is newer than the backup: 10 of the first host's.
    let stream = running.bus.context.get_stream("TELEMETRY").await.unwrap();
    let lost: Vec<u64> = lost_sequences(&stream, &host).await;
    for sequence in lost {
        stream.delete_message(sequence).await.unwrap();
    }
    running.stack.postgres.drop_database("muster").await.unwrap();
    running.stack.postgres.create_database("muster").await.unwrap();
    tool(&running, "pg_restore", &["--dbname", &url, dump]).await;
    running.stack.run(Service::IngestWorker, &["migrate", "--check"]).await.unwrap();

    running.stack.run(Service::IngestWorker, &["replay", "--since", &since]).await.unwrap();
    for worker in ["ingest-worker-1", "ingest-worker-2"] {
        running.stack.restart(worker).await.unwrap();
    }
    let database = Database::connect(&url).await.unwrap();
    stored(&database, &host, "{[1,101),[111,201)}").await;
    stored(&database, &other, "{[1,151)}").await;
    for (host, numbers) in [(&host, (1..101).chain(111..201)), (&other, (1..151).chain(0..0))] {
        let published: BTreeSet<i64> = numbers.map(|seq| at + seq * 1000).collect();
        exactly_once(&published, &database.sample_times(&host.id).await.unwrap()).unwrap();
    }
    // New messages go on as before, through consumers that workers find as they are.
    publish(&running, &host, 201..211, at).await;
    stored(&database, &host, "{[1,101),[111,211)}").await;
    let sql = "SELECT nextval('agent_settings_version')";
    let version: i64 = database.client.query_one(sql, &[]).await.unwrap().get(0);
    assert!(version > 1_000_000, "agents may have had version {version} before");
}

#[tokio::test]
async fn after_a_restore_tickets_are_what_the_streams_tell_and_none_is_there_twice() {
    let mut desk = Desk::new(StackOptions::default()).await;
    let rule = desk.rule(&cpu_rule()).await;
    desk.start_workers(1);
    let [before, over, after] = ["before", "over", "after"].map(TestHost::new);
    let since = now_ms();
    desk.say(&before, &rule, Breached, since).await;
    desk.say(&over, &rule, Breached, since).await;
    desk.wait_for("both have their ticket", "SELECT count(*) FROM alerts", 2).await;
    let url = desk.running.stack.postgres_url();
    let dump = desk.running.stack.dir().join("muster.dump");
    let dump = dump.to_str().unwrap();
    tool(&desk.running, "pg_dump", &["--format=custom", "--file", dump, &url]).await;

    desk.say(&over, &rule, Cleared, since).await;
    desk.say(&after, &rule, Breached, since).await;
    desk.wait_for("one is over and one is new", STANDS, 1).await;
    desk.wait_for("all of it is told", TOLD, 4).await;
    desk.running.stack.stop("alert-worker-1").await.unwrap();
    desk.running.stack.postgres.drop_database("muster").await.unwrap();
    desk.running.stack.postgres.create_database("muster").await.unwrap();
    tool(&desk.running, "pg_restore", &["--dbname", &url, dump]).await;

    desk.running.database = Database::connect(&url).await.unwrap();
    assert_eq!(desk.number("SELECT count(*) FROM alerts").await, 2);
    desk.running.stack.restart("alert-worker-1").await.unwrap();
    desk.wait_for("one is over and one is new once more", STANDS, 1).await;
    let sql = "SELECT count(*) FROM alert_history WHERE kind IN ('opened', 'resolved')";
    assert_eq!(desk.number(sql).await, 4);
    desk.wait_for("all of it is told once more", TOLD, 4).await;
}

/// 1 where one ticket is over and two are open, each once.
const STANDS: &str = "
    SELECT (array_agg((host_id, status)::text ORDER BY host_id)
        = ARRAY['(after,open)', '(before,open)', '(over,resolved)'])::integer::bigint
    FROM alerts";

/// Openings and ends of which somebody was told.
const TOLD: &str = "
    SELECT coalesce(sum(cardinality(alert_ids)), 0)::bigint FROM notifications
    WHERE state = 'sent'";

/// Where the frames 101 to 110 of a host are in the stream.
async fn lost_sequences(stream: &jetstream::stream::Stream, host: &TestHost) -> Vec<u64> {
    let mut found = Vec::new();
    for sequence in 1..=stream.get_info().await.unwrap().state.last_sequence {
        let message = stream.get_raw_message(sequence).await.unwrap();
        let id = message.headers.get("Nats-Msg-Id").map(ToString::to_string).unwrap_or_default();
        let number = id.rsplit('/').next().and_then(|seq| seq.parse::<i64>().ok());
        let is_hosts = id.starts_with(&format!("{}/", host.id));
        if is_hosts && number.is_some_and(|seq| (101..111).contains(&seq)) {
            found.push(sequence);
        }
    }
    found
}
