//! Containers: what a runtime lists, how their control groups are named, and what those count.

use std::collections::BTreeMap;

use muster_schemas::numbers::{rate_per_s, round_fraction};
use muster_schemas::telemetry::Container;
use serde::Deserialize;

use crate::logic::scan::{count, first_number, number_after};

/// How many digits of an id travel, as `docker ps` prints them.
const ID_DIGITS: usize = 12;

/// How long an id is in full.
const FULL_ID_DIGITS: usize = 64;

/// Limits above this are none: without one, control groups of version 1 say nearly `i64::MAX`.
const NO_LIMIT_BYTES: u64 = 1 << 60;

/// What runtimes put before the id in the name of a control group.
const PREFIXES: [&str; 5] = ["docker-", "libpod-", "cri-containerd-", "crio-", "containerd-"];

/// The container a control group belongs to, by the last part of its path: `docker-<id>.scope`
/// where systemd makes them, the bare id where the runtime does, `lxc.payload.<name>`.
pub fn container_of(directory: &str) -> Option<&str> {
    if let Some(name) = directory.strip_prefix("lxc.payload.") {
        return Some(name).filter(|name| !name.is_empty());
    }
    let name = directory.strip_suffix(".scope").unwrap_or(directory);
    let id = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    let is_id = id.len() == FULL_ID_DIGITS && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then_some(id)
}

/// Whether containers may be below a control group. Those of services are many, and only a user's
/// own manager runs containers below itself.
pub fn may_hold_containers(directory: &str) -> bool {
    let kind = directory.rsplit('.').next().unwrap_or_default();
    let is_service = kind == "service" && !directory.starts_with("user@");
    !is_service && !["scope", "mount"].contains(&kind)
}

/// One container as a runtime lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub id: String,
    pub name: String,
    pub image: String,
    pub state: String,
    pub health: String,
    /// Whether its network is the host's, which is told elsewhere.
    pub shares_network: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedJson {
    id: String,
    #[serde(default)]
    names: Option<Vec<String>>,
    #[serde(default)]
    image: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    host_config: HostConfig,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct HostConfig {
    network_mode: String,
}

/// The answer to `GET /containers/json`, which Podman gives as Docker does.
pub fn parse_listed(json: &[u8]) -> Result<Vec<Listed>, String> {
    let listed: Vec<ListedJson> = serde_json::from_slice(json)
        .map_err(|error| format!("the list of containers cannot be read: {error}"))?;
    Ok(listed.into_iter().map(to_listed).collect())
}

fn to_listed(json: ListedJson) -> Listed {
    let names = json.names.unwrap_or_default();
    let name = names.first().map(|name| name.trim_start_matches('/').to_owned());
    Listed {
        name: name.unwrap_or_else(|| short_id(&json.id)),
        id: json.id,
        image: json.image,
        state: json.state,
        health: health_of(&json.status).to_owned(),
        shares_network: json.host_config.network_mode == "host",
    }
}

/// In words such as `Up 3 hours (healthy)`; empty for containers without a check.
fn health_of(status: &str) -> &'static str {
    // `unhealthy` holds `healthy`: the order matters.
    if status.contains("(unhealthy)") {
        "unhealthy"
    } else if status.contains("(health: starting)") {
        "starting"
    } else if status.contains("(healthy)") {
        "healthy"
    } else {
        ""
    }
}

pub fn short_id(id: &str) -> String {
    let is_id = id.len() == FULL_ID_DIGITS && id.is_ascii();
    if is_id { id[..ID_DIGITS].to_owned() } else { id.to_owned() }
}

/// What a control group and a network namespace count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub at_ms: i64,
    pub cpu_us: u64,
    pub memory_bytes: u64,
    pub memory_limit_bytes: u64,
    /// Received and sent bytes; `None` where they are the host's or cannot be read.
    pub network: Option<(u64, u64)>,
}

/// `cpu.stat` of version 2.
pub fn cpu_us(cpu_stat: &[u8]) -> Option<u64> {
    number_after(cpu_stat, "usage_usec")
}

/// Used memory without the page cache that can be given back, as `docker stats` shows it.
pub fn memory_without_cache(used: u64, memory_stat: &[u8]) -> u64 {
    let inactive = number_after(memory_stat, "total_inactive_file")
        .or_else(|| number_after(memory_stat, "inactive_file"));
    used.saturating_sub(inactive.unwrap_or(0))
}

/// 0 for none, which version 2 spells `max`.
pub fn memory_limit(text: &[u8]) -> u64 {
    first_number(text).filter(|limit| *limit < NO_LIMIT_BYTES).unwrap_or(0)
}

