//! A notice in words, for everything that is read by people.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::notice::{Notice, NoticeKind, Ticket};
use crate::rule::Priority;

/// Stands where a text was cut.
const CUT: &str = "…";

/// `[CRITICAL] Disk /var is nearly full on web-1`, and how many there are of it.
pub fn headline(notice: &Notice) -> String {
    let title = notice.tickets.first().map_or("", |ticket| &ticket.title);
    let label = label(notice);
    match notice.count {
        0 | 1 => format!("[{label}] {title}"),
        count if notice.host_count > 1 => {
            format!("[{label}] {title} and {} more, on {} hosts", count - 1, notice.host_count)
        }
        count => format!("[{label}] {title} and {} more", count - 1),
    }
}

fn label(notice: &Notice) -> String {
    let priority = notice.priority.as_str().to_uppercase();
    match notice.kind {
        NoticeKind::Opened => priority,
        NoticeKind::Escalated => format!("{priority}, not acknowledged"),
        NoticeKind::Resolved => "RESOLVED".into(),
        NoticeKind::Test => "TEST".into(),
    }
}

/// All there is to say beside the headline, in `bytes_max` at most.
pub fn body(notice: &Notice, bytes_max: usize) -> String {
    let mut text = String::new();
    match notice.tickets.as_slice() {
        [] => {}
        [ticket] if notice.count <= 1 => text.push_str(&in_full(ticket)),
        [first, ..] => {
            text.push_str(&in_full(first));
            text.push_str("\n\nAll of them:");
            for ticket in &notice.tickets {
                let _ = write!(text, "\n- {}", one_line(ticket));
            }
            let left_out = notice.count.saturating_sub(notice.tickets.len() as u32);
            if left_out > 0 {
                let _ = write!(text, "\n- and {left_out} more");
            }
        }
    }
    if notice.host_count > 1 {
        let listed = hosts(notice, bytes_max / 2);
        let _ = write!(text, "\n\nOn {} hosts: {listed}", notice.host_count);
    }
    let link = notice.url.as_deref().map(|url| format!("\n\n{url}")).unwrap_or_default();
    // The link is what leads to the rest, so it is never what is cut.
    let text = cut(text.trim(), bytes_max.saturating_sub(link.len()));
    format!("{text}{link}").trim().to_owned()
}

fn in_full(ticket: &Ticket) -> String {
    let mut text = ticket.description.clone();
    text.push('\n');
    for (name, value) in facts(ticket) {
        let _ = write!(text, "\n{name}: {value}");
    }
    if !ticket.recommendation.is_empty() {
        let _ = write!(text, "\n\nWhat to do: {}", ticket.recommendation);
    }
    text
}

fn one_line(ticket: &Ticket) -> String {
    match ticket.value {
        Some(value) => format!("{} ({})", ticket.title, number(value)),
        None => ticket.title.clone(),
    }
}

/// The numbers of a ticket, by name.
pub fn facts(ticket: &Ticket) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let mut tell = |name, value: Option<String>| facts.extend(value.map(|value| (name, value)));
    tell("Host", ticket.host.clone());
    tell("Of", ticket.instance.clone().filter(|instance| !instance.is_empty()));
    tell("Metric", ticket.metric.clone());
    tell("Value", ticket.value.map(number));
    tell("Threshold", ticket.threshold.map(number));
    tell("Since", Some(time(ticket.begun_at)));
    tell("Until", ticket.resolved_at.map(time));
    facts
}

/// As many hosts as fit, and how many more there are.
pub fn hosts(notice: &Notice, bytes_max: usize) -> String {
    // "and 4294967295 more"
    const TAIL_BYTES: usize = 24;
    let mut listed = String::new();
    let mut told = 0;
    for host in &notice.hosts {
        if listed.len() + host.len() + 2 + TAIL_BYTES > bytes_max {
            break;
        }
        if told > 0 {
            listed.push_str(", ");
        }
        listed.push_str(host);
        told += 1;
    }
    let left_out = notice.host_count.saturating_sub(told);
    if left_out > 0 {
        let _ = write!(listed, " and {left_out} more");
    }
    listed.trim().to_owned()
}

/// At most two digits behind the point: more is not what a person looks for.
pub fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `2026-01-01T00:00:00Z`
pub fn time(at_ms: i64) -> String {
    Timestamp::from_second(at_ms.div_euclid(1000)).map(|at| at.to_string()).unwrap_or_default()
}

/// The text, or as much of it as fits, and a mark that it was cut.
pub fn cut(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let room = bytes_max.saturating_sub(CUT.len());
    let end = (0..=room).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    format!("{}{CUT}", &text[..end])
}

/// The colour by which chat rooms mark a message, as a number.
pub fn colour(notice: &Notice) -> u32 {
    match (notice.kind, notice.priority) {
        (NoticeKind::Resolved, _) => 0x38_8e3c,
        (NoticeKind::Test, _) => 0x75_7575,
        (_, Priority::Critical) => 0xd3_2f2f,
        (_, Priority::High) => 0xf5_7c00,
        (_, Priority::Medium) => 0xfb_c02d,
        (_, Priority::Low) => 0x19_76d2,
    }
}

#[cfg(test)]
mod tests {
    use super::super::notice::examples::{opened, storm};
    use super::*;

    #[test]
    fn the_headline_says_why_it_is_sent_and_of_how_many() {
        let mut notice = opened();
        for (kind, expected) in [
            (NoticeKind::Opened, "[CRITICAL] Disk /var is nearly full on web-1"),
            (NoticeKind::Resolved, "[RESOLVED] Disk /var is nearly full on web-1"),
            (
                NoticeKind::Escalated,
                "[CRITICAL, not acknowledged] Disk /var is nearly full on web-1",
            ),
        ] {
            notice.kind = kind;
            assert_eq!(headline(&notice), expected);
        }
        assert!(headline(&storm(200)).ends_with("on web-0000 and 199 more, on 200 hosts"));
    }

    #[test]
    fn the_body_has_the_numbers_and_what_to_do() {
        let text = body(&opened(), 4096);
        for part in [
            "/var is 91 % full",
            "Host: web-1",
            "Value: 91.25",
            "Threshold: 90",
            "Since: 2026-01-01T00:00:00Z",
            "What to do: Remove",
            "https://muster.example/alerts/7",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }

    #[test]
    fn a_storm_is_told_with_its_hosts_within_any_limit_and_with_the_link() {
        for limit in [200, 1_000, 4_000, 100_000] {
            let text = body(&storm(200), limit);
            assert!(text.len() <= limit, "{} of {limit}", text.len());
            assert!(text.ends_with("https://muster.example/alerts/7"), "{text}");
        }
        let text = body(&storm(200), 100_000);
        assert!(text.contains("- and 180 more") && text.contains("web-0199"), "{text}");
    }

    #[test]
    fn numbers_are_short_and_cuts_fall_between_letters() {
        for (value, expected) in [(90.0, "90"), (91.256, "91.26"), (100.0, "100"), (-0.5, "-0.5")] {
            assert_eq!(number(value), expected);
        }
        assert_eq!(cut("übergroß", 8), "über…");
        assert_eq!(cut("short", 8), "short");
        for limit in 3..20 {
            assert!(cut("äöüäöüäöü", limit).len() <= limit);
        }
    }
}
