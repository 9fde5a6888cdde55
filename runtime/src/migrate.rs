//! Applies the schema: forward only, one transaction a step, safe from many processes at once.

use anyhow::{Context, Result, bail};
use muster_schemas::sql::{Engine, MIGRATIONS, Migration, TIMESCALE_MIN};
use tokio_postgres::{Client, NoTls};
use tracing::info;

use crate::database;

/// One process migrates at a time; the others wait and then find nothing to do.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_lock(hashtext('muster.migrations'))";

const BOOKKEEPING: &str = "
    CREATE TABLE IF NOT EXISTS muster_migrations (
        version    integer PRIMARY KEY,
        name       text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE TABLE IF NOT EXISTS muster_engine (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        engine   text NOT NULL
    )";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    pub engine: Engine,
    pub applied: Vec<&'static str>,
    pub version: i32,
}

/// Brings the database at `url` up to this binary's schema.
pub async fn migrate(url: &str) -> Result<Migrated> {
    let client = connect(url).await?;
    client.execute(MIGRATION_LOCK, &[]).await.context("cannot take the migration lock")?;
    client.batch_execute(BOOKKEEPING).await.context("cannot create the migration table")?;
    let engine = recorded_engine(&client).await?;
    let applied = pending(&client).await?;
    for migration in &applied {
        apply(&client, migration, engine).await?;
    }
    let version = MIGRATIONS.len() as i32;
    Ok(Migrated { engine, applied: applied.iter().map(|m| m.name).collect(), version })
}

/// What [`migrate`] would apply, without doing it.
pub async fn check(url: &str) -> Result<Vec<&'static str>> {
    missing(&connect(url).await?).await
}

/// Fails unless the schema is the one this binary was built for; answers the engine it is on.
pub async fn require_current(client: &Client) -> Result<Engine> {
    match missing(client).await?.as_slice() {
        [] => recorded(client).await?.context("the database was made for no engine"),
        missing => bail!("the schema lacks {missing:?}: run migrate"),
    }
}

async fn missing(client: &Client) -> Result<Vec<&'static str>> {
    let known = "SELECT to_regclass('muster_migrations') IS NOT NULL";
    if !client.query_one(known, &[]).await?.get::<_, bool>(0) {
        return Ok(MIGRATIONS.iter().map(|migration| migration.name).collect());
    }
    Ok(pending(client).await?.iter().map(|migration| migration.name).collect())
}

/// A connection of its own, outside any pool.
pub async fn connect(url: &str) -> Result<Client> {
    let options = database::options(url, "muster-migrate")?;
    let (client, connection) =
        options.connect(NoTls).await.context("cannot connect to the database")?;
    tokio::spawn(connection);
    Ok(client)
}

async fn pending(client: &Client) -> Result<Vec<&'static Migration>> {
    let rows = client.query("SELECT version FROM muster_migrations", &[]).await?;
    let done: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
    if let Some(newest) = done.iter().max().filter(|v| **v > MIGRATIONS.len() as i32) {
        bail!(
            "the database schema is version {newest}, newer than the {} this binary knows: \
             upgrade the binary",
            MIGRATIONS.len()
        );
    }
    Ok(MIGRATIONS.iter().filter(|migration| !done.contains(&migration.version)).collect())
}

async fn apply(client: &Client, migration: &Migration, engine: Engine) -> Result<()> {
    let Migration { version, name, sql, .. } = migration;
    let engine_sql = migration.engine.map_or("", |sql| sql.of(engine));
    let record =
        format!("INSERT INTO muster_migrations (version, name) VALUES ({version}, '{name}')");
    client
        .batch_execute(&format!("BEGIN;\n{engine_sql}\n;{sql}\n;{record}; COMMIT"))
        .await
        .with_context(|| format!("migration {version} ({name}) failed, nothing of it was kept"))?;
    info!(version, name, "migrated the schema");
    Ok(())
}

/// The engine is detected once, before the first migration, and then kept: a database does not
/// change its engine because an extension was installed later.
async fn recorded_engine(client: &Client) -> Result<Engine> {
    if let Some(engine) = recorded(client).await? {
        return Ok(engine);
    }
    let engine = detect(client).await?;
    let record = format!("INSERT INTO muster_engine (engine) VALUES ('{}')", engine.as_str());
    client
        .batch_execute(&format!("BEGIN;\n{}\n;{record}; COMMIT", engine.sql()))
        .await
        .with_context(|| format!("cannot prepare the {} engine", engine.as_str()))?;
    info!(engine = engine.as_str(), "prepared the database");
    Ok(engine)
}

async fn recorded(client: &Client) -> Result<Option<Engine>> {
    let row = client.query_opt("SELECT engine FROM muster_engine", &[]).await?;
    let Some(row) = row else { return Ok(None) };
    let name: String = row.get(0);
    let engine = Engine::from_name(&name)
        .with_context(|| format!("the database was made for the unknown engine {name:?}"))?;
    Ok(Some(engine))
}

async fn detect(client: &Client) -> Result<Engine> {
    let sql = "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'";
    let Some(row) = client.query_opt(sql, &[]).await? else { return Ok(Engine::Plain) };
    let version: String = row.get(0);
    if major_minor(&version) < TIMESCALE_MIN {
        let (major, minor) = TIMESCALE_MIN;
        bail!("TimescaleDB {version} is too old, {major}.{minor} or later is needed");
    }
    Ok(Engine::Timescale)
}

fn major_minor(version: &str) -> (u32, u32) {
    let mut numbers = version.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(major_minor("2.9.1") < TIMESCALE_MIN);
        assert!(major_minor("2.29.2") >= TIMESCALE_MIN);
        assert!(major_minor("3.0.0-dev") >= TIMESCALE_MIN);
    }
}
