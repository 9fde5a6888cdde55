//! Events of several lines, and where they stand in a file.

use std::cmp::Ordering;

use muster_schemas::logs::{MESSAGE_BYTES_MAX, Severity};

use super::super::{Clock, Found, Scanner};
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

/// The messages at error or worse, with what they are and where they stand.
fn spans(text: &str) -> Vec<(String, Severity, u64, u64)> {
    let read = scan(text.as_bytes(), Severity::Error).into_iter();
    read.map(|found| (found.line.message, found.line.severity, found.start, found.end)).collect()
}

#[test]
fn pieces_of_a_line_of_a_container_are_joined_by_stream() {
    let line = |stream: &str, tag: char, text: &str| {
        format!("2026-11-21T12:00:00.123456789Z {stream} {tag} {text}\n")
    };
    let text = line("stderr", 'P', "2026-11-21 12:00:00 ER")
        + &line("stdout", 'F', "{\"level\":\"info\",\"msg\":\"error\"}")
        + &line("stdout", 'P', "{\"level\":")
        + &line("stderr", 'P', "ROR or")
        + &line("stdout", 'F', "50,\"msg\":\"cut\"}")
        + &line("stderr", 'F', "der lost")
        + &line("stderr", 'F', "\tat a.B.c(B.java)")
        + &line("stdout", 'F', "fine");
    check(&text, &["cut", "2026-11-21 12:00:00 ERROR order lost\n\tat a.B.c(B.java)"]);
    let info = line("stdout", 'P', "INFO: no er") + &line("stdout", 'F', "ror: failed");
    check(&info, &[]);
    // The rest went to another file.
    check(&line("stderr", 'P', "ERROR lost"), &["ERROR lost"]);
    let long = line("stderr", 'P', &("ERROR ".to_owned() + &"x".repeat(20_000)))
        + &line("stderr", 'F', &"y".repeat(5_000));
    let found = scan(long.as_bytes(), Severity::Error);
    let length = found[0].line.message.len() as i64 + found[0].line.truncated_bytes;
    assert_eq!((found.len(), length), (1, 25_006));
}

#[test]
fn a_position_is_never_behind_a_line_whose_end_is_not_there() {
    let mut scanner = Scanner::new("/a", Severity::Error);
    let mut found = Vec::new();
    let begin = b"2026-11-21T12:00:00Z stderr P ERROR be\n";
    scanner.feed(begin, 100, CLOCK, &mut found);
    assert_eq!(scanner.pending_from(), Some(100));
    let between = b"2026-11-21T12:00:00Z stdout F ERROR between\n2026-11-21T12:00:00Z stdout F x\n";
    let at = 100 + begin.len() as u64;
    scanner.feed(between, at, CLOCK, &mut found);
    assert_eq!((found.len(), scanner.pending_from()), (0, Some(100)));
    let end = b"2026-11-21T12:00:00Z stderr F gun\n2026-11-21T12:00:00Z stdout F x\n";
    scanner.feed(end, at + between.len() as u64, CLOCK, &mut found);
    let read: Vec<&str> = found.iter().map(|found| found.line.message.as_str()).collect();
    assert_eq!((read, scanner.pending_from()), (vec!["ERROR between", "ERROR begun"], None));
    assert_eq!((found[0].end, found[1].start), (100, 100));
}

/// A scanner that has read a piece of stderr at the beginning of a file, and no more of its line.
fn with_an_unfinished_piece() -> (Scanner, Vec<Found>, u64) {
    let mut scanner = Scanner::new("/a", Severity::Error);
    let mut found = Vec::new();
    let piece = b"2026-11-21T12:00:00Z stderr P password? error\n";
    scanner.feed(piece, 0, CLOCK, &mut found);
    assert_eq!(scanner.pending_from(), Some(0));
    (scanner, found, piece.len() as u64)
}

fn later(seconds: i64) -> Clock {
    Clock { now_ms: CLOCK.now_ms + seconds * 1000, ..CLOCK }
}

