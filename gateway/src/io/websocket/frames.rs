//! What browsers say, and the short answers. Data frames are written by the feeds.

use serde::Deserialize;

use crate::logic::mailbox::Shared;
use crate::logic::topic::Topic;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ClientFrame {
    Auth { token: String },
    Subscribe { topic: String },
    Unsubscribe { topic: String },
}

pub(super) const READY: &str = r#"{"type":"ready"}"#;

pub(super) fn subscribed(topic: &Topic) -> Shared {
    // A topic holds nothing that JSON would have to escape.
    format!(r#"{{"type":"subscribed","topic":"{topic}"}}"#).into()
}

/// For a topic that is none: its name is repeated, so that the browser knows what was refused.
pub(super) fn error_about(name: &str, error: &impl std::fmt::Display) -> Shared {
    let reason = error.to_string();
    serde_json::json!({ "type": "error", "topic": name, "reason": reason }).to_string().into()
}
