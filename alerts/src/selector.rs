//! Which hosts a rule or a silence concerns: `role=web|db, env!=test, region, !canary, id=web-*`.
//!
//! All terms must hold; no term means every host. `key` alone asks for the label whatever its
//! value, `!key` for its absence; `key!=value` holds also where the label is absent. `a|b` means
//! either. `id` is the host's own id, and there a `*` at the end stands for any ending.

use std::collections::BTreeMap;

use muster_schemas::HostId;

/// More terms than anybody can read.
const TERMS_MAX: usize = 32;

/// The longest selector, in bytes.
pub const SELECTOR_BYTES_MAX: usize = 1024;

/// The name that means the host's id, not a label.
const ID: &str = "id";

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    key: String,
    /// Whether the term must not hold.
    negated: bool,
    /// One of them; empty where the label's presence is enough.
    values: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at character {at}: {reason}")]
pub struct InvalidSelector {
    /// From 1.
    pub at: usize,
    pub reason: &'static str,
}

impl Selector {
    pub fn parse(text: &str) -> Result<Self, InvalidSelector> {
        if text.len() > SELECTOR_BYTES_MAX {
            return Err(InvalidSelector { at: SELECTOR_BYTES_MAX, reason: "it is too long" });
        }
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let mut terms = Vec::new();
        let mut start = 0;
        for piece in text.split(',') {
            let place = start + piece.chars().take_while(|c| c.is_whitespace()).count() + 1;
            let invalid = |(offset, reason)| InvalidSelector { at: place + offset, reason };
            terms.push(term(piece.trim()).map_err(invalid)?);
            if terms.len() > TERMS_MAX {
                return Err(invalid((0, "there are too many terms")));
            }
            start += piece.chars().count() + 1;
        }
        Ok(Self { terms })
    }

    pub fn matches(&self, host: &HostId, labels: &BTreeMap<String, String>) -> bool {
        self.holds(host.as_str(), labels)
    }

    /// Whether it concerns every host there may be.
    pub fn is_everything(&self) -> bool {
        self.terms.is_empty()
    }

    pub(crate) fn holds(&self, host: &str, labels: &BTreeMap<String, String>) -> bool {
        self.terms.iter().all(|term| term.holds(host, labels) != term.negated)
    }
}

impl Term {
    fn holds(&self, host: &str, labels: &BTreeMap<String, String>) -> bool {
        if self.key == ID {
            return self.values.iter().any(|value| match value.strip_suffix('*') {
                Some(beginning) => host.starts_with(beginning),
                None => host == value,
            });
        }
        let Some(label) = labels.get(&self.key) else { return false };
        self.values.is_empty() || self.values.contains(label)
    }
}

/// One term; an error says how many characters into it.
fn term(text: &str) -> Result<Term, (usize, &'static str)> {
    if text.is_empty() {
        return Err((0, "a term is missing"));
    }
    let (text, offset, absent) = match text.strip_prefix('!') {
        Some(rest) => (rest, 1, true),
        None => (text, 0, false),
    };
    let (left, values) = match text.split_once('=') {
        Some((left, values)) => (left, Some(values)),
        None => (text, None),
    };
    let unequal = values.is_some() && left.ends_with('!');
    let left = if unequal { left.trim_end_matches('!') } else { left };
    let name = left.trim_end();
    key(name).map_err(|(at, reason)| (at + offset, reason))?;
    let Some(given) = values else {
        if name == ID {
            return Err((offset, "id needs a value"));
        }
        return Ok(Term { key: name.to_owned(), negated: absent, values: Vec::new() });
    };
    if absent {
        return Err((0, "! before a name goes without a value; write key!=value"));
    }
    let begins = text.chars().count() - given.chars().count();
    let list = given.split('|').map(|one| value(name, one.trim())).collect::<Result<_, _>>();
    let values = list.map_err(|reason| (begins, reason))?;
    Ok(Term { key: name.to_owned(), negated: unequal, values })
}

fn key(name: &str) -> Result<(), (usize, &'static str)> {
    if name.is_empty() {
        return Err((0, "a name is missing"));
    }
    let fits = |c: char| c.is_alphanumeric() || "_-./".contains(c);
    match name.chars().position(|c| !fits(c)) {
        Some(at) => Err((at, "a name has letters, digits and _ - . / only")),
        None => Ok(()),
    }
}

fn value(key: &str, text: &str) -> Result<String, &'static str> {
    if text.is_empty() {
        return Err("a value is missing");
    }
    if text.contains(|c: char| c.is_control() || "=!".contains(c)) {
        return Err("a value has no = and no !");
    }
    let inner = if key == ID { text.strip_suffix('*').unwrap_or(text) } else { text };
    if inner.contains('*') {
        return Err("* may stand at the end of an id only");
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(selector: &str) -> bool {
        let host: HostId = "web-3".parse().unwrap();
        let labels = [("role", "web"), ("env", "prod"), ("region", "eu")];
        let labels = labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        Selector::parse(selector).unwrap().matches(&host, &labels)
    }

    #[test]
    fn all_terms_must_hold() {
        for selector in [
            "",
            "  ",
            "role=web",
            "role=db|web",
            "role = web",
            "env!=test",
            "region",
            "!canary",
            "canary!=yes",
            "id=web-*",
            "id=web-3",
            "id!=db-*",
            "id=*",
            "role=web, env!=test, region, !canary, id=web-*",
        ] {
            assert!(matches(selector), "{selector:?} should match");
        }
        for selector in [
            "role=db",
            "role!=web",
            "role!=db|web",
            "canary",
            "!region",
            "id=web",
            "id=db-*",
            "id!=web-*",
            "role=web, env=test",
        ] {
            assert!(!matches(selector), "{selector:?} should not match");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_place() {
        for (selector, said) in [
            (",", "at character 1: a term is missing"),
            ("role=web,", "at character 10: a term is missing"),
            ("role=web, =x", "at character 11: a name is missing"),
            ("role=", "at character 6: a value is missing"),
            ("ro le=web", "at character 3: a name has letters, digits and _ - . / only"),
            ("role==web", "at character 6: a value has no = and no !"),
            ("role=w*", "at character 6: * may stand at the end of an id only"),
            ("id=*web", "at character 4: * may stand at the end of an id only"),
            ("id", "at character 1: id needs a value"),
            (
                "a, !role=web",
                "at character 4: ! before a name goes without a value; write key!=value",
            ),
        ] {
            assert_eq!(Selector::parse(selector).unwrap_err().to_string(), said, "{selector:?}");
        }
        assert!(Selector::parse(&"a,".repeat(600)).is_err());
        assert!(Selector::parse(&["a"; 33].join(",")).is_err());
    }
}
