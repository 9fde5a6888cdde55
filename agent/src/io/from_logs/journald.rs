//! The systemd journal, by a child process `journalctl --follow` that prints one JSON object a
//! line. Its cursor is a position like those of files.
//!
//! Where there is no journal, or no `journalctl`, that is said once and looked at again every ten
//! minutes. An idle child outlives a killed agent until the journal's next line, on which it
//! notices that nobody reads.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use muster_runtime::time::now_ms;
use muster_schemas::logs::{LogLine, Severity};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use tracing::{info, warn};

use super::live::LiveTap;
use super::outbox::{Outbox, Place};
use super::{LogSettings, journal_entry};
use crate::logic::logs::{Clock, read_journal_entry};

const FIELDS: &str =
    "PRIORITY,_TRANSPORT,SYSLOG_IDENTIFIER,_SYSTEMD_UNIT,MESSAGE,__REALTIME_TIMESTAMP,__CURSOR";

/// The longest entry that is read: journald itself splits what services print at 48 KiB, and JSON
/// may need four times that for bytes that are no text. A longer one is left out.
const ENTRY_BYTES_MAX: usize = 256 * 1024;

/// How much is taken before files have their turn again.
const TURN_BYTES_MAX: usize = 1024 * 1024;

/// Read at a time: what a pipe holds.
const READ_BYTES: usize = 64 * 1024;

/// A child that ends is started again after this long, and after twice as long each time.
const RESTART_AFTER: Duration = Duration::from_secs(1);
const RESTART_AFTER_MAX: Duration = Duration::from_secs(60);

/// One that ran for so long had worked: the next wait is the short one.
const WORKED_AFTER: Duration = Duration::from_secs(60);

/// How often it is looked for where there was none.
const ABSENT_RETRY_AFTER: Duration = Duration::from_secs(600);

pub struct Journald {
    cursor: Option<String>,
    state: State,
    restart_after: Duration,
    problem: Option<String>,
    is_absent: bool,
    has_more: bool,
}

/// What of the settings a running `journalctl` was started with: where it differs, a new one is
/// needed.
pub fn concerns(settings: &LogSettings) -> (bool, Severity, Option<&Path>, bool) {
    let LogSettings { journald, least, journal_directory, read_from_start, .. } = settings;
    (*journald, *least, journal_directory.as_deref(), *read_from_start)
}

enum State {
    Waiting(Instant),
    Running(Box<Running>),
}

struct Running {
    child: Child,
    stdout: ChildStdout,
    /// What was read and is not a whole line yet.
    rest: Vec<u8>,
    /// The line in `rest` is too long: its end is looked for.
    skipping: bool,
    started_at: Instant,
    /// Without a cursor, entries from before are not ours to report.
    from_ms: i64,
    /// Whether `journalctl` leaves out what is not bad enough.
    is_filtered: bool,
}

impl Journald {
    pub fn new(cursor: Option<String>, now: Instant) -> Self {
        Self {
            cursor,
            state: State::Waiting(now),
            restart_after: RESTART_AFTER,
            problem: None,
            is_absent: false,
            has_more: false,
        }
    }

    pub fn cursor(&self) -> Option<String> {
        self.cursor.clone()
    }

    pub fn problem(&self) -> Option<String> {
        self.problem.clone()
    }

    pub fn has_more(&self) -> bool {
        self.has_more
    }

    pub fn pipe(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Running(running) => Some(running.stdout.as_fd()),
            State::Waiting(_) => None,
        }
    }

    /// When it is to be started (again).
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Waiting(until) => Some(*until),
            State::Running(_) => None,
        }
    }

    /// Reads what there is; answers how many entries that was.
    pub fn round(
        &mut self,
        settings: &LogSettings,
        live: &LiveTap,
        outbox: &mut Outbox,
        now: Instant,
        clock: Clock,
    ) -> u64 {
        self.has_more = false;
        if !settings.journald {
            self.stop();
            self.state = State::Waiting(now + ABSENT_RETRY_AFTER);
            return 0;
        }
        let wants_filter = !live.is_open() && matches(settings.least).is_some();
        if matches!(&self.state, State::Running(running) if running.is_filtered != wants_filter) {
            self.restart(now);
        }
        if matches!(&self.state, State::Waiting(until) if now >= *until) {
            self.start(settings, wants_filter, now);
        }
        let mut entries = 0;
        let State::Running(running) = &mut self.state else { return 0 };
        let ended = running.read(&mut |line, from_ms| {
            let Some(entry) = journal_entry::parse(line) else { return !outbox.is_blocked() };
            entries += 1;
            let is_old = self.cursor.is_none() && entry.at_ms < from_ms;
            self.cursor = Some(entry.cursor.clone());
            if !is_old {
                take(&entry, settings.least, live, outbox, now, clock);
            }
            !outbox.is_blocked()
        });
        match ended {
            Ok(has_more) => self.has_more = has_more,
            Err(error) => self.ended(&error, now),
        }
        entries
    }

    fn start(&mut self, settings: &LogSettings, is_filtered: bool, now: Instant) {
        match Running::start(settings, self.cursor.as_deref(), is_filtered, now) {
            Ok(running) => {
                self.state = State::Running(Box::new(running));
                self.is_absent = false;
            }
            Err(error) => {
                self.state = State::Waiting(now + ABSENT_RETRY_AFTER);
                if !std::mem::replace(&mut self.is_absent, true) {
                    info!("the systemd journal is not followed: journalctl: {error}");
                }
            }
        }
    }

    fn ended(&mut self, error: &io::Error, now: Instant) {
        let State::Running(running) = &mut self.state else { return };
        let said = running.last_words();
        if now.saturating_duration_since(running.started_at) >= WORKED_AFTER {
            self.restart_after = RESTART_AFTER;
        }
        let is_first = self.problem.is_none();
        let problem = if said.is_empty() { error.to_string() } else { said };
        if is_first {
            warn!("journalctl ended: {problem}; it is started again");
        }
        self.problem = Some(format!("journalctl ended: {problem}"));
        self.stop();
        self.state = State::Waiting(now + self.restart_after);
        self.restart_after = (self.restart_after * 2).min(RESTART_AFTER_MAX);
    }

    /// Starts anew where it was, with what is wanted now.
    pub fn restart(&mut self, now: Instant) {
        self.stop();
        self.state = State::Waiting(now);
    }

    pub fn stop(&mut self) {
        if let State::Running(running) = &mut self.state {
            // It may have ended by itself.
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }
}

