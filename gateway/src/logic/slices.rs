//! How far back to look at once, so that a search through weeks of lines is neither slow where
//! there are few nor endless where there are many.
//!
//! - A range is looked through newest first, slice by slice. What a slice does not hold, the next
//!   one may; a page that is full ends the search.
//! - A slice that was quick is followed by one four times as long: a week without a match is a
//!   handful of questions. One that was slow is followed by a shorter one.
//! - A slice that took too long was given up and is tried again at an eighth of its length. Where
//!   even the shortest takes too long, the search is over, and that has to be said.

use super::steps::Range;

/// With what the first search begins: an hour of a large fleet's lines is read in well under a
/// second.
pub const FIRST_MS: i64 = 3_600_000;

/// Lines are dated to the millisecond, and many have the same second; a second is as much as any
/// database should be able to look through in the time that a slice has.
const SHORTEST_MS: i64 = 1_000;

/// Longer than any retention: what is quick at this length is as quick without end.
const LONGEST_MS: i64 = 10 * 366 * 86_400_000;

/// Some hundreds of questions at this speed are still a pleasant answer.
const QUICK_MS: i64 = 50;

/// Longer slices than this could not be given up in time.
const SLOW_MS: i64 = 500;

/// The part of a range that is still to be looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slices {
    rest: Range,
    /// Where the first slice's length is counted from: it also holds all that is later.
    start: i64,
    length_ms: i64,
}

/// Even the shortest slice took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a second of log lines takes too long to look through")]
pub struct Stuck;

impl Slices {
    /// Nothing is expected to be dated after `now`, but what is belongs to the first slice.
    pub fn new(range: Range, now: i64, length_ms: i64) -> Self {
        let start = now.clamp(range.from.min(range.to), range.to);
        Self { rest: range, start, length_ms: length_ms.clamp(SHORTEST_MS, LONGEST_MS) }
    }

    /// The next slice to look through; `None` once all of the range was.
    pub fn next(&self) -> Option<Range> {
        if self.rest.from >= self.rest.to {
            return None;
        }
        let from = self.start.saturating_sub(self.length_ms).max(self.rest.from);
        Some(Range { from, to: self.rest.to })
    }

    /// The slice was looked through in this time.
    pub fn looked(&mut self, took_ms: i64) {
        let Some(slice) = self.next() else { return };
        self.rest.to = slice.from;
        self.start = slice.from;
        self.length_ms = match took_ms {
            ..QUICK_MS => (self.length_ms * 4).min(LONGEST_MS),
            SLOW_MS.. => (self.length_ms / 2).max(SHORTEST_MS),
            _ => self.length_ms,
        };
    }

    /// The slice was given up.
    pub fn gave_up(&mut self) -> Result<(), Stuck> {
        if self.length_ms == SHORTEST_MS {
            return Err(Stuck);
        }
        // What is left of the range may be shorter than the slice would have been.
        let tried = self.start - self.next().map_or(self.start, |slice| slice.from);
        self.length_ms = (self.length_ms.min(tried) / 8).max(SHORTEST_MS);
        Ok(())
    }

    /// All lines of this time and later were looked at.
    pub fn searched_until(&self) -> i64 {
        self.rest.to
    }

    /// With which length to go on later.
    pub fn length_ms(&self) -> i64 {
        self.length_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    fn days(from: i64, to: i64) -> Range {
        Range { from: from * DAY_MS, to: to * DAY_MS }
    }

    #[test]
    fn quick_slices_grow_and_cover_the_range_without_hole_or_overlap() {
        let range = days(10, 40);
        let mut slices = Slices::new(range, range.to, FIRST_MS);
        let mut until = range.to;
        let mut count = 0;
        while let Some(slice) = slices.next() {
            assert_eq!(slice.to, until);
            assert!(slice.from < slice.to);
            until = slice.from;
            slices.looked(1);
            assert_eq!(slices.searched_until(), until);
            count += 1;
        }
        assert_eq!(until, range.from);
        assert!(count < 10, "{count}");
    }

    #[test]
    fn the_first_slice_also_holds_what_is_dated_ahead() {
        let slices = Slices::new(days(0, 40), 30 * DAY_MS, FIRST_MS);
        let expected = Range { from: 30 * DAY_MS - FIRST_MS, to: 40 * DAY_MS };
        assert_eq!(slices.next(), Some(expected));
    }

    #[test]
    fn a_slice_that_takes_too_long_is_tried_shorter_until_a_second_is_too_much() {
        let range = days(10, 40);
        let mut slices = Slices::new(range, range.to, DAY_MS);
        let mut length = DAY_MS;
        while slices.gave_up().is_ok() {
            assert!(slices.length_ms() < length);
            length = slices.length_ms();
            assert_eq!(slices.searched_until(), range.to);
        }
        assert_eq!(slices.length_ms(), SHORTEST_MS);
    }

    #[test]
    fn giving_up_a_short_rest_shortens_what_is_tried_next() {
        let mut slices = Slices::new(Range { from: 0, to: 60_000 }, 60_000, DAY_MS);
        slices.gave_up().unwrap();
        assert_eq!(slices.next(), Some(Range { from: 52_500, to: 60_000 }));
    }

    #[test]
    fn slow_slices_shrink_and_an_empty_range_has_none() {
        let mut slices = Slices::new(days(0, 40), 40 * DAY_MS, FIRST_MS);
        slices.looked(SLOW_MS);
        assert_eq!(slices.length_ms(), FIRST_MS / 2);
        assert_eq!(Slices::new(days(4, 4), 0, FIRST_MS).next(), None);
        assert_eq!(Slices::new(days(5, 4), 0, FIRST_MS).next(), None);
    }
}
