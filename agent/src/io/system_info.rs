//! What this host is: asked whole at the start, and once a minute for what may change.
//!
//! The kernel, the processor and the boot are asked of `sysinfo`; what a container must see of the
//! host around it is read below the host's root. Addresses are those of the network this process
//! is in: in a container that is the host's only with host networking.
//!
//! Called by `service.rs` on a thread that may block.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use muster_runtime::time::now_ms;
use muster_schemas::inventory::{DiskInfo, InterfaceInfo, SystemInfo};
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;
use sysinfo::{CpuRefreshKind, System};

use crate::io::collect::host::{Host, OPTICAL, boot_clock_ms, names_in, read_line, read_number};
use crate::logic::host_facts::{is_telling, os_name, parse_logins, session_user, with_prefix};
use crate::logic::scan::{count, number_after};
use crate::logic::virtualisation::{Signs, virtualisation};

/// `/sys/block/*/size` counts in these, whatever the disk's own sectors are.
const SECTOR_BYTES: i64 = 512;

/// The time of the boot is the clock's minus the time since: it moves with every correction of the
/// clock. Smaller moves are not told.
const BOOT_MOVED_MS: i64 = 60_000;

/// What the operator says of the host, and where it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SystemOptions {
    /// `/`, or where the host's root is mounted in this container.
    pub host_root: PathBuf,
    pub labels: BTreeMap<String, String>,
    pub location: String,
}

/// Answers what changed since it was asked last.
pub struct SystemWatch {
    host: Host,
    options: SystemOptions,
    /// What cannot change while the agent runs.
    fixed: SystemInfo,
    told: Option<SystemInfo>,
}

impl SystemWatch {
    pub fn new(options: SystemOptions) -> Self {
        let host = Host::new(&options.host_root);
        let fixed = fixed_info(&host);
        Self { host, options, fixed, told: None }
    }

    /// Takes new words of the operator; the next look tells of them. The host's root stays.
    pub fn apply(&mut self, labels: BTreeMap<String, String>, location: String) {
        self.options.labels = labels;
        self.options.location = location;
    }

    /// What the host is, if that is something else than at the last look; at the first, it is.
    pub fn look(&mut self) -> Option<SystemInfo> {
        let mut info = self.info();
        if let Some(told) = &self.told
            && (info.booted_at - told.booted_at).abs() < BOOT_MOVED_MS
        {
            info.booted_at = told.booted_at;
        }
        if self.told.as_ref() == Some(&info) {
            return None;
        }
        self.told = Some(info.clone());
        Some(info)
    }

    fn info(&self) -> SystemInfo {
        let meminfo = fs::read(self.host.proc("meminfo")).unwrap_or_default();
        SystemInfo {
            hostname: hostname(&self.host),
            os: os(&self.host),
            memory_bytes: count(
                number_after(&meminfo, "MemTotal").unwrap_or(0).saturating_mul(1024),
            ),
            disks: disks(&self.host),
            interfaces: interfaces(&self.host),
            booted_at: now_ms() - boot_clock_ms(),
            labels: self.options.labels.clone(),
            location: self.options.location.clone(),
            users: users(&self.host),
            ..self.fixed.clone()
        }
    }
}

/// What this host is, once.
pub fn system_info(options: SystemOptions) -> SystemInfo {
    SystemWatch::new(options).info()
}

fn fixed_info(host: &Host) -> SystemInfo {
    let (cpu_model, cores_logical) = processor();
    let physical = System::physical_core_count().ok().and_then(|cores| i64::try_from(cores).ok());
    SystemInfo {
        kernel: System::kernel_version().unwrap_or_default(),
        architecture: System::cpu_arch(),
        cpu_model,
        // Some virtual machines do not tell which of their cores belong together.
        cores_physical: physical.filter(|cores| *cores > 0).unwrap_or(cores_logical),
        cores_logical,
        virtualisation: virtualisation(&signs(host)),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        ..SystemInfo::default()
    }
}

