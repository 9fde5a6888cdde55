//! Alerting: how many observations the engine decides, how soon somebody is told of a breach, what
//! one worker sustains, a storm, and how long nobody decides after a worker was told to end, killed
//! or stopped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::routing::post;
use axum::{Json, Router};
use futures::stream::{self, StreamExt, TryStreamExt};
use muster_alerts::channel::Notice;
use muster_alerts::engine::{Engine, Fact, Scope};
use muster_alerts::notification::{STORM_MS, STORM_PAGES};
use muster_alerts::{Rule, RuleDefinition};
use muster_nats::{headers, subjects};
use muster_runtime::now_ms;
use muster_schemas::conditions::{Candidate, CandidateState, Context};
use muster_schemas::{HostId, Kind, Partition, codec};
use muster_stack::{Stack, StackOptions};
use muster_tests::bus::{Bus, TestHost};
use muster_tests::database::Database;
use muster_tests::wait::{expect, within};
use nix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::figures::{Better, Figure, Figures};
use crate::process::rss_bytes;

/// Of the engine alone: hosts with 15 rules each.
const ENGINE_HOSTS: usize = 10_000;
/// As agents say it: every 15 s, for ten minutes. The first round begins all breaches.
const ENGINE_ROUNDS: i64 = 40;
const ENGINE_ROUND_MS: i64 = 15_000;
/// What is said once a minute is noted: a row and a ticket change.
const ENGINE_NOTED_EACH: i64 = 4;
/// As many hosts as a worker decides about at once.
const ENGINE_BATCH: usize = 500;

/// Hosts that are there while one breaches.
const HOSTS: usize = 1_000;

/// Breaches that are told one after the other.
const BREACHES: usize = 20;

/// How long what has come counts for a storm, and a moment for the clocks of two processes.
const FORGOTTEN_AFTER: Duration = Duration::from_millis(STORM_MS.unsigned_abs() + 1_000);

/// Of one worker: candidates that wait when it starts.
const BACKLOG: usize = 50_000;

const STORM_HOSTS: usize = 5_000;
const STORM_S: f64 = 5.0;
/// Of a tenth of a second each.
const STORM_PIECES: usize = 50;

/// Messages on their way to the bus at once.
const UNDER_WAY: usize = 256;

const PATIENCE: Duration = Duration::from_secs(180);

pub async fn measure(figures: &mut Figures) -> Result<()> {
    eprintln!(
        "alerts: the engine, then {BREACHES} breaches, {STORM_PAGES} a minute, a backlog, a storm \
         and takeovers"
    );
    engine(figures);
    let mut bench = Bench::start().await?;
    bench.breaches(figures).await?;
    bench.backlog(figures).await?;
    bench.storm(figures).await?;
    bench.takeovers(figures).await?;
    bench.stack.shutdown().await;
    Ok(())
}

fn add(figures: &mut Figures, name: &'static str, value: f64, unit: &'static str) {
    figures.add(Figure { name, value, unit, limit: None, goal: None });
}

fn against(
    figures: &mut Figures,
    (name, value, unit): (&'static str, f64, &'static str),
    goal: (f64, Better),
) {
    figures.add(Figure { name, value, unit, limit: None, goal: Some(goal) });
}

fn rule(id: i64, metric: &str) -> Rule {
    let definition: RuleDefinition =
        serde_json::from_value(definition(metric)).expect("the rule of the bench is one");
    Rule { id, version: 1, definition }
}

fn definition(metric: &str) -> Value {
    json!({
        "name": metric, "priority": "high", "title": "{{host}} at {{value}}",
        "condition": { "kind": "metric", "metric": metric, "op": "above", "threshold": 90.0 },
    })
}

fn candidate(rule: &Rule, state: CandidateState, since: i64, at: i64) -> Candidate {
    let condition = rule.condition().expect("the rules of the bench are about metrics");
    Candidate {
        at,
        rule: condition.rule,
        rule_version: condition.rule_version,
        metric: condition.metric,
        instance: String::new(),
        state,
        value: 95.0,
        threshold: 90.0,
        since,
        context: Context::default(),
    }
}

