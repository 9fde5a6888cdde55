//! What the agent touches, a file for each other end.

pub mod control;
pub mod from_system;
pub mod journal;
pub mod proc_files;
pub mod to_bus;
