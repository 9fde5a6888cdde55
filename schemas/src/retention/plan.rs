//! What a policy would remove now, told from what is known of the tables. Nothing is counted here
//! and nothing removed: gateways show it, `muster-ingest-worker retention --plan` prints it, and
//! the ingest workers walk the same parts when they drop them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{DAY_MS, Group, Label, Policy, ROW_TABLES, RowTable, horizon};

/// What can be dropped of a time-series table at once: a day, or about a month of the tables of
/// hours. Begins and ends with days, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    pub starts_at: i64,
    pub ends_at: i64,
    /// Estimated by the database; unknown until it has looked for the first time.
    pub rows: Option<i64>,
    pub bytes: i64,
}

impl Part {
    pub fn days(&self) -> i64 {
        (self.ends_at - self.starts_at) / DAY_MS
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    pub table: String,
    /// Oldest first.
    pub parts: Vec<Part>,
}

/// What is known of the tables that are no time series: how many rows are old, counted up to a
/// limit (`exact` is false where that was reached).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldRows {
    pub table: RowTable,
    pub rows: i64,
    pub exact: bool,
}

/// Hosts and their labels.
pub type Labels = BTreeMap<String, BTreeMap<String, String>>;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    pub tables: Vec<TablePlan>,
    /// Sums over the tables.
    pub days: i64,
    pub rows: i64,
    pub bytes: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TablePlan {
    pub table: String,
    pub group: &'static str,
    pub keep_days: i64,
    /// What ended at or before this goes; milliseconds since the Unix epoch.
    pub before: i64,
    /// The start of the oldest day or month there is; null without any.
    pub oldest: Option<i64>,
    /// Days that would be dropped whole, in months where the table has such.
    pub days: i64,
    /// Rows that would go, those of `labels` included; of time series estimated by the database.
    pub rows: i64,
    /// False where it is an estimate, or a count that was cut short.
    pub exact: bool,
    /// What would be free afterwards. Rows deleted one by one free nothing at once.
    pub bytes: i64,
    pub labels: Vec<LabelPlan>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LabelPlan {
    pub label: String,
    pub keep_days: i64,
    pub before: i64,
    /// Hosts with that label now.
    pub hosts: usize,
    /// Days in which their rows would be deleted, if there are any left.
    pub days: i64,
    /// How many those may be: the rows of these days times the part of the hosts that have the
    /// label and none that is kept for a shorter time. Nobody looks how many are left, so that this
    /// is what goes the first time, and more than what goes later.
    pub rows: i64,
}

/// The parts of a table that go whole.
pub fn dropped_parts<'a>(series: &'a Series, policy: &Policy, now_ms: i64) -> Vec<&'a Part> {
    let before = horizon(now_ms, policy.keep_days(&series.table));
    series.parts.iter().filter(|part| part.ends_at <= before).collect()
}

/// What stays of a table but hosts with a label have to go from. A month is thinned out by the day:
/// it ends where their rows are old.
pub fn thinned_parts(
    series: &Series,
    policy: &Policy,
    keep_days: i64,
    now_ms: i64,
) -> impl Iterator<Item = Part> {
    let (all, theirs) =
        (horizon(now_ms, policy.keep_days(&series.table)), horizon(now_ms, keep_days));
    let concerned =
        series.parts.iter().filter(move |part| part.ends_at > all && part.starts_at < theirs);
    concerned.map(move |part| {
        let thinned = Part { ends_at: part.ends_at.min(theirs), ..*part };
        let rows = part.rows.map(|rows| rows * thinned.days() / part.days().max(1));
        Part { rows, ..thinned }
    })
}

/// Hosts that have a label.
pub fn hosts_with<'a>(hosts: &'a Labels, label: &Label) -> Vec<&'a str> {
    let has = |labels: &BTreeMap<String, String>| labels.get(&label.key) == Some(&label.value);
    hosts.iter().filter(|(_, labels)| has(labels)).map(|(host, _)| host.as_str()).collect()
}

