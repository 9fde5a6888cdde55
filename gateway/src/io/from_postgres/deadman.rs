//! The dead-man's switch: which address is asked for as long as all of this is alive.

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use serde::Serialize;
use tokio_postgres::Row;
use utoipa::ToSchema;

use super::connection;
use super::written::{Unwritten, Written, wake_alerting};
use crate::logic::address::server_of;

const COLUMNS: &str = "
    version, url, interval_s, (extract(epoch FROM updated_at) * 1000)::bigint, updated_by,
    (extract(epoch FROM last_at) * 1000)::bigint, last_error,
    (extract(epoch FROM last_ok_at) * 1000)::bigint";

#[derive(Serialize, ToSchema)]
pub(crate) struct Deadman {
    /// 0 where nobody has set anything yet.
    version: i64,
    /// Null: nobody is told. Whoever is no administrator is shown its server alone: who knows the
    /// whole can pretend to be alive.
    url: Option<String>,
    interval_s: i32,
    updated_at: Option<i64>,
    updated_by: Option<String>,
    /// When it was asked last, whatever came of that.
    last_at: Option<i64>,
    /// What was wrong with that; null where it was answered.
    last_error: Option<String>,
    /// When it last answered as it should; null where it never has.
    last_ok_at: Option<i64>,
}

impl Deadman {
    /// For those who may not set it. An error may repeat the address.
    #[must_use]
    pub(crate) fn without_address(self) -> Self {
        let last_error = match (&self.url, self.last_error) {
            (Some(url), Some(error)) => Some(error.replace(url.as_str(), "the address")),
            (_, error) => error,
        };
        Self { url: self.url.as_deref().map(server_of), last_error, ..self }
    }
}

pub(crate) async fn read(pool: &Pool) -> Result<Deadman> {
    let client = connection(pool).await?;
    let row = client.query_one(&format!("SELECT {COLUMNS} FROM deadman"), &[]).await;
    Ok(read_row(&row.context("cannot read the dead-man's switch")?))
}

/// Refused where it is not of this version any more. What became of another address is forgotten.
pub(crate) async fn replace(
    pool: &Pool,
    version: i64,
    url: Option<&str>,
    interval_s: i32,
    by: &str,
) -> Written<Deadman> {
    let mut client = connection(pool).await?;
    let transaction = client.transaction().await?;
    let sql = format!(
        "UPDATE deadman
         SET version = version + 1, url = $2, interval_s = $3, updated_at = now(), updated_by = $4,
             last_at = CASE WHEN url IS NOT DISTINCT FROM $2 THEN last_at END,
             last_error = CASE WHEN url IS NOT DISTINCT FROM $2 THEN last_error END,
             last_ok_at = CASE WHEN url IS NOT DISTINCT FROM $2 THEN last_ok_at END
         WHERE version = $1
         RETURNING {COLUMNS}"
    );
    let row = transaction.query_opt(&sql, &[&version, &url, &interval_s, &by]).await;
    let Some(row) = row.context("cannot set the dead-man's switch")? else {
        return Ok(Err(Unwritten::Stale("dead-man's switch")));
    };
    wake_alerting(&transaction).await?;
    transaction.commit().await.context("cannot set the dead-man's switch")?;
    Ok(Ok(read_row(&row)))
}

fn read_row(row: &Row) -> Deadman {
    Deadman {
        version: row.get(0),
        url: row.get(1),
        interval_s: row.get(2),
        updated_at: row.get(3),
        updated_by: row.get(4),
        last_at: row.get(5),
        last_error: row.get(6),
        last_ok_at: row.get(7),
    }
}
