//! The laws of the assignment, and several workers in one thread with the database as a table.

use proptest::prelude::*;

use super::*;

fn names(ids: &BTreeSet<u64>) -> BTreeSet<String> {
    ids.iter().map(|id| format!("{id:016x}")).collect()
}

fn assignment(workers: &BTreeSet<String>) -> BTreeMap<Partition, String> {
    Partition::all()
        .filter_map(|partition| Some((partition, owner_of(partition, workers)?.to_owned())))
        .collect()
}

#[test]
fn without_workers_nobody_owns_anything_and_one_alone_owns_everything() {
    assert!(assignment(&BTreeSet::new()).is_empty());
    let alone = BTreeSet::from(["a".to_owned()]);
    assert_eq!(assignment(&alone).len(), 33);
}

#[test]
fn the_assignment_is_the_same_in_every_version() {
    let workers = ["a", "b", "c"].map(str::to_owned).into();
    let owners: String = assignment(&workers).into_values().collect();
    assert_eq!(owners, ASSIGNED);
}

/// What the first version said.
const ASSIGNED: &str = "cccbbbcbabcabcacacccbaccbacaccaab";

#[test]
fn work_is_spread() {
    for workers in [2_usize, 3, 4, 8] {
        let mut most = Vec::new();
        for seed in 0..200_u64 {
            // Ids that differ little are the hardest.
            let ids = (0..workers as u64).map(|n| seed * 100 + n).collect();
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            for owner in assignment(&names(&ids)).into_values() {
                *counts.entry(owner).or_default() += 1;
            }
            most.push(counts.into_values().max().unwrap_or(0));
        }
        let mean = most.iter().sum::<usize>() as f64 / most.len() as f64;
        let even = 33.0 / workers as f64;
        assert!(mean < even * 1.2 + 3.0, "{workers} workers: the busiest has {mean} of {even}");
    }
}

proptest! {
    #[test]
    fn whoever_comes_moves_only_what_it_gets(
        ids in proptest::collection::btree_set(any::<u64>(), 1..12),
        newcomer in any::<u64>(),
    ) {
        let before = names(&ids);
        let newcomer = format!("{newcomer:016x}");
        let mut after = before.clone();
        after.insert(newcomer.clone());
        let (old, new) = (assignment(&before), assignment(&after));
        prop_assert_eq!(new.len(), 33);
        for (partition, owner) in new {
            prop_assert!(owner == newcomer || old[&partition] == owner);
        }
    }

    #[test]
    fn whoever_goes_moves_only_what_it_had(
        ids in proptest::collection::btree_set(any::<u64>(), 2..12),
        which in any::<prop::sample::Index>(),
    ) {
        let before = names(&ids);
        let gone = before.iter().nth(which.index(before.len())).unwrap().clone();
        let mut after = before.clone();
        after.remove(&gone);
        let (old, new) = (assignment(&before), assignment(&after));
        for (partition, owner) in new {
            prop_assert!(old[&partition] == gone || old[&partition] == owner);
        }
    }

    #[test]
    fn whatever_happens_each_partition_ends_with_its_owner_and_never_has_two(
        events in proptest::collection::vec((0..4_usize, 0..5_usize), 0..60),
    ) {
        let mut cluster = Cluster::new(5);
        for (kind, which) in events {
            match kind {
                0 => cluster.start(which),
                1 => cluster.kill(which),
                2 => cluster.pause(which),
                _ => cluster.look(which),
            }
            cluster.check()?;
        }
        cluster.settle();
        cluster.check()?;
        let workers = cluster.live();
        for row in cluster.rows.values() {
            // Where nobody is at work it stays with whoever had it.
            let Some(owner) = owner_of(row.partition, &workers) else { continue };
            prop_assert_eq!(row.owner.as_deref(), Some(owner));
            prop_assert_eq!(cluster.workers[owner].held.get(&row.partition), Some(&row.epoch));
        }
    }
}

#[derive(Debug, Default)]
struct Worker {
    is_running: bool,
    /// As the database sees it.
    is_live: bool,
    held: BTreeMap<Partition, i64>,
}

/// Leases run out at once here: a worker that is killed or paused is not live from then on.
struct Cluster {
    workers: BTreeMap<String, Worker>,
    rows: BTreeMap<Partition, Row>,
}

impl Cluster {
    fn new(workers: usize) -> Self {
        let workers = (0..workers).map(|n| (format!("w{n}"), Worker::default())).collect();
        let row = |partition| Row { partition, owner: None, epoch: 0, is_free: true };
        Self { workers, rows: Partition::all().map(|p| (p, row(p))).collect() }
    }

    fn worker(&mut self, which: usize) -> &mut Worker {
        self.workers.get_mut(&format!("w{which}")).unwrap()
    }

    fn live(&self) -> BTreeSet<String> {
        let live = self.workers.iter().filter(|(_, worker)| worker.is_live);
        live.map(|(name, _)| name.clone()).collect()
    }

    /// Also lets one that was paused go on, which believes that it holds what it held.
    fn start(&mut self, which: usize) {
        self.worker(which).is_running = true;
    }

    /// One that is started again has another id, so that what the old one had runs out.
    fn kill(&mut self, which: usize) {
        *self.worker(which) = Worker::default();
        let me = format!("w{which}");
        let had = self.rows.values_mut().filter(|row| row.owner.as_deref() == Some(&me));
        had.for_each(|row| row.owner = None);
    }

    fn pause(&mut self, which: usize) {
        let worker = self.worker(which);
        (worker.is_running, worker.is_live) = (false, false);
    }

    fn settle(&mut self) {
        for round in 0..4 {
            (0..5).for_each(|which| self.look((which + round) % 5));
        }
    }

    fn look(&mut self, which: usize) {
        let me = format!("w{which}");
        let worker = self.worker(which);
        if !worker.is_running {
            return;
        }
        worker.is_live = true;
        let view = self.view();
        let plan = plan(&me, &self.workers[&me].held, &view);
        for partition in plan.lost {
            self.worker(which).held.remove(&partition);
        }
        for partition in plan.give_back {
            self.worker(which).held.remove(&partition);
            self.rows.get_mut(&partition).unwrap().owner = None;
        }
        for partition in plan.take {
            let row = self.rows.get_mut(&partition).unwrap();
            row.owner = Some(me.clone());
            row.epoch += 1;
            let epoch = row.epoch;
            self.worker(which).held.insert(partition, epoch);
        }
    }

    fn view(&self) -> View {
        let workers = self.live();
        let is_free = |row: &Row| row.owner.as_ref().is_none_or(|owner| !workers.contains(owner));
        let rows = self.rows.values().map(|row| Row { is_free: is_free(row), ..row.clone() });
        View { rows: rows.collect(), workers }
    }

    /// Several may believe that they hold a partition, but only one under its epoch, by which a
    /// commit is judged.
    fn check(&self) -> Result<(), TestCaseError> {
        for row in self.rows.values() {
            let holds = |worker: &&Worker| worker.held.get(&row.partition) == Some(&row.epoch);
            prop_assert!(self.workers.values().filter(holds).count() <= 1);
        }
        Ok(())
    }
}
