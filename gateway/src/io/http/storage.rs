//! How large what is stored is, and whose it is.

use axum::Json as Answer;
use axum::extract::State;
use muster_runtime::now_ms;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::{Query, page_size};
use super::{App, Problem, ProblemBody};
use crate::io::from_disk::free_bytes;
use crate::io::from_postgres::storage::{self, Sizes};
use crate::logic::storage::{GroupSize, HostSize, TableSize, by_group};

/// As many as a list shows at once.
const LIMIT: usize = 100;
const LIMIT_MAX: usize = 1_000;

/// Said with every estimate of a host.
const METHOD: &str = "bytes of the tables, divided by how often hosts occur in the database's own \
    sample of the newest day or month; hosts that are not in it share the rest equally";

#[derive(Serialize, ToSchema)]
pub(super) struct Storage {
    /// When it was looked at, at most a minute ago.
    at: i64,
    /// `plain` or `timescale`.
    engine: String,
    /// All of it, with what is not ours.
    database_bytes: i64,
    /// What the database may still write to the file system on which its data are. Null where
    /// that cannot be known: the database does not say, so the gateway has to be on the same
    /// machine and to be told where (`database_directory`). Tablespaces and a log on other disks
    /// are not counted.
    free_bytes: Option<i64>,
    hosts: i64,
    /// The mean over hosts; null without any.
    bytes_per_host: Option<i64>,
    /// Of all time series, the mean of the last seven days that have ended.
    bytes_per_day: i64,
    /// The largest first.
    groups: Vec<GroupSize>,
    tables: Vec<TableSize>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HostsQuery {
    /// 1 to 1000, 100 if absent.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct HostPage {
    /// The largest first.
    items: Vec<HostSize>,
    /// `cursor` of the next page; null after the last.
    next: Option<String>,
    /// How the estimate is made.
    method: &'static str,
}

/// Sizes of the database, of groups of tables and of tables.
#[utoipa::path(
    get, path = "/storage", tag = "storage",
    responses((status = 200, body = Storage), (status = 401, body = ProblemBody))
)]
pub(super) async fn read(State(gateway): State<App>) -> Result<Answer<Storage>, Problem> {
    let sizes = gateway.sizes.get(storage::sizes(&gateway.pool, now_ms())).await?;
    let Sizes { at, engine, database_bytes, hosts, tables } = sizes;
    let of_hosts: i64 = tables.iter().filter(|table| table.days > 0).map(|table| table.bytes).sum();
    Ok(Answer(Storage {
        at,
        engine,
        database_bytes,
        free_bytes: free_bytes(gateway.database_directory.clone()).await,
        hosts,
        bytes_per_host: (hosts > 0).then(|| of_hosts / hosts),
        bytes_per_day: tables.iter().filter_map(|table| table.bytes_per_day).sum(),
        groups: by_group(&tables),
        tables,
    }))
}

/// What each host takes, estimated at most a minute ago.
#[utoipa::path(
    get, path = "/storage/hosts", tag = "storage", params(HostsQuery),
    responses((status = 200, body = HostPage), (status = 401, body = ProblemBody),
              (status = 422, body = ProblemBody))
)]
pub(super) async fn hosts(
    State(gateway): State<App>,
    Query(query): Query<HostsQuery>,
) -> Result<Answer<HostPage>, Problem> {
    let limit = page_size(query.limit, LIMIT, LIMIT_MAX)?;
    let start = match query.cursor.as_deref().filter(|cursor| !cursor.is_empty()) {
        None => 0,
        Some(cursor) => cursor.parse::<usize>().map_err(|_| {
            Problem::unprocessable(format!("cursor is {cursor:?}, not one of ours"))
        })?,
    };
    let all = gateway.host_sizes.get(storage::by_host(&gateway.pool, now_ms())).await?;
    let end = start.saturating_add(limit);
    let next = (end < all.len()).then(|| end.to_string());
    let items = all.iter().skip(start).take(limit).cloned().collect();
    Ok(Answer(HostPage { items, next, method: METHOD }))
}
