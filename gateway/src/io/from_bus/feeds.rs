//! What each topic is made of. A message that cannot be read is left out: whoever stores it says
//! what is wrong with it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_nats::{Message, Subscriber};
use futures::StreamExt;
use muster_nats::{headers, subjects};
use muster_runtime::now_ms;
use muster_schemas::control::LiveTopic;
use muster_schemas::live::LiveSample;
use muster_schemas::logs::{LiveLogs, LogLine};
use muster_schemas::telemetry::TelemetryFrame;
use muster_schemas::{Envelope, HostId, codec};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{Hub, data_frame};
use crate::io::to_agents::{self, RENEW_EVERY};
use crate::logic::fleet::Fleet;
use crate::logic::lease::Lease;
use crate::logic::mailbox::Shared;
use crate::logic::summary::Latest;
use crate::logic::topic::Topic;

/// How often the fleet's new figures are handed out: as fast as a person reads a list.
const HOSTS_EVERY: Duration = Duration::from_secs(1);

/// A pause before subscribing again, where the bus has ended a subscription.
const SUBSCRIBE_AGAIN: Duration = Duration::from_secs(1);

pub(super) async fn run(hub: Hub, topic: Topic, stop: CancellationToken) {
    match &topic {
        Topic::Hosts => hosts(&hub, &stop).await,
        Topic::Events => events(&hub, &stop).await,
        Topic::Telemetry(host) => {
            let source =
                Live { subject: subjects::live_telemetry(host), topic: LiveTopic::Telemetry };
            source.relay(&hub, &topic, host, &stop, deliver_sample).await;
        }
        Topic::Logs(host) => {
            let source = Live { subject: subjects::live_logs(host), topic: LiveTopic::Logs };
            source.relay(&hub, &topic, host, &stop, deliver_lines).await;
        }
    }
}

async fn hosts(hub: &Hub, stop: &CancellationToken) {
    let mut feed = Subscription::new(hub, subjects::TELEMETRY_ALL.into());
    let mut flush = interval(HOSTS_EVERY);
    flush.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut fleet = Fleet::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            message = feed.next() => match read_frame(&message) {
                Ok(Envelope { host, body, .. }) => {
                    if let Some(newest) = body.samples.iter().max_by_key(|sample| sample.at) {
                        fleet.observe(now_ms(), host, newest);
                    }
                }
                Err(reason) => leave_out(&message, &reason),
            },
            _ = flush.tick() => {
                let rows: Vec<(HostId, Shared)> = fleet.drain().map(row).collect();
                if !rows.is_empty() {
                    hub.deliver(&Topic::Hosts, |mailbox| mailbox.put_hosts(now_ms(), &rows));
                }
            }
        }
    }
}

fn read_frame(message: &Message) -> Result<Envelope<TelemetryFrame>> {
    let address = subjects::parse(&message.subject)?;
    let envelope: Envelope<TelemetryFrame> = read(message)?;
    envelope.check(&address.host, None, now_ms())?;
    Ok(envelope)
}

fn row((host, latest): (HostId, Latest)) -> (HostId, Shared) {
    #[derive(Serialize)]
    struct Row<'a> {
        id: &'a HostId,
        latest: &'a Latest,
    }
    let text = serde_json::to_string(&Row { id: &host, latest: &latest });
    (host, text.expect("our own types are written into memory").into())
}

/// Any decision, of whatever kind: the browser knows which it can show.
#[derive(Serialize, Deserialize)]
struct AnyEvent {
    host: HostId,
    kind: String,
    at: i64,
    #[serde(default)]
    detail: serde_json::Map<String, serde_json::Value>,
}

async fn events(hub: &Hub, stop: &CancellationToken) {
    let mut feed = Subscription::new(hub, subjects::EVENTS_ALL.into());
    loop {
        let message = tokio::select! {
            () = stop.cancelled() => return,
            message = feed.next() => message,
        };
        match read_event(&message) {
            Ok(event) => {
                let frame = data_frame(&Topic::Events, event.at, &event);
                hub.deliver(&Topic::Events, |mailbox| {
                    if mailbox.put_event(frame.clone()) {
                        metrics::counter!("muster_gateway_dropped_total", "topic" => "events")
                            .increment(1);
                    }
                });
            }
            Err(reason) => leave_out(&message, &reason),
        }
    }
}

fn read_event(message: &Message) -> Result<AnyEvent> {
    let event: AnyEvent = read(message)?;
    let subject = subjects::event(&event.host, &event.kind);
    ensure!(*message.subject == *subject, "the event belongs on {subject}");
    Ok(event)
}

/// What one agent publishes as long as it is asked to.
struct Live {
    subject: String,
    topic: LiveTopic,
}

