//! What of a command line must not leave the host: passwords, tokens and keys among the arguments.
//!
//! What is masked by itself: the value of an option or variable whose name says that it is secret
//! (`--password=x`, `--token x`, `PGPASSWORD=x`), the password of `mysql -p`, `curl -u` and
//! `sshpass -p`, what follows `Bearer` or `Basic`, and the password in a URL. An operator's patterns
//! are applied to the line after that. A secret that nothing marks as one cannot be known: those
//! are what the patterns are for.

use regex::{Regex, RegexBuilder};

const MASK: &str = "***";

/// What one pattern may take of memory once it is compiled: `\w` takes 60 KB, and hundreds of
/// patterns must not take more than all else in the agent.
const PATTERN_BYTES_MAX: usize = 256 * 1024;

/// Words that make the name of an option or variable a secret one, in any case, as a whole or
/// beside `-`, `_` or `.`.
const SECRET_WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pass",
    "pwd",
    "secret",
    "token",
    "apikey",
    "credential",
    "credentials",
];

/// Words that do so only at the end of a name: `api-key` is secret, `key-size` is not.
const LAST_SECRET_WORDS: &[&str] = &["key", "auth"];

/// Names that a secret word is part of and that hold none.
const NOT_SECRET: &[&str] =
    &["key-file", "keyfile", "key-path", "keyring", "password-file", "passwd-file", "token-file"];

/// What stands between names and values, in options as in the queries of URLs.
const NAME_ENDS: [char; 6] = ['=', ':', '?', '&', ';', ','];

/// Programs whose short option takes a secret, glued to it or as the next argument.
const SHORT_OPTIONS: &[(&str, &str, Glued)] = &[
    ("mysql", "-p", Glued::Only),
    ("mysqldump", "-p", Glued::Only),
    ("mysqladmin", "-p", Glued::Only),
    ("mariadb", "-p", Glued::Only),
    ("mariadb-dump", "-p", Glued::Only),
    ("sshpass", "-p", Glued::OrNext),
    ("redis-cli", "-a", Glued::OrNext),
    ("curl", "-u", Glued::OrNext),
    ("ldapsearch", "-w", Glued::OrNext),
];

/// Words before a secret of their own, as in HTTP's `Authorization`.
const SCHEMES: &[&str] = &["bearer", "basic"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Glued {
    /// `-pSECRET`; `-p` alone asks at the terminal.
    Only,
    /// `-p SECRET` too.
    OrNext,
}

/// What to mask besides what is masked by itself.
#[derive(Debug, Default)]
pub struct Masks {
    patterns: Vec<Regex>,
}

impl Masks {
    /// Refuses a pattern that is none, and says why.
    pub fn new(patterns: &[String]) -> Result<Self, String> {
        let compile = |pattern: &String| {
            let regex = RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).build();
            regex.map_err(|error| {
                // The last line says what is wrong, those before show where.
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().to_owned();
                format!("{pattern:?} is not a pattern: {reason}")
            })
        };
        Ok(Self { patterns: patterns.iter().map(compile).collect::<Result<_, _>>()? })
    }

    /// The command line of a process, without its secrets.
    pub fn mask(&self, arguments: &[String]) -> String {
        let mut line = mask_arguments(arguments).join(" ");
        for pattern in &self.patterns {
            if pattern.is_match(&line) {
                line = pattern.replace_all(&line, MASK).into_owned();
            }
        }
        line
    }
}

fn mask_arguments(arguments: &[String]) -> Vec<String> {
    let short = arguments.first().and_then(|program| short_option(program));
    let mut next_is_secret = false;
    let mut masked = Vec::with_capacity(arguments.len());
    for (index, argument) in arguments.iter().enumerate() {
        if std::mem::take(&mut next_is_secret) && !argument.starts_with("--") {
            masked.push(MASK.to_owned());
            continue;
        }
        let glued = short.filter(|_| index > 0).and_then(|(option, glued)| {
            let rest = argument.strip_prefix(option)?;
            next_is_secret = rest.is_empty() && glued == Glued::OrNext;
            (!rest.is_empty()).then(|| format!("{option}{MASK}"))
        });
        next_is_secret |= index > 0 && announces_a_secret(argument);
        masked.push(glued.unwrap_or_else(|| mask_text(argument)));
    }
    masked
}

