//! Whatever arrives is stored as it was meant or refused with a reason: bytes at random, good
//! messages with bytes changed, and good messages with one value changed. Nothing runs but the
//! worker's own judgement; what the bus and the database add is in the pipeline tests.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

use muster_ingest_worker::logic::intake::{Incoming, Rules, Sorted, Storable, sort};
use muster_schemas::codec::{decode, decode_in_bulk, encode};
use muster_schemas::inventory::Inventory;
use muster_schemas::logs::LogFrame;
use muster_schemas::signals::Signal;
use muster_schemas::telemetry::TelemetryFrame;
use muster_schemas::{ContentType, DecodeError, Envelope};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

/// When the golden messages were new.
const NOW: i64 = 1_732_103_700_000;

const DAY_MS: i64 = 86_400_000;

const RULES: Rules =
    Rules { now_ms: NOW, late_ms_max: 400 * DAY_MS, late_lines_ms_max: 400 * DAY_MS };

/// A good message of each kind, and the subject it comes on.
const GOLDEN: [(&str, &str); 7] = [
    ("telemetry.web-3", include_str!("../../schemas/fixtures/telemetry.json")),
    ("telemetry.web-3", include_str!("../../schemas/fixtures/telemetry_full.json")),
    ("logs.web-3", include_str!("../../schemas/fixtures/logs.json")),
    ("p.1.web-3.heartbeat", include_str!("../../schemas/fixtures/heartbeat_full.json")),
    ("p.1.web-3.candidate", include_str!("../../schemas/fixtures/candidate.json")),
    ("inventory.web-3.system", include_str!("../../schemas/fixtures/inventory_system.json")),
    (
        "inventory.web-3.configuration",
        include_str!("../../schemas/fixtures/inventory_configuration.json"),
    ),
];

fn golden(which: usize) -> Value {
    serde_json::from_str(GOLDEN[which].1).unwrap()
}

/// What became of one message: what would be stored, or why not.
fn judge(subject: &str, content_type: ContentType, payload: &[u8]) -> Result<Value, String> {
    match subject.split('.').next() {
        Some("telemetry") => judge_as::<TelemetryFrame>(subject, content_type, payload),
        Some("logs") => judge_as::<LogFrame>(subject, content_type, payload),
        Some("inventory") => judge_as::<Inventory>(subject, content_type, payload),
        _ => judge_as::<Signal>(subject, content_type, payload),
    }
}

fn judge_as<T: Storable>(
    subject: &str,
    content_type: ContentType,
    payload: &[u8],
) -> Result<Value, String> {
    let content_type = Ok(content_type);
    let message = Incoming { subject, content_type, id: None, stored_at: NOW, payload };
    let Sorted { accepted, rejected, repeated, .. } = sort::<T>(&[message], RULES);
    assert_eq!(accepted.len() + rejected.len(), 1, "it is stored or refused, and not both");
    assert_eq!(repeated, 0);
    match rejected.into_iter().next() {
        Some(refused) => Err(refused.reason),
        None => Ok(serde_json::to_value(&accepted[0].1).unwrap()),
    }
}

fn in_both_formats(message: &Value) -> [(ContentType, Vec<u8>); 2] {
    let json = serde_json::to_vec(message).unwrap();
    [(ContentType::Msgpack, encode(message)), (ContentType::Json, json)]
}

#[test]
fn the_golden_messages_are_stored_as_they_are() {
    for (which, (subject, _)) in GOLDEN.into_iter().enumerate() {
        for (content_type, payload) in in_both_formats(&golden(which)) {
            assert_eq!(judge(subject, content_type, &payload), Ok(golden(which)), "{subject}");
        }
    }
}

