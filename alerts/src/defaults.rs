//! The rules of a fresh installation. Whoever installs Muster should hear of what everybody wants
//! to hear of, and of nothing else.
//!
//! For CPU and memory the limit is also where a breach ends: a dip begins the duration anew. Disks
//! waver about their limit by a temporary file, so theirs ends two points lower.

use muster_schemas::conditions::Op;
use muster_schemas::metrics::{CLOCK_OFFSET, LOG_ERROR_RATE};

use crate::rule::{MetricCondition, OfflineCondition, Priority, RuleCondition, RuleDefinition};

const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 3600;

/// How many times its own level a network's traffic must be.
const SPIKE_FACTOR: f64 = 5.0;

/// 8 Mbit/s: five times of next to nothing is a package that is installed, or somebody who logs in.
const SPIKE_BYTES_PER_S_MIN: f64 = 1_000_000.0;

/// All of them, the critical one of a metric before the high one.
pub fn default_rules() -> Vec<RuleDefinition> {
    [resources(), disks(), networks(), hosts()].concat()
}

fn resources() -> Vec<RuleDefinition> {
    let cpu_description = "CPU usage of {{host}} has been over {{threshold}} for {{for}}, since \
                           {{since}}; it is {{value}} now. The busiest processes: \
                           {{top_processes}}.";
    let cpu_advice = "Look at the busiest processes above. If one of them runs away, restart or \
                      limit it; if the load is honest, move work to other hosts or add cores.";
    let memory_description = "Memory of {{host}} has been over {{threshold}} full for {{for}}, \
                              since {{since}}; it is {{value}} full now. The largest processes: \
                              {{top_processes}}.";
    let memory_advice = "Look for a process that grows without end and restart it before the \
                         kernel chooses one to kill; otherwise lower caches and pools, or add \
                         memory.";
    vec![
        rule("CPU critical", above("cpu.usage_percent", 90.0))
            .lasting(5 * MINUTE_S, 30 * MINUTE_S, Priority::Critical)
            .saying("CPU of {{host}} at {{value}} for {{for}}", cpu_description, cpu_advice),
        rule("CPU high", above("cpu.usage_percent", 75.0))
            .lasting(10 * MINUTE_S, HOUR_S, Priority::High)
            .saying("CPU of {{host}} at {{value}} for {{for}}", cpu_description, cpu_advice),
        rule("Memory critical", above("memory.used_percent", 95.0))
            .lasting(5 * MINUTE_S, 30 * MINUTE_S, Priority::Critical)
            .saying("Memory of {{host}} {{value}} full", memory_description, memory_advice),
        rule("Memory high", above("memory.used_percent", 85.0))
            .lasting(10 * MINUTE_S, HOUR_S, Priority::High)
            .saying("Memory of {{host}} {{value}} full", memory_description, memory_advice),
        rule("Swap in use", above("swap.used_percent", 80.0))
            .lasting(10 * MINUTE_S, HOUR_S, Priority::Medium)
            .saying(
                "Swap of {{host}} {{value}} full",
                "Swap of {{host}} has been over {{threshold}} full for {{for}}. The largest \
                 processes: {{top_processes}}.",
                "When swap is full too, the kernel kills processes. Find what outgrew the memory, \
                 or add memory.",
            ),
        rule("Too many processes", above("processes.total", 500.0))
            .lasting(5 * MINUTE_S, HOUR_S, Priority::Medium)
            .saying(
                "{{value}} processes on {{host}}",
                "{{host}} has had more than {{threshold}} processes for {{for}}; it has {{value}} \
                 now. The busiest: {{top_processes}}.",
                "Look for a program that starts children and does not wait for them, or a timer \
                 whose jobs pile up. If so many are normal here, raise the rule's threshold.",
            ),
        rule("Temperature high", above("temperature.max_celsius", 85.0))
            .lasting(5 * MINUTE_S, HOUR_S, Priority::High)
            .saying(
                "{{host}} is at {{value}}",
                "The hottest sensor of {{host}} has been over {{threshold}} for {{for}}; it shows \
                 {{value}} now.",
                "Check fans, filters and the room's cooling. Until then take load off the host: \
                 it slows down by itself and may switch off.",
            ),
    ]
}

