//! What a sample takes on disk with its index: as it came, and in the rollups that keep it for
//! years. Looked at after a round of the ratio, so that the tables hold nothing else.

use anyhow::{Result, ensure};
use muster_stack::Stack;
use muster_tests::database::Database;

use super::TABLES;
use crate::figures::{Figure, Figures};

/// A row of 2 keys, 20 numbers and 8 cores in plain PostgreSQL, as once measured.
const PLAIN_ROW_BYTES: f64 = 312.0;

pub async fn measure(figures: &mut Figures, stack: &Stack) -> Result<()> {
    let database = Database::connect(&stack.postgres_url()).await?;
    let samples = database.count("host_samples").await? as f64;
    ensure!(samples > 0.0, "no samples are stored");
    let mut add = |name, value, unit, limit| {
        figures.add(Figure { name, value, unit, limit, goal: None });
    };
    let one = bytes(&database, "host_samples").await? / samples;
    add("ingest.bytes_per_sample", one, "bytes", Some(PLAIN_ROW_BYTES));
    let mut all = 0.0;
    for table in TABLES {
        all += bytes(&database, table).await?;
    }
    add("ingest.bytes_per_sample_all_tables", all / samples, "bytes", None);
    for (suffix, name) in
        [("1m", "ingest.bytes_per_row_rolled_1m"), ("1h", "ingest.bytes_per_row_rolled_1h")]
    {
        let table = format!("host_samples_{suffix}");
        if is_there(&database, &table).await? {
            let rows = database.count(&table).await? as f64;
            if rows > 0.0 {
                add(name, bytes(&database, &table).await? / rows, "bytes", None);
            }
        }
    }
    Ok(())
}

async fn is_there(database: &Database, table: &str) -> Result<bool> {
    let sql = "SELECT to_regclass($1::text) IS NOT NULL";
    Ok(database.client.query_one(sql, &[&table]).await?.get(0))
}

/// With its partitions and their indexes.
async fn bytes(database: &Database, table: &str) -> Result<f64> {
    let sql = "
        SELECT sum(pg_total_relation_size(relid))::float8
        FROM (
            SELECT inhrelid::regclass AS relid FROM pg_inherits
            WHERE inhparent = $1::text::regclass
            UNION ALL SELECT $1::text::regclass
        ) AS parts";
    Ok(database.client.query_one(sql, &[&table]).await?.get(0))
}
