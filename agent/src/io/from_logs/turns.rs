//! A file's turn: is it still the same, is there more, read it; and what becomes of one that is
//! quiet, was truncated or has lost its name.

use std::io;
use std::time::{Duration, Instant};

use tracing::info;

use super::descriptors::{close_after, is_read};
use super::reading::{self, Reading, Turn};
use super::table::FileId;
use super::worker::Worker;

/// How often it is looked at until then: events speak of names.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Worker {
    /// Each file in the queue has one turn.
    pub(super) fn take_turns(&mut self, now: Instant) {
        let mut has_room = true;
        for _ in 0..self.files.queued() {
            if self.outbox.is_blocked() {
                return;
            }
            let Some(id) = self.files.dequeue() else { return };
            let is_closed = self.files.table.get(id).is_some_and(|file| file.reading.is_none());
            // Asked before anything is asked about the file: thousands may wait for a descriptor,
            // round after round.
            has_room = has_room && (!is_closed || self.has_room());
            if is_closed && !has_room {
                self.files.put_off(id);
                continue;
            }
            if !self.is_due(id) {
                continue;
            }
            // Only now: a file is not closed for one that has nothing to read.
            if is_closed && !self.make_room(now) {
                self.files.put_off(id);
                continue;
            }
            if self.is_open(id, now) {
                self.turn(id, now);
                // It may have come to its end.
                has_room = true;
            }
        }
    }

    /// Whether there may be something to read, by name, size and order.
    fn is_due(&mut self, id: FileId) -> bool {
        let was_told = self.files.table.get(id).is_some_and(|file| !file.searchable);
        let size = self.files.check_name(id);
        let Some(file) = self.files.table.get(id) else { return false };
        if !file.retired && size.is_none() {
            return false;
        }
        if let Some(after) = file.after
            && self.files.table.get(after).is_some_and(|old| !is_read(old))
        {
            self.files.put_off(id);
            return false;
        }
        let Some(file) = self.files.table.get_mut(id) else { return false };
        file.after = None;
        was_told || file.reading.is_some() || size != Some(file.read_to)
    }

    fn is_open(&mut self, id: FileId, now: Instant) -> bool {
        let Some(file) = self.files.table.get_mut(id) else { return false };
        if file.reading.is_some() {
            return true;
        }
        let path = file.path.clone();
        match Reading::open(file, &self.settings, now) {
            Ok(Some(reading)) => {
                file.reading = Some(Box::new(reading));
                file.was_read = false;
                self.files.problems.settle(&path);
                self.open.push(id);
                return true;
            }
            Ok(None) => self.files.miss_once(id),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.files.miss_once(id),
            Err(error) => {
                self.files.problems.report(&path, &error);
                self.files.give_up(id);
            }
        }
        false
    }

    fn turn(&mut self, id: FileId, now: Instant) {
        let (files, mut desk) = self.desk(now);
        let Some(file) = files.table.get_mut(id) else { return };
        let read_to = file.read_to;
        let turned = reading::turn(id, file, &mut desk);
        self.keeping.moved |= self.files.table.get(id).is_some_and(|file| file.read_to != read_to);
        match turned {
            Ok(Turn::Done) => {}
            Ok(Turn::More) => self.files.enqueue(id),
            Ok(Turn::Truncated) => self.truncated(id, now),
            Err(error) => {
                if let Some(file) = self.files.table.get_mut(id) {
                    file.close();
                    let path = file.path.clone();
                    self.files.problems.report(&path, &error);
                }
                self.open.retain(|open| *open != id);
                self.files.give_up(id);
            }
        }
    }

    /// What was read belongs to the past: the file begins again, and the unread rest of what it
    /// was may be in a copy.
    fn truncated(&mut self, id: FileId, now: Instant) {
        self.open.retain(|open| *open != id);
        self.keeping.urgent = true;
        let (files, mut desk) = self.desk(now);
        let Some(file) = files.table.get_mut(id) else { return };
        reading::finish(id, file, &mut desk);
        file.close();
        if file.retired {
            files.table.remove(id);
            return;
        }
        let before = file.position();
        info!("{} was truncated", file.path.display());
        file.begin_again();
        files.miss(before);
        let found = files.find_missed(desk.clock.now_ms - super::worker::COPIED_WITHIN_MS);
        // After the rest of the old, so that lines keep their order.
        files.put_off(id);
        self.note_all(&found);
        self.note_all(&[id]);
    }

    /// Completes what waited long enough, and closes what is quiet.
    pub(super) fn complete(&mut self, now: Instant) {
        for id in std::mem::take(&mut self.open) {
            if self.outbox.is_blocked() || !self.complete_one(id, now) {
                self.open.push(id);
            }
        }
    }

    /// Answers whether the file is not open any more.
    fn complete_one(&mut self, id: FileId, now: Instant) -> bool {
        let (files, mut desk) = self.desk(now);
        let Some(file) = files.table.get_mut(id) else { return true };
        let Some(reading) = &file.reading else { return true };
        if reading.next_deadline().is_some_and(|at| now >= at) {
            let safe_to = file.safe_to;
            let settled = reading::settle(id, file, &mut desk);
            let moved = file.safe_to != safe_to;
            let is_at_end =
                file.reading.as_ref().is_some_and(|reading| reading.is_at_end(file.read_to));
            if settled.is_err() || !is_at_end {
                // Its turn will show what became of it.
                files.put_off(id);
            }
            self.keeping.moved |= moved;
            return false;
        }
        if file.retired && now >= reading.looked_at + LOOK_EVERY {
            files.enqueue(id);
            return false;
        }
        let (after, is_retired) = (close_after(file.retired), file.retired);
        let is_idle = reading.next_deadline().is_none() && reading.is_at_end(file.read_to);
        if !is_idle || file.queued || now < reading.grown_at + after {
            return false;
        }
        file.close();
        if is_retired {
            files.table.remove(id);
        }
        true
    }

    /// When [`Worker::complete`] has something to do.
    pub(super) fn completion_deadline(&self) -> Option<Instant> {
        let files = self.open.iter().filter_map(|id| self.files.table.get(*id));
        let deadline = |file: &super::table::Followed| {
            let reading = file.reading.as_ref()?;
            let mut close_at = reading.grown_at + close_after(file.retired);
            if file.retired {
                close_at = close_at.min(reading.looked_at + LOOK_EVERY);
            }
            Some(reading.next_deadline().map_or(close_at, |at| at.min(close_at)))
        };
        files.filter_map(deadline).min()
    }

    /// A kill between now and the next checkpoint must not lose the rest of what was renamed.
    pub(super) fn note_all(&mut self, ids: &[FileId]) {
        for id in ids {
            if let Some(file) = self.files.table.get(*id) {
                self.outbox.note(*id, file.position());
            }
        }
    }
}
