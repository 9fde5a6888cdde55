//! Keeps a burst of log lines from flooding the bus, and says honestly what it held back.
//!
//! Each source has a budget of lines and of bytes, and so have all sources together, at four times
//! that: one noisy file costs the others nothing, and many noisy ones together stay bounded. A
//! budget is a bucket that holds one minute's worth and fills evenly. What does not fit is counted;
//! at most every [`NOTICE_MS`] a source's count is given as one line of its own, as bad as the
//! worst line it stands for. These notices are not charged. Called by the follower of logs before
//! lines are framed.

use std::collections::BTreeMap;

use muster_schemas::logs::{LogLine, Severity};

/// A burst is told about within seconds, and a lasting one costs six lines a minute.
const NOTICE_MS: i64 = 10_000;
/// All sources together may send this many times what one may.
const SOURCES_SHARE: u64 = 4;
/// The most sources remembered: as many as files are followed by default. The fullest budget, that
/// of the quietest source, is forgotten first, which gives nobody more than they would have.
const SOURCES_MAX: usize = 1024;
const MINUTE_MS: i64 = 60_000;
/// What a line costs on the bus besides its texts.
const LINE_OVERHEAD_BYTES: u64 = 64;

/// What one source may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FloodLimits {
    pub lines_per_min: u64,
    pub bytes_per_min: u64,
}

#[derive(Debug)]
pub struct Flood {
    limits: FloodLimits,
    all: Budget,
    sources: BTreeMap<String, Source>,
    suppressed: u64,
}

#[derive(Debug)]
struct Source {
    budget: Budget,
    held_back: Option<HeldBack>,
    /// When its last notice was given.
    noticed_at: Option<i64>,
}

/// The lines a notice will stand for.
#[derive(Debug)]
struct HeldBack {
    lines: i64,
    bytes: u64,
    worst: Severity,
    application: String,
    since: i64,
}

/// Lines and bytes that may still be sent, in thousandths so that they fill evenly.
#[derive(Debug)]
struct Budget {
    limits: FloodLimits,
    milli_lines: u64,
    milli_bytes: u64,
    filled_at: i64,
}

impl Flood {
    pub fn new(limits: FloodLimits) -> Self {
        Self {
            limits,
            all: Budget::full(limits.times(SOURCES_SHARE), i64::MIN),
            sources: BTreeMap::new(),
            suppressed: 0,
        }
    }

    /// Whether the line may be sent.
    pub fn observe(&mut self, now_ms: i64, line: &LogLine) -> bool {
        if !self.sources.contains_key(&line.source) {
            self.make_room();
        }
        let limits = self.limits;
        let source = self.sources.entry(line.source.clone()).or_insert_with(|| Source {
            budget: Budget::full(limits, now_ms),
            held_back: None,
            noticed_at: None,
        });
        let bytes = cost_bytes(line);
        source.budget.fill(now_ms);
        self.all.fill(now_ms);
        // While a notice waits, later lines of the source may be sent if the budget allows it:
        // the notice stands for those between, not for all that follow.
        let fits = source.budget.has(bytes) && self.all.has(bytes);
        if fits {
            source.budget.charge(bytes);
            self.all.charge(bytes);
        } else {
            source.hold_back(now_ms, line, bytes);
            self.suppressed += 1;
        }
        fits
    }

    /// The notices that are due: one line for each source that had lines held back.
    pub fn tick(&mut self, now_ms: i64) -> Vec<LogLine> {
        let due = |source: &Source| {
            let since = source.held_back.as_ref().map_or(now_ms, |held_back| held_back.since);
            let from = source.noticed_at.unwrap_or(since);
            now_ms.saturating_sub(from) >= NOTICE_MS || now_ms < from
        };
        self.notices(now_ms, due)
    }

    /// All notices, due or not: for the end.
    pub fn drain(&mut self, now_ms: i64) -> Vec<LogLine> {
        self.notices(now_ms, |_| true)
    }

    /// Lines held back since the start.
    pub fn suppressed(&self) -> u64 {
        self.suppressed
    }

    fn notices(&mut self, now_ms: i64, due: impl Fn(&Source) -> bool) -> Vec<LogLine> {
        let mut notices = Vec::new();
        for (name, source) in &mut self.sources {
            if due(source)
                && let Some(held_back) = source.held_back.take()
            {
                source.noticed_at = Some(now_ms);
                notices.push(held_back.notice(name, now_ms));
            }
        }
        notices
    }

    /// Forgets the source with the fullest budget of those that owe no notice.
    fn make_room(&mut self) {
        if self.sources.len() < SOURCES_MAX {
            return;
        }
        let quiet = self.sources.iter().filter(|(_, source)| source.held_back.is_none());
        let fullest = quiet.max_by_key(|(_, source)| source.budget.milli_lines);
        if let Some(name) = fullest.map(|(name, _)| name.clone()) {
            self.sources.remove(&name);
        }
    }
}

impl FloodLimits {
    fn times(self, factor: u64) -> Self {
        Self {
            lines_per_min: self.lines_per_min.saturating_mul(factor),
            bytes_per_min: self.bytes_per_min.saturating_mul(factor),
        }
    }
}

impl Source {
    fn hold_back(&mut self, now_ms: i64, line: &LogLine, bytes: u64) {
        let held_back = self.held_back.get_or_insert_with(|| HeldBack {
            lines: 0,
            bytes: 0,
            worst: line.severity,
            application: line.application.clone(),
            since: now_ms,
        });
        held_back.lines += 1;
        held_back.bytes += bytes;
        held_back.worst = held_back.worst.min(line.severity);
    }
}

