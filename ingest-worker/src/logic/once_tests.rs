//! The ledger's guard as arithmetic: whatever is redelivered, reordered and republished through
//! however many workers that die when they like, each sequence number is stored once.
//!
//! The same as `io::to_postgres` does in SQL, which the pipeline tests try on a real database.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::ranges::Ranges;

/// What is durable.
#[derive(Default)]
struct Database {
    received: Ranges,
    rows: Vec<i64>,
}

impl Database {
    /// One transaction: rows and ledger together, or nothing where one is there already.
    fn commit(&mut self, batch: &Ranges) -> bool {
        if !self.received.and(batch).is_empty() {
            return false;
        }
        self.received = Ranges::of(self.received.iter().chain(batch.iter()));
        self.rows.extend(batch.iter().flat_map(|(from, to)| from..=to));
        true
    }
}

/// A worker with a batch in hand.
#[derive(Clone, Default)]
struct Worker {
    batch: Vec<i64>,
    /// What it will write; less with each round.
    left: Ranges,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Takes so many messages off the stream.
    Take(usize),
    /// Tries to commit; acknowledges if it could, else takes out what is stored.
    Commit,
    /// Commits, and dies before it can acknowledge.
    CommitAndDie,
    Die,
}

struct Model {
    database: Database,
    stream: Vec<i64>,
    workers: [Worker; 2],
}

impl Model {
    fn step(&mut self, who: usize, step: Step) {
        let worker = &mut self.workers[who];
        match step {
            Step::Take(count) if worker.batch.is_empty() => {
                let from = self.stream.len() - count.min(self.stream.len());
                worker.batch = self.stream.split_off(from);
                worker.left = Ranges::of(worker.batch.iter().map(|seq| (*seq, *seq)));
            }
            Step::Take(_) => {}
            Step::Commit | Step::CommitAndDie => {
                if !self.database.commit(&worker.left) {
                    worker.left = worker.left.without(&self.database.received);
                } else if matches!(step, Step::Commit) {
                    *worker = Worker::default();
                    return;
                }
                if matches!(step, Step::CommitAndDie) {
                    self.step(who, Step::Die);
                }
            }
            Step::Die => {
                let worker = std::mem::take(worker);
                self.stream.extend(worker.batch);
            }
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let step = prop_oneof![
        3 => (1..9usize).prop_map(Step::Take),
        4 => Just(Step::Commit),
        1 => Just(Step::CommitAndDie),
        1 => Just(Step::Die),
    ];
    prop::collection::vec((0..2usize, step), 0..120)
}

proptest! {
    #[test]
    fn each_sequence_number_is_stored_once(
        deliveries in prop::collection::vec(1..40i64, 1..120), steps in steps()
    ) {
        let published: BTreeSet<i64> = deliveries.iter().copied().collect();
        let mut model =
            Model { database: Database::default(), stream: deliveries, workers: Default::default() };
        for (who, step) in steps {
            model.step(who, step);
        }
        // In the end both live long enough.
        while !model.stream.is_empty() || model.workers.iter().any(|w| !w.batch.is_empty()) {
            for who in [0, 1, 0] {
                model.step(who, Step::Take(5));
                model.step(who, Step::Commit);
            }
        }
        let mut rows = model.database.rows.clone();
        rows.sort_unstable();
        prop_assert_eq!(rows, published.into_iter().collect::<Vec<_>>());
    }
}
