//! What the ledger says of all hosts together, and which of them lack most.

use anyhow::{Context, Result};
use deadpool_postgres::Pool;

use super::connection;
use super::ledger::{fit, size};
use crate::logic::completeness::ChannelLedger;

/// Gaps by what became of them; of what was found only to be late there is none.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GapCounts {
    pub(crate) open: i64,
    pub(crate) repairing: i64,
    pub(crate) repaired: i64,
    pub(crate) lost: i64,
}

/// A host that lacks something.
pub(crate) struct Lacking {
    pub(crate) host: String,
    pub(crate) ledger: ChannelLedger,
    pub(crate) gaps_open: i64,
}

fn counted() -> String {
    format!(
        "counted AS (
            SELECT host_id, channel, {} AS stored, {} AS dead, {} AS missing, {} AS lost
            FROM (
                SELECT *, int8multirange(int8range(1, beyond)) - received - dead AS lacking
                FROM ledger_known
            ) AS known
        )",
        size("received"),
        size("dead"),
        size("lacking"),
        size("lacking * lost"),
    )
}

fn totals() -> String {
    ["stored", "dead", "missing", "lost"].map(|column| fit(&format!("sum({column})"))).join(", ")
}

/// Each channel, over all hosts; without the holes.
pub(crate) async fn by_channel(pool: &Pool) -> Result<Vec<ChannelLedger>> {
    let sql = format!(
        "WITH {}, repaired AS (
            SELECT channel, sum(repaired)::bigint AS messages FROM gaps GROUP BY channel
        )
        SELECT channel, {}, coalesce(max(repaired.messages), 0)
        FROM counted LEFT JOIN repaired USING (channel)
        GROUP BY channel ORDER BY channel",
        counted(),
        totals(),
    );
    let client = connection(pool).await?;
    let statement = client.prepare_cached(&sql).await?;
    let rows = client.query(&statement, &[]).await.context("cannot read the ledger of all")?;
    let read = |row: &tokio_postgres::Row| ChannelLedger {
        channel: row.get(0),
        stored: row.get(1),
        dead: row.get(2),
        missing: row.get(3),
        lost: row.get(4),
        repaired: row.get(5),
        holes: Vec::new(),
    };
    Ok(rows.iter().map(read).collect())
}

/// What came late on a channel, over all hosts, as far back as retention keeps it.
pub(crate) struct Backfilled {
    pub(crate) channel: String,
    pub(crate) hosts: i64,
    pub(crate) ranges: i64,
    pub(crate) messages: i64,
    /// When the last of it was stored.
    pub(crate) latest_at: i64,
}

pub(crate) async fn backfilled(pool: &Pool) -> Result<Vec<Backfilled>> {
    let sql = "
        SELECT channel, count(DISTINCT host_id), count(*), sum(messages)::bigint,
               (extract(epoch FROM max(stored_at)) * 1000)::bigint
        FROM backfills GROUP BY channel ORDER BY channel";
    let client = connection(pool).await?;
    let statement = client.prepare_cached(sql).await?;
    let rows = client.query(&statement, &[]).await.context("cannot read what came late")?;
    let read = |row: &tokio_postgres::Row| Backfilled {
        channel: row.get(0),
        hosts: row.get(1),
        ranges: row.get(2),
        messages: row.get(3),
        latest_at: row.get(4),
    };
    Ok(rows.iter().map(read).collect())
}

pub(crate) async fn gap_counts(pool: &Pool) -> Result<GapCounts> {
    let sql = "
        SELECT state, count(*) FROM gaps
        WHERE confirmed_at IS NOT NULL
        GROUP BY state";
    let client = connection(pool).await?;
    let mut counts = GapCounts::default();
    for row in client.query(sql, &[]).await.context("cannot count the gaps")? {
        let count = row.get(1);
        match row.get::<_, &str>(0) {
            "open" => counts.open = count,
            "repairing" => counts.repairing = count,
            "repaired" => counts.repaired = count,
            _ => counts.lost = count,
        }
    }
    Ok(counts)
}

/// Hosts that lack something, those that lack most first; `after` is the last of the page before.
pub(crate) async fn worst(
    pool: &Pool,
    after: Option<(i64, &str)>,
    limit: i64,
) -> Result<Vec<Lacking>> {
    let sql = format!(
        "WITH {}, hosts AS (
            SELECT host_id, {} FROM counted GROUP BY host_id
        )
        SELECT host_id, stored, dead, missing, lost, (
            SELECT count(*) FROM gaps
            WHERE gaps.host_id = hosts.host_id AND state IN ('open', 'repairing')
              AND confirmed_at IS NOT NULL
        ), (SELECT coalesce(sum(repaired), 0)::bigint FROM gaps WHERE gaps.host_id = hosts.host_id)
        FROM hosts
        WHERE missing > 0
          AND ($1::bigint IS NULL OR missing < $1 OR missing = $1 AND host_id > $2)
        ORDER BY missing DESC, host_id
        LIMIT $3",
        counted(),
        ["stored", "dead", "missing", "lost"]
            .map(|column| format!("{} AS {column}", fit(&format!("sum({column})"))))
            .join(", "),
    );
    let (missing, host) = (after.map(|(missing, _)| missing), after.map(|(_, host)| host));
    let client = connection(pool).await?;
    let statement = client.prepare_cached(&sql).await?;
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&missing, &host, &limit];
    let rows = client.query(&statement, &parameters).await.context("cannot read who lacks most")?;
    let read = |row: &tokio_postgres::Row| Lacking {
        host: row.get(0),
        ledger: ChannelLedger {
            stored: row.get(1),
            dead: row.get(2),
            missing: row.get(3),
            lost: row.get(4),
            repaired: row.get(6),
            ..ChannelLedger::default()
        },
        gaps_open: row.get(5),
    };
    Ok(rows.iter().map(read).collect())
}
