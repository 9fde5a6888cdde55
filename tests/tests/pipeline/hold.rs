//! What an agent holds back on each connection until the centre was heard, and what it does then: a
//! whole agent in this process, a real bus, and the test in place of every gateway.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_nats::Message;
use futures::StreamExt;
use muster_agent::config::Config;
use muster_agent::service;
use muster_nats::{Stream, headers, subjects};
use muster_runtime::now_ms;
use muster_schemas::codec::{decode, encode};
use muster_schemas::configuration::{ConfigurationAnswer, ConfigurationRequest};
use muster_schemas::control::{Reply, Status};
use muster_schemas::{Channel, HostId};
use muster_stack::nats::NatsServer;
use muster_tests::bus::Bus;
use muster_tests::wait::{PATIENCE, eventually, expect};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Duration, timeout};
use tokio_util::sync::CancellationToken;

fn host() -> HostId {
    "held-back".parse().unwrap()
}

/// An agent that looks and speaks each second, and its bus.
struct Held {
    server: NatsServer,
    bus: Bus,
    stop: CancellationToken,
    agent: JoinHandle<()>,
    _state: TempDir,
}

impl Held {
    /// Starts the bus; the agent once `prepare` has made the test ready for it.
    async fn start<T>(prepare: impl AsyncFnOnce(&Bus) -> T) -> (Self, T) {
        let server = NatsServer::start_temporary().await.unwrap();
        let bus = Bus::connect(&server.url()).await.unwrap();
        bus.prepare().await.unwrap();
        let prepared = prepare(&bus).await;
        let state = muster_stack::temporary_dir().unwrap();
        let second = Duration::from_secs(1);
        let config = Config {
            host_id: host().to_string(),
            nats_url: server.url(),
            state_dir: state.path().into(),
            sample_interval: second,
            publish_interval: second,
            heartbeat_interval: second,
            log_paths: Vec::new(),
            collectors: ["journald", "smart", "containers", "scripts"]
                .map(|name| (name.to_owned(), false))
                .into(),
            ..Config::default()
        };
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let agent = tokio::spawn(async move { service::run(config, None, stopped).await.unwrap() });
        (Self { server, bus, stop, agent, _state: state }, prepared)
    }

    async fn stop(self) {
        self.stop.cancel();
        self.agent.await.unwrap();
    }

    async fn wait_until_messages_wait(&self) {
        eventually("messages wait in the journal", async || {
            let reply = self.bus.request(&host(), "status", &()).await;
            let status: Status = reply.map_err(|error| format!("{error:#}"))?.data()?;
            let waiting = status.journal.waiting;
            if waiting >= 2 { Ok(()) } else { Err(format!("{waiting}")) }
        })
        .await;
    }

    /// The numbers in the streams, by epoch and channel, in the order of their storing.
    async fn stored(&self) -> Result<BTreeMap<(i64, String), Vec<i64>>, String> {
        let mut stored: BTreeMap<(i64, String), Vec<i64>> = BTreeMap::new();
        for stream in [Stream::Telemetry, Stream::Signals, Stream::Inventory] {
            let messages = self.bus.read_all(stream).await.map_err(|error| format!("{error:#}"))?;
            for id in messages.iter().filter_map(|m| headers::message_id(Some(&m.headers))) {
                stored.entry((id.epoch, id.channel.to_string())).or_default().push(id.seq);
            }
        }
        Ok(stored)
    }

    async fn stored_of(&self, epoch: i64) -> Result<usize, String> {
        let stored = self.stored().await?;
        Ok(stored.iter().filter(|((of, _), _)| *of == epoch).map(|(_, seqs)| seqs.len()).sum())
    }

    /// Waits until something is stored that belongs to none of these epochs; answers to which.
    async fn next_epoch(&self, before: &[i64]) -> i64 {
        eventually("something of a new epoch is stored", async || {
            let stored = self.stored().await?;
            let new = stored.keys().map(|(epoch, _)| *epoch).find(|epoch| !before.contains(epoch));
            new.ok_or_else(|| format!("{:?}", stored.keys()))
        })
        .await
    }
}

/// Which epochs the centre has higher numbers of; `None` while it is silent.
type Known = Option<Vec<i64>>;

