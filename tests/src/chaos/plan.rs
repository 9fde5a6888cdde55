//! Who is struck when, and how: made from a seed before anything runs, so that a run that failed
//! can be had again. How long each thing really takes is the machine's; the order of the blows is
//! not.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

/// How a part is struck, and how it is put right afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// `kill -9`, then a start.
    Kill,
    /// `SIGSTOP`, then `SIGCONT`: its connections stay open and nobody answers.
    Pause,
    /// Asked to end in order, then a start.
    Stop,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Since the beginning.
    pub at_ms: u64,
    pub part: &'static str,
    pub blow: Blow,
    /// How long it is away.
    pub for_ms: u64,
}

/// Parts are struck this long after one another: often two are away at once, and now and then
/// there is peace enough for a batch to get through.
const BETWEEN_MS: std::ops::Range<u64> = 300..3_500;

const PAUSE_MS: std::ops::Range<u64> = 1_000..8_000;

const AWAY_MS: std::ops::Range<u64> = 0..3_000;

/// A part is left alone for so long once it is back: one that is never there proves nothing.
const RESPITE_MS: u64 = 2_000;

/// The blows of `duration_ms`. Each part is killed, paused and stopped once before any is a second
/// time.
pub fn plan(seed: u64, parts: &[&'static str], duration_ms: u64) -> Vec<Step> {
    let mut random = StdRng::seed_from_u64(seed);
    let blows = [Blow::Kill, Blow::Pause, Blow::Stop];
    let all: Vec<(&'static str, Blow)> =
        parts.iter().flat_map(|part| blows.map(|blow| (*part, blow))).collect();
    let mut deck: Vec<(&'static str, Blow)> = Vec::new();
    let mut free_at: Vec<(&'static str, u64)> = parts.iter().map(|part| (*part, 0)).collect();
    let (mut steps, mut at_ms) = (Vec::new(), 0);
    loop {
        if deck.is_empty() {
            deck.clone_from(&all);
            deck.shuffle(&mut random);
        }
        at_ms += random.random_range(BETWEEN_MS);
        // The first whose turn it is among those that are there.
        let is_there = |part: &str| free_at.iter().any(|(name, at)| *name == part && *at <= at_ms);
        let Some(place) = deck.iter().position(|(part, _)| is_there(part)) else { continue };
        let (part, blow) = deck.remove(place);
        let away = if blow == Blow::Pause { PAUSE_MS } else { AWAY_MS };
        let for_ms = random.random_range(away);
        if at_ms + for_ms > duration_ms {
            return steps;
        }
        for (name, free_at) in &mut free_at {
            if *name == part {
                *free_at = at_ms + for_ms + RESPITE_MS;
            }
        }
        steps.push(Step { at_ms, part, blow, for_ms });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const PARTS: [&str; 4] = ["nats", "postgres", "ingest-worker-1", "ingest-worker-2"];

    #[test]
    fn a_seed_gives_the_same_plan_each_time_and_another_seed_another() {
        assert_eq!(plan(7, &PARTS, 60_000), plan(7, &PARTS, 60_000));
        assert_ne!(plan(7, &PARTS, 60_000), plan(8, &PARTS, 60_000));
    }

    #[test]
    fn within_a_minute_each_part_is_struck_and_none_while_it_is_away() {
        for seed in 0..200 {
            let steps = plan(seed, &PARTS, 60_000);
            let struck: BTreeSet<&str> = steps.iter().map(|step| step.part).collect();
            assert_eq!(struck.len(), PARTS.len(), "seed {seed}: {steps:?}");
            for (index, step) in steps.iter().enumerate() {
                let again = steps[index + 1..].iter().find(|later| later.part == step.part);
                assert!(again.is_none_or(|later| later.at_ms > step.at_ms + step.for_ms));
            }
        }
    }
}
