//! The retention rules: who set them, and setting them. What they mean is in the vocabulary, and
//! what they would remove in `muster_runtime::storage`.

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use muster_runtime::storage;
use muster_schemas::Rejection;
use muster_schemas::retention::Policy;
use muster_schemas::retention::plan::Plan;

use super::connection;

pub(crate) struct StoredPolicy {
    pub(crate) policy: Policy,
    pub(crate) series: Vec<String>,
    /// 0 where nobody has set anything yet.
    pub(crate) version: i64,
    pub(crate) updated_at: Option<i64>,
    pub(crate) updated_by: Option<String>,
}

pub(crate) async fn read(pool: &Pool) -> Result<StoredPolicy> {
    let client = connection(pool).await?;
    // Before the rules: whoever then sets others by this version is refused, if it is outdated.
    let sql = "
        SELECT version, (extract(epoch FROM updated_at) * 1000)::bigint, updated_by
        FROM retention_change";
    let row = client.query_opt(sql, &[]).await.context("cannot read who set the retention")?;
    let policy = storage::policy(&client).await?;
    let series = storage::series_names(&client).await?;
    let (version, updated_at, updated_by) = match &row {
        Some(row) => (row.get(0), row.get(1), row.get(2)),
        None => (0, None, None),
    };
    Ok(StoredPolicy { policy, series, version, updated_at, updated_by })
}

/// Checks rules against the tables there are.
pub(crate) async fn check(pool: &Pool, policy: &Policy) -> Result<Result<(), Rejection>> {
    let client = connection(pool).await?;
    Ok(policy.check(&storage::series_names(&client).await?))
}

/// Sets these rules instead of all that were; `false` where those are not of the given version.
pub(crate) async fn replace(
    pool: &Pool,
    policy: &Policy,
    version: Option<i64>,
    by: &str,
) -> Result<bool> {
    let mut client = connection(pool).await?;
    let transaction = client.transaction().await?;
    let lock = "LOCK TABLE retention_rules IN SHARE ROW EXCLUSIVE MODE";
    transaction.batch_execute(lock).await.context("cannot lock the retention rules")?;
    let sql = "SELECT coalesce(max(version), 0) FROM retention_change";
    let stored: i64 =
        transaction.query_one(sql, &[]).await.context("cannot read the rules' version")?.get(0);
    if version.is_some_and(|version| version != stored) {
        return Ok(false);
    }
    transaction.batch_execute("DELETE FROM retention_rules").await?;
    let sql = "INSERT INTO retention_rules (scope, label, keep_days) VALUES ($1, $2, $3)";
    for rule in &policy.rules {
        let label = rule.label.as_deref().unwrap_or("");
        let inserted = transaction.execute(sql, &[&rule.scope, &label, &rule.keep_days]).await;
        inserted.context("cannot write a retention rule")?;
    }
    let sql = "
        INSERT INTO retention_change (version, updated_at, updated_by) VALUES (1, now(), $1)
        ON CONFLICT (only_row) DO UPDATE
        SET version = retention_change.version + 1, updated_at = now(),
            updated_by = excluded.updated_by";
    transaction.execute(sql, &[&by]).await.context("cannot write who set the retention")?;
    transaction.commit().await.context("cannot write the retention rules")?;
    Ok(true)
}

/// What the rules in force, or a draft of others, would remove now.
pub(crate) async fn plan(pool: &Pool, draft: Option<Policy>, now_ms: i64) -> Result<Plan> {
    let client = connection(pool).await?;
    let policy = match draft {
        Some(policy) => policy,
        None => storage::policy(&client).await?,
    };
    storage::plan_of(&client, &policy, now_ms).await
}
