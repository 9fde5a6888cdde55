//! What the agent touches, a file for each other end.

pub mod central;
pub mod collect;
pub mod control;
pub mod directories;
pub mod from_logs;
pub mod install;
pub mod journal;
pub mod own_pages;
pub mod system_info;
pub mod to_bus;
