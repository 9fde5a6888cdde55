//! Rates from counters: what happened between two readings.
//!
//! A device that was not there before has no rate yet and is left out; one whose counters went
//! backwards was reset and has a rate of 0 for once.

use std::collections::HashMap;

use muster_schemas::numbers::{fractional_rate_per_s, rate_per_s};
use muster_schemas::telemetry::{Disk, Network};

/// One block device's counters since boot, from `/proc/diskstats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskCounters {
    pub reads: u64,
    pub read_bytes: u64,
    pub writes: u64,
    pub written_bytes: u64,
}

/// One interface's counters, from `/proc/net/dev`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkCounters {
    pub rx_bytes: u64,
    pub rx_packets: u64,
    pub rx_errors: u64,
    pub tx_bytes: u64,
    pub tx_packets: u64,
    pub tx_errors: u64,
}

pub type Counters<C> = HashMap<String, C>;

pub fn disk_rates(
    before: &Counters<DiskCounters>,
    after: &Counters<DiskCounters>,
    elapsed_ms: i64,
) -> Vec<Disk> {
    pairs(before, after, |device, old, new| Disk {
        device: device.to_owned(),
        read_bytes_per_s: rate_per_s(old.read_bytes, new.read_bytes, elapsed_ms),
        write_bytes_per_s: rate_per_s(old.written_bytes, new.written_bytes, elapsed_ms),
        reads_per_s: fractional_rate_per_s(old.reads, new.reads, elapsed_ms),
        writes_per_s: fractional_rate_per_s(old.writes, new.writes, elapsed_ms),
    })
}

pub fn network_rates(
    before: &Counters<NetworkCounters>,
    after: &Counters<NetworkCounters>,
    elapsed_ms: i64,
) -> Vec<Network> {
    let fraction = |old, new| fractional_rate_per_s(old, new, elapsed_ms);
    pairs(before, after, |interface, old, new| Network {
        interface: interface.to_owned(),
        rx_bytes_per_s: rate_per_s(old.rx_bytes, new.rx_bytes, elapsed_ms),
        tx_bytes_per_s: rate_per_s(old.tx_bytes, new.tx_bytes, elapsed_ms),
        rx_packets_per_s: fraction(old.rx_packets, new.rx_packets),
        tx_packets_per_s: fraction(old.tx_packets, new.tx_packets),
        rx_errors_per_s: fraction(old.rx_errors, new.rx_errors),
        tx_errors_per_s: fraction(old.tx_errors, new.tx_errors),
    })
}

/// Joins two readings by name, in the order of the names.
fn pairs<C, R>(
    before: &Counters<C>,
    after: &Counters<C>,
    rate: impl Fn(&str, &C, &C) -> R,
) -> Vec<R> {
    let mut names: Vec<&String> = after.keys().filter(|name| before.contains_key(*name)).collect();
    names.sort();
    names.into_iter().map(|name| rate(name, &before[name], &after[name])).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(rx_bytes: u64, rx_packets: u64) -> NetworkCounters {
        NetworkCounters {
            rx_bytes,
            rx_packets,
            rx_errors: 0,
            tx_bytes: rx_bytes / 2,
            tx_packets: rx_packets / 2,
            tx_errors: 0,
        }
    }

    #[test]
    fn rates_are_per_second_and_new_devices_wait_for_their_second_reading() {
        let before = Counters::from([("eth0".to_owned(), network(1000, 10))]);
        let after = Counters::from([
            ("eth0".to_owned(), network(11_000, 12)),
            ("veth1".to_owned(), network(5, 5)),
        ]);
        let rates = network_rates(&before, &after, 5000);
        assert_eq!(rates.len(), 1);
        assert_eq!((rates[0].rx_bytes_per_s, rates[0].tx_bytes_per_s), (2000, 1000));
        assert!((rates[0].rx_packets_per_s - 0.40625).abs() < f32::EPSILON);
    }

    proptest! {
        #[test]
        fn no_counter_reset_or_clock_makes_a_negative_or_infinite_rate(
            old: [u64; 4], new: [u64; 4], elapsed_ms: i64
        ) {
            let disk = |c: [u64; 4]| DiskCounters {
                reads: c[0], read_bytes: c[1], writes: c[2], written_bytes: c[3]
            };
            let before = Counters::from([("a".to_owned(), disk(old))]);
            let after = Counters::from([("a".to_owned(), disk(new))]);
            for rate in disk_rates(&before, &after, elapsed_ms) {
                prop_assert!(rate.read_bytes_per_s >= 0 && rate.write_bytes_per_s >= 0);
                prop_assert!(rate.reads_per_s >= 0.0 && rate.reads_per_s.is_finite());
                prop_assert!(rate.writes_per_s >= 0.0 && rate.writes_per_s.is_finite());
            }
        }
    }
}
