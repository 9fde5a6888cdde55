//! Rules as people write them: reading them strictly, and what a change of one means to others.

use muster_alerts::RuleDefinition;
use muster_alerts::rule::{
    GroupCondition, MetricCondition, NAME_BYTES_MAX, OfflineCondition, RuleCondition,
};
use serde_json::Value;

use super::body::{from_value, without_nul};
use super::settings::BadSettings;

/// The beginning of a copy's name.
const COPY: &str = "Copy of ";

/// Reads and checks a definition; what is wrong is told by its name.
pub fn read(value: Value) -> Result<RuleDefinition, BadSettings> {
    without_nul(&value)?;
    if let Some(condition) = value.get("condition") {
        read_condition(condition)?;
    }
    let definition: RuleDefinition = from_value(value)?;
    definition.check()?;
    Ok(definition)
}

/// By itself first: which of its fields is wrong is not known any more where its kind decides how
/// it is read.
fn read_condition(condition: &Value) -> Result<(), BadSettings> {
    let Value::Object(fields) = condition else { return Ok(()) };
    let mut fields = fields.clone();
    let kind = fields.remove("kind").unwrap_or_default();
    let fields = Value::Object(fields);
    let read = match kind.as_str() {
        Some("metric") => from_value::<MetricCondition>(fields).map(drop),
        Some("group") => from_value::<GroupCondition>(fields).map(drop),
        Some("offline") => from_value::<OfflineCondition>(fields).map(drop),
        _ => Err(BadSettings {
            field: Some("kind".into()),
            reason: "kind: it is metric, group or offline".into(),
        }),
    };
    read.map_err(|bad| bad.within("condition"))
}

/// A copy begins disabled: it would fire beside the one it was made of.
pub fn copy_of(definition: &RuleDefinition) -> RuleDefinition {
    let mut name = format!("{COPY}{}", definition.name);
    while name.len() > NAME_BYTES_MAX {
        name.pop();
    }
    RuleDefinition { name, enabled: false, ..definition.clone() }
}

/// Whether agents judge otherwise after this change. A new title is none of their business.
pub fn concerns_agents(before: Option<&RuleDefinition>, after: Option<&RuleDefinition>) -> bool {
    let judged = |rule: &RuleDefinition| {
        let is_judged = rule.enabled && !matches!(rule.condition, RuleCondition::Offline(_));
        is_judged.then(|| (rule.condition.clone(), rule.selector.clone()))
    };
    before.and_then(judged) != after.and_then(judged)
}

/// Every channel a rule names, with the field that names it.
pub fn channels_of(definition: &RuleDefinition) -> Vec<(String, i64)> {
    let own = definition.channels.iter().map(|id| ("channels".to_owned(), *id));
    let steps = definition.escalation.iter().enumerate().flat_map(|(index, step)| {
        step.channels.iter().map(move |id| (format!("escalation[{index}].channels"), *id))
    });
    own.chain(steps).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule() -> Value {
        json!({
            "name": "CPU", "priority": "high", "title": "CPU of {{host}}",
            "condition": {
                "kind": "metric", "metric": "cpu.usage_percent", "op": "above", "threshold": 90,
            },
            "channels": [1], "escalation": [{ "after_s": 60, "channels": [2, 3] }],
        })
    }

    fn with(place: &str, value: Value) -> Value {
        let mut rule = rule();
        *rule.pointer_mut(place).unwrap() = value;
        rule
    }

    fn lacking(place: &str, field: &str) -> Value {
        let mut rule = rule();
        rule.pointer_mut(place).unwrap().as_object_mut().unwrap().remove(field);
        rule
    }

    /// Beside a baseline.
    fn least(limit_min: &Value) -> Value {
        json!({ "kind": "metric", "metric": "network.rx_bytes_per_s", "op": "above",
                "baseline_factor": 5, "limit_min": limit_min })
    }

    #[test]
    fn nonsense_is_refused_by_the_name_of_its_field() {
        for (rule, field) in [
            (with("/condition/threshold", json!("NaN")), "condition.threshold"),
            (with("/condition/threshold", json!(null)), "condition.threshold"),
            (with("/condition", least(&json!(-1))), "condition.limit_min"),
            (with("/condition", least(&json!("much"))), "condition.limit_min"),
            (with("/condition/metric", json!("cpu.magic")), "condition.metric"),
            (with("/condition/op", json!("over")), "condition.op"),
            (with("/condition/kind", json!("magic")), "condition.kind"),
            (lacking("/condition", "op"), "condition.op"),
            (with("/condition", json!("cpu > 90")), "condition"),
            (lacking("", "title"), "title"),
            (with("/title", json!("x".repeat(500))), "title"),
            (with("/title", json!("{{hots}}")), "title"),
            (with("/priority", json!("urgent")), "priority"),
            (with("/escalation/0/after_s", json!(0)), "escalation[0].after_s"),
            (with("/escalation/0/channels", json!([])), "escalation[0].channels"),
            (with("/channels", json!([0])), "channels"),
        ] {
            let bad = read(rule.clone()).unwrap_err();
            assert_eq!(bad.field.as_deref(), Some(field), "{rule}: {bad}");
        }
        for (name, value) in [
            ("for_s", json!(-1)),
            ("cooldown_s", json!(1e12)),
            ("selector", json!("role==web")),
            ("severity", json!("high")),
        ] {
            let mut rule = rule();
            rule[name] = value;
            assert_eq!(read(rule).unwrap_err().field.as_deref(), Some(name));
        }
    }

    #[test]
    fn a_copy_is_disabled_and_its_name_fits() {
        let mut definition = read(rule()).unwrap();
        let copy = copy_of(&definition);
        assert_eq!((copy.name.as_str(), copy.enabled), ("Copy of CPU", false));
        definition.name = "é".repeat(NAME_BYTES_MAX / 2);
        assert_eq!(copy_of(&definition).check(), Ok(()));
    }

    #[test]
    fn agents_are_concerned_by_what_they_judge() {
        let definition = read(rule()).unwrap();
        let disabled = RuleDefinition { enabled: false, ..definition.clone() };
        let renamed = RuleDefinition { title: "other".into(), ..definition.clone() };
        let elsewhere = RuleDefinition { selector: "role=web".into(), ..definition.clone() };
        assert!(concerns_agents(None, Some(&definition)));
        assert!(concerns_agents(Some(&definition), Some(&disabled)));
        assert!(concerns_agents(Some(&definition), Some(&elsewhere)));
        assert!(concerns_agents(Some(&definition), None));
        assert!(!concerns_agents(Some(&definition), Some(&renamed)));
        assert!(!concerns_agents(Some(&disabled), None));
    }

    #[test]
    fn channels_are_named_by_the_field_that_names_them() {
        let named = channels_of(&read(rule()).unwrap());
        let step = || "escalation[0].channels".to_owned();
        assert_eq!(named, [("channels".into(), 1), (step(), 2), (step(), 3)]);
    }
}
