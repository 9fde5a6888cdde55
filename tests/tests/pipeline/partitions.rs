//! Promise 5: a partition has one owner at a time, whoever is killed, paused or stopped, and what
//! hosts suspect is heard in order by whoever has it.

use std::collections::{BTreeMap, BTreeSet};

use muster_nats::{Stream, headers, subjects};
use muster_runtime::now_ms;
use muster_schemas::conditions::{Candidate, CandidateState, Context};
use muster_schemas::{Kind, Partition, codec};
use muster_stack::StackOptions;
use muster_tests::bus::TestHost;
use muster_tests::database::Database;
use muster_tests::wait::{eventually, expect};

use crate::setup::{Running, start};

/// More than there are partitions: nearly all of them have some.
const HOSTS: usize = 100;

/// Each change of owner or offset, as the database saw it.
const NOTE_MOVES: &str = "
    CREATE TABLE moves (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        partition integer, owner text, epoch bigint, from_seq bigint, to_seq bigint
    );
    CREATE FUNCTION note_move() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO moves (partition, owner, epoch, from_seq, to_seq)
        VALUES (NEW.partition, NEW.owner, NEW.epoch, OLD.last_seq, NEW.last_seq);
        RETURN NULL;
    END
    $$;
    CREATE TRIGGER note_move AFTER UPDATE ON alert_partitions FOR EACH ROW
    WHEN (OLD.epoch <> NEW.epoch OR OLD.last_seq <> NEW.last_seq)
    EXECUTE FUNCTION note_move()";

/// Hosts that suspect something, and the last message that each partition has to hear.
struct Fleet {
    hosts: Vec<TestHost>,
    seq: i64,
    last: BTreeMap<Partition, u64>,
}

impl Fleet {
    fn new() -> Self {
        let hosts = (0..HOSTS).map(|n| TestHost::new(&format!("web-{n}"))).collect();
        Self { hosts, seq: 0, last: BTreeMap::new() }
    }

    /// One candidate of each host.
    async fn suspect(&mut self, running: &Running) {
        self.seq += 1;
        for host in &self.hosts {
            let seq = publish(running, host, self.seq).await;
            self.last.insert(Partition::of(&host.id), seq);
            self.last.insert(Partition::FLEET, seq);
        }
    }

    /// Waits until all partitions have heard all, of the stream that is there now.
    async fn is_heard(&self, running: &Running) {
        let info = running.bus.context.get_stream("SIGNALS").await.unwrap().cached_info().clone();
        let created_at = (info.created.unix_timestamp_nanos() / 1_000_000) as i64;
        eventually("all candidates are heard", async || {
            let sql = "
                SELECT partition, last_seq,
                       (extract(epoch FROM stream_created_at) * 1000)::bigint
                FROM alert_partitions";
            let rows = running.database.client.query(sql, &[]).await.unwrap();
            let heard = |partition: &Partition, seq: u64| {
                rows.iter().any(|row| {
                    let last = row.get::<_, i64>(1) as u64;
                    row.get::<_, i32>(0) == partition.number()
                        && (seq..=info.state.last_sequence).contains(&last)
                        && row.get::<_, Option<i64>>(2) == Some(created_at)
                })
            };
            let missing = self.last.iter().filter(|(partition, seq)| !heard(partition, **seq));
            let missing: Vec<String> = missing.map(|(p, seq)| format!("{seq} by {p}")).collect();
            expect(missing, vec![])
        })
        .await;
    }
}

/// Answers the number under which the bus has stored it.
async fn publish(running: &Running, host: &TestHost, seq: i64) -> u64 {
    let now = now_ms();
    let candidate = Candidate {
        at: now,
        rule: "1".into(),
        rule_version: 1,
        metric: "cpu.usage_percent".into(),
        instance: String::new(),
        state: CandidateState::StillBreached,
        value: 95.0,
        threshold: 90.0,
        since: now,
        context: Context::default(),
    };
    let message = host.message(seq, now, candidate);
    let subject = subjects::durable(&host.id, Kind::Candidate);
    let headers = headers::durable(&message.message_id().to_string());
    let payload = codec::encode(&message).into();
    let stored = running.bus.context.publish_with_headers(subject, headers, payload).await;
    stored.unwrap().await.unwrap().sequence
}

/// Bus, database and so many alert workers, with all moves noted.
async fn start_workers(count: usize) -> Running {
    let mut running = start(StackOptions::default()).await;
    running.database.client.batch_execute(NOTE_MOVES).await.unwrap();
    for n in 1..=count {
        running.stack.add(&format!("alert-worker-{n}"), &StackOptions::default()).unwrap();
    }
    wait_for_owners(&running, count).await;
    running
}