impl Drop for Journald {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Running {
    fn start(
        settings: &LogSettings,
        cursor: Option<&str>,
        is_filtered: bool,
        now: Instant,
    ) -> io::Result<Self> {
        let mut command = journalctl(settings.host_root.as_deref())?;
        command.args(["--follow", "--quiet", "--all", "--output=json"]);
        command.arg(format!("--output-fields={FIELDS}"));
        match cursor {
            Some(cursor) => command.arg(format!("--after-cursor={cursor}")).arg("--no-tail"),
            None if settings.read_from_start => command.arg("--no-tail"),
            // The last entry tells where to go on, should we end before the next one comes.
            None => command.arg("--lines=1"),
        };
        if let Some(directory) = &settings.journal_directory {
            command.arg("--directory").arg(directory);
        }
        if is_filtered {
            command.args(matches(settings.least).unwrap_or_default());
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().expect("the child was started with a pipe");
        fcntl(&stdout, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        if let Some(stderr) = &child.stderr {
            fcntl(stderr, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        let from_ms = if settings.read_from_start { 0 } else { now_ms() };
        let (rest, skipping) = (Vec::new(), false);
        Ok(Self { child, stdout, rest, skipping, started_at: now, from_ms, is_filtered })
    }

    /// Gives whole lines to `take` until it answers `false`. Answers whether there may be more; an
    /// error means that the child has ended.
    fn read(&mut self, take: &mut dyn FnMut(&[u8], i64) -> bool) -> io::Result<bool> {
        let mut left = TURN_BYTES_MAX;
        loop {
            if !self.take_lines(take) || left == 0 {
                return Ok(true);
            }
            let start = self.rest.len();
            self.rest.resize(start + READ_BYTES, 0);
            let count = self.stdout.read(&mut self.rest[start..]);
            self.rest.truncate(start + *count.as_ref().unwrap_or(&0));
            match count {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => left = left.saturating_sub(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.rest.shrink_to(0);
                    return Ok(false);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Answers `false` when `take` wants no more.
    fn take_lines(&mut self, take: &mut dyn FnMut(&[u8], i64) -> bool) -> bool {
        let mut taken = 0;
        let mut wants_more = true;
        while wants_more && let Some(length) = memchr::memchr(b'\n', &self.rest[taken..]) {
            let line = &self.rest[taken..taken + length];
            taken += length + 1;
            if !std::mem::take(&mut self.skipping) {
                wants_more = take(line, self.from_ms);
            }
        }
        self.rest.drain(..taken);
        if self.rest.len() > ENTRY_BYTES_MAX && memchr::memchr(b'\n', &self.rest).is_none() {
            self.rest.clear();
            self.skipping = true;
        }
        wants_more
    }

    /// What it had to say at its end.
    fn last_words(&mut self) -> String {
        let mut said = Vec::new();
        if let Some(stderr) = &mut self.child.stderr {
            // It does not block; a child that still runs has said enough.
            let _ = stderr.take(1024).read_to_end(&mut said);
        }
        String::from_utf8_lossy(&said).trim().replace('\n', "; ")
    }
}

/// The host's own, where its root is mounted in a container: an image has none, and another version
/// might not read what the host's journald writes.
fn journalctl(host_root: Option<&Path>) -> io::Result<Command> {
    let Some(root) = host_root else { return Ok(Command::new("journalctl")) };
    let is_there = |path: &str| root.join(path).exists();
    if !["usr/bin/journalctl", "bin/journalctl"].into_iter().any(is_there) {
        return Err(io::ErrorKind::NotFound.into());
    }
    let mut command = Command::new("chroot");
    command.arg(root).arg("journalctl");
    Ok(command)
}

fn take(
    entry: &journal_entry::Entry,
    least: Severity,
    live: &LiveTap,
    outbox: &mut Outbox,
    now: Instant,
    clock: Clock,
) {
    let (identifier, unit) = (entry.identifier.as_deref(), entry.unit.as_deref());
    let line: LogLine =
        read_journal_entry(entry.priority, identifier, unit, &entry.message, entry.at_ms, clock);
    if live.is_open() {
        live.offer_line(&line);
    }
    let place = Place::Journal(entry.cursor.clone());
    if line.severity <= least {
        outbox.offer(line, place, now, clock.now_ms);
    } else {
        outbox.settle(place, now);
    }
}

/// The entries that can be bad enough: the others need not leave `journalctl`. Whatever a service
/// prints has priority 6, and its text may say worse; what the kernel audits has none.
fn matches(least: Severity) -> Option<Vec<String>> {
    let worst = match least {
        Severity::Critical => 2,
        Severity::Failure | Severity::Error => 3,
        Severity::Warn => 4,
        Severity::Info => return None,
    };
    let priorities = (0..=worst).chain([6]).map(|priority| format!("PRIORITY={priority}"));
    Some(priorities.chain(["+".into(), "_TRANSPORT=audit".into()]).collect())
}
