//! A channel as an operator defines it: where notifications go, and how.
//!
//! A definition is one JSON object with a `kind`. What is wrong with it is said with the field's
//! name. It holds no secret's text once [`Definition::take_secrets`] has been called, and whatever
//! becomes of it before, serialising it never gives one away.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value, json};

use muster_schemas::Rejection;

use super::check;
use super::kinds::{Chat, Email, Gotify, Ntfy, Opsgenie, PagerDuty, Telegram, Webhook};
use super::secret::{MaybeSecret, Secret, Secrets};

/// The largest definition, in bytes of JSON: a template of 16 kB, headers and addresses.
pub const DEFINITION_BYTES_MAX: usize = 64 * 1024;

/// Notifications a minute where nothing else is set: what the strictest of the receivers (a message
/// a second, less in bursts) still takes, and more than a person can read.
pub const PER_MINUTE_DEFAULT: u32 = 30;

/// Ten a second: more is no notification, and grouping should have come first.
pub const PER_MINUTE_MAX: u32 = 600;

/// All that can be done with a channel, whatever it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    pub kind: Kind,
    /// More than this wait for the next minute.
    pub per_minute: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Kind {
    Webhook(Webhook),
    Slack(Chat),
    Mattermost(Chat),
    Discord(Chat),
    Teams(Chat),
    Email(Email),
    PagerDuty(PagerDuty),
    Opsgenie(Opsgenie),
    Ntfy(Ntfy),
    Gotify(Gotify),
    Telegram(Telegram),
}

/// As they are written.
pub const KINDS: [&str; 11] = [
    "webhook",
    "slack",
    "mattermost",
    "discord",
    "teams",
    "email",
    "pagerduty",
    "opsgenie",
    "ntfy",
    "gotify",
    "telegram",
];

impl Kind {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Slack(_) => "slack",
            Self::Mattermost(_) => "mattermost",
            Self::Discord(_) => "discord",
            Self::Teams(_) => "teams",
            Self::Email(_) => "email",
            Self::PagerDuty(_) => "pagerduty",
            Self::Opsgenie(_) => "opsgenie",
            Self::Ntfy(_) => "ntfy",
            Self::Gotify(_) => "gotify",
            Self::Telegram(_) => "telegram",
        }
    }

    fn parse(kind: &str, fields: Value) -> Result<Self, Rejection> {
        Ok(match kind {
            "webhook" => Self::Webhook(read(fields)?),
            "slack" => Self::Slack(read(fields)?),
            "mattermost" => Self::Mattermost(read(fields)?),
            "discord" => Self::Discord(read(fields)?),
            "teams" => Self::Teams(read(fields)?),
            "email" => Self::Email(read(fields)?),
            "pagerduty" => Self::PagerDuty(read(fields)?),
            "opsgenie" => Self::Opsgenie(read(fields)?),
            "ntfy" => Self::Ntfy(read(fields)?),
            "gotify" => Self::Gotify(read(fields)?),
            "telegram" => Self::Telegram(read(fields)?),
            other => {
                let expected = format!("one of {}", KINDS.join(", "));
                return Err(Rejection::bad_value("kind", format!("{other:?}"), expected));
            }
        })
    }

    fn check(&self) -> Result<(), Rejection> {
        match self {
            Self::Webhook(webhook) => webhook.check(),
            Self::Slack(chat) | Self::Mattermost(chat) => chat.check(),
            Self::Discord(chat) | Self::Teams(chat) => chat.check_has_one_room(),
            Self::Email(email) => email.check(),
            Self::PagerDuty(events) => check::optional_url("url", events.url.as_deref()),
            Self::Opsgenie(events) => check::optional_url("url", events.url.as_deref()),
            Self::Ntfy(push) => push.check(),
            Self::Gotify(push) => check::url("url", &push.url),
            Self::Telegram(push) => push.check(),
        }
    }

    /// Every field that is a secret, by its path.
    fn secrets_mut(&mut self) -> Vec<(String, &mut Secret)> {
        match self {
            Self::Webhook(webhook) => webhook.secrets_mut(),
            Self::Slack(chat)
            | Self::Mattermost(chat)
            | Self::Discord(chat)
            | Self::Teams(chat) => {
                vec![("url".into(), &mut chat.url)]
            }
            Self::Email(email) => {
                email.password.iter_mut().map(|secret| ("password".into(), secret)).collect()
            }
            Self::PagerDuty(events) => vec![("routing_key".into(), &mut events.routing_key)],
            Self::Opsgenie(events) => vec![("api_key".into(), &mut events.api_key)],
            Self::Ntfy(push) => {
                push.token.iter_mut().map(|secret| ("token".into(), secret)).collect()
            }
            Self::Gotify(push) => vec![("token".into(), &mut push.token)],
            Self::Telegram(push) => vec![("token".into(), &mut push.token)],
        }
    }

    /// Who would get the secrets. Where it changes, they are not sent there before somebody who
    /// knows them has said so.
    fn destination(&self) -> String {
        match self {
            Self::Webhook(Webhook { url: MaybeSecret::Open(url), .. }) => check::origin(url),
            Self::Webhook(Webhook { url: MaybeSecret::Secret(Secret::Env(name)), .. }) => {
                format!("env {name}")
            }
            Self::Webhook(Webhook { url: MaybeSecret::Secret(Secret::Given(_)), .. }) => {
                "another that was given".into()
            }
            // The address is the secret.
            Self::Webhook(_)
            | Self::Slack(_)
            | Self::Mattermost(_)
            | Self::Discord(_)
            | Self::Teams(_) => String::new(),
            Self::Email(email) => format!("{}:{} {:?}", email.host, email.port, email.security),
            Self::PagerDuty(PagerDuty { url, .. })
            | Self::Opsgenie(Opsgenie { url, .. })
            | Self::Ntfy(Ntfy { url, .. })
            | Self::Telegram(Telegram { url, .. }) => {
                url.as_deref().map(check::origin).unwrap_or_default()
            }
            Self::Gotify(push) => check::origin(&push.url),
        }
    }
}

