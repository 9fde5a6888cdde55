//! What the names and numbers of levels mean, the same in every format.
//!
//! Java's and Blue Gene's `SEVERE` is an error: both have something worse (`FATAL`, `FAILURE`).
//! Whether a word stands where a level stands is for `head.rs` and `json_line.rs` to say.

use muster_schemas::logs::Severity;

/// The longest name of a level: `informational`.
const NAME_BYTES_MAX: usize = 13;

/// The letters with which the names of levels begin.
const INITIALS: &[u8] = b"acdefilnpstvw";

/// The severity a level's name stands for, whatever its case.
pub(super) fn named(name: &[u8]) -> Option<Severity> {
    // Most of what is asked about is no name of a level: digits, and long or rare words.
    if name.len() < 3 || !INITIALS.contains(&(name[0] | 0x20)) {
        return None;
    }
    let mut lower = [0; NAME_BYTES_MAX];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    match &*lower {
        b"emerg" | b"emergency" | b"alert" | b"crit" | b"critical" | b"fatal" | b"panic"
        | b"dpanic" | b"ftl" | b"assert" => Some(Severity::Critical),
        b"failure" => Some(Severity::Failure),
        b"error" | b"err" | b"eror" | b"severe" => Some(Severity::Error),
        b"warn" | b"warning" | b"wrn" => Some(Severity::Warn),
        b"info" | b"information" | b"informational" | b"inf" | b"notice" | b"note" | b"debug"
        | b"dbg" | b"dbug" | b"trace" | b"trc" | b"verbose" | b"vrb" | b"fine" | b"finer"
        | b"finest" | b"config" | b"log" | b"system" | b"debug1" | b"debug2" | b"debug3"
        | b"debug4" | b"debug5" => Some(Severity::Info),
        _ => None,
    }
}

/// A level of one letter, as Android, klog, `MongoDB` and Ruby write it.
pub(super) fn letter(letter: u8) -> Option<Severity> {
    match letter {
        b'F' | b'A' | b'C' => Some(Severity::Critical),
        b'E' => Some(Severity::Error),
        b'W' => Some(Severity::Warn),
        b'I' | b'N' | b'D' | b'V' | b'T' => Some(Severity::Info),
        _ => None,
    }
}

/// The level of syslog and of the systemd journal: 0 emergency to 7 debug.
pub(super) fn syslog(level: u8) -> Severity {
    match level {
        0..=2 => Severity::Critical,
        3 => Severity::Error,
        4 => Severity::Warn,
        _ => Severity::Info,
    }
}

/// A number in a `level` field: syslog's scale below 8, else that of bunyan, pino and Python
/// (10, 20, 30 ...), where the libraries differ: 50 is `error` of pino and bunyan.
pub(super) fn number(level: i64) -> Option<Severity> {
    match level {
        0..=7 => Some(syslog(level as u8)),
        10..=39 => Some(Severity::Info),
        40..=49 => Some(Severity::Warn),
        50..=59 => Some(Severity::Error),
        60..=100 => Some(Severity::Critical),
        _ => None,
    }
}

/// OpenTelemetry's `severityNumber`: 1 trace to 24 fatal.
pub(super) fn open_telemetry(level: i64) -> Option<Severity> {
    match level {
        1..=12 => Some(Severity::Info),
        13..=16 => Some(Severity::Warn),
        17..=20 => Some(Severity::Error),
        21..=24 => Some(Severity::Critical),
        _ => None,
    }
}
