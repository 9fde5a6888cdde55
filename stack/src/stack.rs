//! A whole stack for tests and benches: a real bus, a real database and any of the services, in a
//! temporary directory. Nothing is restarted here, so that a test decides what dies when; `up`
//! has the supervisor for that.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::http::Gateway;
use crate::nats::{NatsOptions, NatsServer};
use crate::postgres::{PostgresOptions, PostgresServer};
use crate::service::{Service, ServiceProcess};
use crate::stack_json::Admin;
use crate::{ports, secret, temporary_dir, wait};

/// A debug build on a busy machine migrates and starts within a few seconds.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// The migrations of an empty database.
const MIGRATE_TIMEOUT: Duration = Duration::from_secs(120);

/// Which parts to start. The bus and the database always are.
#[derive(Clone, Debug)]
pub struct StackOptions {
    pub nats: NatsOptions,
    pub postgres: PostgresOptions,
    /// Apply the migrations before the services start.
    pub migrate: bool,
    pub ingest_workers: usize,
    pub alert_workers: usize,
    pub gateway: bool,
    pub agent: bool,
    pub simulated_hosts: usize,
    /// Environment variables for every service, such as `MUSTER_AGENT_SAMPLE_INTERVAL`.
    pub env: Vec<(String, String)>,
}

impl Default for StackOptions {
    /// The bus and a migrated database that trades durability for speed.
    fn default() -> Self {
        Self {
            nats: NatsOptions::default(),
            postgres: PostgresOptions { durable: false, ..PostgresOptions::default() },
            migrate: true,
            ingest_workers: 0,
            alert_workers: 0,
            gateway: false,
            agent: false,
            simulated_hosts: 0,
            env: Vec::new(),
        }
    }
}

impl StackOptions {
    /// Every part once.
    pub fn all() -> Self {
        Self { ingest_workers: 1, alert_workers: 1, gateway: true, agent: true, ..Self::default() }
    }

    #[must_use]
    pub fn env(mut self, key: &str, value: impl Into<String>) -> Self {
        self.env.push((key.to_owned(), value.into()));
        self
    }
}

/// The running parts. Services are named `ingest-worker-1`, `alert-worker-1`, `gateway`, `agent`,
/// `simulation`; the servers `nats` and `postgres`. Dropping it ends them all.
pub struct Stack {
    /// In the order of their start; dropped before the servers they use.
    services: Vec<(String, ServiceProcess)>,
    pub nats: NatsServer,
    pub postgres: PostgresServer,
    gateway_url: String,
    admin: Admin,
    dir: TempDir,
}

impl Stack {
    pub async fn start(options: StackOptions) -> Result<Self> {
        let dir = temporary_dir()?;
        let nats = NatsServer::start_in(dir.path(), options.nats.clone()).await?;
        let postgres = PostgresServer::start_for_test(dir.path(), options.postgres.clone()).await?;
        let gateway_url = format!("http://127.0.0.1:{}", ports::free_port()?);
        let admin = Admin { username: "admin".into(), password: secret::password() };
        let mut stack = Self { services: Vec::new(), nats, postgres, gateway_url, admin, dir };
        if options.migrate {
            stack.migrate(&options).await?;
        }
        for name in part_names(&options) {
            stack.add(&name, &options)?;
        }
        if options.gateway {
            stack.wait_until_ready().await?;
        }
        Ok(stack)
    }

    pub fn nats_url(&self) -> String {
        self.nats.url()
    }

    pub fn postgres_url(&self) -> String {
        self.postgres.url()
    }

    pub fn gateway_url(&self) -> &str {
        &self.gateway_url
    }

    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// The state directory, with `logs/` in it.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A service, to ask for its pid or to wait for its end.
    pub fn service(&mut self, part: &str) -> Result<&mut ServiceProcess> {
        let found = self.services.iter_mut().find(|(name, _)| name == part);
        found.map(|(_, service)| service).with_context(|| format!("there is no part {part:?}"))
    }

    pub fn pid(&mut self, part: &str) -> Result<Option<u32>> {
        Ok(match part {
            "nats" => self.nats.pid(),
            "postgres" => self.postgres.pid(),
            service => self.service(service)?.pid(),
        })
    }

    /// Kills a part without warning and waits until it is gone.
    pub async fn kill9(&mut self, part: &str) -> Result<()> {
        match part {
            "nats" => self.nats.kill9().await,
            "postgres" => self.postgres.kill9().await?,
            service => self.service(service)?.kill9().await,
        }
        Ok(())
    }

    /// Asks a part to drain and end.
    pub async fn stop(&mut self, part: &str) -> Result<()> {
        match part {
            "nats" => self.nats.stop().await,
            "postgres" => self.postgres.stop().await,
            service => drop(self.service(service)?.stop().await),
        }
        Ok(())
    }

    /// Starts a part again that was killed or stopped; a server is ready when this returns.
    pub async fn restart(&mut self, part: &str) -> Result<()> {
        match part {
            "nats" => self.nats.start().await,
            "postgres" => self.postgres.start().await,
            service => self.service(service)?.restart(),
        }
    }

    /// Stops a part where it stands: its connections stay open, and nobody answers.
    pub fn pause(&mut self, part: &str) -> Result<()> {
        self.signal(part, Signal::SIGSTOP)
    }

    /// Lets a paused part go on.
    pub fn resume(&mut self, part: &str) -> Result<()> {
        self.signal(part, Signal::SIGCONT)
    }

