//! Copies a database into another one, which may be of the other engine.
//!
//! Time series go part by part, a day or a month, a transaction each, which also notes that the part
//! is done: what was cut short goes on where it stopped. All other tables follow together in one transaction. At the
//! end both sides are counted. Nothing may write to the source meanwhile; the streams hold what
//! comes.

use std::pin::pin;

use anyhow::{Context, Result, bail, ensure};
use futures::{SinkExt, TryStreamExt};
use muster_runtime::time::system_time;
use muster_runtime::{migrate, storage};
use muster_schemas::retention::plan::{Part, Series};
use tokio_postgres::{Client, Transaction};

use crate::logic::transfer::in_order;

/// What the schema makes by itself, and our own notes.
const NOT_COPIED: &str = "'muster_migrations', 'muster_engine', 'time_series', 'muster_copy'";

/// Differences that are named; with more of them something is wrong as a whole.
const DIFFERENCES_MAX: usize = 10;

pub struct Transfer<'a> {
    source: Client,
    target: Client,
    /// Told in a line each.
    progress: &'a (dyn Fn(&str) + Sync),
}

/// Copies everything; `resume` goes on with a copy that was cut short.
pub async fn copy(
    from: &str,
    to: &str,
    resume: bool,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<()> {
    let source = migrate::connect(from).await.context("the database to copy from")?;
    let engine = migrate::require_current(&source).await.context("the database to copy from")?;
    nobody_writes(&source).await.context("the database to copy from")?;
    let target = migrate::connect(to).await.context("the database to copy to")?;
    nobody_writes(&target).await.context("the database to copy to")?;
    let begun = exists(&target, "muster_copy").await?;
    ensure!(resume || !begun, "a copy into this database was begun: --resume goes on with it");
    if !begun {
        require_empty(&target).await?;
    }
    let migrated = migrate::migrate(to).await.context("the database to copy to")?;
    progress(&format!("copying from {} to {}", engine.as_str(), migrated.engine.as_str()));
    let notes = "
        CREATE TABLE IF NOT EXISTS muster_copy (
            table_name text, starts_at bigint, rows bigint NOT NULL,
            PRIMARY KEY (table_name, starts_at)
        )";
    target.batch_execute(notes).await.context("cannot note how far the copy is")?;
    Transfer { source, target, progress }.run().await
}

impl Transfer<'_> {
    async fn run(mut self) -> Result<()> {
        let all = storage::series(&self.source).await?;
        let total: i64 = all.iter().flat_map(|series| &series.parts).map(|part| part.bytes).sum();
        let mut done = 0;
        for series in &all {
            for part in &series.parts {
                self.copy_part(&series.table, part).await?;
                done += part.bytes;
            }
            let days: i64 = series.parts.iter().map(Part::days).sum();
            let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100);
            (self.progress)(&format!("{}: {days} days ({percent} %)", series.table));
        }
        let tables = self.other_tables().await?;
        self.copy_others(&tables).await?;
        self.compare(&all, &tables).await?;
        nobody_writes(&self.source).await.context("the database to copy from")?;
        self.target.batch_execute("DROP TABLE muster_copy").await?;
        (self.progress)("both sides have the same rows, part by part, and the same ledger");
        Ok(())
    }

    /// Copies a part, unless that was done. The other side may divide the same days otherwise.
    async fn copy_part(&mut self, table: &str, part: &Part) -> Result<()> {
        let noted = "SELECT 1 FROM muster_copy WHERE table_name = $1 AND starts_at = $2";
        if self.target.query_opt(noted, &[&table, &part.starts_at]).await?.is_some() {
            return Ok(());
        }
        let sql = "
            SELECT muster_ensure_parts(
                $1, ($2::timestamptz AT TIME ZONE 'UTC')::date, ($3::timestamptz AT TIME ZONE 'UTC')::date
            )";
        let (first, last) = (system_time(part.starts_at), system_time(part.ends_at - 1));
        self.target.execute(sql, &[&table, &first, &last]).await?;
        let columns = columns(&self.source, table).await?;
        let select = format!("SELECT {columns} FROM {table} WHERE {}", within(part));
        let transaction = self.target.transaction().await?;
        let rows = stream(&self.source, &select, &transaction, table, &columns).await?;
        let note = "INSERT INTO muster_copy (table_name, starts_at, rows) VALUES ($1, $2, $3)";
        transaction.execute(note, &[&table, &part.starts_at, &(rows as i64)]).await?;
        transaction.commit().await.with_context(|| format!("cannot copy a part of {table}"))?;
        Ok(())
    }

    /// Tables that are no time series and that both sides have.
    async fn other_tables(&self) -> Result<Vec<String>> {
        let sql = format!(
            "SELECT quote_ident(relname) FROM pg_class
             WHERE relkind = 'r' AND NOT relispartition
               AND relnamespace = current_schema()::regnamespace
               AND relname NOT IN ({NOT_COPIED})
               AND relname NOT IN (SELECT table_name FROM time_series)
             ORDER BY relname"
        );
        let (ours, theirs) = (names(&self.source, &sql).await?, names(&self.target, &sql).await?);
        for table in ours.iter().filter(|table| !theirs.contains(table)) {
            (self.progress)(&format!("{table} is not one of Muster's tables and stays behind"));
        }
        Ok(ours.into_iter().filter(|table| theirs.contains(table)).collect())
    }

    async fn copy_others(&mut self, tables: &[String]) -> Result<()> {
        let sql = "
            SELECT quote_ident(child.relname), quote_ident(parent.relname)
            FROM pg_constraint
            JOIN pg_class AS child ON child.oid = conrelid
            JOIN pg_class AS parent ON parent.oid = confrelid
            WHERE contype = 'f'";
        let rows = self.source.query(sql, &[]).await?;
        let references: Vec<(String, String)> =
            rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        // What somebody stored there since would be gone, but acknowledged.
        nobody_writes(&self.target).await.context("the database to copy to")?;
        let transaction = self.target.transaction().await?;
        // The schema may have put rows of its own there.
        transaction.batch_execute(&format!("TRUNCATE {}", tables.join(", "))).await?;
        for table in in_order(tables, &references) {
            let columns = columns(&self.source, &table).await?;
            let select = format!("SELECT {columns} FROM {table}");
            let rows = stream(&self.source, &select, &transaction, &table, &columns).await?;
            (self.progress)(&format!("{table}: {rows} rows"));
        }
        copy_sequences(&self.source, &transaction).await?;
        transaction.commit().await.context("cannot copy the tables that are no time series")?;
        Ok(())
    }

    /// Counts both sides.
    async fn compare(&self, all: &[Series], tables: &[String]) -> Result<()> {
        let mut different = Vec::new();
        for series in all {
            for part in &series.parts {
                let sql = format!("SELECT count(*) FROM {} WHERE {}", series.table, within(part));
                self.compare_one(&series.table, &sql, &mut different).await?;
            }
            // Whatever lies outside of the parts that were copied.
            let sql = format!("SELECT count(*) FROM {}", series.table);
            self.compare_one(&series.table, &sql, &mut different).await?;
        }
        for table in tables {
            let sql = format!("SELECT count(*) FROM {table}");
            self.compare_one(table, &sql, &mut different).await?;
        }
        let sql = "
            SELECT coalesce(sum(hashtextextended(
                concat_ws(' ', host_id, channel, epoch, received, dead), 0
            )::numeric % 1000000007), 0)::bigint FROM ledger";
        self.compare_one("ledger", sql, &mut different).await?;
        if different.is_empty() {
            return Ok(());
        }
        bail!("the two sides differ: {}", different.join("; "))
    }

    async fn compare_one(&self, table: &str, sql: &str, different: &mut Vec<String>) -> Result<()> {
        let ours: i64 = self.source.query_one(sql, &[]).await?.get(0);
        let theirs: i64 = self.target.query_one(sql, &[]).await?.get(0);
        if ours != theirs && different.len() < DIFFERENCES_MAX {
            let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
            different.push(format!("{table}: {ours} and {theirs} ({sql})"));
        }
        Ok(())
    }
}