fn short_option(program: &str) -> Option<(&'static str, Glued)> {
    let name = program.rsplit('/').next().unwrap_or(program);
    let found = SHORT_OPTIONS.iter().find(|(program, _, _)| *program == name)?;
    Some((found.1, found.2))
}

/// `--token`, `-password`, `Bearer`: the argument after it is secret.
fn announces_a_secret(argument: &str) -> bool {
    let is_scheme = SCHEMES.iter().any(|scheme| argument.eq_ignore_ascii_case(scheme));
    is_scheme || (argument.starts_with('-') && !argument.contains('=') && is_secret_name(argument))
}

/// An argument that may itself be a line of a shell: each of its words is looked at.
fn mask_text(argument: &str) -> String {
    let mut next_is_secret = false;
    let mask_word = |word: &str| {
        let (text, end) = word.split_at(word.trim_end().len());
        if std::mem::take(&mut next_is_secret) && !text.is_empty() && !text.starts_with("--") {
            return format!("{MASK}{end}");
        }
        next_is_secret = announces_a_secret(text) || ends_with_a_scheme(text);
        format!("{}{end}", mask_word(text))
    };
    argument.split_inclusive(char::is_whitespace).map(mask_word).collect()
}

/// `Authorization:Bearer` and `"Bearer` are followed by a secret too.
fn ends_with_a_scheme(word: &str) -> bool {
    let last = word.rsplit([':', '=', '"', '\'']).next().unwrap_or(word);
    SCHEMES.iter().any(|scheme| last.eq_ignore_ascii_case(scheme))
}

/// From the first value whose name is secret, a word is masked to its end: where a secret ends
/// cannot be known.
fn mask_word(word: &str) -> String {
    let mut name_at = 0;
    for (index, separator) in word.match_indices(NAME_ENDS) {
        let rest = &word[index + 1..];
        let has_value = ["=", ":"].contains(&separator) && !rest.is_empty();
        if has_value && !is_scheme_end(separator, rest) && is_secret_name(&word[name_at..index]) {
            return format!("{}{separator}{MASK}", mask_url(&word[..index]));
        }
        name_at = index + 1;
    }
    mask_url(word)
}

fn is_scheme_end(separator: &str, rest: &str) -> bool {
    separator == ":" && rest.starts_with("//")
}

/// `scheme://user:password@host`, anywhere in a word.
fn mask_url(word: &str) -> String {
    let Some(scheme_end) = word.find("://").map(|at| at + 3) else { return word.to_owned() };
    let (scheme, rest) = word.split_at(scheme_end);
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let Some((user_info, _)) = authority.rsplit_once('@') else { return word.to_owned() };
    let Some((user, _)) = user_info.split_once(':') else { return word.to_owned() };
    format!("{scheme}{user}:{MASK}{}", &rest[user_info.len()..])
}

