//! Rules: what is a breach, where, how bad, and who is told. What a draft would have done is told by
//! `backtest`.

use axum::Json as Answer;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use muster_alerts::RuleDefinition;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::info;
use utoipa::{IntoParams, ToSchema};

use super::body::Named;
use super::extract::{Admin, Query};
use super::{App, Gateway, Problem, ProblemBody};
use crate::io::from_postgres::rules::{self, RuleRow, VersionRow};
use crate::io::from_postgres::selected;
use crate::io::from_postgres::written::Unwritten;
use crate::logic::rules::read;
use crate::logic::selected::Counts;

/// A rule and how it fares. Times are milliseconds since the Unix epoch.
#[derive(Serialize, ToSchema)]
pub(super) struct Rule {
    id: i64,
    /// Grows with each change; whoever changes it says which one they saw.
    version: i64,
    /// `name`, `enabled`, `condition` (`kind` is `metric`, `offline` or `group`), `for_s`,
    /// `cooldown_s`, `priority`, `selector`, `title`, `description`, `recommendation`, `channels`,
    /// `escalation`; `rules/vocabulary` says what may stand in them.
    #[schema(value_type = Object)]
    definition: Value,
    /// Made by the first start, not by a person.
    is_default: bool,
    created_at: i64,
    updated_at: i64,
    updated_by: Option<String>,
    /// Tickets of it that are not resolved.
    firing: i64,
    /// Breaches that have not lasted for long enough.
    pending: i64,
    /// How many hosts the selector selects now. Null where counting would take too long: one rule
    /// by itself always says it.
    hosts_selected: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct RuleList {
    items: Vec<Rule>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct RuleVersion {
    version: i64,
    #[schema(value_type = Object)]
    definition: Value,
    at: i64,
    /// Null where nobody did it but the first start.
    by: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct RuleVersions {
    /// Newest first.
    items: Vec<RuleVersion>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangedRule {
    /// Of the rule that this is to replace.
    version: i64,
    #[schema(value_type = Object)]
    definition: Value,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct VersionQuery {
    /// The one that was seen.
    version: i64,
}

impl Rule {
    fn of(row: RuleRow, hosts_selected: Option<i64>) -> Self {
        let RuleRow { id, version, definition, is_default, created_at, updated_at, .. } = row;
        let RuleRow { updated_by, firing, pending, .. } = row;
        Self {
            id,
            version,
            definition,
            is_default,
            created_at,
            updated_at,
            updated_by,
            firing,
            pending,
            hosts_selected,
        }
    }
}

/// All rules.
#[utoipa::path(
    get, path = "/rules", tag = "alerts",
    responses((status = 200, body = RuleList), (status = 401, body = ProblemBody))
)]
pub(super) async fn list(State(gateway): State<App>) -> Result<Answer<RuleList>, Problem> {
    let rules = rules::all(&gateway.pool).await?;
    Ok(Answer(RuleList { items: counted(&gateway, rules).await? }))
}

/// Make a rule; the body is its definition. Administrators only.
#[utoipa::path(
    post, path = "/rules", tag = "alerts", request_body = Object,
    responses((status = 201, body = Rule), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 409, body = ProblemBody),
              (status = 413, body = ProblemBody),
              (status = 422, description = "`field` says which one is wrong", body = ProblemBody))
)]
pub(super) async fn add(
    State(gateway): State<App>,
    Admin(claims): Admin,
    Named(definition): Named<Value>,
) -> Result<(StatusCode, Answer<Rule>), Problem> {
    let definition: RuleDefinition = read(definition)?;
    let id = rules::add(&gateway.pool, &definition, &claims.sub).await??;
    info!(user = claims.sub, rule = id, "{} made the rule {:?}", claims.sub, definition.name);
    Ok((StatusCode::CREATED, Answer(rule(&gateway, id).await?)))
}

/// One rule.
#[utoipa::path(
    get, path = "/rules/{id}", tag = "alerts", params(("id" = i64, Path, description = "Rule id")),
    responses((status = 200, body = Rule), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody))
)]
pub(super) async fn one(
    State(gateway): State<App>,
    Path(id): Path<String>,
) -> Result<Answer<Rule>, Problem> {
    Ok(Answer(rule(&gateway, number("rule", &id)?).await?))
}

