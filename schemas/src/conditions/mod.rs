//! The condition of a rule, judged at sampling rate: the same code on an agent and in a backtest.
//!
//! A condition is breached at the first value beyond its limit, per instance (filesystem,
//! interface, ...). It is cleared at the first value on the good side of `clear_at`, or of the
//! limit where none is set; between the two it stays as it was, so that a value which wavers about
//! the limit does not flap. How long a breach must last is not decided here but at the centre.
//!
//! With `baseline_factor` the limit is that many times the instance's own level, an exponentially
//! weighted mean. The level learns only from values that are not breached (a long breach must not
//! become the new normal), and nothing is judged before it has seen [`BASELINE_VALUES_MIN`].
//! `limit_min` keeps that limit from being nothing: five times of next to nothing is no event.
//!
//! An instance that is gone (unmounted, unplugged) for [`ABSENT_MAX`] looks in a row is cleared:
//! it cannot be breached any more.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::envelope::{Durable, Rejection, check_time};
use crate::ids::{Channel, Kind};
use crate::is_default;
use crate::metrics;
use crate::telemetry::{BYTES_MAX, Filesystem, Process, check_context};

/// Values before a baseline is believed: a minute at 5 s.
pub const BASELINE_VALUES_MIN: u32 = 12;

/// The weight of a new value in the baseline: half of it is from the last 14 minutes at 5 s.
const BASELINE_WEIGHT: f64 = 0.004;

/// Below this the baseline of a quiet host is taken for this much, or every packet on an idle
/// interface would be a spike: in the metric's own unit.
const BASELINE_FLOOR: f64 = 1.0;

/// Looks without an instance before it counts as gone.
pub const ABSENT_MAX: u32 = 3;

/// Instances of one condition that are followed; more are left out, the last in order.
pub const INSTANCES_MAX: usize = 1024;

/// The longest name of a rule, metric or instance, in bytes.
const NAME_BYTES_MAX: usize = 4096;

/// Directories of a context at most: a person acts upon a handful, and a notification has room for
/// no more.
pub const DIRECTORIES_MAX: usize = 8;

/// What an agent needs of a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    pub rule: String,
    /// Another one with each change of what is judged.
    pub rule_version: i64,
    /// Of the catalogue, `custom.<name>` or `logs.error_lines_per_min`.
    pub metric: String,
    /// Only this instance; `*` at its end stands for any ending. Absent: all.
    #[serde(default, skip_serializing_if = "is_default")]
    pub instance: Option<String>,
    pub op: Op,
    /// In the metric's unit. Exactly one of this and `baseline_factor` is set.
    #[serde(default, skip_serializing_if = "is_default")]
    pub threshold: Option<f64>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub baseline_factor: Option<f64>,
    /// In the metric's unit: the limit beside `baseline_factor` is never lower. Agents of before it
    /// was there judge without it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limit_min: Option<f64>,
    /// Where a breach ends, on the good side of `threshold`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub clear_at: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    Above,
    AtLeast,
    Below,
    AtMost,
}

impl Op {
    pub fn is_breached(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Above => value > limit,
            Self::AtLeast => value >= limit,
            Self::Below => value < limit,
            Self::AtMost => value <= limit,
        }
    }

    fn points_up(self) -> bool {
        matches!(self, Self::Above | Self::AtLeast)
    }
}

impl Condition {
    /// Names the field that is wrong, if one is.
    pub fn check(&self) -> Result<(), Rejection> {
        for (field, value) in [("rule", &self.rule), ("metric", &self.metric)] {
            if value.is_empty() || value.len() > NAME_BYTES_MAX || value.contains('\0') {
                return Err(Rejection::bad_value(field, format!("{value:?}"), "a name"));
            }
        }
        if !metrics::is_judgeable(&self.metric) {
            let expected = "a metric of the catalogue or custom.<name>";
            return Err(Rejection::bad_value("metric", &self.metric, expected));
        }
        let limits = [
            ("threshold", self.threshold),
            ("baseline_factor", self.baseline_factor),
            ("limit_min", self.limit_min),
            ("clear_at", self.clear_at),
        ];
        for (field, value) in limits {
            if value.is_some_and(|value| !value.is_finite()) {
                let value = value.unwrap_or_default();
                return Err(Rejection::bad_value(field, value, "a finite number"));
            }
        }
        self.check_limit_min()?;
        match (self.threshold, self.baseline_factor) {
            (Some(threshold), None) => self.check_clear_at(threshold),
            (None, Some(factor)) if factor <= 0.0 => {
                Err(Rejection::bad_value("baseline_factor", factor, "more than 0"))
            }
            (None, Some(_)) if self.clear_at.is_some() => {
                let value = self.clear_at.unwrap_or_default();
                Err(Rejection::bad_value("clear_at", value, "nothing beside baseline_factor"))
            }
            (None, Some(_)) => Ok(()),
            (None, None) => {
                Err(Rejection::bad_value("threshold", "absent", "a number, or baseline_factor"))
            }
            (Some(_), Some(factor)) => {
                Err(Rejection::bad_value("baseline_factor", factor, "nothing beside threshold"))
            }
        }
    }

