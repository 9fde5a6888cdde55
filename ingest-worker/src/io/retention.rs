//! Removes what is older than it has to be: whole days and months by dropping them, rows of hosts
//! with a label and rows of small tables by deleting them in bounded batches.
//!
//! Each step is a transaction of its own and holds the lock of the whole for no longer, so that a
//! worker that is killed or paused holds nobody up. What cannot be done now is done by a later
//! pass; doing something twice changes nothing.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use deadpool_postgres::{Client, Pool};
use muster_runtime::storage;
use muster_runtime::time::{now_ms, system_time};
use muster_schemas::retention::plan::{
    Labels, Part, Series, dropped_parts, hosts_with, old_rows_condition, row_tables, thinned_parts,
};
use muster_schemas::retention::{Label, Policy, RowTable, horizon};
use tokio::time::sleep;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::logic::keeping::{Keeping, Late};

/// One worker at a time removes.
const LOCK: &str = "SELECT pg_try_advisory_xact_lock(hashtext('muster.retention'))";

/// A DROP that waits for readers of its table holds up everybody who comes after it, ingest
/// included: so it waits for less than a batch takes, and tries again.
const LOCK_WAIT: &str = "SET LOCAL lock_timeout = '200ms'";

/// Tries for one step. A long query keeps a day from being dropped until the next pass.
const TRIES_MAX: u32 = 5;

/// Ingest catches up meanwhile.
const PAUSE: Duration = Duration::from_secs(1);

/// A host that is sampled every second has 86,400 rows a day and table, with some hundred thousand
/// in those of processes or containers: some seconds of work for one statement.
const HOSTS_AT_ONCE: usize = 4;

/// Some 50 ms of work.
const ROWS_AT_ONCE: i64 = 5_000;

/// A worker whose clock differs by more from the database's removes nothing: one of the two is
/// wrong, and what is removed is gone. Days are removed whole, so that less makes no difference.
const CLOCKS_APART_MAX_MS: i64 = 600_000;

/// From which parts of which tables hosts with a label were removed in earlier passes, and which
/// hosts. Intake takes nothing for them that is as old as these parts, so that they need not be
/// looked at again.
#[derive(Debug, Default)]
pub struct Thinned {
    hosts: HashMap<ThinnedPart, u64>,
}

/// A table, from when to when, and a label.
type ThinnedPart = (String, i64, i64, Label);

/// What a pass has removed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Removed {
    pub days: i64,
    pub rows: i64,
    /// Steps that were left to a later pass, because somebody else was using what had to go.
    pub left: usize,
    /// Another worker was at it.
    pub elsewhere: bool,
}

enum Step {
    Removed(i64),
    Busy,
    Elsewhere,
}

struct Pass<'a> {
    pool: &'a Pool,
    policy: &'a Policy,
    now_ms: i64,
    stop: &'a CancellationToken,
    thinned: &'a mut Thinned,
    removed: Removed,
}

/// By how much the database's clock is ahead of this worker's, in milliseconds.
pub async fn clock_ahead_ms(client: &Client) -> Result<i64> {
    let sql = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    let theirs: i64 = client.query_one(sql, &[]).await.context("cannot read the time")?.get(0);
    Ok(theirs - now_ms())
}

/// The time on which this worker and the database agree, milliseconds since the Unix epoch.
pub async fn agreed_ms(pool: &Pool) -> Result<i64> {
    let client = pool.get().await.context("no connection to the database")?;
    let ahead_ms = clock_ahead_ms(&client).await?;
    let apart_s = ahead_ms.abs() / 1000;
    ensure!(
        ahead_ms.abs() <= CLOCKS_APART_MAX_MS,
        "the database's clock is {apart_s} s {} this worker's: set the wrong one right; until then \
         nothing is removed",
        if ahead_ms > 0 { "ahead of" } else { "behind" }
    );
    Ok(now_ms() + ahead_ms)
}

/// Removes all that the policy no longer keeps: first what goes as a whole and gives the disk
/// back at once.
pub async fn enforce(
    pool: &Pool,
    policy: &Policy,
    now_ms: i64,
    thinned: &mut Thinned,
    stop: &CancellationToken,
) -> Result<Removed> {
    let client = pool.get().await.context("no connection to the database")?;
    let (series, hosts) = (storage::series(&client).await?, storage::labels(&client).await?);
    drop(client);
    let mut pass = Pass { pool, policy, now_ms, stop, thinned, removed: Removed::default() };
    for series in &series {
        pass.drop_parts(series).await?;
    }
    for table in row_tables() {
        pass.delete_old(&table).await?;
    }
    let names: Vec<String> = series.iter().map(|series| series.table.clone()).collect();
    let no_cap = Late { samples_ms: i64::MAX, lines_ms: i64::MAX };
    let keeping = Keeping::new(policy, &names, &hosts, no_cap);
    let mut thinned = HashMap::new();
    for series in &series {
        pass.thin_out(series, &hosts, &keeping, &mut thinned).await?;
    }
    if !pass.is_over() {
        pass.thinned.hosts = thinned;
    }
    Ok(pass.removed)
}

