use serde_json::{Value, json};

use super::*;

fn good() -> Value {
    json!({
        "name": "CPU critical",
        "condition": {"kind": "metric", "metric": "cpu.usage_percent", "op": "above",
                      "threshold": 90},
        "for_s": 300,
        "cooldown_s": 1800,
        "priority": "critical",
        "selector": "role=web",
        "title": "CPU of {{host}} at {{value}}",
        "channels": [1, 2],
        "escalation": [{"after_s": 300, "channels": [3]}, {"after_s": 900, "channels": [4]}],
    })
}

fn said(definition: &Value) -> Result<(), String> {
    let definition = RuleDefinition::from_json(definition.to_string().as_bytes());
    definition.and_then(|definition| definition.check()).map_err(|error| error.to_string())
}

/// What is said about a good rule with one value replaced.
fn with(path: &str, value: Value) -> Result<(), String> {
    let mut definition = good();
    *definition.pointer_mut(path).unwrap() = value;
    said(&definition)
}

#[test]
fn a_rule_reads_back_as_written() {
    said(&good()).unwrap();
    let definition: RuleDefinition = serde_json::from_value(good()).unwrap();
    let text = serde_json::to_string(&definition).unwrap();
    assert_eq!(RuleDefinition::from_json(text.as_bytes()).unwrap(), definition);
    let offline = with("/condition", json!({"kind": "offline"}));
    assert_eq!(offline, Ok(()));
    assert_eq!(serde_json::to_value(&definition).unwrap()["condition"]["kind"], "metric");
}

#[test]
fn nonsense_is_refused_by_the_name_of_its_field() {
    let metric = |name: &str, value: Value| {
        let mut condition = good()["condition"].clone();
        condition[name] = value;
        condition
    };
    let mut group = metric("share_percent", json!(100));
    group["kind"] = json!("group");
    for (path, value, reason) in [
        ("/name", json!(" "), "name is "),
        ("/title", json!(""), "title is "),
        ("/title", json!("x".repeat(10_000_000)), "title is 10000000 bytes"),
        ("/title", json!("{{hots}}"), "title is {{hots}}, expected a template; the field"),
        ("/for_s", json!(-1), "for_s is -1, expected 0 to 604800"),
        ("/cooldown_s", json!(2_592_001), "cooldown_s is 2592001"),
        ("/selector", json!("role=,x"), "selector is role=,x, expected a selector; at character 6"),
        ("/condition", metric("metric", json!("cpu.magic")), "condition.metric is cpu.magic"),
        ("/condition", metric("clear_at", json!(95)), "condition.clear_at is 95"),
        ("/condition", metric("threshold", Value::Null), "condition.threshold is absent"),
        ("/condition", metric("baseline_factor", json!(5)), "condition.baseline_factor is 5"),
        ("/condition", metric("limit_min", json!(5)), "condition.limit_min is 5, expected nothing"),
        ("/condition", metric("limit_min", json!("5")), "condition.limit_min is invalid type"),
        ("/condition", metric("instance", json!("")), "condition.instance is "),
        ("/condition", metric("limit", json!(1)), "condition.limit is unknown field `limit`"),
        ("/condition", json!({"kind": "offline", "x": 1}), "condition.x is unknown field `x`"),
        ("/condition", metric("threshold", json!("90")), "condition.threshold is invalid type"),
        ("/condition", metric("op", json!("over")), "condition.op is unknown variant `over`"),
        ("/condition", json!({"kind": "magic"}), "condition.kind is unknown variant `magic`"),
        ("/condition", json!({"kind": "metric"}), "condition is missing field `metric`"),
        ("/condition", json!(7), "condition is invalid type"),
        ("/condition", group, "condition.share_percent is 100"),
        ("/priority", json!("urgent"), "priority is unknown variant `urgent`"),
        ("/channels", json!([0]), "channels is 0"),
        ("/channels", json!(vec![1; 21]), "channels is 21, expected at most 20"),
        ("/escalation/1/after_s", json!(300), "escalation[1].after_s is 300, expected 301"),
        ("/escalation/0/channels", json!([]), "escalation[0].channels is empty"),
    ] {
        let refused = with(path, value).unwrap_err();
        assert!(refused.starts_with(reason), "{refused:?} is not {reason:?}");
    }
    let mut unknown = good();
    unknown["fro_s"] = json!(1);
    assert!(said(&unknown).unwrap_err().starts_with("fro_s is unknown field"), "{unknown}");
}

#[test]
fn what_json_cannot_say_is_refused_too() {
    for value in [f64::NAN, f64::INFINITY] {
        let mut definition: RuleDefinition = serde_json::from_value(good()).unwrap();
        let RuleCondition::Metric(metric) = &mut definition.condition else { unreachable!() };
        metric.threshold = Some(value);
        let refused = definition.check().unwrap_err().to_string();
        assert!(refused.starts_with("condition.threshold is"), "{refused}");
    }
}

#[test]
fn agents_see_a_new_version_only_where_the_condition_is_new() {
    let definition: RuleDefinition = serde_json::from_value(good()).unwrap();
    let rule = Rule { id: 7, version: 1, definition };
    let condition = rule.condition().unwrap();
    assert_eq!((condition.rule.as_str(), condition.threshold), ("7", Some(90.0)));
    condition.check().unwrap();
    let mut renamed = rule.clone();
    renamed.version = 2;
    renamed.definition.title = "New".into();
    renamed.definition.for_s = 1;
    assert_eq!(renamed.condition(), rule.condition());
    let RuleCondition::Metric(metric) = &mut renamed.definition.condition else { unreachable!() };
    metric.threshold = Some(91.0);
    assert_ne!(renamed.condition_version(), rule.condition_version());
}

#[test]
fn a_least_limit_reaches_agents_of_one_host_and_of_a_group() {
    for more in [json!({"kind": "metric"}), json!({"kind": "group", "share_percent": 20})] {
        let mut condition = json!({"metric": "network.rx_bytes_per_s", "op": "above",
                                   "baseline_factor": 5, "limit_min": 1e6});
        condition.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let rule = |condition: &Value| {
            let mut definition = good();
            definition["condition"] = condition.clone();
            let definition = RuleDefinition::from_json(definition.to_string().as_bytes()).unwrap();
            definition.check().unwrap();
            Rule { id: 7, version: 1, definition }
        };
        let with = rule(&condition);
        assert_eq!(with.condition().unwrap().limit_min, Some(1e6));
        condition.as_object_mut().unwrap().remove("limit_min");
        let without = rule(&condition);
        assert_eq!(without.condition().unwrap().limit_min, None);
        assert_ne!(with.condition_version(), without.condition_version());
        condition["limit_min"] = json!(-1);
        let mut definition = good();
        definition["condition"] = condition;
        let refused = said(&definition).unwrap_err();
        assert!(refused.starts_with("condition.limit_min is -1"), "{refused}");
    }
}
