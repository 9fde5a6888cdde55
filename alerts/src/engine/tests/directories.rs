//! What fills a disk is found out after its ticket was opened, and the ticket takes it.

use super::*;

const AT: (&str, i64, &str) = ("web-1", 1, "/var");

fn disk() -> Rule {
    let mut rule = default_rule("Disk critical");
    rule.definition.title = "{{instance}}".into();
    rule
}

fn breach(desk: &mut Desk, second: i64) {
    desk.say(second, AT, CandidateState::Breached, second, 95.0);
}

fn still(desk: &mut Desk, second: i64, since: i64) {
    desk.say(second, AT, CandidateState::StillBreached, since, 96.0);
}

#[test]
fn a_ticket_takes_the_first_directories_it_is_told_and_no_others() {
    let mut desk = Desk::new(vec![disk()]);
    breach(&mut desk, 10);
    desk.check(&["10 open 1/web-1/var@10", "10 page opened 1/web-1/var@10"]);
    still(&mut desk, 25, 10);
    desk.check(&[]);
    desk.context = directories(&["/var/log", "/var/tmp"]);
    still(&mut desk, 40, 10);
    desk.check(&["40 directories /var/log,/var/tmp 1/web-1/var@10"]);
    desk.restart(None);
    desk.context = directories(&["/var/lib"]);
    for second in [55, 115, 175] {
        still(&mut desk, second, 10);
    }
    desk.check(&[]);
}

#[test]
fn the_description_is_drawn_anew_where_it_names_them() {
    let mut without = disk();
    without.definition.description = "{{filesystem}}".into();
    for (rule, expected) in [
        (
            disk(),
            Some(
                "/var of web-1 is 96 % full, the limit is 90 %. -. The largest directories: \
                       /var/log (1 GiB).",
            ),
        ),
        (without, None),
    ] {
        let mut desk = Desk::new(vec![rule]);
        breach(&mut desk, 10);
        desk.context = directories(&["/var/log"]);
        still(&mut desk, 25, 10);
        let drawn = desk.engine.drain_effects().into_iter().find_map(|effect| match effect {
            Effect::Change { what: Change::Directories { description, .. }, .. } => {
                Some(description)
            }
            _ => None,
        });
        assert_eq!(drawn.unwrap().as_deref(), expected);
    }
}

#[test]
fn a_ticket_that_is_opened_after_they_were_found_has_them_from_the_start() {
    let mut rule = disk();
    rule.definition.for_s = 30;
    let mut desk = Desk::new(vec![rule]);
    breach(&mut desk, 0);
    desk.context = directories(&["/var/log"]);
    still(&mut desk, 15, 0);
    desk.tick(30);
    let mut opened = None;
    for effect in desk.engine.drain_effects() {
        if let Effect::Open(draft) = effect {
            opened = Some(draft.context.candidate);
        }
    }
    assert_eq!(opened, Some(directories(&["/var/log"])));
    for second in [45, 60, 105] {
        still(&mut desk, second, 0);
    }
    desk.check(&[]);
}

#[test]
fn the_ticket_of_a_group_tells_nothing_of_one_of_its_hosts() {
    let mut rule = disk();
    let text = r#"{"kind":"group","metric":"filesystem.used_percent","op":"above",
                   "threshold":80,"share_percent":30}"#;
    rule.definition.condition = serde_json::from_str(text).unwrap();
    let mut desk = Desk::new(vec![rule]);
    desk.context = directories(&["/var/log"]);
    breach(&mut desk, 10);
    still(&mut desk, 25, 10);
    let effects = desk.engine.drain_effects();
    let told = |effect: &Effect| match effect {
        Effect::Open(draft) => !draft.context.candidate.directories.is_empty(),
        Effect::Change { what, .. } => matches!(what, Change::Directories { .. }),
        _ => false,
    };
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Open(_))), "{effects:?}");
    assert!(!effects.iter().any(told), "{effects:?}");
}

#[test]
fn a_late_ticket_takes_what_was_found_then_and_a_repetition_of_it_changes_nothing() {
    let mut desk = Desk::new(vec![disk()]);
    desk.say_late(2000, 10, AT, CandidateState::Breached, 10, 95.0);
    desk.check(&["10 open 1/web-1/var@10 late"]);
    desk.context = directories(&["/var/log"]);
    desk.say_late(2001, 25, AT, CandidateState::StillBreached, 10, 95.0);
    desk.check(&["25 directories /var/log 1/web-1/var@10"]);
    desk.is_again = true;
    desk.say_late(2002, 25, AT, CandidateState::StillBreached, 10, 95.0);
    desk.check(&[]);
}
