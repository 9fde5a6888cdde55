//! Days that time-series tables can take: made ahead, and on demand for late data. Of some tables
//! the month of the day is made, which the schema decides.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use muster_runtime::time::system_time;
use tokio::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::warn;

const DAY_MS: i64 = 86_400_000;

/// Made ahead of time: a database that cannot be altered for a long weekend goes on taking rows.
const DAYS_AHEAD: i64 = 3;

const CHECK_EVERY: Duration = Duration::from_secs(3600);

/// Which days are known to be there.
#[derive(Default)]
pub struct Partitions {
    known: Mutex<HashSet<i64>>,
}

impl Partitions {
    /// Makes sure of the days in which the given times (ms since the Unix epoch) lie.
    pub async fn ensure(&self, pool: &Pool, times: impl IntoIterator<Item = i64>) -> Result<()> {
        let mut known = self.known.lock().await;
        let days: HashSet<i64> = times.into_iter().map(|at| at.div_euclid(DAY_MS)).collect();
        for day in days {
            if !known.contains(&day) {
                make(pool, day).await?;
                known.insert(day);
            }
        }
        Ok(())
    }

    /// Retention may have dropped a day that was here.
    pub async fn forget(&self) {
        self.known.lock().await.clear();
    }

    /// Keeps a few days ahead until told to stop.
    pub async fn keep_ahead(&self, pool: &Pool, now_ms: fn() -> i64, stop: CancellationToken) {
        let mut checks = interval(CHECK_EVERY);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = checks.tick() => {}
            }
            let today = now_ms();
            let ahead = (0..=DAYS_AHEAD).map(|days| today + days * DAY_MS);
            if let Err(error) = self.ensure(pool, ahead).await {
                warn!("{error:#}");
            }
        }
    }
}

async fn make(pool: &Pool, day: i64) -> Result<()> {
    let client = pool.get().await.context("no connection to the database")?;
    let start: SystemTime = system_time(day * DAY_MS);
    let sql = "
        SELECT muster_ensure_partitions(day, day)
        FROM (SELECT ($1::timestamptz AT TIME ZONE 'UTC')::date AS day) AS wanted";
    client.execute(sql, &[&start]).await.context("cannot make the partitions of a day")?;
    Ok(())
}
