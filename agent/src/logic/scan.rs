//! Words and numbers in the text files of the kernel, as bytes: they are read at every sample, and
//! neither UTF-8 checks nor allocations are needed to find a number.

/// Non-empty lines.
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// Words between blanks.
pub fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// A number of decimal digits only; one too large for 64 bits is the largest there is.
pub fn number(word: &[u8]) -> Option<u64> {
    if word.is_empty() {
        return None;
    }
    word.iter().try_fold(0u64, |sum, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| sum.saturating_mul(10).saturating_add(u64::from(digit)))
    })
}

/// The first number of a text, as in files that hold one.
pub fn first_number(text: &[u8]) -> Option<u64> {
    words(text).next().and_then(number)
}

/// The first number after `name`, in a text of lines such as `name: 12 kB` or `name 12`.
pub fn number_after(text: &[u8], name: &str) -> Option<u64> {
    lines(text).find_map(|line| {
        let rest = line.strip_prefix(name.as_bytes())?;
        let rest = rest.strip_prefix(b":").unwrap_or(rest);
        rest.first().is_some_and(u8::is_ascii_whitespace).then(|| first_number(rest))?
    })
}

/// As text that may travel: valid UTF-8 without NUL.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\0', "")
}

/// A count for the wire, which has signed numbers only.
pub fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_only() {
        for (word, expected) in [
            ("0", Some(0)),
            ("42", Some(42)),
            ("", None),
            ("-1", None),
            ("4x", None),
            ("99999999999999999999", Some(u64::MAX)),
        ] {
            assert_eq!(number(word.as_bytes()), expected, "{word}");
        }
    }

    #[test]
    fn a_number_is_found_by_the_whole_name() {
        let text = b"MemTotalX: 1 kB\nMemTotal:   24 kB\nnr_free 7\n";
        assert_eq!(number_after(text, "MemTotal"), Some(24));
        assert_eq!(number_after(text, "nr_free"), Some(7));
        assert_eq!(number_after(text, "nr"), None);
    }
}
