//! Which file is which: takes up what discovery names, notices what was renamed, replaced,
//! truncated or deleted, and says whose turn it is.
//!
//! A file that is new is read from its beginning, unless it was there before anybody asked for
//! it: then from its end, because an agent must not send a year of old errors.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{debug, info, warn};

use super::problems::Problems;
use super::siblings;
use super::table::{FileId, Followed, Table, identity};
use crate::logic::follow::{Fingerprint, Identity, Position};

/// How many names that are no files are remembered, so as not to be named in the log again.
const SKIPPED_MAX: usize = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    Beginning,
    End,
}

#[derive(Default)]
pub struct Files {
    pub table: Table,
    pub problems: Problems,
    pub files_max: usize,
    queue: VecDeque<FileId>,
    /// To be queued in the next round.
    later: Vec<FileId>,
    /// From the last run. After the first look at everything only what was in directories that
    /// are not there: they may be mounted later.
    known: HashMap<Identity, Position>,
    /// Those of them that have the name they had, until the first look is over.
    resumed: HashSet<FileId>,
    /// Files that have lost their names unseen, to be looked for.
    missed: Vec<Position>,
    /// New files behind symbolic links: changes are seen where they lead.
    links: Vec<FileId>,
    /// Links that lead nowhere just now, or elsewhere: nobody tells when they lead to a file.
    vacant: Vec<Arc<Path>>,
    /// A file was taken up since the last time this was asked.
    pub has_new: bool,
    skipped: HashSet<PathBuf>,
    is_full: bool,
}

impl Files {
    pub fn new(known: HashMap<Identity, Position>, files_max: usize) -> Self {
        Self { files_max, known, ..Self::default() }
    }

    /// Puts a file in the queue, unless it is there already.
    pub fn enqueue(&mut self, id: FileId) {
        if let Some(file) = self.table.get_mut(id)
            && !std::mem::replace(&mut file.queued, true)
        {
            // What was renamed is read first, or its last lines would follow its heir's.
            if file.retired { self.queue.push_front(id) } else { self.queue.push_back(id) }
        }
    }

    pub fn dequeue(&mut self) -> Option<FileId> {
        let id = self.queue.pop_front()?;
        if let Some(file) = self.table.get_mut(id) {
            file.queued = false;
        }
        Some(id)
    }

    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Takes up a file that discovery has found. `pattern` is the text that means it.
    pub fn adopt(&mut self, path: &Path, pattern: &str, from: From) {
        if self.table.is_name(path) {
            return;
        }
        if self.table.len() >= self.files_max {
            if !std::mem::replace(&mut self.is_full, true) {
                warn!(
                    "{pattern} means more files than the {} that are followed; the rest is not",
                    self.files_max
                );
            }
            return;
        }
        let Some(metadata) = self.regular(path) else { return };
        match self.table.who(identity(&metadata)) {
            Some(id) => self.moved(id, path, true),
            None => self.take_up(&path.into(), &metadata, from),
        }
    }

    fn regular(&mut self, path: &Path) -> Option<Metadata> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => return Some(metadata),
            Ok(_) => {
                if self.skipped.len() < SKIPPED_MAX && self.skipped.insert(path.into()) {
                    info!("{} is not a file and is not followed", path.display());
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => self.problems.report(path, &error),
        }
        None
    }

    fn take_up(&mut self, path: &Arc<Path>, metadata: &Metadata, from: From) {
        let identity = identity(metadata);
        let known = self.known.remove(&identity);
        // Where it cannot be read now, its beginning is learned later.
        let head = siblings::fingerprint(path);
        if let Err(error) = &head {
            self.problems.report(path, error);
        }
        let fits = |known: &Position| {
            metadata.len() >= known.offset && siblings::still_fits(path, known.fingerprint)
        };
        let keeps_name = known.as_ref().is_some_and(|it| it.path == *path && fits(it));
        let (fingerprint, offset) = match known {
            Some(known) if keeps_name || fits(&known) => (known.fingerprint, known.offset),
            Some(known) => {
                self.missed.push(known);
                (head.unwrap_or(Fingerprint::of(b"")), 0)
            }
            None if from == From::End => (head.unwrap_or(Fingerprint::of(b"")), metadata.len()),
            None => (head.unwrap_or(Fingerprint::of(b"")), 0),
        };
        let mut file = Followed::new(path.clone(), identity, fingerprint, offset);
        file.after = self.table.former(path);
        let is_link = path.is_symlink();
        let id = self.table.insert(file);
        if keeps_name {
            self.resumed.insert(id);
        }
        self.has_new = true;
        if is_link {
            self.links.push(id);
        }
        if metadata.len() > offset {
            self.enqueue(id);
        }
    }

