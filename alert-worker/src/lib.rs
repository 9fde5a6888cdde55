//! Who is there and who is not, and what hosts suspect: from signals to decisions.
//!
//! `logic` decides, `io` hears and writes, `service` carries values between them.

pub mod config;
mod io;
pub mod logic;
pub mod notify;
pub mod service;

pub use config::Config;
