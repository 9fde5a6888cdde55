//! The address that is requested as long as everything works, as the database has it. Whoever takes
//! the turn first makes the request; the database's clock says when the next one is.

use anyhow::{Context, Result};
use deadpool_postgres::Pool;

/// Whether anybody has set an address.
pub(crate) async fn is_set(pool: &Pool) -> Result<bool> {
    let client = pool.get().await.context("no connection to the database")?;
    let statement = client.prepare_cached("SELECT FROM deadman WHERE url IS NOT NULL").await?;
    let row = client.query_opt(&statement, &[]).await.context("cannot read the address")?;
    Ok(row.is_some())
}

/// The address, where a request of it is due and somebody decides about all hosts: a worker that
/// has only itself left to speak for, or holds what it cannot decide about, must not say that all is
/// well.
pub(crate) async fn take_turn(pool: &Pool) -> Result<Option<String>> {
    let sql = "
        UPDATE deadman SET last_at = now()
        WHERE url IS NOT NULL
          AND (last_at IS NULL OR last_at <= now() - interval_s * interval '1 second')
          AND NOT EXISTS (
              SELECT FROM alert_partitions
              WHERE owner IS NULL OR lease_until < now() - interval '1 minute'
                 OR decided_at IS NULL OR decided_at < now() - interval '3 minutes'
          )
        RETURNING url";
    let client = pool.get().await.context("no connection to the database")?;
    let statement = client.prepare_cached(sql).await?;
    let row = client.query_opt(&statement, &[]).await.context("cannot see whether it is time")?;
    Ok(row.map(|row| row.get(0)))
}

/// Nothing where another address was set meanwhile: it was not the one that answered.
const RECORD: &str = "
    UPDATE deadman
    SET last_error = $2, last_ok_at = CASE WHEN $2::text IS NULL THEN now() ELSE last_ok_at END
    WHERE url = $1";

pub(crate) async fn record(pool: &Pool, url: &str, error: Option<&str>) -> Result<()> {
    let client = pool.get().await.context("no connection to the database")?;
    client
        .execute(RECORD, &[&url, &error])
        .await
        .context("cannot record whether the address was reached")?;
    Ok(())
}
