//! Poison of every kind, on every channel and in both formats, each between two good messages: it
//! ends among the dead letters with a reason that names the field, and costs nobody else anything.
//! Messages that are wrong by their size or their headers are in `bad_input`.

use async_nats::HeaderMap;
use muster_nats::headers::{CONTENT_TYPE, durable};
use muster_nats::{Stream, dead};
use muster_runtime::now_ms;
use muster_schemas::codec::encode;
use muster_tests::bus::{Bus, TestHost};
use muster_tests::wait::{eventually, expect};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::setup::{Running, start_ingest};

/// One kind of message: where it is published, under which channel it is numbered, and a good one.
struct Kind {
    subject: &'static str,
    channel: &'static str,
    good: Value,
}

/// Makes a good message, already numbered, into what is sent.
type Spoil = Box<dyn Fn(&Value) -> Vec<u8>>;

/// What is wrong with it, and what must be said about it.
struct Poison {
    spoil: Spoil,
    is_json: bool,
    reason: &'static str,
}

impl Poison {
    fn msgpack(reason: &'static str, spoil: impl Fn(&Value) -> Vec<u8> + 'static) -> Self {
        Self { spoil: Box::new(spoil), is_json: false, reason }
    }

    fn json(reason: &'static str, spoil: impl Fn(&Value) -> Vec<u8> + 'static) -> Self {
        Self { spoil: Box::new(spoil), is_json: true, reason }
    }
}

