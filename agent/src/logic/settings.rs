//! Which settings are in force: the host's own, changed by the centre where the host lets it.
//!
//! A configuration is taken whole or not at all. Where one is refused, the one before it goes on,
//! and the refusal is reported with its reason. What the host pins is never changed; that alone is
//! no reason to refuse, because a fleet's settings are not made for one host.

use std::collections::BTreeSet;

use glob::Pattern;

use muster_schemas::conditions::Condition;
use muster_schemas::configuration::{
    AppliedConfiguration, CentralConfiguration, RefusedConfiguration, Settings,
};
use muster_schemas::telemetry::SAMPLES_PER_FRAME_MAX;

use crate::logic::mask::Masks;

/// What can be pinned, besides `collectors.<name>`.
pub const SETTING_NAMES: &[&str] = &[
    "sample_interval_ms",
    "publish_interval_ms",
    "heartbeat_interval_ms",
    "log_paths",
    "labels",
    "location",
    "collectors",
    "mask_arguments",
];

/// The host's side: its own settings, all of them set, and what it pins.
#[derive(Debug, Clone, PartialEq)]
pub struct Own {
    pub settings: Settings,
    pub pinned: BTreeSet<String>,
}

/// Own and central together.
#[derive(Debug, Clone, PartialEq)]
pub struct InForce {
    own: Own,
    central: Option<CentralConfiguration>,
    /// All of them are set.
    settings: Settings,
    refused: Option<RefusedConfiguration>,
}

