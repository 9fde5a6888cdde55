//! Typed subjects: the only place where a subject is spelled.

use muster_schemas::{HostId, Kind, Partition};

/// All telemetry frames, for whoever listens without storing.
pub const TELEMETRY_ALL: &str = "telemetry.*";

/// All decisions.
pub const EVENTS_ALL: &str = "events.*.*";

/// Dead letters of every stream.
pub const DEAD_ALL: &str = "dead.*";

/// All requests of agents to the centre.
pub const AGENTS_ALL: &str = "agents.*.*";

/// Where a durable message of a host is published.
pub fn durable(host: &HostId, kind: Kind) -> String {
    match kind {
        Kind::Telemetry => format!("telemetry.{host}"),
        Kind::Logs => format!("logs.{host}"),
        Kind::Heartbeat => format!("signals.{host}.heartbeat"),
        Kind::Candidate => format!("signals.{host}.candidate"),
        Kind::SystemInventory => format!("inventory.{host}.system"),
        Kind::ConfigurationInventory => format!("inventory.{host}.configuration"),
    }
}

/// What the hosts of a partition suspect, as SIGNALS stores it; the fleet's are those of all hosts.
pub fn candidates_of(partition: Partition) -> String {
    if partition == Partition::FLEET {
        return "p.*.*.candidate".to_owned();
    }
    format!("p.{}.*.candidate", partition.number())
}

pub fn event(host: &HostId, kind: &str) -> String {
    format!("events.{host}.{kind}")
}

pub fn live_telemetry(host: &HostId) -> String {
    format!("live.{host}.telemetry")
}

pub fn live_logs(host: &HostId) -> String {
    format!("live.{host}.logs")
}

/// A request of an agent; `verb` is one of ours and never taken from outside.
pub fn agents(host: &HostId, verb: &str) -> String {
    format!("agents.{host}.{verb}")
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

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "subject {0:?} is not one of telemetry.<host>, logs.<host>, p.<partition>.<host>.heartbeat, \
     p.<partition>.<host>.candidate, inventory.<host>.system, inventory.<host>.configuration"
)]
pub struct UnknownSubject(pub String);

/// Reads the subject of a stored message. SIGNALS stores under the partition its transform gave.
pub fn parse(subject: &str) -> Result<Address, UnknownSubject> {
    let tokens: Vec<&str> = subject.split('.').collect();
    let (host, kind) = match tokens.as_slice() {
        ["telemetry", host] => (host, Kind::Telemetry),
        ["logs", host] => (host, Kind::Logs),
        ["p", _, host, "heartbeat"] | ["signals", host, "heartbeat"] => (host, Kind::Heartbeat),
        ["p", _, host, "candidate"] | ["signals", host, "candidate"] => (host, Kind::Candidate),
        ["inventory", host, "system"] => (host, Kind::SystemInventory),
        ["inventory", host, "configuration"] => (host, Kind::ConfigurationInventory),
        _ => return Err(unknown(subject)),
    };
    let host = host.parse().map_err(|_| unknown(subject))?;
    Ok(Address { host, kind })
}

/// Reads the subject of an agent's request: who asks, and for what.
pub fn parse_request(subject: &str) -> Result<(HostId, &str), UnknownSubject> {
    let mut tokens = subject.split('.');
    let (Some("agents"), Some(host), Some(verb), None) =
        (tokens.next(), tokens.next(), tokens.next(), tokens.next())
    else {
        return Err(unknown(subject));
    };
    Ok((host.parse().map_err(|_| unknown(subject))?, verb))
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
        for kind in Kind::ALL {
            let subject = durable(&host, kind);
            assert_eq!(parse(&subject), Ok(Address { host: host.clone(), kind }), "{subject}");
        }
        let stored = parse("p.10.web-3.heartbeat");
        assert_eq!(stored, Ok(Address { host: host.clone(), kind: Kind::Heartbeat }));
        for bad in ["telemetry", "telemetry.a.b", "telemetry.*", "p.1.WEB.heartbeat", "x.web-3"] {
            assert!(parse(bad).is_err(), "{bad} was parsed");
        }
        let seventh = Partition::from_number(7).unwrap();
        assert_eq!(candidates_of(seventh), "p.7.*.candidate");
        assert_eq!(candidates_of(Partition::FLEET), "p.*.*.candidate");
        assert_eq!(parse_request(&agents(&host, "config")), Ok((host, "config")));
        for bad in ["agents.web-3", "agents.*.config", "agents.web-3.config.x", "x.web-3.config"] {
            assert!(parse_request(bad).is_err(), "{bad} was parsed");
        }
    }
}
