//! The schema: safe from many processes at once, and never used by a binary that is older.

use muster_ingest_worker::io::transfer::copy;
use muster_runtime::database;
use muster_runtime::migrate::{check, migrate};
use muster_schemas::sql::{Engine, MIGRATIONS};
use muster_stack::{PostgresOptions, PostgresServer};
use muster_tests::database::Database;

#[tokio::test]
async fn many_processes_may_migrate_at_once() {
    let options = PostgresOptions { durable: false, ..PostgresOptions::default() };
    let server = PostgresServer::start_temporary(options).await.unwrap();
    let url = server.create_database("migrations").await.unwrap();
    let all: Vec<&str> = MIGRATIONS.iter().map(|migration| migration.name).collect();
    assert_eq!(check(&url).await.unwrap(), all);
    let together = (0..5).map(|_| migrate(&url));
    let done = futures::future::try_join_all(together).await.unwrap();
    let applied: Vec<&str> = done.iter().flat_map(|migrated| migrated.applied.clone()).collect();
    assert_eq!(applied, all);
    assert!(check(&url).await.unwrap().is_empty());

    let database = Database::connect(&url).await.unwrap();
    let newer = "INSERT INTO muster_migrations (version, name) VALUES (999, 'future')";
    database.client.execute(newer, &[]).await.unwrap();
    let pool = database::pool(&url, "test", 1).unwrap();
    let elsewhere = server.create_database("elsewhere").await.unwrap();
    migrate(&elsewhere).await.unwrap();
    for refused in [
        migrate(&url).await.map(drop),
        check(&url).await.map(drop),
        database::wait_for_schema(&pool).await,
        copy(&url, &elsewhere, false, &|_| ()).await,
        copy(&elsewhere, &url, false, &|_| ()).await,
    ] {
        let refused = format!("{:#}", refused.unwrap_err());
        assert!(refused.contains("newer than the"), "{refused}");
    }
}

#[tokio::test]
async fn a_migration_that_fails_half_way_leaves_nothing_and_can_be_done_again() {
    let options = PostgresOptions { durable: false, ..PostgresOptions::default() };
    let server = PostgresServer::start_temporary(options).await.unwrap();
    let url = server.create_database("half_way").await.unwrap();
    let database = Database::connect(&url).await.unwrap();
    // The second one makes many tables before this one, which is in its way.
    let obstacle = "CREATE SEQUENCE agent_settings_version";
    database.client.batch_execute(obstacle).await.unwrap();
    let failure = format!("{:#}", migrate(&url).await.unwrap_err());
    assert!(failure.contains("migration 2 (agent_in_full) failed"), "{failure}");
    let sql = "SELECT to_regclass('log_lines') IS NULL, to_regclass('host_samples') IS NOT NULL";
    let row = database.client.query_one(sql, &[]).await.unwrap();
    assert_eq!((row.get::<_, bool>(0), row.get::<_, bool>(1)), (true, true));
    assert_eq!(database.count("muster_migrations").await.unwrap(), 1);
    database.client.batch_execute("DROP SEQUENCE agent_settings_version").await.unwrap();
    assert_eq!(migrate(&url).await.unwrap().applied.len(), MIGRATIONS.len() - 1);
}

/// What a database of the first version has been left as by its services.
const FIRST_VERSION: &str = "
    CREATE TABLE muster_migrations (
        version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz DEFAULT now()
    );
    CREATE TABLE muster_engine (only_row boolean PRIMARY KEY DEFAULT true, engine text NOT NULL);
    INSERT INTO muster_engine (engine) VALUES ('plain');
    INSERT INTO muster_migrations (version, name) VALUES (1, 'main_job');
    SELECT muster_ensure_partitions('2026-01-01', '2026-01-02');
    INSERT INTO disk_samples VALUES ('web-1', '2026-01-01 12:00Z', 'vda', 1, 2, 3, 4);";

#[tokio::test]
async fn a_database_of_the_first_version_keeps_its_rows_and_takes_new_ones() {
    let options = PostgresOptions { durable: false, ..PostgresOptions::default() };
    let server = PostgresServer::start_temporary(options).await.unwrap();
    let url = server.create_database("upgrade").await.unwrap();
    let database = Database::connect(&url).await.unwrap();
    let first = [Engine::Plain.sql(), MIGRATIONS[0].sql, FIRST_VERSION];
    database.client.batch_execute(&first.join(";\n")).await.unwrap();
    assert_eq!(migrate(&url).await.unwrap().applied.len(), MIGRATIONS.len() - 1);
    let sql = "
        SELECT muster_ensure_partitions('2026-01-01', '2026-01-03');
        INSERT INTO disk_samples VALUES
            ('web-1', '2026-01-01 13:00Z', 'vda', 1, 2, 3, 4, 0.5, 1.5, 0.1, 9),
            ('web-1', '2026-01-03 13:00Z', 'vda', 1, 2, 3, 4, 0.5, 1.5, 0.1, 9);
        INSERT INTO fan_samples VALUES ('web-1', '2026-01-01 13:00Z', 'cpu', 1200)";
    database.client.batch_execute(sql).await.unwrap();
    let sql = "SELECT count(*), count(utilisation_percent) FROM disk_samples";
    let row = database.client.query_one(sql, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (3, 2));
    assert_eq!(database.count("fan_samples").await.unwrap(), 1);
}

