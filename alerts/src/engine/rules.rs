//! Rules as the engine works with them: read once, and with their neighbours of the same metric.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_schemas::Rejection;
use muster_schemas::conditions::Condition;

use crate::rule::{Rule, RuleCondition};
use crate::selector::Selector;
use crate::template::Template;

#[derive(Debug)]
pub(super) struct Known {
    pub rule: Rule,
    pub condition_version: i64,
    /// What agents judge by; absent where they have no part in it.
    condition: Option<Condition>,
    pub selector: Selector,
    /// Title, description, recommendation.
    pub templates: [Template; 3],
    /// Rules of the same metric with a higher priority, the highest first; and with a lower one.
    pub higher: Vec<i64>,
    pub lower: Vec<i64>,
}

impl Known {
    fn new(rule: Rule) -> Result<Self, Rejection> {
        rule.definition.check()?;
        let selector = Selector::parse(&rule.definition.selector).map_err(|invalid| {
            Rejection::bad_value("selector", &rule.definition.selector, invalid.to_string())
        })?;
        Ok(Self {
            condition_version: rule.condition_version(),
            condition: rule.condition(),
            templates: rule.definition.templates()?,
            selector,
            rule,
            higher: Vec::new(),
            lower: Vec::new(),
        })
    }

    /// Whether its tickets' descriptions tell the largest directories.
    pub fn names_directories(&self) -> bool {
        let [_, description, _] = &self.templates;
        description.names_directories()
    }

    pub fn for_ms(&self) -> i64 {
        self.rule.definition.for_s * 1000
    }

    pub fn cooldown_ms(&self) -> i64 {
        self.rule.definition.cooldown_s * 1000
    }

    pub fn metric(&self) -> &str {
        self.rule.definition.condition.metric()
    }

    /// Whether it is about this instance. Agents look at no others, but not all that speaks is ours.
    pub fn concerns(&self, instance: &str) -> bool {
        self.condition.as_ref().is_some_and(|condition| condition.concerns(instance))
    }

    pub fn is_group(&self) -> bool {
        self.rule.definition.condition.is_group()
    }

    pub fn is_offline(&self) -> bool {
        matches!(self.rule.definition.condition, RuleCondition::Offline(_))
    }

    /// Whether a value that one rule of the metric calls a breach would be one for this rule, at
    /// once.
    pub fn would_fire_at_once(&self, value: Option<f64>) -> bool {
        let RuleCondition::Metric(metric) = &self.rule.definition.condition else { return false };
        let breached = |threshold| value.is_some_and(|v| metric.op.is_breached(v, threshold));
        self.rule.definition.for_s == 0 && metric.threshold.is_some_and(breached)
    }

    /// Rules of groups have hosts in common only where they select the same.
    fn is_related(&self, other: &Self) -> bool {
        self.metric() == other.metric()
            && self.is_group() == other.is_group()
            && (!self.is_group() || self.selector == other.selector)
    }
}

/// What became of a list of rules.
pub(super) struct Read {
    pub known: BTreeMap<i64, Arc<Known>>,
    /// What does not pass its check, with the reason.
    pub refused: Vec<(i64, Rejection)>,
}

/// Reads all that are enabled.
pub(super) fn read(rules: Vec<Rule>) -> Read {
    let mut known = Vec::new();
    let mut refused = Vec::new();
    for rule in rules.into_iter().filter(|rule| rule.definition.enabled) {
        let id = rule.id;
        match Known::new(rule) {
            Ok(rule) => known.push(rule),
            Err(rejection) => refused.push((id, rejection)),
        }
    }
    relate(&mut known);
    let known = known.into_iter().map(|known| (known.rule.id, Arc::new(known))).collect();
    Read { known, refused }
}

fn relate(rules: &mut [Known]) {
    for index in 0..rules.len() {
        let own = rules[index].rule.definition.priority;
        let of = |keep: fn(&crate::Priority, &crate::Priority) -> bool| {
            let related = rules.iter().filter(|other| rules[index].is_related(other));
            let mut related: Vec<_> = related
                .map(|other| (other.rule.definition.priority, other.rule.id))
                .filter(|(priority, _)| keep(priority, &own))
                .collect();
            related.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
            related.into_iter().map(|(_, id)| id).collect::<Vec<i64>>()
        };
        let (higher, lower) = (of(|a, b| a > b), of(|a, b| a < b));
        (rules[index].higher, rules[index].lower) = (higher, lower);
    }
}
