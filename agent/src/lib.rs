//! The agent: host -> bus. It opens no port; everything to and from it is a subject.

pub mod config;
pub mod io;
pub mod logic;
pub mod recorder;
pub mod service;
pub mod simulate;