fn processor() -> (String, i64) {
    let Ok(mut system) = System::new() else { return Default::default() };
    system.refresh_cpu_list(CpuRefreshKind::nothing());
    let cores = i64::try_from(system.cpus().len()).unwrap_or(i64::MAX);
    let model = system.cpus().first().map(|core| core.brand().trim().to_owned());
    (model.unwrap_or_default(), cores)
}

fn signs(host: &Host) -> Signs {
    let line = |path: PathBuf| read_line(&path).unwrap_or_default();
    let firmware = |file: &str| line(host.sys("class/dmi/id").join(file));
    let marks = [("/run/.containerenv", "podman"), ("/.dockerenv", "docker")];
    let clocks = "devices/system/clocksource/clocksource0/available_clocksource";
    let cpuinfo = fs::read_to_string(host.proc("cpuinfo")).unwrap_or_default();
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    Signs {
        environment: fs::read(host.proc("1/environ")).unwrap_or_default(),
        noted_container: line(host.path("/run/systemd/container")),
        marked_by: marks.iter().find(|(path, _)| host.path(path).exists()).map(|mark| mark.1),
        kernel_threads: line(host.proc("2/comm")) == "kthreadd",
        vendor: firmware("sys_vendor"),
        product: firmware("product_name"),
        hypervisor: line(host.sys("hypervisor/type")),
        clocks: line(host.sys(clocks)),
        hypervisor_flag: flags.split_whitespace().any(|flag| flag == "hypervisor"),
    }
}

/// A container has a name of its own; the host's is in its file. Empty where there is none.
pub fn hostname(host: &Host) -> String {
    let of_file = || read_line(&host.path("/etc/hostname")).filter(|name| !name.is_empty());
    let of_kernel = || hostname::get().ok().map(|name| name.to_string_lossy().into_owned());
    let name = if host.is_mounted() { of_file().or_else(of_kernel) } else { of_kernel() };
    name.unwrap_or_default()
}

fn os(host: &Host) -> String {
    let paths = ["/etc/os-release", "/usr/lib/os-release"];
    let mut texts = paths.iter().filter_map(|path| fs::read_to_string(host.path(path)).ok());
    texts.find_map(|text| os_name(&text)).unwrap_or_else(|| "Linux".to_owned())
}

/// Whole disks with something in them: no partitions, loops, memory disks or optical drives.
fn disks(host: &Host) -> Vec<DiskInfo> {
    let block = host.sys("block");
    let disk = |name: String| {
        let path = block.join(&name);
        let device = path.join("device");
        let sectors = read_number(&path.join("size")).filter(|sectors| *sectors > 0)?;
        if !device.exists() || read_number(&device.join("type")) == Some(OPTICAL) {
            return None;
        }
        let model = read_line(&device.join("model")).or_else(|| read_line(&device.join("name")));
        Some(DiskInfo {
            device: name.replace('!', "/"),
            model: model.unwrap_or_default(),
            bytes: sectors.saturating_mul(SECTOR_BYTES),
            rotational: read_number(&path.join("queue/rotational")) == Some(1),
        })
    };
    names_in(&block).into_iter().filter_map(disk).collect()
}

/// Real ones, and virtual ones with an address that others can be told: those of containers come
/// and go with them.
fn interfaces(host: &Host) -> Vec<InterfaceInfo> {
    let mut addresses: BTreeMap<String, BTreeSet<(IpAddr, String)>> = BTreeMap::new();
    for item in getifaddrs().into_iter().flatten() {
        let of_interface = addresses.entry(item.interface_name).or_default();
        if let Some(address) = item.address.as_ref().and_then(ip_of) {
            let shown = with_prefix(address, item.netmask.as_ref().and_then(ip_of));
            of_interface.insert((address, shown));
        }
    }
    addresses.remove("lo");
    let interface = |(name, addresses): (String, BTreeSet<(IpAddr, String)>)| {
        let path = host.sys("class/net").join(&name);
        let is_told = addresses.iter().any(|(address, _)| is_telling(address));
        if !is_told && !path.join("device").exists() {
            return None;
        }
        let mac = read_line(&path.join("address")).unwrap_or_default();
        let is_mac = mac.bytes().any(|byte| !b"0:".contains(&byte));
        Some(InterfaceInfo {
            name,
            mac: if is_mac { mac } else { String::new() },
            addresses: addresses.into_iter().map(|(_, shown)| shown).collect(),
        })
    };
    addresses.into_iter().filter_map(interface).collect()
}

