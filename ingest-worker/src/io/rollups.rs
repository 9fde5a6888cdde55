//! The rollup loop: makes the buckets of marked hours anew from the samples.
//!
//! Any number of workers share the work. A transaction takes one slice of the hosts, which nobody
//! else can then take, one hour, and a few hosts of it; it removes their marks, and in a later
//! statement, which therefore sees every sample whose mark it removed, makes their buckets. What is
//! stored meanwhile brings marks of its own. The policy is in `logic::rollup`, the statements that
//! make buckets in the schema (0004, 0010), and the writing of marks in `rollup_marks`.

use std::collections::HashMap;
use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use deadpool_postgres::{Object, Pool};
use muster_runtime::time::system_time;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::io::partitions::Partitions;
use crate::logic::behind::Waiting;
use crate::logic::rollup::{Due, in_turns, is_whole};

/// How often to look for work.
const PASS_EVERY: Duration = Duration::from_secs(5);

/// Parts of the hosts that are worked on at the same time: more than there are workers.
const SLICES: i32 = 32;

/// Hosts of one transaction. With so many the planning of its statements is shared well, it takes
/// less than a second, and the aggregation of a minute's buckets stays within a few megabytes.
const HOSTS_PER_TRANSACTION: i64 = 20;

/// What is listed at once: a month of hours of all slices.
const DUE_MAX: i64 = 25_000;

/// An hour of a host that could not be made is left out for so long: whatever the reason was,
/// trying it in every pass would only hide the rest of the log.
const ASIDE_FOR: Duration = Duration::from_secs(900);

/// Then hours are made although there is still a backlog: charts of many hours that are not made
/// are slow, and a worker may be behind for days.
const WAITING_MAX: Duration = Duration::from_secs(900);

/// When an hour is due.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// After its end: samples of an hour are on their way for a while.
    pub grace: Duration,
    /// After its oldest mark: late data comes in many batches, and the hour is made once for them.
    pub settle: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { grace: Duration::from_secs(120), settle: Duration::from_secs(30) }
    }
}

/// How long the samples of a host that are kept the longest are, in ms. Older buckets are never
/// replaced, and younger ones only where the samples they were made of are still there.
pub type Kept = Arc<dyn Fn(&str) -> i64 + Send + Sync>;

pub struct Rollups {
    pool: Pool,
    timing: Timing,
    kept: Kept,
    /// The last thing that was complained of: it is said once, not once a pass.
    complaint: Option<String>,
    set_aside: HashMap<(String, i64), Instant>,
    telemetry: Option<watch::Receiver<Waiting>>,
    waiting_since: Option<Instant>,
}

impl Rollups {
    pub fn new(pool: Pool, timing: Timing, kept: Kept) -> Self {
        let (complaint, set_aside) = (None, HashMap::new());
        Self { pool, timing, kept, complaint, set_aside, telemetry: None, waiting_since: None }
    }

    /// Waits while there is a backlog, though not for ever: it would have its hours made again and
    /// again while it comes, at the cost of its coming. Charts read what is not made from samples
    /// meanwhile.
    #[must_use]
    pub fn waiting_for(self, telemetry: watch::Receiver<Waiting>) -> Self {
        Self { telemetry: Some(telemetry), ..self }
    }

    fn is_to_wait(&mut self) -> bool {
        if !self.telemetry.as_ref().is_some_and(|telemetry| telemetry.borrow().has_backlog) {
            self.waiting_since = None;
            return false;
        }
        self.waiting_since.get_or_insert_with(Instant::now).elapsed() < WAITING_MAX
    }

