//! What the agent decides, as arithmetic: no IO, no clock.

pub mod ack_window;
pub mod journal_policy;
pub mod live;
pub mod rates;
pub mod top;
