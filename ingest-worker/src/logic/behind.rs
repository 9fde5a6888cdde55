//! Whether a worker is so far behind that what is fresh has to be read past the backlog, and
//! whether there is a backlog at all.
//!
//! It trips when what was just taken from the stream had waited there for longer than the limit,
//! and clears when it had waited for less than a third of it, so that a worker near the limit does
//! not go to and fro. A backlog that is worked off within the limit never trips it.

/// What waits for a worker on a channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// What is taken from the stream has waited there for long.
    pub is_behind: bool,
    /// More than the next batch holds.
    pub has_backlog: bool,
}

/// Clears at this part of the limit.
const CLEARS_AT: i64 = 3;

/// `waited_ms` is how long the oldest message in hand waited for its turn.
pub fn is_behind(was: bool, waited_ms: i64, limit_ms: i64) -> bool {
    waited_ms > if was { limit_ms / CLEARS_AT } else { limit_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trips_above_the_limit_and_clears_below_a_third_of_it() {
        let waited_s = [1, 15, 16, 15, 6, 5, 15, 90, 4, 0];
        let mut behind = false;
        let seen = waited_s.map(|s| {
            behind = is_behind(behind, s * 1000, 15_000);
            behind
        });
        assert_eq!(seen, [false, false, true, true, true, false, false, true, false, false]);
    }
}
