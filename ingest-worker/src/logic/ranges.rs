//! Sets of sequence numbers, as the ledger writes them.

use std::fmt;

/// Writes a set of numbers as PostgreSQL writes an `int8multirange`: `{[1,4),[7,8)}`.
///
/// The numbers may come in any order and more than once.
pub fn multirange(mut numbers: Vec<i64>) -> String {
    numbers.sort_unstable();
    Ranges::of(numbers.into_iter().map(|number| (number, number))).to_string()
}

/// A set of sequence numbers as ranges in order that neither overlap nor touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges {
    /// First and last.
    ranges: Vec<(i64, i64)>,
}

impl Ranges {
    /// Of ranges (first and last) in any order; a last before its first holds nothing. A number is
    /// less than the largest of its type (schemas: `is_sequence_number`).
    pub fn of(ranges: impl IntoIterator<Item = (i64, i64)>) -> Self {
        let mut given: Vec<(i64, i64)> =
            ranges.into_iter().filter(|(from, to)| from <= to && *to < i64::MAX).collect();
        given.sort_unstable();
        let mut ranges: Vec<(i64, i64)> = Vec::new();
        for (from, to) in given {
            match ranges.last_mut() {
                Some((_, end)) if from <= *end + 1 => *end = to.max(*end),
                _ => ranges.push((from, to)),
            }
        }
        Self { ranges }
    }

    /// Reads what PostgreSQL writes; `None` where it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let inner = text.strip_prefix('{')?.strip_suffix('}')?;
        let mut ranges = Vec::new();
        for range in inner.split("),").filter(|range| !range.is_empty()) {
            let (from, end) = range.strip_prefix('[')?.trim_end_matches(')').split_once(',')?;
            ranges.push((from.parse().ok()?, end.parse::<i64>().ok()? - 1));
        }
        Some(Self::of(ranges))
    }

    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    pub fn count(&self) -> i64 {
        self.iter().fold(0i64, |sum, (from, to)| sum.saturating_add(to - from).saturating_add(1))
    }

    /// First and last of each range, in order.
    pub fn iter(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.ranges.iter().copied()
    }

    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let (mut mine, mut theirs) = (self.iter().peekable(), other.iter().peekable());
        let mut both = Vec::new();
        while let (Some((a, b)), Some((c, d))) = (mine.peek().copied(), theirs.peek().copied()) {
            both.push((a.max(c), b.min(d)));
            if b <= d {
                mine.next()
            } else {
                theirs.next()
            };
        }
        Self::of(both)
    }

    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        let mut theirs = other.iter().peekable();
        for (mut from, to) in self.iter() {
            while theirs.next_if(|(_, last)| *last < from).is_some() {}
            while let Some((first, last)) = theirs.peek().copied().filter(|(f, _)| *f <= to) {
                left.push((from, first - 1));
                from = last + 1;
                if last > to {
                    break;
                }
                theirs.next();
            }
            left.push((from, to));
        }
        Self::of(left)
    }
}

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written: Vec<String> =
            self.iter().map(|(from, to)| format!("[{from},{})", to + 1)).collect();
        write!(f, "{{{}}}", written.join(","))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn neighbours_become_one_range() {
        for (numbers, written) in [
            (vec![], "{}"),
            (vec![5], "{[5,6)}"),
            (vec![3, 1, 2, 2, 7], "{[1,4),[7,8)}"),
            (vec![i64::MAX - 1], "{[9223372036854775806,9223372036854775807)}"),
        ] {
            assert_eq!(multirange(numbers), written);
            assert_eq!(Ranges::parse(written).unwrap().to_string(), written);
        }
        for bad in ["", "[1,2)", "{[1,)}", "{(,5)}", "{x}"] {
            assert_eq!(Ranges::parse(bad), None, "{bad:?}");
        }
    }

    fn numbers(ranges: &Ranges) -> BTreeSet<i64> {
        ranges.iter().flat_map(|(from, to)| from..=to).collect()
    }

    fn some() -> impl Strategy<Value = Vec<(i64, i64)>> {
        prop::collection::vec((1..60i64, 0..6i64), 0..12)
            .prop_map(|all| all.into_iter().map(|(from, more)| (from, from + more - 1)).collect())
    }

    proptest! {
        #[test]
        fn a_multirange_holds_what_was_put_in_and_nothing_else(
            given in prop::collection::vec(1..200i64, 0..50)
        ) {
            let held = Ranges::parse(&multirange(given.clone())).unwrap();
            prop_assert_eq!(numbers(&held), given.into_iter().collect::<BTreeSet<_>>());
        }

        #[test]
        fn ranges_are_the_sets_they_stand_for(a in some(), b in some()) {
            let (a, b) = (Ranges::of(a), Ranges::of(b));
            let (left, right) = (numbers(&a), numbers(&b));
            prop_assert_eq!(numbers(&a.and(&b)), &left & &right);
            prop_assert_eq!(numbers(&a.without(&b)), &left - &right);
            prop_assert_eq!(a.count() as usize, left.len());
            prop_assert_eq!(a.is_empty(), left.is_empty());
            let mut before = i64::MIN;
            for (from, to) in a.iter() {
                prop_assert!(from <= to && from > before + 1);
                before = to;
            }
        }
    }
}