/// Waits until all partitions are owned, by so many workers.
async fn wait_for_owners(running: &Running, count: usize) {
    eventually(&format!("{count} workers share the partitions"), async || {
        let sql = "SELECT owner FROM alert_partitions WHERE lease_until > now()";
        let rows = running.database.client.query(sql, &[]).await.unwrap();
        let owners: Vec<String> = rows.iter().filter_map(|row| row.get(0)).collect();
        let different: BTreeSet<&String> = owners.iter().collect();
        expect((owners.len(), different.len()), (33, count))
    })
    .await;
}

async fn owned_by(running: &Running, worker: &str) -> i64 {
    let sql = "SELECT count(*) FROM alert_partitions WHERE owner = $1";
    running.database.client.query_one(sql, &[&worker]).await.unwrap().get(0)
}

/// The id of a worker, by its process.
async fn id_of(running: &mut Running, part: &str) -> String {
    let pid = i64::from(running.stack.pid(part).unwrap().unwrap());
    eventually("the worker says who it is", async || {
        let sql = "SELECT id FROM workers WHERE pid = $1";
        let row = running.database.client.query_opt(sql, &[&pid]).await.unwrap();
        row.map(|row| row.get(0)).ok_or_else(|| format!("no worker with the pid {pid}"))
    })
    .await
}

/// Offsets only went on, epochs too, and each epoch of a partition had one owner.
async fn moves_are_in_order(running: &Running) {
    let sql = "SELECT partition, epoch, owner, from_seq, to_seq FROM moves ORDER BY id";
    let mut epochs: BTreeMap<i32, i64> = BTreeMap::new();
    let mut owners: BTreeMap<(i32, i64), String> = BTreeMap::new();
    for row in running.database.client.query(sql, &[]).await.unwrap() {
        let (partition, epoch, from, to): (i32, i64, i64, i64) =
            (row.get(0), row.get(1), row.get(3), row.get(4));
        let before = epochs.insert(partition, epoch).unwrap_or(0);
        assert!(epoch >= before, "partition {partition} went from epoch {before} to {epoch}");
        assert!(to >= from, "partition {partition} went back from {from} to {to}");
        let Some(owner) = row.get::<_, Option<String>>(2) else { continue };
        let first = owners.entry((partition, epoch)).or_insert_with(|| owner.clone());
        assert_eq!(*first, owner, "two owners in epoch {epoch} of partition {partition}");
    }
    assert!(!owners.is_empty());
}

fn log_of(running: &Running, part: &str) -> String {
    std::fs::read_to_string(running.stack.dir().join(format!("logs/{part}.log"))).unwrap()
}

#[tokio::test]
async fn hosts_are_partitioned_here_as_they_are_by_the_broker() {
    let running = start(StackOptions::default()).await;
    Fleet::new().suspect(&running).await;
    let stored = running.bus.read_all(Stream::Signals).await.unwrap();
    assert_eq!(stored.len(), HOSTS);
    for message in stored {
        let host = subjects::parse(&message.subject).unwrap().host;
        let number = Partition::of(&host).number();
        assert_eq!(message.subject, format!("p.{number}.{host}.candidate"));
    }
}

#[tokio::test]
async fn when_an_owner_is_killed_another_worker_goes_on_where_it_was() {
    let mut running = start_workers(2).await;
    let mut fleet = Fleet::new();
    fleet.suspect(&running).await;
    fleet.is_heard(&running).await;
    running.stack.kill9("alert-worker-1").await.unwrap();
    fleet.suspect(&running).await;
    fleet.is_heard(&running).await;
    wait_for_owners(&running, 1).await;
    running.stack.restart("alert-worker-1").await.unwrap();
    wait_for_owners(&running, 2).await;
    fleet.suspect(&running).await;
    fleet.is_heard(&running).await;
    moves_are_in_order(&running).await;
}

#[tokio::test]
async fn an_owner_that_is_paused_loses_what_it_has_and_changes_nothing_when_it_wakes_up() {
    let mut running = start_workers(2).await;
    let paused = id_of(&mut running, "alert-worker-1").await;
    let mut fleet = Fleet::new();
    fleet.suspect(&running).await;
    running.stack.pause("alert-worker-1").unwrap();
    fleet.suspect(&running).await;
    fleet.is_heard(&running).await;
    wait_for_owners(&running, 1).await;
    assert_eq!(owned_by(&running, &paused).await, 0);
    running.stack.resume("alert-worker-1").unwrap();
    // It had taken candidates from the bus before; now it gets its share back, in new epochs.
    fleet.suspect(&running).await;
    fleet.is_heard(&running).await;
    wait_for_owners(&running, 2).await;
    fleet.suspect(&running).await;
    fleet.is_heard(&running).await;
    moves_are_in_order(&running).await;
}

