//! What the ledger says of a host: how much is here, what is missing, and what came late.

use std::collections::BTreeMap;
use std::time::SystemTime;

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use tokio_postgres::Row;

use super::connection;
use crate::logic::completeness::{
    BACKFILLS_MAX, Backfill, Bounds, ChannelLedger, GAPS_MAX, GapState, Hole,
};

/// A time window, open where it names no end.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Window {
    pub(crate) from: Option<SystemTime>,
    pub(crate) to: Option<SystemTime>,
}

/// What is known to exist of each of a host's channels and epochs, within a window: from `first`
/// to before `stop`, which are estimated from the marks where the window has ends.
const COUNTED: &str = "
    WITH bounded AS (
        SELECT *,
            CASE WHEN $2::timestamptz IS NULL THEN 1
                 ELSE 1 + muster_ledger_seq(host_id, channel, epoch, $2) END AS first,
            CASE WHEN $3::timestamptz IS NULL THEN beyond
                 ELSE least(beyond, 1 + muster_ledger_seq(host_id, channel, epoch, $3)) END AS stop
        FROM ledger_known
        WHERE host_id = $1
    ), spans AS (
        SELECT *, int8multirange(int8range(first, greatest(first, stop))) AS span FROM bounded
    ), counted AS (
        SELECT channel, epoch, first, stop, updated_at,
               span * received AS here, span * dead AS refused,
               span - received - dead AS missing, (span - received - dead) * lost AS gone
        FROM spans
    )";

/// The ledger of each channel, over all epochs.
pub(crate) async fn ledgers(pool: &Pool, host: &str, window: Window) -> Result<Vec<ChannelLedger>> {
    let mut holes = holes(pool, host, window).await?;
    let total = |numbers: &str| fit(&format!("sum({})", size(numbers)));
    let sql = format!(
        "{COUNTED}, repaired AS (
            SELECT g.channel, sum(g.repaired)::bigint AS messages
            FROM gaps AS g
            JOIN counted USING (channel, epoch)
            WHERE g.host_id = $1 AND g.seq_to >= first AND g.seq_from < stop
            GROUP BY g.channel
        )
        SELECT channel, {}, {}, {}, {}, coalesce(max(repaired.messages), 0)
        FROM counted
        LEFT JOIN repaired USING (channel)
        GROUP BY channel
        ORDER BY channel",
        total("here"),
        total("refused"),
        total("missing"),
        total("gone"),
    );
    let client = connection(pool).await?;
    let statement = client.prepare_cached(&sql).await?;
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
        [&host, &window.from, &window.to];
    let rows = client.query(&statement, &parameters).await.context("cannot read the ledger")?;
    let ledgers = rows.iter().map(|row| {
        let channel: String = row.get(0);
        ChannelLedger {
            stored: row.get(1),
            dead: row.get(2),
            missing: row.get(3),
            lost: row.get(4),
            repaired: row.get(5),
            holes: holes.remove(&channel).unwrap_or_default(),
            channel,
        }
    });
    Ok(ledgers.collect())
}

/// How many numbers a set holds. Not the schema's own `muster_size`, which is not inlined: a fleet
/// has a hundred thousand sets.
pub(super) fn size(ranges: &str) -> String {
    format!("(SELECT coalesce(sum(upper(r) - lower(r)), 0) FROM unnest({ranges}) AS r)")
}

/// An announced sequence number may be absurd; a sum must fit nevertheless.
pub(super) fn fit(sum: &str) -> String {
    format!("least(coalesce({sum}, 0), 9223372036854775807)::bigint")
}

