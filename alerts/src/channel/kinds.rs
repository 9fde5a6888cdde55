//! The fields of each kind of channel, and what each must satisfy.
//!
//! How a notice is put for it is in the file of its family: `webhook`, `chat`, `paging`, `push`,
//! `mail`.

use std::collections::BTreeMap;

use muster_schemas::Rejection;
use serde::{Deserialize, Deserializer, Serialize};

use super::check;
use super::secret::{MaybeSecret, Secret};
use super::template::Template;

/// Headers of a webhook: enough for a key, a tenant and a route.
const HEADERS_MAX: usize = 16;

/// The longest template, in bytes.
const TEMPLATE_BYTES_MAX: usize = 16 * 1024;

/// Recipients of one mail; more is a mailing list's work.
const RECIPIENTS_MAX: usize = 50;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Shown if it is a text; a secret if it is an object.
    pub url: MaybeSecret,
    /// A text is shown, but where the name says that it is a secret.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "sealed_by_name"
    )]
    pub headers: BTreeMap<String, MaybeSecret>,
    /// What the body is signed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// The body, with `{{fields}}`. Absent: the notice as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    #[serde(default, skip_serializing_if = "is_json")]
    pub content_type: ContentType,
}

/// Decides how a template's values are written, too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContentType {
    #[default]
    #[serde(rename = "application/json")]
    Json,
    #[serde(rename = "text/plain")]
    Text,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_json(content_type: &ContentType) -> bool {
    *content_type == ContentType::Json
}

/// People type `Authorization: Bearer ...` as they type any header; it is none to be shown.
fn sealed_by_name<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, MaybeSecret>, D::Error> {
    let headers = BTreeMap::<String, MaybeSecret>::deserialize(deserializer)?;
    let sealed = |(name, value): (String, MaybeSecret)| {
        let value = if check::is_secret_header(&name) { value.closed() } else { value };
        (name, value)
    };
    Ok(headers.into_iter().map(sealed).collect())
}

impl Webhook {
    pub(super) fn check(&self) -> Result<(), Rejection> {
        if let MaybeSecret::Open(url) = &self.url {
            check::url("url", url)?;
        }
        if self.headers.len() > HEADERS_MAX {
            let expected = format!("{HEADERS_MAX} at most");
            return Err(Rejection::bad_value("headers", self.headers.len(), expected));
        }
        for (name, value) in &self.headers {
            check::header_name(name)?;
            if let MaybeSecret::Open(text) = value {
                check::line(&format!("headers.{name}"), text)?;
            }
        }
        let Some(template) = &self.template else { return Ok(()) };
        if template.len() > TEMPLATE_BYTES_MAX {
            let expected = format!("{TEMPLATE_BYTES_MAX} bytes at most");
            return Err(Rejection::bad_value("template", template.len(), expected));
        }
        Template::parse(template, self.content_type).and_then(|template| template.check())
    }

    pub(super) fn secrets_mut(&mut self) -> Vec<(String, &mut Secret)> {
        let mut found = Vec::new();
        if let MaybeSecret::Secret(secret) = &mut self.url {
            found.push(("url".to_owned(), secret));
        }
        for (name, value) in &mut self.headers {
            if let MaybeSecret::Secret(secret) = value {
                found.push((format!("headers.{name}"), secret));
            }
        }
        found.extend(self.secret.iter_mut().map(|secret| ("secret".to_owned(), secret)));
        found
    }
}

/// Slack, Mattermost, Discord and Teams: an incoming webhook, whose address is the secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chat {
    pub url: Secret,
    /// Another room than the webhook's own, where the receiver allows that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
}

impl Chat {
    pub(super) fn check(&self) -> Result<(), Rejection> {
        self.channel.as_deref().map_or(Ok(()), |channel| check::line("channel", channel))
    }

    /// Of those receivers whose webhooks lead to one room.
    pub(super) fn check_has_one_room(&self) -> Result<(), Rejection> {
        self.channel.as_ref().map_or(Ok(()), |channel| {
            let expected = "nothing: the address decides the room";
            Err(Rejection::bad_value("channel", format!("{channel:?}"), expected))
        })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Email {
    pub host: String,
    #[serde(default = "submission_port")]
    pub port: u16,
    #[serde(default)]
    pub security: Security,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// `muster@example.org` or `Muster <muster@example.org>`.
    pub from: String,
    pub to: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// Encrypted once the server was greeted; refused where the server cannot.
    #[default]
    Starttls,
    /// Encrypted from the first byte.
    Tls,
    /// In the clear: a relay on this machine or in a network that is trusted.
    None,
}

fn submission_port() -> u16 {
    587
}

impl Email {
    pub(super) fn check(&self) -> Result<(), Rejection> {
        check::host("host", &self.host)?;
        if self.port == 0 {
            return Err(Rejection::bad_value("port", 0, "1 to 65535"));
        }
        check::address("from", &self.from)?;
        if self.to.is_empty() || self.to.len() > RECIPIENTS_MAX {
            let expected = format!("1 to {RECIPIENTS_MAX} addresses");
            return Err(Rejection::bad_value("to", format!("{} of them", self.to.len()), expected));
        }
        for (at, to) in self.to.iter().enumerate() {
            check::address(&format!("to[{at}]"), to)?;
        }
        if let Some(username) = &self.username {
            check::line("username", username)?;
        }
        match (&self.username, &self.password) {
            (Some(_), None) => Err(Rejection::bad_value("password", "absent", "one to the name")),
            (None, Some(_)) => {
                Err(Rejection::bad_value("username", "absent", "one to the password"))
            }
            (Some(_), Some(_)) if self.security == Security::None => {
                let expected = "tls or starttls where there is a password";
                Err(Rejection::bad_value("security", "none", expected))
            }
            _ => Ok(()),
        }
    }
}

/// The Events API v2, and what is compatible with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PagerDuty {
    pub routing_key: Secret,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// The Alert API, and what is compatible with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opsgenie {
    pub api_key: Secret,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ntfy {
    pub topic: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
}

impl Ntfy {
    pub(super) fn check(&self) -> Result<(), Rejection> {
        let is_topic = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !(1..=64).contains(&self.topic.len()) || !self.topic.chars().all(is_topic) {
            let expected = "1 to 64 letters, digits, - and _";
            return Err(Rejection::bad_value("topic", format!("{:?}", self.topic), expected));
        }
        check::optional_url("url", self.url.as_deref())
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gotify {
    pub url: String,
    pub token: Secret,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telegram {
    pub token: Secret,
    /// A number as text, or `@name` of a public channel.
    pub chat_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Telegram {
    pub(super) fn check(&self) -> Result<(), Rejection> {
        let id = &self.chat_id;
        if id.parse::<i64>().is_err() && !(id.starts_with('@') && id.len() > 1 && id.len() <= 64) {
            let expected = "a number as text, or @name";
            return Err(Rejection::bad_value("chat_id", format!("{id:?}"), expected));
        }
        if let Secret::Given(token) = &self.token {
            // It becomes part of the address.
            let is_token = |c: char| c.is_ascii_alphanumeric() || ":_-".contains(c);
            if !token.expose().chars().all(is_token) {
                let expected = "letters, digits, :, - and _";
                return Err(Rejection::bad_value("token", "something else", expected));
            }
        }
        check::optional_url("url", self.url.as_deref())
    }
}
