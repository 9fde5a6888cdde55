//! The real servers: what they stored survives a kill, and nothing of them is left behind.

#![allow(clippy::unwrap_used, reason = "this file is tests and their helpers")]

use std::time::Duration;

use muster_stack::{
    NatsOptions, NatsServer, PostgresOptions, PostgresServer, Stack, StackOptions, proc_fs, wait,
};

const LIMIT: Duration = Duration::from_secs(30);

fn quick() -> PostgresOptions {
    PostgresOptions { durable: false, own: true, ..PostgresOptions::default() }
}

async fn publish(url: &str, body: &'static str) {
    let context = async_nats::jetstream::new(async_nats::connect(url).await.unwrap());
    let subjects = vec!["kept.>".to_owned()];
    let config = async_nats::jetstream::stream::Config {
        name: "KEPT".into(),
        subjects,
        ..Default::default()
    };
    context.get_or_create_stream(config).await.unwrap();
    context.publish("kept.one", body.into()).await.unwrap().await.unwrap();
}

async fn stored(url: &str) -> u64 {
    let context = async_nats::jetstream::new(async_nats::connect(url).await.unwrap());
    context.get_stream("KEPT").await.unwrap().cached_info().state.messages
}

#[tokio::test]
async fn a_killed_nats_server_has_its_streams_again() {
    let mut server = NatsServer::start_temporary().await.unwrap();
    let (url, pid) = (server.url(), server.pid());
    publish(&url, "one").await;
    server.kill9().await;
    assert!(async_nats::connect(&url).await.is_err());
    server.start().await.unwrap();
    assert_eq!(server.url(), url);
    assert_ne!(server.pid(), pid);
    assert_eq!(stored(&url).await, 1);
    server.stop().await;
    server.start().await.unwrap();
    assert_eq!(stored(&url).await, 1);
}

#[tokio::test]
async fn a_wrong_nats_configuration_is_reported_with_the_servers_own_words() {
    let dir = muster_stack::temporary_dir().unwrap();
    let options = NatsOptions { extra_config: "no_such_option: 1\n".into() };
    let error = NatsServer::start_in(dir.path(), options).await.err().unwrap();
    assert!(format!("{error:#}").contains("no_such_option"), "{error:#}");
}

#[tokio::test]
async fn a_message_too_large_for_a_stream_passes_the_server() {
    let server = NatsServer::start_temporary().await.unwrap();
    let client = async_nats::connect(server.url()).await.unwrap();
    assert_eq!(client.server_info().max_payload, 16 << 20);
}

async fn numbers(url: &str) -> i64 {
    let client = muster_stack::connect_postgres(url).await.unwrap();
    client.query_one("SELECT count(*) FROM numbers", &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_killed_database_has_its_rows_again() {
    let mut server = PostgresServer::start_temporary(PostgresOptions::default()).await.unwrap();
    let url = server.create_database("kept").await.unwrap();
    let client = muster_stack::connect_postgres(&url).await.unwrap();
    client.batch_execute("CREATE TABLE numbers AS SELECT generate_series(1, 10)").await.unwrap();
    for round in 0..2 {
        let pid = server.pid();
        if round == 0 {
            server.kill9().await.unwrap();
        } else {
            server.stop().await;
        }
        server.start().await.unwrap();
        assert_ne!(server.pid(), pid);
        assert_eq!(numbers(&url).await, 10);
    }
    server.drop_database("kept").await.unwrap();
    assert!(muster_stack::connect_postgres(&url).await.is_err());
}

#[tokio::test]
async fn a_state_directory_opens_the_same_database_again() {
    let dir = muster_stack::temporary_dir().unwrap();
    let first = PostgresServer::start_in(dir.path(), quick()).await.unwrap();
    let client = muster_stack::connect_postgres(&first.url()).await.unwrap();
    client.batch_execute("CREATE TABLE numbers AS SELECT 1").await.unwrap();
    drop(first);
    let second = PostgresServer::start_in(dir.path(), quick()).await.unwrap();
    assert_eq!(numbers(&second.url()).await, 1);
    assert!(second.notes().is_empty());
    drop(second);

    std::fs::remove_file(dir.path().join("postgres.json")).unwrap();
    let third = PostgresServer::start_in(dir.path(), quick()).await.unwrap();
    assert!(third.notes()[0].contains("set aside"));
    assert!(muster_stack::connect_postgres(&third.url()).await.is_ok());
}

#[tokio::test]
async fn a_lock_file_with_a_strangers_pid_does_not_keep_the_database_from_starting() {
    let dir = muster_stack::temporary_dir().unwrap();
    drop(PostgresServer::start_in(dir.path(), quick()).await.unwrap());
    let lock = dir.path().join("postgres/data/postmaster.pid");
    std::fs::write(&lock, "1\n/somewhere\n0\n5432\n\n127.0.0.1\n0 0\nready\n").unwrap();
    PostgresServer::start_in(dir.path(), quick()).await.unwrap();
}

#[tokio::test]
async fn nothing_is_left_of_a_dropped_database() {
    let dir = muster_stack::temporary_dir().unwrap();
    let server = PostgresServer::start_in(dir.path(), quick()).await.unwrap();
    let data = dir.path().join("postgres/data");
    assert!(!proc_fs::pids_standing_in(&data).is_empty());
    drop(server);
    wait::until("the backends to end", LIMIT, async || {
        proc_fs::pids_standing_in(&data).is_empty().then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_login_without_the_password_is_refused() {
    let server = PostgresServer::start_temporary(quick()).await.unwrap();
    let url = format!("postgres://muster:wrong@127.0.0.1:{}/muster", server.port());
    assert!(muster_stack::connect_postgres(&url).await.is_err());
}

#[tokio::test]
async fn parts_of_a_stack_are_killed_and_restarted_by_name() {
    let options = StackOptions { migrate: false, postgres: quick(), ..StackOptions::default() };
    let mut stack = Stack::start(options).await.unwrap();
    for part in ["nats", "postgres"] {
        let before = stack.pid(part).unwrap();
        stack.kill9(part).await.unwrap();
        assert_eq!(stack.pid(part).unwrap(), None);
        stack.restart(part).await.unwrap();
        assert_ne!(stack.pid(part).unwrap(), before);
    }
    assert!(stack.kill9("gateway").await.is_err());
    stack.shutdown().await;
}
