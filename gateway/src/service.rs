//! Starts the parts in order, and stops them in order.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use async_nats::connection::State;
use async_nats::jetstream;
use axum::Router;
use deadpool_postgres::Pool;
use muster_alerts::channel::SealKey;
use muster_nats::BusOptions;
use muster_nats::publish::ACK_TIMEOUT;
use muster_runtime::database::{self, wait_for_schema};
use muster_runtime::health::{self, Health};
use muster_runtime::secret_key;
use rand::seq::IndexedRandom;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::config::Config;
use crate::io::from_agents::{answer_agents, tell_agents};
use crate::io::from_bus::Hub;
use crate::io::from_disk::free_in;
use crate::io::from_postgres::{STATEMENT_MAX, accounts, is_there};
use crate::io::http::{self, BACKTESTS_AT_ONCE, Gateway};
use crate::io::kept::Kept;
use crate::io::passwords::Passwords;
use crate::io::tokens::{Tokens, random_secret};
use crate::io::watch::Watch;
use crate::logic::attempts::Attempts;

/// How long requests and sockets may take to end: a supervisor kills after ten.
const DRAIN: Duration = Duration::from_secs(5);

/// How often the database and the bus are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// About 117 bits from letters that are not mistaken for one another.
const PASSWORD_CHARS: usize = 20;
const PASSWORD_LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Readiness, how the database is, and counting what it holds.
const CONNECTIONS_OF_LOOKS: usize = 3;

const BUS: &str = "bus";
const DATABASE: &str = "database";

pub async fn run(config: Config, stop: CancellationToken) -> Result<()> {
    let health = Health::start(&[BUS, DATABASE])?;
    let listener = health::bind(&config.listen).await?;
    let address = listener.local_addr()?;
    info!(%address, "listening on http://{address}");

    let pool = connections(&config, config.postgres_connections)?;
    // Whether the database is well is not judged by how many requests wait for it.
    let looks = connections(&config, CONNECTIONS_OF_LOOKS)?;
    let bus = connect(&config).await?;
    let Some(listener) = wait_for_database(&pool, listener, &health, &stop).await? else {
        return Ok(());
    };
    let looking = tokio::spawn(look(looks.clone(), bus.clone(), health.clone(), stop.clone()));
    let answering = tokio::spawn(answer_agents(bus.clone(), pool.clone(), stop.clone()));
    let telling = tokio::spawn(tell_agents(bus.clone(), looks.clone(), stop.clone()));
    let gateway = prepare(&config, pool, bus, &stop).await?;
    let watching = gateway.watch.clone().keep_looking(looks, gateway.letters.clone());
    let watching = tokio::spawn(watching);
    let router = http::router(gateway.clone(), health.router());
    let server = serve(listener, router, stop.clone());
    info!("ready");
    let ended = drain(server, &gateway, &stop).await;
    looking.abort();
    answering.abort();
    telling.abort();
    watching.abort();
    ended
}

fn connections(config: &Config, size: usize) -> Result<Pool> {
    database::bounded_pool(&config.postgres_url, "muster-gateway", size, STATEMENT_MAX)
}

async fn connect(config: &Config) -> Result<async_nats::Client> {
    muster_nats::connect(BusOptions {
        url: config.nats_url.clone(),
        credentials: config.nats_credentials.clone(),
        name: "muster-gateway".into(),
        inbox_prefix: None,
        connected: None,
    })
    .await
}

/// Answers health checks while it waits for the schema; gives the listener back, or nothing where
/// it was told to stop.
async fn wait_for_database(
    pool: &Pool,
    listener: TcpListener,
    health: &Health,
    stop: &CancellationToken,
) -> Result<Option<TcpListener>> {
    let listener = listener.into_std().context("cannot share the listener")?;
    let shared = listener.try_clone().context("cannot share the listener")?;
    let ready = stop.child_token();
    let waiting = http::waiting_router(health.router());
    let server = serve(TcpListener::from_std(shared)?, waiting, ready.clone());
    let outcome = tokio::select! {
        () = stop.cancelled() => None,
        outcome = wait_for_schema(pool) => Some(outcome),
    };
    ready.cancel();
    // A connection that is kept open must not keep the start waiting.
    let _ = timeout(Duration::from_millis(200), server).await;
    match outcome {
        Some(outcome) => outcome.and_then(|()| Ok(Some(TcpListener::from_std(listener)?))),
        None => Ok(None),
    }
}

