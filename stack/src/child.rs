//! One child process: how it is started, watched and ended. No restarts here (`supervisor.rs`
//! decides those) and no readiness (each kind of server knows its own).
//!
//! The kernel ties a parent-death signal to the *thread* that started the child. So each child
//! has a thread of its own, which starts it and then waits for it: the thread lives exactly as
//! long as the child, and the signal fires only when this whole process is gone.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, getppid};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::logs;

/// How long a dropped child may take to end on its farewell signal: PostgreSQL ends its backends
/// and gives back shared memory within milliseconds, unless the machine is very busy.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(5);

/// Lines of a log shown with an error: enough for a panic or PostgreSQL's message with its hint.
const LAST_LINES: usize = 8;

/// Another user to run as. Only root can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunAs {
    pub uid: u32,
    pub gid: u32,
}

/// What it takes to start a child, as often as needed.
#[derive(Clone, Debug)]
pub struct Launch {
    pub name: String,
    pub program: PathBuf,
    pub args: Vec<OsString>,
    pub env: Vec<(String, OsString)>,
    pub dir: Option<PathBuf>,
    pub log: PathBuf,
    pub run_as: Option<RunAs>,
    /// Asks it to drain and end; also what the kernel sends when this process dies.
    pub stop_signal: Signal,
    /// Sent when a [`Child`] is dropped while it runs.
    pub farewell: Signal,
    /// How long it may take to stop before it is killed.
    pub grace: Duration,
}

impl Launch {
    pub fn new(name: &str, program: impl Into<PathBuf>, log: impl Into<PathBuf>) -> Self {
        Self {
            name: name.to_owned(),
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            dir: None,
            log: log.into(),
            run_as: None,
            stop_signal: Signal::SIGTERM,
            farewell: Signal::SIGKILL,
            // The services promise to drain within this.
            grace: Duration::from_secs(10),
        }
    }

    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Sets an environment variable on top of those inherited; a later value wins.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((key.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Starts it, with both outputs appended to its log.
    pub fn spawn(&self) -> Result<Child> {
        let log = logs::open(&self.log)
            .with_context(|| format!("could not open {}", self.log.display()))?;
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Child::start(command, self.farewell)
            .with_context(|| format!("could not start {}", self.program.display()))
    }

    /// Runs it to its end, which must be a success.
    pub async fn run(&self, time_limit: Duration) -> Result<()> {
        let child = self.spawn()?;
        let status = timeout(time_limit, child.wait()).await;
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => bail!("{} failed ({status}){}", self.name, self.last_lines()),
            Err(_) => {
                bail!("{} did not end within {time_limit:?}{}", self.name, self.last_lines())
            }
        }
    }

    /// The end of its log, as the tail of an error message.
    pub fn last_lines(&self) -> String {
        let lines = logs::tail(&self.log, LAST_LINES);
        if lines.is_empty() {
            return format!("; {} is empty", self.log.display());
        }
        format!("; {} ends with\n  {}", self.log.display(), lines.join("\n  "))
    }

    /// The command with everything but its outputs, for callers that want to read those.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).envs(self.env.iter().map(|(key, value)| (key, value)));
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        if let Some(user) = self.run_as {
            command.uid(user.uid).gid(user.gid);
        }
        // Its own process group, or Ctrl-C would reach it before its turn to stop.
        command.process_group(0);
        die_with_parent(&mut command, self.stop_signal);
        command
    }
}

#[allow(unsafe_code, reason = "there is no safe way to set a parent-death signal")]
fn die_with_parent(command: &mut Command, signal: Signal) {
    let parent = Pid::this();
    let prepare = move || {
        nix::sys::prctl::set_pdeathsig(signal)?;
        // The parent may have died before the line above; then no signal will ever come.
        if getppid() == parent { Ok(()) } else { Err(Errno::ESRCH.into()) }
    };
    // SAFETY: between fork and exec only async-signal-safe calls are allowed. The closure makes
    // two plain system calls, allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(prepare);
    }
}

