//! Logs go to standard error: text for people, JSON for collectors.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt};

/// `error`, `warn`, `info` (default), `debug`, or a filter per module.
pub const FILTER_VARIABLE: &str = "MUSTER_LOG";

/// `text` (default) or `json`.
pub const FORMAT_VARIABLE: &str = "MUSTER_LOG_FORMAT";

/// Starts logging for the whole process. A filter that cannot be read is said and replaced by
/// the default: nothing is worse than a silent log.
pub fn start() {
    let wanted = std::env::var(FILTER_VARIABLE).unwrap_or_default();
    let default = "info,async_nats=warn";
    let (filter, complaint) = match wanted.as_str() {
        "" => (EnvFilter::new(default), None),
        text => match EnvFilter::try_new(text) {
            Ok(filter) => (filter, None),
            Err(error) => (EnvFilter::new(default), Some(error)),
        },
    };
    let lines = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if std::env::var(FORMAT_VARIABLE).is_ok_and(|format| format == "json") {
        lines.json().flatten_event(true).init();
    } else {
        lines.with_target(false).init();
    }
    if let Some(error) = complaint {
        tracing::warn!("{FILTER_VARIABLE}={wanted:?} is not a filter ({error}); using {default}");
    }
}
