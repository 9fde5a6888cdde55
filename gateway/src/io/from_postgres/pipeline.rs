//! What the database says of itself, of the workers, and of what agents last told.

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use muster_schemas::HostId;
use muster_schemas::events::{DeadLettersDone, EventKind};
use muster_schemas::workers::WorkerState;
use std::collections::BTreeMap;
use std::time::Instant;
use tokio_postgres::types::Json;
use tokio_postgres::{Client, Row};

use super::connection;
use super::ledger::{fit, size};
use crate::logic::pipeline::seen::{
    Contents, Database, Journal, Journals, LedgerTotals, WorkerRow,
};

/// More workers than that are not shown.
const WORKERS_MAX: i64 = 500;

/// How the database is, and who works.
pub(crate) async fn database(pool: &Pool) -> Result<Database> {
    let client = connection(pool).await?;
    let sql = "
        SELECT current_setting('server_version'),
               (SELECT engine FROM muster_engine),
               count(*),
               current_setting('max_connections')::bigint,
               coalesce(max(extract(epoch FROM clock_timestamp() - xact_start))
                   FILTER (WHERE pid <> pg_backend_pid()), 0)::float8
        FROM pg_stat_activity
        WHERE backend_type = 'client backend'";
    let statement = client.prepare_cached(sql).await?;
    let asked = Instant::now();
    let row = client.query_one(&statement, &[]).await.context("the database is ill")?;
    let answer_ms = asked.elapsed().as_secs_f64() * 1000.0;
    Ok(Database {
        version: row.get(0),
        engine: row.get(1),
        connections: row.get(2),
        connections_max: row.get(3),
        oldest_transaction_s: (row.get::<_, f64>(4) * 10.0).round() / 10.0,
        answer_ms: (answer_ms * 100.0).round() / 100.0,
        workers: workers(&client).await?,
    })
}

async fn workers(client: &Client) -> Result<Vec<WorkerRow>> {
    let sql = "
        SELECT id, kind, hostname, pid, version,
               (extract(epoch FROM started_at) * 1000)::bigint,
               (extract(epoch FROM seen_at) * 1000)::bigint,
               (extract(epoch FROM now() - seen_at) * 1000)::bigint,
               state
        FROM workers
        ORDER BY kind DESC, hostname, started_at, id
        LIMIT $1";
    let rows = client.query(sql, &[&WORKERS_MAX]).await.context("cannot read the workers")?;
    let worker = |row: &Row| WorkerRow {
        id: row.get(0),
        kind: row.get(1),
        hostname: row.get(2),
        pid: row.get(3),
        version: row.get(4),
        started_at: row.get(5),
        seen_at: row.get(6),
        silent_ms: row.get(7),
        // A worker of a newer version is a worker nevertheless.
        state: serde_json::from_value::<WorkerState>(row.get(8)).unwrap_or_default(),
    };
    Ok(rows.iter().map(worker).collect())
}

/// What takes the database a moment to count.
pub(crate) async fn contents(pool: &Pool) -> Result<Contents> {
    let client = connection(pool).await?;
    let sql = "SELECT pg_database_size(current_database())";
    let row = client.query_one(sql, &[]).await.context("cannot ask for the database's size")?;
    Ok(Contents {
        database_bytes: row.get(0),
        journals: journals(&client).await?,
        ledger: ledger(&client).await?,
    })
}

