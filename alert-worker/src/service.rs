//! Carries heartbeats from the bus to the logic and its decisions to the database and the bus.
//!
//! Whatever fails, the worker forgets what it believed, reads the database again and has to become
//! current before it judges anybody.

mod deadman;
mod decider;
mod gathering;
mod knowledge;
mod partition;
mod partitions;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use async_nats::jetstream::{self, Message};
use deadpool_postgres::Pool;
use muster_alerts::channel::SealKey;
use muster_nats::backlog::{Backlog, backlog};
use muster_nats::consume::{BatchLimits, BatchSource, acknowledge, in_progress};
use muster_nats::publish::retry_delay;
use muster_nats::{BusOptions, ConsumerName};
use muster_runtime::database::{self, wait_for_schema};
use muster_runtime::health::{self, Health};
use muster_runtime::meter::{Batch, Meters};
use muster_runtime::{now_ms, secret_key, workers};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::Config;
use crate::io::notices::Links;
use crate::io::notify::tls::Roots;
use crate::io::{from_bus, postgres, to_bus};
use crate::logic::presence::{Effect, Fact, Presence, Status};
use crate::notify;
use partitions::Around;

/// One for heartbeats and judging, one for the outbox, one to say how this worker is, one to read
/// the rules, one to gather pages, and one to spare while another is replaced.
const DATABASE_CONNECTIONS: usize = 6;

/// To take notifications and to write what became of them: a channel that hangs holds none.
const SENDING_CONNECTIONS: usize = 2;

/// The most bytes of one batch: 1000 heartbeats are some 300 kB.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How often to ask the bus whether anything waits, and to judge.
const JUDGE_EVERY: Duration = Duration::from_secs(1);

/// How long the bus may take to say how much waits; longer than that, it is away.
const BACKLOG_TIMEOUT: Duration = Duration::from_secs(2);

/// How often to read what other workers have heard of hosts this one never hears.
const RELOAD_EVERY: Duration = Duration::from_secs(15);

/// How often to look for events that another worker left behind.
const OUTBOX_EVERY: Duration = Duration::from_secs(5);

/// The channel whose heartbeats are heard, as meters call it.
const SIGNALS: &str = "signals";

const BUS: &str = "bus";
const DATABASE: &str = "database";

pub async fn run(config: Config, stop: CancellationToken) -> Result<()> {
    let health = Health::start(&[BUS, DATABASE])?;
    let listener = health::bind(&config.listen).await?;
    info!("health and metrics on http://{}", listener.local_addr()?);
    let mut tasks = JoinSet::new();
    tasks.spawn(health::serve(listener, health.router(), stop.clone()));

    let pool = database::pool(&config.postgres_url, "muster-alert-worker", DATABASE_CONNECTIONS)?;
    let bus = connect(&config).await?;
    tokio::select! {
        () = stop.cancelled() => return Ok(()),
        ready = wait_for_schema(&pool) => ready?,
    }
    let wake = Arc::new(Notify::new());
    tasks.spawn(publish_outbox(pool.clone(), bus.clone(), wake.clone(), stop.clone()));
    let (sender, batches) = mpsc::channel(1);
    let meters = Meters::default();
    let id = workers::new_id();
    let telling =
        workers::tell_as(id.clone(), pool.clone(), "alert-worker", meters.clone(), stop.clone());
    tasks.spawn(async move {
        telling.await;
        Ok(())
    });
    let around = start_around(&config, &pool, &wake, &mut tasks, &stop)?;
    let certificates = config.certificates.clone();
    tasks.spawn(deadman::run(pool.clone(), bus.clone(), certificates, stop.clone()));
    let sharing =
        partitions::share(&config, id, bus.clone(), meters.clone(), around, stop.clone())?;
    tasks.spawn(sharing);
    let source = source(&config, &bus);
    let every = source.sign_of_life_every();
    let reader = tokio::spawn(read_batches(source, sender));
    let worker = Worker::new(pool, bus, health, wake, meters, every);
    worker.run(batches, &stop).await;
    reader.abort();
    while let Some(ended) = tasks.join_next().await {
        ended.context("a task failed")??;
    }
    info!("stopped");
    Ok(())
}

/// Starts what decisions need before them and after them.
fn start_around(
    config: &Config,
    pool: &Pool,
    events: &Arc<Notify>,
    tasks: &mut JoinSet<Result<()>>,
    stop: &CancellationToken,
) -> Result<Around> {
    if let Some(path) = &config.certificates {
        // What is wrong with it is told at the start, not with the first notification.
        Roots::read(path)?;
    }
    let key = secret_key::of(config.secret_key_file.as_deref())?;
    let key = key.as_deref().and_then(SealKey::from_hex);
    let options = notify::Options { key, certificates: config.certificates.clone() };
    let (told, known) = watch::channel(None);
    let (pages, sends) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let sending = database::pool(&config.postgres_url, "muster-alert-worker", SENDING_CONNECTIONS)?;
    tasks.spawn(gathering::make_default_rules(pool.clone(), stop.clone()));
    tasks.spawn(knowledge::keep_looking(pool.clone(), told, stop.clone()));
    let links = Links::new(config.public_url.as_deref());
    let gathering =
        gathering::gather(pool.clone(), links, pages.clone(), sends.clone(), stop.clone());
    tasks.spawn(gathering);
    tasks.spawn(notify::run(sending, options, sends, stop.clone()));
    Ok(Around { known, news: vec![events.clone(), pages] })
}

