//! The agent of a host: how it fares, and what it is to do.

use axum::Json as Answer;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use muster_schemas::HostId;
use muster_schemas::configuration::AppliedConfiguration;
use muster_schemas::control::{Health, Status};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::warn;
use utoipa::ToSchema;

use super::extract::Operator;
use super::hosts::known_host;
use super::{App, Problem, ProblemBody};
use crate::io::from_postgres::inventory;
use crate::io::to_agents;
use crate::logic::lease;

#[derive(Serialize, ToSchema)]
pub(super) struct Agent {
    /// The newest heartbeat, as it came; null before the first.
    #[schema(value_type = Option<Object>)]
    heartbeat: Option<serde_json::Value>,
    heartbeat_at: Option<i64>,
    /// What the agent says now; null where it does not answer.
    #[schema(value_type = Option<Object>)]
    health: Option<Health>,
    #[schema(value_type = Option<Object>)]
    status: Option<Status>,
    /// Why it does not.
    trouble: Option<String>,
}

/// How an agent fares: its last heartbeat, and what it answers now.
#[utoipa::path(
    get, path = "/hosts/{id}/agent", tag = "agents",
    params(("id" = String, Path, description = "Host id")),
    responses((status = 200, body = Agent), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody))
)]
pub(super) async fn of_host(
    State(gateway): State<App>,
    Path(id): Path<String>,
) -> Result<Answer<Agent>, Problem> {
    let host = known_host(&gateway, &id).await?;
    let (heartbeat, health, status) = tokio::join!(
        inventory::heartbeat(&gateway.pool, host.as_str()),
        to_agents::ask_for(&gateway.bus, &host, "health"),
        to_agents::ask_for(&gateway.bus, &host, "status"),
    );
    let (heartbeat_at, heartbeat) = heartbeat?.unzip();
    let trouble = health.trouble(&host).or_else(|| status.trouble(&host));
    let (health, status) = (answered(&host, health).ok(), answered(&host, status).ok());
    Ok(Answer(Agent { heartbeat, heartbeat_at, health, status, trouble }))
}

/// Let an agent ask for its settings and read its own file again. Operators only.
#[utoipa::path(
    post, path = "/hosts/{id}/agent/reload", tag = "agents",
    params(("id" = String, Path, description = "Host id")),
    responses((status = 200, description = "The configuration in force", body = Object),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
              (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
              (status = 503, body = ProblemBody))
)]
pub(super) async fn reload(
    State(gateway): State<App>,
    _: Operator,
    Path(id): Path<String>,
) -> Result<Answer<AppliedConfiguration>, Problem> {
    let host = known_host(&gateway, &id).await?;
    let answer = to_agents::ask_to_reload(&gateway.bus, &host).await;
    answered(&host, answer).map(Answer)
}

/// What an agent said, or the problem that it is not there or does not want to.
pub(super) fn answered<T: DeserializeOwned>(
    host: &HostId,
    answer: lease::Answer,
) -> Result<T, Problem> {
    if let Some(trouble) = answer.trouble(host) {
        return Err(match answer {
            lease::Answer::Said(_) => Problem::new(StatusCode::CONFLICT, trouble),
            _ => Problem::unavailable(trouble),
        });
    }
    let lease::Answer::Said(reply) = answer else {
        return Err(Problem::internal());
    };
    reply.data().map_err(|error| {
        warn!(host.id = %host, error, "an agent's answer cannot be read");
        let detail = format!("the answer of the agent of {host} cannot be read");
        Problem::new(StatusCode::BAD_GATEWAY, detail)
    })
}