/// The schema as it was after the migrations up to `version`, on plain PostgreSQL.
fn schema_of_version(version: usize) -> String {
    let mut sql = String::from(
        "CREATE TABLE muster_migrations (
             version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz DEFAULT now());
         CREATE TABLE muster_engine (only_row boolean PRIMARY KEY DEFAULT true, engine text);
         INSERT INTO muster_engine (engine) VALUES ('plain');",
    );
    sql += Engine::Plain.sql();
    for migration in &MIGRATIONS[..version] {
        let engine = migration.engine.map_or("", |sql| sql.of(Engine::Plain));
        let record = format!(
            "INSERT INTO muster_migrations VALUES ({}, '{}')",
            migration.version, migration.name
        );
        sql = [&sql, engine, migration.sql, &record].join(";\n");
    }
    sql
}

/// The parts of a table as `first day+days`.
async fn parts_of(database: &Database, table: &str) -> Vec<String> {
    let sql = "
        SELECT to_char(starts_at AT TIME ZONE 'UTC', 'MM-DD')
               || '+' || extract(day FROM ends_at - starts_at)
        FROM muster_parts($1)";
    let rows = database.client.query(sql, &[&table]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

const HOURS: &str = "
    INSERT INTO core_samples_1h (ts, n, host_id, core, percent)
    SELECT ts, 60, 'web-1', '0', 5 FROM generate_series($1::text::timestamptz, $2::text::timestamptz,
        '1 hour') AS ts";

#[tokio::test]
async fn months_of_hours_begin_where_the_days_that_are_there_end() {
    let options = PostgresOptions { durable: false, ..PostgresOptions::default() };
    let server = PostgresServer::start_temporary(options).await.unwrap();
    let url = server.create_database("months").await.unwrap();
    let database = Database::connect(&url).await.unwrap();
    let (client, ensure) = (&database.client, "SELECT muster_ensure_partitions");
    client.batch_execute(&schema_of_version(7)).await.unwrap();
    client.batch_execute(&format!("{ensure}('2026-01-17', '2026-01-20')")).await.unwrap();
    let (first, last) = ("2026-01-17 00:00Z", "2026-01-20 23:00Z");
    client.execute(HOURS, &[&first, &last]).await.unwrap();
    assert_eq!(migrate(&url).await.unwrap().applied[0], "months");

    // What has no part yet is made, before, between and after, and nothing twice.
    client.batch_execute("DROP TABLE core_samples_1h_p20260119").await.unwrap();
    for days in ["'2026-01-18', '2026-01-22'", "'2026-01-05', '2026-01-05'"] {
        client.batch_execute(&format!("{ensure}({days}); {ensure}({days})")).await.unwrap();
    }
    let days = ["01-01+16", "01-17+1", "01-18+1", "01-19+1", "01-20+1", "01-21+11"];
    assert_eq!(parts_of(&database, "core_samples_1h").await, days);
    assert_eq!(parts_of(&database, "host_samples_1m").await.len(), 7);
    client
        .batch_execute("SELECT muster_ensure_parts('core_samples_1h', '2026-02-28', '2028-12-31')")
        .await
        .unwrap();
    let parts = parts_of(&database, "core_samples_1h").await;
    assert_eq!(
        (parts.len(), &parts[6], &parts[7]),
        (6 + 35, &"02-01+28".into(), &"03-01+31".into())
    );
    client.execute(HOURS, &[&"2026-01-21 00:00Z", &"2026-03-01 00:00Z"]).await.unwrap();
    assert_eq!(database.count("core_samples_1h").await.unwrap(), (3 + 11 + 28) * 24 + 1);

    // Whoever asks may have another date style and another zone.
    client
        .batch_execute("SET datestyle = 'SQL, DMY'; SET timezone = 'Asia/Kolkata'")
        .await
        .unwrap();
    let drop = "SELECT muster_drop_before('core_samples_1h', '2026-02-28T23:59:59Z')";
    let dropped: i64 = client.query_one(drop, &[]).await.unwrap().get(0);
    assert_eq!(
        (dropped, parts_of(&database, "core_samples_1h").await.remove(0)),
        (6, "02-01+28".into())
    );
    assert_eq!(database.count("core_samples_1h").await.unwrap(), 28 * 24 + 1);
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
