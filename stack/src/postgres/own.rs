//! A server of our own: a private cluster in a directory, reachable on loopback only, that can be
//! killed, stopped and started. Used through the parent module.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::child::{Child, Launch};
use crate::logic::version::TIMESCALE_MIN;
use crate::{ports, proc_fs, state_dir, temporary_dir};

use super::cluster::Cluster;
use super::{DATABASE, PostgresOptions, USER, check_name, connect, prepare};

/// Recovery after a crash replays up to `max_wal_size` of log, which takes minutes on a slow disk.
const READY_TIMEOUT: Duration = Duration::from_secs(300);
/// A server that was killed leaves backends behind that hold its shared memory until they notice;
/// a new one ends at once as long as they do. This is ample for them.
const RESTART_TIMEOUT: Duration = Duration::from_secs(15);
/// A fast shutdown writes a checkpoint: up to `shared_buffers` of dirty pages.
const STOP_GRACE: Duration = Duration::from_secs(60);

/// The server and how to reach it. Dropping it ends the process; the data stays, unless it was
/// started in a temporary directory.
pub struct OwnServer {
    child: Option<Child>,
    cluster: Cluster,
    options: PostgresOptions,
    log: PathBuf,
    port: u16,
    /// Last, so that the server is gone before its data is.
    _temporary: Option<TempDir>,
}

impl OwnServer {
    /// Starts a server on the cluster of this state directory, which is made if there is none.
    pub async fn start_in(state: &Path, options: PostgresOptions) -> Result<Self> {
        Self::start_at(state, options, None).await
    }

    /// Starts a server on a new cluster that goes away with it.
    pub async fn start_temporary(options: PostgresOptions) -> Result<Self> {
        let dir = temporary_dir()?;
        let state = dir.path().to_owned();
        Self::start_at(&state, options, Some(dir)).await
    }

    async fn start_at(
        state: &Path,
        options: PostgresOptions,
        temporary: Option<TempDir>,
    ) -> Result<Self> {
        let state = state_dir(state)?;
        let cluster = Cluster::open(&state, &options).await?;
        let log = state.join("logs/postgres.log");
        let mut server =
            Self { child: None, cluster, options, log, port: 0, _temporary: temporary };
        server.start_choosing_a_port().await?;
        server.ensure_database(DATABASE).await?;
        Ok(server)
    }

    /// The stack's own database.
    pub fn url(&self) -> String {
        self.database_url(DATABASE)
    }

