//! Configuration: defaults, then a TOML file, then environment variables.
//!
//! A bad value is one line that names the key, the value, where it came from and what is allowed.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use figment::error::{Error as FigmentError, Kind};
use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

/// The configuration of one service. Its fields are its keys; all of them have defaults.
pub trait Config: Default + Serialize + DeserializeOwned {
    /// `agent`, `ingest-worker`, ... The variables are `MUSTER_<SERVICE>_<KEY>`, the file is
    /// `/etc/muster/<service>.toml`.
    const SERVICE: &'static str;

    /// Checks what the types cannot say, the first problem first.
    fn check(&self) -> Result<(), Problem>;
}

/// A value of the right type that is not allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub key: &'static str,
    pub allowed: String,
}

impl Problem {
    pub fn new(key: &'static str, allowed: impl Into<String>) -> Self {
        Self { key, allowed: allowed.into() }
    }
}

/// Fails with the allowed range unless `value` lies in it.
pub fn within<T: PartialOrd + fmt::Debug + Copy>(
    key: &'static str,
    value: T,
    range: std::ops::RangeInclusive<T>,
) -> Result<(), Problem> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Problem::new(key, format!("{:?} to {:?}", range.start(), range.end())))
}

/// Fails unless `urls` are addresses of brokers, separated by commas.
pub fn check_nats_url(urls: &str) -> Result<(), Problem> {
    let good = |url: &str| {
        let (scheme, address) = url.split_once("://").unwrap_or(("nats", url));
        let address = address.rsplit_once('@').map_or(address, |(_, address)| address);
        ["nats", "tls", "ws", "wss"].contains(&scheme) && is_address(address, false)
    };
    if urls.split(',').map(str::trim).all(good) {
        return Ok(());
    }
    Err(Problem::new("nats_url", "nats://host:port, several separated by commas"))
}

/// Fails unless `address` can be listened on; port 0 is any free one.
pub fn check_listen(address: &str) -> Result<(), Problem> {
    if is_address(address, true) {
        return Ok(());
    }
    Err(Problem::new("listen", "host:port, such as 127.0.0.1:0 or [::]:3000"))
}

fn is_address(address: &str, needs_port: bool) -> bool {
    let bracketed = address.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (host, port) = match bracketed {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.trim_start_matches(':'))),
        None => address.split_once(':').map_or((address, None), |(h, p)| (h, Some(p))),
    };
    let host_is_good =
        !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || ".-_:".contains(c));
    let port_is_good = port.map_or(!needs_port, |port| port.parse::<u16>().is_ok());
    host_is_good && port_is_good
}

/// One line for the person who has to correct it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    line: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl std::error::Error for ConfigError {}

/// Reads the configuration of a service. `file` is what the command line named, if it did.
pub fn load<C: Config>(file: Option<&Path>) -> Result<C, ConfigError> {
    load_from(file, std::env::vars())
}

/// As [`load`], from given variables.
pub fn load_from<C: Config>(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<C, ConfigError> {
    let prefix = format!("MUSTER_{}_", C::SERVICE.to_uppercase().replace('-', "_"));
    let ours: Vec<EnvironmentVariable> = variables
        .into_iter()
        // An empty variable is an unset one: compose files cannot leave one out.
        .filter(|(name, value)| name.starts_with(&prefix) && !value.is_empty())
        .map(|(name, value)| EnvironmentVariable {
            key: name[prefix.len()..].to_lowercase(),
            name,
            value,
        })
        .collect();

    let mut figment = Figment::from(Serialized::defaults(C::default()));
    if let Some(path) = file_to_read::<C>(file, &ours)? {
        figment = figment.merge(Toml::file_exact(path));
    }
    for variable in ours.iter().filter(|variable| variable.key != "config") {
        figment = figment.merge(variable);
    }
    extract(&figment)
}

fn extract<C: Config>(figment: &Figment) -> Result<C, ConfigError> {
    let config: C = figment.extract().map_err(|error| {
        let first = error.into_iter().next().expect("an error of figment holds one at least");
        wrong_type::<C>(figment, &first)
    })?;
    config.check().map_err(|problem| {
        let key = problem.key.to_owned();
        line::<C>(figment, &key, &format!("allowed: {}", problem.allowed))
    })?;
    Ok(config)
}

/// The file that was asked for must be there; the one at the usual place may be.
fn file_to_read<C: Config>(
    named: Option<&Path>,
    variables: &[EnvironmentVariable],
) -> Result<Option<PathBuf>, ConfigError> {
    let by_variable = variables.iter().find(|variable| variable.key == "config");
    let wanted = named
        .map(Path::to_path_buf)
        .map(|path| (path, "the option --config"))
        .or_else(|| by_variable.map(|v| (PathBuf::from(&v.value), v.name.as_str())));
    let Some((path, origin)) = wanted else {
        let usual = PathBuf::from(format!("/etc/muster/{}.toml", C::SERVICE));
        // One that may not be read is not one that is not there.
        let is_absent = usual.metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound);
        return Ok((!is_absent).then_some(usual));
    };
    if path.is_file() {
        return Ok(Some(path));
    }
    let service = C::SERVICE;
    let line = format!(
        "muster-{service}: config = {:?} (from {origin}): allowed: a readable TOML file",
        path.display().to_string()
    );
    Err(ConfigError { line })
}

