//! Decisions. No IO, no clock: time is an argument.

pub mod attempts;
pub mod availability;
pub mod completeness;
pub mod csv;
pub mod fanout;
pub mod fleet;
pub mod histogram;
pub mod lease;
pub mod letters;
pub mod lines;
pub mod mailbox;
pub mod pipeline;
pub mod plan;
pub mod reach;
pub mod search;
pub mod settings;
pub mod slices;
pub mod steps;
pub mod storage;
pub mod summary;
pub mod topic;
pub mod words;