fn ip_of(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}

/// By systemd's sessions, and by `utmp` where it is still kept. One whose process has ended without
/// a word is not signed in any more.
fn users(host: &Host) -> Vec<String> {
    let sessions = host.path("/run/systemd/sessions");
    let texts = names_in(&sessions).into_iter().filter_map(|name| read_line(&sessions.join(name)));
    let mut users: BTreeSet<String> = texts.filter_map(|text| session_user(&text)).collect();
    let utmp = fs::read(host.path("/run/utmp")).unwrap_or_default();
    let is_alive = |pid: u32| host.proc(&pid.to_string()).exists();
    users.extend(parse_logins(&utmp).into_iter().filter(|(pid, _)| is_alive(*pid)).map(|l| l.1));
    users.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use muster_runtime::time::now_ms;
    use muster_schemas::Durable;
    use muster_schemas::inventory::{Inventory, InventoryItem};

    use super::*;

    #[test]
    fn this_machine_tells_what_it_is() {
        let options = SystemOptions { host_root: "/".into(), ..SystemOptions::default() };
        let info = system_info(options);
        assert!(!info.hostname.is_empty() && !info.os.is_empty() && !info.kernel.is_empty());
        assert!(info.cores_physical >= 1 && info.cores_logical >= info.cores_physical);
        assert!(info.memory_bytes > 0 && info.booted_at > 0);
        assert_eq!(info.architecture, std::env::consts::ARCH);
        let inventory = Inventory { at: now_ms(), item: InventoryItem::System(Box::new(info)) };
        inventory.check(now_ms()).unwrap();
    }

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_host_around_a_container_is_told_by_its_own_files() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        write(root, "etc/hostname", "web-3\n");
        write(root, "etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
        write(root, "proc/meminfo", "MemTotal: 1024 kB\n");
        write(root, "sys/block/sda/size", "2048\n");
        write(root, "sys/block/sda/device/model", "Disk A  \n");
        write(root, "sys/block/sda/queue/rotational", "1\n");
        write(root, "sys/block/sr0/size", "2048\n");
        write(root, "sys/block/sr0/device/type", "5\n");
        write(root, "sys/block/loop0/size", "2048\n");
        write(root, "sys/class/dmi/id/sys_vendor", "VMware, Inc.\n");
        write(root, "run/systemd/sessions/3", "USER=ada\nCLASS=user\nSTATE=active\n");
        let mut watch = SystemWatch::new(SystemOptions {
            host_root: root.into(),
            location: "rack 4".into(),
            ..SystemOptions::default()
        });
        let info = watch.look().unwrap();
        assert_eq!((info.hostname.as_str(), info.memory_bytes), ("web-3", 1 << 20));
        assert_eq!(
            (info.os.as_str(), info.location.as_str()),
            ("Debian GNU/Linux 12 (bookworm)", "rack 4")
        );
        assert_eq!(
            (info.virtualisation.as_str(), info.users.as_slice()),
            ("vmware", &["ada".to_owned()][..])
        );
        let disk = DiskInfo {
            device: "sda".into(),
            model: "Disk A".into(),
            bytes: 1 << 20,
            rotational: true,
        };
        assert_eq!(info.disks, [disk]);
    }

    #[test]
    fn only_changes_are_told() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), "etc/hostname", "a\n");
        let host_root = directory.path().to_owned();
        let mut watch = SystemWatch::new(SystemOptions { host_root, ..SystemOptions::default() });
        assert!(watch.look().is_some());
        assert_eq!(watch.look(), None);
        watch.apply(BTreeMap::from([("env".into(), "prod".into())]), String::new());
        assert_eq!(watch.look().unwrap().labels["env"], "prod");
        assert_eq!(watch.look(), None);
        write(directory.path(), "etc/hostname", "b\n");
        assert_eq!(watch.look().unwrap().hostname, "b");
    }
}
