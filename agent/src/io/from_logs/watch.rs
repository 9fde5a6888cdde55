//! What wakes the thread that follows logs: inotify on directories, a request, the systemd
//! journal's pipe, or a time.
//!
//! One watch a directory and none a file: a host has a few dozen directories of logs, and the
//! kernel's limit of watches is shared with every other program of the user.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};
use tracing::warn;

/// Wakes the thread from another one.
#[derive(Clone)]
pub struct Waker {
    event: Arc<EventFd>,
}

impl Waker {
    pub fn new() -> io::Result<Self> {
        let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Self { event: Arc::new(event) })
    }

    pub fn wake(&self) {
        // It can only fail where it was written 2^64 times without being read: it is set then.
        let _ = self.event.write(1);
    }

    fn rest(&self) {
        let _ = self.event.read();
    }
}

/// Something happened to a name in a directory.
pub struct Change {
    pub directory: Arc<Path>,
    pub name: OsString,
    pub what: What,
    /// Joins the two halves of a rename; 0 where it is none.
    pub cookie: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Written,
    /// A new file, or one that was renamed to this name.
    Appeared,
    /// Deleted, or renamed away.
    Vanished,
    /// A directory came or went.
    Directory,
}

pub enum Seen {
    Change(Change),
    /// The kernel dropped events: anything may have happened.
    Lost,
}

pub struct Watcher {
    /// `None`: this kernel or this user has none left; files are polled.
    inotify: Option<Inotify>,
    /// A directory can be known by several names.
    directories: HashMap<WatchDescriptor, Vec<Arc<Path>>>,
    warned: bool,
}

impl Watcher {
    pub fn new() -> Self {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC);
        let mut watcher = Self { inotify: None, directories: HashMap::new(), warned: false };
        match inotify {
            Ok(inotify) => watcher.inotify = Some(inotify),
            Err(error) => watcher.warn(error),
        }
        watcher
    }

    /// Stands for a host that has no watches left.
    #[cfg(test)]
    pub fn without_inotify() -> Self {
        Self { inotify: None, directories: HashMap::new(), warned: true }
    }

    #[cfg(test)]
    pub fn is_watching(&self, directory: &Path) -> bool {
        self.directories.values().flatten().any(|watched| &**watched == directory)
    }

    /// Whether changes in the directory will be seen; if not, it has to be looked at.
    pub fn add(&mut self, directory: &Arc<Path>) -> bool {
        let Some(inotify) = &self.inotify else { return false };
        let flags = AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_ONLYDIR;
        match inotify.add_watch(&**directory, flags) {
            Ok(watch) => {
                let names = self.directories.entry(watch).or_default();
                if !names.contains(directory) {
                    names.push(directory.clone());
                }
                true
            }
            Err(Errno::ENOSPC) => {
                self.warn(Errno::ENOSPC);
                false
            }
            // It is gone again or may not be listed; whoever reads its files says so.
            Err(_) => false,
        }
    }

    fn warn(&mut self, error: Errno) {
        if !std::mem::replace(&mut self.warned, true) {
            warn!(
                %error,
                "no inotify watches are left: logs are looked at every second instead; \
                 raise fs.inotify.max_user_watches or max_user_instances"
            );
        }
    }

    /// The next few events; empty when there are no more for now.
    pub fn read(&mut self) -> Vec<Seen> {
        let Some(inotify) = &self.inotify else { return Vec::new() };
        let events = inotify.read_events().unwrap_or_default();
        events.into_iter().flat_map(|event| self.seen(event)).collect()
    }

    fn seen(&mut self, event: InotifyEvent) -> Vec<Seen> {
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            return vec![Seen::Lost];
        }
        if event.mask.contains(AddWatchFlags::IN_IGNORED) {
            self.directories.remove(&event.wd);
            return vec![Seen::Lost];
        }
        let (Some(name), Some(directories)) = (event.name, self.directories.get(&event.wd)) else {
            return Vec::new();
        };
        let what = what(event.mask);
        directories
            .iter()
            .map(|directory| Change {
                directory: directory.clone(),
                name: name.clone(),
                what,
                cookie: event.cookie,
            })
            .map(Seen::Change)
            .collect()
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }
}

fn what(mask: AddWatchFlags) -> What {
    if mask.contains(AddWatchFlags::IN_ISDIR) {
        What::Directory
    } else if mask.intersects(AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO) {
        What::Appeared
    } else if mask.intersects(AddWatchFlags::IN_DELETE | AddWatchFlags::IN_MOVED_FROM) {
        What::Vanished
    } else {
        What::Written
    }
}

/// Sleeps until something happens, at most for the given time.
pub fn wait(waker: &Waker, watcher: &Watcher, pipe: Option<BorrowedFd<'_>>, at_most: Duration) {
    let entry = |fd| PollFd::new(fd, PollFlags::POLLIN);
    let mut fds = vec![entry(waker.event.as_fd())];
    fds.extend(watcher.as_fd().map(entry));
    fds.extend(pipe.map(entry));
    // Rounded up, or the last millisecond would be spent in a busy loop.
    let timeout = at_most.as_micros().div_ceil(1000);
    let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
    // Interrupted by a signal is as good as woken.
    let _ = poll(&mut fds, timeout);
    waker.rest();
}

/// Sleeps without looking at files, until a request comes or the time is over.
pub fn pause(waker: &Waker, at_most: Duration) {
    let mut fds = [PollFd::new(waker.event.as_fd(), PollFlags::POLLIN)];
    let timeout = PollTimeout::try_from(at_most.as_millis()).unwrap_or(PollTimeout::MAX);
    let _ = poll(&mut fds, timeout);
}