impl HeldBack {
    fn notice(self, source: &str, now_ms: i64) -> LogLine {
        let plural = if self.lines == 1 { "" } else { "s" };
        LogLine {
            at: now_ms,
            severity: self.worst,
            application: self.application,
            source: source.to_owned(),
            message: format!("{} line{plural} suppressed ({} bytes)", self.lines, self.bytes),
            suppressed: self.lines,
            ..LogLine::default()
        }
    }
}

impl Budget {
    fn full(limits: FloodLimits, now_ms: i64) -> Self {
        Self {
            limits,
            milli_lines: limits.lines_per_min.saturating_mul(1000),
            milli_bytes: limits.bytes_per_min.saturating_mul(1000),
            filled_at: now_ms,
        }
    }

    /// Adds what the time since the last call is worth; a clock that was set back adds nothing.
    fn fill(&mut self, now_ms: i64) {
        let elapsed_ms = now_ms.saturating_sub(self.filled_at).clamp(0, MINUTE_MS) as u64;
        self.filled_at = now_ms;
        let minute_ms = MINUTE_MS as u64;
        let share = |per_min: u64| {
            per_min.saturating_mul(1000) / minute_ms * elapsed_ms
                + per_min.saturating_mul(1000) % minute_ms * elapsed_ms / minute_ms
        };
        let most = |per_min: u64| per_min.saturating_mul(1000);
        let FloodLimits { lines_per_min, bytes_per_min } = self.limits;
        self.milli_lines =
            self.milli_lines.saturating_add(share(lines_per_min)).min(most(lines_per_min));
        self.milli_bytes =
            self.milli_bytes.saturating_add(share(bytes_per_min)).min(most(bytes_per_min));
    }

    fn has(&self, bytes: u64) -> bool {
        self.milli_lines >= 1000 && self.milli_bytes >= bytes.saturating_mul(1000)
    }

    fn charge(&mut self, bytes: u64) {
        self.milli_lines -= 1000;
        self.milli_bytes -= bytes.saturating_mul(1000);
    }
}

fn cost_bytes(line: &LogLine) -> u64 {
    let fields = line.fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    let texts = line.message.len() + line.application.len() + line.source.len() + fields;
    texts as u64 + LINE_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(source: &str, severity: Severity) -> LogLine {
        LogLine {
            severity,
            application: "shop".to_owned(),
            source: source.to_owned(),
            message: "disk failed".to_owned(),
            ..LogLine::default()
        }
    }

    fn flood(lines_per_min: u64) -> Flood {
        Flood::new(FloodLimits { lines_per_min, bytes_per_min: 1 << 20 })
    }

    #[test]
    fn a_burst_is_cut_and_counted_in_one_line_of_its_worst_severity() {
        let mut flood = flood(10);
        let kept = (0..100)
            .filter(|n| {
                let severity = if *n == 50 { Severity::Critical } else { Severity::Error };
                flood.observe(1_000, &line("/var/log/a", severity))
            })
            .count();
        assert_eq!(kept, 10);
        assert_eq!(flood.tick(2_000), []);
        let notices = flood.tick(11_000);
        assert_eq!(notices.len(), 1);
        assert_eq!(notices[0].suppressed, 90);
        assert_eq!(notices[0].severity, Severity::Critical);
        assert_eq!(notices[0].application, "shop");
        assert!(notices[0].message.starts_with("90 lines suppressed"), "{}", notices[0].message);
        assert_eq!(flood.tick(60_000), []);
    }

    #[test]
    fn one_noisy_source_costs_the_others_nothing() {
        let mut flood = flood(10);
        (0..1000).for_each(|_| _ = flood.observe(0, &line("noisy", Severity::Error)));
        assert!(flood.observe(0, &line("quiet", Severity::Error)));
    }

    #[test]
    fn many_noisy_sources_together_are_bounded() {
        let mut flood = flood(10);
        let sent = |n: usize| line(&format!("{}", n % 100), Severity::Error);
        let kept = (0..1000).filter(|n| flood.observe(0, &sent(*n))).count();
        assert_eq!(kept, 40);
    }

    #[test]
    fn the_budget_fills_evenly_and_ignores_a_clock_set_back() {
        let mut flood = flood(60);
        let error = line("a", Severity::Error);
        (0..60).for_each(|_| assert!(flood.observe(0, &error)));
        assert!(!flood.observe(0, &error));
        assert!(flood.observe(1_000, &error));
        assert!(!flood.observe(1_000, &error));
        assert!(!flood.observe(-1_000_000, &error));
        assert!(flood.observe(-999_000, &error));
    }

    #[test]
    fn bytes_are_bounded_too() {
        let mut flood = Flood::new(FloodLimits { lines_per_min: 1000, bytes_per_min: 1000 });
        let mut long = line("a", Severity::Error);
        long.message = "x".repeat(600);
        assert!(flood.observe(0, &long));
        assert!(!flood.observe(0, &long));
    }

    proptest! {
        #[test]
        fn what_was_kept_and_what_was_suppressed_is_what_was_seen(
            seen in proptest::collection::vec((0_i64..5_000, 0_u8..5, any::<bool>()), 1..400),
            lines_per_min in 1_u64..50,
        ) {
            let mut flood = flood(lines_per_min);
            let (mut now, mut kept, mut noticed) = (0, 0, 0);
            for (step, source, tick) in &seen {
                now += step;
                kept += i64::from(flood.observe(now, &line(&source.to_string(), Severity::Error)));
                if *tick {
                    noticed += flood.tick(now).iter().map(|line| line.suppressed).sum::<i64>();
                }
            }
            prop_assert_eq!(flood.suppressed() as i64, seen.len() as i64 - kept);
            noticed += flood.drain(now).iter().map(|line| line.suppressed).sum::<i64>();
            prop_assert_eq!(kept + noticed, seen.len() as i64);
        }
    }
}
