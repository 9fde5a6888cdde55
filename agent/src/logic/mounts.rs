//! Which mounts are worth telling of, from a `mounts` file of the kernel.

use std::collections::{HashMap, HashSet};

use crate::logic::scan::{lines, words};

/// Filesystems that hold what people store on this host. Virtual ones say nothing.
const LOCAL_TYPES: &[&str] = &[
    "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "reiserfs", "bcachefs", "vfat",
    "exfat", "ntfs", "ntfs3", "fuseblk", "hfsplus", "ufs",
];

/// Those that hold it elsewhere: they may not answer for as long as their server is away.
const NETWORK_TYPES: &[&str] =
    &["nfs", "nfs4", "cifs", "smb3", "ceph", "fuse.glusterfs", "fuse.sshfs", "9p", "virtiofs"];

/// How many network mounts may hang, with a thread each, before those are not asked any more that
/// are new or on a server of which one hangs: a host with that many has lost a server or its
/// network.
const HANGING_MAX: usize = 8;

/// Beyond it not even the others are asked: that is one mount each of two dozen servers more, and
/// 32 threads are half a megabyte.
const HANGING_KNOWN_MAX: usize = 32;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    pub device: String,
    /// As the host names it.
    pub mount: String,
    pub fs_type: String,
    pub read_only: bool,
}

impl Mount {
    pub fn is_remote(&self) -> bool {
        NETWORK_TYPES.contains(&self.fs_type.as_str())
    }

    /// Who has it: mounts of one server hang together. `nas` of `nas:/x` and of `//nas/x`.
    pub fn server(&self) -> &str {
        match self.device.strip_prefix("//") {
            Some(share) => share.split('/').next().unwrap_or(share),
            None => self.device.split_once(":/").map_or(&self.device, |(server, _)| server),
        }
    }
}

/// Whether to ask a mount for its size while so many network mounts hang. Each that hangs too holds
/// one thread more. One that `is_healthy` has answered before, and nothing of its server hangs. A
/// local one hangs with its own disk only, and there are few disks.
pub fn may_ask(mount: &Mount, is_healthy: bool, hanging: usize) -> bool {
    let most = if is_healthy { HANGING_KNOWN_MAX } else { HANGING_MAX };
    !mount.is_remote() || hanging < most
}

/// One mount a device, the shortest: bind mounts show the same twice. One a place, the last: it
/// hides what was mounted there before. In the order of their names.
pub fn parse_mounts(text: &[u8]) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = lines(text).filter_map(parse_mount).filter(is_told).collect();
    let mut places = HashSet::new();
    mounts.reverse();
    mounts.retain(|mount| places.insert(mount.mount.clone()));
    mounts.reverse();
    let mut seen = HashSet::new();
    mounts.sort_by_key(|mount| mount.mount.len());
    mounts.retain(|mount| seen.insert(mount.device.clone()));
    mounts.sort_by(|a, b| a.mount.cmp(&b.mount));
    mounts
}

/// Whether the files of such a filesystem may be walked: it has them on this host, and asks no
/// program for each of them. A container's root does.
pub fn is_walkable(fs_type: &str) -> bool {
    fs_type == "overlay" || (LOCAL_TYPES.contains(&fs_type) && !fs_type.starts_with("fuse"))
}

/// What is mounted below a mount, of whatever type, by its path: a walk must not stray there, where
/// even a look at the name may hang. True where it is another part of the same device, as btrfs
/// mounts its subvolumes.
pub fn mounted_below(text: &[u8], mount: &str, device: &str) -> HashMap<Vec<u8>, bool> {
    let parent = mount.trim_end_matches('/');
    let is_below = |path: &str| {
        path.strip_prefix(parent).is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
    };
    let below = lines(text).filter_map(parse_mount).filter(|found| is_below(&found.mount));
    below.map(|found| (found.mount.into_bytes(), found.device == device)).collect()
}

fn parse_mount(line: &[u8]) -> Option<Mount> {
    let mut words = words(line);
    let mut word = || words.next().map(unescape);
    let (device, mount, fs_type) = (word()?, word()?, word()?);
    let read_only = word()?.split(',').any(|option| option == "ro");
    Some(Mount { device, mount, fs_type, read_only })
}

fn is_told(mount: &Mount) -> bool {
    // A container's root is an overlay: the only place where its files can be.
    let own_root = mount.mount == "/" && mount.fs_type == "overlay";
    own_root || mount.is_remote() || LOCAL_TYPES.contains(&mount.fs_type.as_str())
}

