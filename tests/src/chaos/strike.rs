//! Carries out a plan on a running stack, and puts right what was struck.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use muster_stack::Stack;
use tokio::time::{Instant, sleep_until};

use super::plan::{Blow, Step};

/// What became of it.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    pub blows: usize,
    /// Parts that ended although nobody had struck them, and were started again.
    pub ended_by_themselves: usize,
}

enum Event<'a> {
    Strike(&'a Step),
    Heal(&'a Step),
}

/// Returns once all is done and all parts run again.
pub async fn strike_all(stack: &mut Stack, steps: &[Step], services: &[&str]) -> Result<Tally> {
    let started = Instant::now();
    let mut events: Vec<(u64, Event<'_>)> = Vec::new();
    for step in steps {
        events.push((step.at_ms, Event::Strike(step)));
        events.push((step.at_ms + step.for_ms, Event::Heal(step)));
    }
    // Stable: what is put right in the same moment as it is struck comes after.
    events.sort_by_key(|(at_ms, _)| *at_ms);
    let (mut tally, mut away) = (Tally::default(), BTreeSet::new());
    for (at_ms, event) in events {
        sleep_until(started + Duration::from_millis(at_ms)).await;
        tally.ended_by_themselves += revive(stack, services, &away)?;
        match event {
            Event::Strike(step) => {
                strike(stack, step).await.with_context(|| format!("cannot carry out {step:?}"))?;
                away.insert(step.part);
                tally.blows += 1;
            }
            Event::Heal(step) => {
                heal(stack, step).await.with_context(|| format!("cannot undo {step:?}"))?;
                away.remove(step.part);
            }
        }
    }
    tally.ended_by_themselves += revive(stack, services, &away)?;
    Ok(tally)
}

async fn strike(stack: &mut Stack, step: &Step) -> Result<()> {
    match step.blow {
        Blow::Kill => stack.kill9(step.part).await,
        Blow::Pause => stack.pause(step.part),
        Blow::Stop => stack.stop(step.part).await,
    }
}

async fn heal(stack: &mut Stack, step: &Step) -> Result<()> {
    match step.blow {
        Blow::Kill | Blow::Stop => stack.restart(step.part).await,
        Blow::Pause => stack.resume(step.part),
    }
}

/// What a service manager does: a part that gave up is started again.
pub fn revive(stack: &mut Stack, services: &[&str], away: &BTreeSet<&str>) -> Result<usize> {
    let mut revived = 0;
    for part in services.iter().filter(|part| !away.contains(**part)) {
        let service = stack.service(part)?;
        if !service.is_running() {
            service.restart()?;
            revived += 1;
        }
    }
    Ok(revived)
}
