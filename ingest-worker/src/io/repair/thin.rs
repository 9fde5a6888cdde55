//! Marks of a while ago are thinned: who asks about last month can do with one in six hours.

use anyhow::{Context as _, Result};
use deadpool_postgres::Pool;

use crate::io::history::SLOT_MS;

const DAY_SLOTS: i64 = 86_400_000 / SLOT_MS;

/// As long as raw samples are kept by default, marks are as dense as they were made.
const DENSE_DAYS: i64 = 14;

/// Each sweep looks at so many days before those: no worker may have run for a long weekend.
const SWEPT_DAYS: i64 = 4;

/// Of older ones every so many stay: 1,460 a year for each channel of a host.
const KEPT_EVERY: i64 = DAY_SLOTS / 4;

/// Two workers that sweep at once delete the same rows, which is no more than idle.
pub async fn thin_marks(pool: &Pool, now_ms: i64) -> Result<u64> {
    let until = now_ms / SLOT_MS - DENSE_DAYS * DAY_SLOTS;
    let sql = "
        DELETE FROM ledger_marks AS m
        USING ledger AS l
        WHERE m.host_id = l.host_id AND m.channel = l.channel AND m.epoch = l.epoch
          AND m.slot >= $1 AND m.slot < $2 AND m.slot % $3 <> 0";
    let client = pool.get().await.context("no connection to the database")?;
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
        [&(until - SWEPT_DAYS * DAY_SLOTS), &until, &KEPT_EVERY];
    client.execute(sql, &parameters).await.context("cannot thin the marks of the ledger")
}
