//! The table of processes: one read of `/proc/<pid>/stat` for each at every sample, and more only
//! for those that are shown.
//!
//! What a process reads and writes is asked for when it used the processor since the last sample or
//! was busy with storage before: nothing is read or written without either. Command lines and
//! owners are asked for when a process is shown, and again half a minute later.

use std::collections::HashMap;
use std::fmt::Write;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use muster_schemas::numbers::rate_per_s;
use muster_schemas::telemetry::{Process, ProcessStates, Processes, Sample};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;

use super::host::{Host, boot_clock_ms, read_at_start};
use super::kernel::{Lap, page_bytes};
use super::source::{Collect, Moment, Trouble};
use super::users::Users;
use crate::logic::mask::Masks;
use crate::logic::process::{
    Stat, TICK_MS, arguments, count_state, cpu_percent, parse_io, parse_stat, shorten_command,
};
use crate::logic::scan::{count, number, text};
use crate::logic::top::Top;

/// How many processes have their file kept open, which saves nearly half of the cost of a reading.
/// Bounded for the 1,024 open files a service may have by default.
const OPEN_FILES_MAX: usize = 256;

/// How long a command line and an owner are taken to be the same.
const ABOUT_PERIOD_MS: i64 = 30_000;

/// How much of a command line is read: what is shown of it is far shorter, and it may have
/// megabytes.
const CMDLINE_BYTES_MAX: u64 = 16 * 1024;

pub struct ProcessTable {
    root: PathBuf,
    root_file: Option<OwnedFd>,
    directory: Option<Dir>,
    pids: Vec<i32>,
    known: HashMap<i32, Known>,
    round: u64,
    open_files: usize,
    lap: Lap,
    scanned_ms: Option<i64>,
    page_bytes: u64,
    users: Users,
    masks: Masks,
    tops: [Top; 3],
    path: String,
    buffer: Vec<u8>,
    /// Why a process that is there was left out of the last look.
    unread: Option<Errno>,
    /// What is wrong with a pattern.
    masks_error: Option<String>,
}

/// What is remembered of one process.
struct Known {
    round: u64,
    started: u64,
    name: String,
    kernel_thread: bool,
    ticks: u64,
    cpu_percent: f32,
    memory_bytes: i64,
    file: Option<File>,
    io: Io,
    about: Option<About>,
}

/// What it read and wrote, where we may know it.
#[derive(Debug, Clone, Copy, Default)]
struct Io {
    denied: bool,
    reading: Option<IoReading>,
    read_bytes_per_s: i64,
    write_bytes_per_s: i64,
}

#[derive(Debug, Clone, Copy)]
struct IoReading {
    at_ms: i64,
    read: u64,
    written: u64,
}

struct About {
    at_ms: i64,
    command: String,
    user: String,
}

impl Collect for ProcessTable {
    fn collect(&mut self, now: Moment, sample: &mut Sample) -> Result<(), Trouble> {
        let states = self.scan(now)?;
        for top in &mut self.tops {
            top.clear();
        }
        let [by_cpu, by_memory, by_io] = &mut self.tops;
        for (pid, known) in &self.known {
            // Shares are in 64ths: whole numbers keep their order.
            by_cpu.offer((known.cpu_percent * 64.0) as u64, *pid);
            by_memory.offer(known.memory_bytes.unsigned_abs(), *pid);
            let bytes = known.io.read_bytes_per_s.saturating_add(known.io.write_bytes_per_s);
            by_io.offer(bytes.unsigned_abs(), *pid);
        }
        let [top_cpu, top_memory, top_io] = std::array::from_fn(|list| {
            let pids: Vec<i32> = self.tops[list].pids().collect();
            pids.into_iter().filter_map(|pid| self.describe(pid, now.boot_ms)).collect()
        });
        let total = i64::try_from(self.known.len()).unwrap_or(i64::MAX);
        sample.processes = Processes { total, states: Some(states), top_cpu, top_memory, top_io };
        let trouble = |error| Trouble::failed(format!("not all processes can be read: {error}"));
        let masks_error = || self.masks_error.clone().map(Trouble::Failed);
        self.unread.map(trouble).or_else(masks_error).map_or(Ok(()), Err)
    }
}

impl ProcessTable {
    fn new(host: &Host, masks: Masks) -> Self {
        Self {
            root: host.path("/proc"),
            root_file: None,
            directory: None,
            pids: Vec::new(),
            known: HashMap::new(),
            round: 0,
            open_files: 0,
            lap: Lap::default(),
            scanned_ms: None,
            page_bytes: page_bytes(),
            users: Users::new(host),
            masks,
            tops: Default::default(),
            path: String::new(),
            buffer: Vec::new(),
            unread: None,
            masks_error: None,
        }
    }

