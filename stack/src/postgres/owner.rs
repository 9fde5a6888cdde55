//! Who owns the database's files. PostgreSQL refuses to run as root, so root lends it an
//! unprivileged user, and that user must be able to reach the data.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use nix::unistd::{Gid, Uid, User, chown, geteuid};

use crate::child::RunAs;

/// The user to run the database as; `None` means "as whoever runs this".
pub(super) fn unprivileged() -> Result<Option<RunAs>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name)? {
            return Ok(Some(RunAs { uid: user.uid.as_raw(), gid: user.gid.as_raw() }));
        }
    }
    anyhow::bail!(
        "PostgreSQL does not run as root, and there is neither a user postgres nor nobody"
    )
}

/// The directory for the database's files, owned by that user: in the state directory, or where
/// the user can reach it if the state directory is closed to it (a clone under `/root`).
pub(super) fn home(state: &Path, owner: Option<RunAs>) -> Result<PathBuf> {
    let home = match owner {
        Some(user) if !can_enter(state, user)? => {
            PathBuf::from(format!("/var/lib/muster/{:012x}/postgres", short_hash(state)))
        }
        _ => state.join("postgres"),
    };
    let made = match home.parent() {
        Some(parent) => fs::create_dir_all(parent).and_then(|()| private_dir(&home)),
        None => private_dir(&home),
    };
    made.with_context(|| format!("could not make {}", home.display()))?;
    give(&home, owner)?;
    Ok(home)
}

/// Makes that user the owner of a file or directory.
pub(super) fn give(path: &Path, owner: Option<RunAs>) -> Result<()> {
    let Some(user) = owner else { return Ok(()) };
    chown(path, Some(Uid::from_raw(user.uid)), Some(Gid::from_raw(user.gid)))
        .with_context(|| format!("could not give {} to the database's user", path.display()))
}

/// Asks the kernel, as that user, instead of working out its rules again.
fn can_enter(dir: &Path, user: RunAs) -> Result<bool> {
    let mut command = Command::new("/usr/bin/test");
    command.arg("-x").arg(dir).uid(user.uid).gid(user.gid).current_dir("/");
    let status = command.stdin(Stdio::null()).status();
    Ok(status.context("could not run `test` as the database's user")?.success())
}

fn private_dir(path: &Path) -> std::io::Result<()> {
    if !path.exists() {
        DirBuilder::new().mode(0o700).create(path)?;
    }
    fs::set_permissions(path, Permissions::from_mode(0o700))
}

/// FNV-1a, cut to 48 bits: the same for ever, which the standard library's hasher does not
/// promise, and data must be found again.
fn short_hash(path: &Path) -> u64 {
    let bytes = path.as_os_str().as_encoded_bytes();
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash & 0xffff_ffff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_the_data_never_changes_for_a_state_directory() {
        assert_eq!(short_hash(Path::new("")), 0x9ce4_8422_2325);
        assert_eq!(short_hash(Path::new("a")), 0xdc4c_8601_ec8c);
    }
}
