//! Database addresses as text.

/// The same address with another database: `postgres://user@host:1/name?option`.
pub fn with_database(url: &str, name: &str) -> String {
    let (address, options) = match url.split_once('?') {
        Some((address, options)) => (address, format!("?{options}")),
        None => (url, String::new()),
    };
    let start = address.find("://").map_or(0, |at| at + 3);
    let server = match address[start..].find('/') {
        Some(slash) => &address[..start + slash],
        None => address,
    };
    format!("{server}/{name}{options}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_database_is_another() {
        for (url, expected) in [
            ("postgres://u:p@h:5432/postgres", "postgres://u:p@h:5432/x"),
            ("postgres://u@h", "postgres://u@h/x"),
            ("postgresql://h/a?connect_timeout=3", "postgresql://h/x?connect_timeout=3"),
        ] {
            assert_eq!(with_database(url, "x"), expected);
        }
    }
}
