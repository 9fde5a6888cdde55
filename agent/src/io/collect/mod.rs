//! Looks at this host: all sources, switched on and off, in one sample.
//!
//! Rates and shares are over the time between two samples of the same [`Collectors`]: the live view
//! has its own for that reason, and shares what is slow with the main one. What only happens now
//! and then (filesystems, sensors, containers, scripts, ...) is taken on threads of its own and
//! shown as it was last; see [`slow`].
//!
//! Called by `service.rs` on a thread that may block for a few milliseconds.

mod child;
mod containers;
mod custom;
mod filesystems;
mod gpus;
mod hardware;
pub mod host;
mod http;
mod kernel;
mod processes;
mod services;
mod slow;
mod smart;
mod source;
mod users;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use muster_runtime::time::now_ms;
use muster_schemas::telemetry::{Process, Sample};

use self::host::{Host, boot_clock_ms};
use self::processes::ProcessTable;
use self::slow::lock;
use self::source::{Collect, Moment, Source};
use crate::logic::fit::{Unfit, fit};
use crate::logic::mask::Masks;

/// What an operator may set of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectorSettings {
    /// By the names in [`muster_schemas::configuration::COLLECTORS`]; what is absent is on.
    pub enabled: BTreeMap<String, bool>,
    /// `/`, or where the host's root is mounted in this container.
    pub host_root: PathBuf,
    /// Of the agent's own file system, as are the scripts in it.
    pub scripts_dir: PathBuf,
    /// Prometheus endpoints on this host.
    pub prometheus_urls: Vec<String>,
    /// Regular expressions; what they match in command lines is replaced by `***`.
    pub mask_arguments: Vec<String>,
}

impl Default for CollectorSettings {
    fn default() -> Self {
        Self {
            enabled: BTreeMap::new(),
            host_root: "/".into(),
            scripts_dir: "/etc/muster/scripts.d".into(),
            prometheus_urls: Vec::new(),
            mask_arguments: Vec::new(),
        }
    }
}

impl CollectorSettings {
    pub fn is_enabled(&self, collector: &str) -> bool {
        self.enabled.get(collector).copied().unwrap_or(true)
    }
}

/// How one source is made.
struct Maker {
    name: &'static str,
    make: Make,
    /// Whether it works on a thread of its own and can be shared.
    slow: bool,
    /// The settings it is made of: where they change, it is made anew.
    made_of: fn(&CollectorSettings) -> String,
}

type Make = fn(&Host, &CollectorSettings) -> Box<dyn Collect>;

const fn quick(name: &'static str, make: Make) -> Maker {
    Maker { name, make, slow: false, made_of: |_| String::new() }
}

const fn slow(name: &'static str, make: Make) -> Maker {
    Maker { slow: true, ..quick(name, make) }
}

const MAKERS: &[Maker] = &[
    quick("cpu", |host, _| Box::new(kernel::Processors::new(host))),
    quick("memory", |host, _| Box::new(kernel::MemoryUse::new(host))),
    quick("pressure", |host, _| Box::new(kernel::PressureStalls::new(host))),
    quick("disks", |host, _| Box::new(kernel::Disks::new(host))),
    quick("networks", |host, _| Box::new(kernel::Networks::new(host))),
    quick("sockets", |host, _| Box::new(kernel::SocketTables::new(host))),
    quick("file_descriptors", |host, _| Box::new(kernel::OpenFiles::new(host))),
    slow("cpu", |host, _| Box::new(hardware::frequency(host))),
    slow("filesystems", |host, _| Box::new(filesystems::Filesystems::start(host))),
    slow("sensors", |host, _| Box::new(hardware::sensors(host))),
    slow("batteries", |host, _| Box::new(hardware::batteries(host))),
    slow("gpus", |host, _| Box::new(gpus::gpus(host))),
    slow("smart", |host, _| Box::new(smart::smart(host))),
    slow("containers", |host, _| Box::new(containers::containers(host))),
    slow("services", |host, _| Box::new(services::services(host))),
    Maker {
        made_of: |settings| settings.scripts_dir.to_string_lossy().into_owned(),
        ..slow("scripts", |_, settings| Box::new(custom::scripts(&settings.scripts_dir)))
    },
    Maker {
        made_of: |settings| settings.prometheus_urls.join(" "),
        ..slow("prometheus", |_, settings| Box::new(custom::prometheus(&settings.prometheus_urls)))
    },
];

