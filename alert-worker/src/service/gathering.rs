//! Gathers pages into notifications as soon as they are complete, and makes the default rules of a
//! new installation.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use deadpool_postgres::Pool;
use muster_alerts::notification::GATHER_QUIET_MS;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::io::notices::Links;
use crate::io::{known, pages};

/// How often to look for pages that another worker has left behind.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Between two looks at the least: in a storm each commit brings pages, and none of them is due
/// before [`GATHER_QUIET_MS`].
const PAUSE: Duration = Duration::from_millis(50);

const _: () = assert!(PAUSE.as_millis() < GATHER_QUIET_MS.unsigned_abs() as u128);

/// Gathers until told to stop; `news` says that there may be pages, `sends` is told of
/// notifications.
pub(super) async fn gather(
    pool: Pool,
    links: Links,
    news: Arc<Notify>,
    sends: Arc<Notify>,
    stop: CancellationToken,
) -> Result<()> {
    let mut is_away = false;
    while !stop.is_cancelled() {
        let mut wait = LOOK_EVERY;
        match pages::gather_due(&pool, &links).await {
            Ok(outcome) => {
                is_away = false;
                if outcome.notifications > 0 {
                    sends.notify_one();
                }
                let next = outcome.next_in_ms.map(|ms| Duration::from_millis(ms.unsigned_abs()));
                wait = next.unwrap_or(LOOK_EVERY).clamp(PAUSE, LOOK_EVERY);
            }
            Err(error) if !is_away => {
                is_away = true;
                warn!("pages wait in the database: {error:#}");
            }
            Err(_) => {}
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(wait) => {}
            () = async { sleep(PAUSE).await; news.notified().await } => {}
        }
    }
    Ok(())
}

/// Until it has succeeded once, or told to stop.
pub(super) async fn make_default_rules(pool: Pool, stop: CancellationToken) -> Result<()> {
    while !stop.is_cancelled() {
        match known::make_default_rules(&pool).await {
            Ok(0) => return Ok(()),
            Ok(count) => {
                info!("made {count} default rules");
                return Ok(());
            }
            Err(error) => warn!("the default rules wait: {error:#}"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(LOOK_EVERY) => {}
        }
    }
    Ok(())
}
