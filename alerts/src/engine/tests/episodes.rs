//! One episode after the other: each default rule walked from its breach to its end.

use muster_schemas::conditions::CandidateState::{Breached, Cleared, StillBreached};

use super::*;

/// Walks a default rule of this duration and cooldown, in seconds: it fires exactly at the
/// duration, a dip resets, it resolves, the cooldown holds, and all of it across restarts.
fn walk(name: &str, instance: &str, for_s: i64, cooldown_s: i64, restarts: bool) {
    let mut desk = Desk::new(vec![default_rule(name)]);
    let place = ("web-1", 1, instance);
    let key = |begun: i64| {
        if instance.is_empty() {
            format!("1@{begun}")
        } else {
            format!("1/web-1{instance}@{begun}")
        }
    };
    let restart = |desk: &mut Desk| {
        if restarts {
            desk.restart(None);
        }
    };
    let mut begun = 10;
    if for_s > 0 {
        desk.say(10, place, Breached, 10, 2000.0);
        restart(&mut desk);
        desk.tick(10 + for_s - 1);
        desk.say(10 + for_s - 1, place, Cleared, 10, 1.0);
        desk.tick(10 + 2 * for_s);
        desk.check(&[]);
        begun = 10 + 2 * for_s;
    }
    let fires = begun + for_s;
    desk.say(begun, place, Breached, begun, 2000.0);
    if for_s > 0 {
        restart(&mut desk);
        desk.engine.tick(ms(fires) - 1);
        desk.check(&[]);
        restart(&mut desk);
        desk.tick(fires);
    }
    let opened = format!("{fires} open {}", key(begun));
    desk.check(&[&opened, &format!("{fires} page opened {}", key(begun))]);
    restart(&mut desk);
    let ends = fires + 60;
    desk.say(ends, place, Cleared, begun, 1.0);
    desk.check(&[
        &format!("{ends} resolve {} recovered", key(begun)),
        &format!("{ends} page resolved {}", key(begun)),
    ]);
    let again = ends + 1;
    desk.say(again, place, Breached, again, 2000.0);
    restart(&mut desk);
    let mut heard = again + 15;
    while heard < ends + cooldown_s.max(for_s) {
        desk.say(heard, place, StillBreached, again, 2000.0);
        heard += 15;
    }
    desk.engine.tick(ms(ends + cooldown_s) - 1);
    desk.check(&[]);
    restart(&mut desk);
    let fires = (ends + cooldown_s).max(again + for_s);
    desk.tick(fires);
    let opened = format!("{fires} open {}", key(again));
    desk.check(&[&opened, &format!("{fires} page opened {}", key(again))]);
}

#[test]
fn each_default_rule_fires_exactly_at_its_duration_and_not_within_its_cooldown() {
    for restarts in [false, true] {
        walk("CPU critical", "", 300, 1800, restarts);
        walk("CPU high", "", 600, 3600, restarts);
        walk("Memory critical", "", 300, 1800, restarts);
        walk("Memory high", "", 600, 3600, restarts);
        walk("Disk critical", "/var", 0, 7200, restarts);
        walk("Disk high", "/", 0, 14_400, restarts);
        walk("Network spike, received", "", 60, 1800, restarts);
        walk("Network spike, sent", "", 60, 1800, restarts);
        walk("Too many processes", "", 300, 3600, restarts);
        walk("Swap in use", "", 600, 3600, restarts);
        walk("Temperature high", "", 300, 3600, restarts);
        walk("Error-log burst", "", 60, 1800, restarts);
        walk("Clock off", "", 300, 3600, restarts);
    }
}

#[test]
fn a_host_that_goes_offline_is_a_ticket_at_once_and_ends_when_it_is_back() {
    let mut desk = Desk::new(vec![default_rule("Host offline")]);
    desk.online(5);
    desk.offline(40);
    desk.check(&["40 open 1@40", "40 page opened 1@40"]);
    desk.offline(50);
    desk.restart(Some((40, Presence::Offline)));
    desk.tick(60);
    desk.online(70);
    desk.check(&["70 resolve 1@40 recovered", "70 page resolved 1@40"]);
}

#[test]
fn a_ticket_says_the_numbers() {
    let mut desk = Desk::new(vec![default_rule("CPU critical")]);
    desk.breach(0, 1, 97.5);
    desk.tick(300);
    let effects = desk.engine.drain_effects();
    let Effect::Open(draft) = &effects[0] else { panic!("{effects:?}") };
    assert_eq!(draft.title, "CPU of web-1 at 97.5 % for 5 min");
    assert!(draft.description.contains("over 90 % for 5 min, since 2027-01-15"), "{draft:?}");
    assert_eq!((draft.value, draft.threshold), (Some(97.5), Some(90.0)));
}

#[test]
fn a_breach_of_which_the_beginning_was_missed_fires_when_it_is_heard_of() {
    let mut desk = Desk::new(vec![cpu(1, 90.0, 300, 0, Priority::High)]);
    desk.still(1000, 1, 100, 95.0);
    desk.check(&["1000 open 1@1000", "1000 page opened 1@1000"]);
}

