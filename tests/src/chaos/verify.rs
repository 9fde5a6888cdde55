//! Whether what is stored is what was published: in the ledger, in the tables, and nothing besides.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use muster_agent::recorder::Recorder;
use muster_nats::Stream;
use muster_schemas::codec::decode;
use muster_schemas::inventory::Inventory;
use muster_schemas::logs::LogFrame;
use muster_schemas::signals::Signal;
use muster_schemas::telemetry::TelemetryFrame;
use muster_schemas::{Channel, ContentType, Envelope, HostId};

use super::published::{Published, Row, TABLES, compare};
use super::state;
use crate::bus::Bus;
use crate::database::Database;
use crate::wait::within;

/// How long the workers may take for what is left when peace returns: it includes what the broker
/// lost and the hosts are asked for again, half a minute after it is known to be missing.
const SETTLE_MAX: Duration = Duration::from_secs(90);

/// A host and what it said under one epoch.
pub struct Claim {
    pub host: HostId,
    pub epoch: i64,
    pub published: Published,
}

/// What a real agent's journal says it has published: nothing of it is dropped in a run.
pub fn read_journal(recorder: &Recorder) -> Result<Published> {
    let mut published = Published::default();
    let epoch = recorder.epoch();
    let epochs = recorder.epochs();
    ensure!(epochs == [epoch], "the agent began other epochs: {epochs:?}");
    for (channel, last) in recorder.shown() {
        let mut again = recorder.read_again(channel, epoch, 1, last)?;
        ensure!(again.missing.is_empty(), "the journal lacks {channel} {:?}", again.missing);
        while let Some((ticket, record)) = again.next_acknowledged()? {
            let (seq, kind, format) = (ticket.seq, ticket.kind, ContentType::Msgpack);
            match channel {
                Channel::Telemetry => {
                    let frame: Envelope<TelemetryFrame> = decode(format, &record.payload)?;
                    published.frame(seq, &frame.body);
                }
                Channel::Logs => {
                    let frame: Envelope<LogFrame> = decode(format, &record.payload)?;
                    published.lines(seq, &frame.body);
                }
                Channel::Signals => {
                    published.signal(seq, Signal::decode(kind, format, &record.payload)?.body);
                }
                Channel::Inventory => {
                    let inventory = Inventory::decode(kind, format, &record.payload)?;
                    published.inventory(seq, &inventory.body);
                }
            }
        }
    }
    Ok(published)
}

/// Waits until the ledger has all, then compares the rows.
pub async fn verify(database: &Database, bus: &Bus, claims: &[Claim]) -> Result<()> {
    for claim in claims {
        ensure!(claim.published.is_whole(), "{} skipped a number", claim.host);
        let what = format!("the ledger has all of {}", claim.host);
        within(SETTLE_MAX, &what, async || ledger(database, claim).await).await?;
    }
    for claim in claims {
        for (table, columns) in TABLES {
            let published = claim.published.rows.get(table).map_or(&[][..], Vec::as_slice);
            let stored = rows(database, table, columns, &claim.host).await?;
            compare(published, &stored)
                .map_err(|reason| anyhow!("{table} of {}: {reason}", claim.host))?;
        }
        state::newest(database, claim).await.with_context(|| format!("of {}", claim.host))?;
        state::history(database, claim).await.with_context(|| format!("of {}", claim.host))?;
        state::nothing_missing(database, &claim.host).await?;
    }
    let dead = bus.context.get_stream(Stream::Dead.name()).await?;
    let letters = dead.cached_info().state.messages;
    ensure!(letters == 0, "{letters} messages are among the dead letters");
    nobody_else(database, claims).await
}

/// Exactly the numbers that were given out, in each channel, and none of them dead.
async fn ledger(database: &Database, claim: &Claim) -> Result<(), String> {
    let sql = "
        SELECT channel, epoch, received::text, dead::text FROM ledger
        WHERE host_id = $1 AND (received <> '{}' OR dead <> '{}')
        ORDER BY channel, epoch";
    let host = claim.host.as_str();
    let rows = database.client.query(sql, &[&host]).await.map_err(|error| error.to_string())?;
    let found: BTreeMap<(String, i64), (String, String)> =
        rows.iter().map(|row| ((row.get(0), row.get(1)), (row.get(2), row.get(3)))).collect();
    let expected = claim.published.last.iter().map(|(channel, last)| {
        let received = format!("{{[1,{})}}", last + 1);
        ((channel.as_str().to_owned(), claim.epoch), (received, "{}".to_owned()))
    });
    let expected: BTreeMap<_, _> = expected.collect();
    if found == expected {
        return Ok(());
    }
    Err(format!("the ledger says {found:?}, published was {expected:?}"))
}

async fn rows(database: &Database, table: &str, columns: &str, host: &HostId) -> Result<Vec<Row>> {
    let sql = format!(
        "SELECT (extract(epoch FROM ts) * 1000)::int8, what, value::float8
         FROM (SELECT ts, {columns} FROM {table} WHERE host_id = $1) AS r (ts, what, value)"
    );
    let rows = database.client.query(&sql, &[&host.as_str()]).await;
    let rows = rows.with_context(|| format!("cannot read {table}"))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
}

async fn nobody_else(database: &Database, claims: &[Claim]) -> Result<()> {
    let hosts: Vec<&str> = claims.iter().map(|claim| claim.host.as_str()).collect();
    let sql = "SELECT id FROM hosts WHERE id <> ALL ($1)";
    let strangers = database.client.query(sql, &[&hosts]).await?;
    ensure!(strangers.is_empty(), "{} hosts were stored that nobody spoke for", strangers.len());
    Ok(())
}
