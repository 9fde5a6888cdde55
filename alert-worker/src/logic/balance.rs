//! Which worker decides about which partition.
//!
//! - Each live worker has a weight for each partition, a hash of both names, and the heaviest gets
//!   the partition. All come to the same answer without asking one another, and whoever comes or
//!   goes moves only what it gets or had.
//! - A partition is taken only when nobody has it: it was given back, or its owner has not renewed
//!   its lease in time. Who is live and what is free is said by the database, by its own clock.
//! - An owner that is not the heaviest any more gives the partition back.
//! - An owner is no longer the owner once the epoch of the partition is another one.

use std::collections::{BTreeMap, BTreeSet};

use muster_schemas::Partition;

/// A partition as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub partition: Partition,
    pub owner: Option<String>,
    pub epoch: i64,
    /// Nobody has it, or whoever has it did not renew the lease.
    pub is_free: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// Who is at work.
    pub workers: BTreeSet<String>,
    pub rows: Vec<Row>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Another has it by now.
    pub lost: Vec<Partition>,
    pub give_back: Vec<Partition>,
    pub take: Vec<Partition>,
}

/// What the worker `me` should do, who holds partitions under these epochs. A worker that is not
/// among the live ones takes nothing, and keeps what nobody takes from it.
pub fn plan(me: &str, held: &BTreeMap<Partition, i64>, view: &View) -> Plan {
    let mut plan = Plan::default();
    for row in &view.rows {
        let heaviest = owner_of(row.partition, &view.workers);
        match held.get(&row.partition) {
            Some(epoch) if *epoch != row.epoch || row.owner.as_deref() != Some(me) => {
                plan.lost.push(row.partition);
            }
            Some(_) if view.workers.contains(me) && heaviest != Some(me) => {
                plan.give_back.push(row.partition);
            }
            None if row.is_free && heaviest == Some(me) => plan.take.push(row.partition),
            Some(_) | None => {}
        }
    }
    plan
}

/// Who of the workers should have it; `None` where there are none.
pub fn owner_of(partition: Partition, workers: &BTreeSet<String>) -> Option<&str> {
    let heaviest = workers.iter().max_by_key(|worker| (weight(partition, worker), *worker));
    heaviest.map(String::as_str)
}

/// The same in every version of every worker: two that disagree would wait for each other. FNV-1a,
/// whose bits are mixed once more, because ids that differ in their last letter only would have
/// weights in nearly the same order for all partitions.
fn weight(partition: Partition, worker: &str) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = worker.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, step);
    let hash = partition.number().to_le_bytes().iter().fold(hash, step);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests;
