//! What holds pages up and what sends more of them: silences, flapping, offline hosts, people,
//! escalation; and rules about groups.

use muster_schemas::conditions::CandidateState::{Breached, Cleared};

use super::*;
use crate::rule::EscalationStep;
use crate::silence::Silence;

pub fn silence(from: i64, to: i64, rule_id: Option<i64>) -> Silence {
    Silence {
        id: 1,
        selector: "id=web-*".into(),
        rule_id,
        reason: "patching".into(),
        author: "ann".into(),
        starts_at: ms(from),
        ends_at: Some(ms(to)),
        recurrence: None,
    }
}

fn at_once() -> Rule {
    cpu(1, 90.0, 0, 0, Priority::High)
}

fn escalating() -> Rule {
    let mut rule = at_once();
    rule.definition.channels = vec![1];
    rule.definition.escalation = vec![
        EscalationStep { after_s: 300, channels: vec![2] },
        EscalationStep { after_s: 600, channels: vec![3, 4] },
    ];
    rule
}

#[test]
fn a_silenced_ticket_pages_when_the_silence_ends_and_it_still_holds() {
    let mut desk = Desk::new(vec![at_once()]);
    desk.engine.observe(0, Fact::Silences(vec![silence(0, 100, None)]));
    desk.breach(10, 1, 95.0);
    desk.check(&["10 open 1@10 silenced"]);
    desk.restart(None);
    desk.engine.observe(0, Fact::Silences(vec![silence(0, 100, None)]));
    desk.tick(99);
    desk.check(&[]);
    desk.tick(120);
    desk.check(&["100 silenced(false) 1@10", "100 page opened 1@10"]);
}

#[test]
fn of_a_breach_that_ends_within_a_silence_nobody_hears() {
    let mut desk = Desk::new(vec![at_once()]);
    desk.engine.observe(0, Fact::Silences(vec![silence(0, 100, None)]));
    desk.breach(10, 1, 95.0);
    desk.clear(50, 1, 10);
    desk.tick(200);
    desk.check(&["10 open 1@10 silenced", "50 resolve 1@10 recovered"]);
}

#[test]
fn a_silence_that_is_taken_back_pages_at_once_and_one_that_comes_later_marks_the_ticket() {
    let mut desk = Desk::new(vec![escalating()]);
    desk.engine.observe(0, Fact::Silences(vec![silence(0, 1000, None)]));
    desk.breach(10, 1, 95.0);
    desk.engine.observe(ms(20), Fact::Silences(Vec::new()));
    desk.check(&["10 open 1@10 silenced", "20 silenced(false) 1@10", "20 page opened 1@10 [1]"]);
    desk.engine.observe(ms(30), Fact::Silences(vec![silence(30, 400, None)]));
    desk.tick(399);
    desk.check(&["30 silenced(true) 1@10"]);
    desk.tick(400);
    desk.check(&["400 silenced(false) 1@10", "400 page escalated 1@10 [2]"]);
}

#[test]
fn a_ticket_nobody_acknowledges_escalates_and_all_who_were_told_hear_of_its_end() {
    let mut desk = Desk::new(vec![escalating()]);
    desk.breach(0, 1, 95.0);
    desk.tick(700);
    desk.check(&[
        "0 open 1@0",
        "0 page opened 1@0 [1]",
        "300 page escalated 1@0 [2]",
        "600 page escalated 1@0 [3, 4]",
    ]);
    desk.clear(800, 1, 0);
    desk.check(&[
        "800 resolve 1@0 recovered",
        "800 page resolved 1@0 [1]",
        "800 page resolved 1@0 [2]",
        "800 page resolved 1@0 [3, 4]",
    ]);
}

#[test]
fn who_was_told_twice_hears_of_the_end_once() {
    let mut rule = escalating();
    rule.definition.escalation[0].channels = vec![1];
    rule.definition.escalation[1].channels = vec![1, 2];
    let mut desk = Desk::new(vec![rule]);
    desk.breach(0, 1, 95.0);
    desk.tick(700);
    assert_eq!(desk.said().len(), 4);
    desk.restart(None);
    desk.clear(800, 1, 0);
    desk.check(&[
        "800 resolve 1@0 recovered",
        "800 page resolved 1@0 [1]",
        "800 page resolved 1@0 [2]",
    ]);
}

#[test]
fn an_acknowledgement_stops_the_escalation_and_is_gone_with_the_recovery() {
    let mut desk = Desk::new(vec![escalating()]);
    desk.breach(0, 1, 95.0);
    desk.said();
    let ticket: crate::TicketKey = format!("1/web-1//{}", ms(0)).parse().unwrap();
    let by = "ann".to_owned();
    desk.engine.observe(ms(100), Fact::Acknowledged { ticket, by, at: ms(100) });
    desk.check(&["100 acknowledged { by: \"ann\" } 1@0"]);
    desk.restart(None);
    desk.tick(900);
    desk.check(&[]);
    desk.clear(1000, 1, 0);
    desk.breach(1100, 1, 95.0);
    desk.said();
    desk.tick(1400);
    desk.check(&["1400 page escalated 1@1100 [2]"]);
}

