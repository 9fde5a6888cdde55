//! Questions to the database, past all services.

use std::collections::BTreeSet;

use anyhow::Result;
use muster_schemas::HostId;
use tokio_postgres::{Client, NoTls};

pub struct Database {
    pub client: Client,
}

impl Database {
    pub async fn connect(url: &str) -> Result<Self> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        Ok(Self { client })
    }

    /// The times (ms) of a host's rows, with repetitions.
    pub async fn sample_times(&self, host: &HostId) -> Result<Vec<i64>> {
        let sql = "
            SELECT (extract(epoch FROM ts) * 1000)::int8
            FROM host_samples WHERE host_id = $1 ORDER BY ts";
        let rows = self.client.query(sql, &[&host.as_str()]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// `(received, dead)` of a channel, as PostgreSQL writes multiranges.
    pub async fn ledger(&self, host: &HostId, channel: &str) -> Result<Option<(String, String)>> {
        let sql = "
            SELECT received::text, dead::text FROM ledger
            WHERE host_id = $1 AND channel = $2 ORDER BY epoch DESC LIMIT 1";
        let row = self.client.query_opt(sql, &[&host.as_str(), &channel]).await?;
        Ok(row.map(|row| (row.get(0), row.get(1))))
    }

    pub async fn count(&self, table: &str) -> Result<i64> {
        let row = self.client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await?;
        Ok(row.get(0))
    }
}

/// Compares what was published with what is stored: nothing missing, nothing twice.
pub fn exactly_once(published: &BTreeSet<i64>, stored: &[i64]) -> Result<(), String> {
    let distinct: BTreeSet<i64> = stored.iter().copied().collect();
    let missing = published.difference(&distinct).count();
    let unknown = distinct.difference(published).count();
    let doubled = stored.len() - distinct.len();
    if missing + unknown + doubled == 0 {
        return Ok(());
    }
    let (published, stored) = (published.len(), stored.len());
    Err(format!(
        "of {published} published samples {missing} are missing; of {stored} rows {doubled} are \
         doubled and {unknown} were never published"
    ))
}
