//! Bytes of a line made fit to travel: UTF-8, no NUL, no colours, not too long.

use std::borrow::Cow;

/// What the schemas take for a source.
pub(super) const SOURCE_BYTES_MAX: usize = 4096;

/// A text and how much of it was cut off.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Clean {
    pub text: String,
    pub cut_bytes: usize,
}

/// At most `bytes_max` bytes of the text, cut between characters.
pub(super) fn clean(bytes: &[u8], bytes_max: usize) -> Clean {
    let (bytes, cut_before) = bytes.split_at(bytes.len().min(bytes_max));
    let mut text = match String::from_utf8_lossy(bytes) {
        // The cut may have split the last character.
        Cow::Owned(lossy) if !cut_before.is_empty() => {
            lossy.trim_end_matches(char::REPLACEMENT_CHARACTER).to_owned()
        }
        text => text.into_owned(),
    };
    if text.contains('\0') {
        text.retain(|character| character != '\0');
    }
    // Lossy text may be longer than the bytes it was made from.
    let within = (0..=text.len().min(bytes_max)).rev();
    let len = within.into_iter().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let cut_bytes = cut_before.len() + text.len() - len;
    text.truncate(len);
    Clean { text, cut_bytes }
}

/// The line without its end and without the escape sequences that colour it in a terminal.
pub(super) fn visible(line: &[u8]) -> Cow<'_, [u8]> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if memchr::memchr(0x1b, line).is_none() {
        return Cow::Borrowed(line);
    }
    let mut plain = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = memchr::memchr(0x1b, rest) {
        plain.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(codes) = rest.strip_prefix(b"[") {
            let len = codes.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b';')).count();
            rest = codes.get(len + 1..).unwrap_or_default();
        }
    }
    plain.extend_from_slice(rest);
    Cow::Owned(plain)
}
