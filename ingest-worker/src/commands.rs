//! What an operator does by hand: migrate, look at what retention would remove, copy a database,
//! let the streams deliver again after a restore. Each prints what it has done.

use anyhow::{Context, Result, bail};
use async_nats::datetime::{DateTime, parse_rfc3339};
use async_nats::jetstream;
use muster_nats::definitions::restart_consumer;
use muster_nats::publish::ACK_TIMEOUT;
use muster_nats::{BusOptions, ConsumerName, connect};
use muster_runtime::{database, migrate, now_ms, storage};
use muster_schemas::retention::plan::Plan;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::io::retention::{Thinned, agreed_ms, enforce};
use crate::io::transfer;

/// What ingest workers consume.
const CONSUMERS: [ConsumerName; 4] = [
    ConsumerName::IngestTelemetry,
    ConsumerName::IngestLogs,
    ConsumerName::IngestInventory,
    ConsumerName::IngestSignals,
];

/// Agents may have been told more version numbers than a restored database remembers, but never so
/// many more.
const VERSIONS_SKIPPED: i64 = 1_000_000;

pub async fn migrate(config: &Config, check: bool) -> Result<()> {
    let url = &config.postgres_url;
    if check {
        let client = migrate::connect(url).await?;
        let engine = migrate::require_current(&client).await?;
        println!("the schema is up to date on {}", engine.as_str());
        return Ok(());
    }
    let done = migrate::migrate(url).await?;
    let (engine, version) = (done.engine.as_str(), done.version);
    println!("schema version {version} on {engine}, applied: {:?}", done.applied);
    Ok(())
}

/// Shows what the rules in force would remove, or removes it now.
pub async fn retention(config: &Config, only_plan: bool) -> Result<()> {
    let client = current(config).await?;
    let policy = storage::policy(&client).await?;
    if only_plan {
        print_plan(&storage::plan_of(&client, &policy, now_ms()).await?);
        return Ok(());
    }
    let pool = database::pool(&config.postgres_url, "muster-ingest-worker", 1)?;
    let now = agreed_ms(&pool).await?;
    let (mut thinned, stop) = (Thinned::default(), CancellationToken::new());
    let removed = enforce(&pool, &policy, now, &mut thinned, &stop).await?;
    if removed.elsewhere {
        bail!("a worker is removing what is old at this moment");
    }
    let (days, rows, left) = (removed.days, removed.rows, removed.left);
    println!(
        "removed {days} days and {rows} rows; {left} steps were left, because they are in use"
    );
    Ok(())
}

fn print_plan(plan: &Plan) {
    println!("{:<28} {:>9} {:>6} {:>14} {:>16}", "table", "keep", "days", "rows", "bytes");
    for table in &plan.tables {
        let about = if table.exact { "" } else { "~" };
        let rows = format!("{about}{}", table.rows);
        let (name, keep) = (&table.table, format!("{} d", table.keep_days));
        println!("{name:<28} {keep:>9} {:>6} {rows:>14} {:>16}", table.days, table.bytes);
        for label in &table.labels {
            println!(
                "  of these, {}: {} d, {} hosts, ~{} rows in {} days",
                label.label, label.keep_days, label.hosts, label.rows, label.days
            );
        }
    }
    println!("would go: {} days, ~{} rows, {} bytes", plan.days, plan.rows, plan.bytes);
}

/// Copies a database into another, which may be of the other engine.
pub async fn copy(from: &str, to: &str, resume: bool) -> Result<()> {
    transfer::copy(from, to, resume, &|line| println!("{line}")).await
}

/// After a database was restored to an older state: lets the streams deliver again what they still
/// have. The ledger drops what is there, and shows what is nowhere.
pub async fn replay(config: &Config, since: Option<&str>) -> Result<()> {
    let since: Option<DateTime> = since
        .map(|text| {
            parse_rfc3339(text)
                .map_err(|error| anyhow::anyhow!("--since is {text:?}: {error}"))
                .context("a time such as 2026-11-21T03:00:00Z is needed")
        })
        .transpose()?;
    let mut client = current(config).await?;
    skip_versions(&mut client).await?;
    let bus = connect(BusOptions {
        url: config.nats_url.clone(),
        credentials: config.nats_credentials.clone(),
        name: "muster-replay".into(),
        inbox_prefix: None,
        connected: None,
    })
    .await?;
    let mut context = jetstream::new(bus);
    context.set_timeout(ACK_TIMEOUT);
    for consumer in CONSUMERS {
        let messages = restart_consumer(&context, consumer, since).await?;
        println!("{}: {messages} messages come again", consumer.stream().name());
    }
    Ok(())
}

/// A version that is given out a second time would be taken for the first one.
async fn skip_versions(client: &mut Client) -> Result<()> {
    let transaction = client.transaction().await?;
    // As everybody who draws a number.
    transaction.batch_execute("LOCK TABLE agent_settings IN SHARE ROW EXCLUSIVE MODE").await?;
    let sql = "SELECT setval('agent_settings_version', nextval('agent_settings_version') + $1)";
    transaction.execute(sql, &[&VERSIONS_SKIPPED]).await?;
    transaction.commit().await.context("cannot skip the versions that agents may have")
}

async fn current(config: &Config) -> Result<Client> {
    let client = migrate::connect(&config.postgres_url).await?;
    migrate::require_current(&client).await?;
    Ok(client)
}
