//! The dead-man's switch: an address that is asked for as long as Muster is alive, so that its own
//! death is noticed elsewhere.

use axum::extract::State;
use axum::{Extension, Json as Answer};
use muster_alerts::channel::Definition;
use serde::Deserialize;
use serde_json::json;
use tracing::info;
use utoipa::ToSchema;

use super::body::Named;
use super::extract::Admin;
use super::{App, Problem, ProblemBody};
use crate::io::from_postgres::deadman::{self, Deadman};
use crate::io::tokens::Claims;
use crate::logic::alerts::bad;
use crate::logic::settings::BadSettings;

/// Half a minute at the least: whoever is told wants no more; an hour at the most: what is noticed
/// later is noticed otherwise.
const INTERVAL_S: std::ops::RangeInclusive<i32> = 30..=3_600;

const INTERVAL_S_DEFAULT: i32 = 60;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewDeadman {
    /// Of the one that this is to replace.
    version: i64,
    /// An https or http address; null: nobody is told.
    url: Option<String>,
    /// 30 to 3600, 60 if absent.
    interval_s: Option<i32>,
}

/// The dead-man's switch. Whoever is no administrator sees no more of the address than its server.
#[utoipa::path(
    get, path = "/deadman", tag = "alerts",
    responses((status = 200, body = Deadman), (status = 401, body = ProblemBody))
)]
pub(super) async fn read(
    State(gateway): State<App>,
    Extension(claims): Extension<Claims>,
) -> Result<Answer<Deadman>, Problem> {
    let stored = deadman::read(&gateway.pool).await?;
    Ok(Answer(if claims.role == "admin" { stored } else { stored.without_address() }))
}

/// Set the dead-man's switch. Refused where somebody has changed it since the given `version`.
/// Administrators only.
#[utoipa::path(
    put, path = "/deadman", tag = "alerts", request_body = NewDeadman,
    responses((status = 200, body = Deadman), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 409, body = ProblemBody),
              (status = 413, body = ProblemBody), (status = 422, body = ProblemBody))
)]
pub(super) async fn set(
    State(gateway): State<App>,
    Admin(claims): Admin,
    Named(NewDeadman { version, url, interval_s }): Named<NewDeadman>,
) -> Result<Answer<Deadman>, Problem> {
    let url = url.as_deref().map(str::trim).filter(|url| !url.is_empty());
    url.map_or(Ok(()), check_url)?;
    let interval_s = interval_s.unwrap_or(INTERVAL_S_DEFAULT);
    if !INTERVAL_S.contains(&interval_s) {
        let (from, to) = (INTERVAL_S.start(), INTERVAL_S.end());
        return Err(bad("interval_s", format!("it is {interval_s}, not {from} to {to}")).into());
    }
    let stored = deadman::replace(&gateway.pool, version, url, interval_s, &claims.sub).await??;
    info!(user = claims.sub, "{} set the dead-man's switch", claims.sub);
    Ok(Answer(stored))
}

/// What can be asked for is what a webhook can be sent to.
fn check_url(url: &str) -> Result<(), BadSettings> {
    Definition::parse(&json!({ "kind": "webhook", "url": url }))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_that_can_be_asked_for_is_taken() {
        assert_eq!(check_url("https://hc.example/ping/7"), Ok(()));
        for url in ["hc.example", "ftp://hc.example", "https://a:b@hc.example", "https://a b"] {
            assert_eq!(check_url(url).unwrap_err().field.as_deref(), Some("url"), "{url}");
        }
    }
}
