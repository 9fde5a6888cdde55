//! What operators want of agents: for the fleet, and for a host.

use axum::Json as Answer;
use axum::extract::{Path, State};
use muster_schemas::HostId;
use muster_schemas::configuration::{AppliedConfiguration, Settings};
use serde::Serialize;
use utoipa::ToSchema;

use super::agent::answered;
use super::extract::{Json, Operator};
use super::hosts::known_host;
use super::{App, Problem, ProblemBody};
use crate::io::from_postgres::inventory::online_hosts;
use crate::io::from_postgres::settings::{self, StoredSettings};
use crate::io::to_agents;
use crate::logic::settings::{Scope, read};

/// With those of the fleet it must fit in one message of the bus, with room for conditions.
pub(super) const BODY_BYTES_MAX: usize = 256 * 1024;

#[derive(Serialize, ToSchema)]
pub(super) struct Stored {
    /// 0 where nobody has set anything yet.
    version: i64,
    updated_at: Option<i64>,
    updated_by: Option<String>,
    #[schema(value_type = Object)]
    settings: Settings,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Taken {
    #[serde(flatten)]
    stored: Stored,
    /// What the agent has in force now; null where it could not be asked, or for the fleet.
    #[schema(value_type = Option<Object>)]
    applied: Option<AppliedConfiguration>,
    /// Why it could not; it will ask by itself when it is back.
    trouble: Option<String>,
}

impl From<StoredSettings> for Stored {
    fn from(stored: StoredSettings) -> Self {
        let StoredSettings { settings, version, updated_at, updated_by } = stored;
        Self { version, updated_at, updated_by, settings }
    }
}

/// What is set for all hosts.
#[utoipa::path(
    get, path = "/agent-settings", tag = "agents",
    responses((status = 200, body = Stored), (status = 401, body = ProblemBody))
)]
pub(super) async fn fleet(State(gateway): State<App>) -> Result<Answer<Stored>, Problem> {
    Ok(Answer(settings::read(&gateway.pool, &Scope::Fleet).await?.into()))
}

/// Set it for all hosts; what is absent is left to each host's own file. Operators only.
#[utoipa::path(
    put, path = "/agent-settings", tag = "agents", request_body = Object,
    responses((status = 200, body = Taken), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 422, body = ProblemBody))
)]
pub(super) async fn set_fleet(
    State(gateway): State<App>,
    Operator(claims): Operator,
    Json(body): Json<serde_json::Value>,
) -> Result<Answer<Taken>, Problem> {
    let stored = replace(&gateway, &Scope::Fleet, body, &claims.sub).await?;
    let hosts = online_hosts(&gateway.pool).await?;
    gateway.background.spawn(to_agents::ask_all_to_reload(gateway.bus.clone(), hosts));
    Ok(Answer(Taken { stored, applied: None, trouble: None }))
}

/// What is set for a host beyond the fleet's settings.
#[utoipa::path(
    get, path = "/hosts/{id}/settings", tag = "agents",
    params(("id" = String, Path, description = "Host id")),
    responses((status = 200, body = Stored), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody))
)]
pub(super) async fn host(
    State(gateway): State<App>,
    Path(id): Path<String>,
) -> Result<Answer<Stored>, Problem> {
    let scope = Scope::Host(known_host(&gateway, &id).await?);
    Ok(Answer(settings::read(&gateway.pool, &scope).await?.into()))
}

/// Set it for a host; what is absent is as for the fleet. Operators only.
#[utoipa::path(
    put, path = "/hosts/{id}/settings", tag = "agents", request_body = Object,
    params(("id" = String, Path, description = "Host id")),
    responses((status = 200, body = Taken), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 422, body = ProblemBody))
)]
pub(super) async fn set_host(
    State(gateway): State<App>,
    Operator(claims): Operator,
    Path(id): Path<String>,
    Json(body): Json<serde_json::Value>,
) -> Result<Answer<Taken>, Problem> {
    let host: HostId = known_host(&gateway, &id).await?;
    let stored = replace(&gateway, &Scope::Host(host.clone()), body, &claims.sub).await?;
    let answer = to_agents::ask_to_reload(&gateway.bus, &host).await;
    let trouble = answer.trouble(&host);
    let applied = answered(&host, answer).ok();
    Ok(Answer(Taken { stored, applied, trouble }))
}

async fn replace(
    gateway: &App,
    scope: &Scope,
    body: serde_json::Value,
    by: &str,
) -> Result<Stored, Problem> {
    let wanted = read(body)?;
    Ok(settings::replace(&gateway.pool, scope, &wanted, by).await??.into())
}
