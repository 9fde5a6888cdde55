//! The other ends of notifications: the outbox they come from, web servers and mail servers.
//!
//! What is sent is rendered by `muster_alerts::channel`; when, is `crate::notify`'s business.

pub(crate) mod http;
pub(crate) mod outbox;
pub(crate) mod secrets;
pub(crate) mod smtp;
pub(crate) mod tls;

#[cfg(test)]
mod tests;
