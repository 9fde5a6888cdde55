//! What is wrong with a JSON body, told by the name of its field.
//!
//! Readers of bodies that people fill in by a form ask here, so that the form can show the reason
//! beside the field. A definition is a whole body in some requests and a part of one in others: its
//! fields have the same names in both.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::settings::BadSettings;

/// What a definition is called where it is a part.
const PART: &str = "definition.";

/// The longest reason that is given back: the decoder repeats what it was sent.
const REASON_CHARS_MAX: usize = 300;

/// Reads text strictly; the answer says whether it is JSON at all.
pub fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, BadSettings> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value: Value =
        serde_path_to_error::deserialize(&mut reader).map_err(|error| told(&error))?;
    if reader.end().is_err() {
        let reason = "the body goes on after its end".to_owned();
        return Err(BadSettings { field: None, reason });
    }
    from_value(value)
}

/// Reads what was decoded already.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, BadSettings> {
    serde_path_to_error::deserialize(value).map_err(|error| told(&error))
}

/// The database has no text with NUL. Asked where not every field has a check of its own.
pub fn without_nul(value: &Value) -> Result<(), BadSettings> {
    match value {
        Value::String(text) if text.contains('\0') => Err(nul()),
        Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
            without_nul(item).map_err(|bad| bad.within(&format!("[{index}]")))
        }),
        Value::Object(fields) => fields.iter().try_for_each(|(name, item)| {
            let held = if name.contains('\0') { Err(nul()) } else { without_nul(item) };
            held.map_err(|bad| bad.within(&name.replace('\0', "?")))
        }),
        _ => Ok(()),
    }
}

fn nul() -> BadSettings {
    BadSettings { field: None, reason: "it holds NUL".to_owned() }
}

/// In which field the text breaks off.
pub fn cut_in(text: &[u8]) -> Option<String> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read: Result<Value, _> = serde_path_to_error::deserialize(&mut reader);
    told(&read.err()?).field
}

impl BadSettings {
    /// The same, of a field that is part of another.
    #[must_use]
    pub fn within(self, place: &str) -> Self {
        let Self { field, reason } = self;
        let (field, reason) = match field {
            // A reason begins with the name of the field.
            Some(field) if field.starts_with('[') => {
                (format!("{place}{field}"), format!("{place}{reason}"))
            }
            Some(field) => (format!("{place}.{field}"), format!("{place}.{reason}")),
            None => (place.to_owned(), format!("{place}: {reason}")),
        };
        Self { field: Some(field), reason }
    }
}

fn told(error: &serde_path_to_error::Error<serde_json::Error>) -> BadSettings {
    let said = error.inner().to_string();
    let said = said.split(" at line ").next().unwrap_or_default();
    let path = error.path().to_string();
    let path = if path == "." { "" } else { path.as_str() };
    let named = said.split('`').nth(1).unwrap_or_default();
    let is_missing = said.starts_with("missing field");
    let field = match path {
        "" if is_missing || said.starts_with("unknown field") => named.to_owned(),
        path if is_missing => format!("{path}.{named}"),
        path => path.to_owned(),
    };
    let field = field.strip_prefix(PART).unwrap_or(&field);
    let said: String = said.chars().take(REASON_CHARS_MAX).collect();
    if field.is_empty() {
        return BadSettings { field: None, reason: format!("the body is wrong: {said}") };
    }
    BadSettings { field: Some(field.to_owned()), reason: format!("{field}: {said}") }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read is of interest")]
    struct Body {
        version: i64,
        definition: Inner,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read is of interest")]
    struct Inner {
        title: String,
        #[serde(default)]
        steps: Vec<i64>,
    }

    #[test]
    fn each_fault_has_the_name_of_its_field() {
        for (text, field) in [
            (r#"{"version":1,"definition":{"title":7}}"#, Some("title")),
            (r#"{"version":1,"definition":{}}"#, Some("title")),
            (r#"{"version":1,"definition":{"title":"a","titel":"b"}}"#, Some("titel")),
            (r#"{"version":1,"definition":{"title":"a","steps":[1,"x"]}}"#, Some("steps[1]")),
            (r#"{"version":NaN,"definition":{"title":"a"}}"#, Some("version")),
            (r#"{"version":1,"definition":{"title":"a","steps":[NaN]}}"#, Some("steps[0]")),
            (r#"{"definition":{"title":"a"}}"#, Some("version")),
            ("[]", None),
            ("", None),
        ] {
            let bad = read::<Body>(text.as_bytes()).unwrap_err();
            assert_eq!(bad.field.as_deref(), field, "{text}: {bad}");
        }
        assert!(read::<Body>(br#"{"version":1,"definition":{"title":"a"}}"#).is_ok());
    }

    #[test]
    fn a_text_that_breaks_off_names_the_field_that_was_too_long() {
        let text = format!(r#"{{"name":"a","title":"{}"#, "x".repeat(1_000));
        assert_eq!(cut_in(text.as_bytes()).as_deref(), Some("title"));
        assert_eq!(cut_in(br#"{"a":1}    "#), None);
    }

    #[test]
    fn a_field_of_a_part_is_named_with_its_place() {
        let bad = BadSettings { field: Some("op".into()), reason: "op: it is wrong".into() };
        let told = bad.within("condition");
        assert_eq!(told.field.as_deref(), Some("condition.op"));
        assert_eq!(told.reason, "condition.op: it is wrong");
    }
}
