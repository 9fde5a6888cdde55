//! Containers: names and health from the socket of Docker or Podman, figures from their control
//! groups, which also show containers that no socket lists.
//!
//! The socket is asked and the tree of control groups is walked now and then; in between only the
//! files of the known groups are read.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use muster_schemas::telemetry::Container;

use super::host::{Host, boot_clock_ms};
use super::http::{TIMEOUT, get};
use super::slow::{Found, Plan, Slow};
use super::source::Trouble;
use crate::logic::containers::{
    Listed, Usage, container_of, cpu_us, join, may_hold_containers, memory_limit,
    memory_without_cache, parse_listed,
};
use crate::logic::rates::sum_networks;
use crate::logic::scan::first_number;

/// Each container is four or five small files.
const PERIOD_MS: i64 = 10_000;

/// How often the socket is asked and the tree is walked: a new container shows up within this.
const LIST_PERIOD_MS: i64 = 30_000;

/// Of Docker and Podman. Not below `/var/run`: where that is a link to `/run`, it leads out of a
/// host's root that is mounted in a container.
const SOCKETS: [&str; 2] = ["/run/docker.sock", "/run/podman/podman.sock"];

/// `/`, `kubepods.slice`, quality of service, pod, container: five levels, and one for a user's own.
const DEPTH_MAX: usize = 7;

/// More groups than this are not walked through: a host with a thousand pods has some 5,000.
const GROUPS_MAX: usize = 20_000;

/// How deep the processes of a container may be below its group, where it runs a manager of its own.
const PROCESS_DEPTH_MAX: usize = 4;

/// Whoever may use the socket of Docker is root in effect: that is for the host's owner to decide.
const NOT_ALLOWED: &str = "names and health of containers are unknown, their figures are not: \
                           the agent's user may not use the socket; the manual says how to let it, \
                           or switch the collector off";

pub fn containers(host: &Host) -> Slow<Vec<Container>> {
    let plan = Plan {
        name: "containers",
        period_ms: PERIOD_MS,
        put: |containers: &Vec<Container>, sample| sample.containers.clone_from(containers),
        once: false,
    };
    let mut runtime = Runtime::new(host);
    Slow::start(plan, move || runtime.look())
}

struct Runtime {
    host: Host,
    /// This container's own root, where the agent is in one: it may be given the socket alone.
    own: Option<Host>,
    tree: Tree,
    groups: BTreeMap<String, Group>,
    listed: Vec<Listed>,
    has_socket: bool,
    troubles: Vec<String>,
    listed_ms: Option<i64>,
    before: BTreeMap<String, Usage>,
}

/// Where control groups count what.
enum Tree {
    /// Version 2: one tree.
    Unified(PathBuf),
    /// Version 1: a tree for each kind of resource.
    Split { cpu: PathBuf, memory: PathBuf },
}

/// The control group of one container, relative to the root of a tree.
struct Group {
    path: PathBuf,
    /// One of its processes, by which its network is known.
    pid: Option<u64>,
}

impl Runtime {
    fn new(host: &Host) -> Self {
        Self {
            host: host.clone(),
            own: host.is_mounted().then(|| Host::new(Path::new("/"))),
            tree: Tree::of(host),
            groups: BTreeMap::new(),
            listed: Vec::new(),
            has_socket: false,
            troubles: Vec::new(),
            listed_ms: None,
            before: BTreeMap::new(),
        }
    }

    fn look(&mut self) -> Result<Found<Vec<Container>>, Trouble> {
        let now_ms = boot_clock_ms();
        if self.listed_ms.is_none_or(|at_ms| now_ms - at_ms >= LIST_PERIOD_MS) {
            self.listed_ms = Some(now_ms);
            self.list();
            self.groups = self.tree.walk();
        }
        if !self.has_socket && self.groups.is_empty() {
            self.listed_ms = None;
            return Err(Trouble::absent("no container and no socket of Docker or Podman is here"));
        }
        let measured = self.groups.iter().filter_map(|(id, group)| {
            let usage = self.tree.usage(&group.path)?;
            let network = self.network(id, group);
            Some((id.clone(), Usage { at_ms: boot_clock_ms(), network, ..usage }))
        });
        let now: BTreeMap<String, Usage> = measured.collect();
        let containers = join(&self.listed, &self.before, &now);
        self.before = now;
        Ok(Found::but(containers, &self.troubles))
    }

