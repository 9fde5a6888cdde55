//! Asks an agent for live values: a lease that is renewed as long as somebody looks.

use std::time::Duration;

use async_nats::client::{Request, RequestErrorKind};
use async_nats::{Client, connection::State};
use muster_nats::{headers, subjects};
use muster_schemas::control::{LiveRequest, Reply};
use muster_schemas::{HostId, codec};
use tokio::time::timeout;
use tracing::debug;

use crate::logic::lease::Answer;

/// A third of the lease: two renewals may fail before values stop.
pub(crate) const RENEW_EVERY: Duration = Duration::from_secs(5);

/// Long enough to survive two lost renewals, short enough not to matter when this gateway dies.
const LEASE_MS: i64 = 15_000;

/// As often as a person can follow figures.
const INTERVAL_MS: i64 = 1_000;

/// An agent answers in milliseconds; the slowest line in two seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) async fn ask_for_live(bus: &Client, host: &HostId) -> Answer {
    if bus.connection_state() != State::Connected {
        return Answer::BusAway;
    }
    let request = Request::new()
        .headers(headers::msgpack())
        .payload(body(LEASE_MS).into())
        .timeout(Some(ANSWER_TIMEOUT));
    let subject = subjects::control(host, "live");
    let answer = timeout(ANSWER_TIMEOUT * 2, bus.send_request(subject, request)).await;
    match answer {
        Ok(Ok(message)) => read(&message),
        Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => Answer::Nobody,
        Ok(Err(_)) | Err(_) => Answer::Silence,
    }
}

/// Tells the agent that nobody looks any more. It would notice by itself when the lease is over.
pub(crate) async fn end_live(bus: &Client, host: &HostId) {
    let subject = subjects::control(host, "live");
    let told = bus.publish_with_headers(subject, headers::msgpack(), body(0).into());
    if !matches!(timeout(ANSWER_TIMEOUT, told).await, Ok(Ok(()))) {
        debug!(host.id = %host, "the end of a live view was not told; the lease will end by itself");
    }
}

fn body(lease_ms: i64) -> Vec<u8> {
    codec::encode(&LiveRequest { interval_ms: INTERVAL_MS, lease_ms })
}

fn read(message: &async_nats::Message) -> Answer {
    let content_type = headers::content_type(message.headers.as_ref());
    let reply = content_type.and_then(|kind| codec::decode::<Reply>(kind, &message.payload));
    reply.map_or(Answer::Silence, Answer::Said)
}
