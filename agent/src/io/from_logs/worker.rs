//! The thread that follows logs, as rounds: hear what changed, give each file its turn, complete
//! what is quiet, write down how far it came. The time is an argument, so that tests need not
//! wait.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use muster_runtime::time::now_ms;

use super::discover::Discovery;
use super::files::{Files, From};
use super::journald::{self, Journald};
use super::keeping::{self, Keeping};
use super::live::LiveTap;
use super::outbox::Outbox;
use super::reading::{Desk, LINE_BYTES_MAX};
use super::renames::Renames;
use super::table::{FileId, identity};
use super::unseen::{self, UNSEEN_MAX};
use super::watch::{Seen, Watcher, What};
use super::{LogFacts, LogSettings, LogSink, zone};
use crate::logic::logs::{Clock, Found};

/// How often patterns are looked at again, for what inotify does not tell.
const RESCAN_EVERY: Duration = Duration::from_secs(10);

/// How many quiet files are looked at then: network file systems tell nobody of changes.
const SWEEP_FILES: usize = 64;

/// How often files are looked at that no watch tells about, and how many at a time: a look costs
/// two microseconds.
const POLL_EVERY: Duration = Duration::from_secs(1);
const POLL_FILES: usize = 1000;

/// How soon what was put off is looked at again. It is also how long events are gathered: a busy
/// file is read ten times a second, not at every line.
pub const SOON: Duration = Duration::from_millis(100);

/// How far back a copy may have been made of a file that was truncated while we looked on.
pub(super) const COPIED_WITHIN_MS: i64 = 60_000;

pub struct Worker {
    pub(super) settings: LogSettings,
    pub(super) sink: Arc<dyn LogSink>,
    pub(super) live: LiveTap,
    pub(super) facts: Arc<Mutex<LogFacts>>,
    pub(super) watcher: Watcher,
    pub(super) discovery: Discovery,
    pub(super) files: Files,
    pub(super) outbox: Outbox,
    pub(super) journald: Journald,
    pub(super) keeping: Keeping,
    /// Files that are being read: those with a descriptor.
    pub(super) open: Vec<FileId>,
    /// Files that have lost their names and gave up their descriptors, to be looked at once more.
    pub(super) shelf: VecDeque<(FileId, Instant)>,
    pub(super) lines_read: u64,
    buffer: Vec<u8>,
    found: Vec<Found>,
    utc_offset_ms: i64,
    rescan_at: Instant,
    poll_at: Instant,
    polled: Vec<FileId>,
    sweep: Vec<FileId>,
    is_first: bool,
    /// Files that no pattern means any more are to be let go after the next rescan.
    paths_changed: bool,
}

impl Worker {
    /// Reads where the last run came to. Nothing is read of any log yet.
    pub fn new(
        settings: LogSettings,
        sink: Arc<dyn LogSink>,
        live: LiveTap,
        facts: Arc<Mutex<LogFacts>>,
        now: Instant,
    ) -> Self {
        let (keeping, files, cursor) = keeping::resume(&settings.state_dir, &*sink);
        Self {
            watcher: Watcher::new(),
            discovery: Discovery::new(&settings.paths),
            files: Files::new(files, settings.files_max),
            outbox: Outbox::new(sink.clone(), settings.flood),
            journald: Journald::new(cursor, now),
            keeping,
            open: Vec::new(),
            shelf: VecDeque::new(),
            lines_read: 0,
            buffer: vec![0; LINE_BYTES_MAX],
            found: Vec::new(),
            utc_offset_ms: zone::utc_offset_ms(),
            rescan_at: now,
            poll_at: now,
            polled: Vec::new(),
            sweep: Vec::new(),
            is_first: true,
            paths_changed: false,
            settings,
            sink,
            live,
            facts,
        }
    }

    /// One round; answers how long there is nothing to do unless something happens.
    pub fn round(&mut self, now: Instant) -> Duration {
        self.files.requeue();
        self.hear(now);
        if now >= self.rescan_at {
            self.rescan(now);
        }
        if now >= self.poll_at {
            self.poll(now);
        }
        self.outbox.tick(now, now_ms());
        if !self.outbox.is_blocked() {
            self.take_turns(now);
            let found = self.files.find_missed(now_ms() - COPIED_WITHIN_MS);
            self.note_all(&found);
            self.complete(now);
            self.clear_shelf(now);
            self.read_journal(now);
        }
        self.keep_if_due(now);
        self.tell();
        self.rest(now)
    }

