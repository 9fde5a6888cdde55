//! What the stack decides, without IO and without a clock.

pub mod line;
pub mod postgres_url;
pub mod restart;
pub mod version;