/// Answers each question as soon as the centre is not silent. Notes the epochs it was asked with.
async fn answer_all(bus: &Bus, mut known: watch::Receiver<Known>) -> Arc<Mutex<Vec<i64>>> {
    let client = bus.client.clone();
    let mut questions = client.subscribe(subjects::agents(&host(), "config")).await.unwrap();
    client.flush().await.unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = asked.clone();
    tokio::spawn(async move {
        while let Some(question) = questions.next().await {
            let epoch = epoch_of(&question);
            noted.lock().unwrap().push(epoch);
            let is_known = match known.wait_for(Option::is_some).await {
                Ok(known) => known.as_ref().is_some_and(|known| known.contains(&epoch)),
                Err(_) => return,
            };
            let highest = is_known.then_some((Channel::Signals, 1_000_000)).into_iter().collect();
            let answer = ConfigurationAnswer { at: now_ms(), highest, configuration: None };
            let (to, text) = (question.reply.unwrap(), encode(&Reply::with(&answer)));
            client.publish_with_headers(to, headers::msgpack(), text.into()).await.unwrap();
        }
    });
    asked
}

fn epoch_of(question: &Message) -> i64 {
    let content_type = headers::content_type(question.headers.as_ref()).unwrap();
    let request: ConfigurationRequest = decode(content_type, &question.payload).unwrap();
    request.epoch
}

fn each_once(seqs: &[i64]) -> bool {
    let mut sorted = seqs.to_vec();
    sorted.sort_unstable();
    sorted.iter().copied().eq(1..=seqs.len() as i64)
}

#[tokio::test]
async fn nothing_is_sent_on_a_connection_before_the_centre_was_heard_and_never_a_used_number() {
    let centre = watch::Sender::new(None);
    let answers = centre.subscribe();
    let (mut held, asked) = Held::start(async |bus: &Bus| answer_all(bus, answers).await).await;
    eventually("the centre is asked", async || {
        if asked.lock().unwrap().is_empty() { Err("not yet".to_owned()) } else { Ok(()) }
    })
    .await;
    let first = asked.lock().unwrap()[0];
    held.wait_until_messages_wait().await;
    centre.send_replace(Some(vec![first]));
    let second = held.next_epoch(&[]).await;
    assert!(second > first, "it was sent before the centre was heard");

    // A machine that is put back while the agent runs: its connection is lost, its numbers too.
    centre.send_replace(None);
    held.server.stop().await;
    held.server.start().await.unwrap();
    let before = eventually("the bus is back", async || held.stored_of(second).await).await;
    held.wait_until_messages_wait().await;
    centre.send_replace(Some(vec![first, second]));
    let third = held.next_epoch(&[second]).await;
    assert!(third > second);
    assert_eq!(held.stored_of(second).await, Ok(before), "sent before the centre was heard");

    // A bus that was only restarted changes nothing.
    held.server.stop().await;
    held.server.start().await.unwrap();
    let before = eventually("the bus is back", async || held.stored_of(third).await).await;
    eventually("more is sent under the same epoch, each number once", async || {
        let stored = held.stored().await?;
        let more = held.stored_of(third).await? > before + 5;
        let is_new = stored.keys().any(|(epoch, _)| ![second, third].contains(epoch));
        let whole = stored.iter().all(|((epoch, _), seqs)| *epoch != third || each_once(seqs));
        expect((more, is_new, whole), (true, false, true))
    })
    .await;
    held.stop().await;
}

#[tokio::test]
async fn without_any_gateway_everything_is_sent_after_the_centre_was_asked_in_vain() {
    let (held, mut seen) = Held::start(async |bus: &Bus| {
        let seen = bus.client.subscribe(">").await.unwrap();
        bus.client.flush().await.unwrap();
        seen
    })
    .await;
    let question = subjects::agents(&host(), "config");
    let mut questions = 0;
    loop {
        let message = timeout(PATIENCE, seen.next()).await.expect("it is sent in the end").unwrap();
        questions += usize::from(*message.subject == question);
        if subjects::parse(&message.subject).is_ok() {
            break;
        }
    }
    assert!(questions >= 2, "asked {questions} times before the first message");
    eventually("what was held back is stored, each number once", async || {
        let stored = held.stored().await?;
        let whole = stored.values().all(|seqs| each_once(seqs));
        let frames = stored.iter().find(|((_, channel), _)| channel == "telemetry");
        let enough = frames.is_some_and(|(_, seqs)| seqs.len() > 5);
        expect((whole, enough), (true, true))
    })
    .await;
    held.stop().await;
}
