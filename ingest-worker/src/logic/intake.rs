//! Sorts a batch: what is stored, what is a repetition, and what is dead, with the reason.
//!
//! Bad input is data, not failure: one poison message never costs its neighbours.

use std::collections::HashSet;

use muster_nats::subjects;
use muster_schemas::codec::decode;
use muster_schemas::envelope::Rejection;
use muster_schemas::signals::Heartbeat;
use muster_schemas::telemetry::TelemetryFrame;
use muster_schemas::{ContentType, DecodeError, Durable, Envelope, HostId, MessageId};

/// One message as it came, without its connection.
#[derive(Debug)]
pub struct Incoming<'a> {
    pub subject: &'a str,
    pub content_type: Result<ContentType, DecodeError>,
    pub id: Option<MessageId>,
    /// When the broker stored it, milliseconds since the Unix epoch.
    pub stored_at: i64,
    pub payload: &'a [u8],
}

/// What is checked beyond the envelope, and against what.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    pub now_ms: i64,
    /// Samples older than this are refused.
    pub late_ms_max: i64,
}

#[derive(Debug)]
pub struct Sorted<T> {
    /// With their places in the batch.
    pub accepted: Vec<(usize, Envelope<T>)>,
    pub rejected: Vec<Rejected>,
    /// How many were in the batch twice; the first of each is in `accepted`.
    pub repeated: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    pub index: usize,
    pub reason: String,
    /// Which message it was, where that can be told although it cannot be read.
    pub id: Option<MessageId>,
}

/// A body that this worker stores.
pub trait Storable: Durable + Send + Sync + 'static {
    /// What only the worker can judge.
    fn check_age(&self, _rules: Rules) -> Result<(), Rejection> {
        Ok(())
    }
}

impl Storable for TelemetryFrame {
    fn check_age(&self, rules: Rules) -> Result<(), Rejection> {
        let earliest = rules.now_ms - rules.late_ms_max;
        let too_old = self.samples.iter().enumerate().find(|(_, sample)| sample.at < earliest);
        let Some((index, sample)) = too_old else { return Ok(()) };
        let field = format!("body.samples[{index}].at");
        Err(Rejection::bad_value(field, sample.at, format!("{earliest} or later (late_max)")))
    }
}

impl Storable for Heartbeat {}

