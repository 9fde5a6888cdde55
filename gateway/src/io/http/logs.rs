//! Log lines: of one host, or of all.

use axum::Json as Answer;
use axum::extract::{Path, State};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use muster_schemas::logs::Severity;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::Query;
use super::hosts::{host_id, known_host};
use super::metrics::read_time;
use super::{App, Problem, ProblemBody};
use crate::io::from_postgres::logs::{LineFilter, LineRow, lines};
use crate::logic::lines::Place;

/// Enough for a screen and its scroll bar.
const LIMIT: i64 = 100;

/// Some 16 MB where all of them are of the largest.
const LIMIT_MAX: i64 = 1_000;

/// What is searched for, or a name, is not longer than this.
const TEXT_CHARS_MAX: usize = 1_024;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LogsQuery {
    /// This bad or worse: `critical`, `failure`, `error`, `warn` or `info`.
    severity: Option<String>,
    /// Exactly this application.
    application: Option<String>,
    /// Exactly this file or `journal:<unit>`.
    source: Option<String>,
    /// Only of this host (where the address names none).
    host: Option<String>,
    /// A part of the message, whatever the case.
    text: Option<String>,
    /// Milliseconds since the Unix epoch or RFC 3339.
    from: Option<String>,
    /// As `from`, exclusive.
    to: Option<String>,
    /// 1 to 1000, 100 if absent.
    limit: Option<i64>,
    /// `next` of the page before.
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Line {
    /// Of this line and no other.
    id: String,
    host: String,
    /// What the line says, else when it was read.
    at: i64,
    received_at: i64,
    severity: &'static str,
    application: String,
    source: String,
    /// Several lines where they belong together.
    message: String,
    /// How many bytes were cut off.
    truncated_bytes: i64,
    /// How many lines this one stands for that were left out because there were too many.
    suppressed: i64,
    #[schema(value_type = Object)]
    fields: serde_json::Value,
}

#[derive(Serialize, ToSchema)]
pub(super) struct LinePage {
    /// Newest first.
    items: Vec<Line>,
    /// `cursor` of the next page; null after the last.
    next: Option<String>,
}

/// Log lines of all hosts, newest first.
#[utoipa::path(
    get, path = "/logs", tag = "logs", params(LogsQuery),
    responses((status = 200, body = LinePage), (status = 401, body = ProblemBody),
              (status = 422, body = ProblemBody))
)]
pub(super) async fn all(
    State(gateway): State<App>,
    Query(query): Query<LogsQuery>,
) -> Result<Answer<LinePage>, Problem> {
    let host = query.host.as_deref().filter(|host| !host.is_empty()).map(host_id).transpose()?;
    page(&gateway, host.as_ref().map(muster_schemas::HostId::as_str), &query).await
}

/// Log lines of a host, newest first.
#[utoipa::path(
    get, path = "/hosts/{id}/logs", tag = "logs",
    params(("id" = String, Path, description = "Host id"), LogsQuery),
    responses((status = 200, body = LinePage), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody), (status = 422, body = ProblemBody))
)]
pub(super) async fn of_host(
    State(gateway): State<App>,
    Path(id): Path<String>,
    Query(query): Query<LogsQuery>,
) -> Result<Answer<LinePage>, Problem> {
    let host = known_host(&gateway, &id).await?;
    page(&gateway, Some(host.as_str()), &query).await
}

async fn page(
    gateway: &App,
    host: Option<&str>,
    query: &LogsQuery,
) -> Result<Answer<LinePage>, Problem> {
    let limit = query.limit.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        let detail = format!("limit is {limit}, allowed are 1 to {LIMIT_MAX}");
        return Err(Problem::unprocessable(detail));
    }
    let time =
        |field, text: Option<&str>| present(text).map(|text| read_time(field, text)).transpose();
    let after = present(query.cursor.as_deref()).map(read_cursor).transpose()?;
    let filter = LineFilter {
        host,
        severity: present(query.severity.as_deref()).map(read_severity).transpose()?,
        application: bounded("application", query.application.as_deref())?,
        source: bounded("source", query.source.as_deref())?,
        text: bounded("text", query.text.as_deref())?,
        from: time("from", query.from.as_deref())?,
        to: time("to", query.to.as_deref())?,
        after: after.as_ref(),
        // One more than wanted tells whether there is another page.
        limit: limit + 1,
    };
    let mut rows = lines(&gateway.pool, &filter).await?;
    let more = rows.len() as i64 > limit;
    rows.truncate(limit as usize);
    let cursor = |row: &LineRow| BASE64_URL_SAFE_NO_PAD.encode(row.place.to_string());
    let next = rows.last().filter(|_| more).map(cursor);
    Ok(Answer(LinePage { items: rows.into_iter().map(Line::from).collect(), next }))
}

/// A form sends what is empty; it asks for nothing.
fn present(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

fn bounded<'a>(field: &str, text: Option<&'a str>) -> Result<Option<&'a str>, Problem> {
    let text = present(text);
    if text.is_some_and(|text| text.chars().count() > TEXT_CHARS_MAX || text.contains('\0')) {
        let detail = format!("{field} is longer than {TEXT_CHARS_MAX} characters or holds NUL");
        return Err(Problem::unprocessable(detail));
    }
    Ok(text)
}

fn read_severity(name: &str) -> Result<Severity, Problem> {
    Severity::from_name(name).ok_or_else(|| {
        let names = Severity::ALL.map(Severity::as_str).join(", ");
        let name: String = name.chars().take(60).collect();
        Problem::unprocessable(format!("severity is {name:?}, expected one of {names}"))
    })
}

fn read_cursor(cursor: &str) -> Result<Place, Problem> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Problem::unprocessable("cursor is not one that a page before named"))
}

impl From<LineRow> for Line {
    fn from(row: LineRow) -> Self {
        Self {
            id: row.place.to_string(),
            at: row.place.at,
            host: row.place.host.into(),
            received_at: row.received_at,
            severity: row.severity.as_str(),
            application: row.application,
            source: row.source,
            message: row.message,
            truncated_bytes: row.truncated_bytes,
            suppressed: row.suppressed,
            fields: row.fields.unwrap_or_else(|| serde_json::Map::new().into()),
        }
    }
}
