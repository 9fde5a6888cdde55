//! Application, message and fields of single lines, and entries of the systemd journal.

use muster_schemas::logs::Severity::{Error, Failure, Info};

use super::super::{read_journal_entry, read_line};
use super::CLOCK;

fn check_applications(cases: &[(&str, &str)]) {
    for (line, application) in cases {
        let read = read_line(line.as_bytes(), "/var/log/shop/orders.log", CLOCK);
        assert_eq!(read.application, *application, "{line}");
    }
}

#[test]
fn the_application_is_the_tag_or_a_field_or_the_paths() {
    check_applications(&[
        ("Nov 21 12:00:00 web-3 sshd[811]: x", "sshd"),
        ("Nov 21 12:00:00 web-3 sshd(pam_unix)[811]: x", "sshd"),
        ("Nov 21 12:00:00 web-3 /usr/sbin/cron[811]: x", "cron"),
        ("Nov 21 12:00:00 web-3 com.apple.launchd[1] (com.a): x", "com.apple.launchd"),
        ("Nov 21 12:00:00 dn3/dn3 ntpd[12]: x", "ntpd"),
        ("2026-11-21T12:00:00.123456+00:00 web-3 systemd[1]: x", "systemd"),
        ("<131>1 2026-11-21T12:00:00.003Z web-3 billing 812 - - x", "billing"),
        ("<30>dockerd[12]: x", "dockerd"),
        ("{\"level\":\"error\",\"service\":\"cart\",\"msg\":\"x\"}", "cart"),
        ("{\"level\":\"error\",\"service\":{\"name\":\"cart\"},\"msg\":\"x\"}", "cart"),
        ("{\"level\":\"error\",\"service.name\":\"cart\",\"msg\":\"x\"}", "cart"),
        ("2026-11-21 12:00:00 ERROR com.shop.Orders - x", "shop"),
        ("2026-11-21T12:00:00Z INFO main: x", "shop"),
        ("- 1131566461 2005.11.09 dn3 Nov 9 12:01:01 dn3/dn3 ntpd[12]: x", "ntpd"),
    ]);
}

#[test]
fn a_message_is_what_a_person_would_read() {
    let message = |line: &str| read_line(line.as_bytes(), "/var/log/a.log", CLOCK).message;
    assert_eq!(message("Nov 21 12:00:00 web-3 sshd[811]: Failed\r\n"), "Failed");
    assert_eq!(message("<131>1 2026-11-21T12:00:00Z h a 1 - [x y=\"z\"] text"), "text");
    assert_eq!(message("2026-11-21 12:00:00 ERROR x"), "2026-11-21 12:00:00 ERROR x");
    assert_eq!(message("{\"level\":\"error\",\"msg\":\"a \\\"b\\\" \\u00e9\\n\"}"), "a \"b\" é\n");
    assert_eq!(message("2026-11-21T12:00:00Z stdout F text"), "text");
    assert_eq!(
        message("{\"log\":\"text\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-21T12:00:00Z\"}"),
        "text"
    );
    assert_eq!(message("a\u{1b}[31mb\u{1b}[0mc\0d"), "abcd");
}

#[test]
fn members_of_a_json_line_become_its_fields() {
    let line = "{\"level\":\"error\",\"msg\":\"lost\",\"order\":12,\"user\":\"b\\u00f6b\",\"none\":null,\
                \"deep\":{\"a\":1},\"ts\":1795264000.5,\"stacktrace\":\"a\\n\\tb\"}";
    let read = read_line(line.as_bytes(), "/var/log/a.log", CLOCK);
    assert_eq!(read.message, "lost\na\n\tb");
    assert_eq!(read.at, 1_795_264_000_500);
    let fields: Vec<_> = read.fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(fields, [("order", "12"), ("user", "böb")]);
}

#[test]
fn a_journal_entry_has_its_priority_unless_systemd_gave_it() {
    let severity = |priority, message: &str| {
        let message = message.as_bytes();
        read_journal_entry(
            priority,
            Some("shop"),
            Some("shop.service"),
            message,
            CLOCK.now_ms,
            CLOCK,
        )
        .severity
    };
    assert_eq!(severity(Some(3), "all is well"), Error);
    assert_eq!(severity(Some(5), "error"), Info);
    assert_eq!(severity(Some(6), "failed"), Info);
    assert_eq!(severity(Some(6), "{\"level\":\"error\",\"msg\":\"x\"}"), Error);
    assert_eq!(severity(Some(6), "ERROR: lost"), Error);
    assert_eq!(severity(None, "failed"), Failure);
    let read = read_journal_entry(Some(2), None, Some("a.service"), b"x", 5, CLOCK);
    assert_eq!((read.application.as_str(), read.source.as_str()), ("a", "journal:a.service"));
    assert_eq!(read.at, CLOCK.now_ms);
}