/// Change a rule. Refused where somebody has changed it since the given `version`.
/// Administrators only.
#[utoipa::path(
    put, path = "/rules/{id}", tag = "alerts", request_body = ChangedRule,
    params(("id" = i64, Path, description = "Rule id")),
    responses((status = 200, body = Rule), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, body = ProblemBody), (status = 413, body = ProblemBody),
              (status = 422, description = "`field` says which one is wrong", body = ProblemBody))
)]
pub(super) async fn set(
    State(gateway): State<App>,
    Admin(claims): Admin,
    Path(id): Path<String>,
    Named(ChangedRule { version, definition }): Named<ChangedRule>,
) -> Result<Answer<Rule>, Problem> {
    let id = number("rule", &id)?;
    let definition = read(definition)?;
    rules::replace(&gateway.pool, id, version, &definition, &claims.sub).await??;
    info!(user = claims.sub, rule = id, "{} changed the rule {:?}", claims.sub, definition.name);
    Ok(Answer(rule(&gateway, id).await?))
}

/// Delete a rule: what is open of it is resolved, its tickets stay. Administrators only.
#[utoipa::path(
    delete, path = "/rules/{id}", tag = "alerts",
    params(("id" = i64, Path, description = "Rule id"), VersionQuery),
    responses((status = 204), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, body = ProblemBody), (status = 422, body = ProblemBody))
)]
pub(super) async fn remove(
    State(gateway): State<App>,
    Admin(claims): Admin,
    Path(id): Path<String>,
    Query(VersionQuery { version }): Query<VersionQuery>,
) -> Result<StatusCode, Problem> {
    let id = number("rule", &id)?;
    rules::remove(&gateway.pool, id, version, &claims.sub).await??;
    info!(user = claims.sub, rule = id, "{} deleted rule {id}", claims.sub);
    Ok(StatusCode::NO_CONTENT)
}

/// Make a copy of a rule, disabled. Administrators only.
#[utoipa::path(
    post, path = "/rules/{id}/clone", tag = "alerts",
    params(("id" = i64, Path, description = "Rule id")),
    responses((status = 201, body = Rule), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, body = ProblemBody))
)]
pub(super) async fn copy(
    State(gateway): State<App>,
    Admin(claims): Admin,
    Path(id): Path<String>,
) -> Result<(StatusCode, Answer<Rule>), Problem> {
    let of = number("rule", &id)?;
    let id = rules::copy(&gateway.pool, of, &claims.sub).await??;
    info!(user = claims.sub, rule = id, "{} copied rule {of}", claims.sub);
    Ok((StatusCode::CREATED, Answer(rule(&gateway, id).await?)))
}

/// What a rule was before, newest first. Of a deleted rule, too: tickets say by which version they
/// were opened.
#[utoipa::path(
    get, path = "/rules/{id}/versions", tag = "alerts",
    params(("id" = i64, Path, description = "Rule id")),
    responses((status = 200, body = RuleVersions), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody))
)]
pub(super) async fn versions(
    State(gateway): State<App>,
    Path(id): Path<String>,
) -> Result<Answer<RuleVersions>, Problem> {
    let versions = rules::versions(&gateway.pool, number("rule", &id)?).await?;
    if versions.is_empty() {
        return Err(Unwritten::NotThere("rule").into());
    }
    let version = |row: VersionRow| {
        let VersionRow { version, definition, at, by } = row;
        RuleVersion { version, definition, at, by }
    };
    Ok(Answer(RuleVersions { items: versions.into_iter().map(version).collect() }))
}

async fn rule(gateway: &Gateway, id: i64) -> Result<Rule, Problem> {
    let row = rules::one(&gateway.pool, id).await?;
    let rules = counted(gateway, row.into_iter().collect()).await?;
    Ok(rules.into_iter().next().ok_or(Unwritten::NotThere("rule"))?)
}

/// With how many hosts each is about.
async fn counted(gateway: &Gateway, rows: Vec<RuleRow>) -> Result<Vec<Rule>, Problem> {
    let counts = Counts::of(rows.iter().map(selector_of));
    let selected = selected::count(&gateway.pool, &counts).await?;
    let rule = |row: RuleRow| {
        let hosts_selected = selected.get(selector_of(&row)).copied();
        Rule::of(row, hosts_selected)
    };
    Ok(rows.into_iter().map(rule).collect())
}

fn selector_of(row: &RuleRow) -> &str {
    row.definition.get("selector").and_then(Value::as_str).unwrap_or_default()
}

/// What is no number is the number of nothing.
pub(super) fn number(what: &'static str, text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| Unwritten::NotThere(what).into())
}
