use super::*;

fn condition() -> Condition {
    Condition {
        rule: "disk-high".into(),
        rule_version: 1,
        metric: "filesystem.used_percent".into(),
        instance: None,
        op: Op::Above,
        threshold: Some(80.0),
        baseline_factor: None,
        limit_min: None,
        clear_at: None,
    }
}

/// Feeds one instance a value every 5 s; answers what was said, with the second it was said at.
fn said(condition: Condition, values: &[f64]) -> Vec<(i64, CandidateState)> {
    let mut watch = Watch::new(condition);
    let mut said = Vec::new();
    for (index, value) in values.iter().enumerate() {
        let second = 5 * index as i64;
        let verdicts = watch.observe(second * 1000, [("/", *value)], 15_000);
        said.extend(verdicts.into_iter().map(|verdict| (second, verdict.state)));
    }
    said
}

#[test]
fn a_breach_is_said_at_once_repeated_and_cleared() {
    use CandidateState::{Breached, Cleared, StillBreached};
    let said = said(condition(), &[80.0, 80.5, 81.0, 90.0, 90.0, 90.0, 80.0, 80.0]);
    assert_eq!(said, [(5, Breached), (20, StillBreached), (30, Cleared)]);
}

#[test]
fn between_limit_and_clear_at_it_stays_as_it_was() {
    use CandidateState::{Breached, Cleared};
    let condition = Condition { clear_at: Some(75.0), ..condition() };
    let said = said(condition, &[78.0, 81.0, 78.0, 76.0, 75.0, 78.0]);
    assert_eq!(said, [(5, Breached), (20, Cleared)]);
}

#[test]
fn a_baseline_is_the_instances_own_and_does_not_learn_from_a_breach() {
    let condition = Condition { threshold: None, baseline_factor: Some(5.0), ..condition() };
    let mut watch = Watch::new(condition);
    let mut look = |second: i64, a: f64, b: f64| {
        watch.observe(second * 1000, [("eth0", a), ("eth1", b)], i64::MAX)
    };
    for second in 0..i64::from(BASELINE_VALUES_MIN) {
        assert_eq!(look(second, 100.0, 10_000.0), [], "judged before the level is known");
    }
    let verdicts = look(100, 600.0, 10_000.0);
    assert_eq!(verdicts.len(), 1);
    assert_eq!((verdicts[0].instance.as_str(), verdicts[0].threshold), ("eth0", 500.0));
    for second in 101..5000 {
        assert_eq!(look(second, 600.0, 10_000.0), [], "the breach became normal");
    }
    assert_eq!(look(5000, 100.0, 10_000.0)[0].state, CandidateState::Cleared);
}

/// 8 Mbit/s, as the rules of a fresh installation have it.
fn spike() -> Condition {
    Condition {
        metric: "network.rx_bytes_per_s".into(),
        threshold: None,
        baseline_factor: Some(5.0),
        limit_min: Some(1e6),
        ..condition()
    }
}

#[test]
fn a_burst_on_a_quiet_host_is_no_breach_below_the_least_limit() {
    let check = |usual: f64, burst: f64, limit: Option<f64>| {
        let mut watch = Watch::new(spike());
        for second in 0..i64::from(BASELINE_VALUES_MIN) {
            assert_eq!(watch.observe(second * 1000, [("eth0", usual)], i64::MAX), []);
        }
        let found = watch.observe(60_000, [("eth0", burst)], i64::MAX);
        let limits: Vec<f64> = found.iter().map(|verdict| verdict.threshold).collect();
        assert_eq!(limits, limit.into_iter().collect::<Vec<_>>(), "{burst} where {usual} is usual");
    };
    check(20.0, 91.0, None);
    check(20.0, 100e3, None);
    check(20.0, 1e6, None);
    check(20.0, 2e6, Some(1e6));
    check(1e6, 2e6, None);
    check(1e6, 6e6, Some(5e6));
}

