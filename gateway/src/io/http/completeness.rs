//! How much of what a host sent is here.

use axum::Json as Answer;
use axum::extract::{Path, State};

use super::hosts::known_host;
use super::{App, Problem, ProblemBody};
use crate::io::from_postgres::ledger;
use crate::logic::completeness::{Completeness, completeness};

/// Which of a host's messages are here and which are missing, per channel.
#[utoipa::path(
    get, path = "/hosts/{id}/completeness", tag = "hosts",
    params(("id" = String, Path, description = "Host id")),
    responses((status = 200, body = Completeness), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody))
)]
pub(super) async fn of_host(
    State(gateway): State<App>,
    Path(id): Path<String>,
) -> Result<Answer<Completeness>, Problem> {
    let host = known_host(&gateway, &id).await?;
    Ok(Answer(completeness(ledger::ledgers(&gateway.pool, host.as_str()).await?)))
}