#[test]
fn an_acknowledgement_that_is_taken_back_lets_the_escalation_go_on() {
    let mut desk = Desk::new(vec![escalating()]);
    desk.breach(0, 1, 95.0);
    let ticket: crate::TicketKey = format!("1/web-1//{}", ms(0)).parse().unwrap();
    let by = "ann".to_owned();
    let fact = Fact::Acknowledged { ticket: ticket.clone(), by: by.clone(), at: ms(100) };
    desk.engine.observe(ms(100), fact);
    desk.said();
    desk.engine.observe(ms(200), Fact::Unacknowledged { ticket, by, at: ms(200) });
    desk.check(&["200 unacknowledged { by: \"ann\" } 1@0"]);
    desk.tick(400);
    desk.check(&["300 page escalated 1@0 [2]"]);
}

fn resolve_by_hand(desk: &mut Desk, second: i64, ticket: &str) {
    let (ticket, by) = (ticket.parse().unwrap(), "ann".to_owned());
    desk.engine.observe(ms(second), Fact::Resolved { ticket, by, at: ms(second) });
}

#[test]
fn a_ticket_that_is_resolved_by_hand_stays_so_until_its_breach_has_ended_once() {
    let mut desk = Desk::new(vec![cpu(1, 90.0, 0, 600, Priority::High)]);
    desk.breach(0, 1, 95.0);
    desk.said();
    resolve_by_hand(&mut desk, 100, &format!("1/web-1//{}", ms(0)));
    desk.check(&["100 resolve 1@0 by { by: \"ann\" }", "100 page resolved 1@0"]);
    desk.restart(None);
    desk.still(800, 1, 0, 95.0);
    desk.breach(900, 1, 95.0);
    desk.tick(1000);
    desk.clear(1100, 1, 900);
    desk.check(&[]);
    desk.breach(1200, 1, 95.0);
    desk.check(&["1200 open 1@1200", "1200 page opened 1@1200"]);
}

#[test]
fn a_host_that_is_offline_can_be_resolved_by_hand_until_it_is_back() {
    let mut desk = Desk::new(vec![default_rule("Host offline")]);
    desk.offline(40);
    desk.said();
    resolve_by_hand(&mut desk, 100, &format!("1/web-1//{}", ms(40)));
    desk.check(&["100 resolve 1@40 by { by: \"ann\" }", "100 page resolved 1@40"]);
    desk.restart(Some((40, Presence::Offline)));
    desk.tick(9000);
    desk.check(&[]);
    desk.online(9100);
    desk.offline(9200);
    desk.check(&["9200 open 1@9200", "9200 page opened 1@9200"]);
}

#[test]
fn a_flapping_breach_is_one_ticket_that_says_so_and_pages_once_it_is_quiet() {
    let mut desk = Desk::new(vec![cpu(1, 90.0, 0, 0, Priority::High)]);
    for begin in 0..5 {
        desk.breach(begin * 60, 1, 95.0);
        desk.clear(begin * 60 + 30, 1, begin * 60);
    }
    assert_eq!(desk.said().len(), 20);
    for begin in 5..9 {
        desk.breach(begin * 60, 1, 95.0);
        desk.clear(begin * 60 + 30, 1, begin * 60);
    }
    desk.check(&["300 open 1@300 flapping"]);
    desk.restart(None);
    desk.breach(560, 1, 95.0);
    desk.tick(1159);
    desk.check(&[]);
    desk.tick(1160);
    desk.check(&["1160 flapping(false) 1@300", "1160 page opened 1@300"]);
    desk.clear(1200, 1, 560);
    desk.check(&["1200 resolve 1@300 recovered", "1200 page resolved 1@300"]);
}

#[test]
fn flapping_that_comes_to_rest_ends_the_ticket_without_a_page() {
    let mut desk = Desk::new(vec![cpu(1, 90.0, 0, 0, Priority::High)]);
    for begin in 0..6 {
        desk.breach(begin * 60, 1, 95.0);
        desk.clear(begin * 60 + 30, 1, begin * 60);
    }
    desk.said();
    desk.tick(929);
    desk.check(&[]);
    desk.tick(930);
    desk.check(&["930 flapping(false) 1@300", "930 resolve 1@300 recovered"]);
}