/// Observations a second of one core, all of them of breaches that begin or go on.
fn engine(figures: &mut Figures) {
    let rules: Vec<Rule> = (1..=15).map(|id| rule(id, &format!("custom.m{id}"))).collect();
    let hosts: Vec<HostId> =
        (0..ENGINE_HOSTS).filter_map(|n| format!("host-{n}").parse().ok()).collect();
    let before = own_rss();
    let mut engine = Engine::new(Scope::Hosts);
    engine.observe(0, Fact::Rules(rules.clone()));
    let base = now_ms();
    let (mut spent_s, mut noting_s, mut count, mut noted) = (0.0, 0.0, 0, 0);
    for round in 0..ENGINE_ROUNDS {
        for hosts in hosts.chunks(ENGINE_BATCH) {
            let at = base + round * ENGINE_ROUND_MS;
            let facts = facts(&rules, hosts, base, at);
            let observations = facts.len();
            let began = cpu_s();
            for fact in facts {
                engine.observe(at, fact);
            }
            let effects = engine.drain_effects();
            let took_s = cpu_s() - began;
            drop(effects);
            spent_s += took_s;
            count += observations;
            if round > 0 && round % ENGINE_NOTED_EACH == 0 {
                noting_s += took_s;
                noted += observations;
            }
        }
    }
    let grown = own_rss() - before;
    let states = (rules.len() * hosts.len()) as f64;
    add(figures, "alerts.engine_bytes_per_breach", grown / states, "bytes");
    let held = ("alerts.engine_10000_hosts_15_rules_mb", grown / 1e6, "MB");
    against(figures, held, (200.0, Better::Lower));
    let rate = noted as f64 / noting_s;
    add(figures, "alerts.noted_observations_per_s", rate, "observations/s");
    let rate = count as f64 / spent_s;
    let name = "alerts.observations_per_s";
    against(figures, (name, rate, "observations/s"), (1_000_000.0, Better::Higher));
}

/// Where the kernel does not say, nothing is claimed.
fn own_rss() -> f64 {
    rss_bytes(std::process::id()).unwrap_or(f64::NAN)
}

/// What each host says of each rule.
fn facts(rules: &[Rule], hosts: &[HostId], since: i64, at: i64) -> Vec<Fact> {
    let of_host = |host: &HostId| {
        let fact = |rule: &Rule| Fact::Candidate {
            host: host.clone(),
            stored_at: at,
            is_again: false,
            candidate: Box::new(candidate(rule, CandidateState::StillBreached, since, at)),
        };
        rules.iter().map(fact).collect::<Vec<Fact>>()
    };
    hosts.iter().flat_map(of_host).collect()
}

/// The seconds that this thread has computed, so that a busy machine does not count.
fn cpu_s() -> f64 {
    let spent = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    spent.map_or(0.0, |spent| Duration::from(spent).as_secs_f64())
}

struct Bench {
    stack: Stack,
    bus: Arc<Bus>,
    database: Database,
    rule: Rule,
    /// Of the breaches that are told alone.
    single_rule: Rule,
    notices: UnboundedReceiver<Notice>,
    seq: i64,
}

impl Bench {
    async fn start() -> Result<Self> {
        let mut stack = Stack::start(StackOptions::default()).await?;
        let bus = Arc::new(Bus::connect(&stack.nats_url()).await?);
        bus.prepare().await?;
        let database = Database::connect(&stack.postgres_url()).await?;
        let (url, notices) = receiver().await?;
        let sql = "
            INSERT INTO channels (name, kind, definition, is_default)
            VALUES ('bench', 'webhook', $1, true)";
        let channel = json!({ "kind": "webhook", "url": url, "per_minute": 600 });
        database.client.execute(sql, &[&channel]).await?;
        let sql = "INSERT INTO rules (definition) VALUES ($1) RETURNING id";
        let row = database.client.query_one(sql, &[&definition("cpu.usage_percent")]).await?;
        let common = rule(row.get(0), "cpu.usage_percent");
        let row = database.client.query_one(sql, &[&definition("custom.single")]).await?;
        let single_rule = rule(row.get(0), "custom.single");
        stack.add("alert-worker-1", &StackOptions::default())?;
        let rule = common;
        let bench = Self { stack, bus, database, rule, single_rule, notices, seq: 0 };
        bench.wait("somebody decides", OWNED, 33).await?;
        Ok(bench)
    }

    async fn wait(&self, what: &str, sql: &str, wanted: i64) -> Result<()> {
        wait(&self.database, what, sql, wanted).await
    }

