//! The files that are followed: by number, by name and by who they are.
//!
//! Kept small, because there may be tens of thousands: what a file needs while it is read is in
//! [`Reading`], which a quiet file does not have.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use super::reading::Reading;
use crate::logic::follow::{Fingerprint, Identity, Position};

pub type FileId = u32;

pub fn identity(metadata: &Metadata) -> Identity {
    Identity(metadata.dev(), metadata.ino())
}

#[expect(clippy::struct_excessive_bools, reason = "independent facts, and there are many files")]
pub struct Followed {
    pub path: Arc<Path>,
    pub identity: Identity,
    pub fingerprint: Fingerprint,
    /// How far the scanner has read.
    pub read_to: u64,
    /// How far reading need not begin again after a kill.
    pub safe_to: u64,
    /// It has lost its name: read to the end, then forgotten.
    pub retired: bool,
    /// It waits for its turn already.
    pub queued: bool,
    /// Who had the name before, and is to be read first.
    pub after: Option<FileId>,
    /// It was read to its end when it gave its descriptor up.
    pub was_read: bool,
    /// It was not found where it should be; the next look decides.
    pub missing: bool,
    /// If it is gone, nobody would have told where it went.
    pub searchable: bool,
    /// No inotify watch tells of its changes.
    pub polled: bool,
    pub reading: Option<Box<Reading>>,
}

impl Followed {
    pub fn new(path: Arc<Path>, identity: Identity, fingerprint: Fingerprint, offset: u64) -> Self {
        Self {
            path,
            identity,
            fingerprint,
            read_to: offset,
            safe_to: offset,
            retired: false,
            queued: false,
            after: None,
            was_read: false,
            missing: false,
            searchable: false,
            polled: false,
            reading: None,
        }
    }

    pub fn position(&self) -> Position {
        Position {
            identity: self.identity,
            fingerprint: self.fingerprint,
            offset: self.safe_to,
            retired: self.retired,
            path: self.path.clone(),
        }
    }

    /// It was truncated: nothing that was known of it holds, but who it is.
    pub fn begin_again(&mut self) {
        self.fingerprint = Fingerprint::of(b"");
        self.read_to = 0;
        self.safe_to = 0;
    }

    /// Gives the descriptor back; what was read but is not complete will be read again.
    pub fn close(&mut self) {
        if self.reading.take().is_some() {
            self.read_to = self.safe_to;
        }
    }
}

#[derive(Default)]
pub struct Table {
    /// In boxes: a map is up to half empty.
    files: HashMap<FileId, Box<Followed>>,
    next: FileId,
    names: HashMap<Arc<Path>, FileId>,
    identities: HashMap<Identity, FileId>,
    /// Where a symbolic link leads, for changes that are seen there.
    targets: HashMap<Arc<Path>, FileId>,
    target_of: HashMap<FileId, Arc<Path>>,
    /// Who had a name before and is not read to its end yet.
    former: HashMap<Arc<Path>, FileId>,
    /// The name it had, by which its heir asks for it.
    name_before: HashMap<FileId, Arc<Path>>,
}

impl Table {
    pub fn insert(&mut self, file: Followed) -> FileId {
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        if !file.retired {
            self.names.insert(file.path.clone(), id);
        }
        self.identities.insert(file.identity, id);
        self.files.insert(id, Box::new(file));
        id
    }

    pub fn get(&self, id: FileId) -> Option<&Followed> {
        self.files.get(&id).map(Box::as_ref)
    }

    pub fn get_mut(&mut self, id: FileId) -> Option<&mut Followed> {
        self.files.get_mut(&id).map(Box::as_mut)
    }

    pub fn named(&self, path: &Path) -> Option<FileId> {
        self.names.get(path).or_else(|| self.targets.get(path)).copied()
    }

    pub fn is_name(&self, path: &Path) -> bool {
        self.names.contains_key(path)
    }

    pub fn who(&self, identity: Identity) -> Option<FileId> {
        self.identities.get(&identity).copied()
    }

    /// Who had this name before and may have more to say.
    pub fn former(&self, path: &Path) -> Option<FileId> {
        self.former.get(path).copied()
    }

    /// A file found under another name had this one.
    pub fn add_former(&mut self, path: Arc<Path>, id: FileId) {
        if self.files.contains_key(&id) {
            self.name_before.insert(id, path.clone());
            self.former.insert(path, id);
        }
    }

    pub fn add_target(&mut self, target: Arc<Path>, id: FileId) {
        if self.files.contains_key(&id) {
            self.target_of.insert(id, target.clone());
            self.targets.insert(target, id);
        }
    }

    /// The file has another name now, by which it is followed on.
    pub fn rename(&mut self, id: FileId, path: Arc<Path>) {
        self.drop_names(id);
        let Some(file) = self.files.get_mut(&id) else { return };
        file.path = path.clone();
        file.retired = false;
        file.missing = false;
        self.names.insert(path, id);
    }

    /// Whether its name is a symbolic link.
    pub fn is_link(&self, id: FileId) -> bool {
        self.target_of.contains_key(&id)
    }

    /// The file's name belongs to another, or to nobody.
    pub fn retire(&mut self, id: FileId, path: Option<Arc<Path>>) {
        self.drop_names(id);
        let Some(file) = self.files.get_mut(&id) else { return };
        let name = file.path.clone();
        let had_name = !std::mem::replace(&mut file.retired, true);
        file.missing = false;
        if let Some(path) = path {
            file.path = path;
        }
        if had_name {
            self.add_former(name, id);
        }
    }

    pub fn remove(&mut self, id: FileId) {
        self.drop_names(id);
        self.target_of.remove(&id);
        let before = self.name_before.remove(&id);
        if let Some(before) = before.filter(|name| self.former.get(name) == Some(&id)) {
            self.former.remove(&before);
        }
        if let Some(file) = self.files.remove(&id)
            && self.identities.get(&file.identity) == Some(&id)
        {
            self.identities.remove(&file.identity);
        }
    }

    fn drop_names(&mut self, id: FileId) {
        let Some(file) = self.files.get(&id) else { return };
        if self.names.get(&file.path) == Some(&id) {
            self.names.remove(&file.path);
        }
        if let Some(target) = self.target_of.get(&id)
            && self.targets.get(target) == Some(&id)
        {
            self.targets.remove(target);
        }
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }

    pub fn ids(&self) -> Vec<FileId> {
        self.files.keys().copied().collect()
    }

    pub fn iter(&self) -> impl Iterator<Item = (FileId, &Followed)> {
        self.files.iter().map(|(id, file)| (*id, &**file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_file_takes_little_besides_its_path() {
        assert!(size_of::<Followed>() <= 96, "{} bytes", size_of::<Followed>());
    }
}
