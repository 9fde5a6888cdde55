//! The golden messages: what is in `fixtures/` is the contract, in Rust as in TypeScript.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::codec::{ContentType, decode, encode};
use crate::conditions::Candidate;
use crate::configuration::ConfigurationAnswer;
use crate::control::{LiveRequest, Reply, ResendAnswer};
use crate::envelope::{Durable, Envelope};
use crate::events::Event;
use crate::inventory::{Inventory, InventoryItem, SystemInfo};
use crate::live::LiveSample;
use crate::logs::{LiveLogs, LogFrame};
use crate::metrics::{METRICS, readings};
use crate::signals::Heartbeat;
use crate::telemetry::TelemetryFrame;

/// A fixture must decode, and encode to itself again: no field more, none less.
fn check<T: Serialize + DeserializeOwned>(text: &str) -> T {
    let golden: Value = serde_json::from_str(text).unwrap();
    let from_json: T = decode(ContentType::Json, text.as_bytes()).unwrap();
    assert_eq!(serde_json::to_value(&from_json).unwrap(), golden);

    let from_msgpack: T = decode(ContentType::Msgpack, &encode(&golden)).unwrap();
    let again: T = decode(ContentType::Msgpack, &encode(&from_msgpack)).unwrap();
    assert_eq!(serde_json::to_value(&again).unwrap(), golden);
    again
}

#[test]
fn golden_messages_encode_to_themselves() {
    check::<Event>(include_str!("../fixtures/event_online.json"));
    check::<Event>(include_str!("../fixtures/event_offline.json"));
    check::<Event>(include_str!("../fixtures/event_gap.json"));
    check::<Event>(include_str!("../fixtures/event_gap_repaired.json"));
    check::<Event>(include_str!("../fixtures/event_gap_lost.json"));
    check::<Event>(include_str!("../fixtures/event_alert_opened.json"));
    check::<Event>(include_str!("../fixtures/event_alert_changed.json"));
    check::<Event>(include_str!("../fixtures/event_alert_resolved.json"));
    check::<ResendAnswer>(include_str!("../fixtures/resend_answer.json"));
    check::<LiveRequest>(include_str!("../fixtures/live_request.json"));
    check::<Reply>(include_str!("../fixtures/reply_accepted.json"));
    check::<Reply>(include_str!("../fixtures/reply_refused.json"));
    check::<LiveSample>(include_str!("../fixtures/live_sample.json"));
    check::<LiveLogs>(include_str!("../fixtures/live_logs.json"));
    let answer: ConfigurationAnswer = check(include_str!("../fixtures/configuration_answer.json"));
    answer.configuration.unwrap().check().unwrap();
}

#[test]
fn golden_durable_messages_are_acceptable() {
    let frame: Envelope<TelemetryFrame> = check(include_str!("../fixtures/telemetry.json"));
    acceptable(&frame);
    let full: Envelope<TelemetryFrame> = check(include_str!("../fixtures/telemetry_full.json"));
    acceptable(&full);
    let heartbeat: Envelope<Heartbeat> = check(include_str!("../fixtures/heartbeat.json"));
    acceptable(&heartbeat);
    let full: Envelope<Heartbeat> = check(include_str!("../fixtures/heartbeat_full.json"));
    acceptable(&full);
    let candidate: Envelope<Candidate> = check(include_str!("../fixtures/candidate.json"));
    acceptable(&candidate);
    let lines: Envelope<LogFrame> = check(include_str!("../fixtures/logs.json"));
    acceptable(&lines);
    let system: Envelope<Inventory> = check(include_str!("../fixtures/inventory_system.json"));
    acceptable(&system);
    let configuration: Envelope<Inventory> =
        check(include_str!("../fixtures/inventory_configuration.json"));
    acceptable(&configuration);
}

#[test]
fn the_full_sample_has_a_value_of_every_metric() {
    let full: Envelope<TelemetryFrame> = check(include_str!("../fixtures/telemetry_full.json"));
    for metric in METRICS {
        assert!(!readings(&full.body.samples[0], metric.name).is_empty(), "{}", metric.name);
    }
}

fn acceptable<T: Durable>(envelope: &Envelope<T>) {
    let host = "web-3".parse().unwrap();
    envelope.check(&host, Some(&envelope.message_id()), envelope.sent_at).unwrap();
}

#[test]
fn unknown_fields_are_ignored_and_new_ones_are_optional() {
    let mut golden: Value =
        serde_json::from_str(include_str!("../fixtures/telemetry.json")).unwrap();
    golden["body"]["samples"][0]["from_the_future"] = serde_json::json!({"x": [1, 2]});
    golden["body"]["samples"][0].as_object_mut().unwrap().remove("sensors");
    let frame: Envelope<TelemetryFrame> = decode(ContentType::Msgpack, &encode(&golden)).unwrap();
    assert!(frame.body.samples[0].sensors.is_empty());
}

