//! A message from the bus as one line for people: time, subject, headers, body. Bodies that
//! cannot be decoded are said to be so, with their first bytes.

use muster_schemas::codec::{self, ContentType};

/// Enough of a body to recognise what it is.
const HEX_BYTES: usize = 24;

/// Headers that say nothing beyond what the line says anyway.
const UNINTERESTING: [&str; 1] = ["Content-Type"];

pub fn line(at: &str, subject: &str, headers: &[(String, String)], body: &[u8]) -> String {
    let mut line = format!("{at} {subject}");
    for (name, value) in headers {
        if !UNINTERESTING.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            line.extend([" ", name, "=", &one_line(value)]);
        }
    }
    let content_type = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("Content-Type"));
    line.push(' ');
    line.push_str(&body_text(content_type.map(|(_, value)| value.as_str()), body));
    line
}

fn body_text(content_type: Option<&str>, body: &[u8]) -> String {
    if body.is_empty() {
        return "(empty)".to_owned();
    }
    let decoded = ContentType::from_header(content_type)
        .and_then(|content_type| codec::decode_any(content_type, body));
    // The broker's own messages are JSON and carry no header.
    let decoded = match decoded {
        Err(error) if content_type.is_none() => {
            codec::decode_any(ContentType::Json, body).map_err(|_| error)
        }
        decoded => decoded,
    };
    match decoded {
        Ok(value) => value.to_string(),
        Err(error) => {
            format!(
                "({} bytes, undecodable: {}) {}",
                body.len(),
                one_line(&error.to_string()),
                hex(body)
            )
        }
    }
}

fn hex(body: &[u8]) -> String {
    let shown = &body[..body.len().min(HEX_BYTES)];
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('?');
    let digits = shown.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    let mut text: String = digits.collect();
    if shown.len() < body.len() {
        text.push('…');
    }
    text
}

/// What comes from elsewhere must not break the line, nor steer a terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(content_type: Option<&str>, body: &[u8], expected: &str) {
        let headers: Vec<_> = content_type
            .map(|value| ("Content-Type".to_owned(), value.to_owned()))
            .into_iter()
            .collect();
        assert_eq!(
            line("12:00", "telemetry.web-3", &headers, body),
            format!("12:00 telemetry.web-3 {expected}")
        );
    }

    #[test]
    fn both_encodings_print_the_same_json() {
        let value = json!({"host": "web-3", "seq": 1});
        let text = r#"{"host":"web-3","seq":1}"#;
        check(Some("application/msgpack"), &codec::encode(&value), text);
        check(None, &codec::encode(&value), text);
        check(None, text.as_bytes(), text);
        check(Some("application/json"), text.as_bytes(), text);
    }

    #[test]
    fn what_cannot_be_decoded_is_said_to_be_so() {
        check(None, b"", "(empty)");
        let shown = line("t", "s", &[], &[0xc1; 100]);
        assert!(shown.starts_with("t s (100 bytes, undecodable: "), "{shown}");
        assert!(shown.ends_with(&format!("{}…", "c1".repeat(HEX_BYTES))), "{shown}");
    }

    #[test]
    fn headers_are_shown_and_cannot_break_the_line() {
        let headers =
            [("Nats-Msg-Id".to_owned(), "a/t/1/2".to_owned()), ("X".into(), "a\nb\x1b[0m".into())];
        assert_eq!(line("t", "s", &headers, b""), "t s Nats-Msg-Id=a/t/1/2 X=a b [0m (empty)");
    }
}
