//! All sources together, on this machine.

use std::sync::atomic::{AtomicUsize, Ordering};

use muster_schemas::Durable;
use muster_schemas::configuration::COLLECTORS;
use muster_schemas::telemetry::TelemetryFrame;

use super::source::Trouble;
use super::*;

async fn start(settings: &CollectorSettings) -> Collectors {
    Collectors::start(settings, &SlowSources::default()).await
}

#[tokio::test]
async fn this_machine_agrees_with_proc() {
    let mut collectors = start(&CollectorSettings::default()).await;
    let sample = collectors.sample().await;
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
    let is_here = |name: &str| MAKERS.iter().any(|maker| maker.name == name);
    let elsewhere: Vec<&str> = COLLECTORS.iter().copied().filter(|name| !is_here(name)).collect();
    assert_eq!(elsewhere, ["logs", "journald"]);
    assert!(MAKERS.iter().all(|maker| COLLECTORS.contains(&maker.name)));
}

#[tokio::test]
async fn a_live_view_has_its_own_rates_and_shares_what_is_slow() {
    let settings = CollectorSettings::default();
    let shared = SlowSources::default();
    let _main = Collectors::start(&settings, &shared).await;
    let mut live = Collectors::start_beside(&settings, &shared).await;
    let sample = live.sample().await;
    assert!(!sample.networks.is_empty() && sample.memory.total_bytes > 0);
    assert_eq!(live.of.len(), MAKERS.len());
    let alone = Collectors::start_beside(&settings, &SlowSources::default()).await;
    let quick = MAKERS.iter().enumerate().filter(|(_, maker)| !maker.is_slow());
    assert!(alone.of.keys().copied().eq(quick.map(|(index, _)| index)));
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

#[tokio::test]
async fn collectors_made_anew_and_switched_on_again_share_the_threads_of_those_before() {
    let mut settings = CollectorSettings::default();
    let slow = SlowSources::default();
    let mut first = Collectors::start(&settings, &slow).await;
    let shared: Vec<usize> = lock(&slow.views).keys().copied().collect();
    assert!(shared.iter().all(|index| MAKERS[*index].is_slow()) && shared.len() > 5);
    for view in lock(&slow.views).values_mut() {
        view.collector = Box::new(Counted);
    }
    settings.enabled = MAKERS.iter().map(|maker| (maker.name.into(), false)).collect();
    first.apply(&settings);
    settings.enabled.clear();
    first.apply(&settings);
    assert_eq!(MADE.load(Ordering::SeqCst), shared.len());
    drop(Collectors::start(&settings, &slow).await);
    assert_eq!(MADE.load(Ordering::SeqCst), 2 * shared.len());
}

#[tokio::test]
async fn what_is_switched_off_says_nothing_and_what_stays_goes_on() {
    let mut settings = CollectorSettings::default();
    let mut collectors = start(&settings).await;
    settings.enabled = BTreeMap::from([("memory".into(), false), (PROCESSES.into(), false)]);
    collectors.apply(&settings);
    let sample = collectors.sample().await;
    assert_eq!((sample.memory.total_bytes, sample.processes.total), (0, 0));
    assert!(!sample.networks.is_empty(), "interfaces wait for a second reading again");
    let all = all_processes(&settings, &SlowSources::default(), Duration::ZERO).await;
    assert!(all.unwrap().is_empty());
}

#[tokio::test]
async fn a_pattern_that_is_none_is_told_and_the_others_mask() {
    let settings = CollectorSettings {
        mask_arguments: vec!["(".into(), "e".into()],
        ..CollectorSettings::default()
    };
    let collectors = start(&settings).await;
    assert!(collectors.errors()[PROCESSES].contains("is not a pattern"));
    let own = i64::from(std::process::id());
    let all = all_processes(&settings, &SlowSources::default(), Duration::ZERO).await.unwrap();
    let own = all.iter().find(|process| process.pid == own).unwrap();
    assert!(!own.command.contains('e') && own.command.contains("***"), "{}", own.command);
}
