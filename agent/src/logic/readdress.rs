//! The same message under another epoch and number, its body untouched byte for byte.
//!
//! Used where a journal begins a new epoch while messages wait (`io::journal::epochs`).

use muster_schemas::codec::{ContentType, decode, encode};
use muster_schemas::{Envelope, HostId};
use serde::de::IgnoredAny;

/// `None` where the message is not an envelope as agents write it.
pub fn readdress(message: &[u8], epoch: i64, seq: i64) -> Option<Vec<u8>> {
    let envelope: Envelope<IgnoredAny> = decode(ContentType::Msgpack, message).ok()?;
    let Envelope { v, host, sent_at, .. } = envelope;
    let before = address(v, &host, envelope.epoch, envelope.seq, sent_at);
    let body = message.strip_prefix(before.as_slice())?;
    let mut readdressed = address(v, &host, epoch, seq, sent_at);
    readdressed.extend_from_slice(body);
    Some(readdressed)
}

/// What stands before the body, which comes last.
fn address(v: u32, host: &HostId, epoch: i64, seq: i64, sent_at: i64) -> Vec<u8> {
    let mut bytes = encode(&Envelope { v, host: host.clone(), epoch, seq, sent_at, body: () });
    // An empty body is one byte.
    bytes.pop();
    bytes
}

#[cfg(test)]
mod tests {
    use muster_schemas::ENVELOPE_VERSION;
    use muster_schemas::telemetry::{Sample, TelemetryFrame};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn only_the_address_changes(
            epochs in (0..i64::MAX, 0..i64::MAX),
            seqs in (1..i64::MAX, 1..i64::MAX),
            at in any::<i64>(),
        ) {
            let envelope = |epoch, seq| Envelope {
                v: ENVELOPE_VERSION,
                host: "web-3".parse().unwrap(),
                epoch,
                seq,
                sent_at: at,
                body: TelemetryFrame { samples: vec![Sample { at, ..Sample::default() }] },
            };
            let readdressed = readdress(&encode(&envelope(epochs.0, seqs.0)), epochs.1, seqs.1);
            prop_assert_eq!(readdressed, Some(encode(&envelope(epochs.1, seqs.1))));
        }
    }

    #[test]
    fn what_is_no_envelope_is_left_alone() {
        assert_eq!(readdress(b"", 1, 1), None);
        assert_eq!(readdress(&encode(&"hello"), 1, 1), None);
    }
}
