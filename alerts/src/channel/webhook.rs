//! The webhook: a notice as JSON, or as its operator's template has it, signed.
//!
//! The signature is `X-Muster-Signature: t=<seconds>,v1=<hex>`, the HMAC-SHA256 of
//! `<seconds>.<body>` with the channel's secret. The time is part of what is signed, so that a
//! receiver can refuse an old request that somebody plays back. `Idempotency-Key` is the same at
//! each attempt; the signature is not.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::kinds::{ContentType, Webhook};
use super::notice::Notice;
use super::render::{Revealed, Unrenderable};
use super::request::{Request, hex};
use super::template::Template;

pub const SIGNATURE_HEADER: &str = "X-Muster-Signature";
pub const EVENT_HEADER: &str = "X-Muster-Event";

pub(super) fn render(
    webhook: &Webhook,
    revealed: &Revealed<'_>,
    notice: &Notice,
    now_ms: i64,
) -> Result<Request, Unrenderable> {
    let url = revealed.url("url", &webhook.url)?;
    let body = match &webhook.template {
        Some(template) => Template::parse(template, webhook.content_type)?.render(notice),
        None => serde_json::to_string(notice).unwrap_or_default(),
    };
    let mut headers = vec![
        ("Content-Type".to_owned(), content_type(webhook.content_type).to_owned()),
        (EVENT_HEADER.to_owned(), notice.kind.as_str().to_owned()),
    ];
    for (name, value) in &webhook.headers {
        headers.push((name.clone(), revealed.open(&format!("headers.{name}"), value)?));
    }
    if webhook.secret.is_some() {
        let secret = revealed.secret("secret")?;
        let signature = signature(secret.as_bytes(), now_ms / 1000, body.as_bytes());
        headers.push((SIGNATURE_HEADER.to_owned(), signature));
    }
    Ok(Request { url, headers, body: body.into_bytes() })
}

fn content_type(content_type: ContentType) -> &'static str {
    match content_type {
        ContentType::Json => "application/json",
        ContentType::Text => "text/plain; charset=utf-8",
    }
}

/// The value of [`SIGNATURE_HEADER`].
pub fn signature(secret: &[u8], at_s: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(format!("{at_s}.").as_bytes());
    mac.update(body);
    format!("t={at_s},v1={}", hex(&mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_hmac_of_time_and_body() {
        // Known by another implementation:
        // printf '1767225600.{"a":1}' | openssl dgst -sha256 -hmac 'hush'
        let expected =
            "t=1767225600,v1=efb991a89809e1c80505d0cd55486486c8bc9f449ad5726c47e370797057695b";
        assert_eq!(signature(b"hush", 1_767_225_600, br#"{"a":1}"#), expected);
    }
}
