//! Notifications from the outbox to their receivers: a real PostgreSQL, real web servers, and
//! workers that are many, slow or gone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod gathering;
mod mail;
mod mailbox;
mod receiver;
mod sending;
mod setup;
mod trouble;