    /// What is below a limit is not kept from being judged by a higher one: it is refused there.
    fn check_limit_min(&self) -> Result<(), Rejection> {
        let Some(limit_min) = self.limit_min else { return Ok(()) };
        let expected = if self.baseline_factor.is_none() {
            "nothing without baseline_factor"
        } else if !self.op.points_up() {
            "nothing beside below or at_most"
        } else if limit_min < 0.0 {
            "0 or more"
        } else {
            return Ok(());
        };
        Err(Rejection::bad_value("limit_min", limit_min, expected))
    }

    /// What a value is measured by where it is usually `baseline`.
    fn usual_limit(&self, factor: f64, baseline: f64) -> f64 {
        let limit = factor * baseline.max(BASELINE_FLOOR);
        self.limit_min.map_or(limit, |limit_min| limit.max(limit_min))
    }

    fn check_clear_at(&self, threshold: f64) -> Result<(), Rejection> {
        let Some(clear_at) = self.clear_at else { return Ok(()) };
        let (good, side) = if self.op.points_up() {
            (clear_at <= threshold, "at most")
        } else {
            (clear_at >= threshold, "at least")
        };
        if good {
            return Ok(());
        }
        let expected = format!("{side} the threshold of {threshold}");
        Err(Rejection::bad_value("clear_at", clear_at, expected))
    }

    pub fn concerns(&self, instance: &str) -> bool {
        match self.instance.as_deref() {
            None => true,
            Some(pattern) => match pattern.strip_suffix('*') {
                Some(start) => instance.starts_with(start),
                None => instance == pattern,
            },
        }
    }
}

/// What became of one instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Empty for a metric that a host has once.
    pub instance: String,
    pub state: CandidateState,
    pub value: f64,
    /// The limit that was in force.
    pub threshold: f64,
    /// When the breach began, milliseconds since the Unix epoch.
    pub since: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CandidateState {
    Breached,
    StillBreached,
    Cleared,
}

#[derive(Debug, Default)]
struct Instance {
    breach: Option<Breach>,
    baseline: f64,
    values: u32,
    absent: u32,
}

#[derive(Debug, Clone, Copy)]
struct Breach {
    since: i64,
    said_at: i64,
    value: f64,
    threshold: f64,
}

/// One condition over time.
#[derive(Debug)]
pub struct Watch {
    pub condition: Condition,
    instances: BTreeMap<String, Instance>,
}

impl Watch {
    pub fn new(condition: Condition) -> Self {
        Self { condition, instances: BTreeMap::new() }
    }

    /// Takes one look: the values of all instances there are. Answers what changed, and what is
    /// still breached and was last said `repeat_ms` ago or earlier.
    pub fn observe<'a>(
        &mut self,
        now: i64,
        readings: impl IntoIterator<Item = (&'a str, f64)>,
        repeat_ms: i64,
    ) -> Vec<Verdict> {
        for instance in self.instances.values_mut() {
            instance.absent += 1;
        }
        let mut verdicts = Vec::new();
        for (name, value) in readings {
            if !value.is_finite() || !self.condition.concerns(name) {
                continue;
            }
            if !self.instances.contains_key(name) && self.instances.len() < INSTANCES_MAX {
                self.instances.insert(name.to_owned(), Instance::default());
            }
            let Some(instance) = self.instances.get_mut(name) else { continue };
            instance.absent = 0;
            verdicts.extend(instance.judge(&self.condition, name, now, value, repeat_ms));
        }
        self.clear_absent(&mut verdicts);
        verdicts
    }

    /// Ends all breaches, for a condition that is no longer in force.
    pub fn end(&mut self) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        for (name, instance) in &mut self.instances {
            verdicts.extend(instance.clear(name, None));
        }
        verdicts
    }

    fn clear_absent(&mut self, verdicts: &mut Vec<Verdict>) {
        self.instances.retain(|name, instance| {
            if instance.absent >= ABSENT_MAX {
                verdicts.extend(instance.clear(name, None));
            }
            instance.absent < ABSENT_MAX
        });
    }
}