#[test]
fn what_is_pending_when_a_host_goes_offline_waits_until_it_speaks_again() {
    let mut desk = Desk::new(vec![cpu(1, 90.0, 300, 0, Priority::High)]);
    desk.breach(0, 1, 95.0);
    desk.offline(100);
    desk.tick(1000);
    desk.online(1100);
    desk.tick(1110);
    desk.check(&[]);
    desk.restart(Some((1100, Presence::Online)));
    desk.still(1120, 1, 0, 95.0);
    desk.check(&["1120 open 1@0", "1120 page opened 1@0"]);
}

#[test]
fn a_host_that_is_offline_escalates_only_that() {
    let mut offline = default_rule("Host offline");
    offline.id = 2;
    let mut desk = Desk::new(vec![escalating(), offline]);
    desk.breach(0, 1, 95.0);
    desk.said();
    desk.offline(200);
    desk.tick(1000);
    desk.check(&["200 open 2@200", "200 page opened 2@200"]);
    desk.online(1000);
    desk.check(&["1000 resolve 2@200 recovered", "1000 page resolved 2@200"]);
    desk.still(1010, 1, 0, 95.0);
    desk.check(&["1010 page escalated 1@0 [2]", "1010 page escalated 1@0 [3, 4]"]);
}

#[test]
fn a_rule_that_finds_a_host_offline_counts_from_now_with_the_silence_of_now() {
    for loads in [false, true] {
        let mut desk = Desk::new(Vec::new());
        desk.engine.observe(0, Fact::Silences(vec![silence(90, 200, None)]));
        desk.offline(40);
        desk.rules = vec![default_rule("Host offline")];
        if loads {
            desk.restart(Some((40, Presence::Offline)));
            desk.engine.observe(0, Fact::Silences(vec![silence(90, 200, None)]));
            desk.tick(100);
        } else {
            desk.engine.observe(ms(100), Fact::Rules(desk.rules.clone()));
        }
        let effects = desk.engine.drain_effects();
        let Effect::Open(draft) = &effects[0] else { panic!("{effects:?}") };
        assert_eq!(draft.begun_at, ms(40));
        let said: Vec<String> = effects.iter().filter_map(line).collect();
        assert_eq!(said, ["100 open 1@100 silenced"]);
        desk.tick(300);
        desk.check(&["200 silenced(false) 1@100", "200 page opened 1@100"]);
        desk.engine.observe(ms(400), Fact::Rules(Vec::new()));
        desk.engine.observe(ms(500), Fact::Rules(desk.rules.clone()));
        desk.check(&[
            "400 resolve 1@100 rulechanged",
            "400 page resolved 1@100",
            "500 open 1@500",
            "500 page opened 1@500",
        ]);
    }
}

#[test]
fn a_rule_that_changes_what_is_judged_ends_what_was_breached_and_a_new_title_does_not() {
    let mut desk = Desk::new(vec![at_once()]);
    desk.breach(0, 1, 95.0);
    desk.said();
    let mut renamed = at_once();
    renamed.version = 2;
    renamed.definition.title = "New".into();
    renamed.definition.priority = Priority::Low;
    desk.engine.observe(ms(10), Fact::Rules(vec![renamed.clone()]));
    desk.check(&["10 priority(low) 1@0"]);
    renamed.definition.selector = "id=db-*".into();
    desk.engine.observe(ms(20), Fact::Rules(vec![renamed]));
    desk.check(&["20 resolve 1@0 rulechanged", "20 page resolved 1@0"]);
    assert_eq!(desk.engine.states_count(), 0);
}

#[test]
fn a_rule_that_does_not_pass_its_check_is_left_out_and_told() {
    let mut broken = at_once();
    broken.definition.for_s = -1;
    let mut desk = Desk::new(vec![broken, cpu(2, 90.0, 0, 0, Priority::High)]);
    desk.breach(0, 2, 95.0);
    let said = desk.said();
    assert!(said[0].starts_with("refused Rule 1 for_s is -1"), "{said:?}");
    assert_eq!(said.len(), 3);
}

#[test]
fn a_host_that_is_removed_leaves_nothing_behind() {
    let mut desk = Desk::new(vec![at_once()]);
    desk.breach(0, 1, 95.0);
    desk.said();
    desk.engine.observe(ms(5), Fact::HostRemoved { host: "web-1".parse().unwrap() });
    desk.check(&["5 resolve 1@0 hostremoved", "5 page resolved 1@0"]);
    assert_eq!(desk.engine.states_count(), 0);
}

fn group(for_s: i64) -> Desk {
    let text = serde_json::json!({
        "name": "many", "priority": "high", "for_s": for_s, "selector": "role=web",
        "title": "{{count}} hosts, {{value}}: {{hosts}}",
        "condition": {"kind": "group", "metric": "cpu.usage_percent", "op": "above",
                      "threshold": 90, "share_percent": 40},
    });
    let definition = RuleDefinition::from_json(text.to_string().as_bytes()).unwrap();
    let mut desk = Desk::new(vec![Rule { id: 1, version: 1, definition }]);
    for host in ["web-1", "web-2", "web-3", "web-4", "web-5"] {
        desk.host(0, host, &[("role", "web")]);
    }
    desk.host(0, "db-1", &[("role", "db")]);
    desk
}