fn read<T: for<'de> Deserialize<'de>>(fields: Value) -> Result<T, Rejection> {
    serde_path_to_error::deserialize(fields)
        .map_err(|error| unreadable(&error.path().to_string(), &error.inner().to_string()))
}

/// What the decoder says of a place, in the words of all the other checks.
fn unreadable(path: &str, reason: &str) -> Rejection {
    let (value, expected) = match reason.rsplit_once("expected ") {
        Some(("", expected)) => ("something else", expected),
        Some((value, expected)) => (value.trim_end_matches(", "), expected),
        None => ("not readable", reason),
    };
    match reason.split('`').nth(1) {
        Some(name) if reason.starts_with("missing field") => {
            Rejection::bad_value(name, "absent", "a value")
        }
        Some(name) if reason.starts_with("unknown field") => {
            Rejection::bad_value(name, "set", expected)
        }
        _ => Rejection::bad_value(path, value, expected),
    }
}

impl Definition {
    /// Reads and checks what a client or the database has.
    pub fn parse(value: &Value) -> Result<Self, Rejection> {
        let bytes = value.to_string().len();
        if bytes > DEFINITION_BYTES_MAX {
            let expected = format!("{DEFINITION_BYTES_MAX} bytes at most");
            return Err(Rejection::bad_value("definition", format!("{bytes} bytes"), expected));
        }
        let mut fields = match value {
            Value::Object(fields) => fields.clone(),
            _ => return Err(Rejection::bad_value("definition", "no object", "an object")),
        };
        let kind = match fields.remove("kind") {
            Some(Value::String(kind)) => kind,
            Some(_) => return Err(Rejection::bad_value("kind", "no text", "a text")),
            None => return Err(Rejection::bad_value("kind", "absent", "the kind of channel")),
        };
        let per_minute = per_minute(&mut fields)?;
        let definition = Self { kind: Kind::parse(&kind, Value::Object(fields))?, per_minute };
        definition.check()?;
        Ok(definition)
    }

    /// Names the field that is wrong, if one is.
    pub fn check(&self) -> Result<(), Rejection> {
        self.kind.check()?;
        for (field, secret) in self.secrets() {
            secret.check(&field)?;
            if let Secret::Given(text) = &secret
                && field == "url"
            {
                check::secret_url("url", text.expose())?;
            }
        }
        Ok(())
    }

    /// Each secret by the path of its field.
    pub fn secrets(&self) -> Vec<(String, Secret)> {
        let mut kind = self.kind.clone();
        kind.secrets_mut().into_iter().map(|(field, secret)| (field, secret.clone())).collect()
    }

    /// Takes the texts out that came in, to be sealed; what is left says that they are stored.
    pub fn take_secrets(&mut self) -> Secrets {
        let mut taken = Secrets::default();
        for (field, secret) in self.kind.secrets_mut() {
            if let Secret::Given(text) = secret {
                taken.insert(field, text.clone());
                *secret = Secret::Stored;
            }
        }
        taken
    }

    /// The secrets to seal where this definition replaces `old`: those that came in, and those of
    /// before that are to stay. They stay only where they go to the same place as before, or
    /// anybody who may edit a channel could have them sent to a server of their own.
    pub fn replace(&mut self, old: Option<(&Self, &Secrets)>) -> Result<Secrets, Rejection> {
        let kept: Vec<String> = self
            .secrets()
            .into_iter()
            .filter(|(_, secret)| *secret == Secret::Stored)
            .map(|(field, _)| field)
            .collect();
        let is_same_place = old.is_some_and(|(old, _)| {
            old.kind.as_str() == self.kind.as_str()
                && old.kind.destination() == self.kind.destination()
        });
        let older = old.map(|(old, sealed)| old.clone().with_sealed(sealed)).unwrap_or_default();
        for field in &kept {
            if older.get(field).is_none() {
                let expected = "the secret: none is stored";
                return Err(Rejection::bad_value(field, "left as it is", expected));
            }
            if !is_same_place {
                let expected = "the secret once more: it would go to another place than before";
                return Err(Rejection::bad_value(field, "left as it is", expected));
            }
        }
        let mut secrets = self.take_secrets();
        secrets.keep(&kept, &older);
        Ok(secrets)
    }

    /// What is sealed beside it, and what stands in it since before such a field was a secret.
    fn with_sealed(mut self, sealed: &Secrets) -> Secrets {
        let mut secrets = self.take_secrets();
        let fields: Vec<String> = sealed.fields().map(str::to_owned).collect();
        secrets.keep(&fields, sealed);
        secrets
    }

    /// As it is stored and shown, without any secret.
    pub fn to_value(&self) -> Value {
        let mut value = serde_json::to_value(&self.kind).unwrap_or_default();
        value["kind"] = json!(self.kind.as_str());
        value["per_minute"] = json!(self.per_minute);
        value
    }
}

impl Serialize for Definition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

fn per_minute(fields: &mut Map<String, Value>) -> Result<u32, Rejection> {
    let Some(value) = fields.remove("per_minute") else { return Ok(PER_MINUTE_DEFAULT) };
    value
        .as_u64()
        .and_then(|value| u32::try_from(value).ok())
        .filter(|value| (1..=PER_MINUTE_MAX).contains(value))
        .ok_or_else(|| Rejection::bad_value("per_minute", value, format!("1 to {PER_MINUTE_MAX}")))
}
