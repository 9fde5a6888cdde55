//! The compose file and the Dockerfile, checked without Docker: that what they refer to is there,
//! that the services accept their configuration, and that nothing listens beyond loopback. Whether
//! the images run is not seen here.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use muster_runtime::config::{Config, load_from};
use muster_runtime::logging::{FILTER_VARIABLE, FORMAT_VARIABLE};
use muster_runtime::secret_key::VARIABLE as KEY_VARIABLE;
use serde_json::{Map, Value};

/// The keys of the compose specification that are used; another is a mistake or belongs here.
const TOP_LEVEL_KEYS: &[&str] = &["services", "networks", "volumes"];
const SERVICE_KEYS: &[&str] = &[
    "build",
    "cap_add",
    "cap_drop",
    "command",
    "depends_on",
    "environment",
    "healthcheck",
    "image",
    "network_mode",
    "networks",
    "pid",
    "ports",
    "read_only",
    "restart",
    "security_opt",
    "shm_size",
    "stop_grace_period",
    "user",
    "volumes",
];
const BUILD_KEYS: &[&str] = &["context", "target"];
const HEALTHCHECK_KEYS: &[&str] = &["test", "interval", "timeout", "retries", "start_period"];
const CONDITIONS: &[&str] =
    &["service_started", "service_healthy", "service_completed_successfully"];

const TIMESCALE_IMAGE: &str = "timescale/timescaledb:2.29.2-pg17";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in the workspace").into()
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// The file as Docker sees it where nobody has set a variable.
struct Compose {
    file: Map<String, Value>,
    problems: Vec<String>,
}

impl Compose {
    fn parse(text: &str) -> Self {
        let mut yaml: serde_yaml_ng::Value = serde_yaml_ng::from_str(text).unwrap();
        yaml.apply_merge().unwrap();
        let mut file = serde_json::to_value(yaml).unwrap();
        let mut problems = Vec::new();
        interpolate_all(&mut file, &mut problems);
        let Value::Object(file) = file else { panic!("the compose file is not a mapping") };
        Self { file, problems }
    }

    fn section(&self, name: &str) -> BTreeMap<&str, &Value> {
        let section = self.file.get(name).and_then(Value::as_object);
        section.into_iter().flatten().map(|(key, value)| (key.as_str(), value)).collect()
    }

    fn services(&self) -> Vec<Service<'_>> {
        let body = |value: &'_ Value| value.as_object().cloned().unwrap_or_default();
        let services = self.section("services");
        services.into_iter().map(|(name, value)| Service { name, body: body(value) }).collect()
    }
}

fn interpolate_all(value: &mut Value, problems: &mut Vec<String>) {
    match value {
        Value::String(text) => match interpolate(text) {
            Ok(filled) => *text = filled,
            Err(problem) => problems.push(problem),
        },
        Value::Array(items) => items.iter_mut().for_each(|item| interpolate_all(item, problems)),
        Value::Object(map) => map.values_mut().for_each(|item| interpolate_all(item, problems)),
        _ => {}
    }
}

/// Takes the default of each `${NAME:-default}`; `$$` is a dollar sign.
fn interpolate(text: &str) -> Result<String, String> {
    let (mut filled, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('$') {
        filled.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            filled.push('$');
            rest = after;
            continue;
        }
        let braced = after.strip_prefix('{').and_then(|inside| inside.split_once('}'));
        let (inside, after) = braced.ok_or_else(|| format!("a lone $ in {text:?}"))?;
        let (_, default) = inside
            .split_once(":-")
            .ok_or_else(|| format!("{inside} has no default: plain `docker compose up` fails"))?;
        filled.push_str(default);
        rest = after;
    }
    Ok(filled + rest)
}

struct Service<'a> {
    name: &'a str,
    body: Map<String, Value>,
}

impl Service<'_> {
    fn text(&self, key: &str) -> Option<&str> {
        self.body.get(key).and_then(Value::as_str)
    }

    fn list(&self, key: &str) -> Vec<&str> {
        let items = self.body.get(key).and_then(Value::as_array).into_iter().flatten();
        items.map(|item| item.as_str().unwrap_or("(not text)")).collect()
    }

    fn map(&self, key: &str) -> BTreeMap<String, Value> {
        let map = self.body.get(key).and_then(Value::as_object);
        map.into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), Into::into);
        self.map("environment").into_iter().map(|(name, value)| (name, text(value))).collect()
    }

    fn target(&self) -> Option<String> {
        self.map("build").get("target").and_then(Value::as_str).map(ToOwned::to_owned)
    }

    fn is_one_shot(&self) -> bool {
        self.text("restart") == Some("no")
    }

    fn says(&self, problem: &str) -> String {
        format!("{}: {problem}", self.name)
    }
}