/// What was sent, and what must be said about it.
type Sent = (Vec<u8>, &'static str);

/// A place in a message, a value it must not have, and what is said then.
type Spoiled = (&'static str, Value, &'static str);

fn deep() -> Value {
    (0..300).fold(json!(1), |inner, _| json!([inner]))
}

/// What no compression makes any shorter.
fn random_text(bytes: usize) -> String {
    let mut random = SmallRng::seed_from_u64(7);
    (0..bytes).map(|_| random.random_range('!'..='~')).collect()
}

fn telemetry() -> Kind {
    let mut good = serde_json::to_value(TestHost::new("web-1").frame(1, &[now_ms()])).unwrap();
    good["body"]["samples"][0]["custom"] = json!([{"name": "queue", "value": 1.0}]);
    Kind { subject: "telemetry.web-1", channel: "telemetry", good }
}

fn of_fixture(subject: &'static str, channel: &'static str, text: &str) -> Kind {
    let mut good: Value = serde_json::from_str(text).unwrap();
    let host = TestHost::new("web-1");
    good["host"] = json!(host.id);
    good["epoch"] = json!(host.epoch);
    Kind { subject, channel, good }
}

fn logs() -> Kind {
    let text = include_str!("../../../schemas/fixtures/logs.json");
    let mut kind = of_fixture("logs.web-1", "logs", text);
    for line in kind.good["body"]["lines"].as_array_mut().unwrap() {
        line["at"] = json!(now_ms());
    }
    kind
}

fn heartbeat() -> Kind {
    let text = include_str!("../../../schemas/fixtures/heartbeat_full.json");
    of_fixture("signals.web-1.heartbeat", "signals", text)
}

fn candidate() -> Kind {
    let text = include_str!("../../../schemas/fixtures/candidate.json");
    of_fixture("signals.web-1.candidate", "signals", text)
}

fn system() -> Kind {
    let text = include_str!("../../../schemas/fixtures/inventory_system.json");
    of_fixture("inventory.web-1.system", "inventory", text)
}

fn spoiled_telemetry(good: &Value) -> Vec<Spoiled> {
    let interface = good["body"]["samples"][0]["networks"][0].clone();
    let twice = json!([interface, interface]);
    let endless = json!([{
        "mount": "/bucket", "device": "s3", "fs_type": "fuse",
        "total_bytes": 1, "used_bytes": 1, "available_bytes": i64::MAX,
    }]);
    vec![
        ("/v", json!(2), "envelope version 2"),
        ("/v", json!(-1), "v: "),
        ("/host", json!("web-*"), "host: host id \"web-*\""),
        ("/seq", json!(0), "sequence number 0"),
        ("/seq", json!(i64::MAX - 1), "sequence number 9223372036854775806 is outside"),
        ("/epoch", json!(-1), "epoch -1"),
        ("/sent_at", json!(i64::MAX), "sent_at is 9223372036854775807"),
        ("/sent_at", json!(-1), "sent_at is -1"),
        ("/body/samples", json!([]), "body.samples is 0"),
        ("/body/samples", json!({"at": 1}), "body.samples: "),
        ("/body/samples/0/at", json!(0), "body.samples[0].at is 0"),
        ("/body/samples/0/at", json!(now_ms() + 3_600_000), "body.samples[0].at is "),
        ("/body/samples/0/at", json!(i64::MAX), "body.samples[0].at is 9223372036854775807"),
        ("/body/samples/0/at", json!(1.5e12), "body.samples[0].at: "),
        ("/body/samples/0/uptime_s", json!(-1), "body.samples[0].uptime_s is -1"),
        ("/body/samples/0/cpu", deep(), "body.samples[0].cpu"),
        ("/body/samples/0/cpu/usage_percent", json!(1e300), "cpu.usage_percent"),
        ("/body/samples/0/cpu/usage_percent", json!(-1e-3), "cpu.usage_percent is -0.001"),
        ("/body/samples/0/cpu/cores_percent/1", json!("5"), "cpu.cores_percent[1]: "),
        ("/body/samples/0/memory/used_bytes", json!(u64::MAX), "memory.used_bytes: "),
        ("/body/samples/0/memory/used_bytes", json!(null), "memory.used_bytes: "),
        ("/body/samples/0/memory/used_bytes", json!(1_i64 << 53), "used_bytes is 9007199254740992"),
        ("/body/samples/0/filesystems", endless, "filesystems[0].available_bytes is 92233720"),
        ("/body/samples/0/custom/0/name", json!(random_text(1025)), "custom[0].name is "),
        ("/body/samples/0/networks", twice, "networks[1].interface is \"eth0\""),
        ("/body/samples/0/networks/0/interface", deep(), "networks[0].interface: "),
        ("/body/samples/0/networks/0/interface", json!("\u{0}"), "networks[0].interface is "),
        ("/body/samples/0/networks/0/rx_bytes_per_s", json!(i64::MAX), "rx_bytes_per_s is "),
        ("/body/samples/0/tcp_connections", json!(-5), "tcp_connections is -5"),
    ]
}

fn spoiled_logs() -> Vec<Spoiled> {
    vec![
        ("/body/lines", json!([]), "body.lines is 0"),
        ("/body/lines/0/at", json!(now_ms() + 3_600_000), "body.lines[0].at is "),
        ("/body/lines/0/at", json!(5), "body.lines[0].at is 5"),
        ("/body/lines/1/message", json!("a\u{0}b"), "body.lines[1].message is "),
        ("/body/lines/1/severity", json!("apocalyptic"), "body.lines[1].severity: "),
        ("/body/lines/2/suppressed", json!(-1), "body.lines[2].suppressed is -1"),
    ]
}

fn spoiled_heartbeat() -> Vec<Spoiled> {
    vec![
        ("/body/interval_ms", json!(0), "body.interval_ms is 0"),
        ("/body/agent_uptime_s", json!(-1), "body.agent_uptime_s is -1"),
        ("/body/agent_version", json!("\u{0}"), "body.agent_version is "),
        ("/body/channels/telemetry/acked", json!(-3), "body.channels.telemetry is "),
        ("/sent_at", json!(i64::MAX), "sent_at is "),
    ]
}

fn spoiled_candidate() -> Vec<Spoiled> {
    vec![
        ("/body/since", json!(i64::MIN), "body.since is "),
        ("/body/metric", json!("\u{0}"), "body.metric is "),
        ("/body/state", json!("perhaps"), "body.state: "),
        (
            "/body/context/processes/0/cpu_percent",
            json!(1e300),
            "body.context.processes[0].cpu_percent",
        ),
    ]
}

fn spoiled_system() -> Vec<Spoiled> {
    vec![
        ("/body/at", json!(0), "body.at is 0"),
        ("/body/at", json!(now_ms() + 3_600_000), "body.at is "),
        ("/body/detail/memory_bytes", json!(-1), "body.detail.memory_bytes is -1"),
        ("/body/detail/hostname", json!("\u{0}"), "body.detail is NUL"),
    ]
}

/// In both formats.
fn poisons(spoiled: Vec<Spoiled>) -> Vec<Poison> {
    let both = |(pointer, value, reason): Spoiled| {
        let with = move |good: &Value| {
            let mut message = good.clone();
            *message.pointer_mut(pointer).expect(pointer) = value.clone();
            message
        };
        let as_json = with.clone();
        [
            Poison::msgpack(reason, move |good| encode(&with(good))),
            Poison::json(reason, move |good| serde_json::to_vec(&as_json(good)).unwrap()),
        ]
    };
    spoiled.into_iter().flat_map(both).collect()
}

/// The bytes with the first `from` replaced, which must be there.
fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let start = bytes.windows(from.len()).position(|window| window == from).unwrap();
    [&bytes[..start], to, &bytes[start + from.len()..]].concat()
}

