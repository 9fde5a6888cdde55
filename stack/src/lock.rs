//! One supervisor per state directory. The kernel gives the lock back when its holder dies, so a
//! stale one cannot be.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::state_dir::StateDir;

/// Held until dropped.
pub struct Lock(#[allow(dead_code, reason = "held, not read")] Flock<File>);

impl Lock {
    /// Takes the lock and leaves this process's pid in it; `None` if another process has it.
    pub fn take(state: &StateDir) -> Result<Option<Self>> {
        let Some(mut lock) = try_lock(state)? else { return Ok(None) };
        lock.set_len(0)?;
        write!(lock, "{}", std::process::id())?;
        Ok(Some(Self(lock)))
    }

    /// The pid of whoever has the lock; `None` if nobody has.
    pub fn holder(state: &StateDir) -> Result<Option<u32>> {
        if !state.lock().exists() || try_lock(state)?.is_some() {
            return Ok(None);
        }
        let pid = fs::read_to_string(state.lock())?;
        // Empty for the instant between taking the lock and writing the pid: try again then.
        Ok(Some(pid.trim().parse().unwrap_or(0)))
    }
}

fn try_lock(state: &StateDir) -> Result<Option<Flock<File>>> {
    let path = state.lock();
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.with_context(|| format!("could not open {}", path.display()))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, error)) => bail!("could not lock {}: {error}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_for_one_and_is_free_again_when_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::create(dir.path()).unwrap();
        assert_eq!(Lock::holder(&state).unwrap(), None);
        let lock = Lock::take(&state).unwrap().unwrap();
        assert!(Lock::take(&state).unwrap().is_none());
        assert_eq!(Lock::holder(&state).unwrap(), Some(std::process::id()));
        drop(lock);
        assert_eq!(Lock::holder(&state).unwrap(), None);
    }
}
