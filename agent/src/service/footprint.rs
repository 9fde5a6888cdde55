//! Keeps the agent small: code that only its start needed, or a burst of lines, does not stay.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::io::own_pages::let_go_of_code;

/// By then almost all that runs once has run.
const AFTER_START: Duration = Duration::from_secs(20);

/// What comes back costs a millisecond.
const EVERY: Duration = Duration::from_secs(600);

/// Until told to stop.
pub(super) async fn run(stop: CancellationToken) {
    let mut pause = AFTER_START;
    loop {
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => return,
        }
        match let_go_of_code() {
            Ok(bytes) => debug!(bytes, "let go of code that is not in use"),
            Err(error) => debug!("could not let go of code that is not in use: {error}"),
        }
        pause = EVERY;
    }
}