#[test]
fn a_least_limit_stands_only_beside_a_baseline_that_is_exceeded() {
    type Spoil = fn(&mut Condition);
    let cases: &[(Spoil, &str)] = &[
        (|c| c.limit_min = Some(f64::NAN), "limit_min is NaN, expected a finite number"),
        (|c| c.limit_min = Some(-1.0), "limit_min is -1, expected 0 or more"),
        (|c| c.op = Op::Below, "limit_min is 1000000, expected nothing beside below or at_most"),
        (|c| c.op = Op::AtMost, "limit_min is 1000000, expected nothing beside below or at_most"),
        (
            |c| (c.threshold, c.baseline_factor) = (Some(1.0), None),
            "limit_min is 1000000, expected nothing without baseline_factor",
        ),
    ];
    for (spoil, reason) in cases {
        let mut spoiled = spike();
        spoil(&mut spoiled);
        assert_eq!(spoiled.check().unwrap_err().to_string(), *reason);
    }
    spike().check().unwrap();
    let written = serde_json::to_value(condition()).unwrap();
    assert!(written.get("limit_min").is_none(), "said where there is none: {written}");
}

#[test]
fn an_instance_that_is_gone_is_cleared_after_a_few_looks() {
    let mut watch = Watch::new(condition());
    assert_eq!(watch.observe(0, [("/mnt", 95.0)], 15_000).len(), 1);
    let clears: Vec<usize> =
        (1..=5).map(|n| watch.observe(n * 5000, [("/", 1.0)], 15_000).len()).collect();
    assert_eq!(clears, [0, 0, 1, 0, 0]);
}

#[test]
fn a_rule_may_name_one_instance_or_the_start_of_several() {
    for (pattern, concerned) in [("/data", vec!["/data"]), ("/data*", vec!["/data", "/data/1"])] {
        let condition = Condition { instance: Some(pattern.into()), ..condition() };
        let mut watch = Watch::new(condition);
        let verdicts = watch.observe(0, [("/", 99.0), ("/data", 99.0), ("/data/1", 99.0)], 15_000);
        let instances: Vec<String> = verdicts.into_iter().map(|v| v.instance).collect();
        assert_eq!(instances, concerned);
    }
}

#[test]
fn what_is_no_longer_in_force_ends_its_breaches() {
    let mut watch = Watch::new(condition());
    watch.observe(0, [("/", 99.0), ("/data", 1.0)], 15_000);
    assert_eq!(watch.end().len(), 1);
    assert_eq!(watch.end().len(), 0);
}

#[test]
fn nonsense_is_refused_by_the_name_of_its_field() {
    type Spoil = fn(&mut Condition);
    let cases: &[(Spoil, &str)] = &[
        (|c| c.metric = "cpu.magic".into(), "metric is cpu.magic"),
        (|c| c.threshold = Some(f64::NAN), "threshold is NaN"),
        (|c| c.threshold = None, "threshold is absent"),
        (|c| c.baseline_factor = Some(2.0), "baseline_factor is 2"),
        (|c| c.clear_at = Some(90.0), "clear_at is 90, expected at most the threshold of 80"),
        (|c| c.rule.clear(), "rule is \"\""),
    ];
    for (spoil, reason) in cases {
        let mut spoiled = condition();
        spoil(&mut spoiled);
        let said = spoiled.check().unwrap_err().to_string();
        assert!(said.starts_with(reason), "{said:?} is not {reason:?}");
    }
    condition().check().unwrap();
}

#[test]
fn the_directories_of_a_candidate_are_bounded_and_named_where_they_are_not() {
    let directory = |bytes| Directory { path: "/var/log".into(), bytes };
    let candidate = |directories| Candidate {
        at: 1_800_000_000_000,
        rule: "1".into(),
        rule_version: 1,
        metric: "filesystem.used_percent".into(),
        instance: "/".into(),
        state: CandidateState::StillBreached,
        value: 91.0,
        threshold: 90.0,
        since: 1_800_000_000_000,
        context: Context { directories, ..Context::default() },
    };
    candidate(vec![directory(1); DIRECTORIES_MAX]).check(0).unwrap();
    let nul = Directory { path: "/\0".into(), bytes: 0 };
    for (directories, reason) in [
        (vec![directory(1); DIRECTORIES_MAX + 1], "body.context.directories is 9"),
        (vec![directory(1), directory(-1)], "body.context.directories[1].bytes is -1"),
        (vec![nul], "body.context.directories[0].path is"),
    ] {
        let said = candidate(directories).check(0).unwrap_err().to_string();
        assert!(said.starts_with(reason), "{said:?} is not {reason:?}");
    }
}
