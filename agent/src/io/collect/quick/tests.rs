//! Sources that hang, come late or panic, among those of this machine.

use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;

use super::super::makers::{MAKERS, PROCESSES, Pace};
use super::super::source::{Collect, Trouble};
use super::super::{CollectorSettings, Collectors, SlowSources, all_processes};
use super::*;

/// Answers only when it is let go of; then it says that there are 7.
struct Hangs {
    asked: Arc<AtomicUsize>,
    wait: mpsc::Receiver<()>,
}

impl Collect for Hangs {
    fn collect(&mut self, _now: Moment, sample: &mut Sample) -> Result<(), Trouble> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        // An error once whoever could let go of it has.
        let _ = self.wait.recv();
        sample.memory.total_bytes = 7;
        sample.processes.total = 7;
        Ok(())
    }
}

struct Panics;

impl Collect for Panics {
    fn collect(&mut self, _now: Moment, _sample: &mut Sample) -> Result<(), Trouble> {
        panic!("on purpose")
    }
}

/// Puts a stand-in in the place of a quick source.
fn replace(collectors: &mut Collectors, name: &'static str, stand_in: impl Collect + 'static) {
    let is_meant = |maker: &super::super::makers::Maker| maker.name == name && !maker.is_slow();
    let index = MAKERS.iter().position(is_meant).unwrap();
    let Pace::Quick(put) = MAKERS[index].pace else { unreachable!("it was asked for") };
    collectors.quick.insert(index, Source::new(name, Box::new(stand_in)), put);
}

/// Has a quick source hang until the answered end is dropped; counts how often it is asked.
fn hang(collectors: &mut Collectors, name: &'static str) -> (mpsc::Sender<()>, Arc<AtomicUsize>) {
    let (release, wait) = mpsc::channel();
    let asked = Arc::new(AtomicUsize::new(0));
    replace(collectors, name, Hangs { asked: asked.clone(), wait });
    (release, asked)
}

async fn sample_until(collectors: &mut Collectors, is_there: fn(&Collectors, &Sample) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let sample = collectors.sample().await;
        if is_there(collectors, &sample) {
            return;
        }
        assert!(Instant::now() < deadline, "{sample:?} {:?}", collectors.errors());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn collectors_that_hang_are_named_and_the_others_go_on_until_they_are_back() {
    let settings = CollectorSettings::default();
    let mut collectors = Collectors::start(&settings, &SlowSources::default()).await;
    let (first, first_asked) = hang(&mut collectors, "memory");
    let (second, second_asked) = hang(&mut collectors, PROCESSES);
    for _ in 0..3 {
        let sample = collectors.sample().await;
        assert!(!sample.cpu.cores_percent.is_empty());
        assert!(!sample.networks.is_empty() && sample.file_descriptors.is_some());
        assert_eq!((sample.memory.total_bytes, sample.processes.total), (0, 0));
        let errors = collectors.errors();
        for name in ["memory", PROCESSES] {
            assert!(errors[name].starts_with("no answer for "), "{errors:?}");
        }
    }
    let asked = [first_asked, second_asked].map(|asked| asked.load(Ordering::SeqCst));
    assert_eq!(asked, [1, 1], "one that hangs is not asked again");
    drop(first);
    sample_until(&mut collectors, |collectors, sample| {
        sample.memory.total_bytes == 7
            && sample.processes.total == 0
            && !collectors.errors().contains_key("memory")
    })
    .await;
    drop(second);
    sample_until(&mut collectors, |_, sample| sample.processes.total == 7).await;
}

#[tokio::test]
async fn what_hangs_in_one_view_is_not_asked_in_another() {
    let settings = CollectorSettings::default();
    let shared = SlowSources::default();
    let mut main = Collectors::start(&settings, &shared).await;
    let (release, _) = hang(&mut main, PROCESSES);
    main.sample().await;
    let mut live = Collectors::start_beside(&settings, &shared).await;
    let (_, asked) = hang(&mut live, PROCESSES);
    let sample = live.sample().await;
    assert!(!sample.networks.is_empty() && live.errors()[PROCESSES].starts_with("no answer for "));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    let refused = all_processes(&settings, &shared, Duration::ZERO).await.unwrap_err();
    assert!(refused.starts_with("no answer for "), "{refused}");
    drop(release);
    sample_until(&mut live, |_, sample| sample.processes.total == 7).await;
    assert!(!all_processes(&settings, &shared, Duration::ZERO).await.unwrap().is_empty());
}

#[tokio::test]
async fn one_that_panics_is_named_and_made_anew() {
    let settings = CollectorSettings::default();
    let mut collectors = Collectors::start(&settings, &SlowSources::default()).await;
    replace(&mut collectors, "memory", Panics);
    let sample = collectors.sample().await;
    assert!(!sample.networks.is_empty() && sample.processes.total > 0);
    assert_eq!(collectors.errors()["memory"], "it panicked");
    let sample = collectors.sample().await;
    assert!(sample.memory.total_bytes > 7 && !collectors.errors().contains_key("memory"));
}
