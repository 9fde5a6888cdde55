//! Why a message that is asked for again is not in the journal.
//!
//! What the journal remembers to have dropped was dropped, what it never gave out was not written,
//! and the rest was acknowledged and is no longer kept.

use muster_schemas::control::{Loss, LossCause};

/// Puts a cause to all that is `missing`. `dropped` are ranges in any order that do not overlap;
/// `next_seq` is the first number that was never given out.
pub fn losses(missing: &[(i64, i64)], dropped: &[(i64, i64)], next_seq: i64) -> Vec<Loss> {
    let mut dropped = dropped.to_vec();
    dropped.sort_unstable();
    let mut losses = Vec::new();
    let mut add = |from: i64, to: i64, cause| {
        if from <= to {
            losses.push(Loss { from, to, cause });
        }
    };
    for (first, last) in missing.iter().copied() {
        let written = last.min(next_seq - 1);
        let mut at = first;
        for (from, to) in dropped.iter().copied() {
            let (from, to) = (from.max(at), to.min(written));
            if from <= to {
                add(at, from - 1, LossCause::Trimmed);
                add(from, to, LossCause::Dropped);
                at = to + 1;
            }
        }
        add(at, written, LossCause::Trimmed);
        add(first.max(next_seq), last, LossCause::NotWritten);
    }
    losses
}

#[cfg(test)]
mod tests {
    use super::*;
    use LossCause::{Dropped, NotWritten, Trimmed};

    fn check(missing: &[(i64, i64)], dropped: &[(i64, i64)], expected: &[(i64, i64, LossCause)]) {
        let found = losses(missing, dropped, 100);
        let found: Vec<_> = found.iter().map(|loss| (loss.from, loss.to, loss.cause)).collect();
        assert_eq!(found, expected, "{missing:?} of which {dropped:?} were dropped");
    }

    #[test]
    fn each_missing_number_has_one_cause() {
        check(&[], &[(1, 9)], &[]);
        check(&[(3, 5)], &[], &[(3, 5, Trimmed)]);
        check(&[(3, 5)], &[(1, 9)], &[(3, 5, Dropped)]);
        check(
            &[(1, 9)],
            &[(7, 7), (2, 3)],
            &[(1, 1, Trimmed), (2, 3, Dropped), (4, 6, Trimmed), (7, 7, Dropped), (8, 9, Trimmed)],
        );
        check(
            &[(1, 2), (98, 120)],
            &[(2, 2), (99, 99)],
            &[
                (1, 1, Trimmed),
                (2, 2, Dropped),
                (98, 98, Trimmed),
                (99, 99, Dropped),
                (100, 120, NotWritten),
            ],
        );
        check(&[(100, 120)], &[], &[(100, 120, NotWritten)]);
    }
}
