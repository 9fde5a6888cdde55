//! What the pipeline tests and the benches share: a publisher that speaks as a host, and questions
//! to the bus, the database and the gateway.
//!
//! Everything here talks to real parts over the network; nothing stands in for one.

pub mod api;
pub mod bus;
pub mod chaos;
pub mod database;
pub mod wait;
