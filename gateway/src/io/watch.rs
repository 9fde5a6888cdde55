//! Looks at the broker and the database all the time, whether somebody watches or not: how fast
//! something fills is seen only by looking twice, and a page must not wait for what is silent.
//!
//! Each question is put anew only once it was answered, so that a database that is silent does not
//! find a queue of them.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::Result;
use async_nats::jetstream::Context;
use deadpool_postgres::Pool;
use muster_nats::overview::overview;
use muster_runtime::now_ms;
use tokio::time::sleep;

use super::from_postgres::pipeline::{contents, database};
use crate::logic::pipeline::report;
use crate::logic::pipeline::report::{Pipeline, StageState};
use crate::logic::pipeline::seen::Seen;

/// As fast as a person looks again.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Counting what ten thousand hosts told takes the database a tenth of a second.
const COUNT_EVERY: Duration = Duration::from_secs(15);

#[derive(Clone, Default)]
pub(crate) struct Watch {
    seen: Arc<Mutex<Seen>>,
}

impl Watch {
    pub(crate) fn report(&self) -> Pipeline {
        report(now_ms(), &self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("nothing panics while it holds this lock")
    }

    /// For ever; dropped when the gateway stops.
    pub(crate) async fn keep_looking(self, pool: Pool, bus: Context) {
        tokio::join!(self.look_at_broker(&bus), self.look_at_database(&pool), self.count(&pool));
    }

    async fn look_at_broker(&self, bus: &Context) {
        loop {
            self.lock().broker.ask(now_ms());
            let answer = overview(bus).await;
            self.lock().broker_answered(now_ms(), plainly(answer));
            show(&self.report());
            sleep(LOOK_EVERY).await;
        }
    }

    async fn look_at_database(&self, pool: &Pool) {
        loop {
            self.lock().database.ask(now_ms());
            let answer = database(pool).await;
            self.lock().database.answered(now_ms(), plainly(answer));
            sleep(LOOK_EVERY).await;
        }
    }

    async fn count(&self, pool: &Pool) {
        loop {
            self.lock().contents.ask(now_ms());
            let answer = contents(pool).await;
            self.lock().contents_answered(now_ms(), plainly(answer));
            sleep(COUNT_EVERY).await;
        }
    }
}

fn plainly<T>(answer: Result<T>) -> Result<T, String> {
    answer.map_err(|error| format!("{error:#}"))
}

/// The same as the page, for who watches by machine.
fn show(report: &Pipeline) {
    let stages = [
        ("agents", &report.agents.verdict),
        ("broker", &report.broker.verdict),
        ("workers", &report.workers.verdict),
        ("database", &report.database.verdict),
    ];
    for (stage, verdict) in stages {
        let is_held = verdict.state != StageState::Ok;
        metrics::gauge!("muster_pipeline_held", "stage" => stage).set(f64::from(u8::from(is_held)));
        if let Some(seconds) = verdict.can_hold_s {
            metrics::gauge!("muster_pipeline_can_hold_seconds", "stage" => stage)
                .set(seconds as f64);
        }
    }
    for stream in &report.broker.streams {
        metrics::gauge!("muster_stream_messages", "stream" => stream.name)
            .set(stream.messages as f64);
        metrics::gauge!("muster_stream_bytes", "stream" => stream.name).set(stream.bytes as f64);
    }
    for consumer in &report.broker.consumers {
        let waiting = (consumer.pending + consumer.ack_pending) as f64;
        metrics::gauge!("muster_consumer_waiting_messages", "consumer" => consumer.name)
            .set(waiting);
        metrics::gauge!("muster_consumer_lag_seconds", "consumer" => consumer.name)
            .set(consumer.lag_s);
    }
    let here = report.workers.items.iter().filter(|worker| !worker.gone).count();
    metrics::gauge!("muster_workers").set(here as f64);
    metrics::gauge!("muster_dead_letters").set(report.dead_letters.count as f64);
    metrics::gauge!("muster_ledger_gaps").set(report.ledger.gaps as f64);
    metrics::gauge!("muster_ledger_missing_messages").set(report.ledger.missing as f64);
    metrics::gauge!("muster_ledger_lost_messages").set(report.ledger.lost as f64);
    metrics::gauge!("muster_journal_waiting_messages").set(report.agents.waiting as f64);
}