/// The first holes of each channel, oldest first: those of gaps that were found, what nobody has
/// looked at yet, and what was lost so long ago that its gap is no longer kept.
async fn holes(pool: &Pool, host: &str, window: Window) -> Result<BTreeMap<String, Vec<Hole>>> {
    let sql = format!(
        "{COUNTED}, found AS (
            SELECT c.channel, c.epoch, g.state, g.cause, g.attempts::bigint AS attempts,
                   g.found_at AS since, g.seq_from, g.seq_to, g.from_at, g.to_at,
                   g.missing * CASE WHEN g.state = 'lost' THEN c.gone ELSE c.missing END AS numbers
            FROM gaps AS g
            JOIN counted AS c USING (channel, epoch)
            WHERE g.host_id = $1 AND g.state IN ('open', 'repairing', 'lost')
        ), of_all AS (
            SELECT * FROM found
            UNION ALL
            SELECT c.channel, c.epoch, rest.state, NULL, 0, c.updated_at, NULL, NULL, NULL, NULL,
                   rest.numbers - coalesce((
                       SELECT range_agg(f.numbers) FROM found AS f
                       WHERE f.channel = c.channel AND f.epoch = c.epoch
                   ), '{{}}'::int8multirange)
            FROM counted AS c
            CROSS JOIN LATERAL (
                VALUES ('open', c.missing - c.gone), ('lost', c.gone)
            ) AS rest (state, numbers)
        ), numbered AS (
            SELECT *, row_number() OVER (PARTITION BY channel ORDER BY epoch, lower(hole)) AS number
            FROM of_all, unnest(numbers) AS hole
        )
        SELECT channel, epoch, lower(hole), upper(hole) - 1,
               (extract(epoch FROM since) * 1000)::bigint, state, cause, attempts, seq_from, seq_to,
               (extract(epoch FROM from_at) * 1000)::bigint,
               (extract(epoch FROM to_at) * 1000)::bigint
        FROM numbered
        WHERE number <= $4
        ORDER BY channel, number"
    );
    let client = connection(pool).await?;
    let statement = client.prepare_cached(&sql).await?;
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
        [&host, &window.from, &window.to, &GAPS_MAX];
    let rows = client.query(&statement, &parameters).await.context("cannot read gaps")?;
    let mut holes: BTreeMap<String, Vec<Hole>> = BTreeMap::new();
    for row in rows {
        holes.entry(row.get(0)).or_default().push(read_hole(&row));
    }
    Ok(holes)
}

fn read_hole(row: &Row) -> Hole {
    let state = match row.get::<_, &str>(5) {
        "lost" => GapState::Lost,
        "repairing" => GapState::Repairing,
        _ => GapState::Open,
    };
    let bounds = || {
        Some(Bounds {
            from: row.get::<_, Option<i64>>(8)?,
            to: row.get::<_, Option<i64>>(9)?,
            from_at: row.get::<_, Option<i64>>(10)?,
            to_at: row.get::<_, Option<i64>>(11)?,
        })
    };
    Hole {
        epoch: row.get(1),
        from: row.get(2),
        to: row.get(3),
        since: row.get(4),
        state,
        cause: row.get(6),
        attempts: row.get(7),
        bounds: bounds(),
    }
}

/// What was stored late of the time in the window, newest first.
pub(crate) async fn backfills(pool: &Pool, host: &str, window: Window) -> Result<Vec<Backfill>> {
    let sql = "
        SELECT channel, (extract(epoch FROM from_at) * 1000)::bigint,
               (extract(epoch FROM to_at) * 1000)::bigint, messages,
               (extract(epoch FROM stored_at) * 1000)::bigint
        FROM backfills
        WHERE host_id = $1
          AND ($2::timestamptz IS NULL OR to_at >= $2) AND ($3::timestamptz IS NULL OR from_at < $3)
        ORDER BY id DESC
        LIMIT $4";
    let client = connection(pool).await?;
    let statement = client.prepare_cached(sql).await?;
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
        [&host, &window.from, &window.to, &BACKFILLS_MAX];
    let rows = client.query(&statement, &parameters).await.context("cannot read late ranges")?;
    let read = |row: &Row| Backfill {
        channel: row.get(0),
        from: row.get(1),
        to: row.get(2),
        messages: row.get(3),
        at: row.get(4),
    };
    Ok(rows.iter().map(read).collect())
}
