//! A rule: what is a breach, for how long, where, how bad, and who is told.
//!
//! Rules are edited over REST and kept as JSON; gateways check them with [`RuleDefinition::check`],
//! which names the field that is wrong. Agents get of a rule what they judge by, its
//! [`Rule::condition`], whose version differs only where the condition does: a new title must not
//! end what is breached.

use muster_schemas::Rejection;
use muster_schemas::conditions::{Condition, Op};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::selector::Selector;
use crate::template::{FIELDS, Template};

/// A week: what may go on for longer before anybody hears of it needs no alert.
pub const FOR_S_MAX: i64 = 7 * 86_400;

/// A month.
pub const COOLDOWN_S_MAX: i64 = 30 * 86_400;

/// Steps of an escalation: who has not answered after five will not.
pub const STEPS_MAX: usize = 5;

/// Channels of a rule or a step.
pub const CHANNELS_MAX: usize = 20;

pub const NAME_BYTES_MAX: usize = 200;
pub const TITLE_BYTES_MAX: usize = 200;
/// Of a description and a recommendation each: two screens.
pub const TEXT_BYTES_MAX: usize = 4096;

/// The metric under which tickets of hosts that are offline are filed.
pub const OFFLINE_METRIC: &str = "host.offline";

/// A rule with its identity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub id: i64,
    /// Grows with each change, from 1.
    pub version: i64,
    pub definition: RuleDefinition,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleDefinition {
    pub name: String,
    #[serde(default = "yes")]
    pub enabled: bool,
    pub condition: RuleCondition,
    /// How long a breach must last.
    #[serde(default)]
    pub for_s: i64,
    /// How long after an end a new breach opens nothing.
    #[serde(default)]
    pub cooldown_s: i64,
    pub priority: Priority,
    /// Which hosts; see [`Selector`]. Empty: all.
    #[serde(default)]
    pub selector: String,
    /// Templates; see [`Template`].
    pub title: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub recommendation: String,
    /// Ids; empty: the default channels.
    #[serde(default)]
    pub channels: Vec<i64>,
    #[serde(default)]
    pub escalation: Vec<EscalationStep>,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    Low,
    Medium,
    High,
    Critical,
}

impl Priority {
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RuleCondition {
    /// A metric of a host is beyond its limit.
    Metric(MetricCondition),
    /// A host is offline.
    Offline(OfflineCondition),
    /// A metric is beyond its limit on more than a share of the selected hosts that are online.
    Group(GroupCondition),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricCondition {
    pub metric: String,
    /// Only this instance; `*` at its end stands for any ending. Absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    pub op: Op,
    /// In the metric's unit. Exactly one of this and `baseline_factor` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_factor: Option<f64>,
    /// In the metric's unit: the limit beside `baseline_factor` is never lower.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_min: Option<f64>,
    /// Where a breach ends, on the good side of `threshold`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear_at: Option<f64>,
}

/// Nothing to choose: how soon a host counts as offline follows from its heartbeat interval.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfflineCondition {}

/// As [`MetricCondition`], on many hosts at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupCondition {
    pub metric: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    pub op: Op,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_factor: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_min: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear_at: Option<f64>,
    /// Fires when more than this share of the hosts is breached.
    pub share_percent: f64,
}

/// Whom to tell when nobody has acknowledged for so long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EscalationStep {
    /// Since the first notification.
    pub after_s: i64,
    pub channels: Vec<i64>,
}

/// What is expected where something cannot be read at all.
const AS_DESCRIBED: &str = "a rule as the API describes it";

/// Names the field that cannot be read, if one cannot.
fn unreadable<T: DeserializeOwned>(fields: Value) -> Option<Rejection> {
    let error = serde_path_to_error::deserialize::<_, T>(fields).err()?;
    let path = error.path().to_string();
    let field = if path == "." { "condition".into() } else { format!("condition.{path}") };
    Some(Rejection::bad_value(field, error.into_inner(), AS_DESCRIBED))
}

impl RuleCondition {
    /// What is wrong with the condition of a rule that cannot be read: what is read by its kind
    /// does not say where it failed, so each kind is read once more by itself.
    fn problem(rule: &[u8]) -> Option<Rejection> {
        let mut rule: Value = serde_json::from_slice(rule).ok()?;
        let mut condition = rule.get_mut("condition")?.take();
        let kind = condition.as_object_mut()?.remove("kind")?;
        match kind.as_str()? {
            "metric" => unreadable::<MetricCondition>(condition),
            "offline" => unreadable::<OfflineCondition>(condition),
            "group" => unreadable::<GroupCondition>(condition),
            _ => None,
        }
    }

    /// What agents look at; `None` where they have no part in it.
    fn on_agents(&self) -> Option<MetricCondition> {
        match self {
            Self::Metric(metric) => Some(metric.clone()),
            Self::Offline(_) => None,
            Self::Group(group) => Some(MetricCondition {
                metric: group.metric.clone(),
                instance: group.instance.clone(),
                op: group.op,
                threshold: group.threshold,
                baseline_factor: group.baseline_factor,
                limit_min: group.limit_min,
                clear_at: group.clear_at,
            }),
        }
    }

    /// What a ticket is filed under.
    pub fn metric(&self) -> &str {
        match self {
            Self::Metric(metric) => &metric.metric,
            Self::Offline(_) => OFFLINE_METRIC,
            Self::Group(group) => &group.metric,
        }
    }

    pub fn is_group(&self) -> bool {
        matches!(self, Self::Group(_))
    }
}

