//! MessagePack with named fields on the wire; JSON is accepted everywhere, so that people with
//! `nats pub` and `curl` can take part.
//!
//! Errors name the path of the offending field (`body.samples[0].cpu.usage_percent`).

use rmp_serde::decode::Error as MsgpackError;
use serde::{Serialize, de::DeserializeOwned};

pub const CONTENT_TYPE_MSGPACK: &str = "application/msgpack";
pub const CONTENT_TYPE_JSON: &str = "application/json";

/// The largest message a worker decodes. A frame of 3 samples is about 5 kB and one of 1 hour at
/// 5 s about 1 MB; more than this is a mistake or an attack, and goes to the dead-letter stream.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// How deep a message may nest: the deepest of ours is 6.
const NESTING_MAX: usize = 32;

/// The value of a `Content-Type` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentType {
    Msgpack,
    Json,
}

#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("content type {0:?} is neither {CONTENT_TYPE_MSGPACK} nor {CONTENT_TYPE_JSON}")]
    UnknownContentType(String),
    #[error("a message of {0} bytes is larger than the limit of {MESSAGE_BYTES_MAX}")]
    TooLarge(usize),
    #[error("not {format}: {reason}")]
    Malformed { format: &'static str, reason: String },
    #[error("{path}: {reason}")]
    WrongShape { path: String, reason: String },
    #[error("{0} bytes follow the end of the message")]
    TrailingBytes(usize),
}

impl ContentType {
    /// Reads a header's value; no header means MessagePack.
    pub fn from_header(value: Option<&str>) -> Result<Self, DecodeError> {
        let Some(value) = value else { return Ok(Self::Msgpack) };
        let essence = value.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case(CONTENT_TYPE_MSGPACK) {
            Ok(Self::Msgpack)
        } else if essence.eq_ignore_ascii_case(CONTENT_TYPE_JSON) {
            Ok(Self::Json)
        } else {
            Err(DecodeError::UnknownContentType(value.chars().take(80).collect()))
        }
    }
}

/// Encodes as MessagePack with named fields.
///
/// Our own types always encode: they hold no maps with keys that are not text, and write to
/// memory.
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(message).expect("a message of our own types encodes into memory")
}

/// Decodes one whole message; bytes after its end are an error.
pub fn decode<T: DeserializeOwned>(
    content_type: ContentType,
    bytes: &[u8],
) -> Result<T, DecodeError> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(DecodeError::TooLarge(bytes.len()));
    }
    match content_type {
        ContentType::Msgpack => decode_msgpack(bytes),
        ContentType::Json => decode_json(bytes),
    }
}

/// As [`decode`], for those who decode thousands a second. To know at each moment which field is
/// being read takes longer than to read it, so that is found out only where something is wrong.
pub fn decode_in_bulk<T: DeserializeOwned>(
    content_type: ContentType,
    bytes: &[u8],
) -> Result<T, DecodeError> {
    if content_type == ContentType::Msgpack && bytes.len() <= MESSAGE_BYTES_MAX {
        let mut rest = bytes;
        let mut deserializer = rmp_serde::Deserializer::new(&mut rest);
        deserializer.set_max_depth(NESTING_MAX);
        if let Ok(message) = T::deserialize(&mut deserializer)
            && rest.is_empty()
        {
            return Ok(message);
        }
    }
    decode(content_type, bytes)
}

fn decode_msgpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut rest = bytes;
    let mut deserializer = rmp_serde::Deserializer::new(&mut rest);
    deserializer.set_max_depth(NESTING_MAX);
    let message = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = place(error.path());
        match error.into_inner() {
            MsgpackError::Syntax(reason) | MsgpackError::Uncategorized(reason) => {
                DecodeError::WrongShape { path, reason }
            }
            MsgpackError::TypeMismatch(marker) => {
                DecodeError::WrongShape { path, reason: format!("wrong type, found {marker:?}") }
            }
            other => DecodeError::Malformed { format: "MessagePack", reason: at(&path, &other) },
        }
    })?;
    if rest.is_empty() { Ok(message) } else { Err(DecodeError::TrailingBytes(rest.len())) }
}

