//! How a worker's work goes, measured: rates over the last minute, latencies, what is in hand.
//!
//! Arithmetic: the caller says what time it is. A batch that is in hand for some seconds, or that
//! failed and is tried again, holds the channel; a database that was stopped does not fail, it is
//! only silent, so silence has to count.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use muster_schemas::workers::{ChannelWork, Trouble, WorkerState};

/// What a rate is taken over.
const WINDOW_MS: i64 = 60_000;

/// Latencies that are kept of the last minute: the worst of a hundred are told from those of a
/// thousand, and a worker of small batches makes some ten a second.
const COMMITS_MAX: usize = 600;

/// A batch that takes longer is held: the largest take a second, and five make no difference to
/// the streams, which hold hours.
const HELD_AFTER_MS: i64 = 5_000;

/// How long the lag of the last batch speaks for a channel that has nothing in hand.
const LAG_KEPT_MS: i64 = 10_000;

/// The longest reason that is kept of an error.
const REASON_CHARS_MAX: usize = 500;

/// What became of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Batch {
    pub messages: usize,
    pub rows: u64,
    pub redelivered: usize,
    pub duplicates: usize,
    pub dead_letters: usize,
}

/// One channel.
#[derive(Debug, Default)]
pub struct Meter {
    started_at: i64,
    /// Per second that had any: second, messages, rows. At most one minute of them.
    seconds: VecDeque<(i64, u64, u64)>,
    commits: VecDeque<(i64, f64)>,
    hand: Option<Hand>,
    work: ChannelWork,
    lag_at: i64,
}

/// The batch that is being stored.
#[derive(Debug)]
struct Hand {
    since: i64,
    /// When the broker stored the oldest of it.
    oldest_at: i64,
    failed: Option<Trouble>,
}

impl Meter {
    pub fn new(now: i64) -> Self {
        Self { started_at: now, ..Self::default() }
    }

    /// A batch was taken in hand, the oldest of whose messages the broker stored at `oldest_at`.
    pub fn begin(&mut self, now: i64, messages: usize, oldest_at: i64) {
        self.work.batch_messages = messages as i64;
        self.hand = Some(Hand { since: now, oldest_at, failed: None });
    }

    /// An attempt failed; the batch is still in hand.
    pub fn failed(&mut self, now: i64, reason: &str) {
        let reason: String = reason.chars().take(REASON_CHARS_MAX).collect();
        let trouble = Trouble { at: now, reason };
        self.work.last_error = Some(trouble.clone());
        if let Some(hand) = &mut self.hand {
            hand.failed = Some(trouble);
        }
    }

    pub fn committed(&mut self, now: i64, ms: f64) {
        if self.commits.len() == COMMITS_MAX {
            self.commits.pop_front();
        }
        self.commits.push_back((now, ms));
    }

    pub fn done(&mut self, now: i64, batch: Batch) {
        self.work.lag_ms = self.hand.take().map_or(0, |hand| (now - hand.oldest_at).max(0));
        self.lag_at = now;
        self.count(now / 1000, batch.messages as u64, batch.rows);
        self.work.messages += batch.messages as i64;
        self.work.rows += batch.rows as i64;
        self.work.redelivered += batch.redelivered as i64;
        self.work.duplicates += batch.duplicates as i64;
        self.work.dead_letters += batch.dead_letters as i64;
    }

    fn count(&mut self, second: i64, messages: u64, rows: u64) {
        match self.seconds.back_mut() {
            Some(last) if last.0 >= second => {
                last.1 += messages;
                last.2 += rows;
            }
            _ => self.seconds.push_back((second, messages, rows)),
        }
        let earliest = second - WINDOW_MS / 1000;
        while self.seconds.front().is_some_and(|first| first.0 <= earliest) {
            self.seconds.pop_front();
        }
    }

    pub fn work(&self, now: i64) -> ChannelWork {
        let window_s = (now - self.started_at).clamp(1_000, WINDOW_MS) as f64 / 1000.0;
        let lately = self.seconds.iter().filter(|(second, ..)| *second > (now - WINDOW_MS) / 1000);
        let (messages, rows) =
            lately.fold((0, 0), |(messages, rows), second| (messages + second.1, rows + second.2));
        let commits = self.latencies(now);
        ChannelWork {
            messages_per_s: rounded(messages as f64 / window_s),
            rows_per_s: rounded(rows as f64 / window_s),
            commit_ms_p50: quantile(&commits, 50),
            commit_ms_p99: quantile(&commits, 99),
            lag_ms: self.lag_ms(now),
            held: self.held(now),
            ..self.work.clone()
        }
    }

