//! The limit: nothing but binary `COPY` of the same rows into the same tables, in the order in
//! which they arrive. The worker sorts them by host first, which the index rewards: that is its own
//! merit, and it can in principle be faster than this.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use muster_ingest_worker::io::copy::copy_frames;
use muster_schemas::Envelope;
use muster_schemas::telemetry::TelemetryFrame;
use muster_stack::Stack;
use muster_tests::database::Database;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// As many frames a transaction as the worker's own batches hold.
const FRAMES_PER_BATCH: usize = 2000;

/// Rows a second, of so many connections at once.
pub async fn raw_copy(
    stack: &Stack,
    frames: &Arc<Vec<Envelope<TelemetryFrame>>>,
    connections: usize,
) -> Result<f64> {
    let mut databases = Vec::new();
    for _ in 0..connections {
        databases.push(Database::connect(&stack.postgres_url()).await?);
    }
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for (place, database) in databases.into_iter().enumerate() {
        tasks.spawn(copy_every(database, frames.clone(), place, connections));
    }
    let mut rows = 0;
    while let Some(copied) = tasks.join_next().await {
        rows += copied??;
    }
    Ok(rows as f64 / started.elapsed().as_secs_f64())
}

/// Every `connections`th batch, from the `place`th.
async fn copy_every(
    mut database: Database,
    frames: Arc<Vec<Envelope<TelemetryFrame>>>,
    place: usize,
    connections: usize,
) -> Result<u64> {
    let mut rows = 0;
    for batch in frames.chunks(FRAMES_PER_BATCH).skip(place).step_by(connections) {
        let transaction = database.client.transaction().await?;
        rows += copy_frames(&transaction, &batch.iter().collect::<Vec<_>>()).await?;
        transaction.commit().await?;
    }
    Ok(rows)
}

/// The same of one connection and of frames that are made batch by batch, because all of them would
/// fill the memory. How long that takes does not count.
pub async fn raw_copy_of(
    stack: &Stack,
    mut frames: impl Iterator<Item = Envelope<TelemetryFrame>>,
) -> Result<f64> {
    let mut database = Database::connect(&stack.postgres_url()).await?;
    let (mut rows, mut took) = (0, Duration::ZERO);
    loop {
        let batch: Vec<_> = frames.by_ref().take(FRAMES_PER_BATCH).collect();
        if batch.is_empty() {
            return Ok(rows as f64 / took.as_secs_f64());
        }
        let started = Instant::now();
        let transaction = database.client.transaction().await?;
        rows += copy_frames(&transaction, &batch.iter().collect::<Vec<_>>()).await?;
        transaction.commit().await?;
        took += started.elapsed();
    }
}
