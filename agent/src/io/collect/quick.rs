//! What is quick as a rule: asked one after another on one thread, and left behind where it hangs.
//!
//! A file of the kernel is read in microseconds, and yet the command line of a process that is
//! stuck with its memory locked may never come. So each source is lent to the thread that asks it.
//! One that has not answered within [`PATIENCE`] is left with that thread and named; another thread
//! goes on with the rest. Whoever was late is asked apart the next time and not waited for: what it
//! says is shown in the sample after that, until it is in time again.
//!
//! A source that hangs in one view (the samples, the live view, a list of processes) is not asked
//! by the others: however often somebody looks, few threads hang.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use muster_schemas::telemetry::Sample;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use tracing::warn;

use super::slow::lock;
use super::source::{Moment, Source};

/// What a source may take before the others go on without it. All of them together take a few
/// milliseconds; a host that swaps is given time, and sampling every five seconds keeps its beat.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// How old what came late may be when it is shown.
const SHOWN_FOR: Duration = Duration::from_secs(60);

type Put = fn(&mut Sample, Sample);

/// Which sources are being asked just now, and since when: by all views of one agent.
#[derive(Clone, Default)]
pub struct Asked(Arc<AskedNow>);

#[derive(Default)]
struct AskedNow {
    next: AtomicU64,
    turns: Mutex<Vec<(u64, &'static str, Instant)>>,
}

impl Asked {
    pub fn begin(&self, name: &'static str) -> Turn {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        lock(&self.0.turns).push((number, name, Instant::now()));
        Turn { asked: self.clone(), number }
    }

    /// For how long somebody waits already, where that is longer than it may be.
    pub fn hangs_for(&self, name: &str) -> Option<Duration> {
        let turns = lock(&self.0.turns);
        let same = turns.iter().filter(|(_, other, _)| *other == name);
        same.map(|(_, _, since)| since.elapsed()).max().filter(|waited| *waited > PATIENCE)
    }
}

/// Ends when it is dropped, however the asking ends.
pub struct Turn {
    asked: Asked,
    number: u64,
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&self.asked.0.turns).retain(|(number, ..)| *number != self.number);
    }
}

/// The quick sources of one view, by index in the list of makers.
pub struct Quick {
    places: BTreeMap<usize, Place>,
    home: Arc<Home>,
    asked: Asked,
}

/// Where the threads leave the sources they have asked.
type Home = Mutex<Vec<Returned>>;

struct Returned {
    index: usize,
    asked_at: Instant,
    answered_at: Instant,
    /// `None` of one that panicked.
    back: Option<(Source, Sample)>,
}

struct Place {
    name: &'static str,
    put: Put,
    /// `None` while it is asked.
    source: Option<Source>,
    asked_at: Instant,
    /// What it took the last time.
    took: Duration,
    /// What it said since the last sample, and when.
    answer: Option<(Instant, Sample)>,
    /// For how long it has kept another view waiting, and was not asked therefore.
    skipped: Option<Duration>,
}

impl Quick {
    pub fn new(asked: Asked) -> Self {
        Self { places: BTreeMap::new(), home: Arc::default(), asked }
    }

    pub fn insert(&mut self, index: usize, source: Source, put: Put) {
        let place = Place {
            name: source.name,
            put,
            source: Some(source),
            asked_at: Instant::now(),
            took: Duration::ZERO,
            answer: None,
            skipped: None,
        };
        self.places.insert(index, place);
    }

    pub fn remove(&mut self, index: usize) {
        self.places.remove(&index);
    }

    /// Asks all, and puts into the sample what came in time, and what came since the last one.
    /// Answers which have panicked and are gone.
    pub async fn collect(&mut self, now: Moment, sample: &mut Sample) -> Vec<usize> {
        let mut lost = self.take_back();
        let mut in_time = VecDeque::new();
        for (index, place) in &mut self.places {
            let Some(source) = place.lend(&self.asked) else { continue };
            if place.is_late() {
                let apart = Round::new(now, [(*index, source)].into(), &self.home, &self.asked);
                drop(apart.start());
            } else {
                in_time.push_back((*index, source));
            }
        }
        Round::new(now, in_time, &self.home, &self.asked).run().await;
        lost.extend(self.take_back());
        for place in self.places.values_mut() {
            place.show(sample);
        }
        lost
    }

    fn take_back(&mut self) -> Vec<usize> {
        let mut lost = Vec::new();
        for Returned { index, asked_at, answered_at, back } in lock(&self.home).drain(..) {
            // One that was switched off meanwhile, and perhaps on again, is not wanted back.
            let place = self.places.get_mut(&index).filter(|place| place.source.is_none());
            let Some(place) = place else { continue };
            let Some((source, part)) = back else {
                self.places.remove(&index);
                lost.push(index);
                continue;
            };
            place.source = Some(source);
            place.took = answered_at - asked_at;
            place.answer = Some((answered_at, part));
        }
        lost
    }

