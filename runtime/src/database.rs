//! The database pool, and waiting for a schema this binary knows.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Timeouts};
use muster_schemas::sql::MIGRATIONS;
use tokio::time::sleep;
use tokio_postgres::NoTls;
use tracing::{info, warn};

use crate::config::Problem;

/// How long to wait for a connection of the pool, or for a new one to be made.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// A database that does not answer on the wire for this long is given up: the connection is
/// dropped and the work done again on another.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(30);

/// A database whose machine vanished while it worked on an answer is noticed in half a minute; the
/// system's own two hours would stop a worker that long.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;

/// The same from the other side: a worker whose machine vanished in a transaction must not hold
/// its locks for longer. Compiling a statement takes longer here than running it.
const SESSION: &str = "-c tcp_keepalives_idle=15 -c tcp_keepalives_interval=5 \
                       -c tcp_keepalives_count=3 -c idle_in_transaction_session_timeout=60s \
                       -c jit=off";

/// How often to look whether the schema has been migrated.
const SCHEMA_POLL: Duration = Duration::from_millis(500);

/// Fails unless `url` can be parsed.
pub fn check_url(url: &str) -> Result<(), Problem> {
    if !url.is_empty() && url.parse::<tokio_postgres::Config>().is_ok() {
        return Ok(());
    }
    Err(Problem::new("postgres_url", "postgres://user:password@host:port/database"))
}

/// Parses a connection URL or string and names the connection after the service.
pub fn options(url: &str, application: &str) -> Result<tokio_postgres::Config> {
    let mut options: tokio_postgres::Config =
        url.parse().context("the database URL cannot be read")?;
    options.application_name(application);
    options.connect_timeout(WAIT_MAX);
    options.tcp_user_timeout(TCP_USER_TIMEOUT);
    options.keepalives_idle(KEEPALIVE_IDLE);
    options.keepalives_interval(KEEPALIVE_INTERVAL);
    options.keepalives_retries(KEEPALIVE_RETRIES);
    if options.get_options().is_none() {
        options.options(SESSION);
    }
    Ok(options)
}

/// A pool of at most `size` connections. Nothing is connected until the first use.
pub fn pool(url: &str, application: &str, size: usize) -> Result<Pool> {
    let manager = Manager::from_config(
        options(url, application)?,
        NoTls,
        ManagerConfig { recycling_method: RecyclingMethod::Fast },
    );
    let timeouts =
        Timeouts { wait: Some(WAIT_MAX), create: Some(WAIT_MAX), recycle: Some(WAIT_MAX) };
    Pool::builder(manager)
        .max_size(size)
        .timeouts(timeouts)
        .runtime(deadpool_postgres::Runtime::Tokio1)
        .build()
        .context("cannot make the database pool")
}

/// Returns once the schema is the one this binary was built for; refuses a newer one.
pub async fn wait_for_schema(pool: &Pool) -> Result<()> {
    let wanted = MIGRATIONS.len() as i32;
    let mut said = false;
    loop {
        match schema_version(pool).await {
            Ok(version) if version == wanted => return Ok(()),
            Ok(version) if version > wanted => bail!(
                "the database schema is version {version}, newer than the {wanted} this binary \
                 knows: upgrade the binary"
            ),
            Ok(version) if !said => {
                info!(version, wanted, "waiting for the schema: run muster-ingest-worker migrate");
                said = true;
            }
            Err(error) if !said => {
                warn!("waiting for the database: {error:#}");
                said = true;
            }
            _ => {}
        }
        sleep(SCHEMA_POLL).await;
    }
}

/// 0 where nothing was migrated yet.
async fn schema_version(pool: &Pool) -> Result<i32> {
    let client = pool.get().await.context("no connection to the database")?;
    let known = "SELECT to_regclass('muster_migrations') IS NOT NULL";
    if !client.query_one(known, &[]).await?.get::<_, bool>(0) {
        return Ok(0);
    }
    let newest = "SELECT coalesce(max(version), 0) FROM muster_migrations";
    Ok(client.query_one(newest, &[]).await?.get(0))
}