/// The paths of all values in a message.
fn places(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                places(inner, &format!("{path}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                places(inner, &format!("{path}/{index}"), found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}

/// What no field may silently make something else of.
fn hostile_values() -> impl Strategy<Value = Value> {
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    let fixed = vec![
        json!(null),
        json!(true),
        json!(-1),
        json!(-0.5),
        json!(i64::MIN),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1e300),
        json!(-1e300),
        json!("\u{0}"),
        json!("*"),
        json!("x".repeat(20_000)),
        json!([]),
        json!({}),
        deep,
    ];
    prop_oneof![
        proptest::sample::select(fixed),
        any::<i64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        any::<String>().prop_map(|text| json!(text)),
    ]
}

/// Whether what is stored says the same as what was sent: a float of four bytes is rounded, and
/// what says nothing may be left out.
fn same(sent: &Value, stored: Option<&Value>) -> bool {
    match (sent, stored) {
        (sent, Some(stored)) if sent == stored => true,
        (Value::Number(sent), Some(Value::Number(stored))) if stored.is_f64() => {
            let (sent, stored) = (sent.as_f64().unwrap(), stored.as_f64().unwrap());
            (sent - stored).abs() <= sent.abs() * 1e-6 + 1e-37
        }
        (Value::Number(sent), None) => sent.as_f64().is_some_and(|sent| sent.abs() < 1e-37),
        (sent, None | Some(Value::Null)) => {
            [json!(null), json!(""), json!([]), json!({})].contains(sent)
        }
        _ => false,
    }
}

/// Whether a reason names the field, the last word of its path that is no number.
fn is_named(reason: &str, place: &str) -> bool {
    let field = place.rsplit('/').find(|part| part.parse::<usize>().is_err()).unwrap_or_default();
    let in_words = match field {
        "v" => "envelope version",
        "seq" => "sequence number",
        other => other,
    };
    // Of a map and of a tagged value, the whole is named; a body may be one.
    let whole = place.split('/').nth(2).unwrap_or_default();
    let is_tag = field == "kind" && reason.starts_with("body:");
    let is_whole = is_tag || reason.contains(&format!("body.{whole}"));
    reason.contains(field) || reason.contains(in_words) || is_whole
}

/// Bytes of a message overwritten at random places.
type Changes = Vec<(Index, u8)>;

fn changes(most: usize) -> impl Strategy<Value = Changes> {
    prop::collection::vec((any::<Index>(), any::<u8>()), 0..most)
}

fn change(payload: &mut [u8], changes: Changes) {
    for (place, byte) in changes {
        payload[place.index(payload.len())] = byte;
    }
}

proptest! {
    // What a run finds becomes a named case; files of its own would only be found by a few.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_on_any_subject_are_refused_with_a_reason(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        which in 0..GOLDEN.len(),
        is_json in any::<bool>(),
    ) {
        let content_type = if is_json { ContentType::Json } else { ContentType::Msgpack };
        let said = judge(GOLDEN[which].0, content_type, &bytes);
        prop_assert!(said.is_err_and(|reason| !reason.is_empty() && reason.len() < 2000));
    }

    #[test]
    fn a_good_message_with_bytes_changed_is_refused_or_stored_as_it_then_says(
        which in 0..GOLDEN.len(),
        is_json in any::<bool>(),
        changes in changes(6),
        cut in prop::option::of(any::<Index>()),
        is_doubled in any::<bool>(),
    ) {
        let [msgpack, json] = in_both_formats(&golden(which));
        let (content_type, mut payload) = if is_json { json } else { msgpack };
        change(&mut payload, changes);
        if let Some(cut) = cut {
            payload.truncate(cut.index(payload.len()));
        }
        if is_doubled {
            payload.extend(payload.clone());
        }
        let subject = GOLDEN[which].0;
        if let Ok(stored) = judge(subject, content_type, &payload) {
            // Not as JSON: reading a decimal fraction may cost its last bit.
            let again = encode(&stored);
            prop_assert_eq!(judge(subject, ContentType::Msgpack, &again), Ok(stored));
        }
    }

    #[test]
    fn a_hostile_value_in_any_field_is_named_or_stored_as_it_is(
        which in 0..GOLDEN.len(),
        place in any::<Index>(),
        value in hostile_values(),
    ) {
        let mut message = golden(which);
        let mut found = Vec::new();
        places(&message, "", &mut found);
        let place = &found[place.index(found.len())];
        *message.pointer_mut(place).unwrap() = value.clone();
        for (content_type, payload) in in_both_formats(&message) {
            match judge(GOLDEN[which].0, content_type, &payload) {
                Ok(stored) => {
                    let kept = stored.pointer(place);
                    let list = place.rsplit_once('/').and_then(|(list, _)| stored.pointer(list));
                    // Of a set, the order means nothing.
                    let is_in_set = || {
                        let list = list.and_then(Value::as_array);
                        place.contains("/pinned/") && list.is_some_and(|all| all.contains(&value))
                    };
                    let is_same = same(&value, kept) || is_in_set();
                    prop_assert!(is_same, "{place}: {value} became {kept:?}");
                }
                Err(reason) => prop_assert!(is_named(&reason, place), "{place}: {reason}"),
            }
        }
    }

    #[test]
    fn decoding_in_bulk_differs_in_nothing_but_speed(
        which in 0..2usize,
        changes in changes(3),
        tail in prop::collection::vec(any::<u8>(), 0..2),
    ) {
        let mut payload = encode(&golden(which));
        change(&mut payload, changes);
        payload.extend(tail);
        let said = |decoded: Result<Envelope<TelemetryFrame>, DecodeError>| format!("{decoded:?}");
        let bulk = decode_in_bulk(ContentType::Msgpack, &payload);
        prop_assert_eq!(said(bulk), said(decode(ContentType::Msgpack, &payload)));
    }
}
