//! In which order tables are copied: what others refer to comes first.

use std::collections::BTreeSet;

/// Puts `tables` in order by their `references`, pairs of a table and one that it refers to. What
/// refers to each other in a circle comes last, as it is.
pub fn in_order(tables: &[String], references: &[(String, String)]) -> Vec<String> {
    let mut left: Vec<&String> = tables.iter().collect();
    let mut ordered: Vec<String> = Vec::new();
    loop {
        let waiting: BTreeSet<&String> = left.iter().copied().collect();
        let is_free = |table: &String| {
            let mut theirs = references.iter().filter(|(from, to)| from == table && from != to);
            theirs.all(|(_, to)| !waiting.contains(to))
        };
        let (free, rest): (Vec<&String>, Vec<&String>) =
            left.iter().copied().partition(|table| is_free(table));
        if free.is_empty() {
            ordered.extend(rest.into_iter().cloned());
            return ordered;
        }
        ordered.extend(free.into_iter().cloned());
        left = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(tables: &str, references: &[(&str, &str)], expected: &str) {
        let tables: Vec<String> = tables.split(' ').map(str::to_owned).collect();
        let references: Vec<(String, String)> =
            references.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        assert_eq!(in_order(&tables, &references).join(" "), expected);
    }

    #[test]
    fn what_is_referred_to_comes_first() {
        check("tokens users", &[("tokens", "users")], "users tokens");
        check("c b a", &[("c", "b"), ("b", "a")], "a b c");
        check("a", &[("a", "a")], "a");
        check("a", &[("a", "elsewhere")], "a");
        check("a b c", &[("a", "b"), ("b", "a")], "c a b");
    }
}
