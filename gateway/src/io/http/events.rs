//! What became of a host: its events, and when it was there.

use axum::Json as Answer;
use axum::extract::{Path, State};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use muster_runtime::now_ms;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::{Query, page_size};
use super::hosts::known_host;
use super::line_query::{bounded, present};
use super::metrics::{TIME_MS_MAX, read_time};
use super::{App, Problem, ProblemBody};
use crate::io::from_postgres::events::{
    EventFilter, EventRow, Place, TooManyChanges, changes, events, presence,
};
use crate::logic::availability::{Availability, availability};
use crate::logic::steps::Range;

/// Enough for a screen and its scroll bar.
const LIMIT: i64 = 100;

/// Some 300 kB.
const LIMIT_MAX: i64 = 1_000;

/// What is shown where nothing was asked for: a week.
const RANGE_MS: i64 = 7 * 86_400_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// Exactly this kind, such as `online` or `offline`.
    kind: Option<String>,
    /// Milliseconds since the Unix epoch or RFC 3339.
    from: Option<String>,
    /// As `from`, exclusive.
    to: Option<String>,
    /// 1 to 1000, 100 if absent.
    limit: Option<i64>,
    /// `next` of the page before.
    cursor: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AvailabilityQuery {
    /// Milliseconds since the Unix epoch or RFC 3339; a week before `to` if absent.
    from: Option<String>,
    /// As `from`, exclusive; now if absent or later than that.
    to: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Event {
    id: String,
    at: i64,
    kind: String,
    /// What depends on the kind: `away_ms` of `online`, `last_heartbeat_at` and `interval_ms` of
    /// `offline`, ...
    #[schema(value_type = Object)]
    detail: serde_json::Value,
}

#[derive(Serialize, ToSchema)]
pub(super) struct EventPage {
    /// Newest first.
    items: Vec<Event>,
    /// `cursor` of the next page; null after the last.
    next: Option<String>,
}

/// What was decided about a host, newest first.
#[utoipa::path(
    get, path = "/hosts/{id}/events", tag = "hosts",
    params(("id" = String, Path, description = "Host id"), EventsQuery),
    responses((status = 200, body = EventPage), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody), (status = 422, body = ProblemBody))
)]
pub(super) async fn of_host(
    State(gateway): State<App>,
    Path(id): Path<String>,
    Query(query): Query<EventsQuery>,
) -> Result<Answer<EventPage>, Problem> {
    let limit = page_size(query.limit, LIMIT, LIMIT_MAX)?;
    let from = read_optional("from", query.from.as_deref())?.unwrap_or(0);
    let to = read_optional("to", query.to.as_deref())?.unwrap_or(TIME_MS_MAX);
    let after = present(query.cursor.as_deref()).map(read_cursor).transpose()?;
    let kind = bounded("kind", query.kind.as_deref())?;
    let host = known_host(&gateway, &id).await?;
    let filter = EventFilter {
        host: host.as_str(),
        range: Range { from, to },
        kind,
        after,
        // One more than wanted tells whether there is another page.
        limit: limit + 1,
    };
    let mut rows = events(&gateway.pool, &filter).await?;
    let more = rows.len() as i64 > limit;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(|row| write_cursor(row.place));
    Ok(Answer(EventPage { items: rows.into_iter().map(Event::from).collect(), next }))
}

/// When a host was online and when it was not, as far as its events tell.
#[utoipa::path(
    get, path = "/hosts/{id}/availability", tag = "hosts",
    params(("id" = String, Path, description = "Host id"), AvailabilityQuery),
    responses((status = 200, body = Availability), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody), (status = 422, body = ProblemBody))
)]
pub(super) async fn availability_of_host(
    State(gateway): State<App>,
    Path(id): Path<String>,
    Query(query): Query<AvailabilityQuery>,
) -> Result<Answer<Availability>, Problem> {
    let now = now_ms();
    let to = read_optional("to", query.to.as_deref())?.unwrap_or(now).min(now);
    let from = read_optional("from", query.from.as_deref())?.unwrap_or((to - RANGE_MS).max(0));
    if from >= to {
        let detail = format!("from is {from}, which is not before to (or now), {to}");
        return Err(Problem::unprocessable(detail));
    }
    let host = known_host(&gateway, &id).await?;
    let range = Range { from, to };
    let mut known = changes(&gateway.pool, host.as_str(), range).await.map_err(too_many)?;
    if known.is_empty() {
        known.extend(presence(&gateway.pool, host.as_str()).await?);
    }
    Ok(Answer(availability(range, &known)))
}

fn read_optional(field: &str, text: Option<&str>) -> Result<Option<i64>, Problem> {
    present(text).map(|text| read_time(field, text)).transpose()
}

fn too_many(failure: anyhow::Error) -> Problem {
    match failure.downcast::<TooManyChanges>() {
        Ok(many) => Problem::unprocessable(format!("{many} between from and to: ask for less")),
        Err(failure) => failure.into(),
    }
}

pub(super) fn write_cursor(place: Place) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{}:{}", place.at_us, place.id))
}

pub(super) fn read_cursor(cursor: &str) -> Result<Place, Problem> {
    let text = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|b| String::from_utf8(b).ok());
    let parts = text.as_deref().and_then(|text| text.split_once(':'));
    parts
        .and_then(|(at, id)| Some(Place { at_us: at.parse().ok()?, id: id.parse().ok()? }))
        .filter(|place| (0..=TIME_MS_MAX * 1_000).contains(&place.at_us))
        .ok_or_else(|| Problem::unprocessable("cursor is not one that a page before named"))
}

impl From<EventRow> for Event {
    fn from(row: EventRow) -> Self {
        let EventRow { place, at, kind, detail } = row;
        Self { id: place.id.to_string(), at, kind, detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_a_place_in_time_and_nothing_else() {
        let place = Place { at_us: 1_732_103_607_123_456, id: 77 };
        assert_eq!(read_cursor(&write_cursor(place)).unwrap(), place);
        for bad in ["77", ":", "1:", ":1", "-1:1", "9223372036854775807:1", "1:1:1"] {
            assert!(read_cursor(&BASE64_URL_SAFE_NO_PAD.encode(bad)).is_err(), "{bad}");
        }
        assert!(read_cursor("*").is_err());
    }
}
