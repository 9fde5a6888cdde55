//! Tickets: the inbox, one of them, how many there are, and the summary of a week or a month. What
//! people do to them is in `ticket_deeds`.

use axum::Json as Answer;
use axum::extract::{Path, State};
use muster_runtime::now_ms;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::events::{read_cursor, write_cursor};
use super::extract::{Query, page_size};
use super::hosts::host_id;
use super::line_query::present;
use super::metrics::{TIME_MS_MAX, read_time};
use super::rules::number;
use super::{App, Gateway, Problem, ProblemBody};
use crate::io::from_postgres::alert_summary::{self, By, SummaryRow};
use crate::io::from_postgres::alerts::{self, Alert, AlertFilter, AlertedHost, Counts, Details};
use crate::io::from_postgres::written::Unwritten;
use crate::logic::alerts::{bad, label, priorities, statuses, text};
use crate::logic::steps::Range;
use crate::logic::ticket_units::unit_of;

/// Enough for a screen and its scroll bar.
const LIMIT: i64 = 100;

/// Some 300 kB: all that is open on a bad day, for the marks in the list of hosts.
const LIMIT_MAX: i64 = 500;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AlertsQuery {
    /// `open`, `acknowledged`, `resolved`, `active` (open or acknowledged); all if absent.
    status: Option<String>,
    /// `low`, `medium`, `high`, `critical`, or several of them separated by commas.
    priority: Option<String>,
    /// Only of this host.
    host: Option<String>,
    /// Only of this rule.
    rule: Option<String>,
    /// A part of the title, the host or the instance, whatever the case.
    q: Option<String>,
    /// Of the host: `label=value`, or `label` for any value.
    label: Option<String>,
    /// Opened at this time or later: milliseconds since the Unix epoch or RFC 3339.
    from: Option<String>,
    /// As `from`, exclusive.
    to: Option<String>,
    /// 1 to 500, 100 if absent.
    limit: Option<i64>,
    /// `next` of the page before.
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct AlertPage {
    /// Those opened last first.
    items: Vec<Alert>,
    /// `cursor` of the next page; null after the last.
    next: Option<String>,
    /// Of all tickets, whatever was asked for.
    counts: Counts,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Ticket {
    #[serde(flatten)]
    alert: Alert,
    /// Of its value and threshold; null where there is none.
    unit: Option<&'static str>,
    #[serde(flatten)]
    details: Details,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SummaryQuery {
    /// `week` (from Monday) or `month`, in UTC; a week if absent.
    period: Option<String>,
    /// `rule` or `host`; rules if absent.
    by: Option<String>,
    /// A moment in it: milliseconds since the Unix epoch or RFC 3339; now if absent.
    at: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Summary {
    from: i64,
    to: i64,
    /// The largest count first, at most 200.
    items: Vec<SummaryRow>,
    /// Of all tickets of this time, also of those whose rows are not listed.
    total: SummaryRow,
}

/// How a host fares.
#[derive(Serialize, ToSchema)]
pub(super) struct AlertedHosts {
    /// Hosts that have any, in the order of their ids.
    items: Vec<AlertedHost>,
}

/// Tickets, a page at a time.
#[utoipa::path(
    get, path = "/alerts", tag = "alerts", params(AlertsQuery),
    responses((status = 200, body = AlertPage), (status = 401, body = ProblemBody),
              (status = 422, body = ProblemBody))
)]
pub(super) async fn list(
    State(gateway): State<App>,
    Query(query): Query<AlertsQuery>,
) -> Result<Answer<AlertPage>, Problem> {
    let limit = page_size(query.limit, LIMIT, LIMIT_MAX)?;
    let time =
        |field, text: Option<&str>| present(text).map(|text| read_time(field, text)).transpose();
    let from = time("from", query.from.as_deref())?.unwrap_or(0);
    let to = time("to", query.to.as_deref())?.unwrap_or(TIME_MS_MAX);
    let rule = present(query.rule.as_deref());
    let rule = rule.map(|rule| rule.parse().map_err(|_| bad("rule", "it is a number")));
    let label = text("label", query.label.as_deref())?.map(label).transpose()?;
    let filter = AlertFilter {
        statuses: statuses(query.status.as_deref())?,
        priorities: priorities(query.priority.as_deref())?,
        host: text("host", query.host.as_deref())?,
        rule: rule.transpose()?,
        text: text("q", query.q.as_deref())?,
        label,
        range: Range { from, to },
        after: present(query.cursor.as_deref()).map(read_cursor).transpose()?,
        // One more than wanted tells whether there is another page.
        limit: limit + 1,
    };
    if let Some(host) = filter.host {
        host_id(host)?;
    }
    let (items, counts) =
        tokio::try_join!(alerts::alerts(&gateway.pool, &filter), alerts::counts(&gateway.pool))?;
    Ok(Answer(page(items, limit as usize, counts)))
}

fn page(mut items: Vec<Alert>, limit: usize, counts: Counts) -> AlertPage {
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|alert| write_cursor(alert.place));
    AlertPage { items, next, counts }
}

/// How many tickets are not resolved.
#[utoipa::path(
    get, path = "/alerts/counts", tag = "alerts",
    responses((status = 200, body = Counts), (status = 401, body = ProblemBody))
)]
pub(super) async fn counts(State(gateway): State<App>) -> Result<Answer<Counts>, Problem> {
    Ok(Answer(alerts::counts(&gateway.pool).await?))
}