impl InForce {
    pub fn new(own: Own) -> Self {
        let settings = own.settings.clone();
        Self { own, central: None, settings, refused: None }
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub fn conditions(&self) -> &[Condition] {
        self.central.as_ref().map_or(&[], |central| &central.conditions)
    }

    /// The version in force; 0 for none.
    pub fn version(&self) -> i64 {
        self.central.as_ref().map_or(0, |central| central.version)
    }

    pub fn central(&self) -> Option<&CentralConfiguration> {
        self.central.as_ref()
    }

    pub fn applied(&self) -> AppliedConfiguration {
        AppliedConfiguration {
            version: self.version(),
            settings: self.settings.clone(),
            conditions: self.conditions().len() as i64,
            pinned: self.own.pinned.clone(),
            refused: self.refused.clone(),
        }
    }

    /// Takes what the centre wants, or refuses it with a reason and goes on as before.
    pub fn take(&mut self, central: CentralConfiguration) -> Result<(), String> {
        match effective(&self.own, &central) {
            Ok(settings) => {
                self.settings = settings;
                self.central = Some(central);
                self.refused = None;
                Ok(())
            }
            Err(reason) => {
                let version = central.version;
                self.refused = Some(RefusedConfiguration { version, reason: reason.clone() });
                Err(reason)
            }
        }
    }

    /// The host's own file was read again. What the centre wanted is laid over it afresh.
    pub fn take_own(&mut self, own: Own) -> Result<(), String> {
        let settings = match &self.central {
            Some(central) => effective(&own, central)?,
            None => own.settings.clone(),
        };
        self.own = own;
        self.settings = settings;
        Ok(())
    }
}

fn effective(own: &Own, central: &CentralConfiguration) -> Result<Settings, String> {
    central.check().map_err(|rejection| rejection.to_string())?;
    let wanted = without_pinned(central.settings.clone(), &own.pinned);
    let settings = own.settings.clone().merged(&wanted);
    settings.check().map_err(|rejection| rejection.to_string())?;
    for path in settings.log_paths.iter().flatten() {
        Pattern::new(path).map_err(|error| format!("log_paths: {path}: {error}"))?;
    }
    let masks = settings.mask_arguments.as_deref().unwrap_or_default();
    Masks::new(masks).map_err(|reason| format!("mask_arguments: {reason}"))?;
    let (sample, publish) = (settings.sample_interval_ms, settings.publish_interval_ms);
    if let (Some(sample), Some(publish)) = (sample, publish)
        && publish / sample.max(1) > SAMPLES_PER_FRAME_MAX as i64
    {
        return Err(format!(
            "publish_interval_ms is {publish}, expected at most {SAMPLES_PER_FRAME_MAX} times \
             sample_interval_ms, {sample}"
        ));
    }
    Ok(settings)
}

fn without_pinned(mut wanted: Settings, pinned: &BTreeSet<String>) -> Settings {
    let Settings {
        sample_interval_ms,
        publish_interval_ms,
        heartbeat_interval_ms,
        log_paths,
        labels,
        location,
        collectors,
        mask_arguments,
    } = &mut wanted;
    for name in pinned {
        match name.as_str() {
            "sample_interval_ms" => *sample_interval_ms = None,
            "publish_interval_ms" => *publish_interval_ms = None,
            "heartbeat_interval_ms" => *heartbeat_interval_ms = None,
            "log_paths" => *log_paths = None,
            "labels" => *labels = None,
            "location" => *location = None,
            "collectors" => *collectors = None,
            "mask_arguments" => *mask_arguments = None,
            _ => {
                if let (Some(name), Some(all)) =
                    (name.strip_prefix("collectors."), &mut *collectors)
                {
                    all.remove(name);
                }
            }
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn own(pinned: &[&str]) -> Own {
        let settings = Settings {
            sample_interval_ms: Some(5000),
            publish_interval_ms: Some(15_000),
            heartbeat_interval_ms: Some(30_000),
            log_paths: Some(vec!["/var/log/syslog".into()]),
            labels: Some(BTreeMap::new()),
            location: Some("cellar".into()),
            collectors: Some(BTreeMap::from([("smart".into(), true), ("gpus".into(), true)])),
            mask_arguments: Some(Vec::new()),
        };
        Own { settings, pinned: pinned.iter().map(|name| (*name).to_owned()).collect() }
    }

    fn central(version: i64, json: &str) -> CentralConfiguration {
        let settings = serde_json::from_str(json).unwrap();
        CentralConfiguration { version, settings, conditions: Vec::new() }
    }

    #[test]
    fn the_centre_changes_what_is_not_pinned() {
        let mut in_force = InForce::new(own(&["location", "collectors.smart"]));
        let wanted = r#"{"sample_interval_ms":1000,"location":"roof",
            "collectors":{"smart":false,"gpus":false}}"#;
        in_force.take(central(7, wanted)).unwrap();
        let settings = in_force.settings();
        assert_eq!(settings.sample_interval_ms, Some(1000));
        assert_eq!(settings.location.as_deref(), Some("cellar"));
        let collectors = settings.collectors.as_ref().unwrap();
        assert_eq!((collectors["smart"], collectors["gpus"]), (true, false));
        assert_eq!(in_force.applied().version, 7);
    }

    #[test]
    fn a_bad_configuration_is_refused_whole_and_the_old_one_goes_on() {
        let mut in_force = InForce::new(own(&[]));
        in_force.take(central(1, r#"{"location":"roof"}"#)).unwrap();
        // Sampled more rarely than published: good by itself, bad on this host.
        let bad = central(2, r#"{"sample_interval_ms":60000,"location":"moon"}"#);
        let reason = in_force.take(bad).unwrap_err();
        assert!(reason.starts_with("publish_interval_ms is 15000"), "{reason}");
        assert_eq!(in_force.settings().location.as_deref(), Some("roof"));
        let applied = in_force.applied();
        assert_eq!((applied.version, applied.refused.unwrap().version), (1, 2));
        in_force.take(central(3, "{}")).unwrap();
        assert_eq!(in_force.applied().refused, None);
        assert_eq!(in_force.settings().location.as_deref(), Some("cellar"));
    }

    #[test]
    fn the_hosts_own_file_is_the_ground_on_which_the_centre_builds() {
        let mut in_force = InForce::new(own(&[]));
        in_force.take(central(1, r#"{"sample_interval_ms":1000}"#)).unwrap();
        let mut changed = own(&["sample_interval_ms"]);
        changed.settings.location = Some("attic".into());
        in_force.take_own(changed).unwrap();
        assert_eq!(in_force.settings().sample_interval_ms, Some(5000));
        assert_eq!(in_force.settings().location.as_deref(), Some("attic"));
    }
}