async fn connect(config: &Config) -> Result<jetstream::Context> {
    let client = muster_nats::connect(BusOptions {
        url: config.nats_url.clone(),
        credentials: config.nats_credentials.clone(),
        name: "muster-alert-worker".into(),
        inbox_prefix: None,
        connected: None,
    })
    .await?;
    Ok(jetstream::new(client))
}

fn source(config: &Config, bus: &jetstream::Context) -> BatchSource {
    let limits = BatchLimits {
        messages_max: config.batch_messages_max,
        bytes_max: BATCH_BYTES_MAX,
        wait: config.batch_wait,
    };
    BatchSource::new(bus.clone(), ConsumerName::AlertSignals, limits, config.nats_replicas)
}

/// A task of its own: a batch that is being gathered must not be dropped whenever it is time to
/// judge, because its heartbeats would come again only a minute later.
async fn read_batches(mut source: BatchSource, batches: mpsc::Sender<Vec<Message>>) {
    loop {
        let batch = source.next().await;
        if !source.hand_on(&batches, batch, |batch: &Vec<Message>| batch.as_slice()).await {
            return;
        }
    }
}

async fn publish_outbox(
    pool: Pool,
    bus: jetstream::Context,
    wake: Arc<Notify>,
    stop: CancellationToken,
) -> Result<()> {
    while !stop.is_cancelled() {
        if let Err(error) = to_bus::publish_events(&pool, &bus).await {
            warn!("events wait in the database: {error:#}");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            _ = timeout(OUTBOX_EVERY, wake.notified()) => {}
        }
    }
    Ok(())
}

struct Worker {
    pool: Pool,
    bus: jetstream::Context,
    health: Health,
    wake: Arc<Notify>,
    presence: Presence,
    clock: BusClock,
    reloaded: Option<Instant>,
    meters: Meters,
    /// How often the bus has to hear that a batch is worked on.
    sign_of_life_every: Duration,
}

/// The broker's clock, carried on between two looks at it.
struct BusClock {
    bus_ms: i64,
    seen: Instant,
}

impl BusClock {
    fn now(&self) -> i64 {
        self.bus_ms + self.seen.elapsed().as_millis() as i64
    }
}

impl Worker {
    fn new(
        pool: Pool,
        bus: jetstream::Context,
        health: Health,
        wake: Arc<Notify>,
        meters: Meters,
        sign_of_life_every: Duration,
    ) -> Self {
        // Until the broker has told its time; nothing is judged before that.
        let clock = BusClock { bus_ms: now_ms(), seen: Instant::now() };
        let presence = Presence::default();
        let reloaded = None;
        Self { pool, bus, health, wake, presence, clock, reloaded, meters, sign_of_life_every }
    }

