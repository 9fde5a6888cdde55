//! What a receiver's answer means.
//!
//! Any 2xx: it has it. 408, 425, 429 and 5xx: later. All else is a refusal, redirects included:
//! following one would send the secrets to whoever the answer names.

use serde_json::Value;

use super::retry::Failure;
use super::secret::Secrets;
use super::text::cut;

/// How much of an answer is shown: enough for "no such team", too little for somebody who wants
/// to read an internal page by way of a channel.
const SHOWN_BYTES_MAX: usize = 200;

/// `retry_after` is the header of that name, `body` the beginning of the answer. What it repeats of
/// the channel's secrets is not shown.
pub fn judge(
    status: u16,
    retry_after: Option<&str>,
    body: &[u8],
    secrets: &Secrets,
) -> Result<(), Failure> {
    if (200..300).contains(&status) {
        return Ok(());
    }
    let said = said(body, secrets);
    if matches!(status, 408 | 425 | 429 | 500..600) {
        let retry_after_ms = match status {
            429 | 503 => seconds(retry_after).or_else(|| seconds_of_body(body)),
            _ => None,
        };
        let reason = format!("answered {status}{said}");
        return Err(Failure::Passing { reason, retry_after_ms });
    }
    let reason = match status {
        300..400 => format!("answered {status}, and redirects are not followed"),
        _ => format!("answered {status}{said}"),
    };
    Err(Failure::Refused { reason })
}

/// The seconds of a `Retry-After`; the form with a date is rare and is as good as none.
fn seconds(header: Option<&str>) -> Option<i64> {
    milliseconds(header?.trim().parse().ok()?)
}

/// Discord and Telegram say it in the answer.
fn seconds_of_body(body: &[u8]) -> Option<i64> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let said = answer.get("retry_after").or_else(|| answer.pointer("/parameters/retry_after"));
    milliseconds(said?.as_f64()?)
}

fn milliseconds(seconds: f64) -> Option<i64> {
    (seconds.is_finite() && seconds >= 0.0).then(|| (seconds * 1000.0).ceil() as i64)
}

/// The first words of an answer, on one line. Secrets are taken out before it is cut: half of one
/// would not be recognised.
fn said(body: &[u8], secrets: &Secrets) -> String {
    let text = String::from_utf8_lossy(body);
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match secrets.redact(line.trim()).as_str() {
        "" => String::new(),
        line => format!(": {}", cut(line, SHOWN_BYTES_MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::secret::SecretText;
    use super::*;

    fn passing(reason: &str, retry_after_ms: Option<i64>) -> Result<(), Failure> {
        Err(Failure::Passing { reason: reason.into(), retry_after_ms })
    }

    fn refused(reason: &str) -> Result<(), Failure> {
        Err(Failure::Refused { reason: reason.into() })
    }

    #[test]
    fn each_answer_has_its_meaning() {
        for (status, retry_after, body, expected) in [
            (200, None, "whatever", Ok(())),
            (204, None, "", Ok(())),
            (500, None, "oh\nno", passing("answered 500: oh no", None)),
            (503, Some("7"), "", passing("answered 503", Some(7_000))),
            (
                429,
                None,
                r#"{"retry_after":0.25}"#,
                passing(r#"answered 429: {"retry_after":0.25}"#, Some(250)),
            ),
            (
                429,
                Some("soon"),
                r#"{"parameters":{"retry_after":3}}"#,
                passing(r#"answered 429: {"parameters":{"retry_after":3}}"#, Some(3_000)),
            ),
            (408, Some("7"), "", passing("answered 408", None)),
            (302, None, "to https://x", refused("answered 302, and redirects are not followed")),
            (404, None, "no_team", refused("answered 404: no_team")),
            (401, None, "", refused("answered 401")),
        ] {
            assert_eq!(judge(status, retry_after, body.as_bytes(), &Secrets::default()), expected);
        }
    }

    #[test]
    fn no_more_of_an_answer_is_shown_than_its_first_words() {
        let refusal = judge(400, None, &[b'x'; 16 * 1024], &Secrets::default()).unwrap_err();
        assert!(refusal.reason().len() < SHOWN_BYTES_MAX + 20);
        let negative = judge(429, Some("-5"), b"", &Secrets::default()).unwrap_err();
        assert_eq!(negative.channel_pause_ms(), None);
    }

    #[test]
    fn a_secret_that_is_cut_is_not_shown_either() {
        let mut secrets = Secrets::default();
        secrets.insert("token", SecretText::new("hush".repeat(20)));
        for before in 100..SHOWN_BYTES_MAX + 20 {
            let body = format!("{}{}", "x".repeat(before), "hush".repeat(20));
            let refusal = judge(400, None, body.as_bytes(), &secrets).unwrap_err();
            assert!(!refusal.reason().contains("hush"), "{before}: {}", refusal.reason());
        }
    }
}
