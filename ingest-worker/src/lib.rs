//! The ingest worker: bus -> database. Any number of them share the load.

pub mod commands;
pub mod config;
pub mod io;
pub mod logic;
pub mod service;
