//! What a browser can listen to.

use std::fmt;
use std::str::FromStr;

use muster_schemas::HostId;

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// The newest figures of all hosts, about once a second.
    Hosts,
    /// What the system decided.
    Events,
    /// One host at full rate.
    Telemetry(HostId),
    /// All lines one host reads.
    Logs(HostId),
}

impl Topic {
    /// Whose it is, where it is one host's.
    pub fn host(&self) -> Option<&HostId> {
        match self {
            Self::Hosts | Self::Events => None,
            Self::Telemetry(host) | Self::Logs(host) => Some(host),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("topic {0:?} is not one of hosts, events, host/<id>/telemetry, host/<id>/logs")]
pub struct UnknownTopic(pub String);

impl FromStr for Topic {
    type Err = UnknownTopic;

    fn from_str(text: &str) -> Result<Self, UnknownTopic> {
        let unknown = || UnknownTopic(text.chars().take(120).collect());
        let parts: Vec<&str> = text.split('/').collect();
        match parts.as_slice() {
            ["hosts"] => Ok(Self::Hosts),
            ["events"] => Ok(Self::Events),
            ["host", id, "telemetry"] => id.parse().map(Self::Telemetry).map_err(|_| unknown()),
            ["host", id, "logs"] => id.parse().map(Self::Logs).map_err(|_| unknown()),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hosts => f.write_str("hosts"),
            Self::Events => f.write_str("events"),
            Self::Telemetry(host) => write!(f, "host/{host}/telemetry"),
            Self::Logs(host) => write!(f, "host/{host}/logs"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_reads_back_as_written() {
        for text in ["hosts", "events", "host/web-3/telemetry", "host/web-3/logs"] {
            assert_eq!(text.parse::<Topic>().unwrap().to_string(), text);
        }
        for bad in
            ["", "host", "host/*/telemetry", "host/web-3/news", "hosts/", "host/a/b/telemetry"]
        {
            assert!(bad.parse::<Topic>().is_err(), "{bad:?} was accepted");
        }
    }
}
