//! What may be slow or hang: taken on a thread of its own when it is due, shown from then on.
//!
//! A thread lives only while it works, so that an idle agent has none. One that hangs is neither
//! joined nor doubled: its collector says for how long it has been waiting, and everything else
//! goes on. A result is shown until it is three periods old, then not any more.
//!
//! The main view and the live view share the results of one such source.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use muster_schemas::telemetry::Sample;

use super::host::boot_clock_ms;
use super::source::{ABSENT_FOR_MS, Collect, Moment, Trouble};

/// Enough for reading small files and running a program; the default of 2 MiB is mapped for nothing.
const STACK_BYTES: usize = 128 * 1024;

/// How many periods a result is shown for, and how many a piece of work may take before it is told.
const PERIODS_MAX: i64 = 3;

type Work<T> = Box<dyn FnMut() -> Result<Found<T>, Trouble> + Send>;

/// What a look found, and what went wrong nevertheless.
#[derive(Debug)]
pub struct Found<T> {
    pub value: T,
    pub trouble: Option<String>,
}

impl<T> Found<T> {
    pub fn all(value: T) -> Self {
        Self { value, trouble: None }
    }

    /// Joins what went wrong with several things into one text.
    pub fn but(value: T, troubles: &[String]) -> Self {
        let trouble = (!troubles.is_empty()).then(|| troubles.join("; "));
        Self { value, trouble }
    }
}

/// How a source is asked and shown.
pub struct Plan<T> {
    pub name: &'static str,
    pub period_ms: i64,
    pub put: fn(&T, &mut Sample),
    /// Whether a result is put into one sample only.
    pub once: bool,
}

struct Shared<T> {
    plan: Plan<T>,
    work: Mutex<Work<T>>,
    state: Mutex<State<T>>,
}

struct State<T> {
    due_ms: i64,
    /// Of the work under way.
    started_ms: Option<i64>,
    result: Option<Timed<T>>,
    trouble: Option<Trouble>,
}

struct Timed<T> {
    at_ms: i64,
    value: T,
}

/// A view of a slow source.
pub struct Slow<T> {
    shared: Arc<Shared<T>>,
    shown_ms: Option<i64>,
}

impl<T: Send + 'static> Slow<T> {
    /// Starts the first look at once, so that the first sample has something to show.
    pub fn start(
        plan: Plan<T>,
        work: impl FnMut() -> Result<Found<T>, Trouble> + Send + 'static,
    ) -> Self {
        let state = State { due_ms: i64::MIN, started_ms: None, result: None, trouble: None };
        let shared = Shared { plan, work: Mutex::new(Box::new(work)), state: Mutex::new(state) };
        let slow = Self { shared: Arc::new(shared), shown_ms: None };
        Shared::look_if_due(&slow.shared, boot_clock_ms());
        slow
    }
}

impl<T: Send + 'static> Collect for Slow<T> {
    fn collect(&mut self, now: Moment, sample: &mut Sample) -> Result<(), Trouble> {
        Shared::look_if_due(&self.shared, now.boot_ms);
        let plan = &self.shared.plan;
        let state = lock(&self.shared.state);
        if let Some(result) = &state.result
            && now.boot_ms - result.at_ms <= PERIODS_MAX * plan.period_ms
            && !(plan.once && self.shown_ms == Some(result.at_ms))
        {
            self.shown_ms = Some(result.at_ms);
            (plan.put)(&result.value, sample);
        }
        let waited_ms = state.started_ms.map_or(0, |started_ms| now.boot_ms - started_ms);
        if waited_ms > PERIODS_MAX * plan.period_ms {
            return Err(Trouble::Failed(format!("no answer for {} s", waited_ms / 1000)));
        }
        state.trouble.clone().map_or(Ok(()), Err)
    }

    fn share(&self) -> Option<Box<dyn Collect>> {
        Some(Box::new(Self { shared: self.shared.clone(), shown_ms: None }))
    }
}

impl<T: Send + 'static> Shared<T> {
    fn look_if_due(shared: &Arc<Self>, now_ms: i64) {
        {
            let mut state = lock(&shared.state);
            if state.started_ms.is_some() || now_ms < state.due_ms {
                return;
            }
            state.started_ms = Some(now_ms);
            state.due_ms = now_ms + shared.plan.period_ms;
            // Whether it is still not there is being found out: the old answer would have it left
            // alone for another while.
            state.trouble.take_if(|trouble| !matches!(trouble, Trouble::Failed(_)));
        }
        let looking = shared.clone();
        let name = format!("collect {}", shared.plan.name);
        let thread = thread::Builder::new().name(name).stack_size(STACK_BYTES);
        if let Err(error) = thread.spawn(move || looking.look()) {
            let mut state = lock(&shared.state);
            state.started_ms = None;
            state.trouble = Some(Trouble::Failed(format!("no thread can be started: {error}")));
        }
    }

    fn look(&self) {
        // Left behind by a piece of work that panics; replaced by what others answer.
        let mut outcome = Finish { shared: self, result: Err(Trouble::failed("it panicked")) };
        outcome.result = (lock(&self.work))();
    }
}

/// Hands over what a look found when it ends, however it ends.
struct Finish<'a, T> {
    shared: &'a Shared<T>,
    result: Result<Found<T>, Trouble>,
}

