//! The ends of a process: the signals that ask for one, and the code it leaves with.

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::config::ConfigError;

/// `EX_USAGE` of sysexits.h, for a configuration that has to be corrected: a supervisor need not
/// try again.
pub const EXIT_BAD_CONFIGURATION: u8 = 64;

/// A token that is cancelled by SIGTERM or SIGINT. Stopping is a state: whoever asks late still
/// hears it.
pub fn stop_on_signal() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let told = stop.clone();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => info!("stopping: SIGTERM"),
            _ = interrupt.recv() => info!("stopping: SIGINT"),
        }
        told.cancel();
    });
    Ok(stop)
}

/// Says once what went wrong, with the whole chain of causes, and with which code to end.
pub fn exit_code(outcome: &anyhow::Result<()>) -> ExitCode {
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    if let Some(bad) = failure.downcast_ref::<ConfigError>() {
        // One line, on its own: it is what a person has to act on.
        eprintln!("{bad}");
        return ExitCode::from(EXIT_BAD_CONFIGURATION);
    }
    error!("{failure:#}");
    ExitCode::FAILURE
}
