//! What comes after an outage is judged in event time and pages nobody.

use muster_schemas::conditions::CandidateState::{Breached, Cleared, StillBreached};

use super::*;

const PLACE: (&str, i64, &str) = ("web-1", 1, "");

fn desk() -> Desk {
    Desk::new(vec![cpu(1, 90.0, 300, 1800, Priority::High)])
}

#[test]
fn a_breach_that_is_over_becomes_a_late_ticket_of_its_time_and_no_page() {
    let mut desk = desk();
    desk.say_late(7200, 1000, PLACE, Breached, 1000, 95.0);
    desk.check(&[]);
    desk.say_late(7201, 1250, PLACE, StillBreached, 1000, 95.0);
    desk.check(&[]);
    desk.restart(None);
    desk.say_late(7202, 1400, PLACE, Cleared, 1000, 1.0);
    desk.check(&["1300 open 1@1000 late", "1400 resolve 1@1000 recovered"]);
    desk.tick(20_000);
    desk.check(&[]);
}

#[test]
fn a_late_breach_that_did_not_last_is_no_ticket() {
    let mut desk = desk();
    desk.say_late(7200, 1000, PLACE, Breached, 1000, 95.0);
    desk.say_late(7201, 1299, PLACE, Cleared, 1000, 1.0);
    desk.tick(20_000);
    desk.check(&[]);
}

#[test]
fn the_cooldown_holds_in_event_time() {
    let mut desk = desk();
    desk.say_late(7200, 1000, PLACE, Breached, 1000, 95.0);
    desk.say_late(7200, 1400, PLACE, Cleared, 1000, 1.0);
    assert_eq!(desk.said().len(), 2);
    desk.say_late(7201, 1500, PLACE, Breached, 1500, 95.0);
    desk.say_late(7201, 3199, PLACE, Cleared, 1500, 1.0);
    desk.say_late(7202, 3300, PLACE, Breached, 3300, 95.0);
    desk.say_late(7202, 3700, PLACE, Cleared, 3300, 1.0);
    desk.check(&["3600 open 1@3300 late", "3700 resolve 1@3300 recovered"]);
}

#[test]
fn a_late_breach_that_goes_on_becomes_current_and_pages_then() {
    let mut desk = desk();
    desk.say_late(7200, 6000, PLACE, Breached, 6000, 95.0);
    desk.say_late(7200, 6400, PLACE, StillBreached, 6000, 95.0);
    desk.check(&["6300 open 1@6000 late"]);
    desk.tick(7300);
    desk.check(&[]);
    desk.say(7310, PLACE, StillBreached, 6000, 95.0);
    desk.check(&["7310 current 1@6000", "7310 page opened 1@6000"]);
}

#[test]
fn a_ticket_of_before_the_outage_ends_when_its_breach_ended() {
    let mut desk = desk();
    desk.breach(0, 1, 95.0);
    desk.tick(300);
    desk.check(&["300 open 1@0", "300 page opened 1@0"]);
    desk.offline(400);
    desk.online(4000);
    desk.say_late(4001, 500, PLACE, StillBreached, 0, 95.0);
    desk.say_late(4001, 900, PLACE, Cleared, 0, 1.0);
    desk.check(&["900 resolve 1@0 recovered", "900 page resolved 1@0"]);
}

#[test]
fn what_was_pending_before_the_outage_is_late_too() {
    let mut desk = desk();
    desk.breach(0, 1, 95.0);
    desk.offline(100);
    desk.online(4000);
    desk.say_late(4001, 400, PLACE, Cleared, 0, 1.0);
    desk.check(&["300 open 1@0 late", "400 resolve 1@0 recovered"]);
    desk.say_late(4002, 0, PLACE, Breached, 0, 95.0);
    desk.say_late(4003, 400, PLACE, Cleared, 0, 1.0);
    desk.tick(20_000);
    desk.check(&[]);
}

