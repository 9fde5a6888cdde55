//! What is kept for the next start, and told to the rest of the agent.

use std::collections::HashMap;
use std::path::Path;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use muster_runtime::time::now_ms;
use tracing::{info, warn};

use super::worker::Worker;
use super::{LogFacts, LogSink, checkpoint};
use crate::logic::follow::{self, Checkpoint, Identity, Note, Position};

/// How often positions are written down. After a kill, what was read since is read again; what
/// mattered of it is in notes, and is not said again.
const KEEP_EVERY: Duration = Duration::from_secs(5);

/// With very many files it is a file of megabytes, and written less often.
const LARGE_FILES: usize = 1000;
const KEEP_LARGE_EVERY: Duration = Duration::from_secs(60);

/// How much sooner what is urgent is written down.
const URGENT_SHARE: u32 = 5;

#[derive(Default)]
pub struct Keeping {
    /// What was followed up to now.
    pub patterns: Vec<String>,
    /// Never put back: a clock that is behind at one checkpoint, such as that of a machine that
    /// keeps no time while it is off, would make old rotations look new at the next start.
    pub written_at: i64,
    /// Something was read since the last checkpoint.
    pub moved: bool,
    /// Files came or began again: until that is written down, a kill and another rotation would
    /// hide them.
    pub urgent: bool,
    last_try: Option<Instant>,
    failed: bool,
}

impl Keeping {
    pub fn next_deadline(&self, files: usize) -> Option<Instant> {
        let last = self.last_try.filter(|_| self.moved || self.urgent)?;
        let every = if files > LARGE_FILES { KEEP_LARGE_EVERY } else { KEEP_EVERY };
        Some(last + if self.urgent { every / URGENT_SHARE } else { every })
    }
}

/// Where the last run came to: by its checkpoint, and by the notes after it.
pub fn resume(
    state_dir: &Path,
    sink: &dyn LogSink,
) -> (Keeping, HashMap<Identity, Position>, Option<String>) {
    let kept = checkpoint::load(state_dir).unwrap_or_default();
    let notes = sink.notes().unwrap_or_else(|error| {
        warn!(%error, "cannot read how far logs were read in the journal: some lines may come twice");
        Vec::new()
    });
    let notes = notes
        .into_iter()
        .filter_map(|(epoch, seq, note)| Some(((epoch, seq), Note::decode(&note)?)));
    let (files, cursor) = follow::resume(kept.note, (kept.epoch, kept.seq), notes);
    let (patterns, written_at) = (kept.patterns, kept.written_at);
    (Keeping { patterns, written_at, moved: true, ..Keeping::default() }, files, cursor)
}

impl Worker {
    pub(super) fn keep_if_due(&mut self, now: Instant) {
        self.keeping.urgent |= std::mem::take(&mut self.files.has_new);
        let deadline = self.keeping.next_deadline(self.files.table.len());
        // One that cannot be written is not tried in each round.
        let is_wanted = self.outbox.has_much_to_note() && !self.keeping.failed;
        if is_wanted || deadline.is_some_and(|at| now >= at) {
            self.keep(now);
        }
    }

    /// Writes the checkpoint. What was gathered is committed first: positions must not be ahead
    /// of the lines.
    pub(super) fn keep(&mut self, now: Instant) {
        self.keeping.last_try = Some(now);
        if self.outbox.is_blocked() || !self.outbox.commit(now) {
            return;
        }
        // Nothing is gathered any more, and nobody else writes frames: all notes are included.
        let (epoch, seq) = self.sink.last();
        let files = self.files.positions();
        let checkpoint = Checkpoint {
            epoch,
            seq,
            written_at: self.keeping.written_at.max(now_ms()),
            patterns: self.keeping.patterns.clone(),
            note: Note { files, cursor: self.journald.cursor() },
        };
        match checkpoint::store(&self.settings.state_dir, &checkpoint) {
            Ok(()) => {
                if std::mem::take(&mut self.keeping.failed) {
                    info!("how far logs were read is written down again");
                }
                self.keeping.moved = false;
                self.keeping.urgent = false;
                self.keeping.written_at = checkpoint.written_at;
                self.outbox.checkpointed();
                self.sink.checkpointed(epoch, seq);
            }
            Err(error) => {
                if !std::mem::replace(&mut self.keeping.failed, true) {
                    let place = self.settings.state_dir.display();
                    warn!(%error, "cannot write down in {place} how far logs were read");
                }
            }
        }
    }

    /// Commits what is complete; an event that may still grow is read again at the next start.
    pub fn finish(&mut self, now: Instant) {
        if !self.outbox.is_blocked() {
            self.outbox.close(now, now_ms());
        }
        self.keep(now);
        self.journald.stop();
    }

    /// Shows the rest of the agent how it goes.
    pub(super) fn tell(&self) {
        let problems = self.files.problems.summary().map(|said| ("logs".to_owned(), said));
        let journald = self.journald.problem().map(|said| ("journald".to_owned(), said));
        let facts = LogFacts {
            lines_read: self.lines_read,
            lines_suppressed: self.outbox.counts.suppressed,
            error_lines: self.outbox.counts.errors,
            files: self.files.table.len(),
            errors: problems.into_iter().chain(journald).collect(),
        };
        *self.facts.lock().unwrap_or_else(PoisonError::into_inner) = facts;
    }
}
