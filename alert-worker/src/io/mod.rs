//! The other ends: the bus and the database.

pub(crate) mod deadman;
pub(crate) mod from_bus;
pub(crate) mod from_partition;
pub(crate) mod inbox;
pub(crate) mod known;
pub(crate) mod lease;
pub(crate) mod locks;
pub(crate) mod notices;
pub(crate) mod notify;
pub(crate) mod pages;
pub(crate) mod postgres;
pub(crate) mod states;
pub(crate) mod taken;
pub(crate) mod tickets;
pub(crate) mod to_bus;