#[tokio::test]
async fn a_worker_that_is_told_to_end_leaves_its_partitions_to_the_others() {
    let mut running = start_workers(2).await;
    let ended = id_of(&mut running, "alert-worker-1").await;
    assert!(owned_by(&running, &ended).await > 0);
    let mut fleet = Fleet::new();
    fleet.suspect(&running).await;
    running.stack.stop("alert-worker-1").await.unwrap();
    assert_eq!(owned_by(&running, &ended).await, 0);
    wait_for_owners(&running, 1).await;
    fleet.is_heard(&running).await;
    assert!(log_of(&running, "alert-worker-1").contains("gave back"));
    moves_are_in_order(&running).await;
}

#[tokio::test]
async fn a_stale_owner_commits_nothing() {
    let mut running = start_workers(1).await;
    let worker = id_of(&mut running, "alert-worker-1").await;
    let host = TestHost::new("web-1");
    let number = Partition::of(&host.id).number();
    let first = publish(&running, &host, 1).await as i64;
    let last_seq = "SELECT last_seq FROM alert_partitions WHERE partition = $1";
    let offset = async || -> i64 {
        running.database.client.query_one(last_seq, &[&number]).await.unwrap().get(0)
    };
    eventually("the first one is heard", async || expect(offset().await, first)).await;

    // The worker is in its transaction, and waits, when somebody else becomes the owner.
    let mut thief = Database::connect(&running.stack.postgres_url()).await.unwrap();
    let theft = thief.client.transaction().await.unwrap();
    let sql = "
        UPDATE alert_partitions
        SET owner = 'thief', epoch = epoch + 1, lease_until = now() + interval '1 hour'
        WHERE partition = $1";
    theft.execute(sql, &[&number]).await.unwrap();
    let second = publish(&running, &host, 2).await as i64;
    eventually("the worker waits to commit", async || {
        let sql = "
            SELECT count(*) FROM pg_stat_activity
            WHERE application_name = 'muster-alert-worker' AND wait_event_type = 'Lock'
              AND query LIKE '%UPDATE alert_partitions%'";
        let waiting: i64 = running.database.client.query_one(sql, &[]).await.unwrap().get(0);
        expect(waiting, 1)
    })
    .await;
    theft.commit().await.unwrap();
    eventually("the worker sees that it is not the owner", async || {
        let log = log_of(&running, "alert-worker-1");
        let told = ["nothing was kept", "another worker decides about"];
        if told.iter().all(|line| log.contains(line)) { Ok(()) } else { Err(log) }
    })
    .await;
    assert_eq!(offset().await, first);

    let sql = "UPDATE alert_partitions SET lease_until = now() WHERE owner = 'thief'";
    thief.client.execute(sql, &[]).await.unwrap();
    eventually("the rightful owner goes on", async || expect(offset().await, second)).await;
    assert_eq!(owned_by(&running, &worker).await, 33);
    moves_are_in_order(&running).await;
}

#[tokio::test]
async fn a_stream_that_is_not_what_it_was_is_told_and_gone_on_with() {
    let mut running = start_workers(1).await;
    let mut fleet = Fleet::new();
    fleet.suspect(&running).await;
    fleet.is_heard(&running).await;

    // What nobody has heard is dropped.
    running.stack.stop("alert-worker-1").await.unwrap();
    fleet.suspect(&running).await;
    running.bus.context.get_stream("SIGNALS").await.unwrap().purge().await.unwrap();
    fleet.suspect(&running).await;
    running.stack.restart("alert-worker-1").await.unwrap();
    fleet.is_heard(&running).await;
    assert!(log_of(&running, "alert-worker-1").contains("it has dropped what is between"));

    // The stream is made anew under the worker's feet.
    running.bus.context.delete_stream("SIGNALS").await.unwrap();
    running.bus.prepare().await.unwrap();
    fleet.suspect(&running).await;
    fleet.is_heard(&running).await;
    assert!(log_of(&running, "alert-worker-1").contains("the stream was made anew"));

    // The broker has lost what it had acknowledged.
    running.stack.stop("alert-worker-1").await.unwrap();
    let sql = "UPDATE alert_partitions SET last_seq = last_seq + 1000000";
    running.database.client.execute(sql, &[]).await.unwrap();
    fleet.suspect(&running).await;
    running.stack.restart("alert-worker-1").await.unwrap();
    fleet.is_heard(&running).await;
    assert!(log_of(&running, "alert-worker-1").contains("the bus has lost its end"));
}