fn within(part: &Part) -> String {
    let seconds = |ms: i64| ms / 1000;
    format!(
        "ts >= to_timestamp({}) AND ts < to_timestamp({})",
        seconds(part.starts_at),
        seconds(part.ends_at)
    )
}

/// From one side to the other, as it comes; answers how many rows.
async fn stream(
    source: &Client,
    select: &str,
    target: &Transaction<'_>,
    table: &str,
    columns: &str,
) -> Result<u64> {
    let what = || format!("cannot copy {table}");
    let out = source.copy_out(&format!("COPY ({select}) TO STDOUT (FORMAT binary)")).await;
    let insert = format!("COPY {table} ({columns}) FROM STDIN (FORMAT binary)");
    let mut out = pin!(out.with_context(what)?);
    let mut into = pin!(target.copy_in(&insert).await.with_context(what)?);
    while let Some(chunk) = out.try_next().await.with_context(what)? {
        into.feed(chunk).await.with_context(what)?;
    }
    into.finish().await.with_context(what)
}

/// All columns but those that are computed.
async fn columns(client: &Client, table: &str) -> Result<String> {
    let sql = "
        SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
        WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped
          AND attgenerated = ''";
    let row = client.query_one(sql, &[&table]).await;
    Ok(row.with_context(|| format!("cannot read the columns of {table}"))?.get(0))
}

async fn copy_sequences(source: &Client, target: &Transaction<'_>) -> Result<()> {
    let sql = "
        SELECT quote_ident(sequencename), last_value FROM pg_sequences
        WHERE schemaname = current_schema() AND last_value IS NOT NULL";
    for row in source.query(sql, &[]).await.context("cannot read the sequences")? {
        let (name, value): (String, i64) = (row.get(0), row.get(1));
        let set = target.execute("SELECT setval($1::text::regclass, $2)", &[&name, &value]).await;
        set.with_context(|| format!("cannot set the sequence {name}"))?;
    }
    Ok(())
}

async fn names(client: &Client, sql: &str) -> Result<Vec<String>> {
    let rows = client.query(sql, &[]).await.context("cannot read which tables there are")?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn exists(client: &Client, table: &str) -> Result<bool> {
    let row = client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table]).await?;
    Ok(row.get(0))
}

async fn require_empty(target: &Client) -> Result<()> {
    for table in ["hosts", "ledger", "users", "events"] {
        if exists(target, table).await? {
            let sql = format!("SELECT EXISTS (SELECT FROM {table})");
            let is_used: bool = target.query_one(&sql, &[]).await?.get(0);
            ensure!(!is_used, "the database to copy to is not empty: {table} has rows");
        }
    }
    Ok(())
}

/// A copy of what changes would be neither the one nor the other.
async fn nobody_writes(side: &Client) -> Result<()> {
    let sql = "
        SELECT DISTINCT application_name FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
          AND application_name IN ('muster-ingest-worker', 'muster-alert-worker', 'muster-gateway')";
    let busy = names(side, sql).await?;
    ensure!(
        busy.is_empty(),
        "{} still use it: stop them, or give them their old address; the streams hold what comes",
        busy.join(", ")
    );
    Ok(())
}
