//! The schema: safe from many processes at once, and never used by a binary that is older.

use muster_runtime::migrate::{check, migrate};
use muster_stack::{PostgresOptions, PostgresServer};
use muster_tests::database::Database;

#[tokio::test]
async fn many_processes_may_migrate_at_once() {
    let options = PostgresOptions { durable: false, ..PostgresOptions::default() };
    let server = PostgresServer::start_temporary(options).await.unwrap();
    let url = server.create_database("migrations").await.unwrap();
    assert_eq!(check(&url).await.unwrap(), ["main_job"]);
    let together = (0..5).map(|_| migrate(&url));
    let done = futures::future::try_join_all(together).await.unwrap();
    let applied: Vec<_> = done.iter().flat_map(|migrated| &migrated.applied).collect();
    assert_eq!(applied, [&"main_job"]);
    assert!(check(&url).await.unwrap().is_empty());

    let database = Database::connect(&url).await.unwrap();
    let newer = "INSERT INTO muster_migrations (version, name) VALUES (999, 'future')";
    database.client.execute(newer, &[]).await.unwrap();
    let refused = migrate(&url).await.unwrap_err().to_string();
    assert!(refused.contains("newer than the"), "{refused}");
}

#[tokio::test]
async fn retention_drops_whole_days_and_nothing_else() {
    let options = PostgresOptions { durable: false, ..PostgresOptions::default() };
    let server = PostgresServer::start_temporary(options).await.unwrap();
    let url = server.create_database("retention").await.unwrap();
    migrate(&url).await.unwrap();
    let database = Database::connect(&url).await.unwrap();
    let sql = "
        SELECT muster_ensure_partitions('2026-01-01', '2026-01-04');
        INSERT INTO sensor_samples
        SELECT 'web-1', ts, 'cpu', 40
        FROM generate_series('2026-01-01 00:00Z'::timestamptz, '2026-01-04 23:59Z', '1 hour') ts";
    database.client.batch_execute(sql).await.unwrap();
    let horizon = "SELECT muster_drop_before('sensor_samples', '2026-01-03 12:00Z')";
    let dropped: i64 = database.client.query_one(horizon, &[]).await.unwrap().get(0);
    assert_eq!(dropped, 2);
    assert_eq!(database.count("sensor_samples").await.unwrap(), 48);
}
