//! When a backlog gets a lane of its own, how fast it is replayed, and how often trouble is told.

/// So many messages that nobody has begun to send are an outage and not a burst: what was written
/// since the last few seconds goes at once, and the rest must not hold it up.
pub const BACKLOG_MIN: i64 = 32;

/// What may be sent at once after a pause, as a share of a second's worth.
const BURST_PER_SECOND: i64 = 4;

/// How long trouble of one sort is told only once.
const COMPLAINT_PAUSE_MS: i64 = 60_000;

/// Whether what is unsent becomes a backlog. A burst that there is room for is none, except at the
/// start, when all of it is old.
pub fn is_backlog(unsent: i64, is_start: bool, is_window_full: bool) -> bool {
    unsent > BACKLOG_MIN && (is_start || is_window_full)
}

/// So many bytes a second on average, and a quarter of that at once.
#[derive(Debug, Clone, Copy)]
pub struct TokenBucket {
    /// 0: unlimited.
    bytes_per_s: i64,
    /// Below zero after a message that was larger than what was left.
    bytes: i64,
    filled_at: i64,
}

impl TokenBucket {
    pub fn new(bytes_per_s: u64, now_ms: i64) -> Self {
        let bytes_per_s = i64::try_from(bytes_per_s).unwrap_or(i64::MAX);
        Self { bytes_per_s, bytes: bytes_per_s / BURST_PER_SECOND, filled_at: now_ms }
    }

    /// When the next message may be sent: now or later, in milliseconds since the Unix epoch.
    pub fn ready_at(&mut self, now_ms: i64) -> i64 {
        if self.bytes_per_s == 0 {
            return now_ms;
        }
        self.fill(now_ms);
        if self.bytes >= 0 {
            return now_ms;
        }
        // Rounded up: one that wakes too early would have to wait again.
        let missing = self.bytes.saturating_neg().saturating_mul(1000);
        now_ms.saturating_add(missing / self.bytes_per_s + 1)
    }

    pub fn take(&mut self, bytes: usize) {
        if self.bytes_per_s > 0 {
            self.bytes = self.bytes.saturating_sub_unsigned(bytes as u64);
        }
    }

    fn fill(&mut self, now_ms: i64) {
        // A clock that was put back must not stop the replay.
        let elapsed = now_ms.saturating_sub(self.filled_at).max(0);
        let earned = elapsed.saturating_mul(self.bytes_per_s) / 1000;
        if earned > 0 || now_ms < self.filled_at {
            self.filled_at = now_ms;
        }
        self.bytes = self.bytes.saturating_add(earned).min(self.bytes_per_s / BURST_PER_SECOND);
    }
}

/// Says when trouble may be told again.
#[derive(Debug, Clone, Copy, Default)]
pub struct Complaints {
    next_at: i64,
    unsaid: u64,
}

impl Complaints {
    /// How often it was not told since the last time, if it may be told now.
    pub fn due(&mut self, now_ms: i64) -> Option<u64> {
        let was_put_back = self.next_at > now_ms.saturating_add(COMPLAINT_PAUSE_MS);
        if now_ms < self.next_at && !was_put_back {
            self.unsaid += 1;
            return None;
        }
        self.next_at = now_ms.saturating_add(COMPLAINT_PAUSE_MS);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_with_room_is_no_backlog_but_what_waits_at_the_start_is() {
        assert!(!is_backlog(1000, false, false));
        assert!(!is_backlog(BACKLOG_MIN, true, true));
        assert!(is_backlog(BACKLOG_MIN + 1, false, true));
        assert!(is_backlog(BACKLOG_MIN + 1, true, false));
    }

    #[test]
    fn without_a_rate_there_is_no_wait() {
        let mut bucket = TokenBucket::new(0, 5);
        bucket.take(usize::MAX);
        assert_eq!(bucket.ready_at(5), 5);
    }

    #[test]
    fn trouble_is_told_once_a_minute_with_how_often_it_was_not() {
        let mut complaints = Complaints::default();
        assert_eq!(complaints.due(1_000_000), Some(0));
        assert_eq!(complaints.due(1_000_001), None);
        assert_eq!(complaints.due(1_059_999), None);
        assert_eq!(complaints.due(1_060_000), Some(2));
        assert_eq!(complaints.due(0), Some(0), "the clock was put back");
    }

    proptest! {
        #[test]
        fn the_rate_is_kept_and_used(rate in 1_000u64..1_000_000, sizes in prop::collection::vec(1usize..20_000, 50..100)) {
            let (mut bucket, mut now) = (TokenBucket::new(rate, 0), 0);
            for size in &sizes {
                now = bucket.ready_at(now);
                bucket.take(*size);
            }
            let total: usize = sizes[..sizes.len() - 1].iter().sum();
            let due = (total as f64 - rate as f64 / 4.0).max(0.0) * 1000.0 / rate as f64;
            // A millisecond of rounding for each wait.
            prop_assert!((now as f64) >= due - 1.0, "{now} before {due}");
            prop_assert!((now as f64) <= due + 2.0 * sizes.len() as f64 + 250.0, "{now} after {due}");
        }
    }
}
