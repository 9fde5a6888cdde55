//! Hosts: the list and one of them.

use axum::Json as Answer;
use axum::extract::{Path, State};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use muster_schemas::HostId;
use muster_schemas::telemetry::Sample;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::{Query, page_size};
use super::{App, Problem, ProblemBody};
use crate::io::from_postgres::hosts::{self, HostFilter, HostRow, System};
use crate::io::from_postgres::inventory;
use crate::logic::summary::{Latest, latest};

/// Enough for a screen and its scroll bar.
const LIMIT: i64 = 200;

/// About 700 kB.
const LIMIT_MAX: i64 = 1_000;

/// A part of a host id is not longer than one.
const PART_CHARS_MAX: usize = muster_schemas::ids::HOST_ID_LENGTH_MAX;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HostsQuery {
    /// 1 to 1000, 200 if absent.
    limit: Option<i64>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// A part of the id.
    q: Option<String>,
    status: Option<Status>,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Online,
    Offline,
    Unknown,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Host {
    id: String,
    /// `online`, `offline`, or `unknown` before its first heartbeat was judged.
    status: String,
    /// Milliseconds since the Unix epoch, as all times here.
    status_since: i64,
    first_seen_at: i64,
    last_seen_at: i64,
    agent_version: Option<String>,
    #[schema(value_type = Object)]
    labels: serde_json::Value,
    #[serde(flatten)]
    system: System,
    latest: Option<Latest>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct HostPage {
    items: Vec<Host>,
    /// `cursor` of the next page; null after the last.
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct HostDetail {
    #[serde(flatten)]
    host: Host,
    /// The newest sample, whole, as the agent sent it, with what its disks said of themselves last.
    #[schema(value_type = Option<Object>)]
    sample: Option<Sample>,
}

/// All hosts, in the order of their ids, a page at a time.
#[utoipa::path(
    get, path = "/hosts", tag = "hosts", params(HostsQuery),
    responses((status = 200, body = HostPage), (status = 401, body = ProblemBody),
              (status = 422, body = ProblemBody))
)]
pub(super) async fn list(
    State(gateway): State<App>,
    Query(query): Query<HostsQuery>,
) -> Result<Answer<HostPage>, Problem> {
    let limit = page_size(query.limit, LIMIT, LIMIT_MAX)?;
    let after = query.cursor.filter(|cursor| !cursor.is_empty()).map(read_cursor).transpose()?;
    let part = query.q.filter(|part| !part.is_empty()).map(|part| part.to_lowercase());
    if part
        .as_ref()
        .is_some_and(|part| part.chars().count() > PART_CHARS_MAX || part.contains('\0'))
    {
        return Err(Problem::unprocessable(format!(
            "q is longer than {PART_CHARS_MAX} characters"
        )));
    }
    let filter = HostFilter {
        after: after.as_deref(),
        part: part.as_deref(),
        status: query.status.map(Status::as_str),
        // One more than wanted tells whether there is another page.
        limit: limit + 1,
    };
    let mut rows = hosts::hosts(&gateway.pool, &filter).await?;
    let more = rows.len() as i64 > limit;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(|row| BASE64_URL_SAFE_NO_PAD.encode(&row.id));
    Ok(Answer(HostPage { items: rows.into_iter().map(|row| Host::from(row).0).collect(), next }))
}

/// One host with its newest sample.
#[utoipa::path(
    get, path = "/hosts/{id}", tag = "hosts", params(("id" = String, Path, description = "Host id")),
    responses((status = 200, body = HostDetail), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody))
)]
pub(super) async fn one(
    State(gateway): State<App>,
    Path(id): Path<String>,
) -> Result<Answer<HostDetail>, Problem> {
    let id = host_id(&id)?;
    let row = hosts::host(&gateway.pool, id.as_str()).await?;
    let (host, mut sample) = Host::from(row.ok_or_else(|| Problem::no_host(id.as_str()))?);
    if let Some(sample) = sample.as_mut().filter(|sample| sample.smart_disks.is_empty()) {
        sample.smart_disks = inventory::smart_disks(&gateway.pool, id.as_str()).await?;
    }
    Ok(Answer(HostDetail { host, sample }))
}

/// What cannot be a host id is the id of no host.
pub(super) fn host_id(text: &str) -> Result<HostId, Problem> {
    text.parse().map_err(|_| Problem::no_host(&text.chars().take(80).collect::<String>()))
}

pub(super) async fn known_host(gateway: &App, text: &str) -> Result<HostId, Problem> {
    let id = host_id(text)?;
    if hosts::is_known(&gateway.pool, id.as_str()).await? {
        return Ok(id);
    }
    Err(Problem::no_host(id.as_str()))
}

fn read_cursor(cursor: String) -> Result<String, Problem> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|id| id.parse::<HostId>().is_ok())
        .ok_or_else(|| Problem::unprocessable("cursor is not one that a page before named"))
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Unknown => "unknown",
        }
    }
}

impl Host {
    fn from(row: HostRow) -> (Self, Option<Sample>) {
        let host = Self {
            id: row.id,
            status: row.status,
            status_since: row.status_since,
            first_seen_at: row.first_seen_at,
            last_seen_at: row.last_seen_at,
            agent_version: row.agent_version,
            labels: row.labels,
            system: row.system,
            latest: row.sample.as_ref().map(latest),
        };
        (host, row.sample)
    }
}