impl<T> Drop for Finish<'_, T> {
    fn drop(&mut self) {
        let result = std::mem::replace(&mut self.result, Err(Trouble::failed("")));
        let mut state = lock(&self.shared.state);
        state.started_ms = None;
        match result {
            Ok(found) => {
                state.trouble = found.trouble.map(Trouble::Failed);
                state.result = Some(Timed { at_ms: boot_clock_ms(), value: found.value });
            }
            Err(trouble) => {
                // Looking again is cheap; asking again is not, and waits for its period.
                if let Trouble::Absent(_) = trouble {
                    state.due_ms = state.due_ms.min(boot_clock_ms() + ABSENT_FOR_MS);
                }
                state.trouble = Some(trouble);
            }
        }
    }
}

/// A lock held by a thread that panicked guards values that are whole nevertheless: each is
/// replaced in one step.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::*;

    const PLAN: Plan<i64> = Plan {
        name: "test",
        period_ms: 10_000,
        put: |value, sample| sample.uptime_s = *value,
        once: false,
    };

    fn at(boot_ms: i64) -> Moment {
        Moment { boot_ms }
    }

    fn look(slow: &mut Slow<i64>, now: Moment) -> (i64, Result<(), Trouble>) {
        let mut sample = Sample::default();
        let said = slow.collect(now, &mut sample);
        (sample.uptime_s, said)
    }

    fn wait_idle(slow: &Slow<i64>) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while lock(&slow.shared.state).started_ms.is_some() {
            assert!(Instant::now() < deadline, "the work did not end");
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_result_is_shown_until_it_is_three_periods_old() {
        let mut given = false;
        let mut slow = Slow::start(PLAN, move || {
            let first = !std::mem::replace(&mut given, true);
            if first { Ok(Found::all(7)) } else { Err(Trouble::failed("gone")) }
        });
        wait_idle(&slow);
        let now_ms = boot_clock_ms();
        assert_eq!(look(&mut slow, at(now_ms)), (7, Ok(())));
        let _ = look(&mut slow, at(now_ms + 11_000));
        wait_idle(&slow);
        let failed = Err(Trouble::failed("gone"));
        assert_eq!(look(&mut slow, at(now_ms + 12_000)), (7, failed.clone()));
        assert_eq!(look(&mut slow, at(now_ms + 30_100)).0, 0);
        wait_idle(&slow);
        assert_eq!(look(&mut slow, at(now_ms + 30_200)), (0, failed));
    }

    #[test]
    fn one_that_hangs_is_neither_doubled_nor_waited_for() {
        let (release, wait) = mpsc::channel::<()>();
        let started = Arc::new(AtomicUsize::new(0));
        let counted = started.clone();
        let mut slow = Slow::start(PLAN, move || {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = wait.recv();
            Ok(Found::all(1))
        });
        let now_ms = boot_clock_ms();
        assert_eq!(look(&mut slow, at(now_ms)), (0, Ok(())));
        let (_, said) = look(&mut slow, at(now_ms + 60_000));
        assert!(
            matches!(said, Err(Trouble::Failed(reason)) if reason.starts_with("no answer for"))
        );
        drop(release);
        wait_idle(&slow);
        assert_eq!(started.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_panic_is_an_error_and_the_next_look_is_taken() {
        let mut slow = Slow::start(PLAN, || panic!("on purpose"));
        wait_idle(&slow);
        assert_eq!(look(&mut slow, at(boot_clock_ms())), (0, Err(Trouble::failed("it panicked"))));
        let _ = look(&mut slow, at(boot_clock_ms() + 20_000));
        wait_idle(&slow);
    }

    #[test]
    fn what_was_not_there_is_looked_for_a_minute_later_however_rarely_it_is_asked() {
        let mut looks = 0;
        let mut slow = Slow::start(Plan { period_ms: 3_600_000, ..PLAN }, move || {
            looks += 1;
            if looks == 1 { Err(Trouble::absent("unplugged")) } else { Ok(Found::all(5)) }
        });
        wait_idle(&slow);
        let now_ms = boot_clock_ms();
        let absent = Err(Trouble::absent("unplugged"));
        assert_eq!(look(&mut slow, at(now_ms)), (0, absent));
        assert_eq!(look(&mut slow, at(now_ms + ABSENT_FOR_MS)).1, Ok(()), "the answer is awaited");
        wait_idle(&slow);
        assert_eq!(look(&mut slow, at(now_ms + ABSENT_FOR_MS + 5_000)), (5, Ok(())));
    }

    #[test]
    fn what_was_asked_and_said_nothing_is_asked_again_in_its_period_only() {
        let looks = Arc::new(AtomicUsize::new(0));
        let counted = looks.clone();
        let mut slow = Slow::start(Plan { period_ms: 3_600_000, ..PLAN }, move || {
            counted.fetch_add(1, Ordering::SeqCst);
            Err(Trouble::silent("permission denied"))
        });
        wait_idle(&slow);
        let now_ms = boot_clock_ms();
        let silent = Err(Trouble::silent("permission denied"));
        for minutes in 1..59 {
            assert_eq!(look(&mut slow, at(now_ms + minutes * ABSENT_FOR_MS)), (0, silent.clone()));
        }
        assert_eq!(looks.load(Ordering::SeqCst), 1);
        let _ = look(&mut slow, at(now_ms + 3_600_000));
        wait_idle(&slow);
        assert_eq!(looks.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn another_view_shows_the_same_and_what_is_shown_once_is_shown_once_in_each() {
        let slow = Slow::start(Plan { once: true, ..PLAN }, || Ok(Found::all(9)));
        wait_idle(&slow);
        for mut view in [slow.share().unwrap(), slow.share().unwrap()] {
            let mut shown = Vec::new();
            for _ in 0..2 {
                let mut sample = Sample::default();
                view.collect(at(boot_clock_ms()), &mut sample).unwrap();
                shown.push(sample.uptime_s);
            }
            assert_eq!(shown, [9, 0]);
        }
    }
}
