//! The hosts that selectors are held against.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use deadpool_postgres::Pool;
use muster_schemas::HostId;
use tokio_postgres::Row;
use tokio_postgres::types::Json;

use super::connection;
use crate::logic::selected::Counts;

/// How many hosts each selects now.
pub(crate) async fn count<'a>(pool: &Pool, counts: &'a Counts) -> Result<BTreeMap<&'a str, i64>> {
    let client = connection(pool).await?;
    if !counts.needs_labels() {
        let statement = client.prepare_cached("SELECT count(*) FROM hosts").await?;
        let row = client.query_one(&statement, &[]).await.context("cannot count the hosts")?;
        return Ok(counts.among_unlabelled(row.get(0)));
    }
    let statement = client.prepare_cached("SELECT id, labels FROM hosts").await?;
    let rows = client.query(&statement, &[]).await.context("cannot read the hosts")?;
    let hosts: Vec<_> = rows.iter().filter_map(read).collect();
    Ok(counts.among(&hosts))
}

fn read(row: &Row) -> Option<(HostId, BTreeMap<String, String>)> {
    let host = row.get::<_, &str>(0).parse().ok()?;
    let labels = row.try_get::<_, Json<_>>(1).map_or_else(|_| BTreeMap::new(), |labels| labels.0);
    Some((host, labels))
}
