//! The other ends: the bus and the database.

pub(crate) mod from_bus;
pub(crate) mod from_partition;
pub(crate) mod lease;
pub(crate) mod notify;
pub(crate) mod postgres;
pub(crate) mod to_bus;
