//! What a host is, and what runs on it.

use axum::Json as Answer;
use axum::extract::{Path, State};
use muster_schemas::control::ProcessList;
use muster_schemas::telemetry::Process;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::agent::answered;
use super::extract::Query;
use super::hosts::known_host;
use super::{App, Problem, ProblemBody};
use crate::io::from_postgres::inventory::{self, InventoryRow};
use crate::io::to_agents;

const KINDS: [&str; 2] = ["system", "configuration"];

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct InventoryQuery {
    /// `system` or `configuration`; all if absent.
    kind: Option<String>,
    /// All that differed from what was before, newest first, instead of the newest of each kind.
    #[serde(default)]
    history: bool,
}

#[derive(Serialize, ToSchema)]
pub(super) struct InventoryPage {
    items: Vec<InventoryItem>,
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct InventoryItem {
    kind: String,
    /// When the host found it to be so.
    at: i64,
    /// As the agent sent it.
    #[schema(value_type = Object)]
    detail: serde_json::Value,
}

/// What a host is and how its agent is configured.
#[utoipa::path(
    get, path = "/hosts/{id}/inventory", tag = "hosts",
    params(("id" = String, Path, description = "Host id"), InventoryQuery),
    responses((status = 200, body = InventoryPage), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody), (status = 422, body = ProblemBody))
)]
pub(super) async fn of_host(
    State(gateway): State<App>,
    Path(id): Path<String>,
    Query(query): Query<InventoryQuery>,
) -> Result<Answer<InventoryPage>, Problem> {
    let kind = query.kind.as_deref().filter(|kind| !kind.is_empty());
    if let Some(unknown) = kind.filter(|kind| !KINDS.contains(kind)) {
        let unknown: String = unknown.chars().take(60).collect();
        let detail = format!("kind is {unknown:?}, expected one of {}", KINDS.join(", "));
        return Err(Problem::unprocessable(detail));
    }
    let host = known_host(&gateway, &id).await?;
    let rows = if query.history {
        inventory::history(&gateway.pool, host.as_str(), kind).await?
    } else {
        inventory::newest(&gateway.pool, host.as_str(), kind).await?
    };
    let item = |row: InventoryRow| InventoryItem { kind: row.kind, at: row.at, detail: row.detail };
    Ok(Answer(InventoryPage { items: rows.into_iter().map(item).collect(), next: None }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ProcessesQuery {
    /// Ask the agent for all of them now.
    #[serde(default)]
    live: bool,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Processes {
    /// Null where nothing is known yet.
    at: Option<i64>,
    live: bool,
    #[schema(value_type = Vec<Object>)]
    items: Vec<Process>,
    /// How many are left out because the agent's answer would have been too large.
    left_out: i64,
    next: Option<String>,
}

/// The processes of a host: the largest of the newest sample, or all, asked for now.
#[utoipa::path(
    get, path = "/hosts/{id}/processes", tag = "hosts",
    params(("id" = String, Path, description = "Host id"), ProcessesQuery),
    responses((status = 200, body = Processes), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody),
              (status = 503, description = "The agent does not answer", body = ProblemBody))
)]
pub(super) async fn processes(
    State(gateway): State<App>,
    Path(id): Path<String>,
    Query(query): Query<ProcessesQuery>,
) -> Result<Answer<Processes>, Problem> {
    let host = known_host(&gateway, &id).await?;
    if query.live {
        let answer = to_agents::ask_for(&gateway.bus, &host, "processes").await;
        let list: ProcessList = answered(&host, answer)?;
        let ProcessList { at, processes: items, left_out } = list;
        return Ok(Answer(Processes { at: Some(at), live: true, items, left_out, next: None }));
    }
    let stored = inventory::processes(&gateway.pool, host.as_str()).await?;
    let (at, items) = stored.map_or((None, Vec::new()), |(at, items)| (Some(at), items));
    Ok(Answer(Processes { at, live: false, items, left_out: 0, next: None }))
}
