//! Where data is held, and how long each stage can still hold: the river as one page.
//!
//! - A stage is `down` when it cannot do its part, `held` when it could and is kept from it or is
//!   behind, and else `ok`. The pipeline is held at the first stage that is down, or else at the
//!   first that is held: with the database down, workers are held, but the database is why.
//! - How long a stage can hold is said as if nothing left it any more: streams until the oldest
//!   message that nobody has taken is dropped, by its age or for room; journals until the fullest
//!   is full. Without any inflow only age counts.
//! - What cannot be asked now is shown as it was last seen, with the time (`as_of`).

pub mod report;
pub mod seen;

use muster_nats::overview::ConsumerView;
use muster_nats::{ConsumerName, Stream};

use report::{
    Agents, Broker, Consumer, Database, DeadLetters, Fullest, Ledger, Pipeline, StageState,
    StreamReport, Verdict, Worker, Workers,
};
use seen::{Seen, WorkerRow};

use super::words::{count_of, time};

/// A worker that has not written its row for this long is gone: six times its rhythm.
const GONE_AFTER_MS: i64 = 30_000;

/// Data that is older than that when it is stored is behind: three frames of an agent.
const BEHIND_AFTER_MS: i64 = 30_000;

/// A journal that is filled to this part is in trouble, whatever the reason.
const JOURNAL_FULL_PERCENT: f64 = 80.0;

/// After the database was away, workers have said within this how they are: two of their rhythms,
/// and one look of this gateway.
const TOLD_WITHIN_MS: i64 = 15_000;

const INGEST_WORKER: &str = "ingest-worker";

pub fn report(now: i64, seen: &Seen) -> Pipeline {
    let broker = broker(now, seen);
    let agents = agents(seen, &broker);
    let database = database(now, seen, broker.verdict.can_hold_s);
    let workers = workers(now, seen, &broker);
    let ledger = ledger(seen);
    let dead_letters = dead_letters(seen);
    let stages = [
        ("agents", &agents.verdict),
        ("broker", &broker.verdict),
        ("workers", &workers.verdict),
        ("database", &database.verdict),
    ];
    let first = |state| stages.iter().find(|(_, verdict)| verdict.state == state);
    let worst = first(StageState::Down).or_else(|| first(StageState::Held));
    let (state, sentence) = match worst {
        Some((_, verdict)) => (verdict.state, verdict.sentence.clone()),
        None => (StageState::Ok, "everything that is sent arrives".to_owned()),
    };
    let held_at = worst.map(|(name, _)| *name);
    Pipeline {
        at: now,
        state,
        held_at,
        sentence,
        agents,
        broker,
        workers,
        database,
        ledger,
        dead_letters,
    }
}

fn broker(now: i64, seen: &Seen) -> Broker {
    let overview = seen.broker.newest();
    let consumers: Vec<Consumer> =
        overview.iter().flat_map(|overview| overview.consumers.iter()).map(consumer).collect();
    let streams: Vec<StreamReport> = overview
        .iter()
        .flat_map(|overview| &overview.streams)
        .map(|view| stream(now, seen, view))
        .collect();
    let can_hold_s = streams.iter().filter_map(|stream| stream.can_hold_s).min();
    let (state, sentence) = match (seen.broker.away(now), overview) {
        (Some((since, reason)), _) => {
            let ago = time((now - since) / 1000);
            (
                StageState::Down,
                format!(
                    "the broker has not answered for {ago} ({reason}); journals hold what is new"
                ),
            )
        }
        (None, None) => (StageState::Down, "the broker was not heard yet".to_owned()),
        (None, Some(_)) => {
            let hold = can_hold_s
                .map_or(String::new(), |s| format!("; without workers it holds about {}", time(s)));
            (StageState::Ok, format!("the broker answers{hold}"))
        }
    };
    let verdict = Verdict { state, sentence, can_hold_s, as_of: seen.broker.as_of() };
    Broker { verdict, streams, consumers }
}

fn consumer(view: &ConsumerView) -> Consumer {
    Consumer {
        name: view.consumer.name(),
        stream: view.consumer.stream().name(),
        pending: view.pending,
        ack_pending: view.ack_pending,
        redelivered: view.redelivered,
        waiting_requests: view.waiting,
        lag_s: view.lag_ms as f64 / 1000.0,
    }
}

