//! A real nats-server with `JetStream`, on loopback, with its store in a directory. It leaves out
//! users and permissions (a caller adds them through `extra_config`) and clusters. Used by
//! `muster-stack up`, by the pipeline tests and by the benches.

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::child::{Child, Launch};
use crate::logic::version::{NATS_MIN, Version};
use crate::{install, ports, state_dir, temporary_dir};

/// The pipeline must be able to carry a message that is too large for a stream as far as the
/// dead-letter stream, so the server itself allows more than any agent sends.
const MAX_PAYLOAD_BYTES: usize = 16 << 20;

/// The streams may grow to 14 GiB together, and the server makes a stream only if this limit has
/// room for all of them, and counts one that several services make at once several times. Its own
/// default, three quarters of the free disk, may be less. What is really used stays below 14 GiB.
const STORE_BYTES_MAX: u64 = 128 << 30;

/// A store of many gigabytes is read at start.
const READY_TIMEOUT: Duration = Duration::from_secs(120);

/// Two processes rarely pick the same free port; five times in a row is another problem.
const PORT_ATTEMPTS_MAX: usize = 5;

/// What a caller may want otherwise.
#[derive(Clone, Debug, Default)]
pub struct NatsOptions {
    /// Lines added to the generated configuration, such as accounts or `sync_interval`.
    pub extra_config: String,
}

/// The server and where it is. Dropping it kills the process; the store stays, unless it was
/// started in a temporary directory.
pub struct NatsServer {
    child: Option<Child>,
    launch: Launch,
    dir: PathBuf,
    options: NatsOptions,
    port: u16,
    /// Last, so that the server is gone before its store is.
    _temporary: Option<TempDir>,
}

impl NatsServer {
    /// Starts a server whose store is `<state>/nats` and whose log is `<state>/logs/nats.log`.
    pub async fn start_in(state: &Path, options: NatsOptions) -> Result<Self> {
        Self::start_at(state, options, None).await
    }

    /// Starts a server whose store goes away with it.
    pub async fn start_temporary() -> Result<Self> {
        let dir = temporary_dir()?;
        let state = dir.path().to_owned();
        Self::start_at(&state, NatsOptions::default(), Some(dir)).await
    }

    async fn start_at(
        state: &Path,
        options: NatsOptions,
        temporary: Option<TempDir>,
    ) -> Result<Self> {
        let state = state_dir(state)?;
        let dir = state.join("nats");
        fs::create_dir_all(&dir).with_context(|| format!("could not make {}", dir.display()))?;
        let program = install::nats_server()?;
        let launch = Launch::new("nats", program, state.join("logs/nats.log"))
            .arg("--config")
            .arg(dir.join("nats-server.conf"));
        let mut server = Self { child: None, launch, dir, options, port: 0, _temporary: temporary };
        server.first_start().await?;
        Ok(server)
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::pid)
    }

    /// Starts it again, on the same port and store, and waits until it is ready.
    pub async fn start(&mut self) -> Result<()> {
        if self.child.is_none() {
            self.start_once().await?;
        }
        Ok(())
    }

    /// Lets it flush and close.
    pub async fn stop(&mut self) {
        if let Some(child) = self.child.take() {
            child.stop(self.launch.stop_signal, self.launch.grace).await;
        }
    }

    /// Kills it as a power cut would, except that the kernel still writes its pages.
    pub async fn kill9(&mut self) {
        if let Some(child) = self.child.take() {
            child.kill9().await;
        }
    }

    /// Sends it a signal, if it runs.
    pub fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            child.signal(signal);
        }
    }

    /// Hands the running process to somebody who restarts it.
    pub fn into_parts(self) -> (Launch, Option<Child>) {
        (self.launch, self.child)
    }

    async fn first_start(&mut self) -> Result<()> {
        let mut attempt = 1;
        loop {
            self.port = ports::free_port()?;
            self.write_config()?;
            let result = self.start_once().await;
            let taken = !ports::is_free(Ipv4Addr::LOCALHOST.into(), self.port);
            if result.is_ok() || !taken || attempt == PORT_ATTEMPTS_MAX {
                return result;
            }
            attempt += 1;
        }
    }

    fn write_config(&self) -> Result<()> {
        let mut config = String::new();
        write!(
            config,
            "# Generated at every start; changes are lost.\n\
             server_name: muster\nhost: 127.0.0.1\nport: {}\nmax_payload: {MAX_PAYLOAD_BYTES}\n\
             jetstream {{\n  store_dir: {}\n  max_file_store: {STORE_BYTES_MAX}\n}}\n{}\n",
            self.port,
            // Its strings are quoted as JSON's are.
            serde_json::to_string(&self.dir.join("store"))?,
            self.options.extra_config,
        )?;
        let path = self.dir.join("nats-server.conf");
        fs::write(&path, config).with_context(|| format!("could not write {}", path.display()))
    }

    async fn start_once(&mut self) -> Result<()> {
        let child = self.launch.spawn()?;
        if let Err(error) = self.wait_until_ready(&child).await {
            bail!("nats-server did not start: {error:#}{}", self.launch.last_lines());
        }
        self.child = Some(child);
        Ok(())
    }

    async fn wait_until_ready(&self, child: &Child) -> Result<()> {
        let deadline = Instant::now() + READY_TIMEOUT;
        while !greets(self.port).await {
            if let Some(status) = child.exit_status() {
                bail!("it ended at once ({status})");
            }
            if Instant::now() > deadline {
                bail!("it did not accept a connection within {READY_TIMEOUT:?}");
            }
            sleep(Duration::from_millis(20)).await;
        }
        // A stranger on the port could have greeted in its place.
        match child.exit_status() {
            Some(status) => bail!("it ended at once ({status})"),
            None => Ok(()),
        }
    }
}

/// Whether something on that port introduces itself as a NATS server with `JetStream`. The
/// greeting comes before any authentication, so it works with every configuration.
async fn greets(port: u16) -> bool {
    let greeting = async {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).await.ok()?;
        Some(line.starts_with("INFO ") && line.contains("\"jetstream\":true"))
    };
    // A local server greets within a millisecond; a busy machine gets a second.
    matches!(timeout(Duration::from_secs(1), greeting).await, Ok(Some(true)))
}

/// Whether that program is a server new enough for the bus.
pub(crate) fn is_new_enough(program: &Path) -> bool {
    let output = std::process::Command::new(program).arg("--version").output();
    output.is_ok_and(|output| {
        Version::find(&String::from_utf8_lossy(&output.stdout))
            .is_some_and(|version| version >= NATS_MIN)
    })
}