fn disks() -> Vec<RuleDefinition> {
    let description = "{{instance}} of {{host}} is {{value}} full, the limit is {{threshold}}. \
                       {{filesystem}}. The largest directories: {{top_directories}}.";
    let advice = "Find the largest directories (du -xh {{instance}} | sort -h | tail), remove old \
                  logs, packages and backups, or enlarge the filesystem. Deleted files that a \
                  process still holds open free their space when it is restarted.";
    let disk = |name: &str, threshold: f64, cooldown_s: i64, priority: Priority| {
        let mut condition = above("filesystem.used_percent", threshold);
        condition.clear_at = Some(threshold - 2.0);
        rule(name, condition).lasting(0, cooldown_s, priority).saying(
            "{{instance}} of {{host}} is {{value}} full",
            description,
            advice,
        )
    };
    vec![
        disk("Disk critical", 90.0, 2 * HOUR_S, Priority::Critical),
        disk("Disk high", 80.0, 4 * HOUR_S, Priority::High),
    ]
}

fn networks() -> Vec<RuleDefinition> {
    let spike = |name: &str, metric: &str, verb: &str| {
        let condition = MetricCondition {
            threshold: None,
            baseline_factor: Some(SPIKE_FACTOR),
            limit_min: Some(SPIKE_BYTES_PER_S_MIN),
            ..above(metric, 0.0)
        };
        rule(name, condition).lasting(MINUTE_S, 30 * MINUTE_S, Priority::Medium).saying(
            &format!("{{{{host}}}} {verb} {{{{value}}}}"),
            &format!(
                "{{{{host}}}} has {verb} more than five times its usual traffic for {{{{for}}}}: \
                 {{{{value}}}}, where {{{{threshold}}}} would be the limit."
            ),
            "See which connections carry it (ss -tunp). A backup or a release explains itself; \
             otherwise think of a scan, an attack or a runaway client.",
        )
    };
    vec![
        spike("Network spike, received", "network.rx_bytes_per_s", "receives"),
        spike("Network spike, sent", "network.tx_bytes_per_s", "sends"),
    ]
}

fn hosts() -> Vec<RuleDefinition> {
    let mut offline =
        rule("Host offline", above("", 0.0)).lasting(0, 0, Priority::Critical).saying(
            "{{host}} is offline",
            "{{host}} has missed more than two heartbeats; it counts as offline since {{since}}.",
            "See whether the host answers at all. If it does, look at the agent (systemctl status \
             muster-agent) and at its way to the bus; if not, at its console, power and network.",
        );
    offline.condition = RuleCondition::Offline(OfflineCondition {});
    vec![
        offline,
        rule("Error-log burst", above(LOG_ERROR_RATE, 100.0))
            .lasting(MINUTE_S, 30 * MINUTE_S, Priority::Medium)
            .saying(
                "{{host}} logs {{value}} of errors",
                "{{host}} has logged errors at more than {{threshold}} for {{for}}; the rate is \
                 {{value}} now.",
                "Read the host's log lines around {{since}}; the first ones usually name the \
                 cause, the rest its consequences.",
            ),
        rule("Clock off", above(CLOCK_OFFSET, 1000.0))
            .lasting(5 * MINUTE_S, HOUR_S, Priority::Medium)
            .saying(
                "The clock of {{host}} is off by {{value}}",
                "The clock of {{host}} has been off by more than {{threshold}} for {{for}}; it is \
                 off by {{value}} now.",
                "See whether the host's time service runs and reaches its servers (timedatectl, \
                 chronyc tracking). Certificates, logs and clusters depend on it.",
            ),
    ]
}

fn above(metric: &str, threshold: f64) -> MetricCondition {
    MetricCondition {
        metric: metric.to_owned(),
        instance: None,
        op: Op::Above,
        threshold: Some(threshold),
        baseline_factor: None,
        limit_min: None,
        clear_at: None,
    }
}

fn rule(name: &str, condition: MetricCondition) -> RuleDefinition {
    RuleDefinition {
        name: name.to_owned(),
        enabled: true,
        condition: RuleCondition::Metric(condition),
        for_s: 0,
        cooldown_s: 0,
        priority: Priority::Low,
        selector: String::new(),
        title: String::new(),
        description: String::new(),
        recommendation: String::new(),
        channels: Vec::new(),
        escalation: Vec::new(),
    }
}

impl RuleDefinition {
    fn lasting(self, for_s: i64, cooldown_s: i64, priority: Priority) -> Self {
        Self { for_s, cooldown_s, priority, ..self }
    }

    fn saying(self, title: &str, description: &str, recommendation: &str) -> Self {
        Self {
            title: title.to_owned(),
            description: description.to_owned(),
            recommendation: recommendation.to_owned(),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_rule_passes_the_check_and_says_what_to_do() {
        let rules = default_rules();
        let mut names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
        for rule in &rules {
            rule.check().unwrap_or_else(|rejection| panic!("{}: {rejection}", rule.name));
            assert!(!rule.description.is_empty() && !rule.recommendation.is_empty());
            assert!(!rule.description.contains("  "), "{}", rule.description);
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 14);
    }
}
