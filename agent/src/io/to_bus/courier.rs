//! Brings one message to the bus, however often that has to be tried.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_nats::Client;
use async_nats::connection::State;
use async_nats::jetstream::Context;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use muster_nats::publish::{PublishError, publish, retry_delay};
use muster_nats::{headers, subjects};
use muster_runtime::time::now_ms;
use muster_schemas::MessageId;
use tokio::time::{Duration, sleep};
use tracing::{error, warn};

use crate::io::journal::{Outcome, Ticket};
use crate::logic::replay::Complaints;
use crate::recorder::Recorder;

/// After how many attempts in a row the log hears of it; a reconnect takes a few.
const ATTEMPTS_BEFORE_WARNING: u32 = 3;

/// How often to look whether the connection is back. One looks for all.
const RECONNECT_POLL: Duration = Duration::from_millis(200);

/// The number of the newest connection of a client, from 1.
pub fn connection(client: &Client) -> u64 {
    client.statistics().connects.load(Ordering::Relaxed)
}

/// A message under way: it ends when the bus has stored or refused it.
pub type Delivery = BoxFuture<'static, (Ticket, Outcome)>;

pub struct Courier {
    recorder: Arc<Recorder>,
    bus: Context,
    /// Held by the one that looks whether the connection is back.
    lookout: tokio::sync::Mutex<()>,
    /// The number of the newest connection on which messages may be sent.
    cleared: AtomicU64,
    complaints: Mutex<Complaints>,
}

impl Courier {
    pub fn new(recorder: Arc<Recorder>, bus: Context) -> Self {
        let (lookout, complaints) = (tokio::sync::Mutex::default(), Mutex::default());
        Self { recorder, bus, lookout, cleared: AtomicU64::new(u64::MAX), complaints }
    }

    /// Lets messages be sent on connections up to this number, and holds them on later ones.
    pub fn clear(&self, connection: u64) {
        self.cleared.store(connection, Ordering::Relaxed);
    }

    /// `resend` is 0 the first time.
    pub fn deliver(self: &Arc<Self>, ticket: Ticket, resend: u32, payload: Vec<u8>) -> Delivery {
        let courier = self.clone();
        async move { (ticket, courier.try_until_decided(&ticket, resend, payload.into()).await) }
            .boxed()
    }

    async fn try_until_decided(&self, ticket: &Ticket, resend: u32, payload: Bytes) -> Outcome {
        let id = MessageId {
            host: self.recorder.host().clone(),
            channel: ticket.kind.channel(),
            epoch: ticket.epoch,
            seq: ticket.seq,
            resend,
        };
        let id = id.to_string();
        let subject = subjects::durable(self.recorder.host(), ticket.kind);
        let mut attempt = 1;
        loop {
            self.connected().await;
            self.recorder.showing(ticket);
            match publish(&self.bus, subject.clone(), headers::durable(&id), payload.clone()).await
            {
                Ok(()) => return Outcome::Stored,
                Err(PublishError::Refused(reason)) => {
                    error!("message {id} can never be sent and counts as dropped: {reason}");
                    return Outcome::Refused;
                }
                Err(PublishError::NotAcknowledged(reason)) => {
                    self.complain(attempt, &id, &reason);
                    sleep(self.pause(attempt)).await;
                    attempt += 1;
                }
            }
        }
    }

    /// What is handed to a client that is not connected is kept in its memory: messages wait here
    /// instead, and all go at once when it is back and cleared.
    async fn connected(&self) {
        if self.may_send() {
            return;
        }
        let _turn = self.lookout.lock().await;
        while !self.may_send() {
            sleep(RECONNECT_POLL).await;
        }
    }

    /// The client counts a connection before it says that it is connected.
    fn may_send(&self) -> bool {
        let client = self.bus.client();
        client.connection_state() == State::Connected
            && connection(&client) <= self.cleared.load(Ordering::Relaxed)
    }

    /// Whoever waits for the connection need not wait for more.
    fn pause(&self, attempt: u32) -> Duration {
        if self.may_send() { retry_delay(attempt) } else { Duration::ZERO }
    }

    fn complain(&self, attempt: u32, id: &str, reason: &str) {
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        if attempt >= ATTEMPTS_BEFORE_WARNING
            && let Some(unsaid) = complaints.due(now_ms())
        {
            warn!(unsaid, "message {id} waits in the journal: {reason}");
        }
    }
}
