//! Extractors whose refusals are problems and name the field, and who is calling.

use std::fmt::Display;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::{App, Problem};
use crate::io::tokens::Claims;

#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub(crate) struct Json<T>(pub(crate) T);

#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub(crate) struct Query<T>(pub(crate) T);

/// As [`Query`], where a parameter may be given several times.
#[derive(FromRequestParts)]
#[from_request(via(axum_extra::extract::Query), rejection(Problem))]
pub(crate) struct ListQuery<T>(pub(crate) T);

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        let status = rejection.status();
        let text = rejection.body_text();
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::new(status, "the body is larger than this request may have");
        }
        if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            return Self::new(status, "the body has to be application/json");
        }
        Self::new(status, reason(&text, "the body is wrong"))
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::unprocessable(reason(&rejection.body_text(), "the query is wrong"))
    }
}

impl From<axum_extra::extract::QueryRejection> for Problem {
    fn from(rejection: axum_extra::extract::QueryRejection) -> Self {
        Self::unprocessable(reason(&rejection.body_text(), "the query is wrong"))
    }
}

/// How many items a page is to have.
pub(crate) fn page_size<N: Copy + PartialOrd + Display + From<u8>>(
    asked: Option<N>,
    usual: N,
    most: N,
) -> Result<N, Problem> {
    let limit = asked.unwrap_or(usual);
    if limit < N::from(1) || limit > most {
        return Err(Problem::unprocessable(format!("limit is {limit}, allowed are 1 to {most}")));
    }
    Ok(limit)
}

/// The part that names the field, without the library's introduction.
fn reason(text: &str, what: &str) -> String {
    let detail = text.split_once(": ").map_or(text, |(_, detail)| detail);
    format!("{what}: {detail}")
}

pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Lets through who has a valid token, and says to the handlers who that is.
pub(super) async fn require_token(
    State(gateway): State<App>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let token = bearer(request.headers())
        .ok_or_else(|| Problem::unauthorized("an access token is needed: sign in first"))?;
    let claims = gateway.tokens.check(token).ok_or_else(Problem::bad_token)?;
    request.extensions_mut().insert(claims);
    Ok(next.run(request).await)
}

/// Who may change what agents do.
pub(super) struct Operator(pub(super) Claims);

impl<S: Send + Sync> FromRequestParts<S> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let claims = parts.extensions.get::<Claims>().ok_or_else(Problem::bad_token)?;
        if claims.role == "admin" || claims.role == "operator" {
            return Ok(Self(claims.clone()));
        }
        Err(Problem::new(StatusCode::FORBIDDEN, "only operators and administrators may do this"))
    }
}

/// Who may change what the system keeps and how it works.
pub(super) struct Admin(pub(super) Claims);

impl<S: Send + Sync> FromRequestParts<S> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let claims = parts.extensions.get::<Claims>().ok_or_else(Problem::bad_token)?;
        if claims.role == "admin" {
            return Ok(Self(claims.clone()));
        }
        Err(Problem::new(StatusCode::FORBIDDEN, "only administrators may do this"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_found_whatever_the_case() {
        for (value, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("Bearer", None),
        ] {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
            assert_eq!(bearer(&headers), token, "{value:?}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
