//! A database is copied into another one: whole, and again from where it was cut short. Both are
//! of the engine that these tests run on; the other direction is the same statements.

use muster_ingest_worker::io::transfer::copy;
use muster_runtime::migrate::migrate;
use muster_stack::{PostgresOptions, PostgresServer};
use muster_tests::database::Database;

const CONTENT: &str = "
    INSERT INTO hosts (id, labels) VALUES ('web-1', '{\"env\":\"prod\"}');
    INSERT INTO users (username, password_hash, role) VALUES ('ada', 'x', 'admin');
    INSERT INTO refresh_tokens VALUES ('\\x01', gen_random_uuid(), 1, now(), NULL);
    INSERT INTO ledger (host_id, channel, epoch, received) VALUES
        ('web-1', 'telemetry', 1, '{[1,10),[12,20)}'), ('web-1', 'logs', 1, '{}');
    INSERT INTO retention_rules VALUES ('raw', 'env=test', 3);
    SELECT setval('agent_settings_version', 41);
    SELECT muster_ensure_partitions('2026-01-01', '2026-01-04');
    INSERT INTO sensor_samples
    SELECT 'web-1', ts, 'cpu', 40 + extract(hour FROM ts)
    FROM generate_series('2026-01-01 00:00Z'::timestamptz, '2026-01-04 23:59Z', '10 min') AS ts;
    INSERT INTO disk_samples VALUES
        ('web-1', '2026-01-01 13:00Z', 'vda', 1, 2, 3, 4, 0.5, 1.5, 0.1, 9);
    SELECT muster_ensure_parts('core_samples_1h', '2025-11-01', '2026-01-31');
    INSERT INTO core_samples_1h (ts, n, host_id, core, percent)
    SELECT ts, 60, 'web-1', '0', extract(hour FROM ts)
    FROM generate_series('2025-11-30 00:00Z'::timestamptz, '2026-01-31 23:00Z', '1 hour') AS ts;";

const OBSTACLE: &str = "
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE 'not this one'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON sensor_samples
    FOR EACH ROW WHEN (NEW.ts >= '2026-01-03 00:00Z') EXECUTE FUNCTION refuse()";

async fn two(server: &PostgresServer) -> (String, String, Database) {
    let from = server.create_database("before").await.unwrap();
    let to = server.create_database("after").await.unwrap();
    migrate(&from).await.unwrap();
    let source = Database::connect(&from).await.unwrap();
    source.client.batch_execute(CONTENT).await.unwrap();
    (from, to, source)
}

async fn text(database: &Database, sql: &str) -> String {
    database.client.query_one(sql, &[]).await.unwrap().get(0)
}

async fn failure(from: &str, to: &str, resume: bool) -> String {
    format!("{:#}", copy(from, to, resume, &|_| ()).await.unwrap_err())
}

#[tokio::test]
async fn a_copy_has_every_row_and_goes_on_where_it_was_cut_short() {
    let options = PostgresOptions { durable: false, ..PostgresOptions::default() };
    let server = PostgresServer::start_temporary(options).await.unwrap();
    let (from, to, source) = two(&server).await;

    // What refuses a row cuts it short, after the days before it.
    migrate(&to).await.unwrap();
    let target = Database::connect(&to).await.unwrap();
    target.client.batch_execute(OBSTACLE).await.unwrap();
    assert!(failure(&from, &to, false).await.contains("sensor_samples"));
    assert_eq!(target.count("sensor_samples").await.unwrap(), 288);
    assert!(failure(&from, &to, false).await.contains("--resume"));
    target.client.batch_execute("DROP TRIGGER refuse ON sensor_samples").await.unwrap();

    let busy = muster_runtime::database::pool(&from, "muster-gateway", 1).unwrap();
    let connection = busy.get().await.unwrap();
    assert!(failure(&from, &to, true).await.contains("muster-gateway still use"));
    drop(connection);
    busy.close();
    let copied = muster_tests::wait::eventually("the copy goes on", async || {
        copy(&from, &to, true, &|_| ()).await.map_err(|error| format!("{error:#}"))
    });
    copied.await;

    for sql in [
        "SELECT count(*) || ' ' || sum(celsius) FROM sensor_samples",
        "SELECT string_agg(disk_samples::text, ',') FROM disk_samples",
        "SELECT string_agg(core_samples_1h::text, ',' ORDER BY ts) FROM core_samples_1h",
        // The months of hours make no days of samples.
        "SELECT string_agg(starts_at::text, ',') FROM muster_parts('sensor_samples')",
        "SELECT string_agg(ledger::text, ',' ORDER BY channel) FROM ledger",
        "SELECT string_agg(refresh_tokens::text, ',') FROM refresh_tokens",
        "SELECT string_agg(retention_rules::text, ',') FROM retention_rules",
        "SELECT (last_value, is_called)::text FROM agent_settings_version",
    ] {
        assert_eq!(text(&source, sql).await, text(&target, sql).await, "{sql}");
    }
    // Whoever comes next gets a number of his own.
    let sql = "INSERT INTO users (username, password_hash, role) VALUES ('bob', 'x', 'viewer')";
    target.client.batch_execute(sql).await.unwrap();
    assert!(failure(&from, &to, false).await.contains("not empty"));
}
