//! What is to be sent, ready for the wire: an HTTP request or a mail.

use std::fmt;

use sha2::{Digest, Sha256};

use super::check;
use super::kinds::Security;
use super::secret::SecretText;

/// The longest idempotency key that is sent as it is; most receivers take 255 bytes.
const KEY_BYTES_MAX: usize = 255;

#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    Http(Request),
    Mail(Mail),
}

/// A POST. It prints without its path, its headers and its body, any of which may be secret.
#[derive(Clone, PartialEq)]
pub struct Request {
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub(super) fn json(url: impl Into<String>, body: &serde_json::Value) -> Self {
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        Self { url: url.into(), headers, body: body.to_string().into_bytes() }
    }

    #[must_use]
    pub(super) fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "POST {} ({} bytes)", check::origin(&self.url), self.body.len())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Mail {
    pub host: String,
    pub port: u16,
    pub security: Security,
    pub credentials: Option<(String, SecretText)>,
    pub from: String,
    pub to: Vec<String>,
    pub subject: String,
    pub text: String,
    /// The same at each attempt: a server that was told twice can see it.
    pub message_id: String,
    /// By which mail programs keep together what belongs together.
    pub thread_id: String,
    /// Milliseconds since the Unix epoch.
    pub at: i64,
}

/// A key as a header, an address or another service can carry it: as it is if that is possible.
pub(super) fn portable(key: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-_.:".contains(c);
    if (1..=KEY_BYTES_MAX).contains(&key.len()) && key.chars().all(is_plain) {
        return key.to_owned();
    }
    digest(key)
}

/// The key in 32 hexadecimal digits.
pub(super) fn digest(key: &str) -> String {
    hex(&Sha256::digest(key.as_bytes())[..16])
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(hex_digit).collect()
}

fn hex_digit(nibble: u8) -> Option<char> {
    char::from_digit(u32::from(nibble), 16)
}
