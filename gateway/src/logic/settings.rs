//! Whether settings can be used: each by itself, and merged as agents will have them.
//!
//! An agent takes a configuration whole or not at all. A host's settings that are good by
//! themselves can be bad together with the fleet's, and a change of the fleet's can spoil those of
//! a host; both are refused here, with the name of the field, before any agent hears of them.

use muster_schemas::HostId;
use muster_schemas::configuration::Settings;
use muster_schemas::envelope::Rejection;
use serde_json::Value;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    Fleet,
    Host(HostId),
}

/// What is wrong, and with which field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct BadSettings {
    pub field: Option<String>,
    pub reason: String,
}

impl From<Rejection> for BadSettings {
    fn from(rejection: Rejection) -> Self {
        let field = match &rejection {
            Rejection::BadValue { field, .. } => Some(field.clone()),
            _ => None,
        };
        Self { field, reason: rejection.to_string() }
    }
}

/// Reads settings strictly: on the wire an unknown field is ignored, from a person it is a mistake.
pub fn read(value: Value) -> Result<Settings, BadSettings> {
    let Value::Object(given) = value else {
        return Err(BadSettings { field: None, reason: "settings are an object".into() });
    };
    for (name, value) in &given {
        let one = Value::Object([(name.clone(), value.clone())].into_iter().collect());
        let settings: Settings = serde_json::from_value(one).map_err(|error| BadSettings {
            field: Some(name.clone()),
            reason: format!("{name}: {error}"),
        })?;
        if !value.is_null() && settings == Settings::default() {
            let reason = format!("{name} is not a setting");
            return Err(BadSettings { field: Some(name.clone()), reason });
        }
    }
    let settings: Settings = serde_json::from_value(Value::Object(given))
        .map_err(|error| BadSettings { field: None, reason: error.to_string() })?;
    settings.check()?;
    Ok(settings)
}

/// Checks settings of a scope with those they will be merged with.
pub fn check(
    scope: &Scope,
    settings: &Settings,
    others: &[(Scope, Settings)],
) -> Result<(), BadSettings> {
    settings.check()?;
    for (other, theirs) in others {
        let (merged, with) = match (scope, other) {
            (Scope::Fleet, Scope::Host(host)) => {
                (settings.clone().merged(theirs), format!("the settings of host {host}"))
            }
            (Scope::Host(_), Scope::Fleet) => {
                (theirs.clone().merged(settings), "the settings of the fleet".to_owned())
            }
            _ => continue,
        };
        merged.check().map_err(|rejection| {
            let bad = BadSettings::from(rejection);
            BadSettings { reason: format!("with {with}: {}", bad.reason), ..bad }
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_is_named_by_its_field() {
        for (given, field) in [
            (json!({ "sample_interval_ms": 10 }), Some("sample_interval_ms")),
            (json!({ "sample_interval_ms": "often" }), Some("sample_interval_ms")),
            (json!({ "sample_intervall_ms": 5000 }), Some("sample_intervall_ms")),
            (json!({ "log_paths": ["var/log"] }), Some("log_paths")),
            (json!([]), None),
        ] {
            assert_eq!(read(given.clone()).unwrap_err().field.as_deref(), field, "{given}");
        }
        let given = json!({ "location": "here", "labels": {}, "publish_interval_ms": null });
        assert_eq!(read(given).unwrap().location.as_deref(), Some("here"));
    }

    #[test]
    fn settings_that_are_bad_together_are_refused_on_either_side() {
        let sample = |ms| Settings { sample_interval_ms: Some(ms), ..Settings::default() };
        let publish = |ms| Settings { publish_interval_ms: Some(ms), ..Settings::default() };
        let host = Scope::Host("web-3".parse().unwrap());
        assert_eq!(check(&host, &sample(20_000), &[(Scope::Fleet, sample(5_000))]), Ok(()));
        let on_host = check(&host, &sample(20_000), &[(Scope::Fleet, publish(15_000))]);
        let bad = on_host.unwrap_err();
        assert!(bad.reason.starts_with("with the settings of the fleet: publish_interval_ms"));
        let on_fleet = check(&Scope::Fleet, &publish(15_000), &[(host, sample(20_000))]);
        let bad = on_fleet.unwrap_err();
        assert!(bad.reason.starts_with("with the settings of host web-3"), "{}", bad.reason);
    }
}
