//! A JSON body whose faults are told by the name of the field, also where it is too large to be
//! read: forms show the reason beside the field.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use futures::StreamExt;
use serde::de::DeserializeOwned;

use super::Problem;
use crate::logic::body::{cut_in, read};

/// Room for a channel's template of 16 kB with its addresses, and for the texts of a rule.
const BODY_BYTES_MAX: usize = 128 * 1024;

/// What is too large is heard to its end, or the client would never read why; up to here.
const HEARD_BYTES_MAX: usize = 32 * 1024 * 1024;

/// No body is an empty one: what it has to say is then told as missing.
const NOTHING: &[u8] = b"{}";

pub(super) struct Named<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let (text, is_whole) = beginning(request.into_body()).await?;
        if !is_whole {
            return Err(too_large(&text));
        }
        if !is_json && !text.is_empty() {
            let detail = "the body has to be application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let text = if text.is_empty() { NOTHING } else { &text };
        Ok(Self(read(text)?))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

/// And whether that is all.
async fn beginning(body: Body) -> Result<(Vec<u8>, bool), Problem> {
    let mut parts = body.into_data_stream();
    let (mut kept, mut heard) = (Vec::new(), 0);
    while let Some(part) = parts.next().await {
        let ended = |_| Problem::new(StatusCode::BAD_REQUEST, "the body ended before its end");
        let part: Bytes = part.map_err(ended)?;
        heard += part.len();
        let room = BODY_BYTES_MAX - kept.len();
        kept.extend_from_slice(&part[..part.len().min(room)]);
        if heard > HEARD_BYTES_MAX {
            break;
        }
    }
    Ok((kept, heard <= BODY_BYTES_MAX))
}

fn too_large(text: &[u8]) -> Problem {
    let field = cut_in(text);
    let detail = match &field {
        Some(field) => format!("{field}: with it the body is larger than {BODY_BYTES_MAX} bytes"),
        None => format!("the body is larger than {BODY_BYTES_MAX} bytes"),
    };
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).of_field(field)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    async fn refused(kind: &str, body: impl Into<Body>) -> (StatusCode, Option<String>) {
        let request = Request::builder().header("content-type", kind).body(body.into()).unwrap();
        match Named::<Vec<Value>>::from_request(request, &()).await {
            Ok(Named(list)) => panic!("{list:?} was read"),
            Err(problem) => problem.told(),
        }
    }

    #[tokio::test]
    async fn a_body_that_is_too_large_names_the_field_that_made_it_so() {
        let text = format!(r#"{{"name":"a","title":"{}"}}"#, "x".repeat(10 << 20));
        let told = refused("application/json", text).await;
        assert_eq!(told, (StatusCode::PAYLOAD_TOO_LARGE, Some("title".into())));
        let told = refused("text/plain", "[]").await;
        assert_eq!(told, (StatusCode::UNSUPPORTED_MEDIA_TYPE, None));
        let told = refused("application/json", "").await;
        assert_eq!(told, (StatusCode::UNPROCESSABLE_ENTITY, None));
    }
}
