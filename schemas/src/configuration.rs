//! Central configuration of agents: what `agents.<host>.config` answers, and what an agent made
//! of it.
//!
//! What is absent is left to the host's own file. A host may pin values there that the centre must
//! not change; those are reported and not applied.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::conditions::Condition;
use crate::envelope::Rejection;
use crate::ids::Channel;
use crate::is_default;

/// The most conditions an agent judges.
pub const CONDITIONS_MAX: usize = 500;

/// The most patterns of log paths, and of arguments to mask.
pub const PATTERNS_MAX: usize = 500;

/// The most labels of a host.
pub const LABELS_MAX: usize = 64;

/// The longest text of any value, in bytes.
pub const TEXT_BYTES_MAX: usize = 1024;

const INTERVAL_MS: std::ops::RangeInclusive<i64> = 1_000..=3_600_000;

/// What can be switched off, in the order in which people read them.
pub const COLLECTORS: &[&str] = &[
    "cpu",
    "memory",
    "pressure",
    "filesystems",
    "disks",
    "networks",
    "sockets",
    "file_descriptors",
    "processes",
    "sensors",
    "batteries",
    "gpus",
    "smart",
    "containers",
    "services",
    "scripts",
    "prometheus",
    "logs",
    "journald",
];

/// Request on `agents.<host>.config`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationRequest {
    pub agent_version: String,
    /// Of the configuration the agent has; 0 for none.
    #[serde(default)]
    pub have_version: i64,
    /// Of the agent's journal.
    pub epoch: i64,
}

/// The answer to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfigurationAnswer {
    /// The answering gateway's clock, milliseconds since the Unix epoch, UTC.
    pub at: i64,
    /// The highest sequence number of the agent's epoch that is stored, by channel. An agent whose
    /// own numbers are lower was put back to an earlier state (a snapshot of its machine), and
    /// must begin a new epoch before it uses numbers twice.
    #[serde(default)]
    pub highest: BTreeMap<Channel, i64>,
    /// Absent where the agent has it already.
    #[serde(default, skip_serializing_if = "is_default")]
    pub configuration: Option<CentralConfiguration>,
}

/// What the centre wants of an agent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CentralConfiguration {
    /// Grows with each change of anything in it; from 1.
    pub version: i64,
    #[serde(flatten)]
    pub settings: Settings,
    /// Of the rules that concern the host.
    #[serde(default, skip_serializing_if = "is_default")]
    pub conditions: Vec<Condition>,
}

/// What can be set centrally. Merged from wide to narrow: fleet, then host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    #[serde(default, skip_serializing_if = "is_default")]
    pub sample_interval_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub publish_interval_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub heartbeat_interval_ms: Option<i64>,
    /// Paths and globs of files to follow.
    #[serde(default, skip_serializing_if = "is_default")]
    pub log_paths: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub labels: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub location: Option<String>,
    /// Which of [`COLLECTORS`] are on; the others stay as they are.
    #[serde(default, skip_serializing_if = "is_default")]
    pub collectors: Option<BTreeMap<String, bool>>,
    /// Regular expressions; what they match in command lines is replaced by `***`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mask_arguments: Option<Vec<String>>,
}

/// What an agent did with a configuration; in the inventory, and in the answer to `config`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AppliedConfiguration {
    /// Of the central configuration in force; 0 for none.
    pub version: i64,
    /// All settings in force, wherever they come from.
    pub settings: Settings,
    /// How many conditions are judged.
    pub conditions: i64,
    /// Settings the host's own file pins, by name (`sample_interval_ms`, `collectors.smart`).
    #[serde(default)]
    pub pinned: BTreeSet<String>,
    /// Why the newest central configuration was refused, where it was; the one before it goes on.
    #[serde(default, skip_serializing_if = "is_default")]
    pub refused: Option<RefusedConfiguration>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedConfiguration {
    pub version: i64,
    pub reason: String,
}

impl CentralConfiguration {
    /// Names what is wrong, if something is. A configuration is taken whole or not at all.
    pub fn check(&self) -> Result<(), Rejection> {
        if self.version < 0 {
            return Err(Rejection::bad_value("version", self.version, "0 or more"));
        }
        self.settings.check()?;
        few("conditions", self.conditions.len(), CONDITIONS_MAX)?;
        for (index, condition) in self.conditions.iter().enumerate() {
            condition
                .check()
                .map_err(|rejection| rejection.within(&format!("conditions[{index}]")))?;
        }
        Ok(())
    }
}

