//! Events of several lines, and where they stand in a file.

use muster_schemas::logs::{MESSAGE_BYTES_MAX, Severity};

use super::super::Scanner;
use super::{CLOCK, scan};

/// The text is found as these messages, at error or worse.
fn check(text: &str, messages: &[&str]) {
    let found = scan(text.as_bytes(), Severity::Error);
    let read: Vec<&str> = found.iter().map(|found| found.line.message.as_str()).collect();
    assert_eq!(read, messages, "{text}");
}

#[test]
fn a_java_trace_belongs_to_its_line() {
    let trace = "2026-11-21 12:00:00,1 ERROR x - lost\njava.io.IOException: failed\n\tat a.B.c(B.java:1)\n\
                 \t... 12 more\nCaused by: java.net.X: fatal\n\tat d.E.f(E.java:2)";
    check(&format!("{trace}\n2026-11-21 12:00:01,1 INFO x - error gone\n"), &[trace]);
    check(&format!("{trace}\n{trace}\n"), &[trace, trace]);
}

#[test]
fn a_trace_without_a_line_above_is_an_error() {
    let one = "java.lang.IllegalStateException: one\n\tat a.B.c(B.java:1)";
    let two = "Exception in thread \"main\" java.lang.X: two\n\tat a.B.c(B.java:1)";
    check(&format!("starting\n{one}\n{two}\nstopping\n"), &[one, two]);
}

#[test]
fn the_trace_of_a_line_that_does_not_matter_does_not_matter() {
    check(
        "12:00 INFO x\n\tat a.FatalError.fail(B.java:1)\n  critical error\nCaused by: x: failed\n",
        &[],
    );
    check(
        "2026-11-21 12:00:00 WARN x\njava.io.IOException: failed\n\tat a.B.c(B.java)\ndone\n",
        &[],
    );
    check(
        "WARNING:root:x\nTraceback (most recent call last):\n  File \"a\", line 1\nValueError: bad\n",
        &[],
    );
}

#[test]
fn a_python_trace_ends_with_its_last_line() {
    let trace = "Traceback (most recent call last):\n  File \"a.py\", line 1, in b\n    c()\nValueError: bad";
    check(&format!("hello\n{trace}\nanother error\n"), &[trace, "another error"]);
    check(&format!("{trace}\n{trace}\n"), &[trace, trace]);
    let chain = "\n\nDuring handling of the above exception, another exception occurred:\n\n";
    let chained = format!("ERROR:root:lost\n{trace}{chain}{trace}");
    let kept = chained.replace("\n\n", "\n");
    check(&format!("{chained}\nINFO:root:error\n"), &[&kept]);
    let interrupted =
        "Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyboardInterrupt";
    check(&format!("{interrupted}\nfine\n"), &[interrupted]);
}

#[test]
fn a_go_panic_takes_its_goroutines() {
    let panic = "panic: runtime error: x\n[signal SIGSEGV: y]\ngoroutine 1 [running]:\nmain.main()\n\
                 \t/a/b.go:12 +0x1d\ncreated by main.start\n\t/a/b.go:3 +0x1\nexit status 2";
    let written = panic.replace("goroutine", "\ngoroutine");
    check(&format!("{written}\nfine\n"), &[panic]);
}

#[test]
fn a_rust_panic_takes_its_text_and_backtrace() {
    let panic = "thread 'main' panicked at src/main.rs:2:5:\nindex out of bounds\nstack backtrace:\n   0: a::b\n\
                 note: run with `RUST_BACKTRACE=1`";
    check(&format!("{panic}\nfine\n"), &[panic]);
}

#[test]
fn details_of_postgresql_belong_to_the_error() {
    let prefix = "2026-11-21 12:00:00.1 UTC [1] bob@shop";
    let error = format!(
        "{prefix} ERROR:  x\n{prefix} DETAIL:  Key failed.\n{prefix} STATEMENT:  SELECT\n\tFROM error"
    );
    check(&format!("{error}\n{prefix} LOG:  fine\n{prefix} DETAIL:  error\n"), &[&error]);
}

