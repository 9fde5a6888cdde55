//! Typed subjects: the only place where a subject is spelled.

use muster_schemas::{Channel, HostId};

/// All telemetry frames, for whoever listens without storing.
pub const TELEMETRY_ALL: &str = "telemetry.*";

/// All decisions.
pub const EVENTS_ALL: &str = "events.*.*";

/// Dead letters of every stream.
pub const DEAD_ALL: &str = "dead.*";

pub fn telemetry(host: &HostId) -> String {
    format!("telemetry.{host}")
}

pub fn heartbeat(host: &HostId) -> String {
    format!("signals.{host}.heartbeat")
}

pub fn event(host: &HostId, kind: &str) -> String {
    format!("events.{host}.{kind}")
}

pub fn live_telemetry(host: &HostId) -> String {
    format!("live.{host}.telemetry")
}

/// `verb` is one of ours and never taken from outside.
pub fn control(host: &HostId, verb: &str) -> String {
    format!("control.{host}.{verb}")
}

pub fn control_all(host: &HostId) -> String {
    format!("control.{host}.>")
}

/// What a subject says about the message on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub host: HostId,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Telemetry,
    Heartbeat,
}

impl Kind {
    pub fn channel(self) -> Channel {
        match self {
            Self::Telemetry => Channel::Telemetry,
            Self::Heartbeat => Channel::Signals,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("subject {0:?} is not one of telemetry.<host>, p.<partition>.<host>.heartbeat")]
pub struct UnknownSubject(pub String);

/// Reads the subject of a stored message. SIGNALS stores under the partition its transform gave.
pub fn parse(subject: &str) -> Result<Address, UnknownSubject> {
    let tokens: Vec<&str> = subject.split('.').collect();
    let (host, kind) = match tokens.as_slice() {
        ["telemetry", host] => (host, Kind::Telemetry),
        ["p", _, host, "heartbeat"] | ["signals", host, "heartbeat"] => (host, Kind::Heartbeat),
        _ => return Err(unknown(subject)),
    };
    let host = host.parse().map_err(|_| unknown(subject))?;
    Ok(Address { host, kind })
}

fn unknown(subject: &str) -> UnknownSubject {
    UnknownSubject(subject.chars().take(160).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_is_parsed_again() {
        let host: HostId = "web-3".parse().unwrap();
        for (subject, kind) in [
            (telemetry(&host), Kind::Telemetry),
            (heartbeat(&host), Kind::Heartbeat),
            ("p.10.web-3.heartbeat".into(), Kind::Heartbeat),
        ] {
            assert_eq!(parse(&subject), Ok(Address { host: host.clone(), kind }), "{subject}");
        }
        for bad in ["telemetry", "telemetry.a.b", "telemetry.*", "p.1.WEB.heartbeat", "x.web-3"] {
            assert!(parse(bad).is_err(), "{bad} was parsed");
        }
    }
}
