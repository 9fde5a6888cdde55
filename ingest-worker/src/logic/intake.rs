//! Sorts a batch: what is stored, what is a repetition, and what is dead, with the reason.
//!
//! Bad input is data, not failure: one poison message never costs its neighbours.

use std::collections::HashSet;

use muster_nats::subjects::{self, Address};
use muster_schemas::codec::decode_in_bulk;
use muster_schemas::envelope::Rejection;
use muster_schemas::inventory::Inventory;
use muster_schemas::logs::LogFrame;
use muster_schemas::signals::Signal;
use muster_schemas::telemetry::TelemetryFrame;
use muster_schemas::{ContentType, DecodeError, Durable, Envelope, HostId, Kind, MessageId};

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
    /// Log lines older than this are left out.
    pub late_lines_ms_max: i64,
}

#[derive(Debug)]
pub struct Sorted<T> {
    /// With their places in the batch.
    pub accepted: Vec<(usize, Envelope<T>)>,
    pub rejected: Vec<Rejected>,
    /// How many were in the batch twice; the first of each is in `accepted`.
    pub repeated: usize,
    /// How many parts of accepted messages were left out because they are too old to be kept.
    pub expired: usize,
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
    /// Decodes what came on a subject of this kind, one of the channel's.
    fn decode(
        _kind: Kind,
        content_type: ContentType,
        payload: &[u8],
    ) -> Result<Envelope<Self>, DecodeError> {
        decode_in_bulk(content_type, payload)
    }

    /// What only the worker can judge.
    fn check_age(&self, _rules: Rules) -> Result<(), Rejection> {
        Ok(())
    }

    /// Takes out what is too old to be kept; answers how much.
    fn leave_out_expired(&mut self, _rules: Rules) -> usize {
        0
    }
}

impl Storable for TelemetryFrame {
    fn check_age(&self, rules: Rules) -> Result<(), Rejection> {
        let earliest = rules.now_ms - rules.late_ms_max;
        let too_old = self.samples.iter().enumerate().find(|(_, sample)| sample.at < earliest);
        let Some((index, sample)) = too_old else { return Ok(()) };
        let field = format!("body.samples[{index}].at");
        let expected = format!("{earliest} or later: what is older is not kept");
        Err(Rejection::bad_value(field, sample.at, expected))
    }
}

/// A file that is read for the first time may begin with a line of years ago. It must not cost the
/// lines after it, and days that retention is about to drop must not be made for it.
impl Storable for LogFrame {
    fn leave_out_expired(&mut self, rules: Rules) -> usize {
        let earliest = rules.now_ms - rules.late_lines_ms_max;
        let before = self.lines.len();
        self.lines.retain(|line| line.at >= earliest);
        before - self.lines.len()
    }
}

impl Storable for Signal {
    fn decode(
        kind: Kind,
        content_type: ContentType,
        payload: &[u8],
    ) -> Result<Envelope<Self>, DecodeError> {
        Self::decode(kind, content_type, payload)
    }
}

impl Storable for Inventory {
    fn decode(
        kind: Kind,
        content_type: ContentType,
        payload: &[u8],
    ) -> Result<Envelope<Self>, DecodeError> {
        Self::decode(kind, content_type, payload)
    }
}

/// Sorts a batch by the same rules for all hosts.
pub fn sort<T: Storable>(batch: &[Incoming<'_>], rules: Rules) -> Sorted<T> {
    sort_by(batch, |_| rules)
}

/// Sorts a batch, each message by the rules of its host.
pub fn sort_by<T: Storable>(
    batch: &[Incoming<'_>],
    rules_of: impl Fn(&HostId) -> Rules,
) -> Sorted<T> {
    let mut sorted = Sorted { accepted: Vec::new(), rejected: Vec::new(), repeated: 0, expired: 0 };
    let mut seen = HashSet::new();
    for (index, incoming) in batch.iter().enumerate() {
        match accept::<T>(incoming, &rules_of) {
            Ok(mut envelope) if seen.insert(envelope.message_id()) => {
                let rules = rules_of(&envelope.host);
                sorted.expired += envelope.body.leave_out_expired(rules);
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

fn accept<T: Storable>(
    incoming: &Incoming<'_>,
    rules_of: impl Fn(&HostId) -> Rules,
) -> Result<Envelope<T>, String> {
    let Address { host, kind } = address_of::<T>(incoming.subject)?;
    let rules = rules_of(&host);
    let content_type = match &incoming.content_type {
        Ok(content_type) => *content_type,
        Err(error) => return Err(error.to_string()),
    };
    let envelope: Envelope<T> =
        T::decode(kind, content_type, incoming.payload).map_err(|error| error.to_string())?;
    if envelope.body.kind() != kind {
        return Err(format!("subject {:?} does not carry what the body is", incoming.subject));
    }
    // A worker whose clock is behind must not take the present for the future.
    let now_ms = rules.now_ms.max(incoming.stored_at);
    envelope
        .check(&host, incoming.id.as_ref(), now_ms)
        .and_then(|()| envelope.body.check_age(rules))
        .map_err(|rejection| rejection.to_string())?;
    Ok(envelope)
}

fn address_of<T: Storable>(subject: &str) -> Result<Address, String> {
    let address = subjects::parse(subject).map_err(|error| error.to_string())?;
    if address.kind.channel() == T::CHANNEL {
        return Ok(address);
    }
    Err(format!("subject {subject:?} does not carry {}", T::CHANNEL))
}

/// The id of a message counts only where its host may write it: its own subject.
fn trustworthy_id<T: Storable>(incoming: &Incoming<'_>) -> Option<MessageId> {
    let Address { host, .. } = address_of::<T>(incoming.subject).ok()?;
    incoming.id.clone().filter(|id| id.host == host && id.channel == T::CHANNEL)
}

#[cfg(test)]
mod tests {
    use muster_schemas::codec::encode;
    use muster_schemas::inventory::InventoryItem;
    use muster_schemas::logs::LogLine;
    use muster_schemas::telemetry::Sample;

    use super::*;

    const NOW: i64 = 1_732_100_000_000;
    const RULES: Rules =
        Rules { now_ms: NOW, late_ms_max: 86_400_000, late_lines_ms_max: 86_400_000 };

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

    fn envelope<T>(body: T) -> Envelope<T> {
        let host = "web-3".parse().unwrap();
        Envelope { v: 1, host, epoch: 5, seq: 1, sent_at: NOW, body }
    }

    #[test]
    fn old_lines_are_left_out_and_the_others_of_their_frame_are_kept() {
        let lines = [NOW - 90_000_000, NOW].map(|at| LogLine { at, ..LogLine::default() });
        let frame = encode(&envelope(LogFrame { lines: lines.into() }));
        let sorted = sort::<LogFrame>(&[incoming("logs.web-3", &frame)], RULES);
        assert_eq!((sorted.accepted.len(), sorted.expired), (1, 1), "{:?}", sorted.rejected);
        assert_eq!(sorted.accepted[0].1.body.lines[0].at, NOW);
    }

    #[test]
    fn an_inventory_on_the_subject_of_another_kind_is_refused() {
        let inventory = Inventory { at: NOW, item: InventoryItem::System(Box::default()) };
        let message = encode(&envelope(inventory));
        let batch = [
            incoming("inventory.web-3.system", &message),
            incoming("inventory.web-3.configuration", &message),
        ];
        let sorted = sort::<Inventory>(&batch, RULES);
        assert_eq!(sorted.accepted.len(), 1);
        assert!(sorted.rejected[0].reason.contains("does not carry"), "{:?}", sorted.rejected);
    }
}