fn stream(now: i64, seen: &Seen, view: &muster_nats::overview::StreamView) -> StreamReport {
    let inflow = seen.inflow_bytes_per_s(view.stream);
    let of_stream = seen.broker.newest().into_iter().flat_map(|overview| &overview.consumers);
    let behind = of_stream.filter(|consumer| consumer.consumer.stream() == view.stream);
    let (mut waiting, mut lag_ms) = (0, 0);
    for consumer in behind {
        waiting = waiting.max(consumer.pending + consumer.ack_pending);
        lag_ms = lag_ms.max(consumer.lag_ms);
    }
    // Time has passed since the broker was asked.
    lag_ms += if lag_ms > 0 { seen.broker.as_of().map_or(0, |at| (now - at).max(0)) } else { 0 };
    let is_consumed = ![Stream::Events, Stream::Dead].contains(&view.stream);
    let size = view.bytes as f64 / view.messages.max(1) as f64;
    let by_room = inflow
        .filter(|inflow| *inflow > 0.0)
        .map(|inflow| ((view.bytes_max as f64 - waiting as f64 * size) / inflow).max(0.0) as i64);
    let by_age = ((view.age_ms_max - lag_ms) / 1000).max(0);
    StreamReport {
        name: view.stream.name(),
        messages: view.messages,
        bytes: view.bytes,
        bytes_max: view.bytes_max,
        age_s_max: view.age_ms_max / 1000,
        oldest_at: view.oldest_at,
        inflow_bytes_per_s: inflow.map(f64::round),
        can_hold_s: is_consumed.then(|| by_room.map_or(by_age, |by_room| by_room.min(by_age))),
    }
}

fn agents(seen: &Seen, broker: &Broker) -> Agents {
    let journals =
        seen.contents.newest().map(|contents| contents.journals.clone()).unwrap_or_default();
    let fullest = journals.fullest.as_ref().map(|journal| {
        let bytes_per_s =
            seen.journal_growth_bytes_per_s().or_else(|| mean_inflow(seen, journals.hosts));
        let room = (journal.bytes_max - journal.bytes).max(0) as f64;
        let hold = bytes_per_s.filter(|rate| *rate > 0.0).map(|rate| (room / rate) as i64);
        Fullest {
            host: journal.host.clone(),
            waiting: journal.waiting,
            bytes: journal.bytes,
            bytes_max: journal.bytes_max,
            full_percent: percent(journal.bytes, journal.bytes_max),
            fill_bytes_per_s: bytes_per_s.map(f64::round),
            can_hold_s: hold,
        }
    });
    let can_hold_s = fullest.as_ref().and_then(|fullest| fullest.can_hold_s);
    let dropped = seen.contents.newest().map_or(0, |contents| contents.ledger.dropped);
    let (state, sentence) = if broker.verdict.state == StageState::Down {
        let hold =
            can_hold_s.map_or("an unknown time".to_owned(), |s| format!("about {}", time(s)));
        (StageState::Held, format!("agents cannot send; the fullest journal holds {hold}"))
    } else if let Some(full) =
        fullest.as_ref().filter(|f| f.waiting > 0 && f.full_percent >= JOURNAL_FULL_PERCENT)
    {
        (
            StageState::Held,
            format!(
                "the journal of {} is {} % full and waits to be sent",
                full.host, full.full_percent
            ),
        )
    } else {
        (
            StageState::Ok,
            format!(
                "{} of {} with messages to send, {} in all",
                journals.hosts_with_backlog,
                count_of(journals.hosts, "host"),
                count_of(journals.waiting, "message")
            ),
        )
    };
    let verdict = Verdict { state, sentence, can_hold_s, as_of: seen.contents.as_of() };
    Agents {
        verdict,
        hosts: journals.hosts,
        hosts_with_backlog: journals.hosts_with_backlog,
        waiting: journals.waiting,
        bytes: journals.bytes,
        dropped,
        fullest,
    }
}

/// What one host sends, where it was not seen how fast a journal fills.
fn mean_inflow(seen: &Seen, hosts: i64) -> Option<f64> {
    let of = [Stream::Telemetry, Stream::Logs, Stream::Signals, Stream::Inventory];
    let all: f64 = of.iter().filter_map(|stream| seen.inflow_bytes_per_s(*stream)).sum();
    (hosts > 0).then(|| all / hosts as f64)
}

fn percent(part: i64, whole: i64) -> f64 {
    (part.max(0) as f64 * 1000.0 / whole.max(1) as f64).round() / 10.0
}

fn database(now: i64, seen: &Seen, can_hold_s: Option<i64>) -> Database {
    let newest = seen.database.newest().cloned().unwrap_or_default();
    let commits = newest.workers.iter().flat_map(|worker| worker.state.channels.values());
    let commit_ms_p99 = commits.filter_map(|work| work.commit_ms_p99).reduce(f64::max);
    let (state, sentence) = match (seen.database.away(now), seen.database.newest()) {
        (Some((since, reason)), _) => {
            let ago = time((now - since) / 1000);
            let hold = can_hold_s
                .map_or(String::new(), |s| format!("; the streams hold about {}", time(s)));
            (StageState::Down, format!("the database has not answered for {ago} ({reason}){hold}"))
        }
        (None, None) => (StageState::Down, "the database was not heard yet".to_owned()),
        (None, Some(seen)) => {
            let (used, max) = (seen.connections, seen.connections_max);
            (StageState::Ok, format!("the database answers; {used} of {max} connections are used"))
        }
    };
    let verdict = Verdict { state, sentence, can_hold_s: None, as_of: seen.database.as_of() };
    Database {
        verdict,
        version: newest.version,
        engine: newest.engine,
        connections: newest.connections,
        connections_max: newest.connections_max,
        answer_ms: newest.answer_ms,
        commit_ms_p99,
        oldest_transaction_s: newest.oldest_transaction_s,
        size_bytes: seen.contents.newest().map(|contents| contents.database_bytes),
    }
}

