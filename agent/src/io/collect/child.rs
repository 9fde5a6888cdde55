//! Programs that are asked for figures: found, run, bounded in time and in what they print.
//!
//! A program that does not end in time is killed with all it started. Used by the slow sources on
//! their own threads.

use std::env;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::os::fd::AsFd;

/// Where programs of an administrator are; often not in the `PATH` of a service.
const MORE_DIRECTORIES: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// How often is looked whether a program has ended that closed its output before.
const END_PERIOD: Duration = Duration::from_millis(5);

/// What a program may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub timeout: Duration,
    pub bytes_max: usize,
}

#[derive(Debug)]
pub struct Printed {
    pub text: Vec<u8>,
    pub status: ExitStatus,
}

/// The path of a program, if it is installed.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let more = MORE_DIRECTORIES.iter().map(PathBuf::from);
    let mut candidates = env::split_paths(&path).chain(more).map(|directory| directory.join(name));
    candidates.find(|candidate| candidate.is_file())
}

/// Runs a program of the system, in the language that its output is parsed in.
pub fn run_system(program: &Path, arguments: &[&str], limits: Limits) -> Result<Printed, String> {
    run(Command::new(program).args(arguments).env("LC_ALL", "C"), limits)
}

/// Runs a program to its end. What it writes to its standard error is not read.
pub fn run(command: &mut Command, limits: Limits) -> Result<Printed, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
    let mut child = command.spawn().map_err(|error| format!("cannot be started: {error}"))?;
    let ended = read_to_end(&mut child, limits);
    if ended.is_err() {
        let group = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
        // Gone already, at worst: then there is nothing to kill.
        let _ = killpg(group, Signal::SIGKILL);
        let _ = child.wait();
    }
    ended
}

fn read_to_end(child: &mut Child, limits: Limits) -> Result<Printed, String> {
    let deadline = Instant::now() + limits.timeout;
    let too_slow = || format!("did not end within {} s", limits.timeout.as_secs());
    let mut stdout = child.stdout.take().ok_or("has no output")?;
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    loop {
        if !wait_readable(&stdout, deadline)? {
            return Err(too_slow());
        }
        match stdout.read(&mut piece).map_err(|error| format!("cannot be read: {error}"))? {
            0 => break,
            read => text.extend_from_slice(&piece[..read]),
        }
        if text.len() > limits.bytes_max {
            return Err(format!("printed more than {} bytes", limits.bytes_max));
        }
    }
    loop {
        match child.try_wait().map_err(|error| format!("cannot be waited for: {error}"))? {
            Some(status) => return Ok(Printed { text, status }),
            None if Instant::now() >= deadline => return Err(too_slow()),
            None => thread::sleep(END_PERIOD),
        }
    }
}

/// Whether there is something to read, the end included, before the deadline.
fn wait_readable(stdout: &ChildStdout, deadline: Instant) -> Result<bool, String> {
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
    let mut waited = [PollFd::new(stdout.as_fd(), PollFlags::POLLIN)];
    poll(&mut waited, timeout).map(|ready| ready > 0).map_err(|error| error.to_string())
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A script in the place of a program. Written by another process: one that this one had open
    /// while a test beside started a program could not be run yet.
    pub fn stand_in(directory: &Path, name: &str, script: &str) -> PathBuf {
        let path = directory.join(name);
        let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$0\" && chmod 755 \"$0\"";
        let status =
            Command::new("/bin/sh").args(["-c", write]).arg(&path).arg(script).status().unwrap();
        assert!(status.success());
        path
    }

    fn shell(line: &str, limits: Limits) -> Result<Printed, String> {
        run(Command::new("/bin/sh").args(["-c", line]), limits)
    }

    const GENEROUS: Limits = Limits { timeout: Duration::from_secs(20), bytes_max: 1024 };

    #[test]
    fn output_and_exit_code_are_answered() {
        let printed = shell("echo a; echo b; exit 3", GENEROUS).unwrap();
        assert_eq!((printed.text.as_slice(), printed.status.code()), (&b"a\nb\n"[..], Some(3)));
        assert!(find_program("sh").is_some() && find_program("no-such-program").is_none());
    }

    #[test]
    fn one_that_does_not_end_is_killed_with_what_it_started() {
        let directory = tempfile::tempdir().unwrap();
        let pid_file = directory.path().join("pid");
        let line = format!("sleep 1000 & echo $! > {}; wait", pid_file.display());
        let limits = Limits { timeout: Duration::from_millis(500), ..GENEROUS };
        assert_eq!(shell(&line, limits).unwrap_err(), "did not end within 0 s");
        let pid = std::fs::read_to_string(pid_file).unwrap();
        let stat = format!("/proc/{}/stat", pid.trim());
        let deadline = Instant::now() + Duration::from_secs(20);
        // Ended, or waiting for a parent to take note of it.
        while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z")) {
            assert!(Instant::now() < deadline, "the child's child lives on");
            thread::sleep(END_PERIOD);
        }
    }

    #[test]
    fn one_that_prints_without_end_is_killed() {
        let said = shell("while :; do echo line; done", GENEROUS).unwrap_err();
        assert_eq!(said, "printed more than 1024 bytes");
    }
}