pub fn plan(
    policy: &Policy,
    now_ms: i64,
    series: &[Series],
    rows: &[OldRows],
    hosts: &Labels,
) -> Plan {
    let of_series = series.iter().map(|series| plan_series(policy, now_ms, series, hosts));
    let of_rows = rows.iter().map(|old| plan_rows(policy, now_ms, old));
    let tables: Vec<TablePlan> = of_series.chain(of_rows).collect();
    Plan {
        days: tables.iter().map(|table| table.days).sum(),
        rows: tables.iter().map(|table| table.rows).sum(),
        bytes: tables.iter().map(|table| table.bytes).sum(),
        tables,
    }
}

fn plan_series(policy: &Policy, now_ms: i64, series: &Series, hosts: &Labels) -> TablePlan {
    let keep_days = policy.keep_days(&series.table);
    let dropped = dropped_parts(series, policy, now_ms);
    let labels = plan_labels(policy, now_ms, series, hosts);
    let of_days: i64 = dropped.iter().filter_map(|part| part.rows).sum();
    let of_labels: i64 = labels.iter().map(|label| label.rows).sum();
    let is_thinned = labels.iter().any(|label| label.hosts > 0 && label.days > 0);
    TablePlan {
        table: series.table.clone(),
        group: Group::of_series(&series.table).as_str(),
        keep_days,
        before: horizon(now_ms, keep_days),
        oldest: series.parts.first().map(|part| part.starts_at),
        days: dropped.iter().map(|part| part.days()).sum(),
        rows: of_days.saturating_add(of_labels),
        exact: dropped.is_empty() && !is_thinned,
        bytes: dropped.iter().map(|part| part.bytes).sum(),
        labels,
    }
}

/// A host with two labels is counted with the one that is kept for the shorter time: its rows of the
/// other's days are among those.
fn plan_labels(policy: &Policy, now_ms: i64, series: &Series, hosts: &Labels) -> Vec<LabelPlan> {
    let mut counted: BTreeSet<&str> = BTreeSet::new();
    let plan = |(label, keep_days): (Label, i64)| {
        let with_it = hosts_with(hosts, &label);
        let new = with_it.iter().filter(|host| counted.insert(host)).count();
        let parts: Vec<Part> = thinned_parts(series, policy, keep_days, now_ms).collect();
        let rows: i64 = parts.iter().filter_map(|part| part.rows).sum();
        LabelPlan {
            label: label.to_string(),
            keep_days,
            before: horizon(now_ms, keep_days),
            hosts: with_it.len(),
            days: parts.iter().map(Part::days).sum(),
            rows: (i128::from(rows) * new as i128 / hosts.len().max(1) as i128) as i64,
        }
    };
    policy.shorter(&series.table).into_iter().map(plan).collect()
}

fn plan_rows(policy: &Policy, now_ms: i64, old: &OldRows) -> TablePlan {
    let keep_days = policy.keep_days(old.table.name);
    TablePlan {
        table: old.table.name.to_owned(),
        group: old.table.group.as_str(),
        keep_days,
        before: horizon(now_ms, keep_days),
        oldest: None,
        days: 0,
        rows: old.rows,
        exact: old.exact,
        bytes: 0,
        labels: Vec::new(),
    }
}

/// The statement that finds old rows of a table; `$1` is the horizon. `old` is the row.
pub fn old_rows_condition(table: &RowTable) -> String {
    format!("old.{} < $1 AND {}", table.time, table.also)
}

/// Every table of which rows are deleted.
pub fn row_tables() -> impl Iterator<Item = RowTable> {
    ROW_TABLES.into_iter()
}

#[cfg(test)]
mod tests {
    use super::super::Rule;
    use super::*;

    fn series(table: &str, days: std::ops::Range<i64>) -> Series {
        let day = |n: i64| Part {
            starts_at: n * DAY_MS,
            ends_at: (n + 1) * DAY_MS,
            rows: Some(10),
            bytes: 100,
        };
        Series { table: table.into(), parts: days.map(day).collect() }
    }