    /// A file we follow was seen under another name. `is_meant`: by that name, too.
    pub fn moved(&mut self, id: FileId, path: &Path, is_meant: bool) {
        let Some(file) = self.table.get(id) else { return };
        let keeps_name = fs::metadata(&file.path).is_ok_and(|old| identity(&old) == file.identity);
        // A second name (a link) is not a second file; a retired one has no name to keep.
        if keeps_name && (!file.retired || !is_meant) {
            return;
        }
        self.vacate(id);
        if is_meant {
            self.table.rename(id, path.into());
        } else {
            self.table.retire(id, Some(path.into()));
        }
        self.enqueue(id);
    }

    /// Whether the file still has its name. If not it is retired, and who has the name now is
    /// taken up. Answers its size.
    pub fn check_name(&mut self, id: FileId) -> Option<u64> {
        let file = self.table.get_mut(id)?;
        if file.retired {
            return None;
        }
        let searchable = std::mem::take(&mut file.searchable);
        let path = file.path.clone();
        match fs::metadata(&path) {
            Ok(metadata) if identity(&metadata) == file.identity => return Some(metadata.len()),
            Ok(metadata) => {
                self.lose_name(id, searchable);
                if metadata.is_file() {
                    match self.table.who(identity(&metadata)) {
                        Some(other) => self.moved(other, &path, true),
                        None => self.take_up(&path, &metadata, From::Beginning),
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => self.lose_name(id, searchable),
            Err(error) => self.problems.report(&path, &error),
        }
        None
    }

    fn vacate(&mut self, id: FileId) {
        if let Some(file) = self.table.get(id).filter(|_| self.table.is_link(id)) {
            self.vacant.push(file.path.clone());
        }
    }

    /// Tries the links again that lost their file.
    pub fn fill_vacant(&mut self) {
        for path in std::mem::take(&mut self.vacant) {
            if path.is_symlink() && !self.table.is_name(&path) {
                self.adopt(&path, "", From::Beginning);
                if !self.table.is_name(&path) {
                    self.vacant.push(path);
                }
            }
        }
    }

    pub fn has_vacant(&self) -> bool {
        !self.vacant.is_empty()
    }

    pub fn lose_name(&mut self, id: FileId, searchable: bool) {
        self.vacate(id);
        let Some(file) = self.table.get(id) else { return };
        if file.reading.is_none() && searchable {
            let position = file.position();
            self.table.remove(id);
            self.missed.push(position);
        } else {
            self.table.retire(id, None);
            self.enqueue(id);
        }
    }

    /// A retired file is not where it should be: the kernel may yet say where it went.
    pub fn miss_once(&mut self, id: FileId) {
        let Some(file) = self.table.get_mut(id) else { return };
        if std::mem::replace(&mut file.missing, true) {
            self.table.remove(id);
        } else {
            self.later.push(id);
        }
    }

    /// Looks at a file nobody told about; if it is gone, its rest is searched for.
    pub fn search_for(&mut self, id: FileId) {
        if let Some(file) = self.table.get_mut(id) {
            file.searchable = true;
        }
        self.enqueue(id);
    }

    /// What has lost its name and cannot be read either is of no more use.
    pub fn give_up(&mut self, id: FileId) {
        if self.table.get(id).is_some_and(|file| file.retired) {
            self.table.remove(id);
        }
    }

    /// Another limit; who was turned away may be taken up at the next listing.
    pub fn set_limit(&mut self, files_max: usize) {
        self.files_max = files_max;
        self.is_full = false;
    }

    /// What was put off until the next round.
    pub fn requeue(&mut self) {
        for id in std::mem::take(&mut self.later) {
            self.enqueue(id);
        }
    }

    pub fn has_later(&self) -> bool {
        !self.later.is_empty()
    }

    pub fn put_off(&mut self, id: FileId) {
        self.later.push(id);
    }

    /// The first look at everything is over: what was known and is not there is missed, if it is
    /// still meant.
    pub fn end_of_start(&mut self, is_meant: impl Fn(&Path) -> bool) {
        let left = std::mem::take(&mut self.known);
        for (identity, old) in left {
            if old.path.parent().is_some_and(|directory| !directory.exists()) {
                self.known.insert(identity, old);
            } else if old.retired || is_meant(&old.path) {
                self.missed.push(old);
            }
        }
    }

    /// The files that have the name they had at the last look of the run before.
    pub fn take_resumed(&mut self) -> HashSet<FileId> {
        std::mem::take(&mut self.resumed)
    }

    /// The files that have lost their names unseen.
    pub fn missed(&self) -> &[Position] {
        &self.missed
    }

    /// How far everything was read.
    pub fn positions(&self) -> Vec<Position> {
        let followed = self.table.iter().map(|(_, file)| file.position());
        followed.chain(self.known.values().cloned()).collect()
    }

    /// The rest of a file that was truncated may be in a copy.
    pub fn miss(&mut self, position: Position) {
        self.missed.push(position);
    }

    /// Looks for the files that were missed; answers those that were found. Copies made before
    /// `since` are not what is looked for.
    pub fn find_missed(&mut self, since: i64) -> Vec<FileId> {
        let mut places: HashMap<PathBuf, Vec<Position>> = HashMap::new();
        let mut missed = std::mem::take(&mut self.missed);
        // A copy that was begun with goes on where it was, before it is taken for a new one.
        missed.sort_by_key(|position| !position.retired);
        for position in missed {
            let place = fs::canonicalize(&position.path).unwrap_or(position.path.to_path_buf());
            let directory = place.parent().unwrap_or(Path::new("/")).to_path_buf();
            places.entry(directory).or_default().push(position);
        }
        let mut found = Vec::new();
        for (directory, wanted) in places {
            let is_followed = |identity| self.table.who(identity).is_some();
            let rests = siblings::find(&directory, &wanted, since, &is_followed);
            for (position, rest) in wanted.into_iter().zip(rests) {
                found.extend(self.take_rest(position, rest));
            }
        }
        found
    }

    fn take_rest(&mut self, position: Position, rest: Option<siblings::Rest>) -> Option<FileId> {
        let name = position.path;
        let Some(rest) = rest.filter(|rest| self.table.who(rest.identity).is_none()) else {
            debug!("no rest of {} is beside it", name.display());
            return None;
        };
        info!("the rest of {} is in {}", name.display(), rest.path.display());
        let mut file =
            Followed::new(rest.path, rest.identity, position.fingerprint, position.offset);
        file.retired = true;
        let id = self.table.insert(file);
        if let Some(heir) = self.table.named(&name).and_then(|heir| self.table.get_mut(heir)) {
            heir.after = Some(id);
        }
        self.table.add_former(name, id);
        self.enqueue(id);
        Some(id)
    }

    /// All links are to be watched again.
    pub fn look_at_links(&mut self) {
        let ids = self.table.ids();
        self.links = ids.into_iter().filter(|id| self.table.is_link(*id)).collect();
    }

    /// New files behind symbolic links, with where they lead.
    pub fn take_links(&mut self) -> Vec<(FileId, PathBuf)> {
        let links = std::mem::take(&mut self.links);
        let target = |id: FileId| {
            let file = self.table.get(id)?;
            Some((id, fs::canonicalize(&file.path).ok()?))
        };
        links.into_iter().filter_map(target).collect()
    }
}
