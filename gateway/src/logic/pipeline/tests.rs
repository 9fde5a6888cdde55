//! The verdict over what was seen, case by case.

use muster_nats::overview::{Overview, StreamView};
use muster_schemas::workers::{ChannelWork, Trouble, WorkerState};

use super::seen::{Contents, Database as SeenDatabase, Journal, Journals};
use super::*;

const NOW: i64 = 1_732_100_000_000;

/// 100 messages of 1000 bytes a second since a minute ago.
fn overview(at: i64, lag_ms: i64) -> Overview {
    let stream = |stream| StreamView {
        stream,
        messages: 1_000,
        bytes: 1_000_000,
        bytes_max: 100_000_000,
        age_ms_max: 86_400_000,
        last_seq: ((at - NOW) / 10 + 100_000) as u64,
        oldest_at: Some(at - 1_000),
        at,
    };
    let consumer = |consumer| ConsumerView {
        consumer,
        pending: if lag_ms > 0 { 500 } else { 0 },
        ack_pending: 0,
        redelivered: 0,
        waiting: 1,
        lag_ms,
    };
    Overview {
        streams: Stream::ALL.into_iter().map(stream).collect(),
        consumers: ConsumerName::ALL.into_iter().map(consumer).collect(),
    }
}

fn worker_row(silent_ms: i64, held: Option<Trouble>) -> WorkerRow {
    let work = ChannelWork { held, commit_ms_p99: Some(7.0), ..ChannelWork::default() };
    WorkerRow {
        id: "a1".into(),
        kind: INGEST_WORKER.into(),
        hostname: "db-1".into(),
        pid: 42,
        version: "0.1.0".into(),
        started_at: NOW - 100_000,
        seen_at: NOW - silent_ms,
        silent_ms,
        state: WorkerState { channels: [("telemetry".to_owned(), work)].into() },
    }
}

fn well() -> Seen {
    let mut seen = Seen::default();
    seen.broker_answered(NOW - 60_000, Ok(overview(NOW - 60_000, 0)));
    seen.broker_answered(NOW, Ok(overview(NOW, 0)));
    let workers = vec![worker_row(1_000, None)];
    seen.database.answered(NOW, Ok(SeenDatabase { workers, ..SeenDatabase::default() }));
    let journal = |sent_at, bytes| Journal {
        host: "web-3".into(),
        sent_at,
        waiting: 0,
        bytes,
        bytes_max: 1_000_000,
    };
    for (at, bytes) in [(NOW - 30_000, 100_000), (NOW, 400_000)] {
        let fullest = Some(journal(at, bytes));
        let journals = Journals { hosts: 10, fullest, ..Journals::default() };
        seen.contents_answered(at, Ok(Contents { journals, ..Contents::default() }));
    }
    seen
}

fn check(seen: &Seen, now: i64, state: StageState, held_at: Option<&str>, says: &str) -> Pipeline {
    let report = report(now, seen);
    assert_eq!((report.state, report.held_at), (state, held_at), "{}", report.sentence);
    assert!(report.sentence.contains(says), "{:?} does not say {says:?}", report.sentence);
    report
}

#[test]
fn nothing_is_held_where_all_is_well() {
    let report = check(&well(), NOW, StageState::Ok, None, "everything");
    assert_eq!(report.workers.items[0].pid, 42);
    assert_eq!(report.database.commit_ms_p99, Some(7.0));
    let hold = |report: &Pipeline, name| {
        report.broker.streams.iter().find(|stream| stream.name == name).and_then(|s| s.can_hold_s)
    };
    // 100 MB of room at 100 kB a second; nobody has to take dead letters.
    assert_eq!(hold(&report, "TELEMETRY"), Some(1_000));
    assert_eq!(hold(&report, "DEAD"), None);
    // 600 kB of room at 10 kB a second.
    assert_eq!(report.agents.verdict.can_hold_s, Some(60));
}

#[test]
fn a_database_that_is_silent_holds_although_it_refuses_nothing() {
    let mut seen = well();
    seen.database.ask(NOW);
    check(&seen, NOW + 2_900, StageState::Ok, None, "");
    let report =
        check(&seen, NOW + 12_000, StageState::Down, Some("database"), "not answered for 12 s");
    assert_eq!(report.workers.verdict.state, StageState::Held);
    assert_eq!(report.broker.verdict.state, StageState::Ok);
    assert_eq!(report.database.verdict.as_of, Some(NOW));
    assert!(report.sentence.contains("the streams hold about 17 min"), "{}", report.sentence);
}

#[test]
fn without_the_broker_the_journals_hold() {
    let mut seen = well();
    seen.broker.ask(NOW);
    seen.broker_answered(NOW + 2_000, Err("no answer to STREAM.INFO".into()));
    let report = check(&seen, NOW + 5_000, StageState::Down, Some("broker"), "5 s");
    assert_eq!(report.agents.verdict.state, StageState::Held);
    assert!(report.agents.verdict.sentence.contains("about 60 s"));
    assert_eq!(report.broker.streams.len(), 6, "they are shown as they were");
}

#[test]
fn workers_that_are_gone_held_or_behind_are_told_apart() {
    let with = |workers| {
        let mut seen = well();
        seen.database.answered(NOW, Ok(SeenDatabase { workers, ..SeenDatabase::default() }));
        seen
    };
    check(&with(vec![]), NOW, StageState::Down, Some("workers"), "no ingest worker runs");
    let gone = with(vec![worker_row(30_000, None)]);
    check(&gone, NOW, StageState::Down, Some("workers"), "no ingest worker runs");
    let mut back = well();
    back.database.ask(NOW - 60_000);
    let workers = vec![worker_row(60_000, None)];
    back.database.answered(NOW, Ok(SeenDatabase { workers, ..SeenDatabase::default() }));
    check(&back, NOW + 14_000, StageState::Held, Some("workers"), "answers again");
    check(&back, NOW + 15_000, StageState::Down, Some("workers"), "no ingest worker runs");
    let trouble = Trouble { at: NOW - 60_000, reason: "disk full".into() };
    let held = with(vec![worker_row(0, Some(trouble))]);
    check(&held, NOW, StageState::Held, Some("workers"), "held for 60 s: disk full");
    let mut behind = well();
    behind.broker_answered(NOW, Ok(overview(NOW, 45_000)));
    let report = check(&behind, NOW, StageState::Held, Some("workers"), "45 s behind");
    assert_eq!(report.workers.waiting, 2_000);
}

#[test]
fn what_is_missing_in_the_ledger_holds_nobody_up() {
    let mut seen = well();
    let mut contents = seen.contents.newest().cloned().unwrap();
    contents.ledger.missing = 3;
    contents.ledger.hosts_with_gaps = 1;
    seen.contents_answered(NOW, Ok(contents.clone()));
    let report = check(&seen, NOW, StageState::Ok, None, "everything");
    assert_eq!(report.ledger.verdict.state, StageState::Held);
    assert!(report.ledger.verdict.sentence.ends_with("may still come: 3 messages of 1 host"));
    contents.ledger.lost = 7;
    seen.contents_answered(NOW, Ok(contents.clone()));
    let report = check(&seen, NOW, StageState::Ok, None, "everything");
    assert!(report.ledger.verdict.sentence.ends_with("; lost for good: 7 messages"));
    contents.ledger.missing = 0;
    seen.contents_answered(NOW, Ok(contents));
    let report = check(&seen, NOW, StageState::Ok, None, "everything");
    assert_eq!((report.ledger.verdict.state, report.ledger.lost), (StageState::Ok, 7));
}
