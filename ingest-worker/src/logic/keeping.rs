//! How late a message may be: as late as what it carries is still kept, for its host.
//!
//! Late data that were taken beyond that would make days again that retention has dropped, or put
//! rows back that it has deleted. The configuration can only refuse more.

use std::collections::HashMap;

use muster_schemas::HostId;
use muster_schemas::retention::plan::Labels;
use muster_schemas::retention::{DAY_MS, Group, Policy};

use super::intake::Rules;

/// How far back samples and log lines are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Late {
    pub samples_ms: i64,
    pub lines_ms: i64,
}

/// For all hosts, and for those whose labels shorten it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeping {
    all: Late,
    of_hosts: HashMap<HostId, Late>,
}

impl Keeping {
    /// What the policy keeps of the given time-series tables, but never more than `cap`.
    pub fn new(policy: &Policy, series: &[String], hosts: &Labels, cap: Late) -> Self {
        let of_group = |group: Group| {
            series.iter().filter(move |table| Group::of_series(table) == group).cloned()
        };
        let (raw, logs): (Vec<_>, Vec<_>) =
            (of_group(Group::Raw).collect(), of_group(Group::Logs).collect());
        let late = |labels: &_| Late {
            samples_ms: cap.samples_ms.min(policy.samples_days_of(&raw, labels) * DAY_MS),
            lines_ms: cap.lines_ms.min(match logs.first() {
                Some(table) => policy.keep_days_of(table, labels) * DAY_MS,
                None => Group::Logs.default_days() * DAY_MS,
            }),
        };
        let all = late(&std::collections::BTreeMap::new());
        let of_host = |(host, labels): (&String, _)| Some((host.parse().ok()?, late(labels)));
        let of_hosts = hosts.iter().filter_map(of_host).filter(|(_, late)| *late != all);
        Self { all, of_hosts: of_hosts.collect() }
    }

    pub fn of(&self, host: &HostId) -> Late {
        self.of_hosts.get(host).copied().unwrap_or(self.all)
    }

    /// What intake goes by for a host.
    pub fn rules(&self, now_ms: i64, host: &HostId) -> Rules {
        let Late { samples_ms, lines_ms } = self.of(host);
        Rules { now_ms, late_ms_max: samples_ms, late_lines_ms_max: lines_ms }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use muster_schemas::retention::Rule;

    use super::*;

    #[test]
    fn samples_are_taken_for_as_long_as_any_part_of_them_is_kept_for_their_host() {
        let rule = |scope: &str, label: Option<&str>, keep_days| Rule {
            scope: scope.into(),
            label: label.map(str::to_owned),
            keep_days,
        };
        let policy = Policy {
            rules: vec![
                rule("process_samples", None, 3),
                rule("raw", Some("env=test"), 2),
                rule("logs", Some("env=test"), 4),
            ],
        };
        let series = ["host_samples", "log_lines", "process_samples", "host_samples_1h"];
        let series = series.map(str::to_owned);
        let test = BTreeMap::from([("env".to_owned(), "test".to_owned())]);
        let hosts = Labels::from([("short".into(), test), ("long".into(), BTreeMap::new())]);
        let cap = Late { samples_ms: 10 * DAY_MS, lines_ms: i64::MAX };
        let keeping = Keeping::new(&policy, &series, &hosts, cap);
        let of = |host: &str| keeping.of(&host.parse().unwrap());
        assert_eq!(of("short"), Late { samples_ms: 2 * DAY_MS, lines_ms: 4 * DAY_MS });
        assert_eq!(of("long"), Late { samples_ms: 10 * DAY_MS, lines_ms: 30 * DAY_MS });
        assert_eq!(of("unknown"), of("long"));
    }
}
