//! Where data is held.

use axum::Json as Answer;
use axum::extract::State;

use super::{App, ProblemBody};
use crate::logic::pipeline::report::Pipeline;

/// The stages from agents to the database: how each is, where data is held, and how long each stage
/// can still hold. Answers also while the broker or the database does not.
#[utoipa::path(
    get, path = "/pipeline", tag = "pipeline",
    responses((status = 200, body = Pipeline), (status = 401, body = ProblemBody))
)]
pub(super) async fn of_all(State(gateway): State<App>) -> Answer<Pipeline> {
    Answer(gateway.watch.report())
}
