//! The headers we write and read.

use async_nats::HeaderMap;
use muster_schemas::MessageId;
use muster_schemas::codec::{CONTENT_TYPE_MSGPACK, ContentType, DecodeError};

pub const CONTENT_TYPE: &str = "Content-Type";
pub const MESSAGE_ID: &str = "Nats-Msg-Id";

/// Headers of a MessagePack message that the broker is to deduplicate by `id`.
pub fn durable(id: &str) -> HeaderMap {
    let mut headers = msgpack();
    headers.insert(MESSAGE_ID, id);
    headers
}

pub fn msgpack() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, CONTENT_TYPE_MSGPACK);
    headers
}

pub fn content_type(headers: Option<&HeaderMap>) -> Result<ContentType, DecodeError> {
    ContentType::from_header(text(headers, CONTENT_TYPE))
}

/// `None` where there is no id, or one that is not ours.
pub fn message_id(headers: Option<&HeaderMap>) -> Option<MessageId> {
    text(headers, MESSAGE_ID)?.parse().ok()
}

pub(crate) fn text<'a>(headers: Option<&'a HeaderMap>, name: &str) -> Option<&'a str> {
    headers?.get(name).map(async_nats::HeaderValue::as_str)
}
