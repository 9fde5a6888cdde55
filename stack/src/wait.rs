//! Waiting for a condition with a deadline, and saying what was missing when it passed. Instead of
//! sleeping for a guessed time, which is both too long and too short.

use std::fmt::Display;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

/// Often enough that nobody notices the wait, seldom enough that it costs nothing.
const PAUSE: Duration = Duration::from_millis(25);

/// Asks `condition` until it answers with something. `what` completes "waited 5s for ...".
pub async fn until<T, F>(what: impl Display, limit: Duration, mut condition: F) -> Result<T>
where
    F: AsyncFnMut() -> Option<T>,
{
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = condition().await {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            bail!("waited {limit:?} for {what}");
        }
        sleep(PAUSE).await;
    }
}
