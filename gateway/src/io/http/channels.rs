//! Channels: where notifications go. Their secrets come in and never go out again.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json as Answer};
use muster_alerts::channel::seal::NONCE_BYTES;
use muster_alerts::channel::{Definition, Secrets};
use muster_runtime::now_ms;
use rand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::info;
use utoipa::ToSchema;

use super::body::Named;
use super::extract::Admin;
use super::rules::number;
use super::{App, Gateway, Problem, ProblemBody};
use crate::io::from_postgres::channels::{self, ChannelRow, Wanted};
use crate::io::from_postgres::notifications;
use crate::io::from_postgres::written::Unwritten;
use crate::io::tokens::Claims;
use crate::logic::alerts::bad;
use crate::logic::body::without_nul;
use crate::logic::channels::{error_shown, shown};
use crate::logic::settings::BadSettings;

/// In lists it has to fit on a line.
const NAME_CHARS_MAX: usize = 100;

/// A channel and how it fares. Times are milliseconds since the Unix epoch.
#[derive(Serialize, ToSchema)]
pub(super) struct Channel {
    id: i64,
    name: String,
    /// `webhook`, `slack`, `mattermost`, `discord`, `teams`, `email`, `pagerduty`, `opsgenie`,
    /// `ntfy`, `gotify` or `telegram`.
    kind: String,
    /// Its fields are the kind's. In the place of a secret stands `{"stored": true}` or
    /// `{"env": "NAME"}`. Whoever is no administrator sees no more of an address than its server,
    /// and `{"hidden": true}` in the place of what a header says.
    #[schema(value_type = Object)]
    definition: Value,
    /// Gets what a rule gives to no channel of its own.
    is_default: bool,
    enabled: bool,
    updated_at: i64,
    updated_by: Option<String>,
    /// Grows with each change; whoever changes it says which one they saw.
    version: i64,
    /// Of those made within a day.
    sent_24h: i64,
    dead_24h: i64,
    /// Of the newest notification that did not get through.
    last_error: Option<String>,
    /// Notifications that are still to be sent.
    waiting: i64,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ChannelList {
    items: Vec<Channel>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewChannel {
    name: String,
    /// Here or in the definition.
    #[serde(default)]
    kind: Option<String>,
    /// A secret is a text, `{"value": "..."}`, `{"env": "NAME"}` (of the alert workers'
    /// environment), or `{"stored": true}` for the one that is stored. So is what a header of a
    /// webhook says whose name contains auth, cookie, key, password, secret or token.
    #[schema(value_type = Object)]
    definition: Value,
    #[serde(default)]
    is_default: bool,
    #[serde(default = "yes")]
    enabled: bool,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangedChannel {
    /// Of the channel that this is to replace.
    version: i64,
    name: String,
    #[serde(default)]
    kind: Option<String>,
    /// As of a new one. A secret that is stored stays only where it goes to the same place.
    #[schema(value_type = Object)]
    definition: Value,
    #[serde(default)]
    is_default: bool,
    #[serde(default = "yes")]
    enabled: bool,
}

#[derive(Serialize, ToSchema)]
pub(super) struct TestSent {
    /// `notifications/{id}` says what became of it.
    notification_id: i64,
}

fn yes() -> bool {
    true
}

impl Channel {
    fn of(row: ChannelRow, claims: &Claims) -> Self {
        let may_change = claims.role == "admin";
        let last_error = match row.last_error {
            Some(error) if !may_change => Some(error_shown(&error, &row.definition)),
            error => error,
        };
        Self {
            id: row.id,
            name: row.name,
            kind: row.kind,
            last_error,
            definition: shown(row.definition, may_change),
            is_default: row.is_default,
            enabled: row.enabled,
            updated_at: row.updated_at,
            updated_by: row.updated_by,
            version: row.version,
            sent_24h: row.sent_24h,
            dead_24h: row.dead_24h,
            waiting: row.waiting,
        }
    }
}

/// All channels, without their secrets; to administrators with their whole addresses.
#[utoipa::path(
    get, path = "/channels", tag = "alerts",
    responses((status = 200, body = ChannelList), (status = 401, body = ProblemBody))
)]
pub(super) async fn list(
    State(gateway): State<App>,
    Extension(claims): Extension<Claims>,
) -> Result<Answer<ChannelList>, Problem> {
    let channels = channels::all(&gateway.pool).await?;
    let items = channels.into_iter().map(|row| Channel::of(row, &claims)).collect();
    Ok(Answer(ChannelList { items }))
}

/// One channel.
#[utoipa::path(
    get, path = "/channels/{id}", tag = "alerts",
    params(("id" = i64, Path, description = "Channel id")),
    responses((status = 200, body = Channel), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody))
)]
pub(super) async fn one(
    State(gateway): State<App>,
    Extension(claims): Extension<Claims>,
    Path(id): Path<String>,
) -> Result<Answer<Channel>, Problem> {
    Ok(Answer(channel(&gateway, number("channel", &id)?, &claims).await?))
}

