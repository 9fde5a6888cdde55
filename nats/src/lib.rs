//! The bus: subjects, streams, publishing and consuming.
//!
//! The only crate that names a subject, a stream or an acknowledgement. It knows nothing of what
//! the messages mean.

pub mod backlog;
pub mod connect;
pub mod consume;
pub mod dead;
pub mod definitions;
pub mod fresh;
pub mod headers;
pub mod letters;
pub mod ordered;
pub mod overview;
pub mod progress;
pub mod publish;
pub mod subjects;

pub use connect::{BusOptions, connect};
pub use definitions::{ConsumerName, Stream};
