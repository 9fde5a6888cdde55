//! Decisions. No IO, no clock: time is an argument.

pub mod balance;
pub mod channel;
pub mod continuity;
pub mod presence;