/// Make a channel. Administrators only.
#[utoipa::path(
    post, path = "/channels", tag = "alerts", request_body = NewChannel,
    responses((status = 201, body = Channel), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 409, body = ProblemBody),
              (status = 413, body = ProblemBody),
              (status = 422, description = "`field` says which one is wrong", body = ProblemBody))
)]
pub(super) async fn add(
    State(gateway): State<App>,
    Admin(claims): Admin,
    Named(new): Named<NewChannel>,
) -> Result<(StatusCode, Answer<Channel>), Problem> {
    let NewChannel { name, kind, definition, is_default, enabled } = new;
    let wanted = Wanted {
        name: checked_name(&name)?,
        is_default,
        enabled,
        definition: read(kind, definition)?,
    };
    let sealing = |secrets: &Secrets| seal(&gateway, secrets);
    let id = channels::add(&gateway.pool, wanted, &sealing, &claims.sub).await??;
    info!(user = claims.sub, channel = id, "{} made the channel {name:?}", claims.sub);
    Ok((StatusCode::CREATED, Answer(channel(&gateway, id, &claims).await?)))
}

/// Change a channel. Refused where somebody has changed it since the given `version`, and where it
/// would be switched off while a rule names it.
/// Administrators only.
#[utoipa::path(
    put, path = "/channels/{id}", tag = "alerts", request_body = ChangedChannel,
    params(("id" = i64, Path, description = "Channel id")),
    responses((status = 200, body = Channel), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, body = ProblemBody),
              (status = 413, body = ProblemBody),
              (status = 422, description = "`field` says which one is wrong", body = ProblemBody))
)]
pub(super) async fn set(
    State(gateway): State<App>,
    Admin(claims): Admin,
    Path(id): Path<String>,
    Named(changed): Named<ChangedChannel>,
) -> Result<Answer<Channel>, Problem> {
    let id = number("channel", &id)?;
    let ChangedChannel { version, name, kind, definition, is_default, enabled } = changed;
    let wanted = Wanted {
        name: checked_name(&name)?,
        is_default,
        enabled,
        definition: read(kind, definition)?,
    };
    let sealing = |secrets: &Secrets| seal(&gateway, secrets);
    let key = gateway.seal_key.as_ref();
    let replaced =
        channels::replace(&gateway.pool, id, version, wanted, key, &sealing, &claims.sub).await?;
    replaced?;
    info!(user = claims.sub, channel = id, "{} changed the channel {name:?}", claims.sub);
    Ok(Answer(channel(&gateway, id, &claims).await?))
}

/// Delete a channel; not while a rule names it. Tickets go on to show what it was told, and what
/// waits for it is given up. Administrators only.
#[utoipa::path(
    delete, path = "/channels/{id}", tag = "alerts",
    params(("id" = i64, Path, description = "Channel id")),
    responses((status = 204), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, body = ProblemBody))
)]
pub(super) async fn remove(
    State(gateway): State<App>,
    Admin(claims): Admin,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = number("channel", &id)?;
    channels::remove(&gateway.pool, id, &claims.sub).await??;
    info!(user = claims.sub, channel = id, "{} deleted channel {id}", claims.sub);
    Ok(StatusCode::NO_CONTENT)
}

