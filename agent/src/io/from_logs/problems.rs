//! What cannot be read, said once each and shown in the heartbeat until it is over.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use tracing::warn;

/// How many are kept: each is also a line in our own log.
const PROBLEMS_MAX: usize = 20;

#[derive(Default)]
pub struct Problems {
    open: BTreeMap<PathBuf, String>,
}

impl Problems {
    pub fn report(&mut self, path: &Path, error: &io::Error) {
        if self.open.contains_key(path) || self.open.len() >= PROBLEMS_MAX {
            return;
        }
        let said = match error.kind() {
            io::ErrorKind::PermissionDenied => format!(
                "no permission to read {}; adding the agent's user to the group adm usually helps",
                path.display()
            ),
            _ => format!("cannot read {}: {error}", path.display()),
        };
        warn!("{said}");
        self.open.insert(path.into(), said);
    }

    pub fn settle(&mut self, path: &Path) {
        self.open.remove(path);
    }

    /// What is gone is no problem any more.
    pub fn forget_missing(&mut self) {
        self.open.retain(|path, _| path.symlink_metadata().is_ok());
    }

    /// One text for all, if there is any.
    pub fn summary(&self) -> Option<String> {
        let first = self.open.values().next()?;
        Some(match self.open.len() - 1 {
            0 => first.clone(),
            more => format!("{first} (and {more} more)"),
        })
    }
}
