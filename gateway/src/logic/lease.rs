//! What became of a request to an agent; of the repeated one for live values, told once per change.

use muster_schemas::HostId;
use muster_schemas::control::Reply;

/// The answer of an agent, or its absence.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Said(Reply),
    Nobody,
    Silence,
    BusAway,
}

impl Answer {
    /// Why nothing comes of it, where that is so.
    pub fn trouble(&self, host: &HostId) -> Option<String> {
        match self {
            Self::Said(Reply::Accepted { .. }) => None,
            Self::Said(Reply::Refused { reason }) => {
                Some(format!("the agent of {host} refused: {reason}"))
            }
            Self::Nobody => Some(format!("the agent of {host} is not connected")),
            Self::Silence => Some(format!("the agent of {host} does not answer")),
            Self::BusAway => Some("the bus is away".to_owned()),
        }
    }
}

/// The reason that was told last; `None` while values come.
#[derive(Debug, Default)]
pub struct Lease {
    trouble: Option<String>,
}

impl Lease {
    /// Answers the reason to tell viewers, if it is a new one.
    pub fn observe(&mut self, host: &HostId, answer: &Answer) -> Option<&str> {
        let trouble = answer.trouble(host);
        if trouble == self.trouble {
            return None;
        }
        self.trouble = trouble;
        self.trouble()
    }

    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_once_and_again_after_it_changed() {
        let host: HostId = "web-3".parse().unwrap();
        let refused = Answer::Said(Reply::Refused { reason: "busy".into() });
        let accepted = Answer::Said(Reply::DONE);
        let mut lease = Lease::default();
        for (answer, told) in [
            (&accepted, None),
            (&Answer::Nobody, Some("the agent of web-3 is not connected")),
            (&Answer::Nobody, None),
            (&refused, Some("the agent of web-3 refused: busy")),
            (&accepted, None),
            (&refused, Some("the agent of web-3 refused: busy")),
            (&Answer::Silence, Some("the agent of web-3 does not answer")),
        ] {
            assert_eq!(lease.observe(&host, answer), told);
        }
    }
}