#[test]
fn an_episode_that_is_sent_again_is_no_second_ticket() {
    let mut desk = Desk::new(vec![cpu(1, 90.0, 0, 0, Priority::High)]);
    desk.breach(0, 1, 95.0);
    desk.still(15, 1, 0, 95.0);
    desk.clear(100, 1, 0);
    assert_eq!(desk.said().len(), 4);
    desk.restart(None);
    desk.is_again = true;
    desk.say_late(110, 0, PLACE, Breached, 0, 95.0);
    desk.say_late(110, 15, PLACE, StillBreached, 0, 95.0);
    desk.say_late(110, 100, PLACE, Cleared, 0, 1.0);
    desk.tick(20_000);
    desk.check(&[]);
}

#[test]
fn a_beginning_that_comes_after_its_end_is_no_ticket() {
    let mut desk = Desk::new(vec![cpu(1, 90.0, 0, 0, Priority::High)]);
    desk.clear(100, 1, 50);
    desk.restart(None);
    desk.is_again = true;
    desk.say_late(110, 50, PLACE, Breached, 50, 95.0);
    desk.tick(20_000);
    desk.check(&[]);
}

#[test]
fn what_was_lost_and_comes_again_pages_when_it_goes_on() {
    let mut desk = Desk::new(vec![cpu(1, 90.0, 0, 0, Priority::High)]);
    desk.is_again = true;
    desk.say_late(60, 50, PLACE, Breached, 50, 95.0);
    desk.check(&["50 open 1@50 late"]);
    desk.is_again = false;
    desk.still(65, 1, 50, 95.0);
    desk.check(&["65 current 1@50", "65 page opened 1@50"]);
    desk.breach(70, 1, 95.0);
    desk.is_again = true;
    desk.say_late(90, 80, PLACE, Cleared, 50, 1.0);
    desk.check(&["80 resolve 1@50 recovered", "80 page resolved 1@50"]);
}

/// An engine that begins to hear at 0 of what has happened until 7200.
fn behind() -> Desk {
    let mut desk = Desk::new(vec![cpu(1, 90.0, 0, 0, Priority::High)]);
    desk.rules[0].definition.channels = vec![1];
    desk.rules[0].definition.escalation =
        vec![crate::rule::EscalationStep { after_s: 300, channels: vec![2] }];
    desk.engine.observe(0, Fact::Rules(desk.rules.clone()));
    desk.engine.catch_up(ms(7200));
    desk
}

#[test]
fn of_what_began_and_ended_while_we_were_away_nobody_is_paged() {
    let mut desk = behind();
    desk.breach(0, 1, 95.0);
    desk.tick(1000);
    desk.clear(1100, 1, 0);
    desk.tick(20_000);
    desk.check(&["0 open 1@0 late", "1100 resolve 1@0 recovered"]);
}

#[test]
fn what_still_holds_when_we_are_back_pages_then_and_escalates_from_then() {
    let mut desk = behind();
    desk.breach(0, 1, 95.0);
    for second in (60..7200).step_by(60) {
        desk.still(second, 1, 0, 95.0);
    }
    desk.tick(7199);
    desk.check(&["0 open 1@0 late"]);
    desk.restart(None);
    desk.engine.catch_up(ms(7210));
    desk.tick(7200);
    desk.check(&["7200 current 1@0", "7200 page opened 1@0 [1]"]);
    desk.tick(7500);
    desk.check(&["7500 page escalated 1@0 [2]"]);
}

#[test]
fn an_escalation_that_fell_due_while_we_were_away_waits_to_see_whether_it_is_over() {
    for is_over in [true, false] {
        let mut desk = behind();
        desk.engine.present = 0;
        desk.breach(0, 1, 95.0);
        desk.check(&["0 open 1@0", "0 page opened 1@0 [1]"]);
        desk.engine.catch_up(ms(1000));
        desk.tick(600);
        desk.check(&[]);
        if is_over {
            desk.clear(700, 1, 0);
            desk.check(&["700 resolve 1@0 recovered", "700 page resolved 1@0 [1]"]);
        } else {
            desk.tick(1000);
            desk.check(&["1000 page escalated 1@0 [2]"]);
        }
    }
}
