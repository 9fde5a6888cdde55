//! What the worker decides, as arithmetic: no IO, no clock.

pub mod intake;
pub mod ranges;