fn decode_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let message = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = place(error.path());
        let inner = error.into_inner();
        match inner.classify() {
            serde_json::error::Category::Data => {
                DecodeError::WrongShape { path, reason: inner.to_string() }
            }
            _ => DecodeError::Malformed { format: "JSON", reason: at(&path, &inner) },
        }
    })?;
    deserializer
        .end()
        .map_err(|error| DecodeError::Malformed { format: "JSON", reason: error.to_string() })?;
    Ok(message)
}

/// How a path is said: `.` is the whole message.
fn place(path: &serde_path_to_error::Path) -> String {
    match path.to_string() {
        whole if whole == "." => "the message".into(),
        path => path,
    }
}

fn at(path: &str, error: &impl std::fmt::Display) -> String {
    if path == "the message" { error.to_string() } else { format!("{error} at {path}") }
}

/// Decodes MessagePack that this process wrote itself, as in a journal: nobody is told which field
/// was wrong, and without the means to tell an agent is a tenth smaller.
pub fn decode_own<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    rmp_serde::from_slice(bytes).map_err(|error| DecodeError::Malformed {
        format: "MessagePack",
        reason: error.to_string(),
    })
}

/// Decodes into a free-form value, for people who look at messages (`muster watch`).
pub fn decode_any(
    content_type: ContentType,
    bytes: &[u8],
) -> Result<serde_json::Value, DecodeError> {
    decode(content_type, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::Envelope;
    use crate::telemetry::TelemetryFrame;

    fn reason(content_type: ContentType, bytes: &[u8]) -> String {
        decode::<Envelope<TelemetryFrame>>(content_type, bytes).unwrap_err().to_string()
    }

    #[test]
    fn errors_name_the_field() {
        let text =
            br#"{"v":1,"host":"a","epoch":1,"seq":1,"sent_at":1,"body":{"samples":[{"at":"x"}]}}"#;
        assert!(reason(ContentType::Json, text).starts_with("body.samples[0].at: invalid type"));

        let value: serde_json::Value = serde_json::from_slice(text).unwrap();
        let packed = encode(&value);
        let said = reason(ContentType::Msgpack, &packed);
        assert!(said.starts_with("body.samples[0].at: wrong type"), "{said}");
    }

    #[test]
    fn a_number_where_text_is_due_is_named() {
        let text = br#"{"v":1,"host":5,"epoch":1,"seq":1,"sent_at":1,"body":{"samples":[]}}"#;
        let packed = encode(&serde_json::from_slice::<serde_json::Value>(text).unwrap());
        let said = reason(ContentType::Msgpack, &packed);
        assert!(said.starts_with("host: invalid type: integer"), "{said}");
    }

    #[test]
    fn hostile_bytes_end_in_an_error_and_not_in_memory() {
        let two_gigabytes_of_text = [0xdb, 0x7f, 0xff, 0xff, 0xff, b'a'];
        let deep = vec![0x91; 100_000];
        let many = [0xdd, 0xff, 0xff, 0xff, 0xff];
        for bytes in [&two_gigabytes_of_text[..], &deep[..], &many, b"", b"hello", &[0xc1]] {
            assert!(decode::<Envelope<TelemetryFrame>>(ContentType::Msgpack, bytes).is_err());
            assert!(decode_any(ContentType::Msgpack, bytes).is_err() || bytes == b"hello");
        }
        assert!(reason(ContentType::Msgpack, &vec![0; MESSAGE_BYTES_MAX + 1]).contains("larger"));
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let mut bytes = encode(&1);
        bytes.push(0);
        assert!(matches!(
            decode::<u8>(ContentType::Msgpack, &bytes),
            Err(DecodeError::TrailingBytes(1))
        ));
        assert!(decode::<u8>(ContentType::Json, b"1 2").is_err());
    }

    #[test]
    fn content_types_are_read_like_http_reads_them() {
        for (header, is) in [
            (None, Some(ContentType::Msgpack)),
            (Some("application/msgpack"), Some(ContentType::Msgpack)),
            (Some("Application/JSON; charset=utf-8"), Some(ContentType::Json)),
            (Some("text/plain"), None),
        ] {
            assert_eq!(ContentType::from_header(header).ok(), is, "{header:?}");
        }
    }
}