/// The kernel writes blanks and backslashes in paths as octal escapes.
fn unescape(field: &[u8]) -> String {
    let field = String::from_utf8_lossy(field);
    field.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_device_is_shown_once_at_its_shortest_mount() {
        let text = b"\
/dev/vda1 /var/lib/x ext4 rw 0 0
/dev/vda1 / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
nas:/x /mnt/nas nfs4 rw,hard 0 0
overlay /var/lib/docker/overlay2/x/merged overlay rw 0 0
/dev/sdb1 /mnt/my\\040disk xfs ro,nosuid 0 0\n";
        let told: Vec<(String, bool, bool)> = parse_mounts(text)
            .into_iter()
            .map(|mount| (mount.mount.clone(), mount.read_only, mount.is_remote()))
            .collect();
        let expected =
            [("/", false, false), ("/mnt/my disk", true, false), ("/mnt/nas", false, true)];
        assert_eq!(told, expected.map(|(mount, ro, remote)| (mount.to_owned(), ro, remote)));
    }

    #[test]
    fn mounts_of_one_server_are_known_by_their_device() {
        for (device, server) in [
            ("nas:/x/y:/z", "nas"),
            ("//nas/share", "nas"),
            ("[fe80::1]:/x", "[fe80::1]"),
            ("10.0.0.1:6789,10.0.0.2:6789:/", "10.0.0.1:6789,10.0.0.2:6789"),
            ("anna@nas:/home", "anna@nas"),
            ("shared", "shared"),
        ] {
            let mount = Mount {
                device: device.into(),
                mount: "/x".into(),
                fs_type: "nfs4".into(),
                read_only: false,
            };
            assert_eq!(mount.server(), server);
        }
    }

    #[test]
    fn while_many_hang_those_that_are_local_or_healthy_are_still_asked() {
        let of = |fs_type: &str| Mount {
            device: "x".into(),
            mount: "/x".into(),
            fs_type: fs_type.into(),
            read_only: false,
        };
        let (local, remote) = (of("ext4"), of("nfs4"));
        assert!(may_ask(&remote, false, HANGING_MAX - 1));
        assert!(!may_ask(&remote, false, HANGING_MAX));
        assert!(may_ask(&remote, true, HANGING_KNOWN_MAX - 1));
        assert!(!may_ask(&remote, true, HANGING_KNOWN_MAX));
        assert!(may_ask(&local, false, usize::MAX));
    }

    #[test]
    fn what_is_mounted_below_is_known_whatever_it_is() {
        let text = b"\
/dev/vda1 / btrfs rw 0 0
/dev/vda1 /home btrfs rw 0 0
systemd-1 /mnt/auto autofs rw 0 0
nas:/x /home/my\\040nas nfs4 rw 0 0\n";
        let below = |mount: &str| {
            let mut below: Vec<(String, bool)> = mounted_below(text, mount, "/dev/vda1")
                .into_iter()
                .map(|(path, is_same)| (String::from_utf8(path).unwrap(), is_same))
                .collect();
            below.sort();
            below
        };
        let of_home = ("/home/my nas".to_owned(), false);
        let of_root =
            [("/home".to_owned(), true), of_home.clone(), ("/mnt/auto".to_owned(), false)];
        assert_eq!(below("/"), of_root);
        assert_eq!(below("/home"), [of_home]);
        assert_eq!(below("/hom"), []);
    }

    #[test]
    fn network_filesystems_and_those_of_programs_are_not_walked() {
        for fs_type in ["ext4", "xfs", "btrfs", "zfs", "overlay"] {
            assert!(is_walkable(fs_type), "{fs_type}");
        }
        for fs_type in ["nfs4", "cifs", "fuseblk", "fuse.sshfs", "9p", "tmpfs", ""] {
            assert!(!is_walkable(fs_type), "{fs_type}");
        }
    }

    #[test]
    fn a_mount_that_hides_another_is_told_alone() {
        let text = b"/dev/vdb1 /data ext4 rw 0 0\n/dev/vdc1 /data xfs rw 0 0\n";
        let devices: Vec<String> = parse_mounts(text).into_iter().map(|m| m.device).collect();
        assert_eq!(devices, ["/dev/vdc1"]);
    }

    #[test]
    fn the_root_of_a_container_is_told() {
        assert_eq!(parse_mounts(b"overlay / overlay rw,lowerdir=/x 0 0\n").len(), 1);
    }
}