fn workers(now: i64, seen: &Seen, broker: &Broker) -> Workers {
    let rows =
        seen.database.newest().map(|database| database.workers.as_slice()).unwrap_or_default();
    let items: Vec<Worker> = rows.iter().map(worker).collect();
    let ingest = |name: &str| name != ConsumerName::AlertSignals.name();
    let lag_s =
        broker.consumers.iter().filter(|c| ingest(c.name)).map(|c| c.lag_s).fold(0.0, f64::max);
    let waiting: u64 =
        broker.consumers.iter().filter(|c| ingest(c.name)).map(|c| c.pending + c.ack_pending).sum();
    let (state, sentence) = judge_workers(now, seen, &items, lag_s, waiting);
    let verdict = Verdict {
        state,
        sentence,
        can_hold_s: broker.verdict.can_hold_s,
        as_of: seen.database.as_of(),
    };
    Workers { verdict, lag_s, waiting, items }
}

fn judge_workers(
    now: i64,
    seen: &Seen,
    items: &[Worker],
    lag_s: f64,
    waiting: u64,
) -> (StageState, String) {
    let here = items.iter().filter(|worker| !worker.gone);
    let ingest = here.clone().filter(|worker| worker.kind == INGEST_WORKER).count();
    if seen.database.away(now).is_some() {
        let known = count_of(ingest, "ingest worker");
        return (
            StageState::Held,
            format!("workers wait for the database, and cannot say how they are; known: {known}"),
        );
    }
    if ingest == 0 && seen.database.is_just_back(now, TOLD_WITHIN_MS) {
        let sentence = "the database answers again; no worker has said yet how it is";
        return (StageState::Held, sentence.to_owned());
    }
    if ingest == 0 {
        return (
            StageState::Down,
            format!("no ingest worker runs; in the streams wait {}", count_of(waiting, "message")),
        );
    }
    if let Some((worker, held)) = here.clone().find_map(|w| Some((w, w.held.as_ref()?))) {
        let since = time((now - held.at) / 1000);
        let who = format!("{} {} on {}", worker.kind, worker.pid, worker.hostname);
        return (StageState::Held, format!("{who} has been held for {since}: {}", held.reason));
    }
    if lag_s * 1000.0 >= BEHIND_AFTER_MS as f64 {
        let behind = time(lag_s as i64);
        let waiting = count_of(waiting, "message");
        return (StageState::Held, format!("workers are {behind} behind, by {waiting}"));
    }
    let others = here.count() - ingest;
    let (ingest, others) = (count_of(ingest, "ingest worker"), count_of(others, "alert worker"));
    (StageState::Ok, format!("running: {ingest} and {others}, {lag_s:.1} s behind"))
}

fn worker(row: &WorkerRow) -> Worker {
    Worker {
        id: row.id.clone(),
        kind: row.kind.clone(),
        hostname: row.hostname.clone(),
        pid: row.pid,
        version: row.version.clone(),
        started_at: row.started_at,
        seen_at: row.seen_at,
        gone: row.silent_ms >= GONE_AFTER_MS,
        held: row.state.held().cloned(),
        channels: row.state.channels.clone(),
    }
}

fn ledger(seen: &Seen) -> Ledger {
    let totals = seen.contents.newest().map(|contents| contents.ledger.clone()).unwrap_or_default();
    let (missing, lost, hosts) = (totals.missing, totals.lost, totals.hosts_with_gaps);
    let messages = |count| count_of(count, "message");
    let (state, sentence) = match (missing, lost) {
        (0, 0) => (StageState::Ok, "nothing is missing".to_owned()),
        (0, _) => {
            (StageState::Ok, format!("lost for good: {}; nothing else is missing", messages(lost)))
        }
        _ => {
            let of = count_of(hosts, "host");
            let missing = format!("missing, but may still come: {} of {of}", messages(missing));
            let lost = match lost {
                0 => String::new(),
                lost => format!("; lost for good: {}", messages(lost)),
            };
            (StageState::Held, missing + &lost)
        }
    };
    let verdict = Verdict { state, sentence, can_hold_s: None, as_of: seen.contents.as_of() };
    Ledger {
        verdict,
        hosts_with_gaps: totals.hosts_with_gaps,
        gaps: totals.gaps,
        missing,
        lost,
        dropped: totals.dropped,
    }
}

fn dead_letters(seen: &Seen) -> DeadLetters {
    let streams =
        seen.broker.newest().map(|overview| overview.streams.as_slice()).unwrap_or_default();
    let dead = streams.iter().find(|view| view.stream == Stream::Dead);
    let (count, bytes) = dead.map_or((0, 0), |dead| (dead.messages, dead.bytes));
    let sentence = match count {
        0 => "there are none".to_owned(),
        count => format!("could not be stored and is kept: {}", count_of(count, "message")),
    };
    let verdict =
        Verdict { state: StageState::Ok, sentence, can_hold_s: None, as_of: seen.broker.as_of() };
    DeadLetters { verdict, count, bytes, oldest_at: dead.and_then(|dead| dead.oldest_at) }
}

#[cfg(test)]
mod tests;