/// What no value can say: broken bytes, and numbers that are none.
fn broken_telemetry() -> Vec<Poison> {
    const INTERFACE: &str = "body.samples[0].networks[0].interface";
    const USAGE: &str = "body.samples[0].cpu.usage_percent";
    let name = |to: &'static [u8]| {
        let spoil = move |good: &Value| replace(&encode(good), b"\xa4eth0", to);
        Poison::msgpack(INTERFACE, spoil)
    };
    let text = |reason, from: &'static [u8], to: &'static [u8]| {
        Poison::json(reason, move |good| replace(&serde_json::to_vec(good).unwrap(), from, to))
    };
    vec![
        name(b"\xa4\xff\xfe\xfd\xfc"),
        // Two gigabytes of text and two billion items are announced, and none follow.
        name(b"\xdb\x7f\xff\xff\xffeth0"),
        name(b"\xdd\x7f\xff\xff\xff"),
        Poison::msgpack("body.samples[0]", |good| {
            let whole = encode(good);
            whole[..whole.len() / 2].to_vec()
        }),
        Poison::msgpack("1 bytes follow the end", |good| [encode(good), vec![0]].concat()),
        Poison::msgpack("not MessagePack: ", |_| Vec::new()),
        Poison::msgpack("body.samples[0].cpu.usage_percent is NaN", |good| {
            replace(&encode(good), &12.5f64.to_be_bytes(), &f64::NAN.to_be_bytes())
        }),
        Poison::msgpack("body.samples[0].cpu.usage_percent is -inf", |good| {
            replace(&encode(good), &12.5f64.to_be_bytes(), &f64::NEG_INFINITY.to_be_bytes())
        }),
        text(INTERFACE, b"eth0", b"eth\xff"),
        text(USAGE, b"12.5", b"NaN"),
        text(USAGE, b"12.5", b"-Infinity"),
        text(USAGE, b"12.5", b"1e999"),
        Poison::json("invalid type: sequence", |_| vec![b'['; 100_000]),
        Poison::json("not JSON: ", |_| Vec::new()),
    ]
}

fn headers_of(channel: &str, seq: i64, is_json: bool) -> HeaderMap {
    let host = TestHost::new("web-1");
    let mut headers = durable(&format!("{}/{channel}/{}/{seq}", host.id, host.epoch));
    if is_json {
        headers.insert(CONTENT_TYPE, "application/json");
    }
    headers
}

/// Publishes each poison after a good message, and a good one last, numbered from `first`.
async fn publish_between(bus: &Bus, kind: &Kind, first: i64, poisons: &[Poison]) -> Vec<Sent> {
    let (mut seq, mut sent) = (first, Vec::new());
    let numbered = |seq: i64| {
        let mut message = kind.good.clone();
        message["seq"] = json!(seq);
        message
    };
    let good = async |seq: i64| {
        let headers = headers_of(kind.channel, seq, false);
        bus.publish(kind.subject, headers, encode(&numbered(seq))).await.unwrap();
    };
    for poison in poisons {
        good(seq).await;
        let headers = headers_of(kind.channel, seq + 1, poison.is_json);
        let payload = (poison.spoil)(&numbered(seq + 1));
        bus.publish(kind.subject, headers, payload.clone()).await.unwrap();
        sent.push((payload, poison.reason));
        seq += 2;
    }
    good(seq).await;
    sent
}

/// Good and poison in turn, from 1, as the ledger writes it. Where one kind ends and the
/// next begins, two good ones meet.
fn expected_ledger(runs: &[usize]) -> (String, String) {
    let (mut good, mut dead, mut seq) = (Vec::new(), Vec::new(), 1);
    for poisons in runs {
        for _ in 0..*poisons {
            good.push(seq);
            dead.push(seq + 1);
            seq += 2;
        }
        good.push(seq);
        seq += 1;
    }
    (ranges(&good), ranges(&dead))
}

fn ranges(numbers: &[i64]) -> String {
    muster_ingest_worker::logic::ranges::multirange(numbers.to_vec())
}

async fn accounted(running: &Running, channel: &str, runs: &[usize]) {
    let host = TestHost::new("web-1");
    eventually(&format!("all of {channel} is accounted for"), async || {
        let ledger = running.database.ledger(&host.id, channel).await.unwrap();
        expect(ledger, Some(expected_ledger(runs)))
    })
    .await;
}

