//! Messages to a telephone: ntfy, Gotify and Telegram.

use serde_json::json;

use super::kinds::{Gotify, Ntfy, Telegram};
use super::notice::{Notice, NoticeKind};
use super::render::{Revealed, Unrenderable};
use super::request::Request;
use super::text;
use crate::rule::Priority;

const NTFY_URL: &str = "https://ntfy.sh";
const TELEGRAM_URL: &str = "https://api.telegram.org";

/// ntfy makes a file of what is longer than 4096 bytes, its JSON included.
const NTFY_BYTES_MAX: usize = 3_000;

/// Telegram takes 4096 UTF-16 units, the headline included; a byte is never less than one.
const TELEGRAM_BYTES_MAX: usize = 4_096;

/// Longer ones are cut by the telephones.
const HEADLINE_BYTES_MAX: usize = 250;

fn headline(notice: &Notice) -> String {
    text::cut(&text::headline(notice), HEADLINE_BYTES_MAX)
}

/// Quiet unless somebody should look: what is over and what is a test ring no bell at night.
fn urgency(notice: &Notice) -> Priority {
    match notice.kind {
        NoticeKind::Resolved | NoticeKind::Test => Priority::Low,
        _ => notice.priority,
    }
}

pub(super) fn ntfy(
    ntfy: &Ntfy,
    revealed: &Revealed<'_>,
    notice: &Notice,
) -> Result<Request, Unrenderable> {
    let (priority, tag) = match urgency(notice) {
        Priority::Critical => (5, "rotating_light"),
        Priority::High => (4, "warning"),
        Priority::Medium => (3, "large_yellow_circle"),
        Priority::Low if notice.kind == NoticeKind::Resolved => (2, "white_check_mark"),
        Priority::Low => (2, "information_source"),
    };
    let mut body = json!({
        "topic": ntfy.topic,
        "title": headline(notice),
        "message": text::body(notice, NTFY_BYTES_MAX),
        "priority": priority,
        "tags": [tag],
    });
    if let Some(url) = &notice.url {
        body["click"] = json!(url);
    }
    let request = Request::json(ntfy.url.as_deref().unwrap_or(NTFY_URL), &body);
    if ntfy.token.is_none() {
        return Ok(request);
    }
    let token = revealed.secret("token")?;
    Ok(request.with_header("Authorization", format!("Bearer {token}")))
}

pub(super) fn gotify(
    gotify: &Gotify,
    revealed: &Revealed<'_>,
    notice: &Notice,
) -> Result<Request, Unrenderable> {
    let priority = match urgency(notice) {
        Priority::Critical => 10,
        Priority::High => 7,
        Priority::Medium => 5,
        Priority::Low => 2,
    };
    let mut body = json!({
        "title": headline(notice),
        "message": text::body(notice, NTFY_BYTES_MAX),
        "priority": priority,
    });
    if let Some(url) = &notice.url {
        let click = json!({ "url": url });
        body["extras"] = json!({ "client::notification": { "click": click } });
    }
    let url = format!("{}/message", gotify.url.trim_end_matches('/'));
    Ok(Request::json(url, &body).with_header("X-Gotify-Key", revealed.secret("token")?))
}

pub(super) fn telegram(
    telegram: &Telegram,
    revealed: &Revealed<'_>,
    notice: &Notice,
) -> Result<Request, Unrenderable> {
    let headline = headline(notice);
    let rest = text::body(notice, TELEGRAM_BYTES_MAX - headline.len() - 2);
    // No markup is asked for, so none in a title can have an effect.
    let body = json!({
        "chat_id": telegram.chat_id,
        "text": format!("{headline}\n\n{rest}"),
        "link_preview_options": { "is_disabled": true },
        "disable_notification": urgency(notice) == Priority::Low,
    });
    let base = telegram.url.as_deref().unwrap_or(TELEGRAM_URL).trim_end_matches('/');
    let url = format!("{base}/bot{}/sendMessage", revealed.secret("token")?);
    super::check::secret_url("token", &url)?;
    Ok(Request::json(url, &body))
}