    /// Takes what inotify says.
    fn hear(&mut self, now: Instant) {
        let mut lost = false;
        let mut renames = Renames::default();
        loop {
            let events = self.watcher.read();
            if events.is_empty() {
                break;
            }
            for event in events {
                match event {
                    Seen::Lost => lost = true,
                    Seen::Change(change) => {
                        let path = change.directory.join(&change.name);
                        renames.hear(&change, &path, &self.discovery, &self.files);
                        self.changed(&change.directory, &path, change.what, now);
                    }
                }
            }
        }
        let found = renames.take_up(&mut self.files);
        self.note_all(&found);
        if lost {
            self.discovery.make_stale(None);
            self.rescan_at = now;
            for id in self.files.table.ids() {
                self.files.search_for(id);
            }
        }
    }

    fn changed(&mut self, directory: &Path, path: &Path, what: What, now: Instant) {
        if what == What::Directory {
            self.discovery.make_stale(Some(directory));
            // Not at once: directories often come in numbers.
            self.rescan_at = self.rescan_at.min(now + SOON);
        } else if let Some(id) = self.files.table.named(path) {
            self.files.enqueue(id);
        } else if what == What::Appeared {
            self.appeared(directory, path);
        }
    }

    /// A name that is not followed: new, or one of ours renamed.
    fn appeared(&mut self, directory: &Path, path: &Path) {
        let name = path.file_name().unwrap_or_default();
        let pattern = self.discovery.matching(directory, name);
        let metadata = std::fs::metadata(path).ok();
        let who = metadata.and_then(|metadata| self.files.table.who(identity(&metadata)));
        if let Some(id) = who {
            self.files.moved(id, path, pattern.is_some());
        } else if let Some(pattern) = pattern {
            self.files.adopt(path, self.discovery.text(pattern), From::Beginning);
            self.watch_links();
        }
    }

    fn rescan(&mut self, now: Instant) {
        self.rescan_at = now + RESCAN_EVERY;
        self.utc_offset_ms = zone::utc_offset_ms();
        let (files, keeping) = (&mut self.files, &self.keeping);
        let from_start = self.settings.read_from_start;
        self.discovery.rescan(&mut self.watcher, now, &mut |path, pattern| {
            // Under a pattern that nobody had asked for before, what is there already is old.
            let is_new = from_start || keeping.patterns.iter().any(|known| known == pattern);
            files.adopt(path, pattern, if is_new { From::Beginning } else { From::End });
        });
        let was_followed = std::mem::take(&mut self.keeping.patterns);
        self.keeping.patterns.clone_from(&self.settings.paths);
        self.watch_links();
        if std::mem::take(&mut self.paths_changed) {
            self.let_go();
        }
        if std::mem::take(&mut self.is_first) {
            self.end_start(&was_followed, now);
        }
        self.look_around();
    }

    /// The first look at everything is over: what lost its name while we were away is looked for.
    fn end_start(&mut self, was_followed: &[String], now: Instant) {
        let (discovery, since) = (&self.discovery, self.keeping.written_at);
        self.files.end_of_start(|path| discovery.means(path));
        let missed = self.files.missed().to_vec();
        let mut found = self.files.find_missed(since);
        let is_known = |identity| self.files.table.who(identity).is_some();
        let unseen = unseen::since(since, discovery, was_followed, &is_known, UNSEEN_MAX);
        let unseen = self.files.take_unseen(unseen, &missed, &found);
        found.extend(unseen);
        self.note_all(&found);
        self.keep(now);
    }

    /// A link changes where it leads to, not where it is.
    fn watch_links(&mut self) {
        for (id, target) in self.files.take_links() {
            let directory: Option<Arc<Path>> = target.parent().map(Arc::from);
            let watched = directory.is_some_and(|directory| self.watcher.add(&directory));
            self.files.table.add_target(target.into(), id);
            if let Some(file) = self.files.table.get_mut(id) {
                file.polled = !watched;
            }
        }
    }

    /// Chooses which files are looked at without being told.
    fn look_around(&mut self) {
        self.files.problems.forget_missing();
        let discovery = &self.discovery;
        let any = discovery.has_unwatched();
        let is_unwatched =
            |path: &Path| any && path.parent().is_none_or(|it| !discovery.is_watched(it));
        let polled =
            self.files.table.iter().filter(|(_, file)| file.polled || is_unwatched(&file.path));
        self.polled = polled.map(|(id, _)| id).collect();
        if self.sweep.is_empty() {
            self.sweep = self.files.table.ids();
        }
        let rest = self.sweep.len().saturating_sub(SWEEP_FILES);
        for id in self.sweep.split_off(rest) {
            self.files.search_for(id);
        }
    }

