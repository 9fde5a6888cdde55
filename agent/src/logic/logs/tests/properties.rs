//! Laws for any bytes: nothing panics, places are right, and cuts do not matter.

use muster_schemas::logs::{FIELDS_MAX, LogLine, MESSAGE_BYTES_MAX, Severity};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::{Found, Scanner, read_journal_entry, read_line};
use super::{CLOCK, scan};

/// Pieces of the formats, to be put together and broken.
const LINES: [&str; 26] = [
    "Nov 21 12:00:00 web-3 sshd[811]: Failed password for root",
    "<34>1 2026-11-21T12:00:00.003Z web-3 su - ID47 [x@1 a=\"b\"] 'su root' failed",
    "10.0.0.1 - - [21/Nov/2026:12:00:00 +0000] \"GET /error HTTP/1.1\" 503 12",
    "2026-11-21 12:00:00.123 UTC [12] bob@shop ERROR:  relation does not exist",
    "2026-11-21 12:00:00.123 UTC [12] bob@shop DETAIL:  more",
    "2026-11-21 12:00:00,123 WARN [main] com.shop.Orders - failed",
    "java.io.IOException: Connection reset",
    "\tat com.shop.Orders.handle(Orders.java:12)",
    "Caused by: java.net.SocketException: x",
    "Traceback (most recent call last):",
    "  File \"a.py\", line 1, in b",
    "ValueError: bad",
    "panic: runtime error",
    "goroutine 1 [running]:",
    "main.main()",
    "",
    "{\"level\":\"error\",\"ts\":1795264000.1,\"msg\":\"a\\u00e9\\\"b\"}",
    "{\"level\":50,\"log\":{\"level\":\"warn\"},\"x\":[1,{\"y\":\"}\"}]}",
    "{\"log\":\"E1121 12:00:00.0 1 a.go:1] x\\n\",\"stream\":\"stderr\",\"time\":\"2026-11-21T12:00:00Z\"}",
    "2026-11-21T12:00:00.123Z stderr F \tat x",
    "E1121 12:00:00.000000       1 reflector.go:12] error",
    "03-17 16:13:38.811  1702  2395 E ActivityManager: x",
    "- 1117838570 2005.06.03 R02 2005-06-03-15.42.50.363779 R02 RAS KERNEL FATAL x",
    "all is well",
    "level=error msg=\"0 errors\"",
    "thread 'main' panicked at a.rs:1:1:",
];

fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let whole = select(&LINES[..]).prop_map(|line| line.as_bytes().to_vec());
    let broken = (select(&LINES[..]), vec((any::<prop::sample::Index>(), any::<u8>()), 1..4))
        .prop_map(|(line, changes)| {
            let mut bytes = format!("{line}.").into_bytes();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        });
    let spliced = (select(&LINES[..]), select(&LINES[..]), any::<prop::sample::Index>())
        .prop_map(|(a, b, at)| [&a.as_bytes()[..at.index(a.len() + 1)], b.as_bytes()].concat());
    prop_oneof![4 => whole, 2 => broken, 1 => spliced, 1 => vec(any::<u8>(), 0..200)]
}

fn any_text() -> impl Strategy<Value = Vec<u8>> {
    vec(any_line(), 0..40).prop_map(|lines| {
        let mut text = lines.join(&b'\n');
        text.push(b'\n');
        text
    })
}

fn check_line(line: &LogLine) {
    assert!(line.message.len() <= MESSAGE_BYTES_MAX);
    assert!(!line.message.contains('\0') && !line.application.contains('\0'));
    assert!(line.fields.len() <= FIELDS_MAX);
    assert!(line.truncated_bytes >= 0);
    assert!(line.at >= 1_577_836_800_000 && line.at <= CLOCK.now_ms + 300_000);
    for (name, value) in &line.fields {
        assert!(name.len() <= 1024 && value.len() <= 1024);
        assert!(!name.contains('\0') && !value.contains('\0'));
    }
}

fn scan_in_cuts(text: &[u8], every: usize, least: Severity) -> Vec<Found> {
    let mut scanner = Scanner::new("/var/log/shop/orders.log", least);
    let mut found = Vec::new();
    let mut block_at = 0;
    let mut at = 0;
    for (count, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        at += line.len();
        if (count + 1) % every == 0 || at == text.len() {
            scanner.feed(&text[block_at..at], block_at as u64, CLOCK, &mut found);
            block_at = at;
        }
    }
    scanner.flush(CLOCK, &mut found);
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn any_line_is_read_without_a_panic(line in any_line(), priority in any::<Option<u8>>()) {
        check_line(&read_line(&line, "/var/log/a.log", CLOCK));
        check_line(&read_journal_entry(priority, None, None, &line, 0, CLOCK));
    }

    #[test]
    fn found_events_stand_in_order_and_apart(text in any_text(), least in select(&Severity::ALL[..])) {
        let found = scan(&text, least);
        let mut from = 0;
        for event in &found {
            check_line(&event.line);
            prop_assert!(event.line.severity <= least);
            prop_assert!(from <= event.start && event.start < event.end);
            prop_assert!(event.end <= text.len() as u64);
            let start = event.start as usize;
            prop_assert!(start == 0 || text[start - 1] == b'\n');
            from = event.end;
        }
    }

    #[test]
    fn how_a_text_is_cut_into_blocks_does_not_matter(
        text in any_text(),
        every in 1_usize..9,
        least in select(&Severity::ALL[..]),
    ) {
        prop_assert_eq!(scan_in_cuts(&text, every, least), scan(&text, least));
    }
}