fn is_secret_name(name: &str) -> bool {
    let name = name.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_ascii_lowercase();
    if NOT_SECRET.iter().any(|harmless| name.ends_with(harmless)) {
        return false;
    }
    let is_secret = |part: &str| {
        // `PGPASSWORD` and `MYSQL_PWD` alike: the longer words also count at the end of another.
        SECRET_WORDS.iter().any(|word| part == *word || (word.len() > 5 && part.ends_with(word)))
    };
    let mut parts = name.split(['-', '_', '.', '"', '\'']);
    let last = parts.clone().next_back().unwrap_or_default();
    LAST_SECRET_WORDS.contains(&last) || parts.any(is_secret)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(masks: &Masks, arguments: &[&str], expected: &str) {
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(masks.mask(&arguments), expected);
    }

    #[test]
    fn secrets_are_masked_by_what_announces_them() {
        for (arguments, expected) in [
            (&["app", "--password=hunter2"][..], "app --password=***"),
            (&["app", "--password", "hunter2", "-v"], "app --password *** -v"),
            (&["app", "--token", "abc", "--verbose"], "app --token *** --verbose"),
            (&["app", "--db-password=a b", "x"], "app --db-password=*** b x"),
            (&["app", "--api-key=k"], "app --api-key=***"),
            (&["env", "PASSWORD=x", "run"], "env PASSWORD=*** run"),
            (&["sh", "-c", "PGPASSWORD=x psql -h db"], "sh -c PGPASSWORD=*** psql -h db"),
            (&["env", "AWS_SECRET_ACCESS_KEY=a/b"], "env AWS_SECRET_ACCESS_KEY=***"),
            (&["mysql", "-uroot", "-phunter2", "shop"], "mysql -uroot -p*** shop"),
            (&["/usr/bin/mysqldump", "-p", "shop"], "/usr/bin/mysqldump -p shop"),
            (&["sshpass", "-p", "x", "ssh", "h"], "sshpass -p *** ssh h"),
            (&["curl", "-u", "a:b", "http://h/"], "curl -u *** http://h/"),
            (&["curl", "-H", "Authorization: Bearer e.y.J"], "curl -H Authorization: Bearer ***"),
            (&["psql", "postgres://app:s3cr3t@db:5432/x"], "psql postgres://app:***@db:5432/x"),
            (&["git", "clone", "https://u:p@ss@h/r"], "git clone https://u:***@h/r"),
            (
                &["app", "--url=jdbc:x://h/db?user=a&password=b&c=d"],
                "app --url=jdbc:x://h/db?user=a&password=***",
            ),
            (
                &["app", "redis://:pw@h/0", "amqp://u:p@h/?token=t"],
                "app redis://:***@h/0 amqp://u:***@h/?token=***",
            ),
            (&["app", "{\"secret\":\"x\"}"], "app {\"secret\":***"),
            (&["java", "-Dspring.datasource.password=x"], "java -Dspring.datasource.password=***"),
        ] {
            check(&Masks::default(), arguments, expected);
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for line in [
            "nginx: worker process",
            "postgres: app shop 10.0.0.1(50402) SELECT",
            "sshd -p 2222",
            "java -Djava.security.auth.login.config=/x --key-size=2048",
            "app --keyboard=us --monkey=1 --author=me",
            "kubelet --tls-private-key-file=/etc/key.pem --port=10250",
            "curl https://example.org/a:b@c",
            "sh -c echo pass",
            "app --password --verbose",
        ] {
            let arguments: Vec<&str> = line.split(' ').collect();
            check(&Masks::default(), &arguments, line);
        }
    }

    #[test]
    fn an_operators_patterns_mask_what_they_match() {
        let masks = Masks::new(&["tenant-[0-9]+".into()]).unwrap();
        check(&masks, &["app", "--for", "tenant-42"], "app --for ***");
        let refused = Masks::new(&["(".into()]).unwrap_err();
        assert!(refused.starts_with("\"(\" is not a pattern: "), "{refused}");
    }

    proptest! {
        #[test]
        fn a_secret_never_travels(secret in "[A-Za-z0-9/+]{8,20}", words in "[a-z ]{0,20}") {
            let line = |argument: String| vec!["app".to_owned(), words.clone(), argument];
            for argument in [
                format!("--password={secret}"),
                format!("DB_PASSWORD={secret}"),
                format!("x Bearer {secret}"),
                format!("--secret {secret}"),
            ] {
                let masked = Masks::default().mask(&line(argument));
                prop_assert!(!masked.contains(&secret), "{}", masked);
            }
        }

        #[test]
        fn no_arguments_are_too_strange(arguments: Vec<String>) {
            Masks::default().mask(&arguments);
        }
    }
}
