//! Follows log files and the systemd journal, and gives lines that matter to the agent's journal
//! together with how far was read, so that a kill loses and doubles nothing.
//!
//! One thread with blocking reads. What a line means is decided in `logic/logs`; who a file is
//! and where to go on after a restart in `logic/follow`. Sending is left to others: a
//! [`LogSink`] takes frames, a [`LiveTap`] all lines while somebody looks. `service.rs` starts
//! it.
//!
//! Not covered: what was written after our last look and then compressed, moved to another
//! directory or deleted while the agent was down; what was written between two truncations within
//! a tenth of a second; a rotation that came while the agent was down and begins with the same 256
//! bytes as a file it could be a copy of; how many lines were suppressed in the ten seconds before
//! a kill. A line whose writer paused for more than five seconds in the middle of it counts as
//! two.

mod checkpoint;
mod descriptors;
mod discover;
mod files;
mod journal_entry;
mod journald;
mod keeping;
mod live;
mod outbox;
mod problems;
mod reading;
mod renames;
mod siblings;
mod table;
#[cfg(test)]
mod tests;
mod turns;
mod unseen;
mod watch;
mod worker;
mod zone;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use muster_schemas::logs::{LogFrame, Severity};
use tracing::error;

pub use self::live::LiveTap;
use self::watch::Waker;
use self::worker::{SOON, Worker};
use crate::io::collect::host::Host;
use crate::logic::logs::FloodLimits;

/// Where frames of lines go, together with how far was read.
pub trait LogSink: Send + Sync {
    /// Durable together, or not at all. Answers the frame's number in the logs channel.
    ///
    /// `InvalidInput` means that no such frame can ever be taken: it is left out. Any other error
    /// is tried again every second, and nothing is read meanwhile.
    fn commit(&self, frame: LogFrame, note: &[u8]) -> io::Result<i64>;

    /// The notes of frames that are still in the journal, oldest first, each with the epoch and
    /// number of its frame.
    fn notes(&self) -> io::Result<Vec<(i64, i64, Vec<u8>)>>;

    /// The epoch and the highest number in it of a frame, both of one moment. Epochs only grow,
    /// and a new one may begin at any time.
    fn last(&self) -> (i64, i64);

    /// Notes up to this one are not needed any more.
    fn checkpointed(&self, epoch: i64, seq: i64);
}

#[derive(Debug, Clone, PartialEq)]
pub struct LogSettings {
    /// Absolute paths and globs (`*`, `?`, `[...]`, `**`).
    pub paths: Vec<String>,
    /// See [`journald_by_default`].
    pub journald: bool,
    /// The mildest severity that is reported.
    pub least: Severity,
    pub flood: FloodLimits,
    /// Cannot be changed while it runs.
    pub state_dir: PathBuf,
    /// How many files are followed at most.
    pub files_max: usize,
    /// Where the host's root is mounted, in a container: lines name files as the host does, and
    /// the host's own `journalctl` is run there.
    pub host_root: Option<PathBuf>,
    /// Where journal files are, if not where systemd has them.
    pub journal_directory: Option<PathBuf>,
    /// Whether files that are there at the very first start are read as a whole.
    pub read_from_start: bool,
}

/// How it goes, since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFacts {
    pub lines_read: u64,
    pub lines_suppressed: u64,
    /// Lines that are an error or worse, whether or not they were suppressed.
    pub error_lines: u64,
    /// How many files are followed.
    pub files: usize,
    /// What cannot be read, by collector.
    pub errors: BTreeMap<String, String>,
}

/// What the heartbeat says where the thread has panicked.
const FAILED: &str = "logs are not followed any more: the part that reads them has failed; \
                      the agent's own log says why, and a restart begins where it was";

enum Request {
    Apply(Box<LogSettings>),
    Stop,
    Abandon,
}

/// Dropped without [`LogFollower::stop`] it ends as if killed: nothing more is written, and the
/// next one goes on where the last commit was.
pub struct LogFollower {
    requests: Sender<Request>,
    waker: Waker,
    facts: Arc<Mutex<LogFacts>>,
    thread: Option<JoinHandle<()>>,
}

impl LogFollower {
    pub fn start(settings: LogSettings, sink: Arc<dyn LogSink>, live: LiveTap) -> io::Result<Self> {
        let waker = Waker::new()?;
        live.connect(waker.clone());
        let (requests, inbox) = channel();
        let facts = Arc::new(Mutex::new(LogFacts::default()));
        let (told, alarm) = (facts.clone(), waker.clone());
        let thread = thread::Builder::new().name("logs".into()).spawn(move || {
            let worker = Worker::new(settings, sink, live, told, Instant::now());
            run(worker, &inbox, &alarm);
        })?;
        Ok(Self { requests, waker, facts, thread: Some(thread) })
    }

    /// Goes on with other settings; what is followed under both keeps its place.
    pub fn apply(&self, settings: LogSettings) {
        self.ask(Request::Apply(Box::new(settings)));
    }

    pub fn facts(&self) -> LogFacts {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // It ends when it is told to; before that, only by a panic.
        if self.thread.as_ref().is_some_and(JoinHandle::is_finished) {
            facts.errors.insert("logs".into(), FAILED.into());
        }
        facts
    }

    /// Commits what is complete and ends.
    pub fn stop(mut self) {
        self.end(Request::Stop);
    }

    fn ask(&self, request: Request) {
        // The thread is only gone where it has panicked, which `facts` says.
        let _ = self.requests.send(request);
        self.waker.wake();
    }

    fn end(&mut self, request: Request) {
        self.ask(request);
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            error!("the thread that follows logs had failed");
        }
    }
}

impl Drop for LogFollower {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.end(Request::Abandon);
        }
    }
}

fn run(mut worker: Worker, inbox: &Receiver<Request>, waker: &Waker) {
    loop {
        while let Ok(request) = inbox.try_recv() {
            match request {
                Request::Apply(settings) => worker.apply(*settings, Instant::now()),
                Request::Stop => return worker.finish(Instant::now()),
                Request::Abandon => return,
            }
        }
        let rest = worker.round(Instant::now());
        if rest.is_zero() {
            continue;
        }
        watch::wait(waker, worker.watcher(), worker.pipe(), rest);
        // What comes within a moment is read together.
        watch::pause(waker, SOON.min(rest));
    }
}

/// Whether the systemd journal is followed where nobody has said: not where a followed file has
/// the same lines already, as rsyslog writes them.
pub fn journald_by_default(host: &Host, paths: &[String]) -> bool {
    let is_meant = |file: &Path| {
        let patterns = paths.iter().map(|path| host.given(path));
        let mut globs = patterns.filter_map(|path| glob::Pattern::new(path.to_str()?).ok());
        globs.any(|glob| glob.matches_path(file))
    };
    !["/var/log/syslog", "/var/log/messages"]
        .into_iter()
        .map(|file| host.path(file))
        .any(|file| is_meant(&file) && file.exists())
}