/// Which hosts have tickets that are not resolved, how many, and how bad the worst is. All of them:
/// for the marks in a list of hosts.
#[utoipa::path(
    get, path = "/alerts/hosts", tag = "alerts",
    responses((status = 200, body = AlertedHosts), (status = 401, body = ProblemBody))
)]
pub(super) async fn by_host(State(gateway): State<App>) -> Result<Answer<AlertedHosts>, Problem> {
    Ok(Answer(AlertedHosts { items: alerts::by_host(&gateway.pool).await? }))
}

/// One ticket, with what happened to it and who was told.
#[utoipa::path(
    get, path = "/alerts/{id}", tag = "alerts",
    params(("id" = i64, Path, description = "Ticket id")),
    responses((status = 200, body = Ticket), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody))
)]
pub(super) async fn one(
    State(gateway): State<App>,
    Path(id): Path<String>,
) -> Result<Answer<Ticket>, Problem> {
    Ok(Answer(ticket(&gateway, number("ticket", &id)?).await?))
}

pub(super) async fn ticket(gateway: &Gateway, id: i64) -> Result<Ticket, Problem> {
    let found = alerts::alert(&gateway.pool, id).await?;
    let (alert, details) = found.ok_or(Unwritten::NotThere("ticket"))?;
    let unit = unit_of(&alert.metric, alert.host_id.is_none());
    Ok(Ticket { alert, unit, details })
}

/// How often and for how long there was something, in a week or a month.
#[utoipa::path(
    get, path = "/alerts/summary", tag = "alerts", params(SummaryQuery),
    responses((status = 200, body = Summary), (status = 401, body = ProblemBody),
              (status = 422, body = ProblemBody))
)]
pub(super) async fn summary(
    State(gateway): State<App>,
    Query(query): Query<SummaryQuery>,
) -> Result<Answer<Summary>, Problem> {
    let unit = match present(query.period.as_deref()) {
        None | Some("week") => "week",
        Some("month") => "month",
        Some(_) => return Err(bad("period", "it is week or month").into()),
    };
    let by = match present(query.by.as_deref()) {
        None | Some("rule") => By::Rule,
        Some("host") => By::Host,
        Some(_) => return Err(bad("by", "it is rule or host").into()),
    };
    let at = present(query.at.as_deref()).map(|text| read_time("at", text)).transpose()?;
    let range = alert_summary::period(&gateway.pool, unit, at.unwrap_or_else(now_ms)).await?;
    let (total, items) = alert_summary::summary(&gateway.pool, range, by).await?;
    Ok(Answer(Summary { from: range.from, to: range.to, items, total }))
}
