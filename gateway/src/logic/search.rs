//! What somebody types to find log lines, taken apart.
//!
//! - Words are separated by blanks; a line matches if it contains all of them, anywhere, whatever
//!   the case (of the letters A to Z; others where the database's locale knows their case).
//! - `"two words"` is a phrase: it is searched for as it stands. In it, `\"` is a quote and `\\` a
//!   backslash. A quote within a word is a letter like any other.
//! - `-word` and `-"a phrase"` leave out the lines that contain it. To find a leading `-`, quote
//!   it: `"--force"`.
//! - There are no other signs: a `%` or a `*` is searched for as it is.

use std::iter::Peekable;
use std::str::Chars;

/// More is not something that somebody types; each is a condition on every line.
const TERMS_MAX: usize = 16;

/// Lines that contain all of `wanted` and none of `unwanted`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    pub wanted: Vec<String>,
    pub unwanted: Vec<String>,
}

/// `name:value`: a structured field of a line that equals this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldIs {
    pub name: String,
    pub value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSearch {
    #[error("text has a quote that is not closed")]
    OpenQuote,
    #[error("text has more than {TERMS_MAX} words and phrases")]
    TooMany,
    #[error("field is a name, a colon and a value, such as request_id:4711")]
    NotAField,
}

impl Search {
    pub fn read(text: &str) -> Result<Self, BadSearch> {
        let mut search = Self::default();
        let mut letters = text.chars().peekable();
        loop {
            while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
            let Some(first) = letters.peek().copied() else { return Ok(search) };
            let mut rest = letters.clone();
            rest.next();
            // A dash that stands alone is a word.
            let is_unwanted = first == '-' && rest.peek().is_some_and(|next| !next.is_whitespace());
            if is_unwanted {
                letters = rest;
            }
            let term = read_term(&mut letters)?;
            let terms = if is_unwanted { &mut search.unwanted } else { &mut search.wanted };
            if !term.is_empty() {
                terms.push(term);
            }
            if search.wanted.len() + search.unwanted.len() > TERMS_MAX {
                return Err(BadSearch::TooMany);
            }
        }
    }
}

fn read_term(letters: &mut Peekable<Chars<'_>>) -> Result<String, BadSearch> {
    if letters.next_if_eq(&'"').is_some() {
        return read_phrase(letters);
    }
    let mut word = String::new();
    while let Some(letter) = letters.next_if(|letter| !letter.is_whitespace()) {
        word.push(letter);
    }
    Ok(word)
}

fn read_phrase(letters: &mut Peekable<Chars<'_>>) -> Result<String, BadSearch> {
    let mut phrase = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return Ok(phrase),
            '\\' => {
                let escaped = letters.next_if(|next| matches!(next, '"' | '\\'));
                phrase.push(escaped.unwrap_or('\\'));
            }
            _ => phrase.push(letter),
        }
    }
    Err(BadSearch::OpenQuote)
}

impl FieldIs {
    /// The first colon divides: a value may have more of them, a name cannot.
    pub fn read(text: &str) -> Result<Self, BadSearch> {
        let (name, value) = text.split_once(':').ok_or(BadSearch::NotAField)?;
        if name.is_empty() {
            return Err(BadSearch::NotAField);
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

/// A pattern of `LIKE` for whatever contains the text; its own signs are taken literally.
pub fn like_pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_phrases_and_what_is_not_wanted_are_told_apart() {
        for (text, wanted, unwanted) in [
            ("", &[][..], &[][..]),
            ("  timed  out ", &["timed", "out"], &[]),
            (r#""timed out" db-1"#, &["timed out", "db-1"], &[]),
            (r#"error -retry -"no route""#, &["error"], &["retry", "no route"]),
            (r#"- a-b "--force" --force"#, &["-", "a-b", "--force"], &["-force"]),
            (r#"key="x y" """#, &["key=\"x", "y\""], &[]),
            (r#""a \"b\" c:\\d \e""#, &[r#"a "b" c:\d \e"#], &[]),
            ("100% a*b", &["100%", "a*b"], &[]),
            ("-", &["-"], &[]),
        ] {
            let search = Search::read(text).unwrap();
            assert_eq!(search.wanted, wanted, "{text}");
            assert_eq!(search.unwanted, unwanted, "{text}");
        }
    }

    #[test]
    fn an_open_quote_and_a_flood_of_words_are_refused() {
        assert_eq!(Search::read("a \"b c"), Err(BadSearch::OpenQuote));
        assert_eq!(Search::read("-\""), Err(BadSearch::OpenQuote));
        assert_eq!(Search::read(&"a ".repeat(TERMS_MAX + 1)), Err(BadSearch::TooMany));
        assert!(Search::read(&"a ".repeat(TERMS_MAX)).is_ok());
    }

    #[test]
    fn a_field_is_a_name_and_a_value_that_may_have_colons() {
        let field = |name: &str, value: &str| FieldIs { name: name.into(), value: value.into() };
        assert_eq!(FieldIs::read("request_id:abc"), Ok(field("request_id", "abc")));
        assert_eq!(FieldIs::read("url:http://a"), Ok(field("url", "http://a")));
        assert_eq!(FieldIs::read("empty:"), Ok(field("empty", "")));
        for bad in ["", "request_id", ":abc", "status>=500"] {
            assert_eq!(FieldIs::read(bad), Err(BadSearch::NotAField), "{bad}");
        }
    }

    #[test]
    fn the_signs_of_a_pattern_are_searched_for_as_they_are() {
        for (text, pattern) in [
            ("timeout", "%timeout%"),
            ("100%", r"%100\%%"),
            ("a_b", r"%a\_b%"),
            (r"c:\", r"%c:\\%"),
        ] {
            assert_eq!(like_pattern(text), pattern);
        }
    }
}
