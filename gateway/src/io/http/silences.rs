//! Silences and maintenance windows: for which hosts and when nobody is told.

use axum::Json as Answer;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use muster_alerts::Silence;
use muster_alerts::silence::Recurrence;
use muster_runtime::now_ms;
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::{IntoParams, ToSchema};

use super::body::Named;
use super::extract::{Admin, Query, page_size};
use super::line_query::present;
use super::metrics::TIME_MS_MAX;
use super::rules::number;
use super::{App, Gateway, Problem, ProblemBody};
use crate::io::from_postgres::selected;
use crate::io::from_postgres::silences::{self, SilenceRow, Which};
use crate::io::from_postgres::written::Unwritten;
use crate::logic::alerts::bad;
use crate::logic::selected::Counts;
use crate::logic::settings::BadSettings;

/// All that have not ended fit on a page.
const LIMIT: i64 = silences::SILENCES_MAX;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SilencesQuery {
    /// `active` (not ended: they hold, will, or come again), `ended` or `all`; active if absent.
    state: Option<String>,
    /// 1 to 1000, 1000 if absent.
    limit: Option<i64>,
    /// `next` of the page before.
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct SilenceItem {
    id: i64,
    /// Which hosts; all if empty.
    selector: String,
    /// Only of this rule; of all if null.
    rule_id: Option<i64>,
    reason: String,
    /// Who made it.
    author: String,
    starts_at: i64,
    /// Exclusive; null where it comes again for ever.
    ends_at: Option<i64>,
    /// `weekdays` (`mon` to `sun`), `time` (`HH:MM`), `duration_s`, `zone` (`Europe/Berlin`).
    #[schema(value_type = Option<Object>)]
    recurrence: Option<Recurrence>,
    created_at: i64,
    /// Somebody ended it before its time.
    ended_at: Option<i64>,
    ended_by: Option<String>,
    /// It holds now.
    is_active: bool,
    /// How many hosts the selector selects now. Null where counting would take too long: one that
    /// is made always says it.
    hosts_selected: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct SilencePage {
    /// Newest first.
    items: Vec<SilenceItem>,
    /// `cursor` of the next page; null after the last.
    next: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSilence {
    /// Which hosts, as `role=web, env!=test, id=web-*`; all if empty.
    #[serde(default)]
    selector: String,
    /// Only of this rule.
    #[serde(default)]
    rule_id: Option<i64>,
    reason: String,
    /// Now if absent.
    #[serde(default)]
    starts_at: Option<i64>,
    /// Needed where it does not come again.
    #[serde(default)]
    ends_at: Option<i64>,
    /// `weekdays` (`mon` to `sun`), `time` (`HH:MM`), `duration_s`, `zone` (`Europe/Berlin`).
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    recurrence: Option<Recurrence>,
}

impl SilenceItem {
    fn of(row: SilenceRow, now: i64, hosts_selected: Option<i64>) -> Self {
        let SilenceRow { silence, created_at, ended_at, ended_by } = row;
        Self {
            is_active: ended_at.is_none() && silence.holds_at(now),
            id: silence.id,
            selector: silence.selector,
            rule_id: silence.rule_id,
            reason: silence.reason,
            author: silence.author,
            starts_at: silence.starts_at,
            ends_at: silence.ends_at,
            recurrence: silence.recurrence,
            created_at,
            ended_at,
            ended_by,
            hosts_selected,
        }
    }
}

/// With how many hosts each concerns.
async fn counted(gateway: &Gateway, rows: Vec<SilenceRow>) -> Result<Vec<SilenceItem>, Problem> {
    let counts = Counts::of(rows.iter().map(|row| row.silence.selector.as_str()));
    let selected = selected::count(&gateway.pool, &counts).await?;
    let now = now_ms();
    let item = |row: SilenceRow| {
        let hosts_selected = selected.get(row.silence.selector.as_str()).copied();
        SilenceItem::of(row, now, hosts_selected)
    };
    Ok(rows.into_iter().map(item).collect())
}

async fn counted_one(gateway: &Gateway, row: SilenceRow) -> Result<SilenceItem, Problem> {
    let items = counted(gateway, vec![row]).await?;
    Ok(items.into_iter().next().ok_or(Unwritten::NotThere("silence"))?)
}

impl NewSilence {
    fn checked(self, author: &str, now: i64) -> Result<Silence, BadSettings> {
        let Self { selector, rule_id, reason, starts_at, ends_at, recurrence } = self;
        let starts_at = starts_at.unwrap_or(now);
        for (field, at) in [("starts_at", Some(starts_at)), ("ends_at", ends_at)] {
            if at.is_some_and(|at| !(0..=TIME_MS_MAX).contains(&at)) {
                return Err(bad(field, "it is no time in milliseconds since the Unix epoch"));
            }
        }
        if ends_at.is_some_and(|at| at <= now) {
            return Err(bad("ends_at", "it is over already"));
        }
        let author = author.to_owned();
        let silence =
            Silence { id: 0, selector, rule_id, reason, author, starts_at, ends_at, recurrence };
        silence.check()?;
        Ok(silence)
    }
}

/// Silences, a page at a time.
#[utoipa::path(
    get, path = "/silences", tag = "alerts", params(SilencesQuery),
    responses((status = 200, body = SilencePage), (status = 401, body = ProblemBody),
              (status = 422, body = ProblemBody))
)]
pub(super) async fn list(
    State(gateway): State<App>,
    Query(query): Query<SilencesQuery>,
) -> Result<Answer<SilencePage>, Problem> {
    let limit = page_size(query.limit, LIMIT, LIMIT)?;
    let which = match present(query.state.as_deref()) {
        None | Some("active") => Which::Active,
        Some("ended") => Which::Ended,
        Some("all") => Which::All,
        Some(_) => return Err(bad("state", "it is active, ended or all").into()),
    };
    let before = read_place(query.cursor.as_deref())?;
    let mut rows = silences::silences(&gateway.pool, which, before, limit + 1).await?;
    let more = rows.len() as i64 > limit;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(|row| row.silence.id.to_string());
    Ok(Answer(SilencePage { items: counted(&gateway, rows).await?, next }))
}

/// Where numbers order a list, the last one is the cursor.
pub(super) fn read_place(cursor: Option<&str>) -> Result<Option<i64>, Problem> {
    let place = |cursor: &str| {
        let number = cursor.parse().ok();
        number.ok_or_else(|| Problem::unprocessable("cursor is not one that a page before named"))
    };
    present(cursor).map(place).transpose()
}

/// Silence hosts, a rule or both, for once or again and again. Tickets are still opened, and nobody
/// is told. Administrators only.
#[utoipa::path(
    post, path = "/silences", tag = "alerts", request_body = NewSilence,
    responses((status = 201, body = SilenceItem), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 409, body = ProblemBody),
              (status = 413, body = ProblemBody),
              (status = 422, description = "`field` says which one is wrong", body = ProblemBody))
)]
pub(super) async fn add(
    State(gateway): State<App>,
    Admin(claims): Admin,
    Named(new): Named<NewSilence>,
) -> Result<(StatusCode, Answer<SilenceItem>), Problem> {
    let silence = new.checked(&claims.sub, now_ms())?;
    let row = silences::add(&gateway.pool, &silence).await??;
    info!(user = claims.sub, silence = row.silence.id, "{} made a silence", claims.sub);
    Ok((StatusCode::CREATED, Answer(counted_one(&gateway, row).await?)))
}

