//! What is asked of an agent to repair a gap, and what its answer means.
//!
//! An agent sends again what its journal holds and says of the rest why it does not: that is lost,
//! and no less than the agent's own word makes it so. As long as messages come, asking goes on at
//! the same pace; where nothing comes, the pauses double. A host that does not answer has not been
//! asked.

use std::collections::BTreeMap;

use muster_schemas::control::{Loss, LossCause, RESEND_MAX, ResendAnswer};

use super::ranges::Ranges;

/// Requests of one attempt. An agent lets four wait, for all who ask.
pub const REQUESTS_MAX: usize = 4;

/// Fewer messages than this between two missing ones are asked for with them: the ledger drops
/// them, and that costs less than another request.
const NEAR: i64 = 32;

/// The pause before the next attempt is the first one, doubled so many times at the most: 30 s
/// become 32 minutes.
const DOUBLINGS_MAX: u32 = 6;

/// What to ask for, first and last of each request, the oldest first.
pub fn requests(missing: &Ranges) -> Vec<(i64, i64)> {
    let mut requests: Vec<(i64, i64)> = Vec::new();
    for (mut from, to) in missing.iter() {
        while from <= to {
            let is_full = requests.len() == REQUESTS_MAX;
            let end = match requests.last_mut() {
                Some((first, last)) if from - *last <= NEAR && from - *first < RESEND_MAX => {
                    *last = to.min(*first + RESEND_MAX - 1);
                    *last
                }
                _ if is_full => return requests,
                _ => {
                    let end = to.min(from.saturating_add(RESEND_MAX - 1));
                    requests.push((from, end));
                    end
                }
            };
            from = end + 1;
        }
    }
    requests
}

/// What the answers to one attempt come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    pub lost: BTreeMap<LossCause, Ranges>,
    /// Messages on their way again.
    pub coming: i64,
}

impl Verdict {
    /// Takes in the answer to a request for `asked`; only what was asked for and is `missing` can
    /// be lost.
    pub fn add(&mut self, missing: &Ranges, asked: (i64, i64), answer: &ResendAnswer) {
        self.coming = self.coming.saturating_add(answer.found.max(0));
        let open = missing.and(&Ranges::of([asked]));
        let mut told = Ranges::default();
        for cause in LossCause::ALL {
            let losses = answer.losses.iter().filter(|loss| loss.cause == cause);
            let said = Ranges::of(losses.map(|loss| (loss.from, to_the_end(loss, asked))));
            // Whoever holds nothing of an epoch holds nothing of the rest of the gap either.
            let is_whole = cause == LossCause::UnknownEpoch && !said.is_empty();
            let lost = match cause {
                _ if is_whole => missing.clone(),
                LossCause::NotWritten => missing.and(&said),
                _ => open.and(&said),
            };
            self.lose(cause, &lost.without(&told));
            told = Ranges::of(told.iter().chain(said.iter()));
        }
        // An agent that does not say why has acknowledged messages in mind.
        let untold = open.and(&Ranges::of(answer.missing.iter().copied())).without(&told);
        self.lose(LossCause::Trimmed, &untold);
    }

    fn lose(&mut self, cause: LossCause, lost: &Ranges) {
        let known = self.lost.values().fold(lost.clone(), |left, known| left.without(known));
        if !known.is_empty() {
            let of_cause = self.lost.entry(cause).or_default();
            *of_cause = Ranges::of(of_cause.iter().chain(known.iter()));
        }
    }
}

/// Numbers are given out one after the other: where one was not, none after it was.
fn to_the_end(loss: &Loss, asked: (i64, i64)) -> i64 {
    let is_last = loss.cause == LossCause::NotWritten && loss.to >= asked.1;
    if is_last { i64::MAX - 1 } else { loss.to }
}

/// The pause before the next attempt, after so many in a row that brought nothing. `chance` is
/// from 0 to 1: workers that found a thousand gaps at once must not ask a thousand hosts at once.
pub fn pause_ms(first_ms: i64, failures: u32, chance: f64) -> i64 {
    let ceiling = first_ms.saturating_mul(1 << failures.min(DOUBLINGS_MAX));
    (ceiling as f64 * (0.75 + chance.clamp(0.0, 1.0) / 2.0)) as i64
}

#[cfg(test)]
#[path = "repair_tests.rs"]
mod tests;
