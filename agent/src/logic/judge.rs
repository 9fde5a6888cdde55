//! The host's own suspicions: each condition of the rules over each sample, as candidates.
//!
//! A candidate leaves at once when a condition is breached or cleared, and again each publishing
//! interval while it is breached, so that the centre learns of it even when a message was late. A
//! rule that is changed or taken away ends what was breached under it.

use std::borrow::Cow;

use muster_schemas::conditions::{Candidate, CandidateState, Condition, Context, Verdict, Watch};
use muster_schemas::metrics::{self, CLOCK_OFFSET, LOG_ERROR_RATE};
use muster_schemas::telemetry::{Process, Sample};

/// Processes that travel with a candidate.
const CONTEXT_PROCESSES: usize = 5;

/// What is judged beside a sample and not part of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside {
    /// The rate of bad log lines.
    pub log_errors_per_min: f64,
    /// The host's clock minus the bus's, once it was measured.
    pub clock_offset_ms: Option<i64>,
}

#[derive(Debug, Default)]
pub struct Judge {
    watches: Vec<Watch>,
}

impl Judge {
    /// Judges by these conditions from now on. What is unchanged keeps its memory. Answers the
    /// ends of breaches under conditions that are gone.
    pub fn apply(&mut self, now: i64, conditions: &[Condition]) -> Vec<Candidate> {
        let mut old = std::mem::take(&mut self.watches);
        for condition in conditions {
            let known = old.iter().position(|watch| watch.condition == *condition);
            let watch = known.map(|index| old.swap_remove(index));
            self.watches.push(watch.unwrap_or_else(|| Watch::new(condition.clone())));
        }
        let mut candidates = Vec::new();
        for watch in &mut old {
            let verdicts = watch.end();
            let of = |verdict| candidate(&watch.condition, now, verdict, Context::default());
            candidates.extend(verdicts.into_iter().map(of));
        }
        candidates
    }

    /// Takes one sample, and what is known beside it.
    pub fn observe(&mut self, sample: &Sample, beside: Beside, repeat_ms: i64) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for watch in &mut self.watches {
            let metric = watch.condition.metric.as_str();
            let readings = readings(sample, beside, metric);
            let readings = readings.iter().map(|(name, value)| (name.as_ref(), *value));
            for verdict in watch.observe(sample.at, readings, repeat_ms) {
                let context = context(&watch.condition.metric, &verdict, sample);
                candidates.push(candidate(&watch.condition, sample.at, verdict, context));
            }
        }
        candidates
    }
}

fn readings<'a>(sample: &'a Sample, beside: Beside, metric: &str) -> Vec<(Cow<'a, str>, f64)> {
    match metric {
        LOG_ERROR_RATE => vec![("".into(), beside.log_errors_per_min)],
        CLOCK_OFFSET => {
            let offset_ms = beside.clock_offset_ms.into_iter();
            offset_ms.map(|offset_ms| ("".into(), offset_ms.unsigned_abs() as f64)).collect()
        }
        _ => metrics::readings(sample, metric),
    }
}

fn candidate(condition: &Condition, at: i64, verdict: Verdict, context: Context) -> Candidate {
    Candidate {
        at,
        rule: condition.rule.clone(),
        rule_version: condition.rule_version,
        metric: condition.metric.clone(),
        instance: verdict.instance,
        state: verdict.state,
        value: verdict.value,
        threshold: verdict.threshold,
        since: verdict.since,
        context,
    }
}

/// What a person would look at first. Nothing once it is over.
fn context(metric: &str, verdict: &Verdict, sample: &Sample) -> Context {
    let mut context = Context::default();
    if verdict.state == CandidateState::Cleared {
        return context;
    }
    let processes = &sample.processes;
    let top: &[Process] = match metric.split('.').next().unwrap_or_default() {
        "cpu" | "load" | "processes" => &processes.top_cpu,
        "memory" | "swap" => &processes.top_memory,
        "disk" | "disk_device" | "pressure" => &processes.top_io,
        "filesystem" => {
            let named = sample.filesystems.iter().find(|f| f.mount == verdict.instance);
            context.filesystem = named.or_else(|| sample.fullest_filesystem()).cloned();
            &[]
        }
        _ => &[],
    };
    context.processes = top.iter().take(CONTEXT_PROCESSES).cloned().collect();
    context
}

