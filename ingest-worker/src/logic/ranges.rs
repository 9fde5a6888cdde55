//! Sets of sequence numbers, as the ledger writes them.

/// Writes a set of numbers as PostgreSQL writes an `int8multirange`: `{[1,4),[7,8)}`.
///
/// The numbers may come in any order and more than once.
pub fn multirange(mut numbers: Vec<i64>) -> String {
    numbers.sort_unstable();
    numbers.dedup();
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, end)) if *end == number => *end = number + 1,
            _ => ranges.push((number, number + 1)),
        }
    }
    let written: Vec<String> = ranges.iter().map(|(from, to)| format!("[{from},{to})")).collect();
    format!("{{{}}}", written.join(","))
}

#[cfg(test)]
mod tests {
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
        }
    }

    proptest! {
        #[test]
        fn a_multirange_holds_what_was_put_in_and_nothing_else(
            numbers in prop::collection::vec(1..200i64, 0..50)
        ) {
            let written = multirange(numbers.clone());
            let mut held = Vec::new();
            for range in written.trim_matches(['{', '}']).split("),").filter(|r| !r.is_empty()) {
                let (from, to) = range.trim_matches(['[', ')']).split_once(',').unwrap();
                held.extend(from.parse::<i64>().unwrap()..to.parse().unwrap());
            }
            let mut expected = numbers;
            expected.sort_unstable();
            expected.dedup();
            prop_assert_eq!(held, expected);
        }
    }
}