const PROCESSES: &str = "processes";

/// What is slow, for those who want to show the same.
#[derive(Clone, Default)]
pub struct SlowSources {
    /// By index in [`MAKERS`]. What is switched off stays: a thread of it may hang, and one that is
    /// made anew would hang with another.
    views: Arc<Mutex<BTreeMap<usize, View>>>,
}

/// A slow source that others can show, and the settings it was made of.
struct View {
    collector: Box<dyn Collect>,
    of: String,
}

/// A source, and the settings it was made of.
struct Made {
    source: Source,
    of: String,
}

pub struct Collectors {
    host: Host,
    /// One for each of [`MAKERS`]; `None` for what is switched off.
    sources: Vec<Option<Made>>,
    processes: Option<ProcessTable>,
    /// The patterns in force, and what is wrong with them.
    masked: Vec<String>,
    masks_error: Option<String>,
    processes_error: Option<String>,
    /// What of the last sample could not be sent as it was.
    unfit: Unfit,
    slow: SlowSources,
    /// Whether this one makes the slow sources, or shows those of another.
    is_main: bool,
}

impl Collectors {
    /// Takes the first readings, from which the first sample is reckoned.
    pub fn start(settings: &CollectorSettings) -> Self {
        Self::take_over(settings, &SlowSources::default())
    }

    /// As [`Collectors::start`], after others have failed: what is slow goes on as it is.
    pub fn take_over(settings: &CollectorSettings, slow: &SlowSources) -> Self {
        Self::build(settings, slow.clone(), true)
    }

    /// One for the live view: with its own rates, and what is slow as the main one has it.
    pub fn start_beside(settings: &CollectorSettings, slow: &SlowSources) -> Self {
        Self::build(settings, slow.clone(), false)
    }

    fn build(settings: &CollectorSettings, slow: SlowSources, is_main: bool) -> Self {
        let mut collectors = Self {
            host: Host::new(&settings.host_root),
            sources: MAKERS.iter().map(|_| None).collect(),
            processes: None,
            masked: Vec::new(),
            masks_error: None,
            processes_error: None,
            unfit: Unfit::new(),
            slow,
            is_main,
        };
        collectors.apply(settings);
        collectors.sample();
        collectors
    }

    /// Switches on and off, and keeps the readings of what stays. The host's root stays the one
    /// it was started with.
    pub fn apply(&mut self, settings: &CollectorSettings) {
        for (index, maker) in MAKERS.iter().enumerate() {
            let of = (maker.made_of)(settings);
            if !settings.is_enabled(maker.name) {
                self.sources[index] = None;
            } else if self.sources[index].as_ref().is_none_or(|made| made.of != of) {
                self.sources[index] = self.make(index, settings).map(|source| Made { source, of });
            }
        }
        self.apply_to_processes(settings);
    }

    fn make(&self, index: usize, settings: &CollectorSettings) -> Option<Source> {
        let maker = &MAKERS[index];
        let new = if self.is_main { Source::new } else { Source::silent };
        if !maker.slow {
            return Some(new(maker.name, (maker.make)(&self.host, settings)));
        }
        let mut views = lock(&self.slow.views);
        let of = (maker.made_of)(settings);
        let known = views.get(&index).filter(|view| !self.is_main || view.of == of);
        let known = known.and_then(|view| view.collector.share());
        if known.is_some() || !self.is_main {
            return known.map(|collector| new(maker.name, collector));
        }
        let collector = (maker.make)(&self.host, settings);
        if let Some(shared) = collector.share() {
            views.insert(index, View { collector: shared, of });
        }
        Some(new(maker.name, collector))
    }

