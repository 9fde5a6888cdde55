//! What the worker touches, a file for each other end.

pub mod copy;
pub mod from_bus;
pub mod history;
pub mod ledger;
pub mod partitions;
pub mod repair;
pub mod retention;
pub mod rollup_marks;
pub mod rollups;
pub mod to_postgres;
pub mod transfer;
pub mod write;
