//! How many log lines there were over time: what is drawn above the list of them.

use axum::Json as Answer;
use axum::extract::{Path, State};
use muster_runtime::now_ms;
use muster_schemas::HostId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::{ListQuery, Query};
use super::hosts::known_host;
use super::line_query::{LineQuery, search_failed};
use super::{App, Problem, ProblemBody};
use crate::io::from_postgres::log_counts::counts;
use crate::logic::histogram::{CountSeries, series, step_ms, whole_from};
use crate::logic::slices::{FIRST_MS, Slices};

/// What is shown where nothing was asked for.
const RANGE_MS: i64 = 86_400_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct StepQuery {
    /// Seconds; chosen for about 100 steps if absent, at most 1500.
    step: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Counts {
    from: i64,
    to: i64,
    step_ms: i64,
    /// The start of each step, without gaps.
    timestamps: Vec<i64>,
    /// All five severities, from the worst.
    series: Vec<CountSeries>,
    /// Set where counting took so long that it was cut off: steps before this time have no count.
    searched_until: Option<i64>,
}

/// Log lines of all hosts, counted by severity and step.
///
/// The parameters are those of the list of lines; a day before `to` where there is no `from`.
#[utoipa::path(
    get, path = "/logs/counts", tag = "logs", params(LineQuery, StepQuery),
    responses((status = 200, body = Counts), (status = 401, body = ProblemBody),
              (status = 422, body = ProblemBody), (status = 503, body = ProblemBody))
)]
pub(super) async fn all(
    State(gateway): State<App>,
    ListQuery(query): ListQuery<LineQuery>,
    Query(step): Query<StepQuery>,
) -> Result<Answer<Counts>, Problem> {
    let host = query.host()?;
    count(&gateway, host.as_ref(), &query, &step).await
}

/// Log lines of a host, counted by severity and step.
#[utoipa::path(
    get, path = "/hosts/{id}/logs/counts", tag = "logs",
    params(("id" = String, Path, description = "Host id"), LineQuery, StepQuery),
    responses((status = 200, body = Counts), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody), (status = 422, body = ProblemBody),
              (status = 503, body = ProblemBody))
)]
pub(super) async fn of_host(
    State(gateway): State<App>,
    Path(id): Path<String>,
    ListQuery(query): ListQuery<LineQuery>,
    Query(step): Query<StepQuery>,
) -> Result<Answer<Counts>, Problem> {
    let host = known_host(&gateway, &id).await?;
    count(&gateway, Some(&host), &query, &step).await
}

async fn count(
    gateway: &App,
    host: Option<&HostId>,
    query: &LineQuery,
    step: &StepQuery,
) -> Result<Answer<Counts>, Problem> {
    let range = query.bounded_range(RANGE_MS)?;
    let step_ms =
        step_ms(range, step.step).map_err(|error| Problem::unprocessable(error.to_string()))?;
    let filter = query.filter(host)?;
    let slices = Slices::new(range, now_ms(), FIRST_MS);
    let counted = counts(&gateway.pool, &filter, slices, step_ms).await.map_err(search_failed)?;
    let until = counted.searched_until;
    let (timestamps, series) = series(range, step_ms, &counted.counts, until);
    Ok(Answer(Counts {
        from: range.from,
        to: range.to,
        step_ms,
        timestamps,
        series,
        searched_until: (until > range.from).then(|| whole_from(until, step_ms)),
    }))
}