    #[test]
    fn whole_days_go_at_the_longest_keep_and_labels_thin_out_the_rest() {
        let rule = |scope: &str, label: Option<&str>, keep_days| Rule {
            scope: scope.into(),
            label: label.map(str::to_owned),
            keep_days,
        };
        let policy = Policy {
            rules: vec![
                rule("raw", None, 5),
                rule("raw", Some("env=test"), 2),
                rule("raw", Some("role=lab"), 4),
            ],
        };
        let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let test = BTreeMap::from([label("env", "test"), label("role", "lab")]);
        let hosts = Labels::from([("a".into(), test), ("b".into(), BTreeMap::new())]);
        let now = 20 * DAY_MS + 1;
        let series = [series("host_samples", 10..21), series("host_samples_1h", 10..21)];
        let plan = plan(&policy, now, &series, &[], &hosts);
        let raw = &plan.tables[0];
        // Days 10 to 14 have ended when day 15 begins; 15, 16 and 17 lose their test hosts.
        assert_eq!((raw.days, raw.rows, raw.bytes, raw.before), (5, 65, 500, 15 * DAY_MS));
        // A half of the hosts, which has both labels and is counted once.
        let labels: Vec<_> = raw.labels.iter().map(|l| (l.hosts, l.days, l.rows)).collect();
        assert_eq!(labels, [(1, 3, 15), (1, 1, 0)]);
        assert_eq!((plan.tables[1].days, plan.tables[1].labels.len()), (0, 0));
        assert_eq!((plan.days, plan.rows, plan.bytes), (5, 65, 500));
    }

    #[test]
    fn a_plan_that_only_deletes_by_label_is_an_estimate() {
        let rule = Rule { scope: "raw".into(), label: Some("env=test".into()), keep_days: 2 };
        let policy = Policy { rules: vec![rule] };
        let series = [series("host_samples", 10..21)];
        for (value, rows, exact) in [("test", 80, false), ("prod", 0, true)] {
            let labels = BTreeMap::from([("env".to_owned(), value.to_owned())]);
            let hosts = Labels::from([("a".into(), labels)]);
            let plan = plan(&policy, 20 * DAY_MS + 1, &series, &[], &hosts);
            assert_eq!((plan.rows, plan.tables[0].exact), (rows, exact), "{value}");
        }
    }

    #[test]
    fn a_month_goes_whole_once_all_of_it_is_old_and_is_thinned_out_by_the_day() {
        let rule = |label: Option<&str>, keep_days| Rule {
            scope: "rollup_1h".into(),
            label: label.map(str::to_owned),
            keep_days,
        };
        let policy = Policy { rules: vec![rule(None, 40), rule(Some("env=test"), 10)] };
        let month = |n: i64| Part {
            starts_at: n * 30 * DAY_MS,
            ends_at: (n + 1) * 30 * DAY_MS,
            rows: Some(30),
            bytes: 300,
        };
        let series = Series { table: "host_samples_1h".into(), parts: (0..4).map(month).collect() };
        let (now, dropped) = (105 * DAY_MS, |now| {
            dropped_parts(&series, &policy, now).iter().map(|part| part.ends_at).collect::<Vec<_>>()
        });
        assert_eq!(dropped(99 * DAY_MS), [30 * DAY_MS]);
        assert_eq!(dropped(100 * DAY_MS), [30 * DAY_MS, 60 * DAY_MS]);
        let thinned: Vec<(i64, i64)> = thinned_parts(&series, &policy, 10, now)
            .map(|part| (part.starts_at / DAY_MS, part.ends_at / DAY_MS))
            .collect();
        assert_eq!(thinned, [(60, 90), (90, 95)]);
        let plan = plan(&policy, now, &[series], &[], &Labels::new());
        assert_eq!((plan.days, plan.tables[0].labels[0].days), (60, 35));
    }
}
