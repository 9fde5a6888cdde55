//! Which files have a descriptor, when there are more to read than may be open.
//!
//! Only a file that was read to its end gives its descriptor up. Others wait, so that each one
//! that was opened comes forward and the queue gets shorter with every round, however many files
//! were rotated at once. Called by `turns.rs`.

use std::fs;
use std::time::{Duration, Instant};

use super::reading;
use super::table::{FileId, Followed, identity};
use super::worker::Worker;

/// How many descriptors are kept open. The usual limit of a process is 1024.
pub const OPEN_FILES_MAX: usize = 256;

/// When a quiet file is closed.
const CLOSE_AFTER: Duration = Duration::from_secs(60);

/// When a quiet file that has lost its name is forgotten: its writer may take a while to notice.
const FORGET_AFTER: Duration = Duration::from_secs(10);

pub fn close_after(is_retired: bool) -> Duration {
    if is_retired { FORGET_AFTER } else { CLOSE_AFTER }
}

/// How little is lost when a file gives its descriptor up; the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cost {
    Nothing,
    /// What follows its last event would be an event of its own.
    LastEvent,
}

impl Worker {
    /// Whether [`Worker::make_room`] would.
    pub(super) fn has_room(&self) -> bool {
        let is_closable = |id: &FileId| self.files.table.get(*id).and_then(cost).is_some();
        self.open.len() < OPEN_FILES_MAX || self.open.iter().any(is_closable)
    }

    /// Closes a file that was read to its end, if there are too many open; the one that was quiet
    /// for longest first. `false`: none was.
    pub(super) fn make_room(&mut self, now: Instant) -> bool {
        if self.open.len() < OPEN_FILES_MAX {
            return true;
        }
        let table = &self.files.table;
        let rank = |index: &usize| {
            let file = table.get(self.open[*index])?;
            // One that has lost its name might not be found again.
            Some((cost(file)?, file.retired, file.reading.as_ref()?.grown_at))
        };
        let ranked = (0..self.open.len()).filter_map(|index| Some((rank(&index)?, index)));
        let Some((_, index)) = ranked.min() else { return false };
        let id = self.open.swap_remove(index);
        let (files, mut desk) = self.desk(now);
        if let Some(file) = files.table.get_mut(id) {
            // Nobody would come back to complete it.
            reading::finish(id, file, &mut desk);
            file.close();
            file.was_read = true;
            if file.retired {
                self.shelf.push_back((id, now + FORGET_AFTER));
            }
        }
        true
    }

    /// Looks once more at what had lost its name and gave its descriptor up, and forgets it where
    /// its writer has nothing added.
    pub(super) fn clear_shelf(&mut self, now: Instant) {
        while let Some((id, _)) = self.shelf.front().copied().filter(|(_, at)| now >= *at) {
            self.shelf.pop_front();
            let is_idle = |file: &&Followed| file.retired && file.reading.is_none() && !file.queued;
            let Some(file) = self.files.table.get(id).filter(is_idle) else { continue };
            let has_more = fs::metadata(&file.path).is_ok_and(|metadata| {
                identity(&metadata) == file.identity && metadata.len() != file.read_to
            });
            if has_more {
                self.files.enqueue(id);
            } else {
                self.files.table.remove(id);
            }
        }
    }

    pub(super) fn shelf_deadline(&self) -> Option<Instant> {
        self.shelf.front().map(|(_, at)| *at)
    }
}

/// `None`: there is more to read, or something waits to be completed that would be read again.
fn cost(file: &Followed) -> Option<Cost> {
    let reading = file.reading.as_ref()?;
    if file.queued || !reading.is_at_end(file.read_to) || reading.waits_for_newline() {
        return None;
    }
    Some(if reading.next_deadline().is_none() { Cost::Nothing } else { Cost::LastEvent })
}

/// Whether an heir need not wait for this one.
pub fn is_read(old: &Followed) -> bool {
    match &old.reading {
        Some(reading) => reading.is_at_end(old.read_to),
        None => old.was_read,
    }
}