impl Instance {
    fn judge(
        &mut self,
        condition: &Condition,
        name: &str,
        now: i64,
        value: f64,
        repeat_ms: i64,
    ) -> Option<Verdict> {
        let limit = match (condition.threshold, condition.baseline_factor) {
            (Some(threshold), _) => threshold,
            (None, Some(factor)) if self.values >= BASELINE_VALUES_MIN => {
                condition.usual_limit(factor, self.baseline)
            }
            _ => {
                self.learn(value);
                return None;
            }
        };
        let verdict = |state, breach: Breach| Verdict {
            instance: name.to_owned(),
            state,
            value,
            threshold: limit,
            since: breach.since,
        };
        let Some(breach) = &mut self.breach else {
            if !condition.op.is_breached(value, limit) {
                self.learn(value);
                return None;
            }
            let breach = Breach { since: now, said_at: now, value, threshold: limit };
            self.breach = Some(breach);
            return Some(verdict(CandidateState::Breached, breach));
        };
        breach.value = value;
        breach.threshold = limit;
        if !condition.op.is_breached(value, condition.clear_at.unwrap_or(limit)) {
            self.learn(value);
            return self.clear(name, Some(value));
        }
        // A clock that was put back must not silence it.
        if (0..repeat_ms).contains(&now.saturating_sub(breach.said_at)) {
            return None;
        }
        breach.said_at = now;
        let breach = *breach;
        Some(verdict(CandidateState::StillBreached, breach))
    }

    fn clear(&mut self, name: &str, value: Option<f64>) -> Option<Verdict> {
        let breach = self.breach.take()?;
        Some(Verdict {
            instance: name.to_owned(),
            state: CandidateState::Cleared,
            value: value.unwrap_or(breach.value),
            threshold: breach.threshold,
            since: breach.since,
        })
    }

    /// The first values count equally, the later ones by weight.
    fn learn(&mut self, value: f64) {
        self.values = self.values.saturating_add(1);
        let weight = BASELINE_WEIGHT.max(1.0 / f64::from(self.values));
        self.baseline += (value - self.baseline) * weight;
    }
}

/// `signals.<host>.candidate`: what a host suspects. Published one at a time, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Milliseconds since the Unix epoch, UTC, by the host's clock.
    pub at: i64,
    pub rule: String,
    pub rule_version: i64,
    pub metric: String,
    /// Empty for a metric that a host has once.
    #[serde(default, skip_serializing_if = "is_default")]
    pub instance: String,
    pub state: CandidateState,
    pub value: f64,
    pub threshold: f64,
    /// When the breach began, by the host's clock.
    pub since: i64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub context: Context,
}

/// What helps to understand a breach.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// The largest by the resource in question, largest first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub processes: Vec<Process>,
    /// The fullest.
    #[serde(default, skip_serializing_if = "is_default")]
    pub filesystem: Option<Filesystem>,
    /// What fills that filesystem, largest first; none where that is not known. Finding out takes
    /// a while, so that the first word of a breach is without them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub directories: Vec<Directory>,
    /// Not all of it was looked at: the time or the number of files was limited, or the agent may
    /// not read some of it. There may be more, and larger ones.
    #[serde(default, skip_serializing_if = "is_default")]
    pub directories_partial: bool,
}

/// A directory with all that is below it on the same filesystem.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// As the host names it.
    pub path: String,
    /// What its files take of the disk, which is less than their length where they have holes.
    pub bytes: i64,
}

impl Context {
    fn check_directories(&self) -> Result<(), Rejection> {
        let field = "body.context.directories";
        if self.directories.len() > DIRECTORIES_MAX {
            let expected = format!("at most {DIRECTORIES_MAX} items");
            return Err(Rejection::bad_value(field, self.directories.len(), expected));
        }
        for (index, Directory { path, bytes }) in self.directories.iter().enumerate() {
            let of = |name| format!("{field}[{index}].{name}");
            if path.len() > NAME_BYTES_MAX || path.contains('\0') {
                let expected = format!("text of at most {NAME_BYTES_MAX} bytes without NUL");
                return Err(Rejection::bad_value(of("path"), format!("{path:?}"), expected));
            }
            if !(0..=BYTES_MAX).contains(bytes) {
                return Err(Rejection::bad_value(of("bytes"), bytes, format!("0 to {BYTES_MAX}")));
            }
        }
        Ok(())
    }
}

impl Durable for Candidate {
    const CHANNEL: Channel = Channel::Signals;

    fn kind(&self) -> Kind {
        Kind::Candidate
    }

    fn check(&self, _now_ms: i64) -> Result<(), Rejection> {
        check_time("body.at", self.at)?;
        check_time("body.since", self.since)?;
        let names = [
            ("body.rule", &self.rule),
            ("body.metric", &self.metric),
            ("body.instance", &self.instance),
        ];
        for (field, value) in names {
            if value.len() > NAME_BYTES_MAX || value.contains('\0') {
                let expected = format!("text of at most {NAME_BYTES_MAX} bytes without NUL");
                return Err(Rejection::bad_value(field, format!("{value:?}"), expected));
            }
        }
        for (field, value) in [("body.value", self.value), ("body.threshold", self.threshold)] {
            if !value.is_finite() {
                return Err(Rejection::bad_value(field, value, "a finite number"));
            }
        }
        check_context(&self.context.processes, self.context.filesystem.as_ref())?;
        self.context.check_directories()
    }
}

#[cfg(test)]
mod tests;
