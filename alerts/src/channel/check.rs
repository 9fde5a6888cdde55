//! Checks that several kinds of channel share. Each names the field.

use muster_schemas::Rejection;
use url::Url;

/// The longest address of a server, in bytes; beyond that proxies cut.
const URL_BYTES_MAX: usize = 2048;

/// The longest short text (a user's name, a header's value, a room), in bytes.
const LINE_BYTES_MAX: usize = 1024;

/// The longest name of a header, in bytes.
const HEADER_BYTES_MAX: usize = 64;

/// The longest mail address with its name, in bytes.
const ADDRESS_BYTES_MAX: usize = 320;

/// Headers that say how a message is framed or whom it is for, or that we write ourselves.
const OWN_HEADERS: [&str; 9] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "idempotency-key",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// The beginning of those by which we sign.
const OWN_HEADER_PREFIX: &str = "x-muster-";

/// Parts of the names of headers that say who sends (`Authorization`, `X-Api-Key`). Better a text
/// that is no secret kept as one than a password shown to whoever may look at channels.
const SECRET_HEADER_PARTS: [&str; 6] = ["auth", "cookie", "key", "password", "secret", "token"];

/// Whether the value of a header is a secret whatever it is written as.
pub fn is_secret_header(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    SECRET_HEADER_PARTS.iter().any(|part| lower.contains(part))
}

pub(super) fn url(field: &str, text: &str) -> Result<(), Rejection> {
    url_problem(text).map_or(Ok(()), |expected| {
        Err(Rejection::bad_value(field, format!("{:?}", without_userinfo(text)), expected))
    })
}

/// The same of an address that is itself a secret, which the reason must not repeat.
pub(super) fn secret_url(field: &str, text: &str) -> Result<(), Rejection> {
    url_problem(text)
        .map_or(Ok(()), |expected| Err(Rejection::bad_value(field, "something else", expected)))
}

pub(super) fn optional_url(field: &str, text: Option<&str>) -> Result<(), Rejection> {
    text.map_or(Ok(()), |text| url(field, text))
}

fn url_problem(text: &str) -> Option<&'static str> {
    let expected = "an address that begins with https:// or http://";
    if text.len() > URL_BYTES_MAX {
        return Some("2048 bytes at most");
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Some("an address without spaces");
    }
    let Ok(url) = Url::parse(text) else { return Some(expected) };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Some(expected);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some("an address without a password: use a header whose value is a secret");
    }
    url.fragment().is_some().then_some("an address without #")
}

fn without_userinfo(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, rest)) => format!("***@{rest}"),
        None => text.to_owned(),
    }
}

/// The server that an address leads to.
pub(super) fn origin(text: &str) -> String {
    Url::parse(text).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

pub(super) fn line(field: &str, text: &str) -> Result<(), Rejection> {
    if !text.is_empty() && text.len() <= LINE_BYTES_MAX && !text.chars().any(char::is_control) {
        return Ok(());
    }
    let expected = format!("1 to {LINE_BYTES_MAX} bytes on one line");
    Err(Rejection::bad_value(field, format!("{text:?}"), expected))
}

pub(super) fn header_name(name: &str) -> Result<(), Rejection> {
    let field = format!("headers.{name}");
    let is_token = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if !(1..=HEADER_BYTES_MAX).contains(&name.len()) || !name.chars().all(is_token) {
        let expected = "letters, digits, - and _";
        return Err(Rejection::bad_value("headers", format!("{name:?}"), expected));
    }
    let lower = name.to_ascii_lowercase();
    if OWN_HEADERS.contains(&lower.as_str()) || lower.starts_with(OWN_HEADER_PREFIX) {
        return Err(Rejection::bad_value(field, "set", "a header that is not set already"));
    }
    Ok(())
}

/// The name or address of a server, without a port.
pub(super) fn host(field: &str, text: &str) -> Result<(), Rejection> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || ".-:".contains(c);
    if (1..=253).contains(&text.len()) && text.chars().all(is_part) {
        return Ok(());
    }
    Err(Rejection::bad_value(field, format!("{text:?}"), "the name or address of a server"))
}

/// `name@domain` or `Name <name@domain>`. What the mail server makes of it is its own affair; what
/// matters here is that nothing of it can become another header.
pub(super) fn address(field: &str, text: &str) -> Result<(), Rejection> {
    let bare = match text.strip_suffix('>').and_then(|rest| rest.split_once('<')) {
        Some((_, bare)) => bare,
        None => text,
    };
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.chars().any(|c| c.is_control() || c.is_whitespace() || "<>@,;".contains(c))
    };
    let is_address =
        bare.rsplit_once('@').is_some_and(|(name, domain)| is_part(name) && is_part(domain));
    if is_address && text.len() <= ADDRESS_BYTES_MAX && !text.chars().any(char::is_control) {
        return Ok(());
    }
    let expected = "name@example.org or Name <name@example.org>";
    Err(Rejection::bad_value(field, format!("{text:?}"), expected))
}
