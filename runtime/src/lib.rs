//! What every process does: read its configuration, log, stop when told to.
//!
//! Behind features, so that the agent stays lean: the health and metrics endpoint (`http`), the
//! database pool and migrations (`database`).

pub mod config;
#[cfg(feature = "database")]
pub mod database;
#[cfg(feature = "http")]
pub mod health;
pub mod logging;
#[cfg(feature = "database")]
pub mod meter;
#[cfg(feature = "database")]
pub mod migrate;
pub mod process;
pub mod secret_key;
#[cfg(feature = "database")]
pub mod storage;
pub mod time;
#[cfg(feature = "database")]
pub mod workers;

pub use config::{Config, ConfigError};
pub use process::{exit_code, stop_on_signal};
pub use time::now_ms;