    async fn run(mut self, mut batches: mpsc::Receiver<Vec<Message>>, stop: &CancellationToken) {
        let mut judge = interval(JUDGE_EVERY);
        judge.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(batch) = batches.recv() => {
                    let every = self.sign_of_life_every;
                    in_progress(&batch, every, self.hear_until_done(&batch, stop)).await;
                }
                _ = judge.tick() => {
                    let outcome = self.judge(batches.is_empty()).await;
                    self.note(outcome);
                }
            }
        }
    }

    /// A batch that was given back would come again a minute later only.
    async fn hear_until_done(&mut self, batch: &[Message], stop: &CancellationToken) {
        let mut attempt = 0;
        let oldest_at = from_bus::oldest_at_ms(batch);
        self.meters.with(SIGNALS, now_ms(), |meter| {
            meter.begin(now_ms(), batch.len(), oldest_at);
        });
        while !stop.is_cancelled() {
            let outcome = self.hear(batch).await;
            if let Err(error) = &outcome {
                let reason = format!("{error:#}");
                self.meters.with(SIGNALS, now_ms(), |meter| meter.failed(now_ms(), &reason));
            }
            if self.note(outcome) {
                return;
            }
            attempt += 1;
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(retry_delay(attempt)) => {}
            }
        }
    }

    /// After a failure nothing is believed any more; answers whether there was none.
    fn note(&mut self, outcome: Result<()>) -> bool {
        self.health.set(DATABASE, outcome.is_ok());
        let Err(error) = outcome else { return true };
        warn!("will read the database again and go on: {error:#}");
        self.presence = Presence::default();
        self.reloaded = None;
        false
    }

    /// One batch: recorded and decided in one transaction, acknowledged once that is committed.
    async fn hear(&mut self, messages: &[Message]) -> Result<()> {
        let begun = Instant::now();
        let heartbeats = from_bus::newest_of_each_host(messages);
        if !heartbeats.is_empty() {
            let mut client = self.pool.get().await.context("no connection to the database")?;
            let transaction = client.transaction().await?;
            for news in postgres::record_heartbeats(&transaction, &heartbeats).await? {
                let now = self.clock.now();
                self.presence.observe(now, Fact::Stored(news.host.clone(), news.before));
                self.presence.observe(now, Fact::Heard(news.host, news.heartbeat));
            }
            let effects = self.presence.drain_effects();
            let online = postgres::record_online(&transaction, &effects).await?;
            transaction.commit().await.context("cannot commit heartbeats")?;
            self.tell(&effects, online, "online");
        }
        acknowledge(messages).await;
        let seconds = begun.elapsed().as_secs_f64();
        let redelivered = from_bus::redelivered(messages);
        let done = Batch { messages: messages.len(), redelivered, ..Batch::default() };
        self.meters.with(SIGNALS, now_ms(), |meter| {
            meter.committed(now_ms(), seconds * 1000.0);
            meter.done(now_ms(), done);
        });
        metrics::counter!("muster_alert_heartbeats_total").increment(messages.len() as u64);
        metrics::counter!("muster_alert_redelivered_total").increment(redelivered as u64);
        metrics::histogram!("muster_alert_batch_seconds").record(seconds);
        Ok(())
    }

    /// Looks whether the bus holds anything this worker has not heard, and judges if it does not.
    async fn judge(&mut self, queue_is_empty: bool) -> Result<()> {
        self.reload_when_due().await?;
        match self.backlog().await {
            Ok(backlog) => {
                self.clock = BusClock { bus_ms: backlog.at_ms, seen: Instant::now() };
                if backlog.waiting == 0 && queue_is_empty {
                    self.observe_current();
                    self.presence.tick(self.clock.now());
                }
            }
            Err(error) => {
                if self.presence.is_current() {
                    warn!("nobody is judged until the bus is back: {error:#}");
                }
                self.presence.observe(self.clock.now(), Fact::Lost);
            }
        }
        let effects = self.presence.drain_effects();
        if !effects.is_empty() {
            self.propose_offline(&effects).await?;
        }
        self.show();
        Ok(())
    }

    async fn backlog(&self) -> Result<Backlog> {
        let answer = timeout(BACKLOG_TIMEOUT, backlog(&self.bus, ConsumerName::AlertSignals)).await;
        let answer = answer.context("no answer from the bus").flatten();
        self.health.set(BUS, answer.is_ok());
        answer
    }

    fn observe_current(&mut self) {
        let was = self.presence.is_current();
        self.presence.observe(self.clock.now(), Fact::Current);
        if !was {
            info!("all heartbeats were heard; silence counts from now on");
        }
    }

    async fn reload_when_due(&mut self) -> Result<()> {
        if self.reloaded.is_some_and(|at| at.elapsed() < RELOAD_EVERY) {
            // Whoever cannot write must not judge: the others' heartbeats may wait like ours.
            return postgres::is_there(&self.pool).await;
        }
        let rows = postgres::all_rows(&self.pool).await?;
        self.presence.observe(self.clock.now(), Fact::Reloaded(rows));
        self.reloaded = Some(Instant::now());
        Ok(())
    }

    async fn propose_offline(&mut self, effects: &[Effect]) -> Result<()> {
        let judged = postgres::record_offline(&self.pool, effects).await?;
        let now = self.clock.now();
        let refused: Vec<_> = judged.refused.iter().map(|(host, _)| host.clone()).collect();
        let accepted: Vec<Effect> = effects
            .iter()
            .filter(
                |effect| !matches!(effect, Effect::Offline { host, .. } if refused.contains(host)),
            )
            .cloned()
            .collect();
        for (host, row) in judged.refused {
            self.presence.observe(now, Fact::Stored(host, row));
        }
        self.tell(&accepted, judged.offline, "offline");
        Ok(())
    }

    fn tell(&self, effects: &[Effect], count: u64, to: &'static str) {
        if count == 0 {
            return;
        }
        metrics::counter!("muster_alert_transitions_total", "to" => to).increment(count);
        self.wake.notify_one();
        for effect in effects {
            match effect {
                Effect::Online { host, away_ms, .. } => {
                    info!(host.id = %host, ?away_ms, "{host} is online");
                }
                Effect::Offline { host, last_heartbeat_at, .. } => {
                    info!(host.id = %host, last_heartbeat_at, "{host} is offline");
                }
            }
        }
    }

    fn show(&self) {
        let signals = self.meters.state(now_ms()).channels.remove(SIGNALS).unwrap_or_default();
        metrics::gauge!("muster_alert_lag_seconds").set(signals.lag_ms as f64 / 1000.0);
        for (status, label) in [(Status::Online, "online"), (Status::Offline, "offline")] {
            let count = self.presence.count(status) as f64;
            metrics::gauge!("muster_alert_hosts", "status" => label).set(count);
        }
    }
}