#[tokio::test]
async fn poison_of_every_kind_is_set_aside_with_its_reason_and_alters_nothing() {
    let mut running = start_ingest(1).await;
    let pid = running.stack.pid("ingest-worker-1").unwrap();
    let (telemetry, logs) = (telemetry(), logs());
    let (heartbeat, candidate, system) = (heartbeat(), candidate(), system());
    let mut of_telemetry = poisons(spoiled_telemetry(&telemetry.good));
    of_telemetry.extend(broken_telemetry());
    let (of_logs, of_systems) = (poisons(spoiled_logs()), poisons(spoiled_system()));
    let of_heartbeats = poisons(spoiled_heartbeat());
    let of_candidates = poisons(spoiled_candidate());

    let bus = &running.bus;
    let dead_telemetry = publish_between(bus, &telemetry, 1, &of_telemetry).await;
    let dead_logs = publish_between(bus, &logs, 1, &of_logs).await;
    let mut dead_signals = publish_between(bus, &heartbeat, 1, &of_heartbeats).await;
    let next = 2 * of_heartbeats.len() as i64 + 2;
    dead_signals.extend(publish_between(bus, &candidate, next, &of_candidates).await);
    let dead_inventory = publish_between(bus, &system, 1, &of_systems).await;

    accounted(&running, "telemetry", &[of_telemetry.len()]).await;
    accounted(&running, "logs", &[of_logs.len()]).await;
    accounted(&running, "signals", &[of_heartbeats.len(), of_candidates.len()]).await;
    accounted(&running, "inventory", &[of_systems.len()]).await;
    assert_eq!(running.stack.pid("ingest-worker-1").unwrap(), pid, "the worker never ended");
    assert!(running.stack.service("ingest-worker-1").unwrap().is_running());

    check_dead_letters(&running, "dead.telemetry", &dead_telemetry).await;
    check_dead_letters(&running, "dead.logs", &dead_logs).await;
    check_dead_letters(&running, "dead.signals", &dead_signals).await;
    check_dead_letters(&running, "dead.inventory", &dead_inventory).await;
    check_neighbours(&running, &telemetry.good, of_telemetry.len() + 1).await;
    let lines = logs.good["body"]["lines"].as_array().unwrap().len() * (of_logs.len() + 1);
    assert_eq!(running.database.count("log_lines").await.unwrap(), lines as i64);
}

/// Intake knows what the indexes of the schema take. An operator may add one, a limit may be
/// forgotten: what the database can never take must not be tried for ever.
#[tokio::test]
async fn a_limit_of_the_database_that_intake_does_not_know_costs_one_message() {
    let running = start_ingest(1).await;
    let index = "CREATE INDEX ON custom_samples (instance)";
    running.database.client.batch_execute(index).await.unwrap();
    let kind = telemetry();
    let poison = [Poison::msgpack("index row", |good| {
        let mut message = good.clone();
        message["body"]["samples"][0]["custom"][0]["instance"] = json!(random_text(4096));
        encode(&message)
    })];
    let sent = publish_between(&running.bus, &kind, 1, &poison).await;
    accounted(&running, "telemetry", &[1]).await;
    check_dead_letters(&running, "dead.telemetry", &sent).await;
    check_neighbours(&running, &kind.good, 2).await;
}

/// Each is there once and whole, with its reason.
async fn check_dead_letters(running: &Running, subject: &str, sent: &[Sent]) {
    let letters = running.bus.read_all(Stream::Dead).await.unwrap();
    let letters: Vec<_> = letters.into_iter().filter(|l| l.subject == subject).collect();
    assert_eq!(letters.len(), sent.len(), "{subject}");
    for (payload, expected) in sent {
        let reasons = letters.iter().filter(|letter| letter.payload == *payload).map(|letter| {
            let reason = letter.headers.get(dead::REASON).unwrap();
            reason.as_str()
        });
        let reasons: Vec<&str> = reasons.collect();
        assert!(reasons.iter().any(|r| r.contains(expected)), "{reasons:?} is not {expected:?}");
    }
}

/// All good frames were the same: so must their rows be, and nothing else is there.
async fn check_neighbours(running: &Running, good: &Value, count: usize) {
    let sql = "
        SELECT count(*), (extract(epoch FROM min(ts)) * 1000)::int8,
            (extract(epoch FROM max(ts)) * 1000)::int8, min(cpu_usage_percent),
            max(cpu_usage_percent), min(memory_used_bytes), max(memory_used_bytes)
        FROM host_samples";
    let row = running.database.client.query_one(sql, &[]).await.unwrap();
    let at = good["body"]["samples"][0]["at"].as_i64().unwrap();
    assert_eq!(row.get::<_, i64>(0), count as i64);
    assert_eq!((row.get::<_, i64>(1), row.get::<_, i64>(2)), (at, at));
    assert_eq!((row.get::<_, f32>(3), row.get::<_, f32>(4)), (12.5, 12.5));
    assert_eq!((row.get::<_, i64>(5), row.get::<_, i64>(6)), (1 << 29, 1 << 29));
}
