//! The head of a line of text: its time stamp and its level, wherever the format puts them.
//!
//! Instead of one grammar per format, the first pieces of the line are walked over and each is
//! asked whether it stands where levels stand: alone in brackets, in capitals, before a colon at
//! the beginning of the message, right after the time stamp, or behind `level=`. The first that
//! does is the line's level. Called by `reading.rs`.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use muster_schemas::logs::Severity;

use super::{Clock, level, time};

/// No format known puts its level behind more than this many bytes, or words.
const HEAD_BYTES_MAX: usize = 512;
const PIECES_MAX: usize = 16;
/// Capitals without brackets or colon are a level only near the beginning; later they shout.
const BARE_PIECES_MAX: usize = 9;

#[derive(Debug, Default)]
pub(super) struct Head {
    /// The line has a time stamp of its own.
    pub stamped: bool,
    /// What the stamp says, where that is plausible.
    pub at: Option<i64>,
    pub level: Option<Severity>,
    /// PostgreSQL's `DETAIL:`, `HINT:` and so on: more about the line before.
    pub detail: bool,
}

/// Reads the head of a line.
pub(super) fn read(text: &[u8], clock: Clock) -> Head {
    let mut walk = Walk::new(&text[..text.len().min(HEAD_BYTES_MAX)], clock);
    while walk.head.level.is_none() && !walk.head.detail && walk.next_piece() {}
    walk.head
}

struct Walk<'a> {
    text: &'a [u8],
    clock: Clock,
    at: usize,
    pieces: usize,
    /// The last byte before the piece that is neither white nor a lone dash.
    before: u8,
    /// Nothing but stamps, numbers and bracketed groups came before: here a message begins.
    opening: bool,
    /// Nothing but numbers came since the stamp.
    after_stamp: bool,
    brackets: usize,
    previous: &'a [u8],
    head: Head,
}

impl<'a> Walk<'a> {
    fn new(text: &'a [u8], clock: Clock) -> Self {
        let head = Head::default();
        let (at, pieces, before, brackets) = (0, 0, 0, 0);
        let (opening, after_stamp, previous) = (true, false, &text[..0]);
        Self { text, clock, at, pieces, before, opening, after_stamp, brackets, previous, head }
    }

    /// Judges the next piece; false at the end of the head.
    fn next_piece(&mut self) -> bool {
        self.skip_delimiters();
        if self.at >= self.text.len() || self.pieces >= PIECES_MAX {
            return false;
        }
        if self.take_stamp() {
            return true;
        }
        let rest = &self.text[self.at..];
        let len = rest.iter().position(|&byte| is_delimiter(byte)).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(len);
        if piece == b"-" || piece == b"--" || piece == b"---" {
            self.at += len;
            return true;
        }
        self.judge(piece, after);
        self.pass(piece);
        true
    }

    fn skip_delimiters(&mut self) {
        while let Some(&byte) = self.text.get(self.at).filter(|byte| is_delimiter(**byte)) {
            match byte {
                b'[' => self.brackets += 1,
                b']' => self.brackets = self.brackets.saturating_sub(1),
                _ => {}
            }
            if !byte.is_ascii_whitespace() {
                self.before = byte;
            }
            self.at += 1;
        }
    }

    fn take_stamp(&mut self) -> bool {
        if self.head.stamped {
            return false;
        }
        let Some(stamp) = time::at_start(&self.text[self.at..], self.clock) else { return false };
        self.head.stamped = true;
        self.head.at = stamp.at;
        self.at += stamp.len;
        self.before = 0;
        (self.opening, self.after_stamp) = (true, true);
        true
    }

    fn judge(&mut self, piece: &[u8], after: &[u8]) {
        if matches!(piece, b"DETAIL" | b"HINT" | b"CONTEXT" | b"STATEMENT" | b"QUERY")
            && after.starts_with(b":  ")
        {
            self.head.detail = true;
            return;
        }
        self.head.level = self.level_of(piece, after);
    }

    fn level_of(&self, piece: &[u8], after: &[u8]) -> Option<Severity> {
        if let [single] = piece {
            return self.letter(*single, after);
        }
        if matches!(after.first(), Some(b'=' | b':')) && is_level_key(piece) {
            return value_of(after);
        }
        if let Some(name) = dotted_level(piece, after) {
            return Some(name);
        }
        if let Some(severity) = self.in_xorg(piece, after) {
            return Some(severity);
        }
        let severity = level::named(self.without_process(piece))?;
        let next = after.first().copied().unwrap_or(b' ');
        if next == b'=' || self.before == b'=' {
            return None;
        }
        let stands = self.is_bracketed(after)
            || self.opens_message(piece, next)
            || (piece.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
                && self.is_bare_level(piece, next));
        stands.then_some(severity)
    }

    /// Xorg's `(EE)`.
    fn in_xorg(&self, piece: &[u8], after: &[u8]) -> Option<Severity> {
        if self.before != b'(' || after.first() != Some(&b')') {
            return None;
        }
        match piece {
            b"EE" => Some(Severity::Error),
            b"WW" => Some(Severity::Warn),
            b"II" | b"NI" | b"DB" => Some(Severity::Info),
            _ => None,
        }
    }

