//! No request keeps the database from the others: what nobody waits for any more is given up, and
//! whether the gateway is well is not judged by how many requests wait.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use muster_runtime::{database, now_ms};
use muster_stack::{PostgresOptions, PostgresServer};
use muster_tests::api::Api;
use muster_tests::bus::TestHost;
use muster_tests::database::Database;
use muster_tests::wait::{eventually, expect};
use tokio::time::timeout;
use tokio_postgres::error::SqlState;

use crate::setup::{Running, start_with_gateway};

/// Of a gateway's pool, unless it is configured.
const CONNECTIONS: i64 = 10;

#[tokio::test]
async fn a_statement_that_nobody_waits_for_is_given_up_and_its_connection_is_of_use_again() {
    let options = PostgresOptions { durable: false, ..PostgresOptions::default() };
    let server = PostgresServer::start_temporary(options).await.unwrap();
    let url = server.create_database("bounded").await.unwrap();
    let pool = database::bounded_pool(&url, "test", 1, Duration::from_millis(300)).unwrap();
    let client = pool.get().await.unwrap();
    let kept: String = client.query_one("SHOW jit", &[]).await.unwrap().get(0);
    assert_eq!(kept, "off", "what all sessions have is set too");
    let asked = client.batch_execute("SELECT pg_sleep(3600)");
    assert!(timeout(Duration::from_millis(50), asked).await.is_err());
    drop(client);
    let client = pool.get().await.unwrap();
    let refused = client.batch_execute("SELECT pg_sleep(3600)").await.unwrap_err();
    assert_eq!(refused.code(), Some(&SqlState::QUERY_CANCELED));
    client.batch_execute("SELECT 1").await.unwrap();
}

/// How many statements of the gateway wait for a lock.
async fn waiting(running: &Running) -> i64 {
    of_waiting(running, "count(*)").await
}

/// What a browser that goes away has asked for.
async fn is_cut_off(running: &Running, api: &Arc<Api>) {
    let asking = api.clone();
    let asking = tokio::spawn(async move { asking.get("/hosts/web-1/events").await });
    eventually("it waits", async || expect(waiting(running).await, 1)).await;
    asking.abort();
    eventually("it is cut off", async || expect(waiting(running).await, 0)).await;
    let log = std::fs::read_to_string(running.stack.dir().join("logs/postgres.log")).unwrap();
    assert!(log.contains("canceling statement due to user request"), "{log}");
    assert!(!log.contains("canceling statement due to statement timeout"), "{log}");
}

/// Ends what the gateway waits for, as the server does with what takes too long.
async fn give_up(running: &Running) {
    of_waiting(running, "count(pg_cancel_backend(pid))").await;
}

async fn of_waiting(running: &Running, what: &str) -> i64 {
    let sql = format!(
        "SELECT {what} FROM pg_stat_activity
         WHERE application_name = 'muster-gateway' AND wait_event_type = 'Lock'"
    );
    running.database.client.query_one(&sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_gateway_all_of_whose_connections_wait_is_well_and_cuts_off_what_nobody_waits_for() {
    let (running, api) = start_with_gateway().await;
    let host = TestHost::new("web-1");
    running.bus.publish_frame(&host.frame(1, &[now_ms()]), "").await.unwrap();
    eventually("the host is known", async || {
        expect(api.get("/hosts/web-1").await.map_err(|error| error.to_string())?.0, 200)
    })
    .await;
    // Not the connection that looks who waits: a transaction sees the same connections all the time.
    let locker = Database::connect(&running.stack.postgres_url()).await.unwrap();
    locker.client.batch_execute("BEGIN; LOCK TABLE events").await.unwrap();
    let api = Arc::new(api);
    is_cut_off(&running, &api).await;
    let other = api.clone();
    let asked = tokio::spawn(async move {
        join_all((0..CONNECTIONS).map(|_| other.get("/hosts/web-1/events"))).await
    });
    eventually("all connections wait", async || expect(waiting(&running).await, CONNECTIONS)).await;

    let since = now_ms();
    eventually("the database is seen to be well nevertheless", async || {
        let page = api.read("/pipeline").await.map_err(|error| format!("{error:#}"))?;
        let (state, as_of) = (&page["database"]["state"], page["database"]["as_of"].as_i64());
        expect((state.as_str(), as_of > Some(since)), (Some("ok"), true))
    })
    .await;
    let ready = reqwest::get(format!("{}/readyz", running.stack.gateway_url())).await.unwrap();
    assert_eq!(ready.status(), 200);

    eventually("all that waits is given up", async || {
        give_up(&running).await;
        if asked.is_finished() { Ok(()) } else { Err(format!("{}", waiting(&running).await)) }
    })
    .await;
    for answer in asked.await.unwrap() {
        let (status, body) = answer.unwrap();
        assert_eq!(status, 503, "{body}");
        let detail = body["detail"].as_str().unwrap();
        assert!(detail.starts_with("the database took too long for this"), "{detail}");
    }
    locker.client.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(api.get("/hosts/web-1/events").await.unwrap().0, 200);
}
