//! Decisions. No IO, no clock: time is an argument.

pub mod attempts;
pub mod completeness;
pub mod fanout;
pub mod fleet;
pub mod lease;
pub mod lines;
pub mod mailbox;
pub mod settings;
pub mod steps;
pub mod summary;
pub mod topic;