    fn list(&mut self) {
        self.listed.clear();
        self.troubles.clear();
        self.has_socket = false;
        for socket in SOCKETS {
            match self.ask_runtime(socket) {
                Ok(None) => {}
                Ok(Some(listed)) => {
                    self.has_socket = true;
                    self.listed.extend(listed);
                }
                Err(reason) => {
                    self.has_socket = true;
                    self.troubles.push(format!("{socket}: {reason}"));
                }
            }
        }
        // What Docker's name leads to may be Podman's own socket.
        self.listed.sort_by(|a, b| a.id.cmp(&b.id));
        self.listed.dedup_by(|a, b| a.id == b.id);
    }

    fn ask_runtime(&self, socket: &str) -> Result<Option<Vec<Listed>>, String> {
        match (ask(&self.host.path(socket))?, &self.own) {
            (None, Some(own)) => ask(&own.path(socket)),
            (listed, _) => Ok(listed),
        }
    }

    /// Of the container's own interfaces; `None` where it uses the host's.
    fn network(&self, id: &str, group: &Group) -> Option<(u64, u64)> {
        if self.listed.iter().any(|listed| listed.id == *id && listed.shares_network) {
            return None;
        }
        let devices = |pid: u64| self.host.proc(&pid.to_string()).join("net/dev");
        // The process known from the last walk may have ended, and another be there.
        let known = group.pid.map(devices).filter(|path| path.exists());
        let own = known.or_else(|| self.tree.process(&group.path).map(devices))?;
        // The kernel has one such file a network namespace. Who may not read `ns/net` of other
        // users' processes may still see by its number which file it is.
        let file = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
        if file(&own) == file(&devices(1)) {
            return None;
        }
        Some(sum_networks(&fs::read(own).ok()?))
    }
}

/// `None` where there is no such socket, or nobody behind it.
fn ask(socket: &Path) -> Result<Option<Vec<Listed>>, String> {
    let stream = match UnixStream::connect(socket) {
        Ok(stream) => stream,
        Err(error) if is_gone(error.kind()) => return Ok(None),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Err(NOT_ALLOWED.to_owned());
        }
        Err(error) => return Err(format!("names of containers are unknown: {error}")),
    };
    let timeouts = stream
        .set_read_timeout(Some(TIMEOUT))
        .and_then(|()| stream.set_write_timeout(Some(TIMEOUT)));
    timeouts.map_err(|error| error.to_string())?;
    parse_listed(&get(stream, "localhost", "/containers/json?all=1")?).map(Some)
}

fn is_gone(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::NotADirectory)
}

impl Tree {
    fn of(host: &Host) -> Self {
        let root = host.sys("fs/cgroup");
        if root.join("cgroup.controllers").exists() {
            return Self::Unified(root);
        }
        let cpu = ["cpuacct", "cpu,cpuacct"].map(|name| root.join(name));
        let [plain, joined] = cpu;
        let cpu = if plain.exists() { plain } else { joined };
        Self::Split { cpu, memory: root.join("memory") }
    }

    fn root(&self) -> &Path {
        match self {
            Self::Unified(root) => root,
            Self::Split { cpu, .. } => cpu,
        }
    }

    /// All groups of containers, by the container's id.
    fn walk(&self) -> BTreeMap<String, Group> {
        let mut groups = BTreeMap::new();
        let mut left = vec![(PathBuf::new(), 0)];
        let mut seen = 0;
        while let Some((path, depth)) = left.pop() {
            for name in directories_in(&self.root().join(&path)) {
                seen += 1;
                if seen > GROUPS_MAX {
                    return groups;
                }
                let below = path.join(&name);
                if let Some(id) = container_of(&name) {
                    let pid = self.process(&below);
                    groups.insert(id.to_owned(), Group { path: below, pid });
                } else if depth < DEPTH_MAX && may_hold_containers(&name) {
                    left.push((below, depth + 1));
                }
            }
        }
        groups
    }

    fn process(&self, group: &Path) -> Option<u64> {
        first_process(&self.root().join(group), 0)
    }

    /// `None` for a group that is gone.
    fn usage(&self, path: &Path) -> Option<Usage> {
        match self {
            Self::Unified(root) => usage_unified(&root.join(path)),
            Self::Split { cpu, memory } => usage_split(&cpu.join(path), &memory.join(path)),
        }
    }
}