    /// Without the patterns that are none, which are told at each look: those are refused where
    /// settings are checked, and a file of the host's own that has one must not switch off the
    /// others.
    pub fn masked_by(host: &Host, patterns: &[String]) -> Self {
        let is_pattern = |pattern: &&String| Masks::new(std::slice::from_ref(pattern)).is_ok();
        let good: Vec<String> = patterns.iter().filter(is_pattern).cloned().collect();
        let mut table = Self::new(host, Masks::new(&good).unwrap_or_default());
        table.masks_error = Masks::new(patterns).err();
        table
    }

    /// All processes by pid, with shares and rates over the pause.
    pub fn all_over(&mut self, pause: impl FnOnce()) -> Result<Vec<Process>, Trouble> {
        self.scan(Moment { boot_ms: boot_clock_ms() })?;
        pause();
        let now = Moment { boot_ms: boot_clock_ms() };
        self.scan(now)?;
        let mut pids: Vec<i32> = self.known.keys().copied().collect();
        pids.sort_unstable();
        Ok(pids.into_iter().filter_map(|pid| self.describe(pid, now.boot_ms)).collect())
    }

    fn scan(&mut self, now: Moment) -> Result<ProcessStates, Trouble> {
        self.list_pids()?;
        let elapsed_ms = self.lap.elapsed_ms(now);
        let mut states = ProcessStates::default();
        self.round += 1;
        self.unread = None;
        let pids = std::mem::take(&mut self.pids);
        for pid in &pids {
            self.look_at(*pid, &mut states, now, elapsed_ms);
        }
        self.pids = pids;
        let round = self.round;
        self.known.retain(|_, known| known.round == round);
        self.open_files = self.known.values().filter(|known| known.file.is_some()).count();
        self.scanned_ms = Some(now.boot_ms);
        Ok(states)
    }

    fn list_pids(&mut self) -> Result<(), Trouble> {
        let trouble = |error: Errno| Trouble::reading(&self.root, &io::Error::from(error));
        if self.directory.is_none() {
            let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
            self.directory = Some(Dir::open(&self.root, flags, Mode::empty()).map_err(trouble)?);
            self.root_file = Some(open(&self.root, flags, Mode::empty()).map_err(trouble)?);
        }
        self.pids.clear();
        let entries = self.directory.iter_mut().flat_map(Dir::iter).flatten();
        let pids = entries.filter_map(|entry| number(entry.file_name().to_bytes()));
        self.pids.extend(pids.filter_map(|pid| i32::try_from(pid).ok()));
        Ok(())
    }

    fn look_at(&mut self, pid: i32, states: &mut ProcessStates, now: Moment, elapsed_ms: i64) {
        let mut buffer = std::mem::take(&mut self.buffer);
        if let Some(length) = self.read_stat(pid, &mut buffer)
            && let Some(stat) = parse_stat(&buffer[..length])
        {
            count_state(stat.state, states);
            self.observe(pid, &stat, now, elapsed_ms);
        }
        self.buffer = buffer;
    }

    /// Reads by the file that was kept open; where the process has ended since, the number may
    /// belong to another now and is opened anew.
    fn read_stat(&mut self, pid: i32, buffer: &mut Vec<u8>) -> Option<usize> {
        if let Some(known) = self.known.get_mut(&pid)
            && let Some(file) = &known.file
        {
            match read_at_start(file, buffer, true) {
                Ok(length) if length > 0 => return Some(length),
                _ => known.file = None,
            }
        }
        let file = match self.open_of(pid, "stat") {
            Ok(file) => file,
            Err(error) => {
                let has_ended = matches!(error, Errno::ENOENT | Errno::ESRCH);
                self.unread = self.unread.or((!has_ended).then_some(error));
                return None;
            }
        };
        let length = read_at_start(&file, buffer, true).ok()?;
        // From the second look on: most processes of a moment are not seen twice.
        if self.open_files < OPEN_FILES_MAX
            && let Some(known) = self.known.get_mut(&pid)
        {
            known.file = Some(file);
            self.open_files += 1;
        }
        Some(length)
    }

    /// Opens a file of a process relative to `/proc`, which is cheaper than by its whole path.
    fn open_of(&mut self, pid: i32, name: &str) -> Result<File, Errno> {
        let root = self.root_file.as_ref().ok_or(Errno::ENOENT)?;
        self.path.clear();
        write!(self.path, "{pid}/{name}").map_err(|_| Errno::ENOMEM)?;
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        openat(root, self.path.as_str(), flags, Mode::empty()).map(File::from)
    }