/// Reads one message of a host and hands it to all who listen.
type Deliver = fn(&Hub, &Topic, &HostId, &Message) -> Result<()>;

impl Live {
    async fn relay(
        self,
        hub: &Hub,
        topic: &Topic,
        host: &HostId,
        stop: &CancellationToken,
        deliver: Deliver,
    ) {
        let mut feed = Subscription::new(hub, self.subject);
        // Listening comes first: the agent's first value follows its answer at once.
        feed.subscribe().await;
        let asking = Asking { hub: hub.clone(), topic: topic.clone(), host: host.clone() };
        let renewing = tokio::spawn(asking.renew(self.topic, stop.clone()));
        loop {
            let message = tokio::select! {
                () = stop.cancelled() => break,
                message = feed.next() => message,
            };
            if let Err(reason) = deliver(hub, topic, host, &message) {
                leave_out(&message, &reason);
            }
        }
        // A renewal that is under way must not follow the farewell.
        let _ = renewing.await;
        to_agents::end_live(&hub.bus, host, self.topic).await;
    }
}

fn deliver_sample(hub: &Hub, topic: &Topic, host: &HostId, message: &Message) -> Result<()> {
    let live: LiveSample = read(message)?;
    ensure!(live.host == *host, "it names the host {}", live.host);
    let frame = data_frame(topic, live.sample.at, &live.sample);
    hub.deliver(topic, |mailbox| mailbox.put_telemetry(topic.clone(), frame.clone()));
    Ok(())
}

fn deliver_lines(hub: &Hub, topic: &Topic, host: &HostId, message: &Message) -> Result<()> {
    #[derive(Serialize)]
    struct Lines<'a> {
        lines: &'a [LogLine],
    }
    let live: LiveLogs = read(message)?;
    ensure!(live.host == *host, "it names the host {}", live.host);
    let count = live.lines.len() as u64;
    let frame = data_frame(topic, now_ms(), &Lines { lines: &live.lines });
    let left_out = u64::try_from(live.dropped).unwrap_or(0);
    hub.deliver(topic, |mailbox| {
        if left_out > 0 {
            mailbox.note_dropped(topic.clone(), left_out);
        }
        let gone = mailbox.put_lines(topic.clone(), frame.clone(), count);
        metrics::counter!("muster_gateway_dropped_total", "topic" => "logs").increment(gone);
    });
    Ok(())
}

/// Who asks for what.
struct Asking {
    hub: Hub,
    topic: Topic,
    host: HostId,
}

impl Asking {
    /// Asks for values at once and then again and again, whatever the answer is: agents come and
    /// go.
    async fn renew(self, live: LiveTopic, stop: CancellationToken) {
        let Self { hub, topic, host } = self;
        let mut lease = Lease::default();
        let mut due = interval(RENEW_EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = due.tick() => {}
            }
            let answer = tokio::select! {
                () = stop.cancelled() => return,
                answer = to_agents::ask_for_live(&hub.bus, &host, live) => answer,
            };
            if let Some(reason) = lease.observe(&host, &answer) {
                debug!(host.id = %host, reason, "no live values");
                hub.set_trouble(&topic, Some(reason));
            } else if lease.trouble().is_none() {
                hub.set_trouble(&topic, None);
            }
        }
    }
}

fn read<T: DeserializeOwned>(message: &Message) -> Result<T> {
    let content_type = headers::content_type(message.headers.as_ref())?;
    codec::decode(content_type, &message.payload).context("it cannot be decoded")
}

fn leave_out(message: &Message, reason: &anyhow::Error) {
    metrics::counter!("muster_gateway_unreadable_total").increment(1);
    debug!(subject = %message.subject, "left out a message: {reason:#}");
}

/// A subscription that is made again where the bus ends it.
struct Subscription {
    bus: async_nats::Client,
    subject: String,
    messages: Option<Subscriber>,
}

impl Subscription {
    fn new(hub: &Hub, subject: String) -> Self {
        Self { bus: hub.bus.clone(), subject, messages: None }
    }

    async fn subscribe(&mut self) {
        match self.bus.subscribe(self.subject.clone()).await {
            Ok(messages) => self.messages = Some(messages),
            Err(error) => warn!(subject = self.subject, %error, "cannot subscribe"),
        }
    }

    async fn next(&mut self) -> Message {
        loop {
            if let Some(messages) = &mut self.messages {
                if let Some(message) = messages.next().await {
                    return message;
                }
                self.messages = None;
                sleep(SUBSCRIBE_AGAIN).await;
            }
            self.subscribe().await;
            if self.messages.is_none() {
                sleep(SUBSCRIBE_AGAIN).await;
            }
        }
    }
}