/// End a silence before its time. Administrators only.
#[utoipa::path(
    post, path = "/silences/{id}/end", tag = "alerts",
    params(("id" = i64, Path, description = "Silence id")),
    responses((status = 200, body = SilenceItem), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody))
)]
pub(super) async fn end(
    State(gateway): State<App>,
    Admin(claims): Admin,
    Path(id): Path<String>,
) -> Result<Answer<SilenceItem>, Problem> {
    let id = number("silence", &id)?;
    let row = silences::end(&gateway.pool, id, &claims.sub).await??;
    info!(user = claims.sub, silence = id, "{} ended silence {id}", claims.sub);
    Ok(Answer(counted_one(&gateway, row).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_248_000_000;

    fn checked(more: &serde_json::Value) -> Result<Silence, Option<String>> {
        let mut silence = serde_json::json!({ "reason": "patching", "ends_at": NOW + 1 });
        silence.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let silence: NewSilence = serde_json::from_value(silence).unwrap();
        silence.checked("ann", NOW).map_err(|bad| bad.field)
    }

    #[test]
    fn what_cannot_be_a_silence_is_refused_by_the_name_of_its_field() {
        for (more, field) in [
            (serde_json::json!({ "selector": "role==web" }), "selector"),
            (serde_json::json!({ "reason": " " }), "reason"),
            (serde_json::json!({ "ends_at": NOW }), "ends_at"),
            (serde_json::json!({ "ends_at": i64::MAX }), "ends_at"),
            (serde_json::json!({ "ends_at": null }), "ends_at"),
            (serde_json::json!({ "starts_at": -1 }), "starts_at"),
        ] {
            assert_eq!(checked(&more), Err(Some(field.to_owned())), "{more}");
        }
        let silence = checked(&serde_json::json!({})).unwrap();
        assert_eq!((silence.starts_at, silence.author.as_str()), (NOW, "ann"));
    }
}