    /// What does not work, by name.
    pub fn errors(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.places.values().filter_map(|place| Some((place.name, place.error()?)))
    }
}

impl Place {
    /// Hands over the source, unless it is away, or hangs elsewhere.
    fn lend(&mut self, asked: &Asked) -> Option<Source> {
        self.source.as_ref()?;
        self.skipped = asked.hangs_for(self.name);
        if self.skipped.is_some() {
            return None;
        }
        self.asked_at = Instant::now();
        self.source.take()
    }

    fn is_late(&self) -> bool {
        self.took > PATIENCE
    }

    fn show(&mut self, sample: &mut Sample) {
        if let Some((answered_at, part)) = self.answer.take()
            && answered_at.elapsed() <= SHOWN_FOR
        {
            (self.put)(sample, part);
        }
    }

    fn error(&self) -> Option<String> {
        if let Some(source) = &self.source
            && self.skipped.is_none()
        {
            return source.error().map(str::to_owned);
        }
        let waited = self.skipped.unwrap_or(self.asked_at.elapsed()).max(self.took);
        Some(no_answer(waited))
    }
}

pub fn no_answer(waited: Duration) -> String {
    format!("no answer for {} s", waited.as_secs())
}

/// What one thread asks after another; a second one, where the first hangs.
struct Round {
    now: Moment,
    home: Arc<Home>,
    asked: Asked,
    state: Mutex<State>,
}

struct State {
    waiting: VecDeque<(usize, Source)>,
    /// Being asked by the thread that is not left behind.
    under_way: Option<(&'static str, Instant)>,
    /// Counts the threads of this round.
    thread: u64,
}

impl Round {
    fn new(
        now: Moment,
        waiting: VecDeque<(usize, Source)>,
        home: &Arc<Home>,
        asked: &Asked,
    ) -> Arc<Self> {
        let state = Mutex::new(State { waiting, under_way: None, thread: 0 });
        Arc::new(Self { now, home: home.clone(), asked: asked.clone(), state })
    }

    /// Until all were asked, and have answered or were left behind.
    async fn run(self: Arc<Self>) {
        let mut working = self.start();
        loop {
            match timeout(self.patience_left(), &mut working).await {
                Ok(Ok(())) => return,
                // One has panicked, which its own thread has told.
                Ok(Err(_)) => {}
                Err(_) => {
                    if !self.leave_behind() {
                        continue;
                    }
                }
            }
            if lock(&self.state).waiting.is_empty() {
                return;
            }
            working = self.start();
        }
    }

    fn start(self: &Arc<Self>) -> JoinHandle<()> {
        let (round, thread) = (self.clone(), lock(&self.state).thread);
        spawn_blocking(move || while round.ask_next(thread) {})
    }

    fn patience_left(&self) -> Duration {
        let under_way = lock(&self.state).under_way;
        under_way.map_or(PATIENCE, |(_, since)| PATIENCE.saturating_sub(since.elapsed()))
    }

    /// Gives up the thread, if what it asks has had its time.
    fn leave_behind(&self) -> bool {
        let mut state = lock(&self.state);
        let Some((name, since)) = state.under_way else { return false };
        if since.elapsed() < PATIENCE {
            return false;
        }
        warn!(collector = name, "{}: going on without it", no_answer(since.elapsed()));
        state.under_way = None;
        state.thread += 1;
        true
    }

    /// Asks one, and answers whether there may be another for this thread.
    fn ask_next(&self, thread: u64) -> bool {
        let (index, mut source, asked_at) = {
            let mut state = lock(&self.state);
            if state.thread != thread {
                return false;
            }
            let Some((index, source)) = state.waiting.pop_front() else { return false };
            let asked_at = Instant::now();
            state.under_way = Some((source.name, asked_at));
            (index, source, asked_at)
        };
        let turn = self.asked.begin(source.name);
        let mut answer = Answer { round: self, thread, index, asked_at, back: None, _turn: turn };
        let mut part = Sample::default();
        source.collect(self.now, &mut part);
        answer.back = Some((source, part));
        true
    }
}

/// Brings a source home when it has answered, or has panicked.
struct Answer<'a> {
    round: &'a Round,
    thread: u64,
    index: usize,
    asked_at: Instant,
    back: Option<(Source, Sample)>,
    _turn: Turn,
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        {
            let mut state = lock(&self.round.state);
            if state.thread == self.thread {
                state.under_way = None;
            }
        }
        let (index, asked_at) = (self.index, self.asked_at);
        let returned =
            Returned { index, asked_at, answered_at: Instant::now(), back: self.back.take() };
        lock(&self.round.home).push(returned);
    }
}

#[cfg(test)]
mod tests;
