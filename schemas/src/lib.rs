//! The vocabulary: everything that crosses a process boundary, and nothing that does IO.
//!
//! One file per message family. Every other crate depends on this one; it depends on none of
//! them, has no clock and no async.

pub mod codec;
pub mod conditions;
pub mod configuration;
pub mod control;
pub mod envelope;
pub mod events;
pub mod ids;
pub mod inventory;
pub mod live;
pub mod logs;
pub mod metrics;
pub mod numbers;
pub mod partitions;
pub mod retention;
pub mod signals;
pub mod sql;
pub mod telemetry;
pub mod workers;

#[cfg(test)]
mod fixtures;

pub use codec::{ContentType, DecodeError};
pub use envelope::{Durable, ENVELOPE_VERSION, Envelope, Rejection};
pub use ids::{Channel, HostId, InvalidHostId, Kind, MessageId};
pub use partitions::Partition;

/// For fields that are left out where they have nothing to say.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