    fn signal(&mut self, part: &str, signal: Signal) -> Result<()> {
        match part {
            "nats" => self.nats.signal(signal),
            "postgres" => self.postgres.signal(signal),
            service => self.service(service)?.signal(signal),
        }
        Ok(())
    }

    /// Waits until the gateway answers that it is ready.
    pub async fn wait_until_ready(&mut self) -> Result<()> {
        let gateway = Gateway::new(&self.gateway_url)?;
        let what = "the gateway to become ready";
        let ready =
            wait::until(what, READY_TIMEOUT, async || gateway.is_ready().await.then_some(()));
        let ready = ready.await;
        let log = self.service("gateway")?.launch().last_lines();
        ready.map_err(|error| anyhow!("the stack did not start: {error:#}{log}"))
    }

    /// Stops everything in order: those who produce first, the servers last.
    pub async fn shutdown(mut self) {
        while let Some((_, mut service)) = self.services.pop() {
            service.stop().await;
        }
        self.nats.stop().await;
        self.postgres.stop().await;
    }

    /// Runs one of a service's commands to its end, such as `migrate` of the ingest worker.
    pub async fn run(&self, service: Service, arguments: &[&str]) -> Result<()> {
        let mut launch = self.launch("command", service, &StackOptions::default())?;
        for argument in arguments {
            launch = launch.arg(argument);
        }
        launch.run(MIGRATE_TIMEOUT).await
    }

    async fn migrate(&self, options: &StackOptions) -> Result<()> {
        let launch = self.launch("migrate", Service::IngestWorker, options)?.arg("migrate");
        launch.run(MIGRATE_TIMEOUT).await
    }

    /// Starts one more part, such as `ingest-worker-3`.
    pub fn add(&mut self, part: &str, options: &StackOptions) -> Result<()> {
        let launch = match crate::stack_json::kind(part) {
            "ingest-worker" => self.launch(part, Service::IngestWorker, options)?,
            "alert-worker" => self.launch(part, Service::AlertWorker, options)?,
            "gateway" => self.launch(part, Service::Gateway, options)?,
            "agent" => self.launch(part, Service::Agent, options)?,
            "simulation" => self
                .launch(part, Service::Agent, options)?
                .arg("simulate")
                .arg("--hosts")
                .arg(options.simulated_hosts.to_string()),
            _ => bail!("there is no such part as {part:?}"),
        };
        self.services.push((part.to_owned(), ServiceProcess::start(launch)?));
        Ok(())
    }

    fn launch(
        &self,
        part: &str,
        service: Service,
        options: &StackOptions,
    ) -> Result<crate::Launch> {
        let addresses = Addresses {
            nats_url: self.nats_url(),
            postgres_url: self.postgres_url(),
            gateway_listen: self.gateway_url.trim_start_matches("http://").to_owned(),
            admin: self.admin.clone(),
            agent_dir: self.dir().join(part),
            database_dir: self.postgres.data_dir().map(Path::to_owned),
            secret_key_file: self.dir().join(SECRET_KEY),
        };
        let mut launch = service.launch(self.dir(), part, &addresses.settings(service))?;
        for (key, value) in &options.env {
            launch = launch.env(key, value);
        }
        Ok(launch)
    }
}

fn part_names(options: &StackOptions) -> Vec<String> {
    let mut names = Vec::new();
    names.extend((1..=options.ingest_workers).map(|n| format!("ingest-worker-{n}")));
    names.extend((1..=options.alert_workers).map(|n| format!("alert-worker-{n}")));
    names.extend(options.gateway.then(|| "gateway".to_owned()));
    names.extend(options.agent.then(|| "agent".to_owned()));
    names.extend((options.simulated_hosts > 0).then(|| "simulation".to_owned()));
    names
}

/// What the services must know of one another's whereabouts.
pub struct Addresses {
    pub nats_url: String,
    pub postgres_url: String,
    pub gateway_listen: String,
    pub admin: Admin,
    /// Where this agent keeps its journal.
    pub agent_dir: PathBuf,
    /// Where the database keeps its data, if it is our own.
    pub database_dir: Option<PathBuf>,
    /// The key of secrets that are stored, which gateways and alert workers share.
    pub secret_key_file: PathBuf,
}

/// What that file is called in the state directory.
pub const SECRET_KEY: &str = "secret.key";

impl Addresses {
    /// The settings of a service, see `Service::env_key`.
    pub fn settings(&self, service: Service) -> Vec<(&'static str, String)> {
        let mut settings = vec![("NATS_URL", self.nats_url.clone())];
        match service {
            Service::Agent => {
                settings.push(("STATE_DIR", self.agent_dir.to_string_lossy().into_owned()));
            }
            Service::IngestWorker | Service::AlertWorker => {
                settings.push(("POSTGRES_URL", self.postgres_url.clone()));
                settings.push(("LISTEN", "127.0.0.1:0".to_owned()));
                if service == Service::AlertWorker {
                    settings.push(self.secret_key());
                }
            }
            Service::Gateway => {
                settings.push(("POSTGRES_URL", self.postgres_url.clone()));
                settings.push(("LISTEN", self.gateway_listen.clone()));
                settings.push(("ADMIN_USERNAME", self.admin.username.clone()));
                settings.push(("ADMIN_PASSWORD", self.admin.password.clone()));
                settings.push(self.secret_key());
                if let Some(dir) = &self.database_dir {
                    settings.push(("DATABASE_DIRECTORY", dir.to_string_lossy().into_owned()));
                }
            }
        }
        settings
    }

    fn secret_key(&self) -> (&'static str, String) {
        ("SECRET_KEY_FILE", self.secret_key_file.to_string_lossy().into_owned())
    }
}
