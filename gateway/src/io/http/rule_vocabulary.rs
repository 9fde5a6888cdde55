//! What may stand in a rule: for the form in which people write one.

use axum::Json as Answer;
use muster_alerts::Priority;
use muster_alerts::rule::{
    CHANNELS_MAX, COOLDOWN_S_MAX, FOR_S_MAX, NAME_BYTES_MAX, STEPS_MAX, TEXT_BYTES_MAX,
    TITLE_BYTES_MAX,
};
use muster_alerts::selector::SELECTOR_BYTES_MAX;
use muster_alerts::template::FIELDS;
use muster_schemas::metrics::{CLOCK_OFFSET, LOG_ERROR_RATE, METRICS, Metric};
use serde::Serialize;
use utoipa::ToSchema;

use super::ProblemBody;
use crate::io::from_postgres::rules::RULES_MAX;
use crate::logic::ticket_units::unit_of;

const OPS: [&str; 4] = ["above", "at_least", "below", "at_most"];
const KINDS: [&str; 3] = ["metric", "offline", "group"];

#[derive(Serialize, ToSchema)]
pub(super) struct Vocabulary {
    /// Those of the catalogue; what hosts measure by themselves is `custom.<name>`, see
    /// `/api/v1/metrics?host=<id>`.
    metrics: Vec<VocabularyMetric>,
    /// They stand in titles and texts as `{{name}}`.
    template_fields: Vec<&'static str>,
    priorities: Vec<&'static str>,
    ops: Vec<&'static str>,
    condition_kinds: Vec<&'static str>,
    limits: Limits,
}

#[derive(Serialize, ToSchema)]
struct VocabularyMetric {
    name: &'static str,
    unit: &'static str,
    /// A host has several: `instance` chooses among them.
    has_instance: bool,
    /// It is stored, so that a rule about it can be tested.
    has_samples: bool,
}

/// The most there may be.
#[derive(Serialize, ToSchema)]
struct Limits {
    rules: i64,
    name_bytes: usize,
    title_bytes: usize,
    /// Of a description and a recommendation each.
    text_bytes: usize,
    selector_bytes: usize,
    for_s: i64,
    cooldown_s: i64,
    /// Of a rule or a step.
    channels: usize,
    escalation_steps: usize,
}

/// What may stand in a rule.
#[utoipa::path(
    get, path = "/rules/vocabulary", tag = "alerts",
    responses((status = 200, body = Vocabulary), (status = 401, body = ProblemBody))
)]
pub(super) async fn vocabulary() -> Answer<Vocabulary> {
    let of_samples = |metric: &Metric| VocabularyMetric {
        name: metric.name,
        unit: metric.unit.as_str(),
        has_instance: metric.per_instance,
        has_samples: true,
    };
    let judged = |name: &'static str, has_samples| VocabularyMetric {
        name,
        unit: unit_of(name, false).unwrap_or_default(),
        has_instance: false,
        has_samples,
    };
    let metrics = METRICS.iter().map(of_samples);
    Answer(Vocabulary {
        metrics: metrics
            .chain([judged(LOG_ERROR_RATE, true), judged(CLOCK_OFFSET, false)])
            .collect(),
        template_fields: FIELDS.to_vec(),
        priorities: Priority::ALL.map(Priority::as_str).to_vec(),
        ops: OPS.to_vec(),
        condition_kinds: KINDS.to_vec(),
        limits: Limits {
            rules: RULES_MAX,
            name_bytes: NAME_BYTES_MAX,
            title_bytes: TITLE_BYTES_MAX,
            text_bytes: TEXT_BYTES_MAX,
            selector_bytes: SELECTOR_BYTES_MAX,
            for_s: FOR_S_MAX,
            cooldown_s: COOLDOWN_S_MAX,
            channels: CHANNELS_MAX,
            escalation_steps: STEPS_MAX,
        },
    })
}

#[cfg(test)]
mod tests {
    use muster_alerts::RuleDefinition;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_word_of_it_can_be_used_in_a_rule() {
        for op in OPS {
            for priority in Priority::ALL {
                let rule = json!({
                    "name": "a", "title": "a", "priority": priority.as_str(),
                    "condition": { "kind": "metric", "metric": LOG_ERROR_RATE, "op": op,
                                   "threshold": 1 },
                });
                let rule: RuleDefinition = serde_json::from_value(rule).unwrap();
                assert_eq!(rule.check(), Ok(()));
            }
        }
        assert_eq!((unit_of(LOG_ERROR_RATE, false), KINDS.len()), (Some("lines_per_min"), 3));
    }
}
