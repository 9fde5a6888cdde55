//! A backlog does not hold up what is fresh, and what was asked for again comes again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_nats::jetstream;
use muster_agent::io::journal::JournalOptions;
use muster_agent::io::to_bus::{Resender, SendOptions, Sender};
use muster_agent::logic::journal_policy::JournalLimits;
use muster_agent::recorder::Recorder;
use muster_agent::service::heartbeat;
use muster_nats::{BusOptions, Stream, connect, headers};
use muster_runtime::now_ms;
use muster_schemas::Channel;
use muster_schemas::conditions::{Candidate, CandidateState, Context};
use muster_schemas::control::{Loss, LossCause, ResendRequest};
use muster_stack::nats::NatsServer;
use muster_tests::bus::{Bus, sample};
use muster_tests::wait::eventually;
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// A frame of the tests takes about 1 kB: this is some 25 a second.
const SLOW: u64 = 25_000;

/// At that rate, four seconds.
const BACKLOG: i64 = 100;

/// An agent's recorder and sender, without the rest of an agent.
struct Sending {
    recorder: Arc<Recorder>,
    resender: Resender,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

fn recorder(directory: &std::path::Path) -> Arc<Recorder> {
    let limits = JournalLimits { bytes_max: 64 << 20, retain_after_ack_ms: 600_000 };
    let options = JournalOptions { limits, durable: true };
    let host = "patient".parse().unwrap();
    Arc::new(Recorder::open(host, directory, options, now_ms()).unwrap())
}

impl Sending {
    async fn start(recorder: Arc<Recorder>, url: &str, replay_bytes_per_s: u64) -> Self {
        let client = connect(BusOptions {
            url: url.into(),
            credentials: None,
            name: "replaying".into(),
            inbox_prefix: None,
            connected: None,
        })
        .await
        .unwrap();
        let options = SendOptions { replay_bytes_per_s };
        let (sender, resender) = Sender::new(recorder.clone(), jetstream::new(client), options);
        let stop = CancellationToken::new();
        let task = tokio::spawn(sender.run(stop.clone()));
        Self { recorder, resender, stop, task }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

fn write_frames(recorder: &Recorder, count: i64) {
    for _ in 0..count {
        recorder.record_sample(sample(now_ms()), now_ms());
        recorder.close_frame(now_ms());
    }
}

fn beat(recorder: &Recorder) {
    recorder.record_heartbeat(now_ms(), |journal| {
        heartbeat(journal, Duration::from_secs(30), Instant::now())
    });
}

/// The numbers a channel has in its stream, with how often each is there.
async fn stored(bus: &Bus, stream: Stream) -> Result<BTreeMap<i64, usize>, String> {
    let messages = bus.read_all(stream).await.map_err(|error| format!("{error:#}"))?;
    let mut numbers = BTreeMap::new();
    for message in messages {
        let id = headers::message_id(Some(&message.headers)).unwrap();
        *numbers.entry(id.seq).or_default() += 1;
    }
    Ok(numbers)
}

fn each_once(stored: &BTreeMap<i64, usize>, count: i64) -> Result<(), String> {
    let wanted = (1..=count).map(|seq| (seq, 1)).collect::<BTreeMap<_, _>>();
    if *stored == wanted { Ok(()) } else { Err(format!("{} of {count}", stored.len())) }
}

async fn wait_until_written(sending: &Sending, bus: &Bus, frames: i64) {
    eventually("the backlog is through, each frame once", async || {
        each_once(&stored(bus, Stream::Telemetry).await?, frames)
    })
    .await;
    eventually("everything is announced as acknowledged", async || {
        let mut acked = 0;
        sending.recorder.record_heartbeat(now_ms(), |journal| {
            acked = journal.progress(Channel::Telemetry).map_or(0, |progress| progress.acked);
            heartbeat(journal, Duration::from_secs(30), Instant::now())
        });
        if acked == frames { Ok(()) } else { Err(format!("{acked}")) }
    })
    .await;
}

#[tokio::test]
async fn what_is_fresh_arrives_while_a_backlog_is_replayed_slowly() {
    let server = NatsServer::start_temporary().await.unwrap();
    let bus = Bus::connect(&server.url()).await.unwrap();
    bus.prepare().await.unwrap();
    let directory = muster_stack::temporary_dir().unwrap();
    let recorder = recorder(directory.path());
    write_frames(&recorder, BACKLOG);
    let sending = Sending::start(recorder, &server.url(), SLOW).await;
    eventually("the replay has begun", async || {
        let some = stored(&bus, Stream::Telemetry).await?;
        if some.is_empty() { Err("nothing is there".to_owned()) } else { Ok(()) }
    })
    .await;
    beat(&sending.recorder);
    write_frames(&sending.recorder, 1);
    let numbers = eventually("the fresh frame and the heartbeat are there", async || {
        let beats = stored(&bus, Stream::Signals).await?;
        let frames = stored(&bus, Stream::Telemetry).await?;
        let both = beats.contains_key(&1) && frames.contains_key(&(BACKLOG + 1));
        if both { Ok(frames) } else { Err(format!("{beats:?}, {} frames", frames.len())) }
    })
    .await;
    let waiting = BACKLOG + 1 - numbers.len() as i64;
    assert!(waiting > 0, "the backlog was through before the fresh frame");
    sending.recorder.record_heartbeat(now_ms(), |journal| {
        let acked = journal.progress(Channel::Telemetry).unwrap().acked;
        assert!(acked < BACKLOG, "{acked} are announced although {waiting} wait");
        heartbeat(journal, Duration::from_secs(30), Instant::now())
    });
    wait_until_written(&sending, &bus, BACKLOG + 1).await;
    sending.stop().await;
}

fn suspect(recorder: &Recorder) {
    let candidate = Candidate {
        at: now_ms(),
        rule: "cpu".into(),
        rule_version: 1,
        metric: "cpu.usage_percent".into(),
        instance: String::new(),
        state: CandidateState::Breached,
        value: 99.0,
        threshold: 90.0,
        since: now_ms(),
        context: Context::default(),
    };
    recorder.record(candidate, now_ms()).unwrap();
}

#[tokio::test]
async fn candidates_arrive_in_order_and_before_the_backlog_is_through() {
    let server = NatsServer::start_temporary().await.unwrap();
    let bus = Bus::connect(&server.url()).await.unwrap();
    bus.prepare().await.unwrap();
    let directory = muster_stack::temporary_dir().unwrap();
    let recorder = recorder(directory.path());
    for _ in 0..20 {
        write_frames(&recorder, BACKLOG / 20);
        suspect(&recorder);
    }
    let sending = Sending::start(recorder, &server.url(), SLOW).await;
    suspect(&sending.recorder);
    let frames = eventually("all candidates are there", async || {
        let frames = stored(&bus, Stream::Telemetry).await?;
        each_once(&stored(&bus, Stream::Signals).await?, 21)?;
        Ok(frames.len() as i64)
    })
    .await;
    assert!(frames < BACKLOG, "they waited for the backlog");
    let messages = bus.read_all(Stream::Signals).await.unwrap();
    let order: Vec<i64> = messages
        .iter()
        .map(|message| headers::message_id(Some(&message.headers)).unwrap().seq)
        .collect();
    assert_eq!(order, (1..=21).collect::<Vec<_>>());
    wait_until_written(&sending, &bus, BACKLOG).await;
    sending.stop().await;
}

#[tokio::test]
async fn a_sender_that_is_stopped_in_a_replay_goes_on_where_it_was() {
    let server = NatsServer::start_temporary().await.unwrap();
    let bus = Bus::connect(&server.url()).await.unwrap();
    bus.prepare().await.unwrap();
    let directory = muster_stack::temporary_dir().unwrap();
    let first = recorder(directory.path());
    write_frames(&first, BACKLOG);
    let sending = Sending::start(first, &server.url(), SLOW).await;
    write_frames(&sending.recorder, 3);
    eventually("what is fresh is there", async || {
        let frames = stored(&bus, Stream::Telemetry).await?;
        if frames.contains_key(&(BACKLOG + 3)) { Ok(()) } else { Err(format!("{frames:?}")) }
    })
    .await;
    sending.stop().await;
    let sending = Sending::start(recorder(directory.path()), &server.url(), 0).await;
    wait_until_written(&sending, &bus, BACKLOG + 3).await;
    sending.stop().await;
}

#[tokio::test]
async fn an_outage_longer_than_the_window_costs_nothing() {
    let mut server = NatsServer::start_temporary().await.unwrap();
    let bus = Bus::connect(&server.url()).await.unwrap();
    bus.prepare().await.unwrap();
    let directory = muster_stack::temporary_dir().unwrap();
    let sending = Sending::start(recorder(directory.path()), &server.url(), 0).await;
    write_frames(&sending.recorder, 5);
    wait_until_written(&sending, &bus, 5).await;
    server.kill9().await;
    for _ in 0..16 {
        write_frames(&sending.recorder, 50);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.start().await.unwrap();
    let bus = Bus::connect(&server.url()).await.unwrap();
    wait_until_written(&sending, &bus, 805).await;
    sending.stop().await;
}

#[tokio::test]
async fn a_gap_is_filled_from_the_journal() {
    let server = NatsServer::start_temporary().await.unwrap();
    let bus = Bus::connect(&server.url()).await.unwrap();
    bus.prepare().await.unwrap();
    let directory = muster_stack::temporary_dir().unwrap();
    let sending = Sending::start(recorder(directory.path()), &server.url(), 0).await;
    write_frames(&sending.recorder, 10);
    wait_until_written(&sending, &bus, 10).await;
    bus.context.get_stream("TELEMETRY").await.unwrap().purge().await.unwrap();
    let epoch = sending.recorder.epoch();
    let request = ResendRequest { channel: Channel::Telemetry, epoch, from: 3, to: 12, attempt: 1 };
    let answer = sending.resender.resend(request).await.unwrap();
    let loss = Loss { from: 11, to: 12, cause: LossCause::NotWritten };
    assert_eq!((answer.found, answer.missing, answer.losses), (8, vec![(11, 12)], vec![loss]));
    eventually("what was asked for is there again", async || {
        let frames = stored(&bus, Stream::Telemetry).await?;
        let numbers: BTreeSet<i64> = frames.into_keys().collect();
        if numbers == (3..=10).collect() { Ok(()) } else { Err(format!("{numbers:?}")) }
    })
    .await;
    let unknown = ResendRequest { epoch: 7, ..request };
    let answer = sending.resender.resend(unknown).await.unwrap();
    let loss = Loss { from: 3, to: 12, cause: LossCause::UnknownEpoch };
    assert_eq!((answer.found, answer.losses), (0, vec![loss]));
    sending.stop().await;
}
