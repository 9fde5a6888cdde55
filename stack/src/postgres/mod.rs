//! A real PostgreSQL: a private cluster of our own, or, for tests, a server that is named by
//! `MUSTER_TEST_POSTGRES_URL`, in which each of them has databases of its own. Where the server has
//! a TimescaleDB that is new enough, databases are made with it. It leaves out the schema (the
//! services' migrations make that). Used by `muster-stack up`, by the pipeline tests and by the
//! benches.

mod cluster;
mod elsewhere;
mod own;
mod owner;

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};

use crate::child::{Child, Launch};
use crate::install;
use crate::logic::version::{TIMESCALE_MIN, Version};
use elsewhere::Elsewhere;
use own::OwnServer;

/// The database of the stack itself; tests make others.
pub const DATABASE: &str = "muster";
const USER: &str = "muster";

/// Names a server for tests; its user has to be allowed to make databases.
pub const TEST_URL: &str = "MUSTER_TEST_POSTGRES_URL";

/// One attempt to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What a caller may want otherwise.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// Where `postgres` and `initdb` are, see `install::PostgresInstall::find`.
    pub bin_dir: Option<PathBuf>,
    /// `false` only for tests that survive no power cut: commits then wait for no disk.
    pub durable: bool,
    /// Further settings, by name, which win over the ones made here.
    pub settings: Vec<(String, String)>,
    /// A server of our own even where another one is named: it is going to be killed or paused.
    pub own: bool,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { bin_dir: None, durable: true, settings: Vec::new(), own: false }
    }
}

impl PostgresOptions {
    /// The server that tests were told to use, unless this one has to be our own.
    fn elsewhere(&self) -> Option<String> {
        let needs_own = self.own || self.durable || !self.settings.is_empty();
        env::var(TEST_URL).ok().filter(|url| !url.is_empty() && !needs_own)
    }
}

/// The server and how to reach it. Dropping it ends the process, if it is our own; the data stays,
/// unless they were made for a test.
pub enum PostgresServer {
    Own(Box<OwnServer>),
    Elsewhere(Elsewhere),
}

impl PostgresServer {
    /// Starts a server on the cluster of this state directory, which is made if there is none.
    pub async fn start_in(state: &Path, options: PostgresOptions) -> Result<Self> {
        Ok(Self::Own(Box::new(OwnServer::start_in(state, options).await?)))
    }

    /// The server of a test: as [`PostgresServer::start_in`], or the one that tests were told to
    /// use.
    pub async fn start_for_test(state: &Path, options: PostgresOptions) -> Result<Self> {
        match options.elsewhere() {
            Some(url) => Ok(Self::Elsewhere(Elsewhere::open(&url).await?)),
            None => Self::start_in(state, options).await,
        }
    }

    /// The server of a test, with data that go away with it.
    pub async fn start_temporary(options: PostgresOptions) -> Result<Self> {
        match options.elsewhere() {
            Some(url) => Ok(Self::Elsewhere(Elsewhere::open(&url).await?)),
            None => Ok(Self::Own(Box::new(OwnServer::start_temporary(options).await?))),
        }
    }

    /// The stack's own database.
    pub fn url(&self) -> String {
        self.database_url(DATABASE)
    }

    pub fn database_url(&self, name: &str) -> String {
        match self {
            Self::Own(server) => server.database_url(name),
            Self::Elsewhere(server) => server.database_url(name),
        }
    }

    /// Of a server of our own.
    pub fn port(&self) -> u16 {
        match self {
            Self::Own(server) => server.port(),
            Self::Elsewhere(_) => 0,
        }
    }

    /// Of a server of our own that runs.
    pub fn pid(&self) -> Option<u32> {
        match self {
            Self::Own(server) => server.pid(),
            Self::Elsewhere(_) => None,
        }
    }

    /// Where a server of our own keeps its data.
    pub fn data_dir(&self) -> Option<&Path> {
        match self {
            Self::Own(server) => Some(server.data_dir()),
            Self::Elsewhere(_) => None,
        }
    }

    /// `15.20`, for people.
    pub fn version(&self) -> String {
        match self {
            Self::Own(server) => server.version(),
            Self::Elsewhere(server) => server.version().to_owned(),
        }
    }

    /// One of PostgreSQL's programs, such as `pg_dump`.
    pub fn program(&self, name: &str) -> Result<PathBuf> {
        match self {
            Self::Own(server) => Ok(server.program(name)),
            Self::Elsewhere(_) => Ok(install::PostgresInstall::find(None, None)?.program(name)),
        }
    }

