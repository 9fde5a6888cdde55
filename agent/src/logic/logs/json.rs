//! The members of a JSON object, read from bytes without building anything.
//!
//! Tolerant: a line that was cut off gives the members before the cut. It does not recurse, so
//! nesting costs nothing but the bytes. What the members mean is for `json_line.rs`.

use std::borrow::Cow;

/// A value as it stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// Between the quotes, escapes unread.
    Text(&'a [u8]),
    /// A number, `true`, `false` or `null`.
    Bare(&'a [u8]),
    /// An object or an array with its brackets.
    Nested(&'a [u8]),
}

/// The members of the object with which a text begins.
pub(super) struct Members<'a> {
    rest: &'a [u8],
}

impl<'a> Members<'a> {
    /// None where the text does not begin like an object.
    pub(super) fn of(text: &'a [u8]) -> Option<Self> {
        let rest = text.strip_prefix(b"{")?.trim_ascii_start();
        rest.starts_with(b"\"").then_some(Self { rest })
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest.trim_ascii_start();
        let text = text.strip_prefix(b",").unwrap_or(text).trim_ascii_start();
        let (key, rest) = quoted(text)?;
        let rest = rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        let (value, rest) = match rest.first()? {
            b'"' => quoted(rest).map(|(text, rest)| (Value::Text(text), rest))?,
            b'{' | b'[' => {
                let (nested, rest) = rest.split_at(nested_len(rest));
                (Value::Nested(nested), rest)
            }
            _ => {
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b' ' | b'\t');
                let len = rest.iter().position(ends).unwrap_or(rest.len());
                (Value::Bare(&rest[..len]), &rest[len..])
            }
        };
        self.rest = rest;
        Some((key, value))
    }
}

/// The text between quotes, and what follows; to the end where the closing quote was cut off.
fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.strip_prefix(b"\"")?;
    let mut at = 0;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &text[at..]) {
        if text[at + found] == b'"' {
            return Some((&text[..at + found], &text[at + found + 1..]));
        }
        at = (at + found + 2).min(text.len());
    }
    Some((text, &[]))
}

/// How many bytes the object or array takes with which the text begins.
fn nested_len(text: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b'"' => {
                let rest = quoted(&text[at..]).map_or(&[][..], |(_, rest)| rest);
                at = text.len() - rest.len() - 1;
            }
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The text a string in JSON stands for.
pub(super) fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        plain.extend_from_slice(&rest[..at]);
        rest = rest.get(at + 1..).unwrap_or_default();
        let Some((&escape, after)) = rest.split_first() else { break };
        rest = after;
        match escape {
            b'n' => plain.push(b'\n'),
            b't' => plain.push(b'\t'),
            b'r' => plain.push(b'\r'),
            b'b' | b'f' => plain.push(b' '),
            b'u' => rest = push_unit(&mut plain, rest),
            other => plain.push(other),
        }
    }
    plain.extend_from_slice(rest);
    Cow::Owned(plain)
}

/// Appends the character of `\uXXXX`, or of two of them that make a pair.
fn push_unit<'a>(plain: &mut Vec<u8>, rest: &'a [u8]) -> &'a [u8] {
    let Some(first) = hex(rest) else { return rest };
    let mut after = &rest[4..];
    let second = after.strip_prefix(b"\\u").and_then(hex);
    let pair = second.and_then(|second| char::decode_utf16([first, second]).next()?.ok());
    let character = match pair {
        Some(pair) if (0xd800..0xdc00).contains(&first) => {
            after = &after[6..];
            pair
        }
        _ => char::from_u32(u32::from(first)).unwrap_or(char::REPLACEMENT_CHARACTER),
    };
    plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    after
}

fn hex(text: &[u8]) -> Option<u16> {
    let digits = std::str::from_utf8(text.get(..4)?).ok()?;
    u16::from_str_radix(digits, 16).ok()
}
