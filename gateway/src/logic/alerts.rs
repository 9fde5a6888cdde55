//! Which tickets somebody asks for, and what may be done to one.

use super::settings::BadSettings;

/// As many as there are.
const PRIORITIES: [&str; 4] = ["low", "medium", "high", "critical"];

/// The longest part of a filter, in characters.
const TEXT_CHARS_MAX: usize = 256;

/// In bytes: some screens.
pub const COMMENT_BYTES_MAX: usize = 4 * 1024;

/// Tickets of one bulk request.
pub const BULK_MAX: usize = 500;

/// Which statuses a word means; all where there is none.
pub fn statuses(word: Option<&str>) -> Result<&'static [&'static str], BadSettings> {
    Ok(match word.unwrap_or_default() {
        "" | "all" => &["open", "acknowledged", "resolved"],
        "active" => &["open", "acknowledged"],
        "open" => &["open"],
        "acknowledged" => &["acknowledged"],
        "resolved" => &["resolved"],
        other => {
            let allowed = "open, acknowledged, resolved, active and all";
            return Err(bad("status", format!("it is {:?}, allowed are {allowed}", cut(other))));
        }
    })
}

/// Names separated by commas; all where there are none.
pub fn priorities(words: Option<&str>) -> Result<Vec<&'static str>, BadSettings> {
    let Some(words) = words.filter(|words| !words.is_empty()) else {
        return Ok(PRIORITIES.to_vec());
    };
    let read = |word: &str| {
        let known = PRIORITIES.iter().find(|known| **known == word.trim());
        known.copied().ok_or_else(|| {
            let allowed = PRIORITIES.join(", ");
            bad("priority", format!("it is {:?}, allowed are {allowed}", cut(word)))
        })
    };
    words.split(',').map(read).collect()
}

/// `key=value`, or `key` for any value.
pub fn label(text: &str) -> Result<(&str, Option<&str>), BadSettings> {
    let (key, value) = match text.split_once('=') {
        Some((key, value)) => (key.trim(), Some(value.trim())),
        None => (text.trim(), None),
    };
    if key.is_empty() || value.is_some_and(str::is_empty) {
        return Err(bad("label", "it is a label, or label=value"));
    }
    Ok((key, value))
}

/// What somebody writes: not empty where it must not be, and no longer than a ticket takes.
pub fn comment<'a>(
    field: &str,
    text: Option<&'a str>,
    is_needed: bool,
) -> Result<Option<&'a str>, BadSettings> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    if text.is_none() && is_needed {
        return Err(bad(field, "it is empty"));
    }
    if text.is_some_and(|text| text.len() > COMMENT_BYTES_MAX || text.contains('\0')) {
        let reason = format!("it is longer than {COMMENT_BYTES_MAX} bytes or holds NUL");
        return Err(bad(field, reason));
    }
    Ok(text)
}

/// A part of a filter; what is empty asks for nothing.
pub fn text<'a>(field: &str, text: Option<&'a str>) -> Result<Option<&'a str>, BadSettings> {
    let text = text.filter(|text| !text.is_empty());
    if text.is_some_and(|text| text.chars().count() > TEXT_CHARS_MAX || text.contains('\0')) {
        let reason = format!("it is longer than {TEXT_CHARS_MAX} characters or holds NUL");
        return Err(bad(field, reason));
    }
    Ok(text)
}

pub fn bad(field: &str, reason: impl AsRef<str>) -> BadSettings {
    let reason = format!("{field}: {}", reason.as_ref());
    BadSettings { field: Some(field.to_owned()), reason }
}

fn cut(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_read_or_refused_by_name() {
        assert_eq!(statuses(Some("active")).unwrap(), ["open", "acknowledged"]);
        assert_eq!(statuses(None).unwrap().len(), 3);
        assert_eq!(priorities(Some("high, critical")).unwrap(), ["high", "critical"]);
        assert_eq!(priorities(Some("")).unwrap().len(), 4);
        assert_eq!(label("role = web").unwrap(), ("role", Some("web")));
        assert_eq!(label("canary").unwrap(), ("canary", None));
        for (refused, field) in [
            (statuses(Some("closed")).map(drop), "status"),
            (priorities(Some("high,urgent")).map(drop), "priority"),
            (label("=web").map(drop), "label"),
            (label("role=").map(drop), "label"),
            (text("q", Some("a\0")).map(drop), "q"),
            (text("q", Some(&"a".repeat(257))).map(drop), "q"),
            (comment("text", Some("  "), true).map(drop), "text"),
            (comment("comment", Some(&"a".repeat(4_097)), false).map(drop), "comment"),
        ] {
            assert_eq!(refused.unwrap_err().field.as_deref(), Some(field));
        }
        assert_eq!(comment("comment", Some(" on it "), false), Ok(Some("on it")));
        assert_eq!(comment("comment", None, false), Ok(None));
    }
}
