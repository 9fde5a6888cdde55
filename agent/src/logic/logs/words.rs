//! Severity from words, for lines whose format carries no level.
//!
//! The worst word wins. A word is a whole run of letters: not part of an identifier
//! (`error_log`), an option (`--on-error`), a path or address (`/error/`), a file name
//! (`error.log`) or a longer word (`failover`). It does not count when the text denies it
//! ("no errors", "0 errors", "errors: 0", `err=nil`) or merely speaks about it ("error
//! handling", "on failure"). A name in camel case that ends in `Error` or `Exception` counts
//! where it is reported, that is before a colon or at the end.
//!
//! One pass over the text; what is looked at around a word is bounded.

use muster_schemas::logs::Severity;

/// How far around a word its denial is looked for.
const CONTEXT_BYTES_MAX: usize = 48;
/// The longest word of interest: `emergencies`.
const WORD_BYTES_MAX: usize = 11;

/// The worst severity the words of a text speak of.
pub(super) fn severity(text: &[u8]) -> Option<Severity> {
    let mut worst = None;
    let mut at = 0;
    while let Some(found) = text[at..].iter().position(u8::is_ascii_alphabetic) {
        let start = at + found;
        let rest = &text[start..];
        let len = rest.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(rest.len());
        let word = Word { text, start, end: start + len };
        at = start + len;
        if let Some(severity) = word.severity()
            && worst.is_none_or(|worst| severity < worst)
        {
            worst = Some(severity);
            if severity == Severity::Critical {
                break;
            }
        }
    }
    worst
}

/// What a word by itself stands for, with its inflections.
fn meaning(word: &[u8]) -> Option<Severity> {
    // Most words of a text have another first letter.
    if !matches!(word.first()? | 0x20, b'a' | b'c' | b'd' | b'e' | b'f' | b'p' | b'w') {
        return None;
    }
    let mut lower = [0; WORD_BYTES_MAX];
    let lower = lower.get_mut(..word.len())?;
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    match &*lower {
        b"emerg" | b"emergency" | b"emergencies" | b"alert" | b"alerts" | b"alerted" | b"crit"
        | b"critical" | b"critically" | b"panic" | b"panics" | b"panicked" | b"panicking"
        | b"fatal" | b"fatally" => Some(Severity::Critical),
        b"fail" | b"fails" | b"failed" | b"failing" | b"failure" | b"failures" => {
            Some(Severity::Failure)
        }
        b"error" | b"errors" | b"errored" | b"err" => Some(Severity::Error),
        b"warn" | b"warning" | b"warnings" | b"deprecated" | b"deprecation" => Some(Severity::Warn),
        _ => None,
    }
}

#[derive(Clone, Copy)]
struct Word<'a> {
    text: &'a [u8],
    start: usize,
    end: usize,
}

