//! Answers requests on `control.<host>.<verb>`. Every refusal has a reason.

use async_nats::{Client, Message};
use muster_nats::{headers, subjects};
use muster_schemas::HostId;
use muster_schemas::codec::{decode, encode};
use muster_schemas::control::{LiveRequest, Reply};
use tokio::time::{Duration, timeout};
use tracing::debug;

/// A reply that cannot be handed to the connection in this time is of no use any more.
const REPLY_TIMEOUT: Duration = Duration::from_secs(2);

/// What a request asks for, or why it is refused.
pub fn read(host: &HostId, message: &Message) -> Result<LiveRequest, String> {
    let verb = message.subject.as_str();
    if verb != subjects::control(host, "live") {
        return Err(format!("unknown verb {verb:?}, known: live"));
    }
    let content_type =
        headers::content_type(message.headers.as_ref()).map_err(|error| error.to_string())?;
    let request: LiveRequest =
        decode(content_type, &message.payload).map_err(|error| error.to_string())?;
    request.refusal().map_or(Ok(request), Err)
}

pub async fn answer(bus: &Client, message: Message, reply: Reply) {
    let Some(inbox) = message.reply else { return };
    let payload = encode(&reply).into();
    let publish = bus.publish_with_headers(inbox, headers::msgpack(), payload);
    if !matches!(timeout(REPLY_TIMEOUT, publish).await, Ok(Ok(()))) {
        debug!("a reply could not be sent");
    }
}