type Spoil = fn(&mut Envelope<TelemetryFrame>);

#[test]
fn each_rejection_names_the_field_the_value_and_what_is_allowed() {
    let frame: Envelope<TelemetryFrame> = check(include_str!("../fixtures/telemetry.json"));
    let now = frame.sent_at;
    let host = "web-3".parse().unwrap();
    let cases: &[(Spoil, &str)] = &[
        (|f| f.v = 9, "envelope version 9 is unknown"),
        (|f| f.host = "web-4".parse().unwrap(), "names host web-4 but the subject names web-3"),
        (|f| f.seq = 0, "sequence number 0"),
        (|f| f.epoch = -1, "epoch -1"),
        (|f| f.body.samples.clear(), "body.samples is 0, expected 1 to 720"),
        (|f| f.body.samples[1].at += 3_600_000, "body.samples[1].at is 1732103607000"),
        (|f| f.body.samples[0].at = 0, "body.samples[0].at is 0"),
        (
            |f| f.body.samples[0].cpu.usage_percent = f32::NAN,
            "body.samples[0].cpu.usage_percent is NaN, expected a finite number",
        ),
        (
            |f| f.body.samples[1].sensors[0].celsius = f32::INFINITY,
            "body.samples[1].sensors[0].celsius is inf",
        ),
        (
            |f| f.body.samples[0].memory.used_bytes = -1,
            "body.samples[0].memory.used_bytes is -1, expected 0 to 9007199254740991",
        ),
        (
            |f| f.body.samples[0].filesystems[0].mount = "a\0b".into(),
            "body.samples[0].filesystems[0].mount is \"a\\0b\"",
        ),
        (
            |f| f.body.samples[1].processes.top_memory[1].pid = -7,
            "body.samples[1].processes.top_memory[1].pid is -7",
        ),
        (|f| f.sent_at = -1, "sent_at is -1, expected 0 (1970) to"),
        (|f| f.sent_at = i64::MAX, "sent_at is 9223372036854775807"),
        (
            |f| f.body.samples[0].networks[0].rx_bytes_per_s = i64::MAX,
            "body.samples[0].networks[0].rx_bytes_per_s is 9223372036854775807",
        ),
        (
            |f| f.body.samples[0].networks[0].rx_packets_per_s = f32::MAX,
            "body.samples[0].networks[0].rx_packets_per_s is 340282350000000000000000000000",
        ),
        (
            |f| {
                let again = f.body.samples[0].networks[0].clone();
                f.body.samples[0].networks.push(again);
            },
            "].interface is \"eth0\", expected a name that comes once",
        ),
    ];
    for (spoil, reason) in cases {
        let mut spoiled = frame.clone();
        spoil(&mut spoiled);
        let said = spoiled.check(&host, None, now).unwrap_err().to_string();
        assert!(said.contains(reason), "{said:?} does not contain {reason:?}");
    }
    let other = frame.message_id().to_string().replace("/42", "/43").parse().unwrap();
    let said = frame.check(&host, Some(&other), now).unwrap_err().to_string();
    assert!(said.contains("the message id says web-3/telemetry/1732100000123/43"), "{said}");
}

#[test]
fn an_inventory_of_a_wrong_clock_or_with_impossible_counts_is_refused() {
    type Spoil = fn(&mut Inventory, &mut SystemInfo);
    let cases: &[(Spoil, &str)] = &[
        (|inventory, _| inventory.at = 0, "body.at is 0, expected 1577836800000 (2020)"),
        (|inventory, _| inventory.at += 3_600_000, "(5 minutes from now)"),
        (|_, system| system.cores_logical = -1, "body.detail.cores_logical is -1"),
        (|_, system| system.disks[0].bytes = -5, "body.detail.disks[0].bytes is -5"),
    ];
    let text = include_str!("../fixtures/inventory_system.json");
    let golden: Envelope<Inventory> = decode(ContentType::Json, text.as_bytes()).unwrap();
    for (spoil, reason) in cases {
        let mut spoiled = golden.clone();
        let InventoryItem::System(system) = &golden.body.item else { panic!("a system") };
        let mut system = system.clone();
        spoil(&mut spoiled.body, &mut system);
        spoiled.body.item = InventoryItem::System(system);
        let said = spoiled.check(&golden.host, None, golden.body.at).unwrap_err().to_string();
        assert!(said.contains(reason), "{said:?} does not contain {reason:?}");
    }
}
