//! `/healthz`, `/readyz` and `/metrics`, the same on every service that listens.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Seconds; from a commit on a fast disk to a database that hangs.
const DURATION_BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// What a process needs to do its work, and whether it has it. Not ready until every named part
/// has said that it is.
#[derive(Clone)]
pub struct Health {
    parts: Arc<Mutex<BTreeMap<&'static str, bool>>>,
    metrics: PrometheusHandle,
}

impl Health {
    /// Installs the process's metrics recorder.
    pub fn start(parts: &[&'static str]) -> Result<Self> {
        let metrics = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), DURATION_BUCKETS)
            .and_then(PrometheusBuilder::install_recorder)
            .context("cannot start the metrics recorder")?;
        let parts = parts.iter().map(|part| (*part, false)).collect();
        Ok(Self { parts: Arc::new(Mutex::new(parts)), metrics })
    }

    pub fn set(&self, part: &'static str, ready: bool) {
        self.lock().insert(part, ready);
    }

    fn missing(&self) -> Vec<&'static str> {
        self.lock().iter().filter(|(_, ready)| !**ready).map(|(part, _)| *part).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, bool>> {
        self.parts.lock().expect("nothing panics while it holds this lock")
    }

    pub fn router(&self) -> Router {
        Router::new()
            .route("/healthz", get(|| async { "alive\n" }))
            .route("/readyz", get(readiness))
            .route("/metrics", get(render_metrics))
            .with_state(self.clone())
    }
}

async fn readiness(State(health): State<Health>) -> impl IntoResponse {
    let missing = health.missing();
    let status = if missing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::json!({ "ready": missing.is_empty(), "missing": missing });
    (status, Json(body))
}

async fn render_metrics(State(health): State<Health>) -> impl IntoResponse {
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (content_type, health.metrics.render())
}

/// Serves `router` until told to stop.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) -> Result<()> {
    axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
        .context("the HTTP listener failed")
}

pub async fn bind(address: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}