/// A sum of what hosts say may be absurd, and has to fit nevertheless.
const JOURNALS: &str = "
    WITH journals AS (
        SELECT host_id, (extract(epoch FROM sent_at) * 1000)::bigint AS sent_at,
               greatest(coalesce((heartbeat #>> '{journal,waiting}')::bigint, 0), 0) AS waiting,
               greatest(coalesce((heartbeat #>> '{journal,bytes}')::bigint, 0), 0) AS bytes,
               greatest(coalesce((heartbeat #>> '{journal,bytes_max}')::bigint, 0), 0) AS bytes_max
        FROM host_agent
    )";

async fn journals(client: &Client) -> Result<Journals> {
    let fit = |column| format!("least(coalesce(sum({column}), 0), 9223372036854775807)::bigint");
    let sql = format!(
        "{JOURNALS}
        SELECT count(*), count(*) FILTER (WHERE waiting > 0), {}, {} FROM journals",
        fit("waiting"),
        fit("bytes")
    );
    let totals = client.query_one(&sql, &[]).await.context("cannot add up the journals")?;
    let sql = format!(
        "{JOURNALS}
        SELECT host_id, sent_at, waiting, bytes, bytes_max FROM journals
        WHERE bytes_max > 0
        ORDER BY bytes::float8 / bytes_max DESC, host_id
        LIMIT 1"
    );
    let fullest = client.query_opt(&sql, &[]).await.context("cannot find the fullest journal")?;
    Ok(Journals {
        hosts: totals.get(0),
        hosts_with_backlog: totals.get(1),
        waiting: totals.get(2),
        bytes: totals.get(3),
        fullest: fullest.map(|row| Journal {
            host: row.get(0),
            sent_at: row.get(1),
            waiting: row.get(2),
            bytes: row.get(3),
            bytes_max: row.get(4),
        }),
    })
}

async fn ledger(client: &Client) -> Result<LedgerTotals> {
    let sql = format!(
        "WITH holes AS (
            SELECT host_id, dropped, lost,
                   int8multirange(int8range(1, beyond)) - received - dead AS lacking
            FROM ledger_known
        ), sized AS (
            SELECT host_id, dropped, (SELECT count(*) FROM unnest(lacking - lost)) AS gaps,
                   {} AS missing, {} AS lost
            FROM holes
        )
        SELECT count(DISTINCT host_id) FILTER (WHERE gaps > 0), coalesce(sum(gaps), 0)::bigint,
               {}, {}, {}
        FROM sized",
        size("lacking - lost"),
        size("lacking * lost"),
        fit("sum(missing)"),
        fit("sum(lost)"),
        fit("sum(dropped)"),
    );
    let row = client.query_one(&sql, &[]).await.context("cannot add up the ledger")?;
    Ok(LedgerTotals {
        hosts_with_gaps: row.get(0),
        gaps: row.get(1),
        missing: row.get(2),
        lost: row.get(3),
        dropped: row.get(4),
    })
}

/// Which kind of event tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    Retried,
    Discarded,
}

/// Writes down who did what to which dead letters, an event for each host.
pub(crate) async fn record_dead_letters(
    pool: &Pool,
    done: Done,
    by: &str,
    letters: &[(HostId, u64)],
) -> Result<()> {
    let mut of_hosts: BTreeMap<&HostId, Vec<u64>> = BTreeMap::new();
    for (host, seq) in letters {
        of_hosts.entry(host).or_default().push(*seq);
    }
    let (mut hosts, mut kinds, mut details) = (Vec::new(), Vec::new(), Vec::new());
    for (host, letters) in of_hosts {
        let what = DeadLettersDone { by: by.to_owned(), letters };
        let kind = match done {
            Done::Retried => EventKind::DeadLettersRetried(what),
            Done::Discarded => EventKind::DeadLettersDiscarded(what),
        };
        hosts.push(host.as_str());
        kinds.push(kind.as_str());
        let event = serde_json::to_value(&kind).context("cannot write an event")?;
        details.push(Json(event["detail"].clone()));
    }
    let sql = "
        INSERT INTO events (host_id, at, kind, detail)
        SELECT host_id, now(), kind, detail
        FROM unnest($1::text[], $2::text[], $3::jsonb[]) AS done (host_id, kind, detail)";
    let client = connection(pool).await?;
    client
        .execute(sql, &[&hosts, &kinds, &details])
        .await
        .context("cannot write down what was done to dead letters")?;
    Ok(())
}
