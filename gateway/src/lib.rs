//! What browsers and other clients talk to: the database and the bus in, HTTP and WebSocket out.
//!
//! `logic` decides, `io` converts and moves bytes, `service` starts and stops it all.

pub mod config;
mod io;
pub mod logic;
pub mod service;

pub use config::Config;
