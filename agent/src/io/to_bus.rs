//! Sends what the journal holds, in order, several at once, until the bus has acknowledged it.

use std::sync::Arc;

use async_nats::jetstream::Context;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use muster_nats::publish::{PublishError, publish, retry_delay};
use muster_nats::{headers, subjects};
use muster_runtime::time::now_ms;
use muster_schemas::{Channel, HostId, MessageId};
use tokio::time::{Duration, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::io::journal::{Record, Ticket};
use crate::logic::ack_window::AckWindow;
use crate::recorder::Recorder;

/// How many messages are under way at once. 32 frames of 5 kB hide the round trip to a broker
/// 100 ms away and hold 160 kB in memory.
const UNDER_WAY_MAX: usize = 32;

/// How long a stopping agent goes on sending. What is left is in the journal.
const DRAIN_TIME: Duration = Duration::from_secs(3);

/// After how many attempts in a row the log hears of it; a reconnect takes a few.
const ATTEMPTS_BEFORE_WARNING: u32 = 3;

/// How long to wait after the journal could not be read.
const READ_RETRY: Duration = Duration::from_secs(1);

/// Runs until told to stop, then drains.
pub async fn send_journal(recorder: Arc<Recorder>, bus: Context, stop: CancellationToken) {
    let sender = Sender { recorder, bus };
    tokio::select! {
        () = sender.run(false) => {}
        () = stop.cancelled() => {
            // A fresh pass starts where the bus has acknowledged; what was under way goes twice
            // and is recognised by its id.
            sender.recorder.rewind();
            if timeout(DRAIN_TIME, sender.run(true)).await.is_err() {
                info!("the bus does not take the rest now; it is kept in the journal");
            }
        }
    }
    sender.recorder.maintain(now_ms());
}

struct Sender {
    recorder: Arc<Recorder>,
    bus: Context,
}

impl Sender {
    async fn run(&self, until_empty: bool) {
        let mut window = AckWindow::default();
        let mut under_way = FuturesUnordered::new();
        loop {
            while window.len() < UNDER_WAY_MAX
                && let Some((ticket, record)) = self.next().await
            {
                window.sent(ticket);
                under_way.push(self.send(ticket, record));
            }
            if until_empty && under_way.is_empty() {
                return;
            }
            tokio::select! {
                Some(ticket) = under_way.next() => {
                    for settled in window.acknowledged(ticket) {
                        self.recorder.acknowledge(settled, now_ms());
                    }
                }
                () = self.recorder.appended(), if window.len() < UNDER_WAY_MAX => {}
            }
        }
    }

    async fn next(&self) -> Option<(Ticket, Record)> {
        match self.recorder.next_to_send() {
            Ok(next) => next,
            Err(error) => {
                error!(%error, "cannot read the journal");
                sleep(READ_RETRY).await;
                None
            }
        }
    }

    async fn send(&self, ticket: Ticket, record: Record) -> Ticket {
        let id = MessageId {
            host: self.recorder.host().clone(),
            channel: record.channel,
            epoch: self.recorder.epoch(),
            seq: record.seq,
            resend: 0,
        };
        let subject = subject_of(record.channel, self.recorder.host());
        let payload = Bytes::from(record.payload);
        for attempt in 1.. {
            let headers = headers::durable(&id.to_string());
            match publish(&self.bus, subject.clone(), headers, payload.clone()).await {
                Ok(()) => break,
                Err(PublishError::Refused(reason)) => {
                    error!("message {id} can never be sent: {reason}");
                    break;
                }
                Err(PublishError::NotAcknowledged(reason)) => {
                    if attempt == ATTEMPTS_BEFORE_WARNING {
                        warn!("message {id} waits in the journal: {reason}");
                    }
                    sleep(retry_delay(attempt)).await;
                }
            }
        }
        ticket
    }
}

fn subject_of(channel: Channel, host: &HostId) -> String {
    match channel {
        Channel::Signals => subjects::heartbeat(host),
        Channel::Telemetry | Channel::Logs | Channel::Inventory => subjects::telemetry(host),
    }
}
