//! How large the database is: from the catalogue and the statistics, without counting rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use muster_runtime::storage;
use muster_schemas::retention::plan::row_tables;
use tokio_postgres::Client;

use super::connection;
use crate::logic::storage::{HostSize, Shares, TableSize, divide, size_of};

#[derive(Clone)]
pub(crate) struct Sizes {
    /// When they were read.
    pub(crate) at: i64,
    pub(crate) engine: String,
    pub(crate) database_bytes: i64,
    pub(crate) hosts: i64,
    /// The largest first.
    pub(crate) tables: Vec<TableSize>,
}

pub(crate) async fn sizes(pool: &Pool, now_ms: i64) -> Result<Sizes> {
    let client = connection(pool).await?;
    let sql = "
        SELECT (SELECT engine FROM muster_engine), pg_database_size(current_database()),
               (SELECT count(*) FROM hosts)";
    let since_ms = begun_at(&client).await?;
    let row = client.query_one(sql, &[]).await.context("cannot read the size of the database")?;
    let series = storage::series(&client).await?;
    let mut tables: Vec<TableSize> =
        series.iter().map(|series| size_of(series, since_ms, now_ms)).collect();
    tables.extend(others(&client).await?);
    tables.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.table.cmp(&b.table)));
    let (engine, database_bytes, hosts) = (row.get(0), row.get(1), row.get(2));
    Ok(Sizes { at: now_ms, engine, database_bytes, hosts, tables })
}

/// When the first host was seen first; 0 where there is none.
async fn begun_at(client: &Client) -> Result<i64> {
    let sql = "
        SELECT coalesce((extract(epoch FROM min(first_seen_at)) * 1000)::bigint, 0) FROM hosts";
    let row = client.query_one(sql, &[]).await.context("cannot read since when there are hosts")?;
    Ok(row.get(0))
}

/// Tables that are no time series.
async fn others(client: &Client) -> Result<Vec<TableSize>> {
    let sql = "
        SELECT relname::text, coalesce(pg_total_relation_size(oid), 0),
               greatest(reltuples, 0)::bigint
        FROM pg_class
        WHERE relkind = 'r' AND NOT relispartition
          AND relnamespace = current_schema()::regnamespace
          AND relname NOT IN (SELECT table_name FROM time_series)";
    let rows = client.query(sql, &[]).await.context("cannot read the sizes of tables")?;
    let size = |row: &tokio_postgres::Row| {
        let table: String = row.get(0);
        let group = row_tables().find(|kept| kept.name == table);
        TableSize {
            group: group.map_or("other", |kept| kept.group.as_str()).to_owned(),
            table,
            bytes: row.get(1),
            rows_estimate: row.get(2),
            days: 0,
            parts: 0,
            oldest: None,
            newest: None,
            bytes_per_day: None,
            rows_per_day: None,
        }
    };
    Ok(rows.iter().map(size).collect())
}

/// What each host takes, estimated, the largest first.
pub(crate) async fn by_host(pool: &Pool, now_ms: i64) -> Result<Arc<[HostSize]>> {
    let client = connection(pool).await?;
    let hosts = client.query("SELECT id FROM hosts ORDER BY id", &[]).await;
    let hosts: Vec<String> =
        hosts.context("cannot read which hosts there are")?.iter().map(|row| row.get(0)).collect();
    let mut frequent = frequent_hosts(&client).await?;
    let series = storage::series(&client).await?;
    let since_ms = begun_at(&client).await?;
    let shares = series.iter().map(|series| {
        let size = size_of(series, since_ms, now_ms);
        Shares {
            bytes: size.bytes,
            rows_per_day: size.rows_per_day.unwrap_or(size.rows_estimate),
            frequent: frequent.remove(&series.table).unwrap_or_default(),
        }
    });
    Ok(divide(&shares.collect::<Vec<_>>(), &hosts).into())
}

/// Of each table, the most frequent hosts of the newest part with statistics.
async fn frequent_hosts(client: &Client) -> Result<BTreeMap<String, Vec<(String, f32)>>> {
    let sql = "
        SELECT DISTINCT ON (table_name)
               table_name, most_common_vals::text::text[], most_common_freqs
        FROM time_series
        CROSS JOIN LATERAL muster_parts(table_name) AS parts
        JOIN pg_class ON pg_class.oid = parts.part
        JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
        JOIN pg_stats ON pg_stats.schemaname = pg_namespace.nspname
            AND pg_stats.tablename = pg_class.relname
            AND pg_stats.attname = 'host_id'
        WHERE most_common_vals IS NOT NULL
        ORDER BY table_name, parts.starts_at DESC";
    let rows = client.query(sql, &[]).await.context("cannot read the statistics of hosts")?;
    let of_table = |row: &tokio_postgres::Row| {
        let (hosts, parts): (Vec<String>, Vec<f32>) = (row.get(1), row.get(2));
        (row.get(0), hosts.into_iter().zip(parts).collect())
    };
    Ok(rows.iter().map(of_table).collect())
}