#[test]
fn a_clock_of_a_host_that_is_wrong_changes_nothing() {
    let mut desk = Desk::new(vec![cpu(1, 90.0, 300, 0, Priority::High)]);
    let host = "web-1".parse().unwrap();
    let clock_offset_ms = Some(-3_600_000);
    desk.engine.observe(0, Fact::Host { host, labels: [].into(), clock_offset_ms });
    let place = ("web-1", 1, "");
    desk.say_late(10, 10 - 3600, place, Breached, 10 - 3600, 95.0);
    desk.tick(310);
    desk.check(&["310 open 1@10", "310 page opened 1@10"]);
}

#[test]
fn an_agent_that_was_restarted_begins_anew_and_a_ticket_goes_on() {
    let mut desk = Desk::new(vec![cpu(1, 90.0, 300, 0, Priority::High)]);
    desk.breach(0, 1, 95.0);
    desk.breach(200, 1, 95.0);
    desk.tick(499);
    desk.check(&[]);
    desk.tick(500);
    desk.check(&["500 open 1@200", "500 page opened 1@200"]);
    desk.breach(600, 1, 95.0);
    desk.clear(700, 1, 600);
    desk.check(&["700 resolve 1@200 recovered", "700 page resolved 1@200"]);
}

#[test]
fn what_a_host_does_not_speak_of_any_more_is_over() {
    let mut desk = Desk::new(vec![cpu(1, 90.0, 0, 0, Priority::High)]);
    desk.breach(0, 1, 95.0);
    desk.said();
    desk.still(60, 1, 0, 95.0);
    desk.tick(659);
    desk.check(&[]);
    desk.tick(660);
    desk.check(&["660 resolve 1@0 unheard", "660 page resolved 1@0"]);
}

#[test]
fn a_long_interval_is_learnt_before_silence_means_anything() {
    let mut desk = Desk::new(vec![cpu(1, 90.0, 0, 0, Priority::High)]);
    desk.breach(0, 1, 95.0);
    desk.said();
    for hour in 1..4 {
        desk.still(hour * 3600, 1, 0, 95.0);
    }
    desk.tick(6 * 3600 - 1);
    desk.check(&[]);
    desk.tick(6 * 3600);
    desk.check(&["21600 resolve 1@0 unheard", "21600 page resolved 1@0"]);
}

#[test]
fn only_what_is_not_calm_is_kept() {
    let mut desk = Desk::new(vec![cpu(1, 90.0, 300, 0, Priority::High)]);
    desk.breach(0, 1, 95.0);
    desk.clear(10, 1, 0);
    assert_eq!(desk.engine.states_count(), 1);
    desk.tick(10 + 1800);
    assert_eq!(desk.engine.states_count(), 0);
    assert_eq!(desk.engine.next_deadline(), None);
    let forgotten = desk.engine.drain_effects();
    assert!(matches!(forgotten.as_slice(), [Effect::Forget(_)]), "{forgotten:?}");
}

#[test]
fn a_host_that_makes_names_up_is_kept_within_bounds() {
    let mut desk = Desk::new(vec![cpu(1, 90.0, 300, 0, Priority::High)]);
    let instances: Vec<String> = (0..1100).map(|n| format!("cpu{n}")).collect();
    for instance in &instances {
        desk.say(0, ("web-1", 1, instance), Breached, 0, 95.0);
    }
    assert_eq!(desk.engine.states_count(), 1024);
    desk.say(10, ("web-1", 1, "cpu7"), Cleared, 0, 1.0);
    desk.say(20, ("web-1", 1, "another"), Breached, 20, 95.0);
    desk.say(30, ("web-1", 1, "third"), Breached, 30, 95.0);
    assert_eq!(desk.engine.states_count(), 1024);
    desk.tick(330);
    let said = desk.said();
    assert_eq!(said.iter().filter(|line| line.contains(" open ")).count(), 1023);
    let refused = ["another", "third", "cpu7@"];
    let is_refused = |line: &String| refused.iter().any(|name| line.contains(name));
    assert!(!said.iter().any(is_refused), "{said:?}");
    // What is over makes room once it is forgotten.
    desk.tick(1900);
    desk.say(1910, ("web-1", 1, "fourth"), Breached, 1910, 95.0);
    assert_eq!(desk.engine.states_count(), 1024);
}

#[test]
fn an_instance_the_rule_is_not_about_opens_nothing() {
    let mut rule = cpu(1, 90.0, 0, 0, Priority::High);
    let crate::rule::RuleCondition::Metric(metric) = &mut rule.definition.condition else {
        unreachable!()
    };
    metric.instance = Some("cpu*".into());
    let mut desk = Desk::new(vec![rule]);
    desk.say(0, ("web-1", 1, "gpu0"), Breached, 0, 95.0);
    desk.say(0, ("web-1", 1, "cpu0"), Breached, 0, 95.0);
    desk.check(&["0 open 1/web-1cpu0@0", "0 page opened 1/web-1cpu0@0"]);
}
