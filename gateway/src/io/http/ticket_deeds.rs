//! What people do to tickets: acknowledge, take that back, resolve, comment. Operators do it.

use axum::Json as Answer;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;

use super::alerts::{Ticket, ticket};
use super::body::Named;
use super::extract::Operator;
use super::rules::number;
use super::{App, Problem, ProblemBody};
use crate::io::from_postgres::ticket_deeds::{self, Deed};
use crate::logic::alerts::{BULK_MAX, bad, comment};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Remark {
    /// What others should know of it; 4096 bytes.
    comment: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewComment {
    /// 4096 bytes at most.
    text: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Tickets {
    /// 500 at most.
    ids: Vec<i64>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Acknowledged {
    /// How many are acknowledged now.
    done: usize,
    /// Those that are not, and why.
    refused: Vec<RefusedTicket>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct RefusedTicket {
    id: i64,
    reason: String,
}

/// Say that somebody looks after a ticket: it escalates no further. Operators only.
#[utoipa::path(
    post, path = "/alerts/{id}/acknowledge", tag = "alerts", request_body = Remark,
    params(("id" = i64, Path, description = "Ticket id")),
    responses((status = 200, body = Ticket), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, body = ProblemBody),
              (status = 413, body = ProblemBody), (status = 422, body = ProblemBody))
)]
pub(super) async fn acknowledge(
    State(gateway): State<App>,
    Operator(who): Operator,
    Path(id): Path<String>,
    Named(remark): Named<Remark>,
) -> Result<Answer<Ticket>, Problem> {
    handle(&gateway, &who.sub, &id, Deed::Acknowledge, &remark).await
}

/// Say that nobody looks after a ticket any more. Operators only.
#[utoipa::path(
    post, path = "/alerts/{id}/unacknowledge", tag = "alerts", request_body = Remark,
    params(("id" = i64, Path, description = "Ticket id")),
    responses((status = 200, body = Ticket), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, body = ProblemBody),
              (status = 413, body = ProblemBody), (status = 422, body = ProblemBody))
)]
pub(super) async fn unacknowledge(
    State(gateway): State<App>,
    Operator(who): Operator,
    Path(id): Path<String>,
    Named(remark): Named<Remark>,
) -> Result<Answer<Ticket>, Problem> {
    handle(&gateway, &who.sub, &id, Deed::Unacknowledge, &remark).await
}

/// End a ticket by hand. Operators only.
#[utoipa::path(
    post, path = "/alerts/{id}/resolve", tag = "alerts", request_body = Remark,
    params(("id" = i64, Path, description = "Ticket id")),
    responses((status = 200, body = Ticket), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, body = ProblemBody),
              (status = 413, body = ProblemBody), (status = 422, body = ProblemBody))
)]
pub(super) async fn resolve(
    State(gateway): State<App>,
    Operator(who): Operator,
    Path(id): Path<String>,
    Named(remark): Named<Remark>,
) -> Result<Answer<Ticket>, Problem> {
    handle(&gateway, &who.sub, &id, Deed::Resolve, &remark).await
}

async fn handle(
    gateway: &App,
    who: &str,
    id: &str,
    deed: Deed,
    remark: &Remark,
) -> Result<Answer<Ticket>, Problem> {
    let id = number("ticket", id)?;
    let comment = comment("comment", remark.comment.as_deref(), false)?;
    ticket_deeds::handle(&gateway.pool, id, deed, who, comment).await??;
    info!(user = who, ticket = id, "{who} {} ticket {id}", deed.as_str());
    Ok(Answer(ticket(gateway, id).await?))
}

/// Write a comment to a ticket. Operators only.
#[utoipa::path(
    post, path = "/alerts/{id}/comments", tag = "alerts", request_body = NewComment,
    params(("id" = i64, Path, description = "Ticket id")),
    responses((status = 200, body = Ticket), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 413, body = ProblemBody), (status = 422, body = ProblemBody))
)]
pub(super) async fn add_comment(
    State(gateway): State<App>,
    Operator(who): Operator,
    Path(id): Path<String>,
    Named(NewComment { text }): Named<NewComment>,
) -> Result<Answer<Ticket>, Problem> {
    let id = number("ticket", &id)?;
    let text = comment("text", Some(&text), true)?.unwrap_or_default();
    ticket_deeds::comment(&gateway.pool, id, &who.sub, text).await??;
    Ok(Answer(ticket(&gateway, id).await?))
}

/// Say of up to 500 tickets that somebody looks after them. Operators only.
#[utoipa::path(
    post, path = "/alerts/acknowledge", tag = "alerts", request_body = Tickets,
    responses((status = 200, body = Acknowledged), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody),
              (status = 413, body = ProblemBody), (status = 422, body = ProblemBody))
)]
pub(super) async fn acknowledge_all(
    State(gateway): State<App>,
    Operator(who): Operator,
    Named(Tickets { mut ids }): Named<Tickets>,
) -> Result<Answer<Acknowledged>, Problem> {
    if ids.is_empty() || ids.len() > BULK_MAX {
        let reason = format!("it has {} tickets, allowed are 1 to {BULK_MAX}", ids.len());
        return Err(bad("ids", reason).into());
    }
    ids.sort_unstable();
    ids.dedup();
    let (done, refused) = ticket_deeds::acknowledge_all(&gateway.pool, &ids, &who.sub).await?;
    info!(user = who.sub, done, "{} acknowledged {done} tickets", who.sub);
    let refused = refused.into_iter();
    let refused = refused.map(|(id, why)| RefusedTicket { id, reason: why.to_string() });
    Ok(Answer(Acknowledged { done, refused: refused.collect() }))
}
