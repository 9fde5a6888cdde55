//! Log lines: of one host, or of all.

use axum::Json as Answer;
use axum::extract::{Path, State};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use muster_runtime::now_ms;
use muster_schemas::HostId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::{ListQuery, Query, page_size};
use super::hosts::known_host;
use super::line_query::{LineQuery, present, search_failed};
use super::{App, Problem, ProblemBody};
use crate::io::from_postgres::logs::{Found, LineRow, lines};
use crate::logic::lines::Cursor;
use crate::logic::slices::{FIRST_MS, Slices};

/// Enough for a screen and its scroll bar.
const LIMIT: i64 = 100;

/// Some 16 MB where all of them are of the largest.
const LIMIT_MAX: i64 = 1_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
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
    /// Set where the search took so long that it was cut off: all lines of this time and later
    /// were looked at, and `next` goes on with the earlier ones.
    searched_until: Option<i64>,
}

/// Log lines of all hosts, newest first.
///
/// A search that finds no full page within some seconds answers what it found, with
/// `searched_until` and `next`.
#[utoipa::path(
    get, path = "/logs", tag = "logs", params(LineQuery, PageQuery),
    responses((status = 200, body = LinePage), (status = 401, body = ProblemBody),
              (status = 422, body = ProblemBody), (status = 503, body = ProblemBody))
)]
pub(super) async fn all(
    State(gateway): State<App>,
    ListQuery(query): ListQuery<LineQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Answer<LinePage>, Problem> {
    let host = query.host()?;
    read_page(&gateway, host.as_ref(), &query, &page).await
}

/// Log lines of a host, newest first.
#[utoipa::path(
    get, path = "/hosts/{id}/logs", tag = "logs",
    params(("id" = String, Path, description = "Host id"), LineQuery, PageQuery),
    responses((status = 200, body = LinePage), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody), (status = 422, body = ProblemBody),
              (status = 503, body = ProblemBody))
)]
pub(super) async fn of_host(
    State(gateway): State<App>,
    Path(id): Path<String>,
    ListQuery(query): ListQuery<LineQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Answer<LinePage>, Problem> {
    let host = known_host(&gateway, &id).await?;
    read_page(&gateway, Some(&host), &query, &page).await
}

async fn read_page(
    gateway: &App,
    host: Option<&HostId>,
    query: &LineQuery,
    page: &PageQuery,
) -> Result<Answer<LinePage>, Problem> {
    let limit = page_size(page.limit, LIMIT, LIMIT_MAX)?;
    let filter = query.filter(host)?;
    let cursor = present(page.cursor.as_deref()).map(read_cursor).transpose()?;
    let slices = slices(query, cursor.as_ref())?;
    let after = match &cursor {
        Some(Cursor::After(place)) => Some(place),
        _ => None,
    };
    // One more than wanted tells whether there is another page.
    let wanted = limit as usize + 1;
    let found = lines(&gateway.pool, &filter, slices, after, wanted).await;
    Ok(Answer(answer(found.map_err(search_failed)?, limit as usize)))
}

/// What is left of the range after the pages before.
fn slices(query: &LineQuery, cursor: Option<&Cursor>) -> Result<Slices, Problem> {
    let mut range = query.range()?;
    let mut length_ms = FIRST_MS;
    match cursor {
        // Other lines of the same time may follow it.
        Some(Cursor::After(place)) => range.to = range.to.min(place.at.saturating_add(1)),
        Some(Cursor::Below { at, slice_ms }) => {
            range.to = range.to.min(*at);
            length_ms = *slice_ms;
        }
        None => {}
    }
    Ok(Slices::new(range, now_ms(), length_ms))
}

fn answer(found: Found, limit: usize) -> LinePage {
    let Found { mut rows, rest } = found;
    let is_full = rows.len() > limit;
    rows.truncate(limit);
    let is_cut_off = !is_full && rest.next().is_some();
    let cursor = match rows.last() {
        Some(last) if is_full => Some(Cursor::After(last.place.clone())),
        _ => is_cut_off
            .then(|| Cursor::Below { at: rest.searched_until(), slice_ms: rest.length_ms() }),
    };
    LinePage {
        items: rows.into_iter().map(Line::from).collect(),
        next: cursor.map(|cursor| BASE64_URL_SAFE_NO_PAD.encode(cursor.to_string())),
        searched_until: is_cut_off.then(|| rest.searched_until()),
    }
}

fn read_cursor(cursor: &str) -> Result<Cursor, Problem> {
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
