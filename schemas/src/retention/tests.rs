//! What rules mean, and which ones are refused.

use super::*;

fn rule(scope: &str, label: Option<&str>, keep_days: i64) -> Rule {
    Rule { scope: scope.into(), label: label.map(str::to_owned), keep_days }
}

fn policy(rules: &[(&str, Option<&str>, i64)]) -> Policy {
    Policy { rules: rules.iter().map(|(scope, label, days)| rule(scope, *label, *days)).collect() }
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn without_rules_the_defaults_of_the_design_hold() {
    let none = Policy::default();
    for (table, days) in [
        ("host_samples", 14),
        ("process_samples", 14),
        ("host_samples_1m", 90),
        ("host_samples_1h", 1095),
        ("log_lines", 30),
        ("events", 365),
        ("ledger_marks", 90),
        ("alerts", 1095),
        ("silences", 1095),
        ("rule_versions", 1095),
        ("notifications", 90),
    ] {
        assert_eq!(none.keep_days(table), days, "{table}");
    }
}

#[test]
fn a_rule_of_a_table_wins_over_that_of_its_group_and_labels_only_shorten() {
    let policy = policy(&[
        ("raw", None, 20),
        ("process_samples", None, 3),
        ("raw", Some("env=test"), 5),
        ("raw", Some("site=lab"), 2),
        ("host_samples", Some("env=test"), 4),
    ]);
    for (table, of_host, days) in [
        ("host_samples", labels(&[]), 20),
        ("host_samples", labels(&[("env", "prod")]), 20),
        ("host_samples", labels(&[("env", "test")]), 4),
        ("host_samples", labels(&[("env", "test"), ("site", "lab")]), 2),
        ("disk_samples", labels(&[("env", "test")]), 5),
        ("process_samples", labels(&[("env", "test")]), 3),
        ("log_lines", labels(&[("env", "test")]), 30),
    ] {
        assert_eq!(policy.keep_days_of(table, &of_host), days, "{table} of {of_host:?}");
    }
    let raw = ["host_samples".to_owned(), "process_samples".to_owned()];
    assert_eq!(policy.samples_days_of(&raw, &labels(&[])), 20);
    assert_eq!(policy.samples_days_of(&raw, &labels(&[("env", "test")])), 4);
}

#[track_caller]
fn check_refused(rules: &[(&str, Option<&str>, i64)], field: &str) {
    let series = ["host_samples".to_owned(), "log_lines".to_owned()];
    match policy(rules).check(&series) {
        Err(Rejection::BadValue { field: found, .. }) => assert_eq!(found, field, "{rules:?}"),
        other => panic!("{rules:?}: {other:?}"),
    }
}

#[test]
fn what_is_wrong_is_named_by_its_field() {
    check_refused(&[("rwa", None, 3)], "rules[0].scope");
    check_refused(&[("raw", None, 0)], "rules[0].keep_days");
    check_refused(&[("raw", None, 99_999)], "rules[0].keep_days");
    check_refused(&[("raw", None, 3), ("raw", None, 4)], "rules[1].scope");
    check_refused(&[("raw", Some("env"), 3)], "rules[0].label");
    check_refused(&[("events", Some("env=test"), 3)], "rules[0].label");
    check_refused(&[("raw", Some("env=test"), 14)], "rules[0].keep_days");
    check_refused(&[("raw", None, 5), ("host_samples", Some("a=b"), 6)], "rules[1].keep_days");
    let good = [("raw", None, 9), ("log_lines", Some("env=test"), 2), ("gaps", None, 30)];
    let series = ["host_samples".to_owned(), "log_lines".to_owned()];
    assert_eq!(policy(&good).check(&series), Ok(()));
}

#[test]
fn a_day_goes_when_all_of_it_is_older_than_it_has_to_be() {
    let noon = 100 * DAY_MS + DAY_MS / 2;
    assert_eq!(horizon(noon, 14), 86 * DAY_MS);
    assert_eq!(horizon(100 * DAY_MS, 14), 86 * DAY_MS);
    // What intake still takes lies in a day that stays.
    assert!(noon - 14 * DAY_MS >= horizon(noon, 14));
}