fn wrong_type<C: Config>(figment: &Figment, error: &FigmentError) -> ConfigError {
    let path = error.path.join(".");
    match &error.kind {
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => {
            line::<C>(figment, &path, &format!("allowed: {expected}"))
        }
        Kind::UnknownField(key, known) => {
            line::<C>(figment, key, &format!("unknown key, allowed: {}", known.join(", ")))
        }
        Kind::UnknownVariant(_, known) => {
            line::<C>(figment, &path, &format!("allowed: {}", known.join(", ")))
        }
        // A file that is not TOML, or a message of a type's own, which says what is allowed.
        other if path.is_empty() => {
            let place = error.metadata.as_ref().map_or(String::new(), origin);
            let reason = other.to_string().lines().collect::<Vec<_>>().join(" ");
            ConfigError { line: format!("muster-{}: {place}: {reason}", C::SERVICE) }
        }
        other => line::<C>(figment, &path, &other.to_string()),
    }
}

fn line<C: Config>(figment: &Figment, key: &str, rule: &str) -> ConfigError {
    let value = figment.find_value(key).map_or_else(|_| "?".into(), |value| shown(key, &value));
    let origin = figment.find_metadata(key).map_or_else(|| "the defaults".into(), origin);
    let service = C::SERVICE;
    ConfigError { line: format!("muster-{service}: {key} = {value} (from {origin}): {rule}") }
}

/// Secrets are not repeated, not even to the person who mistyped them.
fn shown(key: &str, value: &Value) -> String {
    let secret = ["password", "secret", "token", "_url"].iter().any(|word| key.contains(word));
    match value {
        _ if secret && key != "nats_url" => "(hidden)".into(),
        Value::String(_, text) => format!("{text:?}"),
        other => serde_json_like(other),
    }
}

fn serde_json_like(value: &Value) -> String {
    match value {
        Value::Num(_, number) => number
            .to_i128()
            .map(|n| n.to_string())
            .or_else(|| number.to_u128().map(|n| n.to_string()))
            .or_else(|| number.to_f64().map(|n| n.to_string()))
            .unwrap_or_default(),
        Value::Bool(_, yes) => yes.to_string(),
        other => format!("{other:?}"),
    }
}

fn origin(metadata: &Metadata) -> String {
    match &metadata.source {
        Some(figment::Source::File(path)) => format!("file {}", path.display()),
        _ if metadata.name.starts_with(VARIABLE) => metadata.name.to_string(),
        _ => "the defaults".into(),
    }
}

/// How the name of a variable is introduced where a value came from one.
const VARIABLE: &str = "environment variable";

/// One variable, taken literally: a password of digits stays text.
struct EnvironmentVariable {
    name: String,
    key: String,
    value: String,
}

impl Provider for EnvironmentVariable {
    fn metadata(&self) -> Metadata {
        Metadata::named(format!("{VARIABLE} {}", self.name))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, FigmentError> {
        let dict = Dict::from([(self.key.clone(), Value::from(self.value.clone()))]);
        Ok(Map::from([(Profile::Default, dict)]))
    }
}

/// For `#[serde(deserialize_with)]` on numbers: variables are text.
pub fn number<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + std::str::FromStr,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum NumberOrText<T> {
        Number(T),
        Text(String),
    }
    let expected = || serde::de::Error::custom("allowed: a whole number, 0 or more");
    match NumberOrText::deserialize(deserializer).map_err(|_| expected())? {
        NumberOrText::Number(number) => Ok(number),
        NumberOrText::Text(text) => text.trim().parse().map_err(|_| expected()),
    }
}

/// For `#[serde(deserialize_with)]` on lists: a variable holds them separated by commas.
pub fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum ListOrText {
        List(Vec<String>),
        Text(String),
    }
    let expected = || serde::de::Error::custom("allowed: a list of texts");
    match ListOrText::deserialize(deserializer).map_err(|_| expected())? {
        ListOrText::List(list) => Ok(list),
        ListOrText::Text(text) => Ok(split(&text).map(str::to_owned).collect()),
    }
}

/// As [`list`], for tables: a variable holds them as `a=1,b=2`.
pub fn table<'de, D, V>(deserializer: D) -> Result<BTreeMap<String, V>, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de> + std::str::FromStr,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum TableOrText<V> {
        Table(BTreeMap<String, V>),
        Text(String),
    }
    let expected = || serde::de::Error::custom("allowed: a table, or name=value,name=value");
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        Some((name.trim().to_owned(), value.trim().parse().ok()?))
    };
    match TableOrText::deserialize(deserializer).map_err(|_| expected())? {
        TableOrText::Table(table) => Ok(table),
        TableOrText::Text(text) => {
            split(&text).map(pair).collect::<Option<_>>().ok_or_else(expected)
        }
    }
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests;