impl Settings {
    pub fn check(&self) -> Result<(), Rejection> {
        let intervals = [
            ("sample_interval_ms", self.sample_interval_ms),
            ("publish_interval_ms", self.publish_interval_ms),
            ("heartbeat_interval_ms", self.heartbeat_interval_ms),
        ];
        for (field, interval) in intervals {
            let Some(interval) = interval else { continue };
            if !INTERVAL_MS.contains(&interval) {
                let (from, to) = (INTERVAL_MS.start(), INTERVAL_MS.end());
                return Err(Rejection::bad_value(field, interval, format!("{from} to {to}")));
            }
        }
        if let (Some(sample), Some(publish)) = (self.sample_interval_ms, self.publish_interval_ms)
            && publish < sample
        {
            let expected = format!("at least sample_interval_ms, {sample}");
            return Err(Rejection::bad_value("publish_interval_ms", publish, expected));
        }
        for (field, list) in
            [("log_paths", &self.log_paths), ("mask_arguments", &self.mask_arguments)]
        {
            let list = list.as_deref().unwrap_or_default();
            few(field, list.len(), PATTERNS_MAX)?;
            list.iter().try_for_each(|value| text(field, value))?;
        }
        if let Some(path) = self.log_paths.iter().flatten().find(|path| !path.starts_with('/')) {
            return Err(Rejection::bad_value("log_paths", path, "absolute paths"));
        }
        let labels = self.labels.iter().flatten();
        few("labels", labels.clone().count(), LABELS_MAX)?;
        for (name, value) in labels {
            text("labels", name)?;
            text("labels", value)?;
        }
        text("location", self.location.as_deref().unwrap_or_default())?;
        let unknown =
            self.collectors.iter().flatten().find(|(name, _)| !COLLECTORS.contains(&name.as_str()));
        match unknown {
            Some((name, _)) => {
                Err(Rejection::bad_value("collectors", name, format!("one of {COLLECTORS:?}")))
            }
            None => Ok(()),
        }
    }

    /// What `narrow` says wins; labels and collectors are joined.
    #[must_use]
    pub fn merged(mut self, narrow: &Self) -> Self {
        fn take<T: Clone>(wide: &mut Option<T>, narrow: Option<&T>) {
            if let Some(value) = narrow {
                *wide = Some(value.clone());
            }
        }
        fn join<V: Clone>(
            wide: &mut Option<BTreeMap<String, V>>,
            narrow: Option<&BTreeMap<String, V>>,
        ) {
            if let Some(values) = narrow {
                let all = wide.get_or_insert_default();
                all.extend(values.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
        }
        take(&mut self.sample_interval_ms, narrow.sample_interval_ms.as_ref());
        take(&mut self.publish_interval_ms, narrow.publish_interval_ms.as_ref());
        take(&mut self.heartbeat_interval_ms, narrow.heartbeat_interval_ms.as_ref());
        take(&mut self.log_paths, narrow.log_paths.as_ref());
        join(&mut self.labels, narrow.labels.as_ref());
        take(&mut self.location, narrow.location.as_ref());
        join(&mut self.collectors, narrow.collectors.as_ref());
        take(&mut self.mask_arguments, narrow.mask_arguments.as_ref());
        self
    }
}

fn few(field: &str, count: usize, max: usize) -> Result<(), Rejection> {
    if count <= max {
        return Ok(());
    }
    Err(Rejection::bad_value(field, count, format!("at most {max} items")))
}

fn text(field: &str, value: &str) -> Result<(), Rejection> {
    if value.len() <= TEXT_BYTES_MAX && !value.contains('\0') {
        return Ok(());
    }
    let expected = format!("text of at most {TEXT_BYTES_MAX} bytes without NUL");
    Err(Rejection::bad_value(field, format!("{value:?}"), expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_narrow_wins_and_maps_are_joined() {
        let map = |pairs: &[(&str, &str)]| {
            Some(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
        };
        let fleet = Settings {
            sample_interval_ms: Some(5000),
            labels: map(&[("env", "prod"), ("site", "a")]),
            ..Settings::default()
        };
        let host = Settings {
            sample_interval_ms: Some(1000),
            labels: map(&[("site", "b")]),
            ..Settings::default()
        };
        let merged = fleet.merged(&host);
        assert_eq!(merged.sample_interval_ms, Some(1000));
        assert_eq!(merged.labels, map(&[("env", "prod"), ("site", "b")]));
    }

    #[test]
    fn nonsense_is_refused_by_the_name_of_its_field() {
        for (json, reason) in [
            (r#"{"sample_interval_ms":10}"#, "sample_interval_ms is 10"),
            (
                r#"{"sample_interval_ms":5000,"publish_interval_ms":2000}"#,
                "publish_interval_ms is 2000, expected at least sample_interval_ms, 5000",
            ),
            (r#"{"log_paths":["var/log/x"]}"#, "log_paths is var/log/x"),
            (r#"{"collectors":{"telepathy":true}}"#, "collectors is telepathy"),
        ] {
            let settings: Settings = serde_json::from_str(json).unwrap();
            let said = settings.check().unwrap_err().to_string();
            assert!(said.starts_with(reason), "{said:?} is not {reason:?}");
        }
    }
}
