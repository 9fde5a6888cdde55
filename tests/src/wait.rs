//! Waiting for a condition with a deadline; what was missing is said when it passes.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Long enough for a debug build on two busy cores: a test that waits this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// How often to look again.
const PAUSE: Duration = Duration::from_millis(50);

/// Asks until the answer is `Ok`; panics with the last `Err` when the patience is at its end.
pub async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(missing) if Instant::now() >= deadline => {
                panic!("waited {PATIENCE:?} until {what}: {missing}")
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// As [`eventually`], for those who say themselves how long, and what a failure means.
pub async fn within<T>(
    patience: Duration,
    what: &str,
    ask: impl AsyncFn() -> Result<T, String>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(missing) if Instant::now() >= deadline => {
                anyhow::bail!("waited {patience:?} until {what}: {missing}")
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

#[allow(clippy::needless_pass_by_value, reason = "values made in place read best here")]
/// `Ok` if the two are equal, else what was found.
pub fn expect<T: PartialEq + std::fmt::Debug>(found: T, wanted: T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("found {found:?}, not {wanted:?}")) }
}
