//! The clock is moved by hand; the "database" is the row the machine itself proposed.

use proptest::prelude::*;

use super::*;

const INTERVAL: i64 = 10_000;
const ALLOWANCE: i64 = 3 * INTERVAL + TOLERANCE_MS;

fn host(name: &str) -> HostId {
    name.parse().unwrap()
}

fn heartbeat(at: i64) -> Fact {
    Fact::Heard(host("web-3"), Heartbeat { at, interval_ms: INTERVAL, clock_offset_ms: None })
}

fn stored(status: Status, heartbeat_at: i64) -> Fact {
    let row = Row { status, heartbeat_at, interval_ms: INTERVAL };
    Fact::Reloaded(vec![(host("web-3"), row)])
}

/// Becomes current once a second, as the service does, and ticks.
fn pass(presence: &mut Presence, from: i64, to: i64) -> Vec<Effect> {
    let mut effects = Vec::new();
    for now in (from..=to).step_by(1_000) {
        presence.observe(now, Fact::Current);
        presence.tick(now);
        effects.extend(presence.drain_effects());
    }
    effects
}

fn offline(at: i64, last_heartbeat_at: i64) -> Effect {
    Effect::Offline { host: host("web-3"), at, last_heartbeat_at, interval_ms: INTERVAL }
}

fn online(at: i64, away_ms: Option<i64>) -> Effect {
    Effect::Online { host: host("web-3"), at, away_ms }
}

#[test]
fn a_host_is_online_at_its_first_heartbeat_and_offline_after_more_than_two_missed_ones() {
    let mut presence = Presence::default();
    assert_eq!(pass(&mut presence, 0, 5_000), []);
    presence.observe(5_000, heartbeat(5_000));
    assert_eq!(presence.drain_effects(), [online(5_000, None)]);
    assert_eq!(presence.next_deadline(), Some(5_001 + ALLOWANCE));
    assert_eq!(pass(&mut presence, 5_000, 5_000 + ALLOWANCE), []);
    let at = 6_000 + ALLOWANCE;
    assert_eq!(pass(&mut presence, at, at + 100_000), [offline(at, 5_000)]);
    assert_eq!(presence.next_deadline(), None);
    presence.observe(200_000, heartbeat(200_000));
    assert_eq!(presence.drain_effects(), [online(200_000, Some(195_000))]);
}

#[test]
fn nobody_is_judged_before_the_worker_is_current_and_silence_counts_from_then() {
    let mut presence = Presence::default();
    presence.observe(1_000_000, stored(Status::Online, 0));
    presence.tick(1_000_000);
    assert_eq!(presence.drain_effects(), []);
    assert_eq!(pass(&mut presence, 1_000_000, 1_000_000 + ALLOWANCE), []);
    let at = 1_001_000 + ALLOWANCE;
    assert_eq!(pass(&mut presence, at, at), [offline(at, 0)]);
}

#[test]
fn a_lost_bus_stops_the_judging_until_all_was_heard_again() {
    let mut presence = Presence::default();
    presence.observe(0, stored(Status::Online, 0));
    pass(&mut presence, 0, 20_000);
    presence.observe(21_000, Fact::Lost);
    presence.tick(500_000);
    assert_eq!(presence.drain_effects(), []);
    assert_eq!(pass(&mut presence, 500_000, 500_000 + ALLOWANCE), []);
}

#[test]
fn a_worker_that_stood_still_starts_again() {
    let mut presence = Presence::default();
    presence.observe(0, stored(Status::Online, 0));
    pass(&mut presence, 0, 20_000);
    // Suspended; wakes up and ticks before it looks at the bus.
    presence.tick(400_000);
    assert_eq!(presence.drain_effects(), []);
    assert_eq!(pass(&mut presence, 400_000, 400_000 + ALLOWANCE), []);
}

#[test]
fn a_proposal_that_was_refused_is_judged_by_what_the_database_says() {
    let mut presence = Presence::default();
    presence.observe(0, stored(Status::Online, 0));
    assert_eq!(pass(&mut presence, 0, 32_000).len(), 1);
    let row = Row { status: Status::Online, heartbeat_at: 30_000, interval_ms: INTERVAL };
    presence.observe(32_000, Fact::Stored(host("web-3"), Some(row)));
    assert_eq!(pass(&mut presence, 32_000, 30_000 + ALLOWANCE), []);
    assert_eq!(pass(&mut presence, 62_000, 63_000), [offline(62_000, 30_000)]);
}

#[test]
fn an_old_heartbeat_brings_nobody_back() {
    let mut presence = Presence::default();
    presence.observe(500_000, stored(Status::Offline, 0));
    presence.observe(500_000, heartbeat(0));
    presence.observe(500_000, heartbeat(100_000));
    assert_eq!(presence.drain_effects(), []);
    presence.observe(500_000, heartbeat(499_000));
    assert_eq!(presence.drain_effects(), [online(499_000, Some(399_000))]);
}

#[test]
fn a_host_the_database_no_longer_has_is_forgotten() {
    let mut presence = Presence::default();
    presence.observe(0, stored(Status::Online, 0));
    presence.observe(0, Fact::Reloaded(vec![]));
    assert_eq!(pass(&mut presence, 0, 200_000), []);
}

/// Heartbeats as gaps of seconds; a gap over the allowance is an episode. The worker may be
/// restarted at any of them; answers the transitions of the whole life.
fn live(gaps_s: &[i64], restart_after: Option<usize>) -> Vec<Effect> {
    let mut presence = Presence::default();
    let mut effects = pass(&mut presence, 0, 0);
    let mut now = 0;
    for (index, gap) in gaps_s.iter().enumerate() {
        presence.observe(now, heartbeat(now));
        effects.extend(presence.drain_effects());
        if restart_after == Some(index) {
            let rows = presence.hosts.clone().into_iter().collect();
            presence = Presence::default();
            presence.observe(now, Fact::Reloaded(rows));
        }
        let next = now + gap * 1_000;
        effects.extend(pass(&mut presence, now, next - 1));
        now = next;
    }
    effects
}

proptest! {
    #[test]
    fn nobody_is_offline_while_heartbeats_come(gaps in prop::collection::vec(1..=31i64, 1..60)) {
        let mut presence = Presence::default();
        let mut now = 0;
        for gap in gaps {
            presence.observe(now, heartbeat(now));
            for effect in presence.drain_effects().into_iter().chain(pass(&mut presence, now, now + gap * 1_000)) {
                prop_assert!(matches!(effect, Effect::Online { away_ms: None, .. }), "{:?}", effect);
            }
            now += gap * 1_000;
        }
    }

    #[test]
    fn each_episode_has_exactly_one_transition_and_a_restart_changes_nothing(
        gaps in prop::collection::vec(1..=120i64, 1..30),
        restart in prop::option::of(0..30usize),
    ) {
        let effects = live(&gaps, restart);
        let episodes = gaps.iter().filter(|gap| **gap * 1_000 > ALLOWANCE + 1_000).count();
        let gone = effects.iter().filter(|e| matches!(e, Effect::Offline { .. })).count();
        prop_assert_eq!(gone, episodes);
        for pair in effects.windows(2) {
            let same = matches!(pair[0], Effect::Online { .. }) == matches!(pair[1], Effect::Online { .. });
            prop_assert!(!same, "{:?}", pair);
        }
        prop_assert_eq!(effects, live(&gaps, None));
    }
}
