//! Errors as `application/problem+json` (RFC 9457): a status and one plain sentence.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio_postgres::error::SqlState;
use tracing::{error, warn};
use utoipa::ToSchema;

use crate::io::from_postgres::written::Unwritten;
use crate::logic::settings::BadSettings;

/// The type of its body.
pub(super) const PROBLEM: &str = "application/problem+json";

/// An answer that is not what was asked for.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    field: Option<String>,
    retry_after_s: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ProblemBody {
    /// Always `about:blank`: the status says which kind it is.
    r#type: &'static str,
    title: &'static str,
    status: u16,
    /// One plain sentence.
    detail: String,
    /// Which field of the request is wrong, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), field: None, retry_after_s: None }
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn no_host(id: &str) -> Self {
        Self::not_found(format!("there is no host {id:?}"))
    }

    pub(crate) fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    pub(crate) fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail)
    }

    pub(crate) fn bad_token() -> Self {
        Self::unauthorized("the access token is not valid or has expired")
    }

    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    pub(crate) fn too_many(detail: impl Into<String>, retry_after_s: i64) -> Self {
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, detail);
        Self { retry_after_s: Some(retry_after_s), ..problem }
    }

    /// Names the field of the request that is wrong.
    pub(crate) fn of_field(self, field: Option<String>) -> Self {
        Self { field, ..self }
    }

    #[cfg(test)]
    pub(crate) fn told(self) -> (StatusCode, Option<String>) {
        (self.status, self.field)
    }

    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the gateway failed: its log says why")
    }
}

impl From<BadSettings> for Problem {
    fn from(bad: BadSettings) -> Self {
        Self { field: bad.field, ..Self::unprocessable(bad.reason) }
    }
}

impl From<Unwritten> for Problem {
    fn from(unwritten: Unwritten) -> Self {
        match unwritten {
            Unwritten::NotThere(_) => Self::not_found(unwritten.to_string()),
            Unwritten::Stale(_) | Unwritten::Conflict(_) => {
                Self::new(StatusCode::CONFLICT, unwritten.to_string())
            }
            Unwritten::Bad(bad) => bad.into(),
        }
    }
}

/// Whatever went wrong inside: the operator gets the chain, the client a sentence.
impl From<anyhow::Error> for Problem {
    fn from(failure: anyhow::Error) -> Self {
        if took_too_long(&failure) {
            warn!("{failure:#}");
            return Self::unavailable(
                "the database took too long for this: ask for less, or try again later",
            );
        }
        if database_is_away(&failure) {
            warn!("{failure:#}");
            return Self::unavailable("the database does not answer: try again later");
        }
        error!("{failure:#}");
        Self::internal()
    }
}

/// The server has given a statement up.
fn took_too_long(failure: &anyhow::Error) -> bool {
    failure.chain().any(|cause| {
        let error = cause.downcast_ref::<tokio_postgres::Error>();
        error.is_some_and(|error| error.code() == Some(&SqlState::QUERY_CANCELED))
    })
}

fn database_is_away(failure: &anyhow::Error) -> bool {
    failure.chain().any(|cause| {
        cause.is::<deadpool_postgres::PoolError>()
            || cause.is::<std::io::Error>()
            || cause.downcast_ref::<tokio_postgres::Error>().is_some_and(|error| {
                // Closed, or the server's own word that it is starting or stopping (class 57).
                error.is_closed() || error.code().is_some_and(|code| code.code().starts_with("57"))
            })
    })
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemBody {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: self.detail,
            field: self.field,
        };
        let mut response = (self.status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