#[test]
fn a_group_fires_once_when_more_than_its_share_is_breached() {
    let mut desk = group(60);
    for (second, host) in [(10, "web-1"), (20, "web-2"), (20, "db-1"), (30, "web-3")] {
        desk.say(second, (host, 1, ""), Breached, second, 95.0);
    }
    desk.tick(89);
    desk.check(&[]);
    desk.tick(90);
    let effects = desk.engine.drain_effects();
    let Effect::Open(draft) = &effects[0] else { panic!("{effects:?}") };
    assert_eq!(draft.title, "3 hosts, 60 %: web-1, web-2, web-3");
    assert_eq!((draft.key.host.clone(), draft.context.hosts_count), (None, Some(3)));
    assert_eq!(line(&effects[1]).unwrap(), "90 page opened 1/*@30");
    desk.say(100, ("web-4", 1, ""), Breached, 100, 95.0);
    desk.say(110, ("web-1", 1, ""), Cleared, 10, 1.0);
    desk.check(&[]);
    desk.say(120, ("web-2", 1, ""), Cleared, 20, 1.0);
    desk.check(&["120 resolve 1/*@30 recovered", "120 page resolved 1/*@30"]);
}

#[test]
fn the_share_is_of_the_hosts_that_are_online() {
    let mut desk = group(0);
    desk.say(10, ("web-1", 1, ""), Breached, 10, 95.0);
    desk.say(11, ("web-2", 1, ""), Breached, 11, 95.0);
    desk.check(&[]);
    desk.presence(20, "web-5", Presence::Offline);
    desk.check(&["20 open 1/*@20", "20 page opened 1/*@20"]);
    // That it falls silent is no recovery.
    desk.presence(30, "web-1", Presence::Offline);
    desk.check(&[]);
    desk.presence(40, "web-1", Presence::Online);
    desk.say(50, ("web-1", 1, ""), Cleared, 10, 1.0);
    desk.check(&["50 resolve 1/*@20 recovered", "50 page resolved 1/*@20"]);
}

/// From 60 s on nothing was heard, until `second`.
fn deaf(second: i64) -> Desk {
    let mut desk = Desk::new(vec![cpu(1, 90.0, 300, 0, Priority::High)]);
    desk.breach(0, 1, 95.0);
    desk.still(60, 1, 0, 95.0);
    desk.engine.deaf_until(ms(second));
    desk.tick(second);
    desk
}

#[test]
fn what_is_pending_when_nothing_can_be_heard_waits_until_the_host_speaks_again() {
    let mut desk = deaf(400);
    desk.check(&[]);
    desk.clear(410, 1, 0);
    desk.tick(5000);
    desk.check(&[]);

    let mut desk = deaf(400);
    desk.still(410, 1, 0, 95.0);
    desk.check(&["410 open 1@0", "410 page opened 1@0"]);
}

#[test]
fn when_nothing_can_be_heard_nobody_is_silent() {
    let mut desk = Desk::new(vec![escalating()]);
    desk.breach(0, 1, 95.0);
    desk.still(60, 1, 0, 95.0);
    desk.said();
    desk.engine.deaf_until(ms(5000));
    desk.tick(5000);
    desk.check(&[]);
    desk.still(5010, 1, 0, 95.0);
    let said = desk.said();
    assert!(
        said.iter().all(|line| line.contains("value") || line.contains("escalated")),
        "{said:?}"
    );
    assert!(said.iter().any(|line| line.contains("escalated")), "{said:?}");
    // Whoever is silent from then on is.
    desk.tick(20_000);
    assert!(desk.said().iter().any(|line| line.contains("unheard")));
}

#[test]
fn an_escalation_that_is_edited_goes_on_by_time() {
    let mut desk = Desk::new(vec![escalating()]);
    desk.breach(0, 1, 95.0);
    let steps = desk.rules[0].definition.escalation.clone();
    let first_s = steps[0].after_s;
    desk.tick(first_s);
    desk.said();
    let mut edited = desk.rules[0].clone();
    edited.version = 2;
    edited.definition.escalation.remove(0);
    let mut sooner = steps[0].clone();
    sooner.after_s = 1;
    edited.definition.escalation.insert(0, sooner);
    desk.engine.observe(ms(first_s + 1), Fact::Rules(vec![edited]));
    // What would have been told before is not told after what came later.
    desk.tick(first_s + 2);
    desk.check(&[]);
}
