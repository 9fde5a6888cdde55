//! The live view's lease: publish at full rate while somebody looks, and cost nothing else.
//!
//! A gateway renews the lease as long as it has a viewer. Nothing has to be taken back: when the
//! gateway, its host or the network dies, the lease runs out by itself.

use muster_schemas::control::LiveRequest;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lease {
    interval_ms: i64,
    ends_at: i64,
}

/// Whether and when the next live sample is due.
#[derive(Debug, Default)]
pub struct LiveView {
    lease: Option<Lease>,
    last_at: Option<i64>,
}

impl LiveView {
    /// Takes a request that [`LiveRequest::refusal`] had nothing against.
    pub fn observe(&mut self, now: i64, request: LiveRequest) {
        if request.lease_ms == 0 {
            self.lease = None;
            return;
        }
        if self.lease.is_none() {
            self.last_at = Some(now);
        }
        self.lease = Some(Lease {
            interval_ms: request.interval_ms,
            ends_at: now.saturating_add(request.lease_ms),
        });
    }

    /// Ends a lease that ran out; answers whether a sample is due now, and counts it as taken.
    pub fn tick(&mut self, now: i64) -> bool {
        let Some(lease) = self.lease else { return false };
        if now >= lease.ends_at {
            self.lease = None;
            return false;
        }
        let due = self.last_at.is_none_or(|last| now >= last + lease.interval_ms);
        if due {
            // The grid of the last sample is kept, unless a pause left it far behind.
            let next = self.last_at.map_or(now, |last| last + lease.interval_ms);
            self.last_at = Some(if now - next > lease.interval_ms { now } else { next });
        }
        due
    }

    pub fn is_open(&self) -> bool {
        self.lease.is_some()
    }

    /// When [`LiveView::tick`] has something to do.
    pub fn next_deadline(&self) -> Option<i64> {
        let lease = self.lease?;
        let next = self.last_at.map_or(i64::MIN, |last| last + lease.interval_ms);
        Some(next.min(lease.ends_at))
    }
}

#[cfg(test)]
mod tests {
    use muster_schemas::control::LiveTopic;

    use super::*;

    const REQUEST: LiveRequest =
        LiveRequest { topic: LiveTopic::Telemetry, interval_ms: 1000, lease_ms: 15_000 };

    #[test]
    fn samples_are_due_at_the_interval_until_the_lease_ends() {
        let mut view = LiveView::default();
        view.observe(0, REQUEST);
        let due: Vec<i64> = (0..=20_000).step_by(100).filter(|now| view.tick(*now)).collect();
        assert_eq!(due, (1..15).map(|second| second * 1000).collect::<Vec<_>>());
        assert!(!view.is_open());
        assert_eq!(view.next_deadline(), None);
    }

    #[test]
    fn a_renewal_prolongs_and_keeps_the_beat() {
        let mut view = LiveView::default();
        view.observe(0, REQUEST);
        assert!(view.tick(1000));
        view.observe(1500, REQUEST);
        assert!(!view.tick(1900));
        assert!(view.tick(2000));
        assert_eq!(view.next_deadline(), Some(3000));
        assert!(view.tick(16_000));
    }

    #[test]
    fn a_lease_of_zero_stops_at_once() {
        let mut view = LiveView::default();
        view.observe(0, REQUEST);
        view.observe(10, LiveRequest { lease_ms: 0, ..REQUEST });
        assert!(!view.tick(1000));
    }
}
