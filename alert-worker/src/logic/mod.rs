//! Decisions. No IO, no clock: time is an argument.

pub mod balance;
pub mod caution;
pub mod continuity;
pub mod presence;
pub mod writes;
