//! Which mounts are worth telling of, from a `mounts` file of the kernel.

use std::collections::HashSet;

use crate::logic::scan::{lines, words};

/// Filesystems that hold what people store on this host. Virtual ones say nothing.
const LOCAL_TYPES: &[&str] = &[
    "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "reiserfs", "bcachefs", "vfat",
    "exfat", "ntfs", "ntfs3", "fuseblk", "hfsplus", "ufs",
];

/// Those that hold it elsewhere: they may not answer for as long as their server is away.
const NETWORK_TYPES: &[&str] =
    &["nfs", "nfs4", "cifs", "smb3", "ceph", "fuse.glusterfs", "fuse.sshfs", "9p", "virtiofs"];

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
}

/// One mount a device, the shortest: bind mounts show the same twice. In the order of their names.
pub fn parse_mounts(text: &[u8]) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = lines(text).filter_map(parse_mount).filter(is_told).collect();
    let mut seen = HashSet::new();
    mounts.sort_by_key(|mount| mount.mount.len());
    mounts.retain(|mount| seen.insert(mount.device.clone()));
    mounts.sort_by(|a, b| a.mount.cmp(&b.mount));
    mounts
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
    fn the_root_of_a_container_is_told() {
        assert_eq!(parse_mounts(b"overlay / overlay rw,lowerdir=/x 0 0\n").len(), 1);
    }
}
