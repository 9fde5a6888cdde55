//! What the worker touches, a file for each other end.

pub mod copy;
pub mod from_bus;
pub mod ledger;
pub mod partitions;
pub mod to_postgres;
pub mod write;
