//! What is read from `/proc` directly: where `sysinfo` is silent (TCP, packets, whole disks) or
//! leaves out what `df` shows.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use muster_schemas::telemetry::Filesystem;

use crate::logic::rates::{Counters, DiskCounters, NetworkCounters};

/// `/proc/diskstats` counts in sectors of 512 bytes, whatever the device's own are.
const SECTOR_BYTES: u64 = 512;

/// Filesystems that hold what people store. Virtual ones say nothing, and asking a network
/// filesystem for its size can hang for as long as its server is away.
const FILESYSTEM_TYPES: &[&str] = &[
    "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "reiserfs", "bcachefs", "vfat",
    "exfat", "ntfs", "ntfs3", "fuseblk", "hfsplus", "ufs",
];

/// Counters of whole disks: partitions and stacked, looped or ram devices would count twice.
pub fn disk_counters() -> Counters<DiskCounters> {
    parse_disk_counters(&read("/proc/diskstats"), |device| {
        Path::new("/sys/block").join(device.replace('/', "!")).join("device").exists()
    })
}

fn parse_disk_counters(text: &str, is_disk: impl Fn(&str) -> bool) -> Counters<DiskCounters> {
    let mut counters = Counters::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let Some(device) = fields.get(2).filter(|device| is_disk(device)) else { continue };
        let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
        let (Some(reads), Some(read), Some(writes), Some(written)) =
            (number(3), number(5), number(7), number(9))
        else {
            continue;
        };
        let read_bytes = read.saturating_mul(SECTOR_BYTES);
        let written_bytes = written.saturating_mul(SECTOR_BYTES);
        counters.insert(
            (*device).to_owned(),
            DiskCounters { reads, read_bytes, writes, written_bytes },
        );
    }
    counters
}

pub fn network_counters() -> Counters<NetworkCounters> {
    parse_network_counters(&read("/proc/net/dev"))
}

fn parse_network_counters(text: &str) -> Counters<NetworkCounters> {
    let mut counters = Counters::new();
    for line in text.lines() {
        let Some((interface, numbers)) = line.split_once(':') else { continue };
        let numbers: Vec<u64> =
            numbers.split_ascii_whitespace().filter_map(|number| number.parse().ok()).collect();
        let [rx_bytes, rx_packets, rx_errors, _, _, _, _, _, tx_bytes, tx_packets, tx_errors, ..] =
            numbers[..]
        else {
            continue;
        };
        counters.insert(
            interface.trim().to_owned(),
            NetworkCounters { rx_bytes, rx_packets, rx_errors, tx_bytes, tx_packets, tx_errors },
        );
    }
    counters
}

/// Established TCP connections, IPv4 and IPv6 together.
pub fn tcp_connections() -> i64 {
    parse_tcp_connections(&read("/proc/net/snmp"))
}

fn parse_tcp_connections(text: &str) -> i64 {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp:"));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else { return 0 };
    names
        .split_ascii_whitespace()
        .zip(values.split_ascii_whitespace())
        .find(|(name, _)| *name == "CurrEstab")
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0)
}

/// Sizes of the mounted filesystems, one entry a device: bind mounts show the same twice.
pub fn filesystems() -> Vec<Filesystem> {
    let mounts = read("/proc/self/mounts");
    parse_mounts(&mounts).into_iter().filter_map(with_sizes).collect()
}

struct Mount {
    device: String,
    mount: String,
    fs_type: String,
}

fn parse_mounts(text: &str) -> Vec<Mount> {
    let mut seen = HashSet::new();
    let mut mounts: Vec<Mount> = text
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace().map(unescape);
            Some(Mount { device: fields.next()?, mount: fields.next()?, fs_type: fields.next()? })
        })
        // A container's root is an overlay: the only place where its files can be.
        .filter(|m| {
            FILESYSTEM_TYPES.contains(&m.fs_type.as_str())
                || (m.mount == "/" && m.fs_type == "overlay")
        })
        .collect();
    mounts.sort_by_key(|mount| mount.mount.len());
    mounts.retain(|mount| seen.insert(mount.device.clone()));
    mounts.sort_by(|a, b| a.mount.cmp(&b.mount));
    mounts
}

/// The kernel writes blanks and backslashes in paths as octal escapes.
fn unescape(field: &str) -> String {
    field.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

fn with_sizes(mount: Mount) -> Option<Filesystem> {
    let sizes = nix::sys::statvfs::statvfs(mount.mount.as_str()).ok()?;
    let unit = sizes.fragment_size();
    let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(unit)).unwrap_or(i64::MAX);
    let total_bytes = bytes(sizes.blocks());
    (total_bytes > 0).then(|| Filesystem {
        mount: mount.mount,
        device: mount.device,
        fs_type: mount.fs_type,
        total_bytes,
        used_bytes: bytes(sizes.blocks().saturating_sub(sizes.blocks_free())),
        available_bytes: bytes(sizes.blocks_available()),
    })
}

/// A file that is not there (another kernel, a container) reads as empty: its metrics are absent.
fn read(path: &str) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_disks_are_read_from_diskstats() {
        let text = "\
 254       0 vda 100 0 8 0 200 0 16 0 0 0 0 0 0 0 0 0 0
 254       1 vda1 90 0 8 0 200 0 16 0 0 0 0
   7       0 loop0 1 2 3\n";
        let counters = parse_disk_counters(text, |device| !device.ends_with(char::is_numeric));
        let vda = DiskCounters { reads: 100, read_bytes: 4096, writes: 200, written_bytes: 8192 };
        assert_eq!(counters, Counters::from([("vda".to_owned(), vda)]));
    }

    #[test]
    fn interfaces_are_read_even_where_the_number_touches_the_colon() {
        let text = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
  eth0:1000 10 1 0 0 0 0 0 2000 20 2 0 0 0 0 0
    lo: 5 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n";
        let counters = parse_network_counters(text);
        assert_eq!(counters.len(), 2);
        let eth0 = NetworkCounters {
            rx_bytes: 1000,
            rx_packets: 10,
            rx_errors: 1,
            tx_bytes: 2000,
            tx_packets: 20,
            tx_errors: 2,
        };
        assert_eq!(counters["eth0"], eth0);
    }

    #[test]
    fn established_connections_are_found_by_name() {
        let text = "Ip: A B\nIp: 1 2\nTcp: RtoAlgorithm MaxConn CurrEstab InSegs\nTcp: 1 -1 17 9\n";
        assert_eq!(parse_tcp_connections(text), 17);
        assert_eq!(parse_tcp_connections(""), 0);
    }

    #[test]
    fn each_device_is_shown_once_at_its_shortest_mount() {
        let text = "\
/dev/vda1 /var/lib/x ext4 rw 0 0
/dev/vda1 / ext4 rw 0 0
proc /proc proc rw 0 0
nas:/x /mnt/nas nfs4 rw 0 0
/dev/sdb1 /mnt/my\\040disk xfs rw 0 0\n";
        let mounts: Vec<String> = parse_mounts(text).into_iter().map(|m| m.mount).collect();
        assert_eq!(mounts, ["/", "/mnt/my disk"]);
    }
}
