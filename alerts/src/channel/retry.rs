//! When a notification that did not get through is tried again, and when it is given up.
//!
//! - What failed in passing is tried again after 5 s, 10 s, 20 s, ... at most 15 min, for a day.
//! - What was refused is tried [`REFUSED_ATTEMPTS_MAX`] times in all: the refusal may have come
//!   from a proxy in between while the receiver was being replaced, and a page is worth a second
//!   try; but a wrong token stays wrong.
//! - A test is tried once: somebody waits for the answer.
//! - Pauses are drawn from their upper half, so that what failed together is not tried together.
//! - A receiver that says when to come again is obeyed, up to the longest pause.

use super::notice::NoticeKind;

/// The first pause.
const PAUSE_MS_MIN: i64 = 5_000;

/// The longest pause: a receiver that is back is found within a quarter of an hour.
const PAUSE_MS_MAX: i64 = 15 * 60 * 1000;

/// After a day nobody wants to be paged for it; the ticket is still there.
pub const AGE_MS_MAX: i64 = 24 * 3600 * 1000;

/// Over some 35 s.
pub const REFUSED_ATTEMPTS_MAX: u32 = 4;

/// The longest reason that is kept, in bytes.
pub const REASON_BYTES_MAX: usize = 500;

/// Why an attempt did not get through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It may work later.
    Passing {
        reason: String,
        /// When the receiver wants to be asked again.
        retry_after_ms: Option<i64>,
    },
    /// The receiver does not want it as it is.
    Refused { reason: String },
}

impl Failure {
    pub fn passing(reason: impl Into<String>) -> Self {
        Self::Passing { reason: reason.into(), retry_after_ms: None }
    }

    pub fn reason(&self) -> &str {
        match self {
            Self::Passing { reason, .. } | Self::Refused { reason } => reason,
        }
    }

    /// How long the whole channel should wait, where the receiver said that it is asked too often.
    pub fn channel_pause_ms(&self) -> Option<i64> {
        match self {
            Self::Passing { retry_after_ms, .. } => retry_after_ms.map(|ms| ms.min(PAUSE_MS_MAX)),
            Self::Refused { .. } => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    TryAgainAfterMs(i64),
    GiveUp,
}

/// What follows attempt number `attempts` (from 1) of a notification that is `age_ms` old.
/// `jitter` is drawn from 0 to 1.
pub fn next(kind: NoticeKind, attempts: u32, age_ms: i64, failure: &Failure, jitter: f64) -> Next {
    let is_hopeless =
        matches!(failure, Failure::Refused { .. }) && attempts >= REFUSED_ATTEMPTS_MAX;
    if kind == NoticeKind::Test || is_hopeless {
        return Next::GiveUp;
    }
    let doubled = PAUSE_MS_MIN.saturating_mul(1 << attempts.clamp(1, 20).saturating_sub(1));
    let ceiling = doubled.min(PAUSE_MS_MAX);
    let drawn = (ceiling as f64 * (0.5 + jitter.clamp(0.0, 1.0) / 2.0)) as i64;
    let pause = drawn.max(failure.channel_pause_ms().unwrap_or(0));
    if age_ms.saturating_add(pause) > AGE_MS_MAX {
        return Next::GiveUp;
    }
    Next::TryAgainAfterMs(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passing() -> Failure {
        Failure::passing("away")
    }

    #[test]
    fn pauses_double_up_to_a_quarter_of_an_hour_and_end_after_a_day() {
        let (mut age, mut attempts, mut pauses) = (0, 0, Vec::new());
        while let Next::TryAgainAfterMs(pause) =
            next(NoticeKind::Opened, attempts + 1, age, &passing(), 1.0)
        {
            attempts += 1;
            age += pause;
            pauses.push(pause);
        }
        assert_eq!(pauses[..4], [5_000, 10_000, 20_000, 40_000]);
        assert!(pauses.iter().all(|pause| *pause <= PAUSE_MS_MAX));
        assert!((90..110).contains(&attempts), "{attempts} attempts");
        assert!(age <= AGE_MS_MAX && age > AGE_MS_MAX - PAUSE_MS_MAX);
    }

    #[test]
    fn jitter_draws_from_the_upper_half() {
        for (jitter, expected) in [(0.0, 10_000), (0.5, 15_000), (1.0, 20_000), (7.0, 20_000)] {
            let drawn = next(NoticeKind::Opened, 3, 0, &passing(), jitter);
            assert_eq!(drawn, Next::TryAgainAfterMs(expected));
        }
    }

    #[test]
    fn what_is_refused_is_given_up_after_a_few_attempts() {
        let refused = Failure::Refused { reason: "answered 401".into() };
        for attempts in 1..REFUSED_ATTEMPTS_MAX {
            let tried = next(NoticeKind::Opened, attempts, 0, &refused, 0.0);
            assert!(matches!(tried, Next::TryAgainAfterMs(_)));
        }
        let last = next(NoticeKind::Opened, REFUSED_ATTEMPTS_MAX, 0, &refused, 0.0);
        assert_eq!(last, Next::GiveUp);
    }

    #[test]
    fn a_test_is_tried_once() {
        assert_eq!(next(NoticeKind::Test, 1, 0, &passing(), 0.0), Next::GiveUp);
    }

    #[test]
    fn a_receiver_that_names_a_time_is_obeyed_within_reason() {
        let busy = |ms| Failure::Passing { reason: "429".into(), retry_after_ms: Some(ms) };
        for (ms, expected) in [(60_000, 60_000), (1, 2_500), (i64::MAX, PAUSE_MS_MAX)] {
            let told = next(NoticeKind::Opened, 1, 0, &busy(ms), 0.0);
            assert_eq!(told, Next::TryAgainAfterMs(expected));
        }
    }
}