    fn poll(&mut self, now: Instant) {
        self.poll_at = now + POLL_EVERY;
        self.files.fill_vacant();
        self.watch_links();
        let count = self.polled.len().min(POLL_FILES);
        self.polled.rotate_left(count);
        let rest = self.polled.len() - count;
        for id in &self.polled[rest..] {
            self.files.search_for(*id);
        }
    }

    /// Forgets the files that are not meant any more.
    fn let_go(&mut self) {
        for id in self.files.table.ids() {
            let is_meant = |path: &Path| self.discovery.means(path);
            if self.files.table.get(id).is_some_and(|file| !file.retired && !is_meant(&file.path)) {
                self.files.table.remove(id);
            }
        }
    }

    /// Other settings from now on. What is followed under both goes on where it is.
    pub fn apply(&mut self, settings: LogSettings, now: Instant) {
        // The state directory is where this run began.
        let settings = LogSettings { state_dir: self.settings.state_dir.clone(), ..settings };
        if settings == self.settings {
            return;
        }
        if settings.flood != self.settings.flood {
            self.outbox.set_limits(settings.flood, now, now_ms());
        }
        if settings.least != self.settings.least {
            // A scanner keeps the severity it was made with.
            for id in std::mem::take(&mut self.open) {
                if let Some(file) = self.files.table.get_mut(id) {
                    file.close();
                }
                self.files.enqueue(id);
            }
        }
        if settings.paths != self.settings.paths {
            self.follow_other_paths(&settings.paths);
        }
        self.files.set_limit(settings.files_max);
        if journald::concerns(&self.settings) != journald::concerns(&settings) {
            self.journald.restart(now);
        }
        self.rescan_at = now;
        self.settings = settings;
    }

    /// Watches begin anew, or those of directories that are not meant any more would stay. What
    /// the old ones had to tell is looked up.
    fn follow_other_paths(&mut self, paths: &[String]) {
        self.paths_changed = true;
        self.discovery = Discovery::new(paths);
        self.watcher = Watcher::new();
        self.files.look_at_links();
        for id in self.files.table.ids() {
            self.files.search_for(id);
        }
    }

    /// The files, and what a turn of one of them needs besides.
    pub(super) fn desk(&mut self, now: Instant) -> (&mut Files, Desk<'_>) {
        let clock = Clock { now_ms: now_ms(), utc_offset_ms: self.utc_offset_ms };
        let desk = Desk {
            buffer: &mut self.buffer,
            found: &mut self.found,
            outbox: &mut self.outbox,
            live: &self.live,
            lines_read: &mut self.lines_read,
            now,
            clock,
        };
        (&mut self.files, desk)
    }

    fn read_journal(&mut self, now: Instant) {
        let clock = Clock { now_ms: now_ms(), utc_offset_ms: self.utc_offset_ms };
        let lines = self.journald.round(&self.settings, &self.live, &mut self.outbox, now, clock);
        self.lines_read += lines;
        self.keeping.moved |= lines > 0;
    }

    pub fn watcher(&self) -> &Watcher {
        &self.watcher
    }

    /// What wakes the thread besides inotify and requests.
    pub fn pipe(&self) -> Option<BorrowedFd<'_>> {
        self.journald.pipe().filter(|_| !self.outbox.is_blocked())
    }

    fn rest(&self, now: Instant) -> Duration {
        let until = |at: Instant| at.saturating_duration_since(now);
        if self.outbox.is_blocked() {
            return self.outbox.next_deadline().map_or(SOON, until);
        }
        if self.files.queued() > 0 || self.journald.has_more() {
            return Duration::ZERO;
        }
        let soon = self.files.has_later().then_some(now + SOON);
        let poll = (!self.polled.is_empty() || self.files.has_vacant()).then_some(self.poll_at);
        let deadlines = [
            Some(self.rescan_at),
            soon,
            poll,
            self.outbox.next_deadline(),
            self.completion_deadline(),
            self.shelf_deadline(),
            self.keeping.next_deadline(self.files.table.len()),
            self.journald.next_deadline(),
        ];
        deadlines.into_iter().flatten().min().map_or(RESCAN_EVERY, until)
    }
}