async fn prepare(
    config: &Config,
    pool: Pool,
    bus: async_nats::Client,
    stop: &CancellationToken,
) -> Result<Arc<Gateway>> {
    if let Some(directory) = &config.database_directory
        && let Err(error) = free_in(directory)
    {
        let directory = directory.display();
        warn!(%error, "cannot tell how much room is left in {directory}, the database's directory");
    }
    let passwords = Passwords::new().await?;
    make_administrator(config, &pool, &passwords).await?;
    let key = accounts::shared_secret(&pool, "access_token_key", &random_secret()).await?;
    Ok(Arc::new(Gateway {
        pool,
        database_directory: config.database_directory.clone(),
        hub: Hub::new(bus.clone()),
        letters: letters(bus.clone()),
        watch: Watch::default(),
        sizes: Kept::default(),
        host_sizes: Kept::default(),
        bus,
        passwords,
        tokens: Tokens::new(&key),
        attempts: Mutex::new(Attempts::default()),
        seal_key: seal_key(config)?,
        backtests: Semaphore::new(BACKTESTS_AT_ONCE),
        sockets: TaskTracker::new(),
        background: TaskTracker::new(),
        stop: stop.clone(),
    }))
}

/// What secrets of channels are sealed with; `None` where nobody has said where the key is.
fn seal_key(config: &Config) -> Result<Option<SealKey>> {
    let digits = secret_key::of(config.secret_key_file.as_deref())?;
    Ok(digits.as_deref().and_then(SealKey::from_hex))
}

/// A broker that is away must not hold a request until its client gives up.
fn letters(bus: async_nats::Client) -> jetstream::Context {
    let mut context = jetstream::new(bus);
    context.set_timeout(ACK_TIMEOUT);
    context
}

/// At the first start of all there is nobody who could sign in.
async fn make_administrator(config: &Config, pool: &Pool, passwords: &Passwords) -> Result<()> {
    if accounts::has_users(pool).await? {
        return Ok(());
    }
    let username = config.admin_username.trim();
    let made_up = config.admin_password.is_none();
    let password = config.admin_password.clone().unwrap_or_else(random_password);
    let hash = passwords.hash(password.clone()).await?;
    if !accounts::make_first_user(pool, username, &hash).await? {
        return Ok(());
    }
    info!(username, "made the administrator");
    if made_up {
        // To standard output and not to the log: it is shown once and kept nowhere.
        println!("The administrator of this installation, shown only this once:");
        println!("    username: {username}    password: {password}");
    }
    Ok(())
}

fn random_password() -> String {
    let mut random = rand::rng();
    let letter = |_| PASSWORD_LETTERS.choose(&mut random).copied().map_or('x', char::from);
    (0..PASSWORD_CHARS).map(letter).collect()
}

fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> JoinHandle<std::io::Result<()>> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned());
    tokio::spawn(async move { server.await })
}

/// Readiness is what the last look found.
async fn look(pool: Pool, bus: async_nats::Client, health: Health, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let database = timeout(LOOK_EVERY, is_there(&pool)).await;
        health.set(DATABASE, matches!(database, Ok(Ok(()))));
        health.set(BUS, bus.connection_state() == State::Connected);
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(LOOK_EVERY) => {}
        }
    }
}

/// Once told to stop: no new connections, sockets closed with a word, feeds ended, and all of it
/// within the grace period.
async fn drain(
    mut server: JoinHandle<std::io::Result<()>>,
    gateway: &Gateway,
    stop: &CancellationToken,
) -> Result<()> {
    tokio::select! {
        // The server hears of it too, and may have ended by now.
        biased;
        () = stop.cancelled() => {}
        ended = &mut server => {
            return ended.context("the server failed")?.context("the HTTP listener failed");
        }
    }
    gateway.sockets.close();
    gateway.background.close();
    let drained = async {
        gateway.sockets.wait().await;
        gateway.background.wait().await;
        gateway.hub.close().await;
        server.await
    };
    if timeout(DRAIN, drained).await.is_err() {
        warn!("some connections did not end in time");
    }
    info!("stopped");
    Ok(())
}
