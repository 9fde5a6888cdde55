//! Pipeline tests: real bus, real database, real services. Each test has its own of everything.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod agent;
mod agent_data;
mod bad_input;
mod configuration;
mod gateway;
mod kills;
mod migrations;
mod once;
mod presence;
mod replay;
mod settings;
mod setup;