    /// What a person should know about where the data went; mostly nothing.
    pub fn notes(&self) -> &[String] {
        match self {
            Self::Own(server) => server.notes(),
            Self::Elsewhere(_) => &[],
        }
    }

    /// Makes a database and answers its address.
    pub async fn create_database(&self, name: &str) -> Result<String> {
        check_name(name)?;
        match self {
            Self::Own(server) => server.create_database(name).await,
            Self::Elsewhere(server) => server.create_database(name).await,
        }
    }

    /// Removes a database, cutting off whoever is connected to it.
    pub async fn drop_database(&self, name: &str) -> Result<()> {
        check_name(name)?;
        match self {
            Self::Own(server) => server.drop_database(name).await,
            Self::Elsewhere(server) => server.drop_database(name).await,
        }
    }

    /// Starts it again, on the same port and data, and waits until it accepts connections.
    pub async fn start(&mut self) -> Result<()> {
        self.ours()?.start().await
    }

    /// A fast shutdown: open transactions are rolled back and a checkpoint is written.
    pub async fn stop(&mut self) {
        if let Self::Own(server) = self {
            server.stop().await;
        }
    }

    /// Kills the postmaster; its backends notice and end on their own.
    pub async fn kill9(&mut self) -> Result<()> {
        self.ours()?.kill9().await;
        Ok(())
    }

    /// Sends a signal to it and to all its backends, if it is ours and runs.
    pub fn signal(&self, signal: Signal) {
        if let Self::Own(server) = self {
            server.signal(signal);
        }
    }

    /// Hands the running process to somebody who restarts it.
    pub fn into_parts(self) -> Result<(Launch, Option<Child>)> {
        match self {
            Self::Own(server) => Ok((*server).into_parts()),
            Self::Elsewhere(_) => bail!("the PostgreSQL of {TEST_URL} is not ours to start"),
        }
    }

    fn ours(&mut self) -> Result<&mut OwnServer> {
        match self {
            Self::Own(server) => Ok(server),
            Self::Elsewhere(_) => bail!(
                "the PostgreSQL of {TEST_URL} is not ours to kill: a test that does so sets \
                 PostgresOptions::own"
            ),
        }
    }
}

/// Connects, and leaves the connection to a task that ends with the client.
pub async fn connect(url: &str) -> Result<Client> {
    let connecting = timeout(CONNECT_TIMEOUT, tokio_postgres::connect(url, NoTls));
    let (client, connection) = connecting.await.context("PostgreSQL did not answer")??;
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(client)
}

/// What a new database is made with: `TimescaleDB`, where the server has one that is new enough.
/// The first migration then finds it and keeps to it.
async fn prepare(url: &str) -> Result<()> {
    let client = connect(url).await?;
    if timescale_of(&client).await?.is_some_and(|version| version >= TIMESCALE_MIN) {
        let sql = "CREATE EXTENSION IF NOT EXISTS timescaledb";
        client.batch_execute(sql).await.context("could not make the database with TimescaleDB")?;
    }
    Ok(())
}

/// The version of `TimescaleDB` that the server has loaded, if it has.
async fn timescale_of(client: &Client) -> Result<Option<Version>> {
    let sql = "
        SELECT default_version FROM pg_available_extensions
        WHERE name = 'timescaledb'
          AND current_setting('shared_preload_libraries', true) LIKE '%timescaledb%'";
    let row = client.query_opt(sql, &[]).await?;
    Ok(row.and_then(|row| Version::find(row.get(0))))
}

/// One line for people: what these databases run on.
pub async fn describe(url: &str) -> Result<String> {
    let client = connect(url).await?;
    let version: String = client.query_one("SHOW server_version", &[]).await?.get(0);
    let version = Version::find(&version).map_or(version, |version| version.to_string());
    let engine = match timescale_of(&client).await? {
        Some(timescale) if timescale >= TIMESCALE_MIN => format!("TimescaleDB {timescale}"),
        Some(timescale) => format!("plain (its TimescaleDB {timescale} is too old)"),
        None => "plain".to_owned(),
    };
    Ok(format!("PostgreSQL {version}, engine: {engine}"))
}

/// Names go into statements as they are, so only plain ones are taken.
fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let ok = name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(plain);
    ensure!(ok && name.len() <= 63, "a database name is [a-z][a-z0-9_]{{0,62}}, not {name:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_reach_a_statement() {
        assert!(check_name("test_1").is_ok());
        for name in ["", "1a", "a-b", "a\"; DROP", "A", &"a".repeat(64)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