/// Send a test there. It is tried once; `notifications/{id}` says what became of it.
/// Administrators only.
#[utoipa::path(
    post, path = "/channels/{id}/test", tag = "alerts",
    params(("id" = i64, Path, description = "Channel id")),
    responses((status = 202, body = TestSent), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, body = ProblemBody))
)]
pub(super) async fn test(
    State(gateway): State<App>,
    Admin(claims): Admin,
    Path(id): Path<String>,
) -> Result<(StatusCode, Answer<TestSent>), Problem> {
    let id = number("channel", &id)?;
    let notification_id = notifications::test(&gateway.pool, id, now_ms()).await??;
    info!(user = claims.sub, channel = id, "{} tests channel {id}", claims.sub);
    Ok((StatusCode::ACCEPTED, Answer(TestSent { notification_id })))
}

async fn channel(gateway: &Gateway, id: i64, claims: &Claims) -> Result<Channel, Problem> {
    let row = channels::one(&gateway.pool, id).await?;
    Ok(Channel::of(row.ok_or(Unwritten::NotThere("channel"))?, claims))
}

fn checked_name(name: &str) -> Result<&str, BadSettings> {
    let name = name.trim();
    let length = name.chars().count();
    if (1..=NAME_CHARS_MAX).contains(&length) && !name.chars().any(char::is_control) {
        return Ok(name);
    }
    Err(bad("name", format!("it takes 1 to {NAME_CHARS_MAX} characters on one line")))
}

/// The kind may stand beside the definition.
fn read(kind: Option<String>, mut definition: Value) -> Result<Definition, BadSettings> {
    if let (Some(kind), Some(fields)) = (kind, definition.as_object_mut()) {
        let inner = fields.entry("kind").or_insert_with(|| kind.clone().into());
        if *inner != kind {
            return Err(bad("kind", "it is another in the definition"));
        }
    }
    without_nul(&definition)?;
    Ok(Definition::parse(&definition)?)
}

fn seal(gateway: &Gateway, secrets: &Secrets) -> Option<Vec<u8>> {
    let mut nonce = [0; NONCE_BYTES];
    rand::rng().fill_bytes(&mut nonce);
    gateway.seal_key.as_ref().map(|key| key.seal(nonce, secrets))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_kind_may_stand_in_either_place_but_not_be_two() {
        let topic = || json!({ "topic": "alerts" });
        let with_kind = || json!({ "kind": "ntfy", "topic": "alerts" });
        assert_eq!(read(Some("ntfy".into()), topic()).unwrap().kind.as_str(), "ntfy");
        assert_eq!(read(None, with_kind()).unwrap().kind.as_str(), "ntfy");
        assert_eq!(read(Some("ntfy".into()), with_kind()).unwrap().kind.as_str(), "ntfy");
        for (kind, definition, field) in [
            (Some("slack"), with_kind(), "kind"),
            (None, topic(), "kind"),
            (Some("pigeon"), topic(), "kind"),
            (Some("ntfy"), json!({}), "topic"),
            (None, json!([]), "definition"),
            (None, json!({ "kind": "telegram", "token": "a", "chat_id": "1\0" }), "chat_id"),
            (None, json!({ "kind": "webhook", "url": "https://a/", "template": "\0" }), "template"),
            (
                None,
                json!({ "kind": "email", "host": "a", "from": "a@b.c", "to": ["a@b.c", "\0"] }),
                "to[1]",
            ),
        ] {
            let bad = read(kind.map(str::to_owned), definition.clone()).unwrap_err();
            assert_eq!(bad.field.as_deref(), Some(field), "{definition}: {bad}");
        }
    }

    #[test]
    fn a_name_is_one_line() {
        assert_eq!(checked_name(" ops ").unwrap(), "ops");
        for name in ["", "  ", "a\nb", &"a".repeat(101)] {
            assert!(checked_name(name).is_err(), "{name:?}");
        }
    }
}