#[test]
fn traces_are_followed_inside_of_containers_and_syslog() {
    let cri = "2026-11-21T12:00:00.1Z stderr F ";
    let docker = |text: &str| {
        format!(
            "{{\"log\":\"{text}\\n\",\"stream\":\"stderr\",\"time\":\"2026-11-21T12:00:00Z\"}}\n"
        )
    };
    let trace = "ERROR lost\njava.io.IOException: x\n\tat a.B.c(B.java)";
    check(&format!("{cri}{}\n{cri}fine\n", trace.replace('\n', &format!("\n{cri}"))), &[trace]);
    let lines: String = trace.lines().map(|line| docker(&line.replace('\t', "\\t"))).collect();
    check(&format!("{lines}{}", docker("fine")), &[trace]);
    let tag = "Nov 21 12:00:00 web-3 shop[1]: ";
    check(&format!("{tag}{}\n{tag}fine\n", trace.replace('\n', &format!("\n{tag}"))), &[trace]);
    let other = "Nov 21 12:00:00 web-3 cron[1]:   indented";
    check(&format!("{tag}ERROR lost\n{other}\n"), &["ERROR lost"]);
}

#[test]
fn an_event_without_end_is_cut_and_counted() {
    let frame = "\tat a.B.c(B.java)\n";
    let text = format!("ERROR x\n{}", frame.repeat(300));
    let found = scan(text.as_bytes(), Severity::Error);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].line.message.lines().count(), 200);
    assert_eq!(found[0].line.truncated_bytes, 101 * frame.len() as i64);
    assert_eq!(found[0].end, text.len() as u64);
    let long = format!("ERROR x\n\t{}\n", "y".repeat(40_000));
    let found = scan(long.as_bytes(), Severity::Error);
    assert_eq!(found[0].line.message.len(), MESSAGE_BYTES_MAX);
    let whole = long.trim_end().len();
    assert_eq!(found[0].line.truncated_bytes as usize, whole - MESSAGE_BYTES_MAX);
}

#[test]
fn an_endless_trace_does_not_wait_forever() {
    let frames = "\tat a.B.c(B.java)\n".repeat(20_000);
    let text = format!("ERROR x\n{frames}");
    let mut scanner = Scanner::new("/a", Severity::Error);
    let mut found = Vec::new();
    scanner.feed(text.as_bytes(), 0, CLOCK, &mut found);
    assert_eq!(found.len(), 1);
    assert_eq!(scanner.pending_from(), None);
}

#[test]
fn what_waits_says_where_it_began() {
    let mut scanner = Scanner::new("/a", Severity::Error);
    let mut found = Vec::new();
    scanner.feed(b"fine\nERROR x\n", 100, CLOCK, &mut found);
    assert_eq!((found.len(), scanner.pending_from(), scanner.lines()), (0, Some(105), 2));
    scanner.feed(b"\tat y\n", 113, CLOCK, &mut found);
    assert_eq!(scanner.pending_from(), Some(105));
    scanner.feed(b"fine\n", 119, CLOCK, &mut found);
    assert_eq!((found.len(), scanner.pending_from()), (1, None));
    assert_eq!((found[0].start, found[0].end), (105, 119));
}

#[test]
fn a_line_that_was_cut_says_how_much_is_missing() {
    let mut scanner = Scanner::new("/a", Severity::Error);
    let mut found = Vec::new();
    let head = [b"ERROR ".as_slice(), &[b'x'; 994]].concat();
    scanner.feed_cut(&head, 50_000_000, 10, 50_001_011, CLOCK, &mut found);
    scanner.flush(CLOCK, &mut found);
    assert_eq!(found[0].line.truncated_bytes, 50_000_000);
    assert_eq!((found[0].start, found[0].end), (10, 50_001_011));
}

#[test]
fn bytes_that_are_no_text_are_shown_as_such() {
    let found = scan(b"\xff\xfe error \0 caf\xe9\n", Severity::Error);
    assert_eq!(found[0].line.message, "\u{fffd}\u{fffd} error  caf\u{fffd}");
}
