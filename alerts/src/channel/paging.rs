//! Paging services: PagerDuty's Events API v2 and Opsgenie's Alert API, and what is compatible.
//!
//! An incident there bears the name of the notice's thread. Whatever is sent again or sent later
//! goes to the same incident, and it is closed when the last ticket of its thread is.

use serde_json::{Value, json};

use super::kinds::{Opsgenie, PagerDuty};
use super::notice::{Notice, NoticeKind};
use super::render::{Revealed, Unrenderable};
use super::request::{Request, digest, portable};
use super::text;
use crate::rule::Priority;

const PAGERDUTY_URL: &str = "https://events.pagerduty.com/v2/enqueue";
const OPSGENIE_URL: &str = "https://api.opsgenie.com";

/// The longest summary that PagerDuty takes is 1024 characters.
const SUMMARY_BYTES_MAX: usize = 1024;

/// The longest message that Opsgenie takes is 130 characters.
const MESSAGE_BYTES_MAX: usize = 130;

/// The longest description that Opsgenie takes is 15,000 characters.
const DESCRIPTION_BYTES_MAX: usize = 15_000;

/// Whether some tickets of an incident were closed and others were not: it goes on as it is.
pub(super) fn is_silent(notice: &Notice) -> bool {
    notice.kind == NoticeKind::Resolved && notice.open > 0
}

pub(super) fn pagerduty(
    events: &PagerDuty,
    revealed: &Revealed<'_>,
    notice: &Notice,
) -> Result<Request, Unrenderable> {
    let is_over = notice.kind == NoticeKind::Resolved;
    let mut body = json!({
        "routing_key": revealed.secret("routing_key")?,
        "event_action": if is_over { "resolve" } else { "trigger" },
        "dedup_key": portable(&notice.thread),
    });
    if !is_over {
        body["payload"] = json!({
            "summary": text::cut(&text::headline(notice), SUMMARY_BYTES_MAX),
            "source": source(notice),
            "severity": severity(notice),
            "timestamp": text::time(notice.at),
            "custom_details": details(notice),
        });
        if let Some(url) = &notice.url {
            body["links"] = json!([{ "href": url, "text": "Open in Muster" }]);
        }
    }
    Ok(Request::json(events.url.as_deref().unwrap_or(PAGERDUTY_URL), &body))
}

fn severity(notice: &Notice) -> &'static str {
    match notice.priority {
        Priority::Critical => "critical",
        Priority::High => "error",
        Priority::Medium => "warning",
        Priority::Low => "info",
    }
}

pub(super) fn opsgenie(
    events: &Opsgenie,
    revealed: &Revealed<'_>,
    notice: &Notice,
) -> Result<Request, Unrenderable> {
    let base = events.url.as_deref().unwrap_or(OPSGENIE_URL).trim_end_matches('/');
    // Part of an address when the alert is closed, so it is plain.
    let alias = digest(&notice.thread);
    let request = if notice.kind == NoticeKind::Resolved {
        let url = format!("{base}/v2/alerts/{alias}/close?identifierType=alias");
        let note = text::cut(&text::headline(notice), DESCRIPTION_BYTES_MAX);
        Request::json(url, &json!({ "source": "Muster", "note": note }))
    } else {
        let body = json!({
            "message": text::cut(&text::headline(notice), MESSAGE_BYTES_MAX),
            "alias": alias,
            "description": text::body(notice, DESCRIPTION_BYTES_MAX),
            "entity": source(notice),
            "source": "Muster",
            "priority": level(notice),
            "details": details(notice),
        });
        Request::json(format!("{base}/v2/alerts"), &body)
    };
    Ok(request.with_header("Authorization", format!("GenieKey {}", revealed.secret("api_key")?)))
}

fn level(notice: &Notice) -> &'static str {
    match notice.priority {
        Priority::Critical => "P1",
        Priority::High => "P2",
        Priority::Medium => "P3",
        Priority::Low => "P4",
    }
}

fn source(notice: &Notice) -> String {
    match notice.hosts.as_slice() {
        [] => "Muster".into(),
        [host] => host.clone(),
        _ => format!("{} hosts", notice.host_count),
    }
}

/// Both services show texts by name.
fn details(notice: &Notice) -> Value {
    let mut details = json!({
        "kind": notice.kind.as_str(),
        "priority": notice.priority.as_str(),
        "tickets": notice.count.to_string(),
        "hosts": text::hosts(notice, DESCRIPTION_BYTES_MAX),
    });
    if let [ticket] = notice.tickets.as_slice() {
        for (name, value) in text::facts(ticket) {
            details[name.to_lowercase()] = json!(value);
        }
        details["description"] = json!(ticket.description);
        details["recommendation"] = json!(ticket.recommendation);
    }
    details
}
