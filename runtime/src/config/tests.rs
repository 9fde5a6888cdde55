//! Bad configuration, as the person sees it who has to correct it.

use std::io::Write;

use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Example {
    #[serde(with = "humantime_serde")]
    interval: std::time::Duration,
    #[serde(deserialize_with = "number")]
    size: u32,
    password: String,
}

impl Default for Example {
    fn default() -> Self {
        Self { interval: std::time::Duration::from_secs(5), size: 7, password: "x".into() }
    }
}

impl Config for Example {
    const SERVICE: &'static str = "some-example";

    fn check(&self) -> Result<(), Problem> {
        within("size", self.size, 1..=10)?;
        if self.interval.as_secs() == 30 && self.size > 5 {
            return Err(Problem::new("size", "at most 5 at this interval"));
        }
        if self.password.is_empty() {
            return Err(Problem::new("password", "something"));
        }
        Ok(())
    }
}

fn read(file: Option<&str>, variables: &[(&str, &str)]) -> Result<Example, String> {
    let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let mut on_disk = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    on_disk.write_all(file.unwrap_or_default().as_bytes()).unwrap();
    let path = file.map(|_| on_disk.path());
    load_from(path, variables)
        .map_err(|error| error.to_string().replace(&on_disk.path().display().to_string(), "FILE"))
}

#[test]
fn variables_win_over_the_file_and_the_file_over_the_defaults() {
    let config = read(
        Some("interval = \"1m\"\nsize = 3"),
        &[("MUSTER_SOME_EXAMPLE_SIZE", "4"), ("MUSTER_SOME_EXAMPLE_PASSWORD", "0012")],
    );
    let interval = std::time::Duration::from_secs(60);
    assert_eq!(config, Ok(Example { interval, size: 4, password: "0012".into() }));
    assert_eq!(read(None, &[("MUSTER_SOME_EXAMPLE_SIZE", "")]), Ok(Example::default()));
}

#[test]
fn a_bad_value_names_key_value_origin_and_what_is_allowed() {
    let check = |file, variables: &[(&str, &str)], line: &str| {
        let said = read(file, variables).unwrap_err();
        assert!(!said.contains('\n'), "{said:?} is not one line");
        assert!(said.starts_with(line), "{said:?} is not {line:?}");
    };
    check(
        None,
        &[("MUSTER_SOME_EXAMPLE_SIZE", "11")],
        "muster-some-example: size = \"11\" (from environment variable \
         MUSTER_SOME_EXAMPLE_SIZE): allowed: 1 to 10",
    );
    check(
        Some("interval = \"30s\""),
        &[],
        "muster-some-example: size = 7 (from the defaults): allowed: at most 5 at this interval",
    );
    check(
        Some("size = 0"),
        &[],
        "muster-some-example: size = 0 (from file FILE): allowed: 1 to 10",
    );
    check(
        Some("size = \"many\""),
        &[],
        "muster-some-example: size = \"many\" (from file FILE): allowed: a whole number",
    );
    check(
        Some("interval = \"soon\""),
        &[],
        "muster-some-example: interval = \"soon\" (from file FILE): allowed: a duration",
    );
    check(
        Some("interval = 5"),
        &[],
        "muster-some-example: interval = 5 (from file FILE): allowed: a duration",
    );
    check(
        Some("colour = 5"),
        &[],
        "muster-some-example: colour = 5 (from file FILE): unknown key, allowed: interval, size",
    );
    check(
        None,
        &[("MUSTER_SOME_EXAMPLE_COLOUR", "red")],
        "muster-some-example: colour = \"red\" (from environment variable \
         MUSTER_SOME_EXAMPLE_COLOUR): unknown key, allowed: interval",
    );
    check(
        Some("password = 5"),
        &[],
        "muster-some-example: password = (hidden) (from file FILE): allowed: a string",
    );
    check(Some("size = = 5"), &[], "muster-some-example: file FILE: ");
    check(
        None,
        &[("MUSTER_SOME_EXAMPLE_CONFIG", "/nowhere/x.toml")],
        "muster-some-example: config = \"/nowhere/x.toml\" (from MUSTER_SOME_EXAMPLE_CONFIG): ",
    );
}

#[test]
fn addresses_are_told_from_nonsense() {
    for good in ["nats://127.0.0.1:4222", "tls://a.b,nats://u:p@c:1", "bus:4222", "nats://[::1]:1"]
    {
        assert_eq!(check_nats_url(good), Ok(()), "{good}");
    }
    for bad in ["", "not a url", "http://a:1", "nats://", "nats://a:port", "nats://a:99999", "a:1,"]
    {
        assert!(check_nats_url(bad).is_err(), "{bad}");
    }
    for good in ["127.0.0.1:0", "[::]:3000", "localhost:80"] {
        assert_eq!(check_listen(good), Ok(()), "{good}");
    }
    for bad in ["", "3000", ":80", "127.0.0.1", "127.0.0.1:x", "[::]"] {
        assert!(check_listen(bad).is_err(), "{bad}");
    }
}
