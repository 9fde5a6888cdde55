//! The dashboard: files that were embedded when this binary was built.

use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::Problem;

#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Files;

const INDEX: &str = "index.html";

/// Their names hold a hash of their content.
const HASHED: &str = "assets/";

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
    <title>Muster</title><h1>The dashboard was not built: run ./muster up</h1>\
    <p>The REST interface is here: <a href=\"/api/docs/\">/api/docs</a></p></html>";

/// Whatever no route takes. Addresses of the dashboard's own pages are its business: all of them
/// get its first page. What is under `/api` is not its business.
pub(super) async fn fallback(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if path == "api" || path.starts_with("api/") {
        return Problem::not_found(format!("there is nothing at /{path}")).into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        let detail = format!("{method} is not possible here");
        return Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).into_response();
    }
    if let Some(file) = Files::get(path) {
        return serve(path, file, &headers);
    }
    if path.starts_with(HASHED) {
        // A page would be taken for a script that is broken.
        return Problem::not_found(format!("there is nothing at /{path}")).into_response();
    }
    match Files::get(INDEX) {
        Some(page) => serve(INDEX, page, &headers),
        None => (StatusCode::SERVICE_UNAVAILABLE, Html(NOT_BUILT)).into_response(),
    }
}

fn serve(path: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let caching =
        if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let tag = entity_tag(&file.metadata.sha256_hash());
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known == tag.as_str());
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let about = [
        (header::CONTENT_TYPE, with_charset(kind.as_ref())),
        (header::CACHE_CONTROL, caching.to_owned()),
        (header::ETAG, tag),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    (about, file.data).into_response()
}

fn with_charset(kind: &str) -> String {
    if kind.starts_with("text/") { format!("{kind}; charset=utf-8") } else { kind.to_owned() }
}

/// Weak: what is sent may be compressed.
fn entity_tag(hash: &[u8; 32]) -> String {
    format!("W/\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&hash[..16]))
}
