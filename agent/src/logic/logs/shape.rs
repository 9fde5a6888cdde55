//! How a line looks that goes on with the event before it: stack traces of Java, .NET, Python, Go,
//! Rust, Ruby, PHP and Node.
//!
//! Looks at the beginning of a line only; what follows from it is decided in `event.rs`.

use super::words;

/// No mark of these is longer.
const HEAD_BYTES_MAX: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Blank,
    /// A tab or two spaces at the beginning.
    Indented,
    /// A frame of a stack: never the beginning of anything.
    Frame,
    /// `Caused by:` and its like: never the beginning of anything either.
    Link,
    /// Python's `Traceback (most recent call last):`.
    Traceback,
    /// `java.io.IOException: text`, `ValueError: text`.
    Exception,
    /// Go's `goroutine 1 [running]:`, `[signal SIGSEGV ...]`.
    Goroutine,
    /// `main.main()` or `created by main.start`, as Go writes its frames.
    Call,
    Other,
}

/// The first bytes of a line tell it; two are enough to rule most lines out.
pub(super) fn of(text: &[u8]) -> Shape {
    let text = &text[..text.len().min(HEAD_BYTES_MAX)];
    let trimmed = text.trim_ascii();
    if trimmed.is_empty() {
        return Shape::Blank;
    }
    if text.starts_with(b"\t") || text.starts_with(b"  ") || text.starts_with(b"#011") {
        let trimmed = trimmed.strip_prefix(b"#011").unwrap_or(trimmed);
        return if is_frame(trimmed) { Shape::Frame } else { Shape::Indented };
    }
    match text[0] {
        b'C' | b'S' | b'D' | b'T' | b's' | b'n' | b'-' | b'.' | b'#' if is_link(text) => {
            Shape::Link
        }
        b'T' if text.starts_with(b"Traceback (most recent call last)") => Shape::Traceback,
        b'[' if text.starts_with(b"[signal ") => Shape::Goroutine,
        b'g' if text.starts_with(b"goroutine ") => Shape::Goroutine,
        _ if is_exception(text) => Shape::Exception,
        b'c' if text.starts_with(b"created by ") => Shape::Call,
        b'e' if text.starts_with(b"exit status ") => Shape::Call,
        _ if trimmed.ends_with(b")") && is_call(trimmed) => Shape::Call,
        _ => Shape::Other,
    }
}

/// A trace that begins here, without a level of its own, is an error.
pub(super) fn begins_trace(text: &[u8]) -> bool {
    matches!(of(text), Shape::Traceback | Shape::Exception)
        || text.starts_with(b"Exception in thread ")
        || text.starts_with(b"Unhandled exception")
}

fn is_frame(trimmed: &[u8]) -> bool {
    trimmed.starts_with(b"at ")
        || trimmed.starts_with(b"File \"")
        || trimmed.starts_with(b"from /")
        || (trimmed.starts_with(b"... ") && trimmed.ends_with(b" more"))
}

fn is_link(text: &[u8]) -> bool {
    const LINKS: [&[u8]; 9] = [
        b"Caused by: ",
        b"Suppressed: ",
        b"During handling of the above exception",
        b"The above exception was",
        b"Stack trace:",
        b"stack backtrace:",
        b"note: run with ",
        b"--- End of ",
        b"... ",
    ];
    let numbered = text.starts_with(b"#") && text.get(1).is_some_and(u8::is_ascii_digit);
    LINKS.iter().any(|link| text.starts_with(link)) || numbered
}

/// A name that ends in `Error` or `Exception`, alone or before a colon.
fn is_exception(text: &[u8]) -> bool {
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$');
    let len = text.iter().take_while(|byte| in_name(byte)).count();
    let (name, rest) = text.split_at(len);
    let named = name.ends_with(b"Exception") || name.ends_with(b"Error");
    let ends = rest.trim_ascii().is_empty() || rest.starts_with(b": ") || rest == b":";
    // `Error: text` alone is a message that begins with its level.
    named && ends && !matches!(name, b"Error" | b"Exception")
}

fn is_call(trimmed: &[u8]) -> bool {
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"._/*-$".contains(byte);
    let name = trimmed.iter().take_while(|byte| in_name(byte)).count();
    name > 0
        && matches!(trimmed.get(name), Some(b'('))
        && words::severity(&trimmed[..name]).is_none()
}
