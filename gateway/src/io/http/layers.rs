//! What happens to every request and answer.

use std::any::Any;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;
use tracing::error;

use super::Problem;
use crate::io::from_postgres::connection::as_request;

/// No request is larger than a user name and a password; some room for what is to come.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;

/// A query over years takes seconds; a client that waits longer has given up. Longer than the
/// database may take for a statement, which says it better.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Scripts, images and connections are ours; styles may be inline because charts position their
/// own elements.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'";

pub(super) async fn within_time(request: Request, next: Next) -> Response {
    let answer = timeout(REQUEST_TIMEOUT, as_request(next.run(request))).await;
    answer.unwrap_or_else(|_| {
        let detail = format!("the request took longer than {} s", REQUEST_TIMEOUT.as_secs());
        Problem::unavailable(detail).into_response()
    })
}

pub(super) async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

pub(super) async fn measure(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    // The pattern and not the path: there is one pattern for all hosts.
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "dashboard".to_owned());
    let method = method_label(&request);
    let response = next.run(request).await;
    let status = response.status().as_str().to_owned();
    let labels = [("route", route), ("method", method.to_owned()), ("status", status)];
    metrics::counter!("muster_gateway_http_requests_total", &labels).increment(1);
    let seconds = begun.elapsed().as_secs_f64();
    metrics::histogram!("muster_gateway_http_request_seconds", &labels[..2]).record(seconds);
    response
}

/// A client can make up methods; each would be a new line for ever.
fn method_label(request: &Request) -> &'static str {
    match request.method().as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

pub(super) async fn method_not_allowed(request: Request) -> Problem {
    let detail = format!("{} is not possible on {}", request.method(), request.uri().path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
pub(super) fn after_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("something that is not text");
    error!("a handler panicked: {said}");
    Problem::internal().into_response()
}