    /// Celery's `: ERROR/MainProcess]` is `ERROR`.
    fn without_process<'p>(&self, piece: &'p [u8]) -> &'p [u8] {
        let inside = self.brackets > 0 && self.before == b':';
        let slash = memchr::memchr(b'/', piece).filter(|_| inside);
        slash.map_or(piece, |at| &piece[..at])
    }

    /// `[error]`, `<error>`, `|error|`, Apache's `[core:error]`.
    fn is_bracketed(&self, after: &[u8]) -> bool {
        let next = after.iter().find(|byte| **byte != b' ').copied().unwrap_or(0);
        match self.before {
            b'[' => matches!(next, b']' | b'|'),
            b'<' => next == b'>',
            b'|' => matches!(next, b'|'),
            b':' => self.brackets > 0 && next == b']',
            _ => false,
        }
    }

    /// `error: text` at the beginning or behind `program:`, and any level right after the stamp.
    fn opens_message(&self, piece: &[u8], next: u8) -> bool {
        if matches!(self.before, b'"' | b'\'' | b'(') {
            return false;
        }
        let at_place = self.opening || self.before == b':' || self.previous == b"PHP";
        let is_word = matches!(next, b' ' | b'\t' | b',' | b'[' | b'|' | b';');
        let common = !matches!(piece, b"log" | b"note" | b"system" | b"config" | b"fine");
        common && ((at_place && next == b':') || (self.after_stamp && is_word))
    }

    /// Capitals; names that are also plain words or states need a place of their own.
    fn is_bare_level(&self, piece: &[u8], next: u8) -> bool {
        let ambiguous = matches!(
            piece,
            b"LOG"
                | b"NOTE"
                | b"SYSTEM"
                | b"CONFIG"
                | b"FINE"
                | b"FAILURE"
                | b"ALERT"
                | b"ASSERT"
                | b"TRACE"
                | b"ERR"
                | b"INF"
                | b"TRC"
                | b"DBG"
        );
        let delimited =
            matches!(next, b' ' | b'\t' | b':' | b',' | b']' | b'|' | b'>' | b')' | b';');
        if matches!(self.before, b'"' | b'\'') || !delimited || self.is_denied() {
            return false;
        }
        if ambiguous {
            return next == b':' || self.opening || self.after_stamp || self.before == b']';
        }
        self.pieces <= BARE_PIECES_MAX || next == b':'
    }

    /// `E` right after the stamp, `[E]`, `[E 2026-...`, apt's `E: text`.
    fn letter(&self, letter: u8, after: &[u8]) -> Option<Severity> {
        let severity = level::letter(letter)?;
        let next = after.first().copied().unwrap_or(0);
        let stands = match next {
            b']' => self.before == b'[' && self.opening && letter != b'A',
            b'|' => matches!(self.before, b'|' | b'[') || self.after_stamp,
            b':' => self.pieces == 0 && self.before == 0 && after.get(1) == Some(&b' '),
            b' ' if self.before == b'[' => {
                self.pieces == 0 && after.get(1).is_some_and(u8::is_ascii_digit)
            }
            b' ' | b'\t' | b'/' => self.after_stamp && self.before == 0,
            b',' => self.pieces == 0 && after.starts_with(b", ["),
            _ => false,
        };
        stands.then_some(severity)
    }

    /// `NO ERROR`, `0 ERROR`.
    fn is_denied(&self) -> bool {
        matches!(self.previous, b"0" | b"no" | b"No" | b"NO" | b"without")
    }

    fn pass(&mut self, piece: &'a [u8]) {
        let numeric = piece.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'#' | b'.'));
        self.after_stamp &= numeric;
        self.opening &= numeric || self.brackets > 0;
        self.previous = piece;
        self.before = 0;
        self.pieces += 1;
        self.at += piece.len();
    }
}

fn is_delimiter(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t'
            | b'['
            | b']'
            | b'('
            | b')'
            | b'<'
            | b'>'
            | b'{'
            | b'}'
            | b'|'
            | b','
            | b';'
            | b':'
            | b'='
            | b'"'
            | b'\''
    )
}

/// Names of fields that hold a level.
pub(super) fn is_level_key(key: &[u8]) -> bool {
    const KEYS: [&[u8]; 14] = [
        b"level",
        b"lvl",
        b"severity",
        b"loglevel",
        b"log_level",
        b"log.level",
        b"levelname",
        b"level_name",
        b"severitytext",
        b"severity_text",
        b"@l",
        b"@level",
        b"priority",
        b"log-level",
    ];
    KEYS.iter().any(|name| name.eq_ignore_ascii_case(key))
}

/// `=error`, `="error"`, `: error`.
fn value_of(after: &[u8]) -> Option<Severity> {
    let (&joint, rest) = after.split_first()?;
    let rest = match joint {
        b'=' => rest,
        b':' => rest.strip_prefix(b" ").unwrap_or(rest),
        _ => return None,
    };
    let rest = rest.strip_prefix(b"\"").unwrap_or(rest);
    let len = rest.iter().position(|&byte| is_delimiter(byte)).unwrap_or(rest.len());
    // A number there is as often a verbosity, whose order is the other way round.
    level::named(&rest[..len])
}

/// Monolog's `channel.ERROR: text`.
fn dotted_level(piece: &[u8], after: &[u8]) -> Option<Severity> {
    if !after.starts_with(b": ") {
        return None;
    }
    let name = &piece[memchr::memrchr(b'.', piece)? + 1..];
    name.iter().all(u8::is_ascii_uppercase).then(|| level::named(name)).flatten()
}

/// The value of a level field that stands anywhere near the beginning, as in logfmt.
pub(super) fn field_level(text: &[u8]) -> Option<Severity> {
    const FIELD_BYTES_MAX: usize = 1024;
    static KEYS: LazyLock<[Finder<'_>; 3]> =
        LazyLock::new(|| ["level=", "lvl=", "severity="].map(Finder::new));
    let text = &text[..text.len().min(FIELD_BYTES_MAX)];
    KEYS.iter().find_map(|key| {
        key.find_iter(text).find_map(|at| {
            let own = at == 0 || matches!(text[at - 1], b' ' | b'\t' | b',' | b'|' | b'{');
            own.then(|| value_of(&text[at + key.needle().len() - 1..])).flatten()
        })
    })
}
