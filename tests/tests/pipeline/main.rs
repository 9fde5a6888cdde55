//! Pipeline tests: real bus, real database, real services. Each test has its own of everything.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod agent;
mod agent_data;
mod alert_api;
mod alert_backtest;
mod alert_channels;
mod alert_tickets;
mod alerts;
mod bad_input;
mod chaos;
mod configuration;
mod copying;
mod dead_letters;
mod deadman;
mod desk;
mod fresh;
mod gateway;
mod held;
mod hold;
mod hook;
mod kills;
mod log_search;
mod migrations;
mod old_ranges;
mod once;
mod partitions;
mod paused;
mod poison;
mod presence;
mod repair;
mod replay;
mod restore;
mod retention;
mod rollup_lasting;
mod rollup_oracle;
mod rollup_queries;
mod rollups;
mod settings;
mod setup;
mod statements;
mod telling;
mod wrong_clock;
