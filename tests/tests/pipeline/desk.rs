//! A stack with rules, a channel and hosts that suspect something.

use muster_alerts::{Rule, RuleDefinition};
use muster_nats::{headers, subjects};
use muster_runtime::now_ms;
use muster_schemas::conditions::{Candidate, CandidateState, Context};
use muster_schemas::{Kind, codec};
use muster_stack::StackOptions;
use muster_tests::bus::TestHost;
use muster_tests::wait::{eventually, expect};
use serde_json::{Value, json};

use crate::hook::Hook;
use crate::setup::{Running, start};

pub struct Desk {
    pub running: Running,
    pub hook: Hook,
    /// What comes with all that hosts say from now on.
    pub context: Context,
    seq: i64,
}

/// A rule about the CPU that fires at once.
pub fn cpu_rule() -> Value {
    json!({
        "name": "CPU", "priority": "high", "title": "CPU of {{host}} at {{value}}",
        "condition": { "kind": "metric", "metric": "cpu.usage_percent", "op": "above",
                       "threshold": 90.0 },
    })
}

impl Desk {
    /// Bus, database and a default channel; workers come later, so that they know the rules.
    pub async fn new(options: StackOptions) -> Self {
        let (running, hook) = (start(options).await, Hook::start().await);
        let desk = Self { running, hook, context: Context::default(), seq: 0 };
        desk.channel("default", &desk.hook.url, true).await;
        desk
    }

    pub async fn channel(&self, name: &str, url: &str, is_default: bool) -> i64 {
        let sql = "
            INSERT INTO channels (name, kind, definition, is_default)
            VALUES ($1, 'webhook', $2, $3) RETURNING id";
        let definition = json!({ "kind": "webhook", "url": url, "per_minute": 600 });
        let client = &self.running.database.client;
        client.query_one(sql, &[&name, &definition, &is_default]).await.unwrap().get(0)
    }

    pub async fn rule(&self, definition: &Value) -> Rule {
        let read = RuleDefinition::from_json(definition.to_string().as_bytes()).unwrap();
        read.check().unwrap();
        let sql = "INSERT INTO rules (definition) VALUES ($1) RETURNING id, version";
        let client = &self.running.database.client;
        let row = client.query_one(sql, &[definition]).await.unwrap();
        self.execute("UPDATE rule_changes SET version = nextval('agent_settings_version')").await;
        Rule { id: row.get(0), version: row.get(1), definition: read }
    }

    pub fn start_workers(&mut self, count: usize) {
        for n in 1..=count {
            let options = StackOptions::default();
            self.running.stack.add(&format!("alert-worker-{n}"), &options).unwrap();
        }
    }

    pub async fn execute(&self, sql: &str) {
        self.running.database.client.batch_execute(sql).await.unwrap();
    }

    pub async fn number(&self, sql: &str) -> i64 {
        self.running.database.client.query_one(sql, &[]).await.unwrap().get(0)
    }

    pub async fn wait_for(&self, what: &str, sql: &str, wanted: i64) {
        eventually(what, async || expect(self.number(sql).await, wanted)).await;
    }

    pub async fn wait_for_kinds(&self, hook: &Hook, wanted: &[&str]) {
        let what = format!("the channel has got {wanted:?}");
        eventually(&what, async || expect(hook.kinds(), wanted.to_vec())).await;
    }

    /// What a host says of a rule now.
    pub async fn say(&mut self, host: &TestHost, rule: &Rule, state: CandidateState, since: i64) {
        self.say_at(host, rule, state, since, now_ms()).await;
    }

    pub async fn say_at(
        &mut self,
        host: &TestHost,
        rule: &Rule,
        state: CandidateState,
        since: i64,
        at: i64,
    ) {
        self.seq += 1;
        let condition = rule.condition().unwrap();
        let candidate = Candidate {
            at,
            rule: condition.rule,
            rule_version: condition.rule_version,
            metric: condition.metric,
            instance: String::new(),
            state,
            value: 95.0,
            threshold: 90.0,
            since,
            context: self.context.clone(),
        };
        let message = host.message(self.seq, now_ms(), candidate);
        let subject = subjects::durable(&host.id, Kind::Candidate);
        let headers = headers::durable(&message.message_id().to_string());
        let payload = codec::encode(&message);
        self.running.bus.publish(&subject, headers, payload).await.unwrap();
    }
}