    /// Has hosts say something, as fast as the bus takes it; answers the number there of the last of
    /// each partition.
    async fn say(
        &mut self,
        hosts: &[TestHost],
        rule: &Rule,
        state: CandidateState,
        since: i64,
    ) -> Result<BTreeMap<Partition, u64>> {
        self.seq += 1;
        let seq = self.seq;
        let bus = &self.bus;
        let sent = stream::iter(hosts).map(|host| async move {
            let now = now_ms();
            let message = host.message(seq, now, candidate(rule, state, since, now));
            let subject = subjects::durable(&host.id, Kind::Candidate);
            let headers = headers::durable(&message.message_id().to_string());
            let payload = codec::encode(&message).into();
            let stored = bus.context.publish_with_headers(subject, headers, payload).await?.await?;
            anyhow::Ok((Partition::of(&host.id), stored.sequence))
        });
        let stored: Vec<(Partition, u64)> = sent.buffer_unordered(UNDER_WAY).try_collect().await?;
        let mut last = BTreeMap::new();
        for (partition, seq) in stored {
            for partition in [partition, Partition::FLEET] {
                let newest = last.entry(partition).or_insert(seq);
                *newest = seq.max(*newest);
            }
        }
        Ok(last)
    }

    /// From the breach on a host to the notification at a webhook: breaches of one rule on one host
    /// after the other, a handful at once and then none for a minute. More than that is a storm, in
    /// which the next is told half a minute later, with the others; that is none of this figure.
    async fn breaches(&mut self, figures: &mut Figures) -> Result<()> {
        let hosts = hosts("quiet", HOSTS);
        let rule = self.rule.clone();
        self.say(&hosts, &rule, CandidateState::Cleared, now_ms()).await?;
        let rule = self.single_rule.clone();
        let mut took_ms = Vec::with_capacity(BREACHES);
        for (number, host) in hosts.iter().take(BREACHES).enumerate() {
            if number > 0 && number % STORM_PAGES == 0 {
                sleep(FORGOTTEN_AFTER).await;
            }
            let began = now_ms();
            self.say(std::slice::from_ref(host), &rule, CandidateState::Breached, began).await?;
            timeout(PATIENCE, self.notices.recv()).await.context("nobody was told")?;
            took_ms.push((now_ms() - began) as f64);
        }
        took_ms.sort_by(f64::total_cmp);
        let at = |share: f64| took_ms[((took_ms.len() - 1) as f64 * share).ceil() as usize];
        let p50 = ("alerts.breach_to_notification_p50_ms", at(0.5), "ms");
        against(figures, p50, (1_000.0, Better::Lower));
        let p99 = ("alerts.breach_to_notification_p99_ms", at(0.99), "ms");
        against(figures, p99, (2_000.0, Better::Lower));
        Ok(())
    }

    /// What one worker sustains, of candidates that wait.
    async fn backlog(&mut self, figures: &mut Figures) -> Result<()> {
        self.stack.stop("alert-worker-1").await?;
        let hosts = hosts("busy", STORM_HOSTS);
        let (since, rule) = (now_ms(), self.rule.clone());
        let mut last = BTreeMap::new();
        for _ in 0..BACKLOG / STORM_HOSTS {
            last = self.say(&hosts, &rule, CandidateState::StillBreached, since).await?;
        }
        self.stack.restart("alert-worker-1").await?;
        // The start of the process and of its readers is none of it.
        let begun = "SELECT count(*) FROM alerts WHERE host_id LIKE 'busy%' LIMIT 1";
        within(PATIENCE, "the first is decided", async || {
            let row = self.database.client.query_one(begun, &[]).await;
            let count: i64 = row.map_err(|error| error.to_string())?.get(0);
            if count > 0 { Ok(()) } else { Err("none".to_owned()) }
        })
        .await?;
        let began = Instant::now();
        let rows: Vec<String> = last
            .iter()
            .map(|(partition, seq)| format!("({}, {seq})", partition.number()))
            .collect();
        let sql = format!(
            "SELECT count(*) FROM (VALUES {}) AS last (partition, seq)
             JOIN alert_partitions USING (partition) WHERE last_seq >= seq",
            rows.join(", ")
        );
        self.wait("all of them are decided", &sql, rows.len() as i64).await?;
        let rate = BACKLOG as f64 / began.elapsed().as_secs_f64();
        let name = "alerts.candidates_per_s_one_worker";
        against(figures, (name, rate, "candidates/s"), (5_000.0, Better::Higher));
        Ok(())
    }

