//! How long what is stored is kept: the rules, and what they would remove now.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use muster_runtime::now_ms;
use muster_schemas::retention::plan::Plan;
use muster_schemas::retention::{Group, Policy, Rule, group_of};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::extract::{Admin, Json};
use super::{App, Problem, ProblemBody};
use crate::io::from_postgres::retention::{self, StoredPolicy};
use crate::logic::settings::BadSettings;

#[derive(Serialize, ToSchema)]
pub(super) struct Retention {
    /// 0 where nobody has set anything yet.
    version: i64,
    updated_at: Option<i64>,
    updated_by: Option<String>,
    /// What holds for each group, set or not.
    groups: Vec<GroupKept>,
    /// `{"scope", "label", "keep_days"}`: what was set. A scope is a group (`raw`, `rollup_1m`,
    /// `rollup_1h`, `logs`, `events`, `inventory_history`, `ledger_history`, `alerts`: resolved
    /// tickets with what happened to them, ended silences and old versions of rules;
    /// `notifications`: those that were sent or given up) or a table.
    #[schema(value_type = Vec<Object>)]
    rules: Vec<Rule>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRetention {
    /// All of them, as `GET` gives them: those that are not here are gone.
    #[schema(value_type = Vec<Object>)]
    rules: Vec<Rule>,
    /// Of the rules that these are to replace. Without it they replace whatever there is.
    version: Option<i64>,
}

#[derive(Serialize, ToSchema)]
struct GroupKept {
    group: &'static str,
    keep_days: i64,
    default_days: i64,
    /// The time-series tables of the group; a rule may name one of them.
    tables: Vec<String>,
}

impl From<StoredPolicy> for Retention {
    fn from(stored: StoredPolicy) -> Self {
        let StoredPolicy { policy, series, version, updated_at, updated_by } = stored;
        let of_group = |group: Group| GroupKept {
            group: group.as_str(),
            keep_days: policy.keep_days(group.as_str()),
            default_days: group.default_days(),
            tables: series.iter().filter(|table| group_of(table) == group).cloned().collect(),
        };
        let groups = Group::ALL.into_iter().map(of_group).collect();
        Self { version, updated_at, updated_by, groups, rules: policy.rules }
    }
}

/// How long what is stored is kept.
#[utoipa::path(
    get, path = "/retention", tag = "storage",
    responses((status = 200, body = Retention), (status = 401, body = ProblemBody))
)]
pub(super) async fn read(State(gateway): State<App>) -> Result<Answer<Retention>, Problem> {
    Ok(Answer(retention::read(&gateway.pool).await?.into()))
}

/// Set all rules: those that are not in the body are gone. Workers heed it within a minute.
/// Refused where somebody has changed them since the given `version`. Administrators only.
#[utoipa::path(
    put, path = "/retention", tag = "storage", request_body = NewRetention,
    responses((status = 200, body = Retention), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 409, body = ProblemBody),
              (status = 422, body = ProblemBody))
)]
pub(super) async fn set(
    State(gateway): State<App>,
    Admin(claims): Admin,
    Json(new): Json<NewRetention>,
) -> Result<Answer<Retention>, Problem> {
    let policy = Policy { rules: new.rules };
    check(&gateway, &policy).await?;
    if !retention::replace(&gateway.pool, &policy, new.version, &claims.sub).await? {
        let detail = "somebody has changed the rules meanwhile: read them again";
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    Ok(Answer(retention::read(&gateway.pool).await?.into()))
}

/// What the rules in force would remove now; nothing is removed by asking.
#[utoipa::path(
    get, path = "/retention/plan", tag = "storage",
    responses((status = 200, body = Object), (status = 401, body = ProblemBody))
)]
pub(super) async fn plan(State(gateway): State<App>) -> Result<Answer<Plan>, Problem> {
    Ok(Answer(retention::plan(&gateway.pool, None, now_ms()).await?))
}

/// What a draft of rules would remove now, were it set.
#[utoipa::path(
    post, path = "/retention/plan", tag = "storage", request_body = Object,
    responses((status = 200, body = Object), (status = 401, body = ProblemBody),
              (status = 422, body = ProblemBody))
)]
pub(super) async fn plan_draft(
    State(gateway): State<App>,
    Json(policy): Json<Policy>,
) -> Result<Answer<Plan>, Problem> {
    check(&gateway, &policy).await?;
    Ok(Answer(retention::plan(&gateway.pool, Some(policy), now_ms()).await?))
}

async fn check(gateway: &App, policy: &Policy) -> Result<(), Problem> {
    let checked = retention::check(&gateway.pool, policy).await?;
    checked.map_err(|rejection| BadSettings::from(rejection).into())
}