/// A running child. Dropping it ends the process: a test that fails leaves nothing behind.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    exit: watch::Receiver<Option<ExitStatus>>,
    /// Held while the process is collected and while it is signalled, so that a signal never
    /// reaches a stranger that was given the same pid.
    gone: Arc<Mutex<bool>>,
    farewell: Signal,
}

impl Child {
    fn start(mut command: Command, farewell: Signal) -> Result<Self> {
        let (report, exit) = watch::channel(None);
        let (started, when_started) = mpsc::channel();
        let gone = Arc::new(Mutex::new(false));
        let is_gone = Arc::clone(&gone);
        std::thread::Builder::new().name("child".into()).spawn(move || match command.spawn() {
            Ok(mut process) => {
                let _ = started.send(Ok(process.id()));
                let status = collect(&mut process, &is_gone);
                report.send_replace(Some(status));
            }
            Err(error) => drop(started.send(Err(error))),
        })?;
        let pid = when_started.recv().context("the thread of the child ended early")??;
        Ok(Self { pid: Pid::from_raw(pid.cast_signed()), exit, gone, farewell })
    }

    pub fn pid(&self) -> u32 {
        self.pid.as_raw().cast_unsigned()
    }

    /// How it ended, if it has.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    /// Waits until it has ended, for whatever reason.
    pub async fn wait(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        let status = exit.wait_for(Option::is_some).await;
        status.ok().and_then(|status| *status).expect("a child's thread always reports its end")
    }

    /// Sends a signal, if it still runs.
    pub fn signal(&self, signal: Signal) {
        let gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        if !*gone {
            let _ = kill(self.pid, signal);
        }
    }

    /// Kills it without warning and waits until it is gone.
    pub async fn kill9(&self) -> ExitStatus {
        self.signal(Signal::SIGKILL);
        self.wait().await
    }

    /// Asks it to stop, and kills it if it has not within the grace period.
    pub async fn stop(&self, signal: Signal, grace: Duration) -> ExitStatus {
        self.signal(signal);
        match timeout(grace, self.wait()).await {
            Ok(status) => status,
            Err(_) => self.kill9().await,
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal(self.farewell);
        let deadline = Instant::now() + FAREWELL_TIMEOUT;
        while self.exit_status().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        self.signal(Signal::SIGKILL);
    }
}

/// Waits for the end without collecting, then collects under the lock: until then the pid cannot
/// be given to anybody else.
fn collect(process: &mut std::process::Child, gone: &Mutex<bool>) -> ExitStatus {
    let pid = Pid::from_raw(process.id().cast_signed());
    let ended = || waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
    while ended() == Err(Errno::EINTR) {}
    let mut gone = gone.lock().unwrap_or_else(PoisonError::into_inner);
    *gone = true;
    process.wait().expect("only this thread collects the child")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn shell(dir: &Path, script: &str) -> Launch {
        Launch::new("shell", "/bin/sh", dir.join("shell.log")).arg("-c").arg(script)
    }

    #[tokio::test]
    async fn a_child_that_ignores_the_stop_signal_is_killed_after_its_grace() {
        let dir = tempfile::tempdir().unwrap();
        let child = shell(dir.path(), "trap '' TERM; echo ready; while :; do sleep 1; done")
            .spawn()
            .unwrap();
        while logs::tail(&dir.path().join("shell.log"), 1) != ["ready"] {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let status = child.stop(Signal::SIGTERM, Duration::from_millis(50)).await;
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
    }

    #[tokio::test]
    async fn a_dropped_child_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let child = shell(dir.path(), "exec sleep 1000").spawn().unwrap();
        let process = PathBuf::from(format!("/proc/{}", child.pid()));
        assert!(process.exists());
        drop(child);
        assert!(!process.exists());
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = Launch::new("x", "/no/such", dir.path().join("x.log")).spawn().unwrap_err();
        assert!(error.to_string().contains("/no/such"));
    }
}
