//! Signing in and out.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as Answer};
use axum_extra::extract::CookieJar;
use muster_runtime::now_ms;
use serde::{Deserialize, Serialize};
use tracing::{info, warn};
use utoipa::ToSchema;

use super::extract::Json;
use super::{App, Gateway, Problem, ProblemBody};
use crate::io::from_postgres::accounts::{self, Rotation, User};
use crate::io::tokens::{ACCESS_TOKEN_S, Claims, hash_of, refresh_token};

const COOKIE: &str = "muster_refresh";

/// As long as the database keeps the token.
const COOKIE_S: i64 = 30 * 24 * 3_600;

/// Longer ones are not names or passwords but work for the hash.
const FIELD_CHARS_MAX: usize = 256;

#[derive(Deserialize, ToSchema)]
pub(super) struct Login {
    username: String,
    password: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Token {
    access_token: String,
    /// Seconds.
    expires_in: i64,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Account {
    username: String,
    /// `admin`, `operator` or `viewer`.
    role: String,
}

/// Sign in. Sets the refresh cookie, which `auth/refresh` trades for a new access token.
#[utoipa::path(
    post, path = "/auth/login", tag = "auth", request_body = Login, security(()),
    responses((status = 200, body = Token),
              (status = 401, description = "Wrong name or password", body = ProblemBody),
              (status = 429, description = "Too many tries; see `Retry-After`", body = ProblemBody))
)]
pub(super) async fn login(
    State(gateway): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Json(Login { username, password }): Json<Login>,
) -> Result<Response, Problem> {
    for (field, value) in [("username", &username), ("password", &password)] {
        if value.chars().count() > FIELD_CHARS_MAX || value.contains('\0') {
            let detail = format!("{field} has to be text of at most {FIELD_CHARS_MAX} characters");
            return Err(Problem::unprocessable(detail));
        }
    }
    let begun = now_ms();
    begin_attempt(&gateway, begun, peer, &username)?;
    let found = accounts::user_by_name(&gateway.pool, &username).await?;
    let (user, stored) = found.map_or((None, None), |(user, hash)| (Some(user), Some(hash)));
    let right = gateway.passwords.verify(password, stored).await?;
    let Some(user) = user.filter(|_| right) else {
        info!(address = %peer.ip(), "a sign-in was refused");
        return Err(Problem::unauthorized("the username or the password is wrong"));
    };
    lock(&gateway).succeeded(begun, peer.ip(), &username);
    let (token, hash) = refresh_token();
    accounts::begin_session(&gateway.pool, &user, &hash).await?;
    info!(username = user.username, address = %peer.ip(), "signed in");
    session(&gateway, &user, &token, &headers)
}

fn begin_attempt(
    gateway: &Gateway,
    now: i64,
    peer: SocketAddr,
    username: &str,
) -> Result<(), Problem> {
    lock(gateway).begin(now, peer.ip(), username).map_err(|wait_s| {
        warn!(address = %peer.ip(), wait_s, "too many failed sign-ins");
        Problem::too_many(format!("too many failed sign-ins: wait {wait_s} s"), wait_s)
    })
}

fn lock(gateway: &Gateway) -> std::sync::MutexGuard<'_, crate::logic::attempts::Attempts> {
    gateway.attempts.lock().expect("nothing panics while it holds this lock")
}

/// Trade the refresh cookie for an access token and a new cookie. A cookie is good for one trade;
/// one that is used again more than ten seconds later was stolen, and ends the session.
#[utoipa::path(
    post, path = "/auth/refresh", tag = "auth", security(()),
    responses((status = 200, body = Token),
              (status = 401, description = "Not signed in", body = ProblemBody))
)]
pub(super) async fn refresh(
    State(gateway): State<App>,
    headers: HeaderMap,
    cookies: CookieJar,
) -> Result<Response, Problem> {
    let Some(old) = cookies.get(COOKIE) else {
        return Err(Problem::unauthorized("you are not signed in"));
    };
    let (token, hash) = refresh_token();
    match accounts::rotate(&gateway.pool, &hash_of(old.value()), &hash).await? {
        Rotation::Renewed(user) => session(&gateway, &user, &token, &headers),
        Rotation::Stolen => {
            warn!("a refresh token was used twice: its session was ended");
            Err(Problem::unauthorized("the session was ended because its cookie was used twice"))
        }
        Rotation::Unknown => Err(Problem::unauthorized("you are not signed in any more")),
    }
}

/// Sign out: the session's cookies are worth nothing any more.
#[utoipa::path(post, path = "/auth/logout", tag = "auth", security(()), responses((status = 204)))]
pub(super) async fn logout(
    State(gateway): State<App>,
    headers: HeaderMap,
    cookies: CookieJar,
) -> Result<Response, Problem> {
    if let Some(cookie) = cookies.get(COOKIE) {
        accounts::end_session(&gateway.pool, &hash_of(cookie.value())).await?;
    }
    let gone = [(header::SET_COOKIE, set_cookie("", 0, &headers)?)];
    Ok((StatusCode::NO_CONTENT, gone).into_response())
}

/// Who is calling.
#[utoipa::path(
    get, path = "/auth/me", tag = "auth",
    responses((status = 200, body = Account), (status = 401, body = ProblemBody))
)]
pub(super) async fn me(Extension(claims): Extension<Claims>) -> Answer<Account> {
    Answer(Account { username: claims.sub, role: claims.role })
}

fn session(
    gateway: &Gateway,
    user: &User,
    token: &str,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let access_token = gateway.tokens.issue(&user.username, &user.role, now_ms())?;
    let extra = [
        (header::SET_COOKIE, set_cookie(token, COOKIE_S, headers)?),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((extra, Answer(Token { access_token, expires_in: ACCESS_TOKEN_S })).into_response())
}

/// Only for us, only over https where the browser came by https, and never seen by a script.
fn set_cookie(value: &str, seconds: i64, headers: &HeaderMap) -> Result<HeaderValue, Problem> {
    let by_https = headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
    let secure = if by_https { "; Secure" } else { "" };
    let text = format!(
        "{COOKIE}={value}; Path=/api/v1/auth; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    );
    text.parse().map_err(|_| Problem::internal())
}