/// Sorts a batch.
pub fn sort<T: Storable>(batch: &[Incoming<'_>], rules: Rules) -> Sorted<T> {
    let mut sorted = Sorted { accepted: Vec::new(), rejected: Vec::new(), repeated: 0 };
    let mut seen = HashSet::new();
    for (index, incoming) in batch.iter().enumerate() {
        match accept::<T>(incoming, rules) {
            Ok(envelope) if seen.insert(envelope.message_id()) => {
                sorted.accepted.push((index, envelope));
            }
            Ok(_) => sorted.repeated += 1,
            Err(reason) => {
                let id = trustworthy_id::<T>(incoming);
                sorted.rejected.push(Rejected { index, reason, id });
            }
        }
    }
    sorted
}

fn accept<T: Storable>(incoming: &Incoming<'_>, rules: Rules) -> Result<Envelope<T>, String> {
    let host = host_of::<T>(incoming.subject)?;
    let content_type = match &incoming.content_type {
        Ok(content_type) => *content_type,
        Err(error) => return Err(error.to_string()),
    };
    let envelope: Envelope<T> =
        decode(content_type, incoming.payload).map_err(|error| error.to_string())?;
    // A worker whose clock is behind must not take the present for the future.
    let now_ms = rules.now_ms.max(incoming.stored_at);
    envelope
        .check(&host, incoming.id.as_ref(), now_ms)
        .and_then(|()| envelope.body.check_age(rules))
        .map_err(|rejection| rejection.to_string())?;
    Ok(envelope)
}

fn host_of<T: Storable>(subject: &str) -> Result<HostId, String> {
    let address = subjects::parse(subject).map_err(|error| error.to_string())?;
    if address.kind.channel() == T::CHANNEL {
        return Ok(address.host);
    }
    Err(format!("subject {subject:?} does not carry {}", T::CHANNEL))
}

/// The id of a message counts only where its host may write it: its own subject.
fn trustworthy_id<T: Storable>(incoming: &Incoming<'_>) -> Option<MessageId> {
    let host = host_of::<T>(incoming.subject).ok()?;
    incoming.id.clone().filter(|id| id.host == host && id.channel == T::CHANNEL)
}

#[cfg(test)]
mod tests {
    use muster_schemas::codec::encode;
    use muster_schemas::telemetry::Sample;

    use super::*;

    const NOW: i64 = 1_732_100_000_000;
    const RULES: Rules = Rules { now_ms: NOW, late_ms_max: 86_400_000 };

    fn frame(seq: i64, at: i64) -> Vec<u8> {
        let host: HostId = "web-3".parse().unwrap();
        let body = TelemetryFrame { samples: vec![Sample { at, ..Sample::default() }] };
        encode(&Envelope { v: 1, host, epoch: 5, seq, sent_at: at, body })
    }

    fn incoming<'a>(subject: &'a str, payload: &'a [u8]) -> Incoming<'a> {
        let id = Some("web-3/telemetry/5/9".parse().unwrap());
        let content_type = Ok(ContentType::Msgpack);
        let id = id.filter(|_| payload.len() < 5);
        Incoming { subject, content_type, id, stored_at: NOW, payload }
    }

    #[test]
    fn poison_is_set_aside_with_its_reason_and_its_neighbours_are_kept() {
        let (good, repeated) = (frame(1, NOW), frame(1, NOW));
        let (future, old) = (frame(2, NOW + 3_600_000), frame(3, NOW - 90_000_000));
        let batch = [
            incoming("telemetry.web-3", &good),
            incoming("telemetry.web-3", b"\xc1"),
            incoming("telemetry.web-4", &good),
            incoming("telemetry.web-3", &repeated),
            incoming("telemetry.web-3", &future),
            incoming("telemetry.web-3", &old),
            incoming("p.1.web-3.heartbeat", &good),
        ];
        let sorted = sort::<TelemetryFrame>(&batch, RULES);
        assert_eq!(sorted.accepted.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0]);
        assert_eq!(sorted.repeated, 1);
        let said: Vec<(usize, &str)> =
            sorted.rejected.iter().map(|r| (r.index, r.reason.as_str())).collect();
        let expected = [
            (1, "the message: wrong type"),
            (2, "the envelope names host web-3 but the subject names web-4"),
            (4, "body.samples[0].at is 1732103600000"),
            (5, "body.samples[0].at is 1732010000000"),
            (6, "subject \"p.1.web-3.heartbeat\" does not carry telemetry"),
        ];
        assert_eq!(said.len(), expected.len(), "{said:?}");
        for ((index, reason), (place, start)) in said.iter().zip(expected) {
            assert_eq!(*index, place);
            assert!(reason.starts_with(start), "{reason:?} is not {start:?}");
        }
        assert_eq!(sorted.rejected[0].id.as_ref().unwrap().seq, 9);
    }

    #[test]
    fn a_worker_whose_clock_is_behind_refuses_nothing_that_is_fresh() {
        let fresh = frame(1, NOW);
        let rules = Rules { now_ms: NOW - 3_600_000, ..RULES };
        let sorted = sort::<TelemetryFrame>(&[incoming("telemetry.web-3", &fresh)], rules);
        assert_eq!(sorted.accepted.len(), 1, "{:?}", sorted.rejected);
    }

    #[test]
    fn an_id_that_names_another_host_is_not_believed() {
        let mut poison = incoming("telemetry.web-4", b"x");
        assert!(poison.id.is_some());
        assert_eq!(trustworthy_id::<TelemetryFrame>(&poison), None);
        poison.subject = "telemetry.web-3";
        assert!(trustworthy_id::<TelemetryFrame>(&poison).is_some());
    }
}
