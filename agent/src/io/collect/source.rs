//! One source of metrics in the agent's life: on or off, there or not, working or in trouble.
//!
//! A source that is not there says so in one line of the log and costs nothing until it is looked
//! for again; one that is in trouble goes on being asked, and its last error is told.

use std::fmt::{self, Display};
use std::io::{self, ErrorKind};
use std::path::Path;

use muster_schemas::telemetry::Sample;
use nix::errno::Errno;
use tracing::info;

/// How long a source that was not there is left alone. Looking for it opens a file or a directory,
/// some microseconds: once a minute that costs nothing, and who plugs something in sees it soon.
pub const ABSENT_FOR_MS: i64 = 60_000;

/// When a sample is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds since boot, suspends included: what rates are reckoned by.
    pub boot_ms: i64,
}

/// Why a source has nothing, or not all, to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The host has no such thing, and looking for it costs nothing.
    Absent(String),
    /// All were asked, at the cost of an answer, and none has anything to say to this agent.
    Silent(String),
    /// It has, and it cannot be read.
    Failed(String),
}

impl Trouble {
    pub fn absent(reason: impl Into<String>) -> Self {
        Self::Absent(reason.into())
    }

    pub fn silent(reason: impl Into<String>) -> Self {
        Self::Silent(reason.into())
    }

    pub fn failed(reason: impl Into<String>) -> Self {
        Self::Failed(reason.into())
    }

    /// What a failed reading of a file means.
    pub fn reading(path: &Path, error: &io::Error) -> Self {
        let path = path.display();
        // What a kernel says that was told at boot to leave pressure unmeasured.
        let unsupported = error.raw_os_error() == Some(Errno::EOPNOTSUPP as i32);
        if unsupported || error.kind() == ErrorKind::NotFound {
            return Self::Absent(format!("{path}: {error}"));
        }
        Self::Failed(format!("{path} cannot be read: {error}"))
    }
}

impl Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Absent(reason) | Self::Silent(reason) | Self::Failed(reason)) = self;
        f.write_str(reason)
    }
}

/// What puts its part into a sample.
pub trait Collect: Send {
    /// Puts in what there is, even where it answers with trouble.
    fn collect(&mut self, now: Moment, sample: &mut Sample) -> Result<(), Trouble>;

    /// Another view of the same results, where taking them is slow.
    fn share(&self) -> Option<Box<dyn Collect>> {
        None
    }
}

pub struct Source {
    /// Of the collector it belongs to; several sources may have the same.
    pub name: &'static str,
    collector: Box<dyn Collect>,
    rests_until_ms: i64,
    /// Why it was not there, once said.
    said: bool,
    error: Option<String>,
}

impl Source {
    pub fn new(name: &'static str, collector: Box<dyn Collect>) -> Self {
        Self { name, collector, rests_until_ms: i64::MIN, said: false, error: None }
    }

    /// Never says that it is not there: the main source of the same name does.
    pub fn silent(name: &'static str, collector: Box<dyn Collect>) -> Self {
        Self { said: true, ..Self::new(name, collector) }
    }

    pub fn collect(&mut self, now: Moment, sample: &mut Sample) {
        if now.boot_ms < self.rests_until_ms {
            return;
        }
        self.error = None;
        match self.collector.collect(now, sample) {
            Ok(()) => {}
            Err(Trouble::Failed(reason)) => self.error = Some(reason),
            Err(Trouble::Absent(reason) | Trouble::Silent(reason)) => {
                self.rests_until_ms = now.boot_ms + ABSENT_FOR_MS;
                if !self.said {
                    self.said = true;
                    info!(collector = self.name, "nothing to collect: {reason}");
                }
            }
        }
    }

    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use super::*;

    struct Scripted(Arc<AtomicUsize>, Result<(), Trouble>);

    impl Collect for Scripted {
        fn collect(&mut self, _now: Moment, _sample: &mut Sample) -> Result<(), Trouble> {
            self.0.fetch_add(1, Ordering::Relaxed);
            self.1.clone()
        }
    }

    fn asked(result: Result<(), Trouble>, times_ms: &[i64]) -> (usize, Option<String>) {
        let count = Arc::new(AtomicUsize::new(0));
        let mut source = Source::new("cpu", Box::new(Scripted(count.clone(), result)));
        for boot_ms in times_ms {
            source.collect(Moment { boot_ms: *boot_ms }, &mut Sample::default());
        }
        (count.load(Ordering::Relaxed), source.error().map(str::to_owned))
    }

    #[test]
    fn an_absent_source_is_left_alone_for_a_minute_and_is_no_error() {
        let absent = Err(Trouble::absent("no such thing"));
        let times = [0, 5000, ABSENT_FOR_MS - 1, ABSENT_FOR_MS, ABSENT_FOR_MS + 1];
        assert_eq!(asked(absent, &times), (2, None));
    }

    /// What is written to the log by the thread that calls.
    fn logged(work: impl FnOnce()) -> String {
        let log = Arc::new(Mutex::new(Vec::new()));
        let written = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || Written(written.clone()))
            .finish();
        tracing::subscriber::with_default(subscriber, work);
        String::from_utf8(log.lock().unwrap().clone()).unwrap()
    }

    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_absent_source_logs_one_line_in_a_day_of_samples() {
        let day: Vec<i64> = (0..17_280).map(|sample| sample * 5000).collect();
        for absent in [Trouble::absent("no such thing"), Trouble::silent("it may not be asked")] {
            let log = logged(|| {
                assert_eq!(asked(Err(absent.clone()), &day), (1440, None));
            });
            assert_eq!(log.lines().count(), 1, "{log}");
            assert!(
                log.contains(&format!("nothing to collect: {absent} collector=\"cpu\"")),
                "{log}"
            );
        }
        assert_eq!(logged(|| drop(asked(Ok(()), &day))), "");
        let silent = || {
            let collector = Scripted(Arc::default(), Err(Trouble::absent("no such thing")));
            let mut source = Source::silent("cpu", Box::new(collector));
            source.collect(Moment { boot_ms: 0 }, &mut Sample::default());
        };
        assert_eq!(logged(silent), "", "the live view repeats nothing");
    }

    #[test]
    fn a_failed_source_is_asked_again_and_tells_its_error() {
        let failed = Err(Trouble::failed("broken"));
        assert_eq!(asked(failed, &[0, 5000]), (2, Some("broken".into())));
    }
}
