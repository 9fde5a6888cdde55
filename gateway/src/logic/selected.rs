//! How many hosts selectors select: a rule or a silence for no host looks like any other, and does
//! nothing.

use std::collections::BTreeMap;

use muster_alerts::Selector;
use muster_schemas::HostId;

/// Hosts times selectors that are compared for one answer: some 20 ms.
const PAIRS_MAX: usize = 400_000;

/// Each selector is read once, however many rules have it.
pub struct Counts {
    of: BTreeMap<String, Option<Selector>>,
}

impl Counts {
    pub fn of<'a>(selectors: impl IntoIterator<Item = &'a str>) -> Self {
        let read = |text: &str| (text.to_owned(), Selector::parse(text).ok());
        Self { of: selectors.into_iter().map(read).collect() }
    }

    /// Whether hosts have to be looked at, and are not only to be counted.
    pub fn needs_labels(&self) -> bool {
        self.of.values().flatten().any(|selector| !selector.is_everything())
    }

    /// By selector. Whatever cannot be read selects nothing; what is not there would have taken too
    /// long.
    pub fn among(&self, hosts: &[(HostId, BTreeMap<String, String>)]) -> BTreeMap<&str, i64> {
        let affordable = PAIRS_MAX / hosts.len().max(1);
        let count = |selector: &Selector| {
            hosts.iter().filter(|(host, labels)| selector.matches(host, labels)).count() as i64
        };
        let selectors = self.of.iter().take(affordable.max(1));
        selectors.map(|(text, read)| (text.as_str(), read.as_ref().map_or(0, count))).collect()
    }

    /// Where nothing but their number is needed.
    pub fn among_unlabelled(&self, hosts: i64) -> BTreeMap<&str, i64> {
        let count = |read: &Option<Selector>| if read.is_some() { hosts } else { 0 };
        self.of.iter().map(|(text, read)| (text.as_str(), count(read))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(count: usize) -> Vec<(HostId, BTreeMap<String, String>)> {
        let host = |number: usize| {
            let role = if number.is_multiple_of(4) { "db" } else { "web" };
            let labels = BTreeMap::from([("role".to_owned(), role.to_owned())]);
            (format!("host-{number}").parse().unwrap(), labels)
        };
        (0..count).map(host).collect()
    }

    #[test]
    fn each_selector_is_counted_and_one_that_selects_nothing_too() {
        let counts = Counts::of(["", "role=web", "role=db|web, id=host-1*", "role=mail", "role=="]);
        assert!(counts.needs_labels());
        let hosts = hosts(20);
        let expected = [
            ("", 20),
            ("role==", 0),
            ("role=db|web, id=host-1*", 11),
            ("role=mail", 0),
            ("role=web", 15),
        ];
        assert_eq!(counts.among(&hosts), BTreeMap::from(expected));
    }

    #[test]
    fn where_all_are_meant_nobody_is_looked_at() {
        let counts = Counts::of(["", " ", "role=="]);
        assert!(!counts.needs_labels());
        assert_eq!(counts.among_unlabelled(7), BTreeMap::from([("", 7), (" ", 7), ("role==", 0)]));
    }

    #[test]
    fn no_more_is_compared_than_an_answer_may_take() {
        let texts: Vec<String> = (0..100).map(|number| format!("id=host-{number}")).collect();
        let counts = Counts::of(texts.iter().map(String::as_str));
        assert_eq!(counts.among(&hosts(1_000)).len(), 100);
        assert_eq!(counts.among(&hosts(10_000)).len(), 40);
    }
}