    /// Thousands of hosts breach within seconds.
    async fn storm(&mut self, figures: &mut Figures) -> Result<()> {
        self.wait("the bench's pages are told", "SELECT count(*) FROM pages", 0).await?;
        self.wait("they are sent", UNSENT, 0).await?;
        while self.notices.try_recv().is_ok() {}
        let (hosts, rule) = (hosts("storm", STORM_HOSTS), self.rule.clone());
        let began = Instant::now();
        for (number, piece) in hosts.chunks(STORM_HOSTS / STORM_PIECES).enumerate() {
            self.say(piece, &rule, CandidateState::Breached, now_ms()).await?;
            let share = (number + 1) as f64 / STORM_PIECES as f64;
            sleep_until(began + Duration::from_secs_f64(STORM_S * share)).await;
        }
        let said = began.elapsed().as_secs_f64();
        let sql = "SELECT count(*) FROM alerts WHERE host_id LIKE 'storm%'";
        self.wait("each has a ticket", sql, STORM_HOSTS as i64).await?;
        add(figures, "alerts.storm_said_in_s", said, "s");
        add(figures, "alerts.storm_tickets_after_s", began.elapsed().as_secs_f64(), "s");
        self.wait("all pages are gathered", "SELECT count(*) FROM pages", 0).await?;
        add(figures, "alerts.storm_gathered_after_s", began.elapsed().as_secs_f64(), "s");
        self.wait("all are sent", UNSENT, 0).await?;
        // What came at the receiver, each key once.
        let mut came = BTreeMap::new();
        while let Ok(notice) = self.notices.try_recv() {
            came.insert(notice.key, notice.count);
        }
        let tickets: u32 = came.values().sum();
        add(figures, "alerts.storm_notifications", came.len() as f64, "notifications");
        let pid = self.stack.pid("alert-worker-1")?.context("the worker is gone")?;
        add(figures, "alerts.worker_rss_after_storm_mib", rss_bytes(pid)? / MIB, "MiB");
        let lost = STORM_HOSTS as i64 - i64::from(tickets);
        let name = "alerts.storm_tickets_not_told";
        against(figures, (name, lost as f64, "tickets"), (0.0, Better::Lower));
        Ok(())
    }

    /// From the end of one of two workers until the other has all of it.
    async fn takeovers(&mut self, figures: &mut Figures) -> Result<()> {
        self.stack.add("alert-worker-2", &StackOptions::default())?;
        self.wait("two workers share", SHARED, 2).await?;
        let began = Instant::now();
        let Self { stack, database, .. } = &mut *self;
        let handed_over = async {
            is_alone(database).await?;
            Ok(began.elapsed().as_secs_f64())
        };
        // The process may end later than it has given everything back.
        let ((), took) = tokio::try_join!(stack.stop("alert-worker-1"), handed_over)?;
        against(figures, ("alerts.hand_over_s", took, "s"), (1.0, Better::Lower));

        self.stack.restart("alert-worker-1").await?;
        self.wait("two workers share", SHARED, 2).await?;
        let began = Instant::now();
        self.stack.pause("alert-worker-1")?;
        is_alone(&self.database).await?;
        let took = began.elapsed().as_secs_f64();
        against(figures, ("alerts.takeover_of_stopped_s", took, "s"), (12.0, Better::Lower));
        self.stack.resume("alert-worker-1")?;

        self.wait("two workers share", SHARED, 2).await?;
        let began = Instant::now();
        self.stack.kill9("alert-worker-1").await?;
        is_alone(&self.database).await?;
        let took = began.elapsed().as_secs_f64();
        against(figures, ("alerts.takeover_of_killed_s", took, "s"), (12.0, Better::Lower));
        Ok(())
    }
}

/// One worker has all partitions.
async fn is_alone(database: &Database) -> Result<()> {
    wait(database, "one worker is left", SHARED, 1).await?;
    wait(database, "it has everything", OWNED, 33).await
}

async fn wait(database: &Database, what: &str, sql: &str, wanted: i64) -> Result<()> {
    within(PATIENCE, what, async || {
        let row = database.client.query_one(sql, &[]).await;
        expect(row.map_err(|error| error.to_string())?.get::<_, i64>(0), wanted)
    })
    .await
}

const SHARED: &str = "SELECT count(DISTINCT owner) FROM alert_partitions WHERE lease_until > now()";

const UNSENT: &str = "SELECT count(*) FROM notifications WHERE state = 'pending'";

const MIB: f64 = 1024.0 * 1024.0;

const OWNED: &str = "
    SELECT count(*) FROM alert_partitions WHERE owner IS NOT NULL AND lease_until > now()";

fn hosts(name: &str, count: usize) -> Vec<TestHost> {
    (0..count).map(|n| TestHost::new(&format!("{name}-{n}"))).collect()
}

/// A web server that takes notifications at once.
async fn receiver() -> Result<(String, UnboundedReceiver<Notice>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/hook", listener.local_addr()?);
    let (sender, notices) = unbounded_channel();
    let take = move |Json(notice): Json<Notice>| {
        let sender = sender.clone();
        async move {
            // Nobody listens any more at the end.
            let _ = sender.send(notice);
        }
    };
    let router = Router::new().route("/hook", post(take));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((url, notices))
}