    /// Works until told to stop.
    pub async fn run(mut self, partitions: &Partitions, stop: CancellationToken) {
        let mut passes = interval(PASS_EVERY);
        passes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = passes.tick() => {}
            }
            if self.is_to_wait() {
                continue;
            }
            match self.pass(partitions, &stop).await {
                Ok(0) => self.complaint = None,
                Ok(hours) => debug!(hours, "rolled up"),
                Err(error) => self.complain(&format!("cannot roll up samples: {error:#}")),
            }
        }
    }

    /// Makes everything anew that is due; answers how many (host, hour) that were.
    pub async fn pass(
        &mut self,
        partitions: &Partitions,
        stop: &CancellationToken,
    ) -> Result<usize> {
        self.set_aside.retain(|_, since| since.elapsed() < ASIDE_FOR);
        let (now, due) = self.list_due().await?;
        metrics::gauge!("muster_ingest_rollup_due").set(due.len() as f64);
        let mut closed: BTreeMap<i64, bool> = BTreeMap::new();
        let mut done = 0;
        for due in in_turns(due) {
            if stop.is_cancelled() || self.is_to_wait() {
                break;
            }
            if let Entry::Vacant(unknown) = closed.entry(due.hour) {
                unknown.insert(self.is_closed(due.hour).await?);
            }
            if closed[&due.hour] {
                done += self.make(due, now, partitions, stop).await?;
            }
        }
        metrics::counter!("muster_ingest_rollup_hours_total").increment(done as u64);
        Ok(done)
    }

    /// The database's time, and the slices of hours that are due.
    async fn list_due(&self) -> Result<(i64, Vec<Due>)> {
        let sql = format!(
            "SELECT (extract(epoch FROM now()) * 1000)::int8,
                    (extract(epoch FROM hour) * 1000)::int8,
                    hashtext(host_id) & {}
             FROM rollup_dirty
             WHERE hour < now() - interval '1 hour' - make_interval(secs => $1::float8)
             GROUP BY 2, 3
             HAVING min(marked_at) <= now() - make_interval(secs => $2::float8)
             LIMIT $3",
            SLICES - 1
        );
        let (grace, settle) = (self.timing.grace.as_secs_f64(), self.timing.settle.as_secs_f64());
        let client = self.client().await?;
        let statement = client.prepare_cached(&sql).await?;
        let rows = client.query(&statement, &[&grace, &settle, &DUE_MAX]).await;
        let rows = rows.context("cannot list the hours that are due")?;
        let now = rows.first().map_or(0, |row| row.get(0));
        Ok((now, rows.iter().map(|row| Due { hour: row.get(1), slice: row.get(2) }).collect()))
    }

    /// Whether nobody relies on a mark of this hour any longer. Who does holds the lock shared and
    /// began before the hour's end; once it could be had, it need not be kept.
    async fn is_closed(&self, hour: i64) -> Result<bool> {
        let sql = "
            SELECT pg_try_advisory_xact_lock(
                hashtext('muster.rollup_hour'), muster_hour_number($1)
            )";
        let client = self.client().await?;
        Ok(client.query_one(sql, &[&system_time(hour)]).await?.get(0))
    }

    /// Makes the buckets of all marked hosts of a slice, in transactions of bounded size. Where one
    /// fails, in smaller ones, down to the host that is the reason, which is set aside.
    async fn make(
        &mut self,
        due: Due,
        now: i64,
        partitions: &Partitions,
        stop: &CancellationToken,
    ) -> Result<usize> {
        let (mut done, mut hosts_max) = (0, HOSTS_PER_TRANSACTION);
        while !stop.is_cancelled() {
            partitions.ensure(&self.pool, [due.hour]).await?;
            let aside: Vec<String> = self.of_hour_aside(due.hour);
            let mut claimed = Vec::new();
            let made = self.claim(due, now, hosts_max, &aside, &mut claimed).await;
            match made {
                Ok(()) if claimed.len() < hosts_max as usize => return Ok(done + claimed.len()),
                Ok(()) => done += claimed.len(),
                Err(error) if claimed.is_empty() => return Err(error),
                Err(error) if hosts_max == 1 => self.put_aside(&claimed[0], due.hour, &error),
                Err(_) => {
                    hosts_max = 1;
                    // Retention may have dropped the day that the buckets go to.
                    partitions.forget().await;
                }
            }
        }
        Ok(done)
    }

    /// One transaction. `claimed` is whose marks it removed; empty where another worker is at this
    /// slice, or nothing is left of it.
    async fn claim(
        &self,
        due: Due,
        now: i64,
        hosts_max: i64,
        aside: &[String],
        claimed: &mut Vec<String>,
    ) -> Result<()> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let lock = "SELECT pg_try_advisory_xact_lock(hashtext('muster.rollup_slice'), $1)";
        if !transaction.query_one(lock, &[&due.slice]).await?.get::<_, bool>(0) {
            return Ok(());
        }
        let unmark = format!(
            "WITH chosen AS (
                 SELECT DISTINCT host_id FROM rollup_dirty
                 WHERE hour = $1 AND hashtext(host_id) & {} = $2 AND host_id <> ALL ($3)
                 ORDER BY host_id
                 LIMIT $4
             ), removed AS (
                 DELETE FROM rollup_dirty USING chosen
                 WHERE rollup_dirty.host_id = chosen.host_id AND rollup_dirty.hour = $1
             )
             SELECT host_id FROM chosen",
            SLICES - 1
        );
        let hour = system_time(due.hour);
        let rows = transaction.query(&unmark, &[&hour, &due.slice, &aside, &hosts_max]).await?;
        claimed.extend(rows.iter().map(|row| row.get::<_, String>(0)));
        if claimed.is_empty() {
            return Ok(());
        }
        let is_whole = |host: &&String| is_whole(due.hour, now, (self.kept)(host));
        let (whole, partial): (Vec<&String>, Vec<&String>) = claimed.iter().partition(is_whole);
        let mut rows = 0;
        for (hosts, replacing) in [(whole, true), (partial, false)] {
            if !hosts.is_empty() {
                let make = "SELECT muster_roll_up($1, $2, $3)";
                let made = transaction.query_one(make, &[&hosts, &hour, &replacing]).await;
                rows += made.context("cannot make the buckets of an hour")?.get::<_, i64>(0);
            }
        }
        transaction.commit().await?;
        metrics::counter!("muster_ingest_rollup_rows_total").increment(rows as u64);
        Ok(())
    }

    fn of_hour_aside(&self, hour: i64) -> Vec<String> {
        let hosts = self.set_aside.keys().filter(|(_, of)| *of == hour);
        hosts.map(|(host, _)| host.clone()).collect()
    }

    fn put_aside(&mut self, host: &str, hour: i64, error: &anyhow::Error) {
        self.set_aside.insert((host.to_owned(), hour), Instant::now());
        self.complain(&format!("cannot roll up an hour of host {host}: {error:#}"));
    }

    fn complain(&mut self, complaint: &str) {
        if self.complaint.as_deref() != Some(complaint) {
            warn!("{complaint}");
            self.complaint = Some(complaint.to_owned());
        }
    }

    async fn client(&self) -> Result<Object> {
        self.pool.get().await.context("no connection to the database")
    }
}
