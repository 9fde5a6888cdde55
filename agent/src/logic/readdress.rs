//! The same message under another host id, epoch and number, its body untouched byte for byte.
//!
//! Used where a journal begins a new epoch while messages wait (`io::journal::epochs`).

use muster_schemas::codec::{decode_own, encode};
use muster_schemas::{Envelope, HostId};
use serde::de::IgnoredAny;

/// `None` where the message is not an envelope as agents write it. Without a host it keeps its own.
pub fn readdress(message: &[u8], host: Option<&HostId>, epoch: i64, seq: i64) -> Option<Vec<u8>> {
    let envelope: Envelope<IgnoredAny> = decode_own(message).ok()?;
    let Envelope { v, host: from, sent_at, .. } = envelope;
    let before = address(v, &from, envelope.epoch, envelope.seq, sent_at);
    let body = message.strip_prefix(before.as_slice())?;
    let mut readdressed = address(v, host.unwrap_or(&from), epoch, seq, sent_at);
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
            let envelope = |host: &str, epoch, seq| Envelope {
                v: ENVELOPE_VERSION,
                host: host.parse().unwrap(),
                epoch,
                seq,
                sent_at: at,
                body: TelemetryFrame { samples: vec![Sample { at, ..Sample::default() }] },
            };
            let message = encode(&envelope("web-3", epochs.0, seqs.0));
            let readdressed = readdress(&message, None, epochs.1, seqs.1);
            prop_assert_eq!(readdressed, Some(encode(&envelope("web-3", epochs.1, seqs.1))));
            let other: HostId = "another-name".parse().unwrap();
            let renamed = readdress(&message, Some(&other), epochs.1, seqs.1);
            prop_assert_eq!(renamed, Some(encode(&envelope("another-name", epochs.1, seqs.1))));
        }
    }

    #[test]
    fn what_is_no_envelope_is_left_alone() {
        assert_eq!(readdress(b"", None, 1, 1), None);
        assert_eq!(readdress(&encode(&"hello"), None, 1, 1), None);
    }
}
