//! A web server that takes notifications, as a webhook of somebody would.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use muster_alerts::channel::Notice;
use tokio::net::TcpListener;

#[derive(Clone)]
pub struct Hook {
    pub url: String,
    taken: Arc<Mutex<Vec<(String, Notice)>>>,
}

impl Hook {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let hook = Self { url, taken: Arc::default() };
        let router = Router::new().route("/hook", post(take)).with_state(hook.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        hook
    }

    /// What came, by its idempotency key: what came twice is the same.
    pub fn notices(&self) -> BTreeMap<String, Notice> {
        self.taken.lock().unwrap().iter().cloned().collect()
    }

    /// The kinds of what came, in order, each key once.
    pub fn kinds(&self) -> Vec<&'static str> {
        let taken = self.taken.lock().unwrap();
        let is_first = |at: usize| taken[..at].iter().all(|(key, _)| *key != taken[at].0);
        let first = (0..taken.len()).filter(|at| is_first(*at));
        first.map(|at| taken[at].1.kind.as_str()).collect()
    }
}

async fn take(State(hook): State<Hook>, headers: HeaderMap, Json(notice): Json<Notice>) {
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    hook.taken.lock().unwrap().push((key, notice));
}