    fn apply_to_processes(&mut self, settings: &CollectorSettings) {
        if !settings.is_enabled(PROCESSES) {
            self.processes = None;
            return;
        }
        if self.processes.is_some() && self.masked == settings.mask_arguments {
            return;
        }
        let masks = self.masks(settings);
        match &mut self.processes {
            Some(table) => table.set_masks(masks),
            None => self.processes = Some(ProcessTable::new(&self.host, masks)),
        }
    }

    /// Without the patterns that are none: those are refused where settings are checked, and a
    /// file of the host's own that has one must not switch off the others.
    fn masks(&mut self, settings: &CollectorSettings) -> Masks {
        self.masked.clone_from(&settings.mask_arguments);
        let is_pattern = |pattern: &&String| Masks::new(std::slice::from_ref(pattern)).is_ok();
        let good: Vec<String> = self.masked.iter().filter(is_pattern).cloned().collect();
        self.masks_error = Masks::new(&self.masked).err();
        Masks::new(&good).unwrap_or_default()
    }

    /// Blocks for a few milliseconds while it reads.
    pub fn sample(&mut self) -> Sample {
        let now = Moment { boot_ms: boot_clock_ms() };
        let mut sample = Sample { at: now_ms(), uptime_s: now.boot_ms / 1000, ..Sample::default() };
        for made in self.sources.iter_mut().flatten() {
            made.source.collect(now, &mut sample);
        }
        if let Some(table) = &mut self.processes {
            let result = table.collect(now, &mut sample);
            self.processes_error = result.err().map(|trouble| trouble.to_string());
        }
        self.unfit = fit(&mut sample);
        sample
    }

    /// All processes by pid, for the list on request; none where they are switched off.
    pub fn all_processes(&mut self) -> Vec<Process> {
        self.processes.as_mut().map(ProcessTable::all).unwrap_or_default()
    }