/// All that is wrong with the two files.
fn problems(compose: &str, dockerfile: &str) -> Vec<String> {
    let compose = Compose::parse(compose);
    let stages = Stages::parse(dockerfile);
    let mut problems = [compose.problems.clone(), stages.problems.clone()].concat();
    problems.extend(unknown(&compose.file, TOP_LEVEL_KEYS, "the file"));
    problems.extend(loose_declarations(&compose));
    for service in compose.services() {
        let found = [
            wrong_keys(&service),
            wrong_dependencies(&service, &compose.services()),
            wrong_volumes(&service, &compose),
            wrong_networks(&service, &compose),
            wrong_lifetime(&service, &compose.services()),
            wrong_origin(&service, &stages),
            wrong_configuration(&service),
            wrong_ports(&service),
        ];
        problems.extend(found.concat().iter().map(|problem| service.says(problem)));
    }
    problems
}

fn unknown<'a>(
    map: impl IntoIterator<Item = (&'a String, &'a Value)>,
    known: &[&str],
    place: &str,
) -> Vec<String> {
    map.into_iter()
        .filter(|(key, _)| !known.contains(&key.as_str()) && !key.starts_with("x-"))
        .map(|(key, _)| format!("unknown key {key} in {place}"))
        .collect()
}

fn wrong_keys(service: &Service<'_>) -> Vec<String> {
    [
        unknown(&service.body, SERVICE_KEYS, "the service"),
        unknown(&service.map("build"), BUILD_KEYS, "build"),
        unknown(&service.map("healthcheck"), HEALTHCHECK_KEYS, "healthcheck"),
    ]
    .concat()
}

/// Networks and volumes that are declared and not used.
fn loose_declarations(compose: &Compose) -> Vec<String> {
    let services = compose.services();
    let used: BTreeSet<String> = services
        .iter()
        .flat_map(|service| {
            let volumes = service.list("volumes").into_iter().map(|v| split_volume(v).0.to_owned());
            let networks = service.list("networks").into_iter().map(ToOwned::to_owned);
            volumes.chain(networks).collect::<Vec<_>>()
        })
        .collect();
    let declared = [compose.section("networks"), compose.section("volumes")];
    let names = declared.iter().flat_map(BTreeMap::keys);
    names.filter(|name| !used.contains(**name)).map(|name| format!("{name} is not used")).collect()
}

fn wrong_dependencies(service: &Service<'_>, all: &[Service<'_>]) -> Vec<String> {
    let judge = |name: &str, condition: &str| {
        let Some(other) = all.iter().find(|other| other.name == name) else {
            return Some(format!("depends on {name}, which is not there"));
        };
        if !CONDITIONS.contains(&condition) {
            return Some(format!("{condition} of {name} is not a condition"));
        }
        match condition {
            "service_healthy" if !other.body.contains_key("healthcheck") => {
                Some(format!("waits for the health of {name}, which has no health check"))
            }
            "service_completed_successfully" if !other.is_one_shot() => {
                Some(format!("waits for the end of {name}, which is restarted"))
            }
            _ => None,
        }
    };
    service
        .map("depends_on")
        .iter()
        .filter_map(|(name, body)| judge(name, body["condition"].as_str().unwrap_or_default()))
        .collect()
}

fn split_volume(volume: &str) -> (&str, &str) {
    volume.split_once(':').unwrap_or((volume, ""))
}

fn wrong_volumes(service: &Service<'_>, compose: &Compose) -> Vec<String> {
    let declared = compose.section("volumes");
    let judge = |volume: &str| {
        let (source, place) = split_volume(volume);
        let is_path = source.starts_with(['.', '/']);
        if !place.starts_with('/') {
            Some(format!("volume {volume} has no place"))
        } else if is_path && !place.ends_with(":ro") {
            Some(format!("{source} of the host can be written to"))
        } else if is_path && !root().join(source).exists() {
            Some(format!("{source} is not there"))
        } else if !is_path && !declared.contains_key(source) {
            Some(format!("volume {source} is not declared"))
        } else {
            None
        }
    };
    service.list("volumes").into_iter().filter_map(judge).collect()
}

fn wrong_networks(service: &Service<'_>, compose: &Compose) -> Vec<String> {
    let declared = compose.section("networks");
    let mut problems: Vec<String> = service
        .list("networks")
        .into_iter()
        .filter(|network| !declared.contains_key(network))
        .map(|network| format!("network {network} is not declared"))
        .collect();
    let shares = service.body.contains_key("network_mode");
    if shares && (service.body.contains_key("networks") || service.body.contains_key("ports")) {
        problems.push("network_mode excludes networks and ports".into());
    }
    problems
}

