//! The order in which `up` starts things: what others need comes first, and each is waited for
//! before the next. Told to the board step by step.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::up::{UpArgs, admin};
use crate::board::Board;
use crate::child::Launch;
use crate::http::Gateway;
use crate::nats::{NatsOptions, NatsServer};
use crate::postgres::{PostgresOptions, PostgresServer};
use crate::run_state::now_ms;
use crate::service::Service;
use crate::stack::{Addresses, SECRET_KEY};
use crate::stack_json::{Pids, StackJson};
use crate::state_dir::StateDir;
use crate::supervisor::Supervisor;
use crate::{ports, wait};

/// Where the dashboard is looked for.
const GATEWAY_PORT: u16 = 3000;
/// How many ports after that are tried before giving up.
const GATEWAY_PORTS_TRIED: u16 = 100;
/// A database from years ago may have many rows to rewrite.
const MIGRATE_TIMEOUT: Duration = Duration::from_secs(600);
const GATEWAY_TIMEOUT: Duration = Duration::from_secs(90);
/// A part that failed this often while we wait for it will not be better the next time.
const RESTARTS_WHILE_STARTING_MAX: u32 = 4;
/// Samples are published every 15 s, and this leaves room for a busy machine.
const FIRST_SAMPLE_TIMEOUT: Duration = Duration::from_secs(60);
/// It reads a file or makes one up.
const HOST_ID_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct Startup<'a> {
    pub(super) state: &'a StateDir,
    pub(super) args: &'a UpArgs,
    pub(super) board: &'a Board,
    pub(super) supervisor: &'a mut Supervisor,
}

