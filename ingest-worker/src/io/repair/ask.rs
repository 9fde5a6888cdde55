//! `control.<host>.resend`: one attempt at one gap.

use std::time::Duration;

use async_nats::client::{Request, RequestErrorKind};
use muster_nats::{headers, subjects};
use muster_schemas::codec;
use muster_schemas::control::{Reply, ResendAnswer, ResendRequest};
use tokio::time::{Instant, timeout};

use super::claim::Claim;
use crate::logic::repair::{Verdict, requests};

/// Before it answers, an agent looks through its journal: 256 MiB at the most, on a slow disk.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What became of an attempt.
pub enum Outcome {
    Answered(Verdict),
    /// Nobody is there; it was not asked.
    Away,
    Refused(String),
}

/// Asks for what is missing, in several requests where it is much. One that gets no further than
/// the first of them has an outcome nevertheless.
pub async fn ask(bus: &async_nats::Client, gap: &Claim, deadline: Instant) -> Outcome {
    let mut verdict = Verdict::default();
    let mut is_answered = false;
    for asked in requests(&gap.missing) {
        if Instant::now() >= deadline {
            break;
        }
        match request(bus, gap, asked).await {
            Ok(answer) => {
                verdict.add(&gap.missing, asked, &answer);
                is_answered = true;
            }
            Err(_) if is_answered => break,
            Err(outcome) => return outcome,
        }
    }
    if is_answered { Outcome::Answered(verdict) } else { Outcome::Away }
}

async fn request(
    bus: &async_nats::Client,
    gap: &Claim,
    (from, to): (i64, i64),
) -> Result<ResendAnswer, Outcome> {
    let attempt = u32::try_from(gap.attempts).unwrap_or(0).saturating_add(1);
    let body = ResendRequest { channel: gap.channel, epoch: gap.epoch, from, to, attempt };
    let request = Request::new()
        .headers(headers::msgpack())
        .payload(codec::encode(&body).into())
        .timeout(Some(ANSWER_TIMEOUT));
    let subject = subjects::control(&gap.host, "resend");
    // The client waits for ever where its queue is full.
    let answer = timeout(ANSWER_TIMEOUT * 2, bus.send_request(subject, request)).await;
    let message = match answer {
        Ok(Ok(message)) => message,
        Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => {
            return Err(Outcome::Away);
        }
        Ok(Err(_)) | Err(_) => return Err(Outcome::Away),
    };
    let content_type = headers::content_type(message.headers.as_ref());
    let reply = content_type.and_then(|kind| codec::decode::<Reply>(kind, &message.payload));
    let reply =
        reply.map_err(|error| Outcome::Refused(format!("an unreadable answer: {error}")))?;
    reply.data().map_err(Outcome::Refused)
}
