//! Words that count and words that do not, in lines without a level.

use muster_schemas::logs::Severity::{self, Critical, Error, Failure, Info, Warn};

use super::super::words;

fn check(severity: Severity, texts: &[&str]) {
    let read = |text: &&&str| words::severity(text.as_bytes()).unwrap_or(Info);
    let wrong: Vec<_> = texts.iter().filter(|text| read(text) != severity).collect();
    assert!(wrong.is_empty(), "not {severity:?}: {wrong:#?}");
}

#[test]
fn the_worst_word_counts() {
    check(
        Critical,
        &[
            "FATAL: disk gone after error",
            "system panicked",
            "emergency shutdown",
            "Critical: x",
            "crit x",
            "kernel panic",
            "fatal failure",
            "alert! fan stopped",
            "Emerg",
        ],
    );
    check(
        Failure,
        &[
            "backup failed",
            "disk failure on sda",
            "connect to 10.0.0.1:80@0 failed: [51]",
            "psu failure\\ ambient=29",
            "3 failures",
            "it fails",
            "FAIL",
            "could not save: failed",
            "res=failed",
            "2 failed",
            "login failed.",
            "tests: 1 failed",
            "error: failed",
            "read-failure",
            "state=FAILED(5)",
        ],
    );
    check(
        Error,
        &[
            "I/O error",
            "ACPI Error: No handler for Region",
            "error: no such file",
            "an error occurred",
            "Errors: 3",
            "errors=3",
            "error=timeout",
            "error -5",
            "(error)",
            "'error'",
            "error.",
            "x: error",
            "err=timeout",
            "ERROR!",
            "error 0x80070002",
            "java.net.ConnectException: refused",
            "ValueError: bad",
            "10 errors",
            "error code 7",
            "error: 0x80070005",
            "i/o-error",
            "error, retrying",
            "\"error\":\"timeout\"",
        ],
    );
    check(Warn, &["warning: low", "this is deprecated", "WARN x", "2 warnings"]);
}

#[test]
fn a_word_that_is_denied_or_spoken_about_does_not_count() {
    check(
        Info,
        &[
            "0 errors",
            "no errors",
            "No errors found",
            "errors: 0",
            "errors=0",
            "error=0",
            "failed=0",
            "failed: 0",
            "without error",
            "without errors",
            "\"error\":null",
            "err=nil",
            "error: none",
            "error: no",
            "error: success.",
            "error_count: 0",
            "error count: 0",
            "0 failed",
            "0 tests failed",
            "no tests failed",
            "0 CRC errors",
            "no fatal errors",
            "passed 12, failed 0",
            "not critical",
            "non-fatal",
            "error: \"\"",
            "error=<nil>",
            "errors: []",
            "error code 0",
            "error: (null)",
            "failures=0,",
            "error rate 0.1",
            "error handling enabled",
            "on error resume",
            "on failure",
            "zero errors",
            "if any errors",
            "checking for errors",
            "errors: 0%",
            "Errors: 0.0",
            "0 warnings",
            "error(s): 0",
            "never failed",
            "did not fail",
            "doesn't fail",
            "error-free",
            "critical section",
        ],
    );
}

#[test]
fn a_part_of_a_name_a_path_or_an_option_does_not_count() {
    check(
        Info,
        &[
            "error_log=/x",
            "--on-error=skip",
            "errorlevel 3",
            "failover",
            "fail2ban started",
            "terror",
            "GET /error/page",
            "https://x.example/fail?error=1&failed=2",
            "error.log",
            "/var/log/error.log",
            "com.shop.error.Handler",
            "last_error",
            "on_failure",
            "panic=30",
            "errors=remount-ro",
            "critical=90 warning=80",
            "Restart=on-failure",
            "errorHandler",
            "UserErrorHandler",
            "error()",
            "handled NotFoundError well",
            "alertmanager up",
            "errno 0",
            "fatalistic",
            "error@example.com",
            "$error",
            "failsafe",
            "fail-safe",
            "x-error-x",
            "failure-domain",
            "alert-manager",
        ],
    );
}
