//! Looks at this host: all sources, switched on and off, in one sample.
//!
//! Rates and shares are over the time between two samples of the same [`Collectors`]: the live view
//! has its own for that reason, and shares what is slow with the main one. What only happens now
//! and then (filesystems, sensors, containers, scripts, ...) is taken on threads of its own and
//! shown as it was last; see [`slow`]. The rest is asked at every sample; see [`quick`]. Nothing of
//! it blocks who samples, whatever hangs.
//!
//! Called by `service.rs`.

mod child;
mod containers;
mod custom;
mod filesystems;
mod gpus;
mod hardware;
pub mod host;
mod http;
mod kernel;
mod makers;
mod processes;
mod quick;
mod services;
mod slow;
mod smart;
mod source;
mod users;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use muster_runtime::time::now_ms;
use muster_schemas::telemetry::{Process, Sample};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use self::host::{Host, boot_clock_ms};
use self::makers::{MAKERS, PROCESSES, Pace};
use self::processes::ProcessTable;
use self::quick::{Asked, Quick, no_answer};
use self::slow::lock;
use self::source::{Collect, Moment, Source};
use crate::logic::fit::{Unfit, fit};

/// What a list of all processes may take, besides the time its shares are over: a host with
/// thousands of them under load needs a second or two.
const LIST_PATIENCE: Duration = Duration::from_secs(10);

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

/// What several views of one host share.
#[derive(Clone, Default)]
pub struct SlowSources {
    /// By index in [`MAKERS`]. What is switched off stays: a thread of it may hang, and one that is
    /// made anew would hang with another.
    views: Arc<Mutex<BTreeMap<usize, View>>>,
    /// What is asked just now of those that are quick as a rule.
    asked: Asked,
}

/// A slow source that others can show, and the settings it was made of.
struct View {
    collector: Box<dyn Collect>,
    of: String,
}

pub struct Collectors {
    host: Host,
    settings: CollectorSettings,
    /// What those that are on were made of, by index in [`MAKERS`].
    of: BTreeMap<usize, String>,
    quick: Quick,
    slow: BTreeMap<usize, Source>,
    /// Those that panicked in the last sample, and are made anew before the next.
    lost: Vec<usize>,
    /// What of the last sample could not be sent as it was.
    unfit: Unfit,
    shared: SlowSources,
    /// Whether this one makes the slow sources, or shows those of another.
    is_main: bool,
}

impl Collectors {
    /// Takes the first readings, from which the first sample is reckoned, and makes the slow
    /// sources for others to show.
    pub async fn start(settings: &CollectorSettings, shared: &SlowSources) -> Self {
        Self::build(settings, shared.clone(), true).await
    }

    /// One for the live view: with its own rates, and what is slow as the main one has it.
    pub async fn start_beside(settings: &CollectorSettings, shared: &SlowSources) -> Self {
        Self::build(settings, shared.clone(), false).await
    }

    async fn build(settings: &CollectorSettings, shared: SlowSources, is_main: bool) -> Self {
        let mut collectors = Self {
            host: Host::new(&settings.host_root),
            settings: settings.clone(),
            of: BTreeMap::new(),
            quick: Quick::new(shared.asked.clone()),
            slow: BTreeMap::new(),
            lost: Vec::new(),
            unfit: Unfit::new(),
            shared,
            is_main,
        };
        collectors.apply(settings);
        collectors.sample().await;
        collectors
    }

    /// Switches on and off, and keeps the readings of what stays. The host's root stays the one
    /// it was started with.
    pub fn apply(&mut self, settings: &CollectorSettings) {
        self.settings = settings.clone();
        for (index, maker) in MAKERS.iter().enumerate() {
            let of = (maker.made_of)(settings);
            let is_on = settings.is_enabled(maker.name);
            if is_on && self.of.get(&index) == Some(&of) {
                continue;
            }
            self.remove(index);
            if is_on {
                self.make(index, of);
            }
        }
    }

    fn remove(&mut self, index: usize) {
        self.of.remove(&index);
        self.slow.remove(&index);
        self.quick.remove(index);
    }

    fn make(&mut self, index: usize, of: String) {
        let maker = &MAKERS[index];
        let new = if self.is_main { Source::new } else { Source::silent };
        match maker.pace {
            Pace::Quick(put) => {
                let collector = (maker.make)(&self.host, &self.settings);
                self.quick.insert(index, new(maker.name, collector), put);
            }
            Pace::Slow => {
                let Some(collector) = self.make_slow(index, &of) else { return };
                self.slow.insert(index, new(maker.name, collector));
            }
        }
        self.of.insert(index, of);
    }

    /// Shares what there is already; only the main one begins what there is not.
    fn make_slow(&self, index: usize, of: &str) -> Option<Box<dyn Collect>> {
        let mut views = lock(&self.shared.views);
        let known = views.get(&index).filter(|view| !self.is_main || view.of == of);
        let known = known.and_then(|view| view.collector.share());
        if known.is_some() || !self.is_main {
            return known;
        }
        let collector = (MAKERS[index].make)(&self.host, &self.settings);
        if let Some(shared) = collector.share() {
            views.insert(index, View { collector: shared, of: of.to_owned() });
        }
        Some(collector)
    }

    /// Takes a few milliseconds, and [`quick::PATIENCE`] longer for each that hangs anew.
    pub async fn sample(&mut self) -> Sample {
        for index in std::mem::take(&mut self.lost) {
            if let Some(of) = self.of.remove(&index) {
                self.make(index, of);
            }
        }
        let now = Moment { boot_ms: boot_clock_ms() };
        let mut sample = Sample { at: now_ms(), uptime_s: now.boot_ms / 1000, ..Sample::default() };
        self.lost = self.quick.collect(now, &mut sample).await;
        for source in self.slow.values_mut() {
            source.collect(now, &mut sample);
        }
        self.unfit = fit(&mut sample);
        sample
    }

    /// What does not work now, by collector. What the host does not have is no error.
    pub fn errors(&self) -> BTreeMap<String, String> {
        let slow = self.slow.values();
        let mut errors: BTreeMap<String, String> =
            slow.filter_map(|source| Some((source.name.into(), source.error()?.into()))).collect();
        errors.extend(self.quick.errors().map(|(name, error)| (name.into(), error)));
        for index in &self.lost {
            errors.insert(MAKERS[*index].name.into(), "it panicked".into());
        }
        for (collector, what) in &self.unfit {
            errors.entry((*collector).into()).or_insert_with(|| what.clone());
        }
        errors
    }
}

/// All processes by pid, with shares and rates over a while; none where they are switched off.
pub async fn all_processes(
    settings: &CollectorSettings,
    shared: &SlowSources,
    over: Duration,
) -> Result<Vec<Process>, String> {
    if !settings.is_enabled(PROCESSES) {
        return Ok(Vec::new());
    }
    if let Some(waited) = shared.asked.hangs_for(PROCESSES) {
        return Err(no_answer(waited));
    }
    let (host, masks) = (Host::new(&settings.host_root), settings.mask_arguments.clone());
    let turn = shared.asked.begin(PROCESSES);
    let listing = spawn_blocking(move || {
        let _turn = turn;
        let mut table = ProcessTable::masked_by(&host, &masks);
        table.all_over(|| thread::sleep(over))
    });
    match timeout(over + LIST_PATIENCE, listing).await {
        Ok(Ok(listed)) => listed.map_err(|trouble| trouble.to_string()),
        Ok(Err(_)) => Err("it panicked".into()),
        Err(_) => Err(no_answer(over + LIST_PATIENCE)),
    }
}

#[cfg(test)]
mod tests;
