//! Sends again what the journal still holds, to repair a gap, beside everything else and slowly.

use std::io;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use muster_schemas::control::{Loss, LossCause, ResendAnswer, ResendRequest};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::spawn_blocking;
use tracing::info;

use super::courier::{Courier, Delivery};
use crate::io::journal::ReadAgain;
use crate::logic::losses::losses;
use crate::recorder::Recorder;

/// How many requests wait for their turn: one for each channel.
pub const REQUESTS_MAX: usize = 4;

/// How many messages of a repair are under way at once: it must not take the place of what is
/// fresh.
const UNDER_WAY_MAX: usize = 8;

/// Takes requests for the sender. Used by whoever answers `control.<host>.resend`.
#[derive(Clone)]
pub struct Resender {
    recorder: Arc<Recorder>,
    queue: mpsc::Sender<Repair>,
}

/// One request on its way.
pub struct Repair {
    again: ReadAgain,
    attempt: u32,
    sent: i64,
    is_read: bool,
    under_way: FuturesUnordered<Delivery>,
}

impl Resender {
    pub(super) fn new(recorder: Arc<Recorder>, queue: mpsc::Sender<Repair>) -> Self {
        Self { recorder, queue }
    }

    /// What was found is on its way when this returns; `Err` is the reason of a refusal.
    pub async fn resend(&self, request: ResendRequest) -> Result<ResendAnswer, String> {
        if let Some(reason) = request.refusal() {
            return Err(reason);
        }
        let ResendRequest { channel, epoch, from, to, attempt } = request;
        let epochs = self.recorder.epochs();
        if !epochs.contains(&epoch) {
            let loss = Loss { from, to, cause: LossCause::UnknownEpoch };
            return Ok(ResendAnswer { found: 0, missing: vec![(from, to)], losses: vec![loss] });
        }
        let place = self.queue.try_reserve().map_err(|error| match error {
            TrySendError::Full(()) => format!("busy: {REQUESTS_MAX} requests wait already"),
            TrySendError::Closed(()) => "the agent is stopping".to_owned(),
        })?;
        let recorder = self.recorder.clone();
        let again = spawn_blocking(move || recorder.read_again(channel, epoch, from, to))
            .await
            .map_err(|error| format!("the journal was not read: {error}"))?
            .map_err(|error| format!("the journal cannot be read: {error}"))?;
        let losses = losses(&again.missing, &again.dropped(), again.next_seq);
        let answer = ResendAnswer { found: again.found, missing: again.missing.clone(), losses };
        if again.found > 0 {
            place.send(Repair::new(again, attempt));
        }
        Ok(answer)
    }
}

impl Repair {
    fn new(again: ReadAgain, attempt: u32) -> Self {
        Self { again, attempt, sent: 0, is_read: false, under_way: FuturesUnordered::new() }
    }

    pub fn is_full(&self) -> bool {
        self.under_way.len() >= UNDER_WAY_MAX
    }

    pub fn is_done(&self) -> bool {
        self.is_read && self.under_way.is_empty()
    }

    /// Hands the next message to the courier; answers its bytes, or `None` when there is no more.
    pub fn next(&mut self, courier: &Arc<Courier>) -> io::Result<Option<usize>> {
        if self.is_read {
            return Ok(None);
        }
        let Some((ticket, record)) = self.again.next_acknowledged()? else {
            self.is_read = true;
            info!(messages = self.sent, "sent {} messages again to repair a gap", self.sent);
            return Ok(None);
        };
        let bytes = record.payload.len();
        self.sent += 1;
        self.under_way.push(courier.deliver(ticket, self.attempt, record.payload));
        Ok(Some(bytes))
    }

    /// Returns when one has arrived; never while none is under way.
    pub async fn delivered(&mut self) {
        if self.under_way.next().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}
