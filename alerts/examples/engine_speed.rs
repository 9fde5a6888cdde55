//! How many observations a second one core decides, and what 10,000 hosts with 15 rules hold, all
//! of them firing: `cargo run --release -p muster-alerts --example engine_speed`.
//!
//! The bench of the whole product has these figures too; this one needs nothing but the engine.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;

use muster_alerts::engine::{Engine, Fact, Scope};
use muster_alerts::{Rule, RuleDefinition};
use muster_schemas::HostId;
use muster_schemas::conditions::{Candidate, CandidateState, Context};

const HOSTS: usize = 10_000;
const RULES: i64 = 15;
/// What is decided and committed at once.
const BATCH_HOSTS: usize = 500;
/// Half of them are news: all breaches begin and fire, end, and begin and fire once more. In the
/// others hosts say what is known, as they do most of the time.
const ROUNDS: i64 = 6;
const ENDS_IN: i64 = 2;
const BEGINS_ANEW_IN: i64 = 3;
const BASE_MS: i64 = 1_800_000_000_000;

fn rules() -> Vec<Rule> {
    let defaults = muster_alerts::defaults::default_rules();
    let judged: Vec<&RuleDefinition> =
        defaults.iter().filter(|rule| rule.condition.metric() != "host.offline").collect();
    let at_once =
        |rule: &RuleDefinition| RuleDefinition { for_s: 0, cooldown_s: 0, ..rule.clone() };
    (1..=RULES)
        .map(|id| Rule { id, version: 1, definition: at_once(judged[id as usize % judged.len()]) })
        .collect()
}

fn facts(rules: &[Rule], hosts: &[HostId], round: i64) -> Vec<(i64, Fact)> {
    let mut facts = Vec::with_capacity(hosts.len() * rules.len());
    let (begun_in, state) = match round {
        0 => (0, CandidateState::Breached),
        ENDS_IN => (0, CandidateState::Cleared),
        BEGINS_ANEW_IN => (BEGINS_ANEW_IN, CandidateState::Breached),
        round if round < ENDS_IN => (0, CandidateState::StillBreached),
        _ => (BEGINS_ANEW_IN, CandidateState::StillBreached),
    };
    for (index, host) in hosts.iter().enumerate() {
        for rule in rules {
            let Some(condition) = rule.condition() else { continue };
            let at = BASE_MS + round * 15_000 + index as i64;
            let candidate = Box::new(Candidate {
                at,
                rule: condition.rule,
                rule_version: condition.rule_version,
                metric: condition.metric,
                instance: String::new(),
                state,
                value: 96.0,
                threshold: condition.threshold.unwrap_or(50.0),
                since: BASE_MS + begun_in * 15_000 + index as i64,
                context: Context::default(),
            });
            let (host, is_again) = (host.clone(), false);
            let fact = Fact::Candidate { host, stored_at: at, is_again, candidate };
            facts.push((at, fact));
        }
    }
    facts
}

/// Of this process, in bytes; nothing where the system does not say.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    text.split(' ').nth(1)?.parse::<u64>().ok().map(|pages| pages * 4096)
}

/// The seconds this process has computed, so that a busy machine does not count.
fn cpu_s() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let spent = text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok());
    spent.unwrap_or_default() as f64 / 1e9
}

fn main() -> std::io::Result<()> {
    let rules = rules();
    let hosts: Vec<HostId> =
        (0..HOSTS).filter_map(|n| format!("host-{n:05}").parse().ok()).collect();
    let before = resident_bytes();
    let mut engine = Engine::new(Scope::Hosts);
    engine.observe(0, Fact::Rules(rules.clone()));
    for host in &hosts {
        let labels = [("role", "web"), ("region", "eu"), ("env", "prod")];
        let labels = labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let fact = Fact::Host { host: host.clone(), labels, clock_offset_ms: None };
        engine.observe(0, fact);
    }
    let mut said = String::new();
    let (mut all, mut all_s) = (0, 0.0);
    for round in 0..ROUNDS {
        let (mut count, mut effects, mut decided, mut drained) = (0, 0, 0.0, 0.0);
        for batch in hosts.chunks(BATCH_HOSTS) {
            let facts = facts(&rules, batch, round);
            count += facts.len();
            let began = cpu_s();
            for (now, fact) in facts {
                engine.observe(now, fact);
            }
            decided += cpu_s() - began;
            effects += black_box(engine.drain_effects()).len();
            drained += cpu_s() - began;
        }
        (all, all_s) = (all + count, all_s + drained);
        let (alone, with_effects) = (count as f64 / decided, count as f64 / drained);
        let _ = writeln!(
            said,
            "round {round}: {alone:.0} observations/s, {with_effects:.0} with {effects} effects"
        );
    }
    let _ = writeln!(said, "all rounds: {:.0} observations/s with effects", all as f64 / all_s);
    if let (Some(before), Some(after)) = (before, resident_bytes()) {
        let _ = writeln!(
            said,
            "{} states, {} bytes resident more than before",
            engine.states_count(),
            after.saturating_sub(before)
        );
    }
    std::io::stdout().write_all(said.as_bytes())
}