fn usage_unified(group: &Path) -> Option<Usage> {
    let read = |name: &str| fs::read(group.join(name)).unwrap_or_default();
    let used = first_number(&read("memory.current")).unwrap_or(0);
    Some(Usage {
        cpu_us: cpu_us(&fs::read(group.join("cpu.stat")).ok()?)?,
        memory_bytes: memory_without_cache(used, &read("memory.stat")),
        memory_limit_bytes: memory_limit(&read("memory.max")),
        ..Usage::default()
    })
}

fn usage_split(cpu: &Path, memory: &Path) -> Option<Usage> {
    let read = |name: &str| fs::read(memory.join(name)).unwrap_or_default();
    let used = first_number(&read("memory.usage_in_bytes")).unwrap_or(0);
    Some(Usage {
        cpu_us: first_number(&fs::read(cpu.join("cpuacct.usage")).ok()?)? / 1000,
        memory_bytes: memory_without_cache(used, &read("memory.stat")),
        memory_limit_bytes: memory_limit(&read("memory.limit_in_bytes")),
        ..Usage::default()
    })
}

fn directories_in(path: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let directories =
        entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    directories.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

fn first_process(group: &Path, depth: usize) -> Option<u64> {
    let here = fs::read(group.join("cgroup.procs")).unwrap_or_default();
    // 0 is a process of another namespace.
    if let Some(pid) = first_number(&here).filter(|pid| *pid > 0) {
        return Some(pid);
    }
    if depth >= PROCESS_DEPTH_MAX {
        return None;
    }
    directories_in(group).iter().find_map(|name| first_process(&group.join(name), depth + 1))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    /// Of a host made up, without the sockets of the machine the test runs on.
    fn runtime(root: &Path) -> Runtime {
        Runtime { own: None, ..Runtime::new(&Host::new(root)) }
    }

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_container_is_told_by_its_control_group_alone() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        write(root, "sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
        let group = format!("sys/fs/cgroup/system.slice/docker-{ID}.scope");
        write(root, &format!("{group}/cpu.stat"), "usage_usec 5000000\nuser_usec 1\n");
        write(root, &format!("{group}/memory.current"), "1000\n");
        write(root, &format!("{group}/memory.stat"), "anon 1\ninactive_file 400\n");
        write(root, &format!("{group}/memory.max"), "max\n");
        write(root, &format!("{group}/init/cgroup.procs"), "77\n");
        write(root, "proc/77/net/dev", "h\nh\n eth0: 10 0 0 0 0 0 0 0 20 0 0 0 0 0 0 0\n");
        let mut runtime = runtime(root);
        let found = runtime.look().unwrap();
        assert_eq!((found.value.len(), found.trouble), (1, None));
        assert_eq!((found.value[0].id.as_str(), found.value[0].memory_bytes), (&ID[..12], 600));
        assert_eq!(runtime.before[ID].network, Some((10, 20)));
    }

    #[test]
    fn control_groups_of_version_1_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let cgroup = "sys/fs/cgroup";
        write(root, &format!("{cgroup}/cpuacct/docker/{ID}/cpuacct.usage"), "7000000\n");
        let memory = format!("{cgroup}/memory/docker/{ID}");
        write(root, &format!("{memory}/memory.usage_in_bytes"), "900\n");
        write(root, &format!("{memory}/memory.stat"), "total_inactive_file 100\n");
        write(root, &format!("{memory}/memory.limit_in_bytes"), "2000\n");
        let mut runtime = runtime(root);
        runtime.look().unwrap();
        let usage = runtime.before[ID];
        let told = (usage.cpu_us, usage.memory_bytes, usage.memory_limit_bytes);
        assert_eq!(told, (7000, 800, 2000));
    }

    #[test]
    fn the_runtime_is_asked_over_its_socket() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("run/podman/podman.sock");
        fs::create_dir_all(socket.parent().unwrap()).unwrap();
        let listener = UnixListener::bind(&socket).unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).unwrap();
            let body = format!(
                r#"[{{"Id":"{ID}","Names":["db"],"Image":"pg","State":"exited","Status":"Exited"}}]"#
            );
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let found = runtime(directory.path()).look().unwrap();
        assert!(server.join().unwrap().starts_with("GET /containers/json?all=1 HTTP/1.1\r\n"));
        assert_eq!((found.value[0].name.as_str(), found.value[0].state.as_str()), ("db", "exited"));
    }

    #[test]
    fn a_host_without_containers_has_none() {
        let directory = tempfile::tempdir().unwrap();
        let looked = runtime(directory.path()).look();
        assert!(matches!(looked, Err(Trouble::Absent(_))));
    }
}
