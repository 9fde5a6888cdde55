//! What programs write for people at a terminal.

use muster_schemas::logs::Severity::{Critical, Error, Failure, Info, Warn};

use super::formats::check;

#[test]
fn logrus_has_its_level_in_four_letters_and_in_colours() {
    check(&[
        ("ERRO[0000] lost                                      a=b", Error),
        ("WARN[0001] failed                                    error=fatal", Warn),
        ("INFO[0012] error: failed                             a=b", Info),
        ("DEBU[0123] panic", Info),
        ("TRAC[0123] panic", Info),
        ("FATA[0000] gone", Critical),
        ("PANI[12345] gone", Critical),
        ("\u{1b}[31mPANI\u{1b}[0m[0000] gone", Critical),
        ("ERRO[2026-11-21T12:00:00Z] lost                      a=b", Error),
        ("WARN[2026-11-21T12:00:00+01:00] failed", Warn),
        ("\u{1b}[31mERRO\u{1b}[0m[0000] lost                      \u{1b}[31ma\u{1b}[0m=b", Error),
        (
            "{\"log\":\"FATA[0000] gone\\n\",\"stream\":\"stderr\",\"time\":\"2026-11-21T12:00:00Z\"}",
            Critical,
        ),
        // Neither seconds nor a stamp: no line of logrus.
        ("DEBU[x] order failed", Failure),
    ]);
}
