//! Chat rooms: Slack, Mattermost, Discord and Teams, by their incoming webhooks.
//!
//! Titles and descriptions hold names that come from hosts. They are written so that nothing in
//! them is taken for markup that calls everybody in the room.

use serde_json::{Value, json};

use super::kinds::Chat;
use super::notice::{Notice, Ticket};
use super::render::{Revealed, Unrenderable};
use super::request::Request;
use super::text;

/// A message's text, in bytes: what all four take, with room for the rest.
const TEXT_BYTES_MAX: usize = 3_000;

/// A headline, in bytes: the shortest limit among them.
const HEADLINE_BYTES_MAX: usize = 256;

pub(super) fn slack(
    chat: &Chat,
    revealed: &Revealed<'_>,
    notice: &Notice,
) -> Result<Request, Unrenderable> {
    let body = attachment(chat, notice, slack_escaped);
    Ok(Request::json(revealed.secret_url("url")?, &body))
}

/// The same form; here it is the sign before a name that calls people.
pub(super) fn mattermost(
    chat: &Chat,
    revealed: &Revealed<'_>,
    notice: &Notice,
) -> Result<Request, Unrenderable> {
    let body = attachment(chat, notice, |text| text.replace('@', "@\u{200b}"));
    Ok(Request::json(revealed.secret_url("url")?, &body))
}

fn slack_escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn attachment(chat: &Chat, notice: &Notice, escape: impl Fn(&str) -> String) -> Value {
    let headline = escape(&headline(notice));
    let mut attachment = json!({
        "fallback": headline,
        "color": format!("#{:06x}", text::colour(notice)),
        "title": headline,
        "text": escape(&text::body(notice, TEXT_BYTES_MAX)),
    });
    if let Some(url) = &notice.url {
        attachment["title_link"] = json!(url);
    }
    let mut body = json!({ "attachments": [attachment] });
    if let Some(channel) = &chat.channel {
        body["channel"] = json!(channel);
    }
    body
}

fn headline(notice: &Notice) -> String {
    text::cut(&text::headline(notice), HEADLINE_BYTES_MAX)
}

pub(super) fn discord(revealed: &Revealed<'_>, notice: &Notice) -> Result<Request, Unrenderable> {
    let mut embed = json!({
        "title": headline(notice),
        "description": text::body(notice, TEXT_BYTES_MAX),
        "color": text::colour(notice),
        "timestamp": text::time(notice.at),
    });
    if let Some(url) = &notice.url {
        embed["url"] = json!(url);
    }
    // Nobody is called by what a title says.
    let body = json!({ "embeds": [embed], "allowed_mentions": { "parse": [] } });
    Ok(Request::json(revealed.secret_url("url")?, &body))
}

/// An adaptive card, which both the workflows and the older connectors take.
pub(super) fn teams(revealed: &Revealed<'_>, notice: &Notice) -> Result<Request, Unrenderable> {
    let facts: Vec<Value> = match notice.tickets.as_slice() {
        [ticket] if notice.count <= 1 => card_facts(ticket),
        _ => Vec::new(),
    };
    let mut content = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            { "type": "TextBlock", "text": headline(notice), "weight": "Bolder", "wrap": true },
            { "type": "TextBlock", "text": card_text(notice), "wrap": true },
            { "type": "FactSet", "facts": facts },
        ],
    });
    if let Some(url) = &notice.url {
        let action = json!({ "type": "Action.OpenUrl", "title": "Open in Muster", "url": url });
        content["actions"] = json!([action]);
    }
    let card = "application/vnd.microsoft.card.adaptive";
    let body = json!({
        "type": "message",
        "attachments": [{ "contentType": card, "contentUrl": null, "content": content }],
    });
    Ok(Request::json(revealed.secret_url("url")?, &body))
}

/// Of one ticket the numbers are in the table below.
fn card_text(notice: &Notice) -> String {
    match notice.tickets.as_slice() {
        [ticket] if notice.count <= 1 => text::cut(&ticket.description, TEXT_BYTES_MAX),
        _ => text::body(notice, TEXT_BYTES_MAX),
    }
}

fn card_facts(ticket: &Ticket) -> Vec<Value> {
    text::facts(ticket)
        .into_iter()
        .map(|(title, value)| json!({ "title": title, "value": value }))
        .collect()
}
