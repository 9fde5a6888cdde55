//! What the ledger says of a host: how much is here, and what is missing.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use deadpool_postgres::Pool;

use super::connection;
use crate::logic::completeness::{ChannelLedger, GAPS_MAX, Hole};

/// Everything that is known to exist is from 1 to the largest sequence number that was stored,
/// refused, or acknowledged by the bus long enough ago to count as settled.
const MISSING: &str = "
    WITH known AS (
        SELECT *, greatest(
            coalesce(upper(received), 1), coalesce(upper(dead), 1), settled + 1,
            CASE WHEN announced_at < now() - interval '30 seconds' THEN announced + 1 ELSE 1 END
        ) AS beyond
        FROM ledger
        WHERE host_id = $1
    ), counted AS (
        SELECT *, int8multirange(int8range(1, beyond)) - received - dead AS missing FROM known
    )";

/// The ledger of each channel, over all epochs.
pub(crate) async fn ledgers(pool: &Pool, host: &str) -> Result<Vec<ChannelLedger>> {
    let mut holes = holes(pool, host).await?;
    let size = |ranges: &str| {
        format!("(SELECT coalesce(sum(upper(r) - lower(r)), 0) FROM unnest({ranges}) AS r)")
    };
    // An announced sequence number may be absurd; the sum must fit nevertheless.
    let fit = |sum: &str| format!("least(sum({sum}), 9223372036854775807)::bigint");
    let sql = format!(
        "{MISSING}, sized AS (
            SELECT channel, dropped, {stored} AS stored, {dead} AS dead, {missing} AS missing
            FROM counted
        )
        SELECT channel, {}, {}, {}, {} FROM sized GROUP BY channel ORDER BY channel",
        fit("stored"),
        fit("dead"),
        fit("missing"),
        fit("least(dropped, missing)"),
        stored = size("received"),
        dead = size("dead"),
        missing = size("missing"),
    );
    let client = connection(pool).await?;
    let statement = client.prepare_cached(&sql).await?;
    let rows = client.query(&statement, &[&host]).await.context("cannot read the ledger")?;
    let ledgers = rows.iter().map(|row| {
        let channel: String = row.get(0);
        ChannelLedger {
            stored: row.get(1),
            dead: row.get(2),
            missing: row.get(3),
            lost: row.get(4),
            holes: holes.remove(&channel).unwrap_or_default(),
            channel,
        }
    });
    Ok(ledgers.collect())
}

/// The first holes of each channel, oldest first.
async fn holes(pool: &Pool, host: &str) -> Result<BTreeMap<String, Vec<Hole>>> {
    let sql = format!(
        "{MISSING}, holes AS (
            SELECT channel, epoch, lower(hole) AS first, upper(hole) - 1 AS last, dropped,
                   (extract(epoch FROM updated_at) * 1000)::bigint AS since,
                   row_number() OVER (PARTITION BY channel ORDER BY epoch, lower(hole)) AS number
            FROM counted, unnest(missing) AS hole
        )
        SELECT channel, epoch, first, last, since, dropped
        FROM holes
        WHERE number <= $2
        ORDER BY channel, epoch, first"
    );
    let client = connection(pool).await?;
    let statement = client.prepare_cached(&sql).await?;
    let rows = client.query(&statement, &[&host, &GAPS_MAX]).await.context("cannot read gaps")?;
    let mut holes: BTreeMap<String, Vec<Hole>> = BTreeMap::new();
    for row in rows {
        holes.entry(row.get(0)).or_default().push(Hole {
            epoch: row.get(1),
            from: row.get(2),
            to: row.get(3),
            since: row.get(4),
            dropped: row.get(5),
        });
    }
    Ok(holes)
}
