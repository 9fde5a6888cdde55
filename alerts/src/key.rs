//! The name of a ticket: a pure function of its episode, `<rule>/<host>/<instance>/<begun_at>`.
//!
//! Whoever opens an episode twice (a worker that died between two commits, a second one that took
//! over) opens it by the same name, and the database recognises it.

use std::fmt;
use std::str::FromStr;

use muster_schemas::HostId;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TicketKey {
    pub rule_id: i64,
    /// Absent for a rule about a group of hosts.
    pub host: Option<HostId>,
    /// May contain slashes: a mount point does.
    pub instance: String,
    /// When the episode was first heard of, as a rule its beginning: milliseconds since the Unix
    /// epoch, by the bus's clock.
    pub begun_at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ticket key {0:?} is not <rule>/<host>/<instance>/<begun_at>")]
pub struct InvalidTicketKey(pub String);

impl fmt::Display for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.as_ref().map_or("", HostId::as_str);
        write!(f, "{}/{host}/{}/{}", self.rule_id, self.instance, self.begun_at)
    }
}

impl FromStr for TicketKey {
    type Err = InvalidTicketKey;

    fn from_str(text: &str) -> Result<Self, InvalidTicketKey> {
        parse(text).ok_or_else(|| InvalidTicketKey(text.chars().take(160).collect()))
    }
}

fn parse(text: &str) -> Option<TicketKey> {
    let (rule, rest) = text.split_once('/')?;
    let (host, rest) = rest.split_once('/')?;
    let (instance, begun_at) = rest.rsplit_once('/')?;
    Some(TicketKey {
        rule_id: rule.parse().ok()?,
        host: if host.is_empty() { None } else { Some(host.parse().ok()?) },
        instance: instance.to_owned(),
        begun_at: begun_at.parse().ok()?,
    })
}

impl TryFrom<String> for TicketKey {
    type Error = InvalidTicketKey;

    fn try_from(text: String) -> Result<Self, InvalidTicketKey> {
        text.parse()
    }
}

impl From<TicketKey> for String {
    fn from(key: TicketKey) -> Self {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_as_written_even_with_slashes_in_its_instance() {
        for text in ["7/web-3//1732100000123", "7/web-3//var/lib/1", "7///1", "7/web-3/eth0/-5"] {
            assert_eq!(text.parse::<TicketKey>().unwrap().to_string(), text);
        }
        for bad in ["", "7", "7/web-3/1", "x/web-3//1", "7/WEB//1", "7/web-3//then"] {
            assert!(bad.parse::<TicketKey>().is_err(), "{bad:?} was accepted");
        }
    }
}
