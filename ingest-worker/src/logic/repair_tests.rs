//! What is asked for is bounded and begins with the oldest; what is lost was said to be.

use std::collections::BTreeSet;

use muster_schemas::control::Loss;
use proptest::prelude::*;

use super::*;

fn ranges(of: &[(i64, i64)]) -> Ranges {
    Ranges::of(of.iter().copied())
}

#[test]
fn a_gap_is_asked_for_in_few_requests() {
    for (missing, asked) in [
        (vec![], vec![]),
        (vec![(5, 5)], vec![(5, 5)]),
        (vec![(5, 5), (9, 12)], vec![(5, 12)]),
        (vec![(5, 5), (900, 901)], vec![(5, 5), (900, 901)]),
        (vec![(1, 25_000)], vec![(1, 10_000), (10_001, 20_000), (20_001, 25_000)]),
        (vec![(1, 9_999), (10_005, 10_005)], vec![(1, 9_999), (10_005, 10_005)]),
        (
            vec![(1, i64::MAX - 1)],
            vec![(1, 10_000), (10_001, 20_000), (20_001, 30_000), (30_001, 40_000)],
        ),
    ] {
        assert_eq!(requests(&ranges(&missing)), asked, "{missing:?}");
    }
}

#[test]
fn what_the_agent_says_is_lost_with_its_cause() {
    let missing = ranges(&[(1, 10), (20, 30)]);
    let answer = ResendAnswer {
        found: 5,
        missing: vec![(1, 4), (25, 40)],
        losses: vec![
            Loss { from: 1, to: 2, cause: LossCause::Dropped },
            Loss { from: 2, to: 4, cause: LossCause::Trimmed },
        ],
    };
    let mut verdict = Verdict::default();
    verdict.add(&missing, (1, 28), &answer);
    assert_eq!(verdict.coming, 5);
    assert_eq!(verdict.lost[&LossCause::Dropped], ranges(&[(1, 2)]));
    assert_eq!(verdict.lost[&LossCause::Trimmed], ranges(&[(3, 4), (25, 28)]));

    let loss = Loss { from: 1, to: 5, cause: LossCause::UnknownEpoch };
    let answer = ResendAnswer { found: 0, missing: vec![(1, 5)], losses: vec![loss] };
    let mut verdict = Verdict::default();
    verdict.add(&missing, (1, 5), &answer);
    assert_eq!(verdict.lost[&LossCause::UnknownEpoch], missing, "nothing of the epoch is left");
}

#[test]
fn what_comes_after_a_number_that_was_never_given_out_was_not_either() {
    let missing = ranges(&[(8, i64::MAX - 1)]);
    let loss = Loss { from: 11, to: 10_007, cause: LossCause::NotWritten };
    let answer = ResendAnswer { found: 3, missing: vec![(11, 10_007)], losses: vec![loss] };
    let mut verdict = Verdict::default();
    verdict.add(&missing, (8, 10_007), &answer);
    assert_eq!(verdict.lost[&LossCause::NotWritten], ranges(&[(11, i64::MAX - 1)]));
    assert_eq!(verdict.lost.len(), 1);
}

#[test]
fn pauses_double_up_to_a_limit_and_never_fall_together() {
    assert_eq!(pause_ms(30_000, 0, 0.5), 30_000);
    assert_eq!(pause_ms(30_000, 1, 0.0), 45_000);
    assert_eq!(pause_ms(30_000, 1, 1.0), 75_000);
    assert_eq!(pause_ms(30_000, 60, 0.5), 30_000 * 64);
}

fn numbers(ranges: impl IntoIterator<Item = (i64, i64)>) -> BTreeSet<i64> {
    ranges.into_iter().flat_map(|(from, to)| from..=to).collect()
}

fn some(most: i64) -> impl Strategy<Value = Vec<(i64, i64)>> {
    prop::collection::vec((1..most, 0..most / 3), 0..12)
        .prop_map(|all| all.into_iter().map(|(from, more)| (from, from + more)).collect())
}

proptest! {
    #[test]
    fn requests_are_bounded_and_cover_the_oldest(missing in some(30_000)) {
        let missing = ranges(&missing);
        let asked = requests(&missing);
        prop_assert!(asked.len() <= REQUESTS_MAX);
        for (from, to) in &asked {
            prop_assert!(from <= to && to - from < RESEND_MAX);
        }
        let (wanted, covered) = (numbers(missing.iter()), numbers(asked.iter().copied()));
        let left: BTreeSet<_> = wanted.difference(&covered).collect();
        if let (Some(left), Some(last)) = (left.first(), covered.last()) {
            prop_assert!(*left > last && asked.len() == REQUESTS_MAX);
        }
        prop_assert_eq!(wanted.is_empty(), asked.is_empty());
    }

    #[test]
    fn nothing_is_lost_that_is_not_missing_or_was_found(
        missing in some(60), held in some(60), dropped in some(60), from in 1..60i64, span in 0..60i64
    ) {
        let missing = ranges(&missing);
        let (held, asked) = (ranges(&held), (from, from + span));
        let gone = Ranges::of([asked]).without(&held);
        let cut = |of: &Ranges, cause| -> Vec<Loss> {
            of.iter().map(|(from, to)| Loss { from, to, cause }).collect()
        };
        let dropped = gone.and(&ranges(&dropped));
        let mut losses = cut(&dropped, LossCause::Dropped);
        losses.extend(cut(&gone.without(&dropped), LossCause::Trimmed));
        let answer = ResendAnswer { found: 0, missing: gone.iter().collect(), losses };
        let mut verdict = Verdict::default();
        verdict.add(&missing, asked, &answer);
        let lost: Vec<i64> = verdict
            .lost
            .values()
            .flat_map(|ranges| ranges.iter().flat_map(|(from, to)| from..=to))
            .collect();
        let distinct: BTreeSet<i64> = lost.iter().copied().collect();
        prop_assert_eq!(lost.len(), distinct.len(), "one cause each");
        prop_assert_eq!(distinct, numbers(missing.and(&gone).iter()));
    }
}
