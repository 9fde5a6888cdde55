//! Requests on `control.<host>.<verb>` and the replies to them. Every refusal has a reason.

use async_nats::{Client, Message};
use muster_nats::{headers, subjects};
use muster_schemas::HostId;
use muster_schemas::codec::{MESSAGE_BYTES_MAX, decode, encode};
use muster_schemas::control::{ConfigRequest, LiveRequest, Reply, ResendRequest, VERBS};
use serde::de::DeserializeOwned;
use tokio::time::{Duration, timeout};
use tracing::debug;

/// A reply that cannot be handed to the connection in this time is of no use any more.
const REPLY_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    Health,
    Status,
    Config(ConfigRequest),
    Processes,
    Live(LiveRequest),
    Resend(ResendRequest),
}

/// What a request asks for, or why it is refused.
pub fn read(host: &HostId, message: &Message) -> Result<Request, String> {
    let subject = message.subject.as_str();
    let verb = VERBS.iter().find(|verb| subject == subjects::control(host, verb));
    match verb.copied() {
        Some("health") => Ok(Request::Health),
        Some("status") => Ok(Request::Status),
        Some("processes") => Ok(Request::Processes),
        Some("config") => body(message).map(Request::Config),
        Some("live") => {
            let request: LiveRequest = body(message)?;
            request.refusal().map_or(Ok(Request::Live(request)), Err)
        }
        Some("resend") => {
            let request: ResendRequest = body(message)?;
            request.refusal().map_or(Ok(Request::Resend(request)), Err)
        }
        _ => Err(format!("unknown verb {subject:?}, known: {}", VERBS.join(", "))),
    }
}

fn body<T: DeserializeOwned>(message: &Message) -> Result<T, String> {
    let content_type =
        headers::content_type(message.headers.as_ref()).map_err(|error| error.to_string())?;
    decode(content_type, &message.payload).map_err(|error| error.to_string())
}

pub async fn answer(bus: &Client, message: Message, reply: Reply) {
    let Some(inbox) = message.reply else { return };
    let payload = match encode(&reply) {
        payload if payload.len() <= MESSAGE_BYTES_MAX => payload,
        payload => {
            let reason = format!("the answer of {} bytes fits in no message", payload.len());
            encode(&Reply::Refused { reason })
        }
    };
    let publish = bus.publish_with_headers(inbox, headers::msgpack(), payload.into());
    if !matches!(timeout(REPLY_TIMEOUT, publish).await, Ok(Ok(()))) {
        debug!("a reply could not be sent");
    }
}
