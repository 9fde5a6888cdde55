//! Asks agents: for live values, with a lease that is renewed as long as somebody looks, and for
//! whatever else they answer.

use std::time::Duration;

use async_nats::client::{Request, RequestErrorKind};
use async_nats::{Client, connection::State};
use futures::StreamExt;
use futures::stream;
use muster_nats::{headers, subjects};
use muster_schemas::control::{ConfigRequest, LiveRequest, LiveTopic, Reply};
use muster_schemas::{HostId, codec};
use serde::Serialize;
use tokio::time::timeout;
use tracing::{debug, info};

use crate::logic::lease::Answer;

/// A third of the lease: two renewals may fail before values stop.
pub(crate) const RENEW_EVERY: Duration = Duration::from_secs(5);

/// Long enough to survive two lost renewals, short enough not to matter when this gateway dies.
const LEASE_MS: i64 = 15_000;

/// As often as a person can follow figures.
const INTERVAL_MS: i64 = 1_000;

/// An agent answers in milliseconds; the slowest line in two seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// To reload, an agent asks back and reads its files.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(8);

/// Agents that are told of a change at the same time: a fleet of thousands asks for its settings in
/// seconds, and the database does not feel it.
const RELOADS_AT_ONCE: usize = 16;

pub(crate) async fn ask_for_live(bus: &Client, host: &HostId, topic: LiveTopic) -> Answer {
    ask(bus, host, "live", &live(topic, LEASE_MS), ANSWER_TIMEOUT).await
}

/// Tells the agent that nobody looks any more. It would notice by itself when the lease is over.
pub(crate) async fn end_live(bus: &Client, host: &HostId, topic: LiveTopic) {
    let subject = subjects::control(host, "live");
    let body = codec::encode(&live(topic, 0));
    let told = bus.publish_with_headers(subject, headers::msgpack(), body.into());
    if !matches!(timeout(ANSWER_TIMEOUT, told).await, Ok(Ok(()))) {
        debug!(host.id = %host, "the end of a live view was not told; the lease will end by itself");
    }
}

fn live(topic: LiveTopic, lease_ms: i64) -> LiveRequest {
    LiveRequest { topic, interval_ms: INTERVAL_MS, lease_ms }
}

/// Asks for what needs no further word: `health`, `status`, `processes`.
pub(crate) async fn ask_for(bus: &Client, host: &HostId, verb: &str) -> Answer {
    ask(bus, host, verb, &serde_json::Map::new(), ANSWER_TIMEOUT).await
}

pub(crate) async fn ask_to_reload(bus: &Client, host: &HostId) -> Answer {
    ask(bus, host, "config", &ConfigRequest::Reload, RELOAD_TIMEOUT).await
}

/// Whoever is not reached asks by itself when it is back.
pub(crate) async fn ask_all_to_reload(bus: Client, hosts: Vec<HostId>) {
    let all = hosts.len();
    let answers = stream::iter(hosts).map(|host| {
        let bus = &bus;
        async move {
            let trouble = ask_to_reload(bus, &host).await.trouble(&host);
            if let Some(reason) = &trouble {
                debug!(host.id = %host, reason, "settings were not taken at once");
            }
            trouble.is_none()
        }
    });
    let taken = answers.buffer_unordered(RELOADS_AT_ONCE).filter(|taken| {
        let taken = *taken;
        async move { taken }
    });
    let taken = taken.count().await;
    info!(taken, all, "{taken} of {all} agents that are online took the new settings");
}

async fn ask<T: Serialize>(
    bus: &Client,
    host: &HostId,
    verb: &str,
    request: &T,
    patience: Duration,
) -> Answer {
    if bus.connection_state() != State::Connected {
        return Answer::BusAway;
    }
    let request = Request::new()
        .headers(headers::msgpack())
        .payload(codec::encode(request).into())
        .timeout(Some(patience));
    let subject = subjects::control(host, verb);
    let answer = timeout(patience * 2, bus.send_request(subject, request)).await;
    match answer {
        Ok(Ok(message)) => read(&message),
        Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => Answer::Nobody,
        Ok(Err(_)) | Err(_) => Answer::Silence,
    }
}

fn read(message: &async_nats::Message) -> Answer {
    let content_type = headers::content_type(message.headers.as_ref());
    let reply = content_type.and_then(|kind| codec::decode::<Reply>(kind, &message.payload));
    reply.map_or(Answer::Silence, Answer::Said)
}
