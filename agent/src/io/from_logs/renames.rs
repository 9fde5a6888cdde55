//! While the agent runs, the kernel tells of files that we never saw under the name that is
//! followed: one we do not know was renamed away from it.
//!
//! Events speak of the past and are read in batches, so that of several rotations the last comes
//! first: at the name the first event speaks of, there is the newest file by now. What a batch
//! tells of is therefore taken up at its end, by time of change. Called by `worker.rs`.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use super::discover::Discovery;
use super::files::Files;
use super::table::{FileId, identity};
use super::unseen::{Unseen, original};
use super::watch::{Change, What};
use crate::logic::follow::Identity;

/// Where files were renamed to in one batch of events.
#[derive(Default)]
pub struct Renames {
    /// The last one that went, by the number the kernel gives to both halves of a rename.
    gone: Option<(u32, PathBuf)>,
    /// Names of now, with those of before.
    origins: HashMap<PathBuf, PathBuf>,
    /// Renamed from a name that is meant before we looked, with when we heard of it.
    found: HashMap<Identity, (usize, Unseen)>,
}

impl Renames {
    pub fn hear(&mut self, change: &Change, path: &Path, discovery: &Discovery, files: &Files) {
        if change.cookie == 0 {
            return;
        }
        match change.what {
            What::Vanished => {
                let origin = self.origins.remove(path).unwrap_or_else(|| path.into());
                self.gone = discovery.means(&origin).then_some((change.cookie, origin));
            }
            What::Appeared => {
                let gone = self.gone.take().filter(|(cookie, _)| *cookie == change.cookie);
                let Some((_, origin)) = gone else { return };
                let name = change.name.as_encoded_bytes();
                if !discovery.means(path) && original(&change.directory, name).is_some() {
                    self.find(path, &origin, files);
                }
                self.origins.insert(path.into(), origin);
            }
            _ => {}
        }
    }

    fn find(&mut self, path: &Path, base: &Path, files: &Files) {
        let Some(metadata) = fs::metadata(path).ok().filter(Metadata::is_file) else { return };
        let who = identity(&metadata);
        let is_full = files.table.len() + self.found.len() >= files.files_max;
        if is_full || files.table.who(who).is_some() {
            return;
        }
        if let Ok(unseen) = Unseen::look(path, base.into(), &metadata) {
            self.found.insert(who, (self.found.len(), unseen));
        }
    }

    /// Takes up what was found, and answers it, the oldest first.
    pub fn take_up(self, files: &mut Files) -> Vec<FileId> {
        let mut found: Vec<(usize, Unseen)> = self.found.into_values().collect();
        // Within a tick of the file system's clock, the first we hear of is the newest.
        found.sort_by_key(|(heard, file)| (file.modified_at, Reverse(*heard)));
        let bases: BTreeSet<&Path> = found.iter().map(|(_, file)| &*file.base).collect();
        for base in bases {
            files.settle_name(base);
        }
        files.insert_all(found.into_iter().map(|(_, file)| file))
    }
}