fn wrong_lifetime(service: &Service<'_>, all: &[Service<'_>]) -> Vec<String> {
    let is_awaited = || {
        all.iter().any(|other| {
            let dependency = other.map("depends_on").remove(service.name);
            dependency.is_some_and(|d| d["condition"] == "service_completed_successfully")
        })
    };
    let has_health = || service.map("healthcheck").contains_key("test");
    let problem = match service.text("restart") {
        Some("no") => (!is_awaited()).then_some("nobody waits for its end"),
        Some("unless-stopped") => (!has_health()).then_some("it has no health check"),
        _ => Some("it is not restarted"),
    };
    Vec::from_iter(problem.map(ToOwned::to_owned))
}

/// Where its image comes from.
fn wrong_origin(service: &Service<'_>, stages: &Stages) -> Vec<String> {
    let problem = match (service.text("image"), service.target()) {
        (Some(image), None) if service.name == "timescaledb" => (image != TIMESCALE_IMAGE)
            .then(|| format!("the image is {image}, and {TIMESCALE_IMAGE} is what is supported")),
        (Some(image), None) => (!image.contains(':')).then(|| format!("{image} has no version")),
        (None, Some(target)) => (!stages.names.contains(&target))
            .then(|| format!("the Dockerfile has no stage {target}")),
        _ => Some("it has neither an image nor a target, or both".into()),
    };
    Vec::from_iter(problem)
}

fn wrong_configuration(service: &Service<'_>) -> Vec<String> {
    let variables = service.environment();
    match service.target().as_deref() {
        None => Vec::new(),
        Some("agent") => wrong_variables::<muster_agent::config::Config>(&variables),
        Some("ingest-worker") => {
            wrong_variables::<muster_ingest_worker::config::Config>(&variables)
        }
        Some("alert-worker") => wrong_variables::<muster_alert_worker::Config>(&variables),
        Some("gateway") => wrong_variables::<muster_gateway::Config>(&variables),
        Some(other) => vec![format!("it is not known how {other} is configured")],
    }
}

/// Names are looked up besides, because an empty variable is one that is not set.
fn wrong_variables<C: Config>(variables: &BTreeMap<String, String>) -> Vec<String> {
    let prefix = format!("MUSTER_{}_", C::SERVICE.to_uppercase().replace('-', "_"));
    let keys = serde_json::to_value(C::default()).unwrap();
    let is_key = |name: &str| {
        let key = name.strip_prefix(&prefix).map(str::to_lowercase);
        key.is_some_and(|key| keys.get(key).is_some())
    };
    let mut problems: Vec<String> = variables
        .keys()
        .filter(|name| ![FILTER_VARIABLE, FORMAT_VARIABLE, KEY_VARIABLE].contains(&name.as_str()))
        .filter(|name| !is_key(name))
        .map(|name| format!("{name} means nothing to muster-{}", C::SERVICE))
        .collect();
    problems.extend(load_from::<C>(None, variables.clone()).err().map(|error| error.to_string()));
    problems
}

/// Published on loopback only, and the port that is published and asked for its health is the one
/// the service listens on.
fn wrong_ports(service: &Service<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    let environment = service.environment();
    let listen = environment.iter().find(|(name, _)| name.ends_with("_LISTEN"));
    let port = listen.and_then(|(_, address)| address.rsplit_once(':')).map(|(_, port)| port);
    for published in service.list("ports") {
        if !published.starts_with("127.0.0.1:") {
            problems.push(format!("{published} is published beyond loopback"));
        }
        if port.is_some_and(|port| published.rsplit(':').next() != Some(port)) {
            problems.push(format!("{published} is not the port it listens on"));
        }
    }
    let test = service.map("healthcheck").remove("test").unwrap_or_default();
    let asked = test.as_array().and_then(|words| words.last()).and_then(Value::as_str);
    if port.is_some() && port != asked {
        problems.push(format!("its health is asked for at {asked:?}, it listens on {port:?}"));
    }
    problems
}

/// The stages of the Dockerfile, and what is wrong with how they refer to one another.
#[derive(Default)]
struct Stages {
    names: Vec<String>,
    problems: Vec<String>,
}

impl Stages {
    fn parse(text: &str) -> Self {
        let mut stages = Self::default();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
        for line in joined.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["FROM", image, "AS", name] => stages.begin(image, name),
                ["FROM", ..] => stages.problems.push(format!("{line}: not FROM image AS name")),
                ["COPY", from, ..] if from.starts_with("--from=") => stages.copy_from(from),
                ["COPY", sources @ .., _] => stages.copy(sources),
                _ => {}
            }
        }
        stages
    }

    fn begin(&mut self, image: &str, name: &str) {
        if !image.contains(':') && !self.names.iter().any(|known| known == image) {
            self.problems.push(format!("{image} is neither a stage nor an image with a version"));
        }
        self.names.push(name.to_owned());
    }

    fn copy_from(&mut self, from: &str) {
        let stage = from.trim_start_matches("--from=");
        if !self.names.iter().any(|known| known == stage) {
            self.problems.push(format!("COPY {from}: there is no such stage before it"));
        }
    }

    fn copy(&mut self, sources: &[&str]) {
        let missing = sources.iter().filter(|source| !root().join(source).exists());
        self.problems.extend(missing.map(|source| format!("COPY {source}: it is not there")));
    }
}

