//! Secrets of a channel: they come in, and they do not go out again.
//!
//! In a definition a secret is `{"env": "NAME"}` (looked up where notifications are sent, and never
//! stored), or a text (`"..."` or `{"value": "..."}`), which is taken out before the definition is
//! stored and kept sealed beside it. What is written in its place is `{"stored": true}`, which is
//! also how a client says "leave it as it is".
//!
//! Only names that are meant for channels can be looked up: somebody who may edit channels must not
//! be able to send the database's password, or a cloud's key, to a server of their own.

use std::collections::BTreeMap;
use std::fmt;

use muster_schemas::Rejection;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

/// The longest secret, in bytes: a long token is 2 kB.
const SECRET_BYTES_MAX: usize = 4096;

/// The longest name of an environment variable, in bytes.
const ENV_BYTES_MAX: usize = 128;

/// What a worker is started with holds more than anybody here knows of: only what is named for it
/// may be sent away.
const ENV_OPEN: &str = "MUSTER_CHANNEL_";

/// Shorter texts are not looked for in what is shown: they occur by chance.
const REDACTED_BYTES_MIN: usize = 6;

/// A secret in the clear. It prints as stars and cannot be serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    Env(String),
    /// Just came in.
    Given(SecretText),
    Stored,
}

impl Secret {
    pub(super) fn check(&self, field: &str) -> Result<(), Rejection> {
        match self {
            Self::Env(name) => check_env(field, name),
            Self::Given(text) => check_text(field, text.expose()),
            Self::Stored => Ok(()),
        }
    }
}

fn check_env(field: &str, name: &str) -> Result<(), Rejection> {
    let expected = "the name of an environment variable: A-Z, 0-9 and _";
    let is_name = name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    if !is_name || name.len() > ENV_BYTES_MAX {
        return Err(Rejection::bad_value(format!("{field}.env"), format!("{name:?}"), expected));
    }
    if name.strip_prefix(ENV_OPEN).is_none_or(str::is_empty) {
        let expected = format!("a name that begins with {ENV_OPEN}");
        return Err(Rejection::bad_value(format!("{field}.env"), name, expected));
    }
    Ok(())
}

fn check_text(field: &str, text: &str) -> Result<(), Rejection> {
    // The reason says how long it is, and nothing of it.
    if text.is_empty() || text.len() > SECRET_BYTES_MAX || text.chars().any(char::is_control) {
        let expected = format!("1 to {SECRET_BYTES_MAX} bytes on one line");
        return Err(Rejection::bad_value(
            field,
            format!("a text of {} bytes", text.len()),
            expected,
        ));
    }
    Ok(())
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Env(name) => json!({ "env": name }).serialize(serializer),
            Self::Given(_) | Self::Stored => json!({ "stored": true }).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = match Value::deserialize(deserializer)? {
            Value::String(text) => Some(Self::Given(SecretText(text))),
            Value::Object(mut fields) if fields.len() == 1 => {
                match (fields.remove("env"), fields.remove("value"), fields.remove("stored")) {
                    (Some(Value::String(name)), None, None) => Some(Self::Env(name)),
                    (None, Some(Value::String(text)), None) => Some(Self::Given(SecretText(text))),
                    (None, None, Some(Value::Bool(true))) => Some(Self::Stored),
                    _ => None,
                }
            }
            _ => None,
        };
        // What it is instead may be the secret itself: it is not said.
        read.ok_or_else(|| {
            D::Error::custom(
                "expected a secret: a text, {\"env\": \"NAME\"}, {\"value\": \"...\"} or \
                 {\"stored\": true}",
            )
        })
    }
}

/// What may be a secret and need not be: a text is shown, an object is a [`Secret`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum MaybeSecret {
    Open(String),
    Secret(Secret),
}

impl MaybeSecret {
    /// A text is a secret that was given.
    #[must_use]
    pub(super) fn closed(self) -> Self {
        match self {
            Self::Open(text) => Self::Secret(Secret::Given(SecretText(text))),
            secret @ Self::Secret(_) => secret,
        }
    }
}