impl Pass<'_> {
    fn is_over(&self) -> bool {
        self.removed.elsewhere || self.stop.is_cancelled()
    }

    /// One part a transaction, oldest first: its locks are held for as short as can be.
    async fn drop_parts(&mut self, series: &Series) -> Result<()> {
        let table = &series.table;
        for part in dropped_parts(series, self.policy, self.now_ms) {
            if self.is_over() {
                return Ok(());
            }
            let sql = "SELECT muster_drop_before($1, $2)";
            match self.tried(table, sql, &[table, &system_time(part.ends_at)]).await? {
                // It is gone already.
                Some(0) => {}
                Some(_) => {
                    let days = part.days();
                    self.removed.days += days;
                    count("muster_retention_dropped_days_total", table, days);
                    debug!(table, ends_at = part.ends_at, "dropped {days} days of {table}");
                }
                // The parts after it would have to wait for the same reader.
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Deletes what hosts with a label have in parts that stay for the others, and notes in
    /// `thinned` where no more can come.
    async fn thin_out(
        &mut self,
        series: &Series,
        hosts: &Labels,
        keeping: &Keeping,
        thinned: &mut HashMap<ThinnedPart, u64>,
    ) -> Result<()> {
        let table = &series.table;
        for (label, keep_days) in self.policy.shorter(table) {
            let names = hosts_with(hosts, &label);
            let hash = hash_of(&names);
            let taken_from = self.now_ms - longest_ms(keeping, &names);
            for part in thinned_parts(series, self.policy, keep_days, self.now_ms) {
                if self.is_over() {
                    return Ok(());
                }
                let key = (table.clone(), part.starts_at, part.ends_at, label.clone());
                let is_thin = self.thinned.hosts.get(&key) == Some(&hash);
                let is_thin = is_thin || self.thin_out_part(table, &part, &names).await?;
                if is_thin && part.ends_at <= taken_from {
                    thinned.insert(key, hash);
                }
            }
        }
        Ok(())
    }

    /// Answers whether nothing is left of the hosts in that part.
    async fn thin_out_part(&mut self, table: &String, part: &Part, hosts: &[&str]) -> Result<bool> {
        let (since, before) = (system_time(part.starts_at), system_time(part.ends_at));
        let present = self.present(table, part, hosts).await?;
        let present: Vec<&str> = present.iter().map(String::as_str).collect();
        let sql = "SELECT muster_delete_rows($1, $2, $3, $4)";
        for hosts in present.chunks(HOSTS_AT_ONCE) {
            let done = self.tried(table, sql, &[table, &hosts, &since, &before]).await?;
            let Some(rows) = done else { return Ok(false) };
            self.removed.rows += rows;
            count("muster_retention_deleted_rows_total", table, rows);
        }
        Ok(true)
    }

    /// Which of the hosts have anything in that part.
    async fn present(&self, table: &str, part: &Part, hosts: &[&str]) -> Result<Vec<String>> {
        let sql = format!(
            "SELECT host FROM unnest($1::text[]) AS host
             WHERE EXISTS (SELECT FROM {table} WHERE host_id = host AND ts >= $2 AND ts < $3)"
        );
        let client = self.pool.get().await.context("no connection to the database")?;
        let (since, before) = (system_time(part.starts_at), system_time(part.ends_at));
        let rows = client.query(&sql, &[&hosts, &since, &before]).await;
        let rows = rows.with_context(|| format!("cannot look for old rows of {table}"))?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    async fn delete_old(&mut self, table: &RowTable) -> Result<()> {
        let before = system_time(horizon(self.now_ms, self.policy.keep_days(table.name)));
        let sql = format!(
            "WITH gone AS (
                DELETE FROM {name} WHERE ctid = ANY (ARRAY(
                    SELECT old.ctid FROM {name} AS old WHERE {} LIMIT {ROWS_AT_ONCE}
                )) RETURNING 1
            ) SELECT count(*) FROM gone",
            old_rows_condition(table),
            name = table.name,
        );
        while !self.is_over() {
            let Some(rows) = self.tried(table.name, &sql, &[&before]).await? else { return Ok(()) };
            self.removed.rows += rows;
            count("muster_retention_deleted_rows_total", table.name, rows);
            if rows < ROWS_AT_ONCE {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Runs a step that answers a number, a few times where somebody is in its way. `None` where
    /// it was left to a later pass.
    async fn tried(
        &mut self,
        table: &str,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<i64>> {
        for attempt in 1..=TRIES_MAX {
            let step = self.step(sql, parameters).await;
            match step.with_context(|| format!("cannot remove what is old from {table}"))? {
                Step::Removed(count) => return Ok(Some(count)),
                Step::Elsewhere => {
                    self.removed.elsewhere = true;
                    return Ok(None);
                }
                Step::Busy if attempt < TRIES_MAX && !self.stop.is_cancelled() => {
                    sleep(PAUSE).await;
                }
                Step::Busy => {}
            }
        }
        self.removed.left += 1;
        Ok(None)
    }

    async fn step(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Step> {
        let mut client = self.pool.get().await.context("no connection to the database")?;
        let transaction = client.transaction().await?;
        transaction.batch_execute(LOCK_WAIT).await?;
        if !transaction.query_one(LOCK, &[]).await?.get::<_, bool>(0) {
            return Ok(Step::Elsewhere);
        }
        match transaction.query_one(sql, parameters).await {
            Ok(row) => {
                transaction.commit().await?;
                Ok(Step::Removed(row.get(0)))
            }
            Err(error) if is_in_the_way(&error) => Ok(Step::Busy),
            Err(error) => Err(error.into()),
        }
    }
}

/// How old anything may be that intake takes for any of the hosts.
fn longest_ms(keeping: &Keeping, hosts: &[&str]) -> i64 {
    let late = hosts.iter().filter_map(|host| Some(keeping.of(&host.parse().ok()?)));
    late.map(|late| late.samples_ms.max(late.lines_ms)).max().unwrap_or_default()
}

fn hash_of(names: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    names.hash(&mut hasher);
    hasher.finish()
}

fn is_in_the_way(error: &Error) -> bool {
    let passing = [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED];
    error.code().is_some_and(|code| passing.contains(code))
}

fn count(name: &'static str, table: &str, count: i64) {
    metrics::counter!(name, "table" => table.to_owned()).increment(count.unsigned_abs());
}
