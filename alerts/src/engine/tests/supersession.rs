//! Two rules of one metric: people see the higher one.

use super::*;

/// CPU high is rule 1, CPU critical rule 2.
fn both(high_for_s: i64, critical_for_s: i64) -> Desk {
    Desk::new(vec![
        cpu(1, 75.0, high_for_s, 0, Priority::High),
        cpu(2, 90.0, critical_for_s, 0, Priority::Critical),
    ])
}

#[test]
fn the_lower_one_is_not_opened_beside_the_higher_one_and_goes_on_without_a_page() {
    let mut desk = both(600, 300);
    desk.breach(0, 1, 95.0);
    desk.breach(0, 2, 95.0);
    desk.tick(300);
    desk.check(&["300 open 2@0", "300 page opened 2@0"]);
    desk.restart(None);
    desk.tick(700);
    desk.check(&[]);
    desk.clear(800, 2, 0);
    desk.still(801, 1, 0, 80.0);
    desk.check(&["800 resolve 2@0 recovered", "800 page resolved 2@0"]);
    desk.restart(None);
    desk.tick(802);
    desk.check(&["802 open 1@0"]);
    desk.clear(900, 1, 0);
    desk.check(&["900 resolve 1@0 recovered"]);
}

#[test]
fn the_lower_one_is_closed_when_the_higher_one_fires_and_opened_again_after_it() {
    let mut desk = both(0, 300);
    desk.breach(0, 1, 80.0);
    desk.check(&["0 open 1@0", "0 page opened 1@0"]);
    desk.breach(100, 2, 95.0);
    desk.tick(400);
    desk.check(&["400 open 2@100", "400 resolve 1@0 superseded by 2@100", "400 page opened 2@100"]);
    desk.clear(500, 2, 100);
    desk.tick(502);
    desk.check(&["500 resolve 2@100 recovered", "500 page resolved 2@100", "502 reopened 1@0"]);
    desk.clear(600, 1, 0);
    desk.check(&["600 resolve 1@0 recovered", "600 page resolved 1@0"]);
}

#[test]
fn of_two_that_fire_at_once_only_the_higher_one_pages_whichever_is_heard_first() {
    let mut desk = both(0, 0);
    desk.breach(0, 1, 95.0);
    desk.check(&[]);
    desk.breach(0, 2, 95.0);
    desk.check(&["0 open 2@0", "0 page opened 2@0"]);
    desk.tick(10);
    desk.check(&[]);
    desk.clear(20, 2, 0);
    desk.clear(20, 1, 0);
    desk.tick(30);
    desk.check(&["20 resolve 2@0 recovered", "20 page resolved 2@0"]);
}

#[test]
fn the_lower_one_waits_only_a_little_for_a_higher_one_that_does_not_come() {
    let mut desk = both(0, 0);
    desk.breach(0, 1, 95.0);
    desk.tick(1);
    desk.check(&[]);
    desk.tick(2);
    desk.check(&["2 open 1@0", "2 page opened 1@0"]);
    let mut desk = both(0, 0);
    desk.breach(0, 1, 80.0);
    desk.check(&["0 open 1@0", "0 page opened 1@0"]);
}

#[test]
fn when_nobody_was_told_of_the_higher_one_the_lower_one_pages() {
    let mut desk = both(0, 0);
    desk.engine.observe(0, Fact::Silences(vec![super::around::silence(0, 100, Some(2))]));
    desk.breach(10, 2, 95.0);
    desk.breach(10, 1, 95.0);
    desk.check(&["10 open 2@10 silenced"]);
    desk.clear(50, 2, 10);
    desk.tick(60);
    desk.check(&["50 resolve 2@10 recovered", "52 open 1@10", "52 page opened 1@10"]);
}

#[test]
fn of_three_levels_one_is_open_whichever_is_looked_at_first() {
    for ids in [[1, 2, 3], [3, 2, 1], [2, 1, 3]] {
        let [low, high, critical] = ids;
        let mut desk = Desk::new(vec![
            cpu(low, 60.0, 0, 0, Priority::Low),
            cpu(high, 75.0, 0, 0, Priority::High),
            cpu(critical, 90.0, 0, 0, Priority::Critical),
        ]);
        for id in ids {
            desk.breach(0, id, 95.0);
        }
        desk.tick(10);
        let opened = |second: i64, id: i64| format!("{second} open {id}@0");
        assert_eq!(desk.said()[0], opened(0, critical));
        desk.clear(20, critical, 0);
        desk.tick(30);
        assert_eq!(desk.said()[2..], [opened(22, high)]);
        desk.clear(40, high, 0);
        desk.tick(50);
        assert_eq!(desk.said()[1..], [opened(42, low)]);
    }
}

#[test]
fn a_rule_that_is_deleted_gives_its_place_back() {
    let mut desk = both(0, 0);
    desk.breach(0, 2, 95.0);
    desk.breach(0, 1, 95.0);
    desk.said();
    let kept = vec![desk.rules[0].clone()];
    desk.engine.observe(ms(10), Fact::Rules(kept));
    desk.check(&[
        "10 resolve 2@0 rulechanged",
        "10 page resolved 2@0",
        "10 open 1@0",
        "10 page opened 1@0",
    ]);
}

#[test]
fn a_flapping_lower_one_waits_between_two_breaches_without_turning_in_place() {
    let mut desk = both(0, 0);
    for begin in 0..6 {
        desk.breach(begin * 60, 1, 80.0);
        desk.clear(begin * 60 + 30, 1, begin * 60);
    }
    desk.breach(350, 1, 80.0);
    desk.breach(355, 2, 95.0);
    desk.clear(360, 1, 350);
    desk.clear(365, 2, 355);
    desk.said();
    desk.tick(400);
    // Flapping ends ten minutes after the last change: looked at no more than once before.
    let mut looks = Vec::new();
    while let Some(next) = desk.engine.next_deadline().filter(|next| *next <= ms(960)) {
        assert!(looks.last() < Some(&next), "due in place");
        looks.push(next);
        desk.engine.tick(next);
    }
    assert_eq!(looks.last(), Some(&ms(960)));
    assert!(looks.len() <= 2, "{looks:?}");
}