#[test]
fn a_piece_without_an_end_holds_up_nothing_for_longer_than_a_few_seconds() {
    for (clock_step, waits_for) in [(1, 3), (-3600, 1)] {
        let (mut scanner, mut found, mut at) = with_an_unfinished_piece();
        for second in 1..=10 {
            let line = format!("2026-11-21T12:00:00Z stdout F ERROR {second}\n").into_bytes();
            scanner.feed(&line, at, later(second * clock_step), &mut found);
            let line_at = at;
            at += line.len() as u64;
            let position = scanner.pending_from();
            let (given, open_from) = match second.cmp(&waits_for) {
                Ordering::Less => (0, Some(0)),
                // Nothing is open: all is given, and none of it would be read again.
                Ordering::Equal => (second + 1, None),
                Ordering::Greater => (second, Some(line_at)),
            };
            assert_eq!((found.len() as i64, position), (given, open_from), "{second}");
            if second == waits_for {
                assert_eq!(found.last().unwrap().end, at);
            }
        }
        let given: Vec<&str> = found.iter().map(|found| found.line.message.as_str()).collect();
        assert_eq!(given.iter().filter(|message| **message == "password? error").count(), 1);
        let ends: Vec<u64> = found.iter().map(|found| found.end).collect();
        assert!(ends.is_sorted(), "{ends:?}");
    }
}

#[test]
fn a_piece_without_an_end_is_taken_when_nothing_more_comes() {
    let (mut scanner, mut found, at) = with_an_unfinished_piece();
    let line = b"2026-11-21T12:00:00Z stdout F ERROR 1\n";
    scanner.feed(line, at, CLOCK, &mut found);
    scanner.flush(CLOCK, &mut found);
    assert_eq!((found.len(), scanner.pending_from()), (2, None));
    assert_eq!(found[1].end, at + line.len() as u64);
}

#[test]
fn a_piece_without_an_end_is_given_up_after_many_bytes_of_the_other_stream() {
    let (mut scanner, mut found, _) = with_an_unfinished_piece();
    let line = b"2026-11-21T12:00:00Z stdout F fine\n";
    scanner.feed(line, 1 << 20, CLOCK, &mut found);
    assert_eq!((found.len(), scanner.pending_from()), (0, Some(0)));
    scanner.feed(line, 64 << 20, CLOCK, &mut found);
    assert_eq!((found.len(), scanner.pending_from()), (1, None));
    let (mut scanner, mut found, _) = with_an_unfinished_piece();
    scanner.feed_cut(b"fine", 1 << 20, 64 << 20, 65 << 20, CLOCK, &mut found);
    assert_eq!((found.len(), scanner.pending_from()), (1, None));
}

#[test]
fn what_waits_for_the_end_of_a_piece_is_bounded_and_is_given_once() {
    let (mut scanner, mut found, mut at) = with_an_unfinished_piece();
    let line = format!("2026-11-21T12:00:00Z stdout F ERROR {}\n", "x".repeat(15_000));
    let mut fed = 0;
    while found.is_empty() {
        scanner.feed(line.as_bytes(), at, CLOCK, &mut found);
        at += line.len() as u64;
        fed += 1;
        assert!(fed < 30, "megabytes wait");
    }
    // The one that was fed last, and what was given up.
    assert_eq!((found.len(), scanner.pending_from()), (fed + 1, None));
    assert_eq!(found.last().unwrap().end, at);
}

#[test]
fn the_two_lines_of_java_util_logging_are_one_event() {
    let header = "Nov 21, 2026 7:40:12 AM com.example.ErrorHandler bar";
    let trace = "java.io.IOException: failed\n\tat a.B.c(B.java:1)";
    let severe = format!("{header}\nSEVERE: order lost\n{trace}");
    let of_logger = "Nov 2, 2026 11:40:12\u{202f}PM my.logger\nSEVERE: x";
    let text = format!(
        "{header}\nINFO: critical error\n{trace}\n{severe}\n{header}\nWARNING: failed\n{of_logger}\n"
    );
    check(&text, &[&severe, of_logger]);
    let found = scan(text.as_bytes(), Severity::Info);
    let read: Vec<_> = found.iter().map(|found| (found.line.severity, found.line.at)).collect();
    let (morning, evening) = (1_795_243_212_000, 1_793_659_212_000);
    let expected = [
        (Severity::Info, morning),
        (Severity::Error, morning),
        (Severity::Warn, morning),
        (Severity::Error, evening),
    ];
    assert_eq!(read, expected);
    let start = text.find(&severe).unwrap() as u64;
    assert_eq!(
        spans(&text)[0],
        (severe.clone(), Severity::Error, start, start + severe.len() as u64 + 1)
    );
    let cri = "2026-11-21T12:00:00.1Z stderr F ";
    check(&format!("{cri}{header}\n{cri}SEVERE: x\n"), &[&format!("{header}\nSEVERE: x")]);
    // A line that only looks like one.
    check(
        "Nov 21, 2026 7:40:12 AM backup failed\nfine\n",
        &["Nov 21, 2026 7:40:12 AM backup failed"],
    );
    check("Nov 21, 2026 7:40:12 AM a.B c\nERROR x\n", &["ERROR x"]);
}