impl Rule {
    /// What an agent needs of it; `None` where agents have no part in it.
    pub fn condition(&self) -> Option<Condition> {
        let metric = self.definition.condition.on_agents()?;
        Some(Condition {
            rule: self.id.to_string(),
            rule_version: self.condition_version(),
            metric: metric.metric,
            instance: metric.instance,
            op: metric.op,
            threshold: metric.threshold,
            baseline_factor: metric.baseline_factor,
            limit_min: metric.limit_min,
            clear_at: metric.clear_at,
        })
    }

    /// Differs where what is judged differs, and only there. Candidates carry it.
    pub fn condition_version(&self) -> i64 {
        // FNV-1a, cut to what a JSON number holds exactly.
        let judged = self.definition.condition.on_agents();
        let text = serde_json::to_string(&judged).unwrap_or_default();
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, mix);
        (hash >> 12) as i64
    }
}

impl RuleDefinition {
    /// Reads a definition as it comes over REST; what cannot be read is named.
    pub fn from_json(text: &[u8]) -> Result<Self, Rejection> {
        let mut reader = serde_json::Deserializer::from_slice(text);
        serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let path = error.path().to_string();
            let within = (path == "condition").then(|| RuleCondition::problem(text)).flatten();
            within.unwrap_or_else(|| Rejection::bad_value(path, error.into_inner(), AS_DESCRIBED))
        })
    }

    /// Names the field that is wrong, if one is.
    pub fn check(&self) -> Result<(), Rejection> {
        filled("name", &self.name, NAME_BYTES_MAX)?;
        self.check_condition()?;
        within("for_s", self.for_s, 0, FOR_S_MAX)?;
        within("cooldown_s", self.cooldown_s, 0, COOLDOWN_S_MAX)?;
        Selector::parse(&self.selector).map_err(|invalid| {
            Rejection::bad_value("selector", &self.selector, format!("a selector; {invalid}"))
        })?;
        filled("title", &self.title, TITLE_BYTES_MAX)?;
        self.templates()?;
        channels("channels", &self.channels)?;
        self.check_escalation()
    }

    fn check_condition(&self) -> Result<(), Rejection> {
        let Some(metric) = self.condition.on_agents() else { return Ok(()) };
        let rule = Rule { id: 0, version: 0, definition: self.clone() };
        let condition = Condition {
            rule: "0".into(),
            rule_version: rule.condition_version(),
            metric: metric.metric,
            instance: metric.instance,
            op: metric.op,
            threshold: metric.threshold,
            baseline_factor: metric.baseline_factor,
            limit_min: metric.limit_min,
            clear_at: metric.clear_at,
        };
        condition.check().map_err(|rejection| rejection.within("condition"))?;
        if let Some(instance) = &condition.instance {
            filled("condition.instance", instance, TEXT_BYTES_MAX)?;
        }
        let RuleCondition::Group(group) = &self.condition else { return Ok(()) };
        if (0.0..100.0).contains(&group.share_percent) {
            return Ok(());
        }
        let field = "condition.share_percent";
        Err(Rejection::bad_value(field, group.share_percent, "0 to less than 100"))
    }

    fn check_escalation(&self) -> Result<(), Rejection> {
        few("escalation", self.escalation.len(), STEPS_MAX)?;
        let mut before = 0;
        for (index, step) in self.escalation.iter().enumerate() {
            let field = |name: &str| format!("escalation[{index}].{name}");
            within(&field("after_s"), step.after_s, before + 1, FOR_S_MAX)?;
            before = step.after_s;
            if step.channels.is_empty() {
                return Err(Rejection::bad_value(field("channels"), "empty", "one or more"));
            }
            channels(&field("channels"), &step.channels)?;
        }
        Ok(())
    }

    /// Title, description and recommendation.
    pub(crate) fn templates(&self) -> Result<[Template; 3], Rejection> {
        Ok([
            template("title", &self.title, TITLE_BYTES_MAX)?,
            template("description", &self.description, TEXT_BYTES_MAX)?,
            template("recommendation", &self.recommendation, TEXT_BYTES_MAX)?,
        ])
    }
}

fn template(field: &str, text: &str, bytes_max: usize) -> Result<Template, Rejection> {
    short(field, text, bytes_max)?;
    Template::parse(text).map_err(|invalid| {
        let expected = format!("a template; {invalid}; fields are {}", FIELDS.join(", "));
        Rejection::bad_value(field, text, expected)
    })
}

pub(crate) fn short(field: &str, text: &str, bytes_max: usize) -> Result<(), Rejection> {
    if text.len() <= bytes_max && !text.contains('\0') {
        return Ok(());
    }
    let expected = format!("text of at most {bytes_max} bytes without NUL");
    let beginning: String = text.chars().take(40).collect();
    Err(Rejection::bad_value(field, format!("{} bytes, {beginning:?}...", text.len()), expected))
}

pub(crate) fn filled(field: &str, text: &str, bytes_max: usize) -> Result<(), Rejection> {
    if text.trim().is_empty() {
        return Err(Rejection::bad_value(field, format!("{text:?}"), "some text"));
    }
    short(field, text, bytes_max)
}

pub(crate) fn within(field: &str, value: i64, from: i64, to: i64) -> Result<(), Rejection> {
    if (from..=to).contains(&value) {
        return Ok(());
    }
    Err(Rejection::bad_value(field, value, format!("{from} to {to}")))
}

pub(crate) fn few(field: &str, count: usize, max: usize) -> Result<(), Rejection> {
    if count <= max {
        return Ok(());
    }
    Err(Rejection::bad_value(field, count, format!("at most {max} items")))
}

fn channels(field: &str, ids: &[i64]) -> Result<(), Rejection> {
    few(field, ids.len(), CHANNELS_MAX)?;
    ids.iter().try_for_each(|id| within(field, *id, 1, i64::MAX))
}

#[cfg(test)]
mod tests;
