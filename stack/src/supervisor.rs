//! Keeps parts running: each has a task that starts it again when it ends, until it is told to
//! stop. When to start again is `logic/restart.rs`'s decision; what to tell whom is the observer's.

use std::sync::Arc;

use anyhow::Result;
use futures::future::join_all;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::child::{Child, Launch};
use crate::logic::restart::{RestartPolicy, Verdict};
use crate::logs;
use crate::stack_json::kind;

/// Those who produce stop first and the servers last, so that nothing on its way is lost.
const STOP_ORDER: [&[&str]; 5] = [
    &["agent", "simulation"],
    &["ingest-worker", "alert-worker"],
    &["gateway"],
    &["nats"],
    &["postgres"],
];

/// What became of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Started {
        pid: u32,
        restarts: u32,
    },
    /// It ended by itself; it will be started again.
    Ended {
        how: String,
    },
    /// It ended and will not be started again.
    GaveUp {
        reason: String,
    },
    /// It was told to stop, and has.
    Stopped,
}

/// Called with the part's name, from the part's task. It must not wait.
pub type Observer = Arc<dyn Fn(&str, Event) + Send + Sync>;

pub struct Supervisor {
    parts: Vec<Supervised>,
    observer: Observer,
}

struct Supervised {
    launch: Launch,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Supervisor {
    pub fn new(observer: Observer) -> Self {
        Self { parts: Vec::new(), observer }
    }

    /// Takes over a part; `running` is its process if it was started already.
    pub fn add(&mut self, launch: Launch, running: Option<Child>) {
        let stop = CancellationToken::new();
        let task = supervise(launch.clone(), running, stop.clone(), Arc::clone(&self.observer));
        self.parts.push(Supervised { launch, stop, task: tokio::spawn(task) });
    }

    /// Stops everything in order and waits until it is gone.
    pub async fn stop_all(&mut self) {
        for kinds in STOP_ORDER {
            self.stop_where(|part| kinds.contains(&kind(part))).await;
        }
        self.stop_where(|_| true).await;
    }

    /// Keeps the logs of parts that run for months under their limit.
    pub fn bound_logs(&self) -> Result<()> {
        for part in &self.parts {
            logs::bound(&part.launch.log)?;
        }
        Ok(())
    }

    async fn stop_where(&mut self, chosen: impl Fn(&str) -> bool) {
        let (stopping, staying) =
            self.parts.drain(..).partition::<Vec<_>, _>(|part| chosen(&part.launch.name));
        self.parts = staying;
        for part in &stopping {
            part.stop.cancel();
        }
        join_all(stopping.into_iter().map(|part| part.task)).await;
    }
}

async fn supervise(
    launch: Launch,
    mut running: Option<Child>,
    stop: CancellationToken,
    observer: Observer,
) {
    let clock = Instant::now();
    let mut policy = RestartPolicy::default();
    for restarts in 0.. {
        policy.started(clock.elapsed());
        let tell = |event| observer(&launch.name, event);
        let Some(end) = run_once(&launch, running.take(), restarts, &stop, &tell).await else {
            return tell(Event::Stopped);
        };
        match policy.ended(clock.elapsed(), end.exit_code, rand::random()) {
            Verdict::GiveUp => {
                let said = logs::tail(&launch.log, 1).join("");
                return tell(Event::GaveUp { reason: format!("{}: {said}", end.how) });
            }
            Verdict::RestartAfter(pause) => {
                tell(Event::Ended { how: end.how });
                tokio::select! {
                    () = stop.cancelled() => return tell(Event::Stopped),
                    () = sleep(pause) => {}
                }
            }
        }
    }
}

struct End {
    exit_code: Option<i32>,
    how: String,
}

/// One life of a part. `None` if it was told to stop.
async fn run_once(
    launch: &Launch,
    running: Option<Child>,
    restarts: u32,
    stop: &CancellationToken,
    tell: &impl Fn(Event),
) -> Option<End> {
    let child = match running.map_or_else(|| launch.spawn(), Ok) {
        Ok(child) => child,
        Err(error) => return Some(End { exit_code: None, how: format!("{error:#}") }),
    };
    tell(Event::Started { pid: child.pid(), restarts });
    tokio::select! {
        () = stop.cancelled() => {
            child.stop(launch.stop_signal, launch.grace).await;
            None
        }
        status = child.wait() => Some(End { exit_code: status.code(), how: status.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::sync::Mutex;
    use std::time::Duration;

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use crate::wait;

    const LIMIT: Duration = Duration::from_secs(20);

    type Told = Arc<Mutex<Vec<(String, Event)>>>;

    fn supervisor() -> (Supervisor, Told) {
        let told = Told::default();
        let sink = Arc::clone(&told);
        let observer = move |part: &str, event| sink.lock().unwrap().push((part.to_owned(), event));
        (Supervisor::new(Arc::new(observer)), told)
    }

    fn shell(dir: &Path, name: &str, script: &str) -> Launch {
        let log = dir.join(format!("{name}.log"));
        Launch::new(name, "/bin/sh", log).arg("-c").arg(script)
    }

    async fn started(told: &Told, restarts: u32) -> u32 {
        let found = async || {
            told.lock().unwrap().iter().find_map(|(_, event)| match event {
                Event::Started { pid, restarts: n } if *n == restarts => Some(*pid),
                _ => None,
            })
        };
        wait::until(format!("start {restarts}"), LIMIT, found).await.unwrap()
    }

    #[tokio::test]
    async fn a_killed_part_comes_back_with_another_pid_and_stops_when_told() {
        let dir = tempfile::tempdir().unwrap();
        let (mut supervisor, told) = supervisor();
        supervisor.add(shell(dir.path(), "gateway", "exec sleep 1000"), None);
        let first = started(&told, 0).await;
        kill(Pid::from_raw(first.cast_signed()), Signal::SIGKILL).unwrap();
        let second = started(&told, 1).await;
        assert_ne!(first, second);
        supervisor.stop_all().await;
        assert_eq!(told.lock().unwrap().last().unwrap().1, Event::Stopped);
        assert!(!Path::new(&format!("/proc/{second}")).exists());
    }

    #[tokio::test]
    async fn a_bad_configuration_is_reported_in_its_own_words_and_not_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let (mut supervisor, told) = supervisor();
        supervisor.add(shell(dir.path(), "gateway", "echo 'listen: no such port'; exit 64"), None);
        let gave_up = async || match told.lock().unwrap().last() {
            Some((_, Event::GaveUp { reason })) => Some(reason.clone()),
            _ => None,
        };
        let reason = wait::until("giving up", LIMIT, gave_up).await.unwrap();
        assert!(reason.ends_with("64: listen: no such port"), "{reason}");
        assert_eq!(told.lock().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn producers_stop_before_the_servers_they_use() {
        let dir = tempfile::tempdir().unwrap();
        let (mut supervisor, told) = supervisor();
        for part in ["postgres", "nats", "gateway", "ingest-worker-1", "ingest-worker-2", "agent"] {
            supervisor.add(shell(dir.path(), part, "exec sleep 1000"), None);
        }
        let all_run = async || (told.lock().unwrap().len() == 6).then_some(());
        wait::until("six parts", LIMIT, all_run).await.unwrap();
        supervisor.stop_all().await;
        let told = told.lock().unwrap();
        let stopped: Vec<_> = told[6..].iter().map(|(part, _)| kind(part)).collect();
        let expected = ["agent", "ingest-worker", "ingest-worker", "gateway", "nats", "postgres"];
        assert_eq!(stopped, expected);
    }
}
