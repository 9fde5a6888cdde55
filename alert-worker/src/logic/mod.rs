//! Decisions. No IO, no clock: time is an argument.

pub mod channel;
pub mod presence;
