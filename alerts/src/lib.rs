//! Alerting as arithmetic: what a rule is, when it fires, who is told, and what it would have done.
//!
//! No IO, no clock, no async: time is an argument. The alert worker decides with it, the gateway
//! checks rules and runs backtests with it, so that both mean the same.

pub mod backtest;
pub mod channel;
pub mod defaults;
pub mod engine;
pub mod figures;
pub mod key;
pub mod notification;
pub mod rule;
pub mod selector;
pub mod silence;
pub mod template;

pub use engine::Engine;
pub use key::TicketKey;
pub use rule::{Priority, Rule, RuleDefinition};
pub use selector::Selector;
pub use silence::Silence;
