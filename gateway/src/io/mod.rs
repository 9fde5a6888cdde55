//! The other ends: the database, its disk, the bus, agents and browsers.

pub(crate) mod from_agents;
pub(crate) mod from_bus;
pub(crate) mod from_disk;
pub(crate) mod from_postgres;
pub(crate) mod http;
pub(crate) mod kept;
pub(crate) mod passwords;
pub(crate) mod to_agents;
pub(crate) mod tokens;
pub(crate) mod watch;
pub(crate) mod websocket;
