//! The chaos test of the pipeline for as long as one likes: everything is killed, paused and
//! stopped, and afterwards each message must be stored exactly once.

use std::time::Duration;

use anyhow::{Context, Result};
use muster_runtime::now_ms;
use muster_tests::chaos::{Chaos, run};

use crate::figures::{Better, Figure, Figures};

const HOSTS: usize = 40;

pub async fn measure(figures: &mut Figures, minutes: u64, seed: Option<u64>) -> Result<()> {
    let seed = seed.unwrap_or_else(|| now_ms() as u64);
    eprintln!("chaos: {minutes} minutes; the same again with --seed {seed}");
    let duration = Duration::from_secs(minutes * 60);
    let chaos = Chaos { seed, duration, hosts: HOSTS };
    let verdict = run(chaos).await.with_context(|| format!("chaos with --seed {seed}"))?;
    let mut add = |name, value, unit, goal| {
        figures.add(Figure { name, value, unit, limit: None, goal });
    };
    add("chaos.blows", verdict.blows as f64, "blows", None);
    add("chaos.ended_by_themselves", verdict.ended_by_themselves as f64, "ends", None);
    add("chaos.messages", verdict.messages as f64, "messages", None);
    add("chaos.rows", verdict.rows as f64, "rows", None);
    // It would have ended in an error.
    add("chaos.rows_lost_doubled_or_altered", 0.0, "rows", Some((0.0, Better::Lower)));
    add("chaos.settled_in_s", verdict.settled_in.as_secs_f64(), "s", None);
    Ok(())
}
