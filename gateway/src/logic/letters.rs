//! Dead letters as people read them: as JSON where they can be decoded, else as far as they are
//! text.

use muster_schemas::codec::{CONTENT_TYPE_JSON, ContentType, decode_any};
use serde_json::Value;

/// What is shown of a letter in a list.
const PREVIEW_CHARS_MAX: usize = 500;

/// The body as JSON, whatever its content type says: what cannot be read one way is tried the
/// other.
pub fn decoded(content_type: Option<&str>, payload: &[u8]) -> Option<Value> {
    let is_json = content_type.is_some_and(|text| text.starts_with(CONTENT_TYPE_JSON));
    let ways = [ContentType::Msgpack, ContentType::Json];
    let ways = if is_json { [ways[1], ways[0]] } else { ways };
    let value = ways.into_iter().find_map(|way| decode_any(way, payload).ok())?;
    // A stray byte is a number in MessagePack; nobody sends one.
    (value.is_object() || value.is_array()).then_some(value)
}

/// The beginning of the body, as a line.
pub fn preview(content_type: Option<&str>, payload: &[u8]) -> String {
    let text = match decoded(content_type, payload) {
        Some(value) => value.to_string(),
        None => String::from_utf8_lossy(payload).into_owned(),
    };
    let printable = |c: char| if c.is_control() { '\u{b7}' } else { c };
    let mut shown: String = text.chars().take(PREVIEW_CHARS_MAX).map(printable).collect();
    if text.chars().nth(PREVIEW_CHARS_MAX).is_some() {
        shown.push('\u{2026}');
    }
    shown
}

#[cfg(test)]
mod tests {
    use muster_schemas::codec::encode;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_letter_is_shown_as_json_where_it_is_any_and_else_as_text() {
        let packed = encode(&json!({"v": 7}));
        for (content_type, payload, shown) in [
            (None, packed.as_slice(), r#"{"v":7}"#),
            (Some("application/json"), packed.as_slice(), r#"{"v":7}"#),
            (None, br#"{"v":7}"#.as_slice(), r#"{"v":7}"#),
            (None, b"hel\nlo".as_slice(), "hel\u{b7}lo"),
            (None, b"\x00\xff".as_slice(), "\u{b7}\u{fffd}"),
            (None, b"".as_slice(), ""),
        ] {
            assert_eq!(preview(content_type, payload), shown, "{payload:?}");
        }
        let long = preview(None, &[b'x'; 1000]);
        assert_eq!(long.chars().count(), PREVIEW_CHARS_MAX + 1);
    }
}
