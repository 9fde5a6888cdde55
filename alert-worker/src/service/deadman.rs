//! The dead-man's switch: requests an address as long as this worker hears the bus and the database
//! commits, so that somebody else notices when that ends. A request that fails is not made again
//! before its time: whoever waits for it allows for one that is missing.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use async_nats::jetstream::Context;
use deadpool_postgres::Pool;
use muster_nats::ConsumerName;
use muster_nats::backlog::backlog;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::BACKLOG_TIMEOUT;
use crate::io::deadman;
use crate::io::notify::http::Http;
use crate::io::notify::tls::Roots;

/// How often to see whether it is time: a sixth of the shortest interval.
const LOOK_EVERY: Duration = Duration::from_secs(5);

pub(super) async fn run(
    pool: Pool,
    bus: Context,
    certificates: Option<impl AsRef<Path>>,
    stop: CancellationToken,
) -> Result<()> {
    let roots = match certificates {
        Some(path) => Roots::read(path.as_ref())?,
        None => Roots::default(),
    };
    let http = Http::new(&roots)?;
    let (mut is_failing, mut is_silent) = (false, false);
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => {}
            outcome = look(&pool, &bus, &http) => match outcome {
                Ok(None) => is_silent = false,
                Ok(Some(failure)) => {
                    if failure.is_some() && !is_failing {
                        info!("the address of the dead-man's switch was not reached");
                    }
                    is_failing = failure.is_some();
                    is_silent = false;
                }
                Err(error) => {
                    if !is_silent {
                        warn!("the dead-man's switch stays silent: {error:#}");
                    }
                    is_silent = true;
                }
            },
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(LOOK_EVERY) => {}
        }
    }
    Ok(())
}

/// `None` where it is not time; else why the request has failed, if it has.
async fn look(pool: &Pool, bus: &Context, http: &Http) -> Result<Option<Option<String>>> {
    if !deadman::is_set(pool).await? {
        return Ok(None);
    }
    let heard = timeout(BACKLOG_TIMEOUT, backlog(bus, ConsumerName::AlertSignals)).await;
    heard.context("no answer from the bus").flatten()?;
    let Some(url) = deadman::take_turn(pool).await? else { return Ok(None) };
    let failure = http.get(&url).await.err().map(|failure| failure.reason().to_owned());
    deadman::record(pool, &url, failure.as_deref()).await?;
    Ok(Some(failure))
}
