//! When a line happened.

use super::super::{Clock, read_line};
use super::CLOCK;

/// 2026-11-21 12:00:00 UTC.
const NOON: i64 = 1_795_262_400_000;
const HOUR: i64 = 3_600_000;

fn check(cases: &[(&str, i64)]) {
    for (line, at) in cases {
        let read = read_line(line.as_bytes(), "/var/log/a.log", CLOCK).at;
        assert_eq!(read, *at, "off by {} ms: {line}", read - at);
    }
}

#[test]
fn a_time_with_a_zone_is_that_moment() {
    check(&[
        ("2026-11-21T12:00:00Z x", NOON),
        ("2026-11-21T12:00:00.123Z x", NOON + 123),
        ("2026-11-21T12:00:00,123456+01:00 x", NOON + 123 - HOUR),
        ("2026-11-21 12:00:00.5 +0200 x", NOON + 500 - 2 * HOUR),
        ("2026-11-21 12:00:00 UTC [1] LOG:  x", NOON),
        ("2026-11-21 12:00:00.123 GMT x", NOON + 123),
        ("2026-11-21 15:00:00+03 x", NOON),
        ("1.2.3.4 - - [21/Nov/2026:12:00:00 +0100] \"GET / HTTP/1.1\" 200 1", NOON - HOUR),
        ("Sat, 21 Nov 2026 12:00:00 +0000 x", NOON),
        ("<13>1 2026-11-21T12:00:00.003Z h a - - - x", NOON + 3),
        ("20261121T120000Z x", NOON),
        ("Sat Nov 21 12:00:00 UTC 2026 x", NOON),
    ]);
}

#[test]
fn a_time_without_a_zone_is_the_hosts_own() {
    let local = NOON - HOUR;
    check(&[
        ("Nov 21 12:00:00 web-3 sshd[1]: x", local),
        ("Nov 21 2026 12:00:00 web-3 x", local),
        ("2026-11-21 12:00:00,123 INFO x", local + 123),
        ("2026-11-21 12:00:00.123 CET [1] LOG:  x", local + 123),
        ("2026/11/21 12:00:00 [error] x", local),
        ("26/11/21 12:00:00 INFO x", local),
        ("11/21/2026 12:00:00 x", local),
        ("11/21/2026 1:00:00 PM x", local + HOUR),
        ("21.11.2026 12:00:00 x", local),
        ("21-Nov-2026 12:00:00.123 INFO x", local + 123),
        ("1:M 21 Nov 2026 12:00:00.123 * x", local + 123),
        ("[Sat Nov 21 12:00:00.123456 2026] [core:error] x", local + 123),
        ("Nov 21, 2026 12:00:00 PM x", local),
        ("E1121 12:00:00.123456       1 a.go:1] x", local + 123),
        ("11-21 12:00:00.123  1  2 E x: y", local + 123),
        ("20261121-12:00:00:606|x", local + 606),
        ("261121 120000 143 INFO x", local),
        ("[11.21 12:00:00] x", local),
        ("{\"time\":\"2026-11-21 12:00:00\",\"msg\":\"x\"}", local),
        (
            "- 1795262400 2026.11.21 R02 2026-11-21-12.00.00.363779 R02 RAS KERNEL INFO x",
            local + 363,
        ),
        ("nova.log.1.2017-05-16_13:53:08 2026-11-21 12:00:00.008 25746 INFO x", local + 8),
    ]);
}

#[test]
fn a_number_is_a_time_of_any_unit() {
    check(&[
        ("{\"ts\":1795262400.123,\"msg\":\"x\"}", NOON + 123),
        ("{\"time\":1795262400123,\"msg\":\"x\"}", NOON + 123),
        ("{\"timestamp\":1795262400123456,\"msg\":\"x\"}", NOON + 123),
        ("{\"timestamp\":\"1795262400123456789\",\"msg\":\"x\"}", NOON + 123),
        ("1795262400.123 180 10.0.0.1 TCP_MISS/200 x", NOON + 123),
        ("[1795262400] SERVICE ALERT: a;b;OK;x", NOON),
        ("type=X msg=audit(1795262400.123:24287): res=failed", NOON + 123),
    ]);
}

#[test]
fn a_date_without_a_year_is_never_more_than_a_day_ahead() {
    check(&[
        ("Nov 22 12:00:00 web-3 a: x", CLOCK.now_ms),
        ("Nov 23 12:00:00 web-3 a: x", NOON - HOUR - 363 * 24 * HOUR),
        ("Dec 31 12:00:00 web-3 a: x", NOON - HOUR - 325 * 24 * HOUR),
        ("Jan  1 12:00:00 web-3 a: x", NOON - HOUR - 324 * 24 * HOUR),
    ]);
    let new_year = Clock { now_ms: 1_798_761_600_000 + 60_000, utc_offset_ms: 0 };
    let read = read_line(b"Dec 31 23:59:00 web-3 a: x", "/a", new_year).at;
    assert_eq!(read, 1_798_761_600_000 - 60_000);
}

#[test]
fn no_time_or_one_that_cannot_be_is_the_time_of_reading() {
    check(&[
        ("x", CLOCK.now_ms),
        ("2026-13-41 12:00:00 x", CLOCK.now_ms),
        ("2026-11-21 25:00:00 x", CLOCK.now_ms),
        ("2019-12-31T23:59:59Z x", CLOCK.now_ms),
        ("2026-11-21T12:36:00Z x", CLOCK.now_ms),
        ("2026-11-21T12:34:00Z x", CLOCK.now_ms + 240_000),
        ("Feb 30 12:00:00 web-3 a: x", CLOCK.now_ms),
        ("12:00:00.123 [main] INFO x", CLOCK.now_ms),
        (
            "- 1117838570 2005.06.03 R02 2005-06-03-15.42.50.363779 R02 RAS KERNEL INFO x",
            CLOCK.now_ms,
        ),
        ("99999999999999999999999 x", CLOCK.now_ms),
    ]);
}