/// Joins what the runtime lists and what the control groups count. A container that is only in
/// one of the two is told with what is known of it.
pub fn join(
    listed: &[Listed],
    before: &BTreeMap<String, Usage>,
    now: &BTreeMap<String, Usage>,
) -> Vec<Container> {
    let with_usage = |mut container: Container, id: &str| {
        if let Some(usage) = now.get(id) {
            fill(&mut container, before.get(id), usage);
        }
        container
    };
    let is_listed = |id: &str| listed.iter().any(|listed| listed.id == id);
    let mut containers: Vec<Container> = listed
        .iter()
        .map(|listed| {
            let container = Container {
                id: short_id(&listed.id),
                name: listed.name.clone(),
                image: listed.image.clone(),
                state: listed.state.clone(),
                health: listed.health.clone(),
                ..Container::default()
            };
            with_usage(container, &listed.id)
        })
        .collect();
    containers.extend(now.keys().filter(|id| !is_listed(id)).map(|id| {
        let (id_shown, state) = (short_id(id), "running".to_owned());
        let name = id_shown.clone();
        with_usage(Container { id: id_shown, name, state, ..Container::default() }, id)
    }));
    containers.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    containers
}

fn fill(container: &mut Container, before: Option<&Usage>, now: &Usage) {
    container.memory_bytes = count(now.memory_bytes);
    container.memory_limit_bytes = count(now.memory_limit_bytes);
    let Some(before) = before else { return };
    let elapsed_ms = now.at_ms - before.at_ms;
    // Where one of the two is unknown there is no rate: a count that begins at 0 because nobody
    // could read it would look like a flood.
    if let (Some((rx_before, tx_before)), Some((rx, tx))) = (before.network, now.network) {
        container.rx_bytes_per_s = rate_per_s(rx_before, rx, elapsed_ms);
        container.tx_bytes_per_s = rate_per_s(tx_before, tx, elapsed_ms);
    }
    if elapsed_ms > 0 {
        let spent_us = now.cpu_us.saturating_sub(before.cpu_us) as f64;
        container.cpu_percent = round_fraction(spent_us / (elapsed_ms as f64 * 10.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn control_groups_are_known_by_their_names() {
        for (directory, expected) in [
            (ID.to_owned(), Some(ID)),
            (format!("docker-{ID}.scope"), Some(ID)),
            (format!("cri-containerd-{ID}.scope"), Some(ID)),
            (format!("libpod-{ID}.scope"), Some(ID)),
            (format!("libpod-conmon-{ID}.scope"), None),
            ("lxc.payload.web".into(), Some("web")),
            ("ssh.service".into(), None),
            ("session-3.scope".into(), None),
        ] {
            assert_eq!(container_of(&directory), expected, "{directory}");
        }
        assert!(may_hold_containers("user@1000.service") && may_hold_containers("kubepods.slice"));
        assert!(!may_hold_containers("ssh.service") && !may_hold_containers("init.scope"));
    }

    #[test]
    fn a_list_of_the_runtime_is_read() {
        let json = format!(
            r#"[{{"Id":"{ID}","Names":["/web","/other/web"],"Image":"nginx:1","State":"running",
                "Status":"Up 2 hours (unhealthy)","HostConfig":{{"NetworkMode":"host"}},"Labels":{{}}}},
               {{"Id":"ff","Names":null,"Image":"x","State":"exited","Status":"Exited (0)"}}]"#
        );
        let listed = parse_listed(json.as_bytes()).unwrap();
        let web = Listed {
            id: ID.into(),
            name: "web".into(),
            image: "nginx:1".into(),
            state: "running".into(),
            health: "unhealthy".into(),
            shares_network: true,
        };
        assert_eq!(listed[0], web);
        assert_eq!((listed[1].name.as_str(), listed[1].health.as_str()), ("ff", ""));
        assert_eq!(health_of("Up 1 second (health: starting)"), "starting");
        parse_listed(b"{}").unwrap_err();
    }

    #[test]
    fn usage_is_between_two_looks_and_unlisted_containers_are_told() {
        let usage = |at_ms, cpu_us, rx_bytes: Option<u64>| Usage {
            at_ms,
            cpu_us,
            network: rx_bytes.map(|rx_bytes| (rx_bytes, 0)),
            memory_bytes: 5,
            ..Usage::default()
        };
        let before = BTreeMap::from([
            (ID.to_owned(), usage(0, 0, Some(0))),
            ("web".into(), usage(0, 9, None)),
        ]);
        let now = BTreeMap::from([
            (ID.to_owned(), usage(10_000, 5_000_000, Some(1000))),
            ("web".to_owned(), usage(10_000, 9, Some(9_000_000))),
        ]);
        let containers = join(&[], &before, &now);
        assert_eq!(containers.len(), 2);
        assert_eq!((containers[0].id.as_str(), containers[0].cpu_percent), ("0123456789ab", 50.0));
        assert_eq!((containers[0].rx_bytes_per_s, containers[0].memory_bytes), (100, 5));
        assert_eq!((containers[1].id.as_str(), containers[1].cpu_percent), ("web", 0.0));
        // Its network could not be read before.
        assert_eq!(containers[1].rx_bytes_per_s, 0);
    }

    #[test]
    fn memory_is_without_the_cache_that_can_be_given_back() {
        assert_eq!(memory_without_cache(100, b"anon 60\ninactive_file 30\n"), 70);
        assert_eq!(memory_without_cache(100, b"inactive_file 1\ntotal_inactive_file 40\n"), 60);
        assert_eq!((memory_limit(b"max\n"), memory_limit(b"4096\n")), (0, 4096));
        assert_eq!(memory_limit(b"9223372036854771712\n"), 0);
    }
}
