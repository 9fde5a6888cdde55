//! Which segments of the journal may or must go.
//!
//! A segment goes when all of it was acknowledged at least `retain_after_ack` ago: a broker can
//! lose in a power cut what it has acknowledged, and the gap is then repaired from here. When the
//! journal is over its size, the oldest goes first, acknowledged or not: fresh data is worth more
//! than old, and what was dropped is counted. The newest segment, which is being written, stays.
//!
//! A segment with notes that are kept nowhere else stays beyond its time, but not beyond the size.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentFacts {
    pub bytes: u64,
    /// When the last of it was acknowledged, milliseconds since the Unix epoch.
    pub acknowledged_at: Option<i64>,
    /// Whether it holds notes that are kept nowhere else.
    pub has_notes: bool,
}

#[derive(Debug, Clone, Copy)]
pub struct JournalLimits {
    pub bytes_max: u64,
    pub retain_after_ack_ms: i64,
}

/// How many segments to drop, counted from the oldest.
pub fn segments_to_drop(now: i64, segments: &[SegmentFacts], limits: JournalLimits) -> usize {
    let mut total: u64 = segments.iter().map(|segment| segment.bytes).sum();
    let droppable = segments.len().saturating_sub(1);
    let mut drop = 0;
    for segment in &segments[..droppable] {
        let over = total > limits.bytes_max;
        let done = !segment.has_notes
            && segment
                .acknowledged_at
                .is_some_and(|at| now.saturating_sub(at) >= limits.retain_after_ack_ms);
        if !over && !done {
            break;
        }
        total -= segment.bytes;
        drop += 1;
    }
    drop
}

/// A journal of this size is cut into segments of that size: small enough that dropping one loses
/// little, large enough that there are few.
pub fn segment_bytes(journal_bytes_max: u64) -> u64 {
    (journal_bytes_max / 16).clamp(64 * 1024, 1024 * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(now: i64, segments: &[(u64, Option<i64>)], drop: usize) {
        let facts: Vec<SegmentFacts> = segments
            .iter()
            .map(|(bytes, acknowledged_at)| SegmentFacts {
                bytes: *bytes,
                acknowledged_at: *acknowledged_at,
                has_notes: false,
            })
            .collect();
        let limits = JournalLimits { bytes_max: 100, retain_after_ack_ms: 1000 };
        assert_eq!(segments_to_drop(now, &facts, limits), drop, "{segments:?} at {now}");
    }

    #[test]
    fn acknowledged_segments_go_after_the_time_to_retain() {
        check(1999, &[(40, Some(1000)), (40, None)], 0);
        check(2000, &[(40, Some(1000)), (40, None)], 1);
        check(9000, &[(10, None), (10, Some(1000)), (10, None)], 0);
        check(9000, &[(10, Some(1000))], 0);
        check(9000, &[], 0);
    }

    #[test]
    fn notes_that_are_kept_nowhere_else_outlast_the_time_but_not_the_size() {
        let noted = SegmentFacts { bytes: 60, acknowledged_at: Some(0), has_notes: true };
        let newest = SegmentFacts { bytes: 60, acknowledged_at: None, has_notes: false };
        let limits = JournalLimits { bytes_max: 200, retain_after_ack_ms: 1000 };
        assert_eq!(segments_to_drop(9000, &[noted, newest], limits), 0);
        let limits = JournalLimits { bytes_max: 100, ..limits };
        assert_eq!(segments_to_drop(9000, &[noted, newest], limits), 1);
    }

    #[test]
    fn over_the_limit_the_oldest_go_first_but_never_the_one_being_written() {
        check(0, &[(50, None), (50, None), (10, None)], 1);
        check(0, &[(50, None), (50, None), (90, None)], 2);
        check(0, &[(500, None)], 0);
    }
}
