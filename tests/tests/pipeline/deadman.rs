//! The address that is requested as long as all works.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use muster_stack::StackOptions;
use muster_tests::wait::eventually;
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::desk::Desk;

#[tokio::test]
async fn an_address_is_requested_while_all_works_and_when_it_last_answered_is_kept() {
    let status = Arc::new(AtomicU16::new(200));
    let answer = status.clone();
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    let alive = async move || {
        count.fetch_add(1, Ordering::SeqCst);
        StatusCode::from_u16(answer.load(Ordering::SeqCst)).unwrap()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/alive", listener.local_addr().unwrap());
    let router = Router::new().route("/alive", get(alive));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    let mut desk = Desk::new(StackOptions::default()).await;
    desk.execute(&format!("UPDATE deadman SET url = '{url}'")).await;
    desk.start_workers(1);
    let good = "
        SELECT count(*) FROM deadman
        WHERE last_ok_at >= last_at AND last_at IS NOT NULL AND last_error IS NULL";
    desk.wait_for("it was reached", good, 1).await;

    status.store(500, Ordering::SeqCst);
    // As if it were time again.
    desk.execute("UPDATE deadman SET last_at = last_at - interval '1 hour'").await;
    let bad = "SELECT count(*) FROM deadman WHERE last_ok_at < last_at AND last_error IS NOT NULL";
    desk.wait_for("what went wrong is kept", bad, 1).await;

    status.store(200, Ordering::SeqCst);
    desk.running.stack.kill9("nats").await.unwrap();
    eventually("whoever does not hear the bus says that it stays silent", async || {
        let path = desk.running.stack.dir().join("logs/alert-worker-1.log");
        let log = std::fs::read_to_string(path).unwrap();
        if log.contains("switch stays silent") { Ok(()) } else { Err(log) }
    })
    .await;
    desk.execute("UPDATE deadman SET last_at = last_at - interval '1 hour'").await;
    let asked_before = asked.load(Ordering::SeqCst);
    // Several looks later.
    sleep(Duration::from_secs(12)).await;
    assert_eq!(asked.load(Ordering::SeqCst), asked_before);
    desk.running.stack.restart("nats").await.unwrap();
    desk.wait_for("with the bus it is requested again", good, 1).await;
}