impl<'de> Deserialize<'de> for MaybeSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self::Open(text)),
            other => Secret::deserialize(other).map(Self::Secret).map_err(D::Error::custom),
        }
    }
}

/// The secrets of one channel in the clear, by the path of their field (`token`,
/// `headers.Authorization`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<String, SecretText>);

impl Secrets {
    pub fn insert(&mut self, field: impl Into<String>, text: SecretText) {
        self.0.insert(field.into(), text);
    }

    pub fn get(&self, field: &str) -> Option<&SecretText> {
        self.0.get(field)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Adds what `older` has and this has not, of these fields only: the rest is forgotten.
    pub(super) fn keep(&mut self, fields: &[String], older: &Self) {
        for field in fields {
            if let (None, Some(text)) = (self.get(field), older.get(field)) {
                let text = text.clone();
                self.insert(field, text);
            }
        }
    }

    /// The text without any of the secrets: receivers like to repeat what they were sent.
    pub fn redact(&self, text: &str) -> String {
        self.0
            .values()
            .map(SecretText::expose)
            .filter(|secret| secret.len() >= REDACTED_BYTES_MIN)
            .fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }

    /// As it is sealed. Nothing else may be done with it.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let fields: BTreeMap<&str, &str> =
            self.0.iter().map(|(field, text)| (field.as_str(), text.expose())).collect();
        serde_json::to_vec(&fields).expect("a map of texts is always JSON")
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let fields: BTreeMap<String, String> = serde_json::from_slice(bytes).ok()?;
        Some(Self(fields.into_iter().map(|(field, text)| (field, SecretText(text))).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: Value) -> Result<Secret, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn a_secret_is_read_in_four_forms_and_written_without_its_text() {
        for (value, expected, written) in [
            (
                json!("hush-hush"),
                Secret::Given(SecretText::new("hush-hush")),
                json!({"stored": true}),
            ),
            (json!({"value": "x"}), Secret::Given(SecretText::new("x")), json!({"stored": true})),
            (json!({"stored": true}), Secret::Stored, json!({"stored": true})),
            (json!({"env": "SMTP"}), Secret::Env("SMTP".into()), json!({"env": "SMTP"})),
        ] {
            let secret = read(value).unwrap();
            assert_eq!(secret, expected);
            assert_eq!(serde_json::to_value(&secret).unwrap(), written);
            assert!(!format!("{secret:?}").contains("hush"));
        }
    }

    #[test]
    fn what_is_no_secret_is_refused_without_repeating_it() {
        for value in [
            json!({"vaule": "hush"}),
            json!({"value": "hush", "env": "A"}),
            json!(["hush"]),
            json!({"value": ["hush"]}),
            json!({"stored": false}),
        ] {
            assert!(!read(value).unwrap_err().contains("hush"));
        }
        let rejection = Secret::Given(SecretText::new("hush\nhush")).check("token").unwrap_err();
        assert_eq!(
            rejection.to_string(),
            "token is a text of 9 bytes, expected 1 to 4096 bytes on one line"
        );
    }

    #[test]
    fn our_own_environment_cannot_be_sent_away() {
        let check = |name: &str| Secret::Env(name.into()).check("token").is_ok();
        for name in ["MUSTER_CHANNEL_SLACK_URL", "MUSTER_CHANNEL_1"] {
            assert!(check(name), "{name}");
        }
        for name in [
            "MUSTER_SECRET_KEY",
            "MUSTER_ALERT_WORKER_POSTGRES_URL",
            "PGPASSWORD",
            "AWS_SECRET_ACCESS_KEY",
            "SLACK_URL",
            "MUSTER_CHANNEL_",
            "a b",
            "",
            "1A",
        ] {
            assert!(!check(name), "{name}");
        }
    }

    #[test]
    fn secrets_are_taken_out_of_what_is_shown() {
        let mut secrets = Secrets::default();
        secrets.insert("token", SecretText::new("abcdef123"));
        secrets.insert("short", SecretText::new("no"));
        assert_eq!(secrets.redact("no token abcdef123 here"), "no token *** here");
        assert_eq!(Secrets::from_bytes(&secrets.to_bytes()), Some(secrets));
    }
}
