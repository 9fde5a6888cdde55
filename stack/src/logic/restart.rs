//! When a part that ended is started again.
//!
//! The first restart comes after 200 ms, each further one after twice as long, up to 10 s; a
//! quarter of it is random, so that parts which died together do not come back together. A part
//! that had run well for 30 s before it ended starts over at 200 ms. A part that ended with 64
//! has a configuration nobody will correct while it waits, so it is given up. Nothing else is:
//! whatever was missing (the bus, the database) may come back.

use std::time::Duration;

/// Fast enough that a crash is hardly noticed.
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// Slow enough that a part that can never start costs nothing.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Longer than any part needs to run into what made it fail before.
const GOOD_RUN: Duration = Duration::from_secs(30);
/// `EX_USAGE`: bad configuration, as every service agrees.
const EXIT_BAD_CONFIGURATION: i32 = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    RestartAfter(Duration),
    GiveUp,
}

/// One part's history. Times are durations since any fixed moment.
#[derive(Clone, Debug, Default)]
pub struct RestartPolicy {
    failures: u32,
    started_at: Duration,
}

impl RestartPolicy {
    pub fn started(&mut self, now: Duration) {
        self.started_at = now;
    }

    /// It ended, or could not be started (no exit code). `jitter` is random in `0.0..1.0`.
    pub fn ended(&mut self, now: Duration, exit_code: Option<i32>, jitter: f64) -> Verdict {
        if exit_code == Some(EXIT_BAD_CONFIGURATION) {
            return Verdict::GiveUp;
        }
        if now.saturating_sub(self.started_at) >= GOOD_RUN {
            self.failures = 0;
        }
        // The exponent stops where the pause has long reached its maximum.
        let pause = (PAUSE_MIN * 2_u32.pow(self.failures.min(16))).min(PAUSE_MAX);
        self.failures = self.failures.saturating_add(1);
        Verdict::RestartAfter(pause.mul_f64(0.75 + 0.25 * jitter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{GiveUp, RestartAfter};

    const fn secs(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    fn ended(policy: &mut RestartPolicy, started: u64, ended: u64) -> Verdict {
        policy.started(secs(started));
        policy.ended(secs(ended), Some(1), 1.0)
    }

    #[test]
    fn pauses_double_up_to_ten_seconds() {
        let mut policy = RestartPolicy::default();
        let pauses: Vec<_> = (0..8).map(|_| ended(&mut policy, 0, 1)).collect();
        let ms = [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000];
        assert_eq!(pauses, ms.map(|ms| RestartAfter(Duration::from_millis(ms))));
    }

    #[test]
    fn a_good_run_forgets_earlier_failures() {
        let mut policy = RestartPolicy::default();
        for _ in 0..5 {
            ended(&mut policy, 0, 1);
        }
        assert_eq!(ended(&mut policy, 100, 130), RestartAfter(PAUSE_MIN));
        assert_eq!(ended(&mut policy, 131, 160), RestartAfter(PAUSE_MIN * 2));
    }

    #[test]
    fn jitter_takes_off_up_to_a_quarter_and_never_adds() {
        for (jitter, ms) in [(0.0, 150), (0.5, 175), (1.0, 200)] {
            let verdict = RestartPolicy::default().ended(secs(1), None, jitter);
            assert_eq!(verdict, RestartAfter(Duration::from_millis(ms)));
        }
    }

    #[test]
    fn a_bad_configuration_is_given_up_and_nothing_else_is() {
        let mut policy = RestartPolicy::default();
        assert_eq!(policy.ended(secs(1), Some(64), 0.0), GiveUp);
        for code in [None, Some(0), Some(1), Some(101)] {
            assert_ne!(policy.ended(secs(1), code, 0.0), GiveUp);
        }
    }
}
