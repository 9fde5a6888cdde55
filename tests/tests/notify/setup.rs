//! A database with an outbox, and workers that empty it.

use std::sync::Arc;

use deadpool_postgres::Pool;
use muster_alert_worker::notify::{self, Options};
use muster_alerts::Priority;
use muster_alerts::channel::{Definition, Notice, NoticeKind, SealKey};
use muster_runtime::migrate::migrate;
use muster_runtime::{database, now_ms};
use muster_stack::postgres::{PostgresOptions, PostgresServer};
use muster_tests::wait::{eventually, expect};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_postgres::types::Json;
use tokio_util::sync::CancellationToken;

pub fn key() -> SealKey {
    SealKey::new(&[9; 32])
}

/// What became of a notification.
#[derive(Debug, Clone, PartialEq)]
pub struct Fate {
    pub state: String,
    pub attempts: i32,
    pub error: Option<String>,
    pub claimed_by: Option<String>,
}

pub struct Outbox {
    pub pool: Pool,
    pub url: String,
    stop: CancellationToken,
    workers: Vec<JoinHandle<()>>,
    _server: PostgresServer,
}

impl Outbox {
    pub async fn start() -> Self {
        let quick = PostgresOptions { durable: false, ..PostgresOptions::default() };
        let server = PostgresServer::start_temporary(quick).await.unwrap();
        let url = server.create_database("notify").await.unwrap();
        migrate(&url).await.unwrap();
        let pool = database::pool(&url, "test", 8).unwrap();
        let (stop, workers) = (CancellationToken::new(), Vec::new());
        Self { pool, url, stop, workers, _server: server }
    }

    pub fn start_worker(&mut self) {
        self.start_worker_with(Options { key: Some(key()), certificates: None });
    }

    pub fn start_worker_with(&mut self, options: Options) {
        let sending =
            notify::run(self.pool.clone(), options, Arc::new(Notify::new()), self.stop.clone());
        self.workers.push(tokio::spawn(async move { sending.await.unwrap() }));
    }

    pub async fn stop(self) {
        self.stop.cancel();
        for worker in self.workers {
            worker.await.unwrap();
        }
    }

    /// Stores a channel as the gateway does: its secrets are sealed beside it.
    pub async fn add_channel(&self, definition: &Value) -> i64 {
        let mut definition = Definition::parse(definition).unwrap();
        let secrets = definition.replace(None).unwrap();
        let sealed = (!secrets.is_empty()).then(|| key().seal([3; 24], &secrets));
        let sql = "
            INSERT INTO channels (name, kind, definition, secrets)
            VALUES (gen_random_uuid()::text, $1, $2, $3) RETURNING id";
        let client = self.pool.get().await.unwrap();
        let kind = definition.kind.as_str();
        let row = client.query_one(sql, &[&kind, &definition.to_value(), &sealed]).await.unwrap();
        row.get(0)
    }

    pub async fn add_webhook(&self, url: &str) -> i64 {
        self.add_channel(&json!({ "kind": "webhook", "url": url, "per_minute": 600 })).await
    }

    /// Puts a notification there as the engine does, of an incident of its own.
    pub async fn add(&self, channel: i64, key: &str, kind: NoticeKind, alerts: &[i64]) -> i64 {
        self.add_to(key, channel, key, kind, alerts).await
    }

    pub async fn add_to(
        &self,
        thread: &str,
        channel: i64,
        key: &str,
        kind: NoticeKind,
        alerts: &[i64],
    ) -> i64 {
        let notice = Notice { kind, thread: thread.into(), ..Notice::test(key, now_ms(), "ops") };
        let sql = "
            INSERT INTO notifications (key, channel_id, alert_ids, kind, payload)
            VALUES ($1, $2, $3, $4, $5) RETURNING id";
        let client = self.pool.get().await.unwrap();
        let values = (kind.as_str(), Json(&notice));
        let row = client.query_one(sql, &[&key, &channel, &alerts, &values.0, &values.1]).await;
        row.unwrap().get(0)
    }

    /// As [`Self::add`], of a priority.
    pub async fn add_urgent(&self, channel: i64, key: &str, kind: NoticeKind, priority: Priority) {
        let id = self.add(channel, key, kind, &[]).await;
        let priority = priority.as_str();
        let sql = "
            UPDATE notifications SET payload = jsonb_set(payload, '{priority}', to_jsonb($2::text))
            WHERE id = $1";
        self.pool.get().await.unwrap().execute(sql, &[&id, &priority]).await.unwrap();
    }

    pub async fn execute(&self, sql: &str) {
        self.pool.get().await.unwrap().batch_execute(sql).await.unwrap();
    }

    pub async fn fate(&self, id: i64) -> Fate {
        let sql = "SELECT state, attempts, error, claimed_by FROM notifications WHERE id = $1";
        let row = self.pool.get().await.unwrap().query_one(sql, &[&id]).await.unwrap();
        let (state, attempts) = (row.get(0), row.get(1));
        Fate { state, attempts, error: row.get(2), claimed_by: row.get(3) }
    }

    pub async fn wait_for(&self, id: i64, state: &str) -> Fate {
        eventually(&format!("notification {id} is {state}"), async || {
            let fate = self.fate(id).await;
            if fate.state == state { Ok(fate) } else { Err(format!("{fate:?}")) }
        })
        .await
    }

    pub async fn count(&self, condition: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM notifications WHERE {condition}");
        self.pool.get().await.unwrap().query_one(&sql, &[]).await.unwrap().get(0)
    }

    pub async fn wait_for_count(&self, condition: &str, wanted: i64) {
        eventually(&format!("{wanted} notifications are {condition}"), async || {
            expect(self.count(condition).await, wanted)
        })
        .await;
    }
}
