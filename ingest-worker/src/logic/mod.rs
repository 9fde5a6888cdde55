//! What the worker decides, as arithmetic: no IO, no clock.

pub mod behind;
pub mod intake;
pub mod keeping;
#[cfg(test)]
mod once_tests;
pub mod ranges;
pub mod repair;
pub mod rollup;
pub mod transfer;
