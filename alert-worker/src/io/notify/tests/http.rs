//! Web servers that work, that are ill in every way we could think of, and that lie.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::stream;
use hyper_util::client::proxy::matcher::Matcher;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::super::http::Http;
use super::super::tls::Roots;
use super::{LONG, SHORT, identity};
use muster_alerts::channel::retry::Failure;
use muster_alerts::channel::{
    Definition, Message, Notice, Request, SIGNATURE_HEADER, Secrets, render, signature,
};

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

/// Hands each connection to `answer`.
async fn listen<F: Future<Output = ()> + Send + 'static>(
    answer: impl Fn(TcpStream) -> F + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(answer(stream));
        }
    });
    url
}

fn request(url: &str) -> Request {
    let definition = serde_json::json!({ "kind": "webhook", "url": url, "secret": "hush-hush" });
    let mut definition = Definition::parse(&definition).unwrap();
    let secrets = definition.replace(None).unwrap();
    let notice = Notice::test("test/1", 1_767_225_600_000, "ops");
    match render(&definition, &secrets, &notice, 1_767_225_600_000).unwrap() {
        Some(Message::Http(request)) => request,
        other => panic!("no request but {other:?}"),
    }
}

async fn send(url: &str, limit: Duration) -> Result<(), Failure> {
    let http = Http::for_test(&Roots::default(), limit, Matcher::builder().build());
    http.send(request(url), &Secrets::default()).await
}

fn reason(outcome: Result<(), Failure>) -> String {
    match outcome.unwrap_err() {
        Failure::Passing { reason, .. } => reason,
        Failure::Refused { reason } => panic!("refused: {reason}"),
    }
}

#[tokio::test]
async fn a_receiver_gets_the_body_its_signature_and_its_key() {
    let (sender, mut received) = mpsc::channel(1);
    let take = move |headers: HeaderMap, body: Bytes| async move {
        sender.send((headers, body)).await.unwrap();
        "ok"
    };
    let url = serve(Router::new().route("/hook", post(take))).await;
    send(&format!("{url}/hook"), LONG).await.unwrap();
    let (headers, body) = received.recv().await.unwrap();
    assert_eq!(headers["idempotency-key"], "test/1");
    assert_eq!(headers["content-type"], "application/json");
    let signed = headers[SIGNATURE_HEADER].to_str().unwrap();
    let at = signed.strip_prefix("t=").unwrap().split_once(',').unwrap().0.parse().unwrap();
    assert_eq!(signed, signature(b"hush-hush", at, &body));
    assert_eq!(serde_json::from_slice::<Notice>(&body).unwrap().key, "test/1");
}

#[tokio::test]
async fn a_server_that_is_ill_is_asked_again() {
    let busy = || async { (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "7")], "slow") };
    let broken = || async { (StatusCode::INTERNAL_SERVER_ERROR, "a bug") };
    let router = Router::new().route("/broken", post(broken)).route("/busy", post(busy));
    let url = serve(router).await;
    assert_eq!(reason(send(&format!("{url}/broken"), LONG).await), "answered 500: a bug");
    let busy = send(&format!("{url}/busy"), LONG).await.unwrap_err();
    assert_eq!(busy.channel_pause_ms(), Some(7_000));
}

#[tokio::test]
async fn a_server_that_hangs_closes_or_is_not_there_is_given_up_for_now() {
    let hangs = listen(async |mut stream| {
        let _ = stream.read(&mut [0; 16]).await;
        tokio::time::sleep(LONG).await;
    })
    .await;
    assert_eq!(reason(send(&hangs, SHORT).await), "no answer within 300ms");
    let closes = listen(async |stream| drop(stream)).await;
    assert!(!reason(send(&closes, LONG).await).is_empty());
    let half = listen(async |mut stream| {
        let _ = stream.read(&mut [0; 16]).await;
        let _ = stream.write_all(b"HTTP/1.1 20").await;
    })
    .await;
    assert!(!reason(send(&half, LONG).await).is_empty());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert!(reason(send(&gone, LONG).await).contains("refused"));
}

#[tokio::test]
async fn a_redirect_is_a_refusal_and_nobody_is_called_there() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let there = move || async move {
        counted.fetch_add(1, Ordering::SeqCst);
        "ok"
    };
    let away = || async { (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/there")]) };
    let url = serve(Router::new().route("/", post(away)).route("/there", post(there))).await;
    let refused = send(&url, LONG).await.unwrap_err();
    let expected = "answered 307, and redirects are not followed";
    assert_eq!(refused, Failure::Refused { reason: expected.into() });
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

fn endless(status: StatusCode) -> Response {
    let chunks = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 1024])));
    (status, Body::from_stream(chunks)).into_response()
}

#[tokio::test]
async fn an_answer_without_end_costs_neither_memory_nor_a_second_message() {
    let good = || async { endless(StatusCode::OK) };
    let bad = || async { endless(StatusCode::BAD_GATEWAY) };
    let url = serve(Router::new().route("/good", post(good)).route("/bad", post(bad))).await;
    send(&format!("{url}/good"), LONG).await.unwrap();
    let said = reason(send(&format!("{url}/bad"), LONG).await);
    assert!(said.starts_with("answered 502: xxx") && said.len() < 300);
    let slow = listen(async |mut stream| {
        let _ = stream.read(&mut [0; 16]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx").await;
        tokio::time::sleep(LONG).await;
    })
    .await;
    send(&slow, LONG).await.unwrap();
    let heads = listen(async |mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        while stream.write_all(&[b"X-A: ", &[b'x'; 1024][..], b"\r\n"].concat()).await.is_ok() {}
    })
    .await;
    assert!(!reason(send(&heads, LONG).await).is_empty());
}

#[tokio::test]
async fn only_a_certificate_that_is_believed_gets_the_message() {
    let (config, roots) = identity();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.read(&mut [0; 16]).await;
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            }
        }
    });
    let direct = Matcher::builder().build();
    Http::for_test(&roots, LONG, direct).send(request(&url), &Secrets::default()).await.unwrap();
    assert!(reason(send(&url, LONG).await).contains("certificate"));
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_asked_to_connect() {
    let (sender, mut asked) = mpsc::channel(1);
    let proxy = listen(move |mut stream| {
        let sender = sender.clone();
        async move {
            let mut head = vec![0; 1024];
            let read = stream.read(&mut head).await.unwrap();
            let _ = sender.send(String::from_utf8_lossy(&head[..read]).into_owned()).await;
            let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").await;
        }
    })
    .await;
    let http = Http::for_test(&Roots::default(), LONG, Matcher::builder().all(proxy).build());
    reason(http.send(request("https://hooks.example/x"), &Secrets::default()).await);
    assert!(asked.recv().await.unwrap().starts_with("CONNECT hooks.example:443 "));
}