    /// What does not work now, by collector. What the host does not have is no error.
    pub fn errors(&self) -> BTreeMap<String, String> {
        let sources = self.sources.iter().flatten();
        let mut errors: BTreeMap<String, String> = sources
            .filter_map(|made| Some((made.source.name.into(), made.source.error()?.into())))
            .collect();
        if self.processes.is_some()
            && let Some(error) = self.processes_error.as_ref().or(self.masks_error.as_ref())
        {
            errors.insert(PROCESSES.into(), error.clone());
        }
        for (collector, what) in &self.unfit {
            errors.entry((*collector).into()).or_insert_with(|| what.clone());
        }
        errors
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use muster_schemas::Durable;
    use muster_schemas::configuration::COLLECTORS;
    use muster_schemas::telemetry::TelemetryFrame;

    use super::source::Trouble;
    use super::*;

    #[test]
    fn this_machine_agrees_with_proc() {
        let mut collectors = Collectors::start(&CollectorSettings::default());
        let sample = collectors.sample();
        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
        let total_kib: i64 = meminfo
            .lines()
            .find_map(|line| line.strip_prefix("MemTotal:"))
            .and_then(|rest| rest.split_ascii_whitespace().next())
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(sample.memory.total_bytes, total_kib * 1024);
        let cores = std::thread::available_parallelism().unwrap().get();
        assert!(sample.cpu.cores_percent.len() >= cores);
        assert!(sample.processes.total >= 1 && sample.uptime_s > 0);
        assert!(sample.processes.top_memory.iter().all(|process| process.memory_bytes > 0));
        assert!(sample.file_descriptors.is_some_and(|files| files.open > 0));
        // What is not the kernel's may be in trouble here for good reasons.
        let of_kernel = ["cpu", "memory", "disks", "networks", "sockets", "processes"];
        assert!(of_kernel.iter().all(|name| !collectors.errors().contains_key(*name)));
        TelemetryFrame { samples: vec![sample] }.check(now_ms()).unwrap();
    }

    #[test]
    fn all_that_can_be_switched_off_is_known_here_but_the_logs() {
        let is_here = |name: &str| name == PROCESSES || MAKERS.iter().any(|m| m.name == name);
        let elsewhere: Vec<&str> =
            COLLECTORS.iter().copied().filter(|name| !is_here(name)).collect();
        assert_eq!(elsewhere, ["logs", "journald"]);
        assert!(MAKERS.iter().all(|maker| COLLECTORS.contains(&maker.name)));
    }

    #[test]
    fn a_live_view_has_its_own_rates_and_shares_what_is_slow() {
        let settings = CollectorSettings::default();
        let slow = SlowSources::default();
        let _main = Collectors::take_over(&settings, &slow);
        let mut live = Collectors::start_beside(&settings, &slow);
        let sample = live.sample();
        assert!(!sample.networks.is_empty() && sample.memory.total_bytes > 0);
        assert!(live.sources.iter().all(Option::is_some));
        let alone = Collectors::start_beside(&settings, &SlowSources::default());
        assert!(alone.sources.iter().zip(MAKERS).all(|(made, maker)| made.is_some() != maker.slow));
    }

    static MADE: AtomicUsize = AtomicUsize::new(0);

    /// Counts how often it is shared, and does nothing.
    struct Counted;
    impl Collect for Counted {
        fn collect(&mut self, _now: Moment, _sample: &mut Sample) -> Result<(), Trouble> {
            Ok(())
        }

        fn share(&self) -> Option<Box<dyn Collect>> {
            MADE.fetch_add(1, Ordering::SeqCst);
            Some(Box::new(Self))
        }
    }

    #[test]
    fn collectors_made_anew_and_switched_on_again_share_the_threads_of_those_before() {
        let mut settings = CollectorSettings::default();
        let slow = SlowSources::default();
        let mut first = Collectors::take_over(&settings, &slow);
        let shared: Vec<usize> = lock(&slow.views).keys().copied().collect();
        assert!(shared.iter().all(|index| MAKERS[*index].slow) && shared.len() > 5);
        for view in lock(&slow.views).values_mut() {
            view.collector = Box::new(Counted);
        }
        settings.enabled = MAKERS.iter().map(|maker| (maker.name.into(), false)).collect();
        first.apply(&settings);
        settings.enabled.clear();
        first.apply(&settings);
        assert_eq!(MADE.load(Ordering::SeqCst), shared.len());
        drop(Collectors::take_over(&settings, &slow));
        assert_eq!(MADE.load(Ordering::SeqCst), 2 * shared.len());
    }

    #[test]
    fn what_is_switched_off_says_nothing_and_what_stays_goes_on() {
        let mut settings = CollectorSettings::default();
        let mut collectors = Collectors::start(&settings);
        settings.enabled = BTreeMap::from([("memory".into(), false), (PROCESSES.into(), false)]);
        collectors.apply(&settings);
        let sample = collectors.sample();
        assert_eq!((sample.memory.total_bytes, sample.processes.total), (0, 0));
        assert!(collectors.all_processes().is_empty());
        assert!(!sample.networks.is_empty(), "interfaces wait for a second reading again");
    }

    #[test]
    fn a_pattern_that_is_none_is_told_and_the_others_mask() {
        let settings = CollectorSettings {
            mask_arguments: vec!["(".into(), "e".into()],
            ..CollectorSettings::default()
        };
        let mut collectors = Collectors::start(&settings);
        assert!(collectors.errors()[PROCESSES].contains("is not a pattern"));
        let own = i64::from(std::process::id());
        let all = collectors.all_processes();
        let own = all.iter().find(|process| process.pid == own).unwrap();
        assert!(!own.command.contains('e') && own.command.contains("***"), "{}", own.command);
    }
}