impl Word<'_> {
    fn severity(self) -> Option<Severity> {
        let word = &self.text[self.start..self.end];
        let Some(severity) = meaning(word) else { return self.exception() };
        let counts = self.is_whole(severity)
            && !self.is_key_without_matter(severity)
            && !self.is_denied_before()
            && !self.is_denied_after()
            && !self.is_spoken_about();
        counts.then_some(severity)
    }

    fn before(self, back: usize) -> u8 {
        self.start.checked_sub(back).map_or(b' ', |at| self.text[at])
    }

    fn after(self, ahead: usize) -> u8 {
        self.text.get(self.end + ahead).copied().unwrap_or(b' ')
    }

    /// `java.net.ConnectException: refused`, `ValueError: text`.
    fn exception(self) -> Option<Severity> {
        let word = &self.text[self.start..self.end];
        let named = word.ends_with(b"Exception") || (word.ends_with(b"Error") && word.len() > 5);
        let reported = match self.after(0) {
            b':' => self.after(1) == b' ' || self.end + 1 == self.text.len(),
            b'\n' | b'\r' => true,
            _ => self.end == self.text.len() && (self.start == 0 || self.before(1) == b'.'),
        };
        let placed = !matches!(self.before(1), b'/' | b'_' | b'-' | b'@');
        (named && reported && placed).then_some(Severity::Error)
    }

    /// Not a part of a name, a path, an option or a longer word.
    fn is_whole(self, severity: Severity) -> bool {
        if self.is_exit_status() {
            return true;
        }
        let whole_after = match self.after(0) {
            b'_' | b'/' | b'@' | b'$' => false,
            b'-' | b'.' | b'\\' => !self.after(1).is_ascii_alphanumeric(),
            // `FAILED(5)` is a state; `error()` is a function.
            b'(' => self.after(1) != b')',
            byte => !byte.is_ascii_alphanumeric() && byte < 0x80,
        };
        let whole_before = match self.before(1) {
            b'_' | b'/' | b'\\' | b'.' | b'?' | b'&' | b'@' | b'$' | b'%' => false,
            b'-' => self.is_hyphenated_fault(severity),
            byte => !byte.is_ascii_alphanumeric() && byte < 0x80,
        };
        whole_after && whole_before
    }

    /// `I/O-error` is one; `--on-error`, `non-fatal` and `on-failure` are not.
    fn is_hyphenated_fault(self, severity: Severity) -> bool {
        let before = self.context_before();
        let token_at = before.iter().rposition(|&byte| matches!(byte, b' ' | b'\t' | b'"' | b'='));
        let token = &before[token_at.map_or(0, |at| at + 1)..];
        // A dash between two parts of a sentence: `sync -failed`.
        let prefix = &token[..token.len().saturating_sub(1)];
        let piece = prefix.rsplit(|&byte| byte == b'-').next().unwrap_or(prefix);
        let denies = [&b"on"[..], b"non", b"no", b"pre", b"post", b"anti", b"if", b"x", b"zero"]
            .iter()
            .any(|word| word.eq_ignore_ascii_case(piece));
        !prefix.is_empty() && !prefix.starts_with(b"-") && !denies && severity < Severity::Info
    }

    /// systemd's `status=1/FAILURE`.
    fn is_exit_status(self) -> bool {
        let before = self.context_before();
        let Some(before) = before.strip_suffix(b"/") else { return false };
        let digits = before.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        digits > 0 && before[..before.len() - digits].ends_with(b"status=")
    }

    /// `panic=30`, `critical=90` and `errors=remount-ro` are settings.
    fn is_key_without_matter(self, severity: Severity) -> bool {
        let assigned = self.after(0) == b'=';
        let word = &self.text[self.start..self.end];
        assigned
            && (matches!(severity, Severity::Critical | Severity::Warn)
                || (word == b"errors" && self.after(1).is_ascii_alphabetic()))
    }

    fn context_before(&self) -> &[u8] {
        &self.text[self.start.saturating_sub(CONTEXT_BYTES_MAX)..self.start]
    }

    fn context_after(&self) -> &[u8] {
        &self.text[self.end..(self.end + CONTEXT_BYTES_MAX).min(self.text.len())]
    }

    fn is_plural(self) -> bool {
        matches!(self.text[self.end - 1], b's' | b'S')
    }

    /// "no errors", "0 tests failed", "without error", "not fatal", "if any failures".
    fn is_denied_before(self) -> bool {
        let before = self.context_before();
        let Some((first, rest)) = word_back(before) else { return false };
        if is_denial(first) {
            return true;
        }
        if self.is_plural() && any_of(first, &["for", "any"]) {
            return true;
        }
        // One word may stand between, if something was counted: "0 CRC errors", "no tests failed".
        let counted = self.is_plural() || first.ends_with(b"s") || meaning(first).is_some();
        counted
            && word_back(rest)
                .is_some_and(|(second, _)| any_of(second, &["no", "0", "zero", "without"]))
    }

    /// "errors: 0", `error=0`, `"error":null`, "error count: 0", "error code 0".
    fn is_denied_after(self) -> bool {
        let mut after = self.context_after();
        for noun in [&b" count"[..], b" counter", b" code", b" status", b" rate", b" total"] {
            if let Some(rest) = after.strip_prefix(noun) {
                after =
                    rest.strip_prefix(b" ").filter(|rest| rest.starts_with(b"0")).unwrap_or(rest);
                if after.starts_with(b"0") {
                    return is_nothing(after);
                }
            }
        }
        let after = after.strip_prefix(b"(s)").unwrap_or(after);
        let after = after.strip_prefix(b"\\").unwrap_or(after);
        let after = after.strip_prefix(b"\"").unwrap_or(after).trim_ascii_start();
        let value = match after.split_first() {
            Some((b':' | b'=', value)) => value,
            Some((b'0', _)) => after,
            _ => return after.starts_with(b"is 0") || after.starts_with(b"free"),
        };
        is_nothing(value.trim_ascii_start())
    }

    /// "error handling", "on failure", "fail over": talk about what may happen.
    fn is_spoken_about(self) -> bool {
        const TOPICS: &[&str] = &[
            "handling",
            "handler",
            "handlers",
            "reporting",
            "correction",
            "log",
            "logs",
            "logging",
            "page",
            "pages",
            "rate",
            "detection",
            "detector",
            "checking",
            "threshold",
            "budget",
            "section",
            "over",
            "reports",
            "manager",
            "rules",
            "mode",
            "injection",
        ];
        let after = self.context_after();
        let topic = after.strip_prefix(b" ").and_then(word_ahead);
        topic.is_some_and(|word| any_of(word, TOPICS))
    }
}