    pub fn database_url(&self, name: &str) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/{name}", self.cluster.password, self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::pid)
    }

    /// `15.20`, for people.
    pub fn version(&self) -> String {
        self.cluster.install.version.to_string()
    }

    /// One of the installation's programs, such as `pg_dump`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.cluster.install.program(name)
    }

    /// What a person should know about where the data went; mostly nothing.
    pub fn notes(&self) -> &[String] {
        &self.cluster.notes
    }

    /// Makes a database and answers its address.
    pub async fn create_database(&self, name: &str) -> Result<String> {
        check_name(name)?;
        let client = self.superuser().await?;
        let made = client.batch_execute(&format!("CREATE DATABASE {name}")).await;
        made.with_context(|| format!("could not make the database {name}"))?;
        prepare(&self.database_url(name)).await?;
        Ok(self.database_url(name))
    }

    /// Removes a database, cutting off whoever is connected to it.
    pub async fn drop_database(&self, name: &str) -> Result<()> {
        check_name(name)?;
        let client = self.superuser().await?;
        let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        let dropped = client.batch_execute(&statement).await;
        dropped.with_context(|| format!("could not drop the database {name}"))
    }

    /// Starts it again, on the same port and data, and waits until it accepts connections.
    pub async fn start(&mut self) -> Result<()> {
        if self.child.is_some() {
            return Ok(());
        }
        let deadline = Instant::now() + RESTART_TIMEOUT;
        let mut pause = Duration::from_millis(50);
        loop {
            match self.start_once().await {
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => sleep(pause).await,
                Ok(()) => return Ok(()),
            }
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    /// A fast shutdown: open transactions are rolled back and a checkpoint is written.
    pub async fn stop(&mut self) {
        if let Some(child) = self.child.take() {
            child.stop(Signal::SIGINT, STOP_GRACE).await;
        }
    }

    /// Kills the postmaster; its backends notice and end on their own.
    pub async fn kill9(&mut self) {
        if let Some(child) = self.child.take() {
            child.kill9().await;
        }
    }

    /// Sends a signal to it and to all its backends, if it runs.
    pub fn signal(&self, signal: Signal) {
        let Some(child) = &self.child else { return };
        // First the one that would make more of the others.
        child.signal(signal);
        for pid in proc_fs::children(child.pid()) {
            // One that has just ended needs no signal.
            let _ = kill(Pid::from_raw(pid.cast_signed()), signal);
        }
    }

    pub fn data_dir(&self) -> &Path {
        &self.cluster.data_dir
    }

    /// Hands the running process to somebody who restarts it.
    pub fn into_parts(self) -> (Launch, Option<Child>) {
        (self.launch(), self.child)
    }

    async fn start_choosing_a_port(&mut self) -> Result<()> {
        let deadline = Instant::now() + RESTART_TIMEOUT;
        loop {
            self.port = ports::free_port()?;
            match self.start_once().await {
                // Backends of a killed server, or a port taken in between: both pass.
                Err(_) if Instant::now() < deadline && self.may_pass() => {
                    sleep(Duration::from_millis(200)).await;
                }
                result => return result,
            }
        }
    }

    fn may_pass(&self) -> bool {
        let taken = !ports::is_free(Ipv4Addr::LOCALHOST.into(), self.port);
        taken || self.cluster.is_in_use()
    }

    async fn start_once(&mut self) -> Result<()> {
        self.cluster.remove_stale_lock();
        let launch = self.launch();
        let child = launch.spawn()?;
        if let Err(error) = self.wait_until_ready(&child).await {
            bail!("PostgreSQL did not start: {error:#}{}", launch.last_lines());
        }
        self.child = Some(child);
        Ok(())
    }

    async fn wait_until_ready(&self, child: &Child) -> Result<()> {
        let deadline = Instant::now() + READY_TIMEOUT;
        loop {
            let Err(failure) = self.superuser().await else { return Ok(()) };
            if let Some(status) = child.exit_status() {
                bail!("it ended at once ({status})");
            }
            if is_refused_login(&failure) || Instant::now() > deadline {
                return Err(failure);
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn ensure_database(&self, name: &str) -> Result<()> {
        let client = self.superuser().await?;
        let statement = "SELECT 1 FROM pg_database WHERE datname = $1";
        if client.query_opt(statement, &[&name]).await?.is_none() {
            self.create_database(name).await?;
        }
        Ok(())
    }

    async fn superuser(&self) -> Result<Client> {
        connect(&self.database_url("postgres")).await
    }

    fn launch(&self) -> Launch {
        let mut launch =
            Launch::new("postgres", self.cluster.install.program("postgres"), &self.log)
                .arg("-D")
                .arg(&self.cluster.data_dir);
        for (key, value) in self.settings() {
            launch = launch.arg("-c").arg(format!("{key}={value}"));
        }
        launch.dir = Some(self.cluster.data_dir.clone());
        launch.run_as = self.cluster.owner;
        launch.stop_signal = Signal::SIGINT;
        // Dropped without a stop: end without a checkpoint, but give back shared memory.
        launch.farewell = Signal::SIGQUIT;
        launch.grace = STOP_GRACE;
        launch
    }

    fn settings(&self) -> Vec<(String, String)> {
        let on_off = if self.options.durable { "on" } else { "off" };
        let port = self.port.to_string();
        let own = [
            ("listen_addresses", "127.0.0.1"),
            ("port", port.as_str()),
            // Sockets would need a short path; loopback serves everybody here.
            ("unix_socket_directories", ""),
            // Fits a laptop beside everything else.
            ("shared_buffers", "256MB"),
            // Room for bursts of COPY between checkpoints.
            ("max_wal_size", "2GB"),
            // The default of 100 is used up by a few workers' pools and a test's own connections.
            ("max_connections", "200"),
            // A dump locks each part of each table: two years of days are more than the default of
            // 64 has room for. Some 40 MB of shared memory.
            ("max_locks_per_transaction", "512"),
            ("fsync", on_off),
            ("full_page_writes", on_off),
            ("synchronous_commit", "on"),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
        ];
        let timescale = [
            ("shared_preload_libraries", "timescaledb"),
            // Nothing here calls home.
            ("timescaledb.telemetry_level", "off"),
        ];
        let has_timescale =
            self.cluster.install.timescale().is_some_and(|version| version >= TIMESCALE_MIN);
        let timescale = timescale.into_iter().filter(|_| has_timescale);
        let own = own.into_iter().chain(timescale);
        let own = own.map(|(key, value)| (key.to_owned(), value.to_owned()));
        own.chain(self.options.settings.iter().cloned()).collect()
    }
}

fn is_refused_login(error: &anyhow::Error) -> bool {
    let code = error.downcast_ref::<tokio_postgres::Error>().and_then(tokio_postgres::Error::code);
    code == Some(&SqlState::INVALID_PASSWORD)
}