    fn latencies(&self, now: i64) -> Vec<f64> {
        let lately = self.commits.iter().filter(|(at, _)| now - at <= WINDOW_MS);
        let mut all: Vec<f64> = lately.map(|(_, ms)| *ms).collect();
        all.sort_by(f64::total_cmp);
        all
    }

    fn lag_ms(&self, now: i64) -> i64 {
        match &self.hand {
            Some(hand) => (now - hand.oldest_at).max(0),
            None if now - self.lag_at <= LAG_KEPT_MS => self.work.lag_ms,
            None => 0,
        }
    }

    fn held(&self, now: i64) -> Option<Trouble> {
        let hand = self.hand.as_ref()?;
        if let Some(failed) = &hand.failed {
            return Some(Trouble { at: hand.since, reason: failed.reason.clone() });
        }
        let waited = now - hand.since;
        let reason =
            || format!("no answer yet; messages in the batch: {}", self.work.batch_messages);
        (waited >= HELD_AFTER_MS).then(|| Trouble { at: hand.since, reason: reason() })
    }
}

fn quantile(sorted: &[f64], percent: usize) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    Some(rounded(sorted[last * percent / 100]))
}

/// Two decimals are finer than anybody reads.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// The meters of a process, shared by those who work and the one who tells.
#[derive(Debug, Clone, Default)]
pub struct Meters {
    channels: Arc<Mutex<BTreeMap<&'static str, Meter>>>,
}

impl Meters {
    /// Gives the meter of a channel, which is made at its first use.
    pub fn with(&self, channel: &'static str, now: i64, tell: impl FnOnce(&mut Meter)) {
        tell(self.lock().entry(channel).or_insert_with(|| Meter::new(now)));
    }

    pub fn state(&self, now: i64) -> WorkerState {
        let channels = self.lock();
        let work = channels.iter().map(|(name, meter)| ((*name).to_owned(), meter.work(now)));
        WorkerState { channels: work.collect() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Meter>> {
        self.channels.lock().expect("nothing panics while it holds this lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: i64 = 1_732_100_000_000;

    fn batch(messages: usize) -> Batch {
        Batch { messages, rows: 3 * messages as u64, ..Batch::default() }
    }

    #[test]
    fn a_rate_is_that_of_the_last_minute() {
        let mut meter = Meter::new(T0 - 3_600_000);
        for second in 0..120 {
            let now = T0 + second * 1000;
            meter.begin(now, 10, now - 100);
            meter.committed(now, second as f64);
            meter.done(now, batch(10));
        }
        let work = meter.work(T0 + 119_000);
        assert_eq!((work.messages_per_s, work.rows_per_s), (10.0, 30.0));
        assert_eq!((work.messages, work.rows), (1200, 3600));
        assert_eq!((work.commit_ms_p50, work.commit_ms_p99), (Some(89.0), Some(118.0)));
        let idle = meter.work(T0 + 300_000);
        assert_eq!((idle.messages_per_s, idle.commit_ms_p50, idle.lag_ms), (0.0, None, 0));
    }

    #[test]
    fn a_worker_that_has_just_begun_is_not_measured_over_a_minute() {
        let mut meter = Meter::new(T0);
        meter.begin(T0 + 1_000, 100, T0);
        meter.done(T0 + 2_000, batch(100));
        assert!((meter.work(T0 + 2_000).messages_per_s - 50.0).abs() < 1e-9);
    }

    #[test]
    fn a_batch_without_an_answer_holds_and_so_does_one_that_failed() {
        let mut meter = Meter::new(T0);
        meter.begin(T0, 7, T0 - 1_000);
        assert_eq!(meter.work(T0 + 4_999).held, None);
        let held = meter.work(T0 + 5_000).held.unwrap();
        assert_eq!(
            (held.at, held.reason.as_str()),
            (T0, "no answer yet; messages in the batch: 7")
        );
        assert_eq!(meter.work(T0 + 9_000).lag_ms, 10_000);

        meter.failed(T0 + 5_500, "no connection to the database");
        let held = meter.work(T0 + 5_600).held.unwrap();
        assert_eq!((held.at, held.reason.as_str()), (T0, "no connection to the database"));

        meter.done(T0 + 6_000, batch(7));
        let work = meter.work(T0 + 6_000);
        assert_eq!((work.held, work.lag_ms), (None, 7_000));
        assert_eq!(work.last_error.unwrap().at, T0 + 5_500);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut meter = Meter::new(T0);
        for n in 0..100_000 {
            meter.committed(T0 + n, 1.0);
            meter.done(T0 + n * 100, batch(1));
        }
        assert!(meter.commits.len() <= COMMITS_MAX);
        assert!(meter.seconds.len() <= 61, "{}", meter.seconds.len());
    }
}