/// "no", "0", "without" and their like before a word take its meaning away.
fn is_denial(word: &[u8]) -> bool {
    const DENIALS: &[&str] = &[
        "no", "not", "non", "without", "zero", "0", "never", "on", "upon", "if", "nor", "didn't",
        "doesn't", "don't", "won't", "hasn't", "isn't", "wasn't", "cannot", "ignore", "ignoring",
    ];
    any_of(word, DENIALS)
}

fn any_of(word: &[u8], words: &[&str]) -> bool {
    words.iter().any(|candidate| candidate.as_bytes().eq_ignore_ascii_case(word))
}

/// The word that ends the text, and what comes before it; only spaces may lie behind it.
fn word_back(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let trimmed = text.trim_ascii_end();
    if trimmed.len() == text.len() {
        return None;
    }
    let in_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"'/.:@#-_=".contains(byte);
    let len = trimmed.iter().rev().take_while(|byte| in_word(byte)).count();
    let (rest, word) = trimmed.split_at(trimmed.len() - len);
    (len > 0).then_some((word, rest))
}

fn word_ahead(text: &[u8]) -> Option<&[u8]> {
    let len = text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    (len > 0).then(|| &text[..len])
}

/// A value that says there was nothing: `0`, `null`, `none`, `""`.
fn is_nothing(value: &[u8]) -> bool {
    const NOTHING: &[&str] = &["null", "nil", "none", "undefined"];
    // These also begin a sentence: "error: no such file".
    const NOTHING_ALONE: &[&str] = &["no", "false", "nothing", "success", "ok", "na"];
    let quoted = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'"));
    let bare = quoted.unwrap_or(value);
    let bare = bare.strip_prefix(b"(").unwrap_or(bare);
    let bare = bare.strip_prefix(b"<").unwrap_or(bare);
    let len = bare
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'.')
        .unwrap_or(bare.len());
    let word = bare[..len].strip_suffix(b".").unwrap_or(&bare[..len]);
    let alone = !bare[len..].trim_ascii_start().first().is_some_and(u8::is_ascii_alphanumeric);
    let zero =
        word.first() == Some(&b'0') && word.iter().all(|byte| matches!(byte, b'0' | b'.' | b'x'));
    let empty = quoted.is_some_and(|rest| matches!(rest.first(), Some(b'"' | b'\'')));
    let braces = value.starts_with(b"[]") || value.starts_with(b"{}");
    zero || empty || braces || any_of(word, NOTHING) || (alone && any_of(word, NOTHING_ALONE))
}