#[cfg(test)]
mod tests {
    use muster_schemas::conditions::Op;
    use muster_schemas::telemetry::{Cpu, Filesystem};

    use super::*;

    fn condition(metric: &str, threshold: f64) -> Condition {
        Condition {
            rule: metric.into(),
            rule_version: 1,
            metric: metric.into(),
            instance: None,
            op: Op::Above,
            threshold: Some(threshold),
            baseline_factor: None,
            limit_min: None,
            clear_at: None,
        }
    }

    fn sample(at: i64, cpu: f32, used: i64) -> Sample {
        let process = Process { pid: 7, name: "busy".into(), ..Process::default() };
        let mut sample = Sample {
            at,
            cpu: Cpu { usage_percent: cpu, cores_percent: vec![cpu], ..Cpu::default() },
            filesystems: vec![Filesystem {
                mount: "/".into(),
                used_bytes: used,
                available_bytes: 100 - used,
                ..Filesystem::default()
            }],
            ..Sample::default()
        };
        sample.processes.top_cpu = vec![process; 9];
        sample
    }

    #[test]
    fn a_breach_travels_with_what_explains_it() {
        let mut judge = Judge::default();
        let conditions =
            [condition("cpu.usage_percent", 90.0), condition("filesystem.used_percent", 80.0)];
        assert!(judge.apply(0, &conditions).is_empty());
        assert!(judge.observe(&sample(1000, 50.0, 50), Beside::default(), 15_000).is_empty());
        let candidates = judge.observe(&sample(2000, 95.0, 85), Beside::default(), 15_000);
        assert_eq!(candidates.len(), 2);
        assert_eq!(candidates[0].context.processes.len(), CONTEXT_PROCESSES);
        assert_eq!(candidates[1].instance, "/");
        assert_eq!(candidates[1].context.filesystem.as_ref().unwrap().used_bytes, 85);
        let cleared = judge.observe(&sample(3000, 10.0, 85), Beside::default(), 15_000);
        assert_eq!(cleared.len(), 1);
        assert_eq!((cleared[0].state, cleared[0].since), (CandidateState::Cleared, 2000));
        assert!(cleared[0].context.processes.is_empty());
    }

    #[test]
    fn a_rule_that_is_taken_away_ends_its_breach_and_the_others_keep_theirs() {
        let mut judge = Judge::default();
        let (cpu, log) = (condition("cpu.usage_percent", 90.0), condition(LOG_ERROR_RATE, 10.0));
        let errors = Beside { log_errors_per_min: 60.0, clock_offset_ms: None };
        judge.apply(0, &[cpu.clone(), log.clone()]);
        assert_eq!(judge.observe(&sample(1000, 95.0, 0), errors, 15_000).len(), 2);
        let ended = judge.apply(1500, &[log]);
        assert_eq!(ended.len(), 1);
        assert_eq!(
            (ended[0].rule.as_str(), ended[0].state),
            ("cpu.usage_percent", CandidateState::Cleared,)
        );
        assert!(judge.observe(&sample(2000, 95.0, 0), errors, 15_000).is_empty());
        assert_eq!(judge.observe(&sample(20_000, 95.0, 0), errors, 15_000).len(), 1);
    }
    #[test]
    fn a_clock_is_judged_by_how_far_it_is_off_either_way_once_that_was_measured() {
        let mut judge = Judge::default();
        judge.apply(0, &[condition(CLOCK_OFFSET, 1000.0)]);
        let beside = |clock_offset_ms| Beside { clock_offset_ms, ..Beside::default() };
        assert!(judge.observe(&sample(1000, 1.0, 0), beside(None), 15_000).is_empty());
        assert!(judge.observe(&sample(2000, 1.0, 0), beside(Some(900)), 15_000).is_empty());
        let candidates = judge.observe(&sample(3000, 1.0, 0), beside(Some(-1500)), 15_000);
        assert_eq!((candidates.len(), candidates[0].value), (1, 1500.0));
    }
}
