//! Notifications: what became of them, and what to do with those that did not get through.

use axum::Json as Answer;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::{IntoParams, ToSchema};

use super::extract::{Admin, Query, page_size};
use super::line_query::present;
use super::rules::number;
use super::silences::read_place;
use super::{App, Problem, ProblemBody};
use crate::io::from_postgres::notifications::{self, Deed, Notification};
use crate::io::from_postgres::written::Unwritten;
use crate::logic::alerts::bad;

const LIMIT: i64 = 50;
const LIMIT_MAX: i64 = 500;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct NotificationsQuery {
    /// `pending`, `sent` or `dead`; all if absent.
    state: Option<String>,
    /// Only of this channel.
    channel: Option<String>,
    /// 1 to 500, 50 if absent.
    limit: Option<i64>,
    /// `next` of the page before.
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct NotificationPage {
    /// Newest first.
    items: Vec<Notification>,
    /// `cursor` of the next page; null after the last.
    next: Option<String>,
}

/// Notifications, a page at a time.
#[utoipa::path(
    get, path = "/notifications", tag = "alerts", params(NotificationsQuery),
    responses((status = 200, body = NotificationPage), (status = 401, body = ProblemBody),
              (status = 422, body = ProblemBody))
)]
pub(super) async fn list(
    State(gateway): State<App>,
    Query(query): Query<NotificationsQuery>,
) -> Result<Answer<NotificationPage>, Problem> {
    let limit = page_size(query.limit, LIMIT, LIMIT_MAX)?;
    let state = present(query.state.as_deref());
    if state.is_some_and(|state| !["pending", "sent", "dead"].contains(&state)) {
        return Err(bad("state", "it is pending, sent or dead").into());
    }
    let channel = present(query.channel.as_deref());
    let channel = channel.map(|id| id.parse().map_err(|_| bad("channel", "it is a number")));
    let before = read_place(query.cursor.as_deref())?;
    let pool = &gateway.pool;
    let mut items =
        notifications::notifications(pool, state, channel.transpose()?, before, limit + 1).await?;
    let more = items.len() as i64 > limit;
    items.truncate(limit as usize);
    let next = items.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(Answer(NotificationPage { items, next }))
}

/// One notification: what became of a test, for one.
#[utoipa::path(
    get, path = "/notifications/{id}", tag = "alerts",
    params(("id" = i64, Path, description = "Notification id")),
    responses((status = 200, body = Notification), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody))
)]
pub(super) async fn one(
    State(gateway): State<App>,
    Path(id): Path<String>,
) -> Result<Answer<Notification>, Problem> {
    let found = notifications::one(&gateway.pool, number("notification", &id)?).await?;
    Ok(Answer(found.ok_or(Unwritten::NotThere("notification"))?))
}

/// Try a dead notification again, for another day; not while its channel is switched off.
/// Administrators only.
#[utoipa::path(
    post, path = "/notifications/{id}/retry", tag = "alerts",
    params(("id" = i64, Path, description = "Notification id")),
    responses((status = 204), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, body = ProblemBody))
)]
pub(super) async fn retry(
    State(gateway): State<App>,
    Admin(claims): Admin,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    handle(&gateway, &id, Deed::Retry, &claims.sub).await
}

/// Throw a dead notification away. Administrators only.
#[utoipa::path(
    post, path = "/notifications/{id}/discard", tag = "alerts",
    params(("id" = i64, Path, description = "Notification id")),
    responses((status = 204), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, body = ProblemBody))
)]
pub(super) async fn discard(
    State(gateway): State<App>,
    Admin(claims): Admin,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    handle(&gateway, &id, Deed::Discard, &claims.sub).await
}

async fn handle(gateway: &App, id: &str, deed: Deed, who: &str) -> Result<StatusCode, Problem> {
    let id = number("notification", id)?;
    notifications::handle(&gateway.pool, id, deed, who).await??;
    info!(user = who, ?deed, notification = id, "{who} dealt with the dead notification {id}");
    Ok(StatusCode::NO_CONTENT)
}