#[test]
fn the_compose_file_and_the_dockerfile_fit_together_and_the_services() {
    let found = problems(&read("docker-compose.yml"), &read("Dockerfile"));
    assert!(found.is_empty(), "{}", found.join("\n"));
    let compose = Compose::parse(&read("docker-compose.yml"));
    let names: Vec<&str> = compose.services().iter().map(|service| service.name).collect();
    let all = ["agent", "alert-worker", "gateway", "ingest-worker", "migrate", "nats"];
    assert_eq!(names, [&all[..], &["timescaledb"]].concat());
}

/// Makes one mistake in one of the files and looks for the words about it.
fn check_mistake(right: &str, wrong: &str, problem: &str) {
    let (compose, dockerfile) = (read("docker-compose.yml"), read("Dockerfile"));
    let spoil = |text: &str| text.replacen(right, wrong, 1);
    let (bad_compose, bad_dockerfile) = (spoil(&compose), spoil(&dockerfile));
    assert!(bad_compose != compose || bad_dockerfile != dockerfile, "{right:?} is nowhere");
    let found = problems(&bad_compose, &bad_dockerfile);
    assert!(found.iter().any(|said| said.contains(problem)), "{right:?}, {wrong:?}: {found:?}");
}

#[test]
fn each_mistake_is_found() {
    for (right, wrong, problem) in [
        ("\nservices:", "\nversion: \"3\"\nservices:", "unknown key version in the file"),
        ("    pid: host", "    pids: host", "agent: unknown key pids"),
        ("  retries: 3", "  retry: 3", "unknown key retry in healthcheck"),
        ("      migrate:\n", "      migration:\n", "depends on migration, which is not there"),
        ("condition: service_healthy", "condition: healthy", "is not a condition"),
        ("restart: \"no\"", "restart: unless-stopped", "of migrate, which is restarted"),
        ("nats:/data", "bus-data:/data", "nats: volume bus-data is not declared"),
        ("./nats/compose.conf", "./nats/absent.conf", "./nats/absent.conf is not there"),
        ("- /:/host:ro", "- /:/host", "/ of the host can be written to"),
        ("networks: [database]", "networks: [data]", "network data is not declared"),
        ("network_mode: host", "network_mode: host\n    networks: [bus]", "network_mode excludes"),
        ("\nvolumes:\n  nats:", "\nvolumes:\n  old:\n  nats:", "old is not used"),
        ("test: [\"CMD\", \"muster-is-ready\", \"9102\"]", "", "alert-worker: it has no health"),
        ("restart: unless-stopped", "restart: always", "it is not restarted"),
        ("target: alert-worker", "target: alerts", "the Dockerfile has no stage alerts"),
        ("runtime AS gateway", "runtime AS web-server", "the Dockerfile has no stage gateway"),
        ("2.29.2-pg17", "latest-pg17", "is what is supported"),
        ("nats:2.15.1-alpine", "nats", "nats has no version"),
        ("MUSTER_ADDRESS:-127.0.0.1}", "MUSTER_ADDRESS:-0.0.0.0}", "published beyond loopback"),
        ("MUSTER_PORT:-3000}:3000", "MUSTER_PORT:-3000}:80", "is not the port it listens on"),
        ("0.0.0.0:9101", "0.0.0.0:9100", "its health is asked for at"),
        ("MUSTER_GATEWAY_ADMIN_PASSWORD:", "MUSTER_GATEWAY_PASSWORD:", "means nothing to muster"),
        ("MUSTER_AGENT_STATE_DIR:", "MUSTER_GATEWAY_LISTEN:", "means nothing to muster-agent"),
        ("MUSTER_ADMIN_PASSWORD:-}", "MUSTER_ADMIN_PASSWORD:-short}", "at least 8 characters"),
        ("POSTGRES_PASSWORD:-muster}", "POSTGRES_PASSWORD:?}", "has no default"),
        ("COPY --from=web", "COPY --from=dashboard", "there is no such stage before it"),
        ("COPY gateway/web ./", "COPY dashboard ./", "COPY dashboard: it is not there"),
        ("FROM rust:1-bookworm", "FROM rust", "rust is neither a stage nor an image"),
    ] {
        check_mistake(right, wrong, problem);
    }
}
