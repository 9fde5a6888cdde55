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
    set_session(&mut options, SESSION);
    Ok(options)
}

/// Puts settings before those that are there: of two with the same name the later one holds, and an
/// operator's word in the URL is the last.
fn set_session(options: &mut tokio_postgres::Config, ours: &str) {
    let joined = match options.get_options() {
        Some(theirs) => format!("{ours} {theirs}"),
        None => ours.to_owned(),
    };
    options.options(joined);
}

/// A pool of at most `size` connections. Nothing is connected until the first use.
pub fn pool(url: &str, application: &str, size: usize) -> Result<Pool> {
    pool_of(options(url, application)?, size)
}

/// The same, whose statements the server gives up after `statement_max`, whether anybody still
/// waits for them or not.
pub fn bounded_pool(
    url: &str,
    application: &str,
    size: usize,
    statement_max: Duration,
) -> Result<Pool> {
    let mut options = options(url, application)?;
    set_session(&mut options, &format!("-c statement_timeout={}ms", statement_max.as_millis()));
    pool_of(options, size)
}

fn pool_of(options: tokio_postgres::Config, size: usize) -> Result<Pool> {
    let manager = Manager::from_config(
        options,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_url_sets_for_its_sessions_is_added_to_ours_and_wins() {
        let theirs = "-c idle_in_transaction_session_timeout=5s -c work_mem=64MB";
        let url = format!("host=db user=muster options='{theirs}'");
        let mut set = options(&url, "test").unwrap();
        assert_eq!(set.get_options(), Some(format!("{SESSION} {theirs}").as_str()));
        set_session(&mut set, "-c statement_timeout=1ms");
        let all = format!("-c statement_timeout=1ms {SESSION} {theirs}");
        assert_eq!(set.get_options(), Some(all.as_str()));
        let plain = options("postgres://muster@db/muster", "test").unwrap();
        assert_eq!(plain.get_options(), Some(SESSION));
    }
}
