//! A web server that a test tells what to answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::time::sleep;

#[derive(Clone, Default)]
pub struct Receiver {
    pub url: String,
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Answers to the next requests, the last of which is the next one; then 200.
    answers: Mutex<Vec<(u16, &'static str)>>,
    received: Mutex<Vec<HeaderMap>>,
    holds: AtomicBool,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let receiver = Self { url, inner: Arc::default() };
        let router = Router::new().route("/hook", post(take)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        receiver
    }

    /// Answers the next requests so.
    pub fn answer(&self, mut answers: Vec<(u16, &'static str)>) {
        answers.reverse();
        *self.inner.answers.lock().unwrap() = answers;
    }

    /// Takes requests and does not answer them while it holds.
    pub fn hold(&self, holds: bool) {
        self.inner.holds.store(holds, Ordering::SeqCst);
    }

    /// The idempotency keys of what came, in order.
    pub fn keys(&self) -> Vec<String> {
        self.headers("idempotency-key")
    }

    pub fn headers(&self, name: &str) -> Vec<String> {
        let received = self.inner.received.lock().unwrap();
        let value = |headers: &HeaderMap| Some(headers.get(name)?.to_str().unwrap().to_owned());
        received.iter().filter_map(value).collect()
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap) -> Response {
    let inner = &receiver.inner;
    inner.received.lock().unwrap().push(headers);
    while inner.holds.load(Ordering::SeqCst) {
        sleep(Duration::from_millis(20)).await;
    }
    let (status, text) = inner.answers.lock().unwrap().pop().unwrap_or((200, "ok"));
    (StatusCode::from_u16(status).unwrap(), [("Retry-After", "3600")], text).into_response()
}