    fn observe(&mut self, pid: i32, stat: &Stat<'_>, now: Moment, elapsed_ms: i64) {
        let memory_bytes = count(stat.resident_pages.saturating_mul(self.page_bytes));
        let born_since = self.was_born_since_last_scan(stat);
        let known = self
            .known
            .entry(pid)
            .and_modify(|known| {
                if known.started != stat.started {
                    *known = Known::new(stat, born_since);
                }
            })
            .or_insert_with(|| Known::new(stat, born_since));
        let first = known.round == 0;
        let worked = known.ticks != stat.ticks;
        known.round = self.round;
        known.memory_bytes = memory_bytes;
        known.cpu_percent = cpu_percent(known.ticks, stat.ticks, elapsed_ms);
        known.ticks = stat.ticks;
        if known.name.as_bytes() != stat.name {
            known.name = text(stat.name);
            // Another program runs in it now.
            known.about = None;
        }
        let wants_io = first || worked || stat.state == b'D' || known.io.is_busy();
        if wants_io && !known.kernel_thread && !known.io.denied {
            self.observe_io(pid, now.boot_ms);
        }
    }

    /// One that began since the last look used all its time since then; what was only not seen
    /// before has none to show yet.
    fn was_born_since_last_scan(&self, stat: &Stat<'_>) -> bool {
        let started_ms = count(stat.started.saturating_mul(TICK_MS));
        self.scanned_ms.is_some_and(|scanned_ms| started_ms >= scanned_ms)
    }

    fn observe_io(&mut self, pid: i32, now_ms: i64) {
        let mut buffer = Vec::new();
        let read = self.open_of(pid, "io").map_err(io::Error::from).and_then(|file| {
            let length = read_at_start(&file, &mut buffer, true)?;
            Ok(parse_io(&buffer[..length]))
        });
        let Some(known) = self.known.get_mut(&pid) else { return };
        match read {
            Ok(Some((read, written))) => {
                known.io.observe(IoReading { at_ms: now_ms, read, written });
            }
            // Of others' processes one may only know as root or with CAP_SYS_PTRACE.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => known.io.denied = true,
            Ok(None) | Err(_) => {}
        }
    }

    /// A process as it is shown.
    fn describe(&mut self, pid: i32, now_ms: i64) -> Option<Process> {
        let known = self.known.get_mut(&pid)?;
        let is_old = |about: &About| now_ms - about.at_ms > ABOUT_PERIOD_MS;
        if known.about.as_ref().is_none_or(is_old) {
            let directory = self.root.join(pid.to_string());
            let command = if known.kernel_thread {
                String::new()
            } else {
                let arguments = arguments(&read_cmdline(&directory.join("cmdline")));
                shorten_command(self.masks.mask(&arguments))
            };
            let uid = fs::metadata(&directory).ok()?.uid();
            let user = self.users.name(uid, now_ms);
            known.about = Some(About { at_ms: now_ms, command, user });
        }
        let about = known.about.as_ref()?;
        Some(Process {
            pid: i64::from(pid),
            name: known.name.clone(),
            cpu_percent: known.cpu_percent,
            memory_bytes: known.memory_bytes,
            command: about.command.clone(),
            user: about.user.clone(),
            read_bytes_per_s: known.io.read_bytes_per_s,
            write_bytes_per_s: known.io.write_bytes_per_s,
        })
    }
}

/// Empty for a process that has ended since.
fn read_cmdline(path: &Path) -> Vec<u8> {
    let mut text = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(CMDLINE_BYTES_MAX).read_to_end(&mut text));
    if read.is_err() {
        text.clear();
    }
    text
}

impl Known {
    fn new(stat: &Stat<'_>, born_since: bool) -> Self {
        Self {
            round: 0,
            started: stat.started,
            name: text(stat.name),
            kernel_thread: stat.kernel_thread,
            ticks: if born_since { 0 } else { stat.ticks },
            cpu_percent: 0.0,
            memory_bytes: 0,
            file: None,
            io: Io::default(),
            about: None,
        }
    }
}

impl Io {
    fn is_busy(&self) -> bool {
        self.read_bytes_per_s > 0 || self.write_bytes_per_s > 0
    }

    /// Rates are over the time since this process was last asked, which may be several samples.
    fn observe(&mut self, now: IoReading) {
        let Some(before) = self.reading.replace(now) else { return };
        let elapsed_ms = now.at_ms - before.at_ms;
        self.read_bytes_per_s = rate_per_s(before.read, now.read, elapsed_ms);
        self.write_bytes_per_s = rate_per_s(before.written, now.written, elapsed_ms);
    }
}

#[cfg(test)]
mod tests;
