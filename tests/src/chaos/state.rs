//! What is kept beside the rows and the ledger: the newest of everything, what an inventory was
//! before, what is believed to be missing, and the buckets of charts.

use anyhow::{Context, Result, ensure};
use muster_schemas::HostId;
use muster_schemas::signals::Heartbeat;
use muster_schemas::telemetry::Sample;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::verify::Claim;
use crate::database::Database;

/// The newest sample, heartbeat and inventories are those that were said last.
pub async fn newest(database: &Database, claim: &Claim) -> Result<()> {
    let published = &claim.published;
    let sql = "
        SELECT (extract(epoch FROM ts) * 1000)::int8, sample FROM host_latest WHERE host_id = $1";
    let stored: Option<(i64, Sample)> = one(database, sql, &claim.host).await?;
    let said = published.newest_sample.clone().map(|sample| (sample.at, sample));
    ensure!(stored == said, "the newest sample is {stored:?}, not {said:?}");

    let sql = "SELECT seq, heartbeat FROM host_agent WHERE host_id = $1";
    let stored: Option<(i64, Heartbeat)> = one(database, sql, &claim.host).await?;
    let said = &published.heartbeat;
    ensure!(stored == *said, "the newest heartbeat is {stored:?}, not {said:?}");

    for (kind, all) in &published.inventories {
        let sql = format!(
            "SELECT (extract(epoch FROM at) * 1000)::int8, detail FROM host_inventory
             WHERE host_id = $1 AND kind = '{kind}'"
        );
        let stored: Option<(i64, Value)> = one(database, &sql, &claim.host).await?;
        let said = all.iter().max_by_key(|(at, _)| *at).cloned();
        ensure!(stored == said, "the {kind} inventory is {stored:?}, not {said:?}");
    }
    Ok(())
}

/// A row with a number and a document.
async fn one<T: DeserializeOwned>(
    database: &Database,
    sql: &str,
    host: &HostId,
) -> Result<Option<(i64, T)>> {
    let row = database.client.query_opt(sql, &[&host.as_str()]).await?;
    let read = |row: tokio_postgres::Row| -> Result<(i64, T)> {
        let document: Value = row.get(1);
        Ok((row.get(0), serde_json::from_value(document).context("a document of another form")?))
    };
    row.map(read).transpose()
}

/// What an inventory became, one after the other, is what was said, in whatever order it came.
pub async fn history(database: &Database, claim: &Claim) -> Result<()> {
    for (kind, all) in &claim.published.inventories {
        let sql = "
            SELECT detail FROM host_inventory_history WHERE host_id = $1 AND kind = $2
            ORDER BY at, epoch, seq";
        let rows = database.client.query(sql, &[&claim.host.as_str(), kind]).await?;
        let mut stored: Vec<Value> = rows.iter().map(|row| row.get(0)).collect();
        // The last of those that are the same is kept beside the first.
        stored.dedup();
        let mut said = all.clone();
        said.sort_by_key(|(at, _)| *at);
        let mut said: Vec<Value> = said.into_iter().map(|(_, detail)| detail).collect();
        said.dedup();
        ensure!(stored == said, "the history of {kind} is {stored:?}, not {said:?}");
    }
    Ok(())
}

/// No gap is open of what is there, and nothing was given up: the journals have all.
pub async fn nothing_missing(database: &Database, host: &HostId) -> Result<()> {
    let gaps = "
        SELECT count(*) FROM gaps AS g JOIN ledger AS l USING (host_id, channel, epoch)
        WHERE g.host_id = $1 AND (g.state = 'lost' OR NOT g.missing <@ (l.received + l.dead))";
    let lost = "
        SELECT count(*) FROM ledger
        WHERE host_id = $1 AND (lost <> '{}' OR dropped <> 0)";
    for (sql, what) in [(gaps, "gaps"), (lost, "channels with a loss")] {
        let found: i64 = database.client.query_one(sql, &[&host.as_str()]).await?.get(0);
        ensure!(found == 0, "{host} has {found} {what} although all of it is stored");
    }
    Ok(())
}

/// Makes the buckets of all that is marked, the hour that has just begun included, and compares how
/// many samples they stand for. No worker may run.
pub async fn rollups(database: &Database) -> Result<()> {
    let make = "
        SELECT muster_roll_up(array_agg(DISTINCT host_id), hour, true)
        FROM rollup_dirty GROUP BY hour";
    database.client.query(make, &[]).await.context("cannot make the buckets that are due")?;
    let sql = "SELECT name, source, minutes FROM rollups ORDER BY name";
    for row in database.client.query(sql, &[]).await? {
        let (name, source, minutes): (String, String, bool) = (row.get(0), row.get(1), row.get(2));
        let levels: &[&str] = if minutes { &["1m", "1h"] } else { &["1h"] };
        for level in levels {
            let sql = format!(
                "SELECT count(*), coalesce(sum(counted), 0)::int8 FROM (
                     SELECT host_id, sum(n) AS bucketed FROM {name}_{level} GROUP BY host_id
                 ) AS b
                 FULL JOIN (
                     SELECT host_id, count(*) AS counted FROM {source} GROUP BY host_id
                 ) AS s USING (host_id)
                 WHERE bucketed IS DISTINCT FROM counted"
            );
            let row = database.client.query_one(&sql, &[]).await?;
            let (hosts, samples): (i64, i64) = (row.get(0), row.get(1));
            ensure!(
                hosts == 0,
                "{name}_{level} does not stand for the {samples} samples of {hosts} hosts"
            );
        }
    }
    Ok(())
}
