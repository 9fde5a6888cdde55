//! A worker says how it is: one row of `workers`, written every few seconds.
//!
//! While the database is away it cannot; that it does not is what the gateway then shows. One
//! statement at a time is under way, however long that takes, so that a database that is only
//! silent does not find a queue of them.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use muster_schemas::workers::WorkerState;
use tokio::time::{sleep, timeout};
use tokio_postgres::types::Json;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::meter::Meters;
use crate::time::{now_ms, system_time};

/// As often as a person looks again, and a sixth of what makes a worker count as gone.
pub const TELL_EVERY: Duration = Duration::from_secs(5);

/// How long the row's removal may keep a process from ending; it is shown as gone soon anyway.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);

struct Worker {
    id: String,
    kind: &'static str,
    hostname: String,
    started_at: i64,
}

/// Random: a process that is started again is another worker.
pub fn new_id() -> String {
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}

/// Tells until told to stop, and then removes the row.
pub async fn tell(pool: Pool, kind: &'static str, meters: Meters, stop: CancellationToken) {
    tell_as(new_id(), pool, kind, meters, stop).await;
}

/// The same, for a worker that goes by its id elsewhere too.
pub async fn tell_as(
    id: String,
    pool: Pool,
    kind: &'static str,
    meters: Meters,
    stop: CancellationToken,
) {
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let worker = Worker { id, kind, hostname: hostname.trim().to_owned(), started_at: now_ms() };
    tokio::select! {
        () = stop.cancelled() => {}
        () = tell_for_ever(&pool, &worker, &meters) => {}
    }
    if !matches!(timeout(FAREWELL_TIMEOUT, remove(&pool, &worker.id)).await, Ok(Ok(()))) {
        info!("this worker's row was not removed; it will be shown as gone");
    }
}

async fn tell_for_ever(pool: &Pool, worker: &Worker, meters: &Meters) {
    let mut is_told = false;
    loop {
        match record(pool, worker, &meters.state(now_ms())).await {
            Ok(()) => is_told = false,
            Err(error) if !is_told => {
                warn!("nobody can see how this worker is: {error:#}");
                is_told = true;
            }
            Err(_) => {}
        }
        sleep(TELL_EVERY).await;
    }
}

/// Writes the row, and takes away those of workers that have been gone for a day.
async fn record(pool: &Pool, worker: &Worker, state: &WorkerState) -> Result<()> {
    let client = pool.get().await.context("no connection to the database")?;
    let Worker { id, kind, hostname, started_at } = worker;
    let sql = "
        INSERT INTO workers (id, kind, hostname, pid, version, started_at, state)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (id) DO UPDATE SET seen_at = now(), state = excluded.state";
    let statement = client.prepare_cached(sql).await?;
    let (pid, version) = (i64::from(std::process::id()), env!("CARGO_PKG_VERSION"));
    let started_at = system_time(*started_at);
    client
        .execute(&statement, &[id, kind, hostname, &pid, &version, &started_at, &Json(state)])
        .await
        .context("cannot write how this worker is")?;
    let sql = "
        DELETE FROM workers WHERE id IN (
            SELECT id FROM workers
            WHERE seen_at < now() - interval '1 day'
            FOR UPDATE SKIP LOCKED
        )";
    let statement = client.prepare_cached(sql).await?;
    client.execute(&statement, &[]).await.context("cannot remove old workers")?;
    Ok(())
}

async fn remove(pool: &Pool, id: &str) -> Result<()> {
    let client = pool.get().await.context("no connection to the database")?;
    client.execute("DELETE FROM workers WHERE id = $1", &[&id]).await?;
    Ok(())
}