impl Startup<'_> {
    pub(super) async fn run(&mut self) -> Result<()> {
        // First, because a taken port should be told before anything was started.
        let listen = self.gateway_address()?;
        let admin = admin(self.state)?;
        let (postgres_url, database_dir) = self.postgres().await?;
        let nats_url = self.nats().await?;
        let agent_dir = self.state.path().join("agent");
        let gateway_listen = listen.to_string();
        let addresses = Addresses {
            nats_url,
            postgres_url,
            gateway_listen,
            admin,
            agent_dir,
            database_dir,
            secret_key_file: self.state.path().join(SECRET_KEY),
        };
        self.migrate(&addresses).await?;
        self.workers(&addresses)?;
        let gateway = self.gateway(&addresses, listen).await?;
        let host_id = if self.args.no_agent { None } else { Some(self.host_id(&addresses).await?) };
        self.publish(&addresses, listen, host_id.clone());
        self.simulation(&addresses)?;
        if let Some(host_id) = host_id {
            self.agent(&addresses, &gateway, &host_id).await?;
        }
        Ok(())
    }

    fn gateway_address(&self) -> Result<SocketAddr> {
        let listen = self.args.listen;
        let port = match self.args.port {
            Some(0) => ports::free_port()?,
            Some(port) => {
                ensure!(
                    ports::is_free(listen, port),
                    "port {port} on {listen} is taken or not allowed: choose another with --port, \
                     or leave --port out to take the next free one"
                );
                port
            }
            None => (GATEWAY_PORT..GATEWAY_PORT + GATEWAY_PORTS_TRIED)
                .find(|port| ports::is_free(listen, *port))
                .with_context(|| format!("no free port from {GATEWAY_PORT} on {listen}"))?,
        };
        Ok(SocketAddr::new(listen, port))
    }

    /// Its address, and where its data are if it is our own.
    async fn postgres(&mut self) -> Result<(String, Option<PathBuf>)> {
        if let Some(url) = &self.args.postgres_url {
            self.board.note("using the PostgreSQL of --postgres-url");
            return Ok((url.clone(), None));
        }
        self.board.doing("starting PostgreSQL");
        let bin_dir = self.args.postgres_bin.clone();
        let options = PostgresOptions { bin_dir, ..PostgresOptions::default() };
        let server = PostgresServer::start_in(self.state.path(), options).await?;
        for note in server.notes() {
            self.board.note(note);
        }
        let address = format!("127.0.0.1:{}", server.port());
        self.board.done(&format!("PostgreSQL {} runs on {address}", server.version()));
        let (url, data_dir) = (server.url(), server.data_dir().map(Path::to_owned));
        let (launch, running) = server.into_parts()?;
        self.board.list(&launch, Some(address));
        self.supervisor.add(launch, running);
        Ok((url, data_dir))
    }

    async fn nats(&mut self) -> Result<String> {
        self.board.doing("starting NATS");
        let server = NatsServer::start_in(self.state.path(), NatsOptions::default()).await?;
        let url = server.url();
        self.board.done(&format!("NATS runs on 127.0.0.1:{}", server.port()));
        let (launch, running) = server.into_parts();
        self.board.list(&launch, Some(url.trim_start_matches("nats://").to_owned()));
        self.supervisor.add(launch, running);
        Ok(url)
    }

    async fn migrate(&self, addresses: &Addresses) -> Result<()> {
        self.board.doing("bringing the database schema up to date");
        let launch = self.launch(Service::IngestWorker, "migrate", addresses)?.arg("migrate");
        launch.run(MIGRATE_TIMEOUT).await?;
        self.board.done("the database schema is up to date");
        Ok(())
    }

    fn workers(&mut self, addresses: &Addresses) -> Result<()> {
        for service in [Service::IngestWorker, Service::AlertWorker] {
            for number in 1..=self.args.workers {
                let part = format!("{}-{number}", service.name());
                self.add(self.launch(service, &part, addresses)?, None);
            }
        }
        Ok(())
    }

    async fn gateway(&mut self, addresses: &Addresses, listen: SocketAddr) -> Result<Gateway> {
        self.board.doing("starting the gateway");
        let launch = self.launch(Service::Gateway, "gateway", addresses)?;
        self.add(launch.clone(), Some(listen.to_string()));
        let gateway = Gateway::new(&url(listen))?;
        let ready = wait::until("the gateway to become ready", GATEWAY_TIMEOUT, async || {
            if let Some(reason) = self.failure("gateway") {
                return Some(Err(anyhow!(reason)));
            }
            gateway.is_ready().await.then_some(Ok(()))
        });
        if let Err(error) = ready.await.and_then(|ready| ready) {
            bail!("the gateway did not start: {error:#}{}", launch.last_lines());
        }
        self.board.done(&format!("the gateway answers on {}", url(listen)));
        Ok(gateway)
    }

    /// Why it is no use to wait for that part any longer.
    fn failure(&self, part: &str) -> Option<String> {
        let restarts = self.board.restarts(part);
        let often = || format!("{part} ended {restarts} times");
        let too_often = (restarts >= RESTARTS_WHILE_STARTING_MAX).then(often);
        self.board.gave_up().or(too_often)
    }

    async fn host_id(&self, addresses: &Addresses) -> Result<String> {
        let launch = self.launch(Service::Agent, "agent", addresses)?.arg("host-id");
        let mut command = Command::from(launch.command());
        let output = timeout(HOST_ID_TIMEOUT, command.kill_on_drop(true).output()).await;
        let output = output.context("`muster-agent host-id` did not answer")??;
        let text = String::from_utf8_lossy(&output.stdout);
        let id = text.lines().last().unwrap_or_default().trim();
        if !output.status.success() || id.is_empty() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("the agent told no host id ({}): {}", output.status, said.trim());
        }
        Ok(id.to_owned())
    }

    fn publish(&self, addresses: &Addresses, listen: SocketAddr, host_id: Option<String>) {
        self.board.publish(StackJson {
            gateway_url: url(listen),
            nats_url: addresses.nats_url.clone(),
            nats_credentials: None,
            postgres_url: addresses.postgres_url.clone(),
            admin: addresses.admin.clone(),
            host_id,
            pids: Pids::default(),
        });
    }

    fn simulation(&mut self, addresses: &Addresses) -> Result<()> {
        if self.args.simulate == 0 {
            return Ok(());
        }
        let launch = self.launch(Service::Agent, "simulation", addresses)?;
        let dir = self.state.path().join("simulation");
        let launch = launch.env(&Service::Agent.env_key("STATE_DIR"), dir);
        let launch = launch.arg("simulate").arg("--hosts").arg(self.args.simulate.to_string());
        self.add(launch, None);
        self.board.note(&format!("simulating {} hosts", self.args.simulate));
        Ok(())
    }

    async fn agent(&mut self, addresses: &Addresses, gateway: &Gateway, host: &str) -> Result<()> {
        self.board.doing("waiting for the first sample of this host");
        let started_at = now_ms();
        let launch = self.launch(Service::Agent, "agent", addresses)?;
        self.add(launch.clone(), None);
        let Some(token) = gateway.login(&addresses.admin).await? else {
            self.board.note(
                "the agent runs; its first sample was not looked for, because the \
                             administrator's password is no longer the first one",
            );
            return Ok(());
        };
        let arrived = wait::until("a sample in the database", FIRST_SAMPLE_TIMEOUT, async || {
            if let Some(reason) = self.failure("agent") {
                return Some(Err(anyhow!(reason)));
            }
            let at = gateway.latest_sample_at(&token, host).await;
            if at.is_none_or(|at| at < started_at) {
                // A query, not a glance: ask less often than the waiting loop does.
                sleep(Duration::from_millis(250)).await;
                return None;
            }
            Some(Ok(()))
        });
        match arrived.await.and_then(|arrived| arrived) {
            Ok(()) => self.board.done(&format!("the first sample of {host} is in the database")),
            Err(error) => self.no_sample(host, &error, &launch),
        }
        Ok(())
    }

    /// The dashboard works without it, so this is said and not a reason to stop everything.
    fn no_sample(&self, host: &str, error: &anyhow::Error, agent: &Launch) {
        let worker = Launch { log: self.state.log("ingest-worker-1"), ..agent.clone() };
        self.board.note(&format!(
            "no sample of {host} arrived: {error:#}{}{}",
            agent.last_lines(),
            worker.last_lines()
        ));
    }

    fn launch(&self, service: Service, part: &str, addresses: &Addresses) -> Result<Launch> {
        service.launch(self.state.path(), part, &addresses.settings(service))
    }

    fn add(&mut self, launch: Launch, address: Option<String>) {
        self.board.list(&launch, address);
        self.supervisor.add(launch, None);
    }
}

/// Where a browser on this machine finds a listener.
fn url(listen: SocketAddr) -> String {
    let reachable = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(reachable, listen.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_shown_is_one_a_browser_can_open() {
        for (listen, expected) in [
            ("127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("0.0.0.0:80", "http://127.0.0.1:80"),
            ("[::]:80", "http://127.0.0.1:80"),
            ("[::1]:80", "http://[::1]:80"),
            ("192.0.2.7:80", "http://192.0.2.7:80"),
        ] {
            assert_eq!(url(listen.parse().unwrap()), expected);
        }
    }
}
