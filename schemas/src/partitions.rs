//! Which hosts are decided about together: 32 partitions of hosts, and the fleet as a whole.
//!
//! The broker puts each signal of a host under its partition (the transform `partition(32,1)` of
//! the stream SIGNALS). What is not a signal, such as a host's going offline, is assigned here, by
//! the same arithmetic; a pipeline test compares the two.

use std::fmt;

use crate::ids::HostId;

/// How many the hosts are divided into. Many more than there are workers, so that work can be
/// spread evenly; the broker's transform and the stored subjects name it, so it cannot change.
pub const HOST_PARTITIONS: u8 = 32;

/// A partition of hosts, or the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition(u8);

impl Partition {
    /// Where it is decided about groups of hosts: it hears all of them.
    pub const FLEET: Self = Self(HOST_PARTITIONS);

    /// The hosts' partitions and the fleet.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=HOST_PARTITIONS).map(Self)
    }

    /// The one a host belongs to.
    pub fn of(host: &HostId) -> Self {
        let hash = fnv1a(host.as_str().as_bytes()) % u32::from(HOST_PARTITIONS);
        Self(hash as u8)
    }

    /// As the database has it; `None` where there is no such partition.
    pub fn from_number(number: i32) -> Option<Self> {
        u8::try_from(number).ok().filter(|number| *number <= HOST_PARTITIONS).map(Self)
    }

    pub fn number(self) -> i32 {
        i32::from(self.0)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::FLEET {
            return f.write_str("the fleet");
        }
        write!(f, "partition {}", self.0)
    }
}

/// The hash of 32 bits (FNV-1a) with which the broker partitions.
fn fnv1a(bytes: &[u8]) -> u32 {
    let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    bytes.iter().fold(0x811c_9dc5, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_that_is_published() {
        assert_eq!(fnv1a(b""), 0x811c_9dc5);
        assert_eq!(fnv1a(b"a"), 0xe40c_292c);
        assert_eq!(fnv1a(b"foobar"), 0xbf9c_f968);
    }

    #[test]
    fn hosts_are_spread_over_all_partitions_and_none_belongs_to_the_fleet() {
        let mut counts = [0; HOST_PARTITIONS as usize];
        for n in 0..3_200 {
            let host: HostId = format!("web-{n}").parse().unwrap();
            counts[Partition::of(&host).number() as usize] += 1;
        }
        assert!(counts.iter().all(|count| (50..=150).contains(count)), "{counts:?}");
    }

    #[test]
    fn numbers_are_read_as_they_were_written() {
        for partition in Partition::all() {
            assert_eq!(Partition::from_number(partition.number()), Some(partition));
        }
        assert_eq!(Partition::all().count(), 33);
        assert_eq!(Partition::from_number(33), None);
        assert_eq!(Partition::from_number(-1), None);
        assert_eq!(Partition::FLEET.to_string(), "the fleet");
    }
}
