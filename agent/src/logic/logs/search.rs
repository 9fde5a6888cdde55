//! The bulk search: where in a block a line might be that matters.
//!
//! One pass without looking at lines: the block is folded to lower case piece by piece into a
//! small buffer (one instruction for many bytes) and a SIMD search looks for all the words at
//! once. It finds too much on purpose; `reading.rs` decides on the few lines that are left.

use std::sync::LazyLock;

use aho_corasick::packed;
use aho_corasick::{AhoCorasick, Input, Match, MatchKind, Span};
use muster_schemas::logs::Severity;

/// What is searched at once: small enough to stay in the processor's nearest cache, and what of
/// one line is looked at at most.
pub(super) const PIECE_BYTES: usize = 16 * 1024;

/// Sets bit 5: letters become small, `]` becomes `}`, and so they stand in [`WORDS`].
const FOLD: u8 = 0x20;

/// Beginnings of what makes a line matter. The first needs a look at what follows it. logrus writes
/// `FATA`.
const WORDS: [&str; 14] = [
    "err",
    "emerg",
    "alert",
    "crit",
    "fail",
    "panic",
    "fata",
    "eror",
    "severe",
    "exception",
    "traceback",
    "\" 5",
    "(ee)",
    "ftl}",
];
const WARNINGS: [&str; 4] = ["warn", "wrn", "deprecat", "(ww)"];

static FOR_ERRORS: LazyLock<Search> = LazyLock::new(|| Search::new(&WORDS));
static FOR_WARNINGS: LazyLock<Search> =
    LazyLock::new(|| Search::new(&[&WORDS[..], &WARNINGS[..]].concat()));

pub(super) enum Search {
    Packed(packed::Searcher),
    /// For processors without the instructions the fast search needs.
    Automaton(AhoCorasick),
}

impl Search {
    /// What finds the lines that may be at least this bad.
    pub(super) fn for_least(least: Severity) -> &'static Self {
        if least >= Severity::Warn { &FOR_WARNINGS } else { &FOR_ERRORS }
    }

    /// What finds any of the words in one pass; the earlier one where two begin at one place.
    pub(super) fn new(words: &[&str]) -> Self {
        let packed = packed::Config::new().builder().extend(words).build();
        packed.map_or_else(
            || {
                let mut builder = AhoCorasick::builder();
                let automaton = builder.match_kind(MatchKind::LeftmostFirst).build(words);
                Self::Automaton(automaton.expect("a few short words make a small automaton"))
            },
            Self::Packed,
        )
    }

    /// The first of the words at `from` or later.
    pub(super) fn find(&self, text: &[u8], from: usize) -> Option<Match> {
        let span = Span { start: from, end: text.len() };
        match self {
            Self::Packed(searcher) => searcher.find_in(text, span),
            Self::Automaton(automaton) => automaton.find(Input::new(text).span(span)),
        }
    }

    /// Where the next word is in a folded piece, at `from` or later; its length where there is none.
    pub(super) fn next(&self, folded: &[u8], mut from: usize) -> usize {
        while let Some(hit) = self.find(folded, from) {
            // `err` is the name of a level, but also inside of `interrupt` and `preferred`.
            let inside = |next: &u8| next.is_ascii_lowercase() && *next != b'o';
            if hit.pattern().as_usize() > 0 || !folded.get(hit.end()).is_some_and(inside) {
                return hit.start();
            }
            from = hit.end();
        }
        folded.len()
    }
}

/// Folds a piece into the buffer.
pub(super) fn fold<'a>(piece: &[u8], buffer: &'a mut [u8; PIECE_BYTES]) -> &'a [u8] {
    let len = piece.len().min(PIECE_BYTES);
    for (folded, byte) in buffer[..len].iter_mut().zip(&piece[..len]) {
        *folded = byte | FOLD;
    }
    &buffer[..len]
}
