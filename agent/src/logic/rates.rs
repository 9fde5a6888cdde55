//! Rates from counters: what happened between two readings.
//!
//! A device that was not there before has no rate yet and is left out; one whose counters went
//! backwards was reset and has a rate of 0 for once. The elapsed time is that of a clock that goes
//! on while the machine is suspended, so that what is counted after it wakes is spread over the
//! whole pause rather than shown as a spike.

use muster_schemas::numbers::{fractional_rate_per_s, rate_per_s, round_fraction};
use muster_schemas::telemetry::{Disk, DiskTimes, Network};

use crate::logic::scan::{lines, number, words};

/// `/proc/diskstats` counts in sectors of 512 bytes, whatever the device's own are.
const SECTOR_BYTES: u64 = 512;

/// One block device's counters since boot, from `/proc/diskstats`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskCounters {
    pub reads: u64,
    pub read_bytes: u64,
    pub read_ms: u64,
    pub writes: u64,
    pub written_bytes: u64,
    pub write_ms: u64,
    /// In which at least one request was under way.
    pub busy_ms: u64,
    /// As `busy_ms`, times the number of requests.
    pub queued_ms: u64,
}

/// One interface's counters, from `/proc/net/dev`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NetworkCounters {
    pub rx_bytes: u64,
    pub rx_packets: u64,
    pub rx_errors: u64,
    pub rx_drops: u64,
    pub tx_bytes: u64,
    pub tx_packets: u64,
    pub tx_errors: u64,
    pub tx_drops: u64,
}

/// The last reading of each of several named things.
///
/// The kernel lists them in the same order again and again: the next one is looked for where the
/// one before was found, and a name is copied only when it is new.
#[derive(Debug)]
pub struct Readings<C> {
    known: Vec<Known<C>>,
    cursor: usize,
    round: u64,
}

#[derive(Debug)]
struct Known<C> {
    name: String,
    counters: C,
    round: u64,
}

impl<C> Default for Readings<C> {
    fn default() -> Self {
        Self { known: Vec::new(), cursor: 0, round: 0 }
    }
}

impl<C: Copy> Readings<C> {
    /// Begins a new look at all of them.
    pub fn begin(&mut self) {
        self.cursor = 0;
        self.round += 1;
    }

    /// Takes one reading and answers the one before it, if there was one.
    pub fn observe(&mut self, name: &str, counters: C) -> Option<C> {
        let index = self.index_of(name);
        self.cursor = index.unwrap_or(self.known.len()) + 1;
        let Some(known) = index.map(|index| &mut self.known[index]) else {
            self.known.push(Known { name: name.to_owned(), counters, round: self.round });
            return None;
        };
        known.round = self.round;
        Some(std::mem::replace(&mut known.counters, counters))
    }

    /// Forgets what was not seen since [`Readings::begin`].
    pub fn end(&mut self) {
        let round = self.round;
        self.known.retain(|known| known.round == round);
    }

    fn index_of(&self, name: &str) -> Option<usize> {
        let is = |known: &Known<C>| known.name == name;
        if self.known.get(self.cursor).is_some_and(is) {
            return Some(self.cursor);
        }
        self.known.iter().position(is)
    }
}

/// One line of `/proc/diskstats`: the device and what it counted.
pub fn parse_disk(line: &[u8]) -> Option<(&str, DiskCounters)> {
    let mut words = words(line).skip(2);
    let device = std::str::from_utf8(words.next()?).ok()?;
    let mut numbers = words.map(|word| number(word).unwrap_or(0));
    let mut field = |skip: usize| numbers.nth(skip);
    let counters = DiskCounters {
        reads: field(0)?,
        read_bytes: field(1)?.saturating_mul(SECTOR_BYTES),
        read_ms: field(0)?,
        writes: field(0)?,
        written_bytes: field(1)?.saturating_mul(SECTOR_BYTES),
        write_ms: field(0)?,
        busy_ms: field(1)?,
        queued_ms: field(0)?,
    };
    Some((device, counters))
}

pub fn disk_rates(
    device: &str,
    before: &DiskCounters,
    after: &DiskCounters,
    elapsed_ms: i64,
) -> Disk {
    Disk {
        device: device.to_owned(),
        read_bytes_per_s: rate_per_s(before.read_bytes, after.read_bytes, elapsed_ms),
        write_bytes_per_s: rate_per_s(before.written_bytes, after.written_bytes, elapsed_ms),
        reads_per_s: fractional_rate_per_s(before.reads, after.reads, elapsed_ms),
        writes_per_s: fractional_rate_per_s(before.writes, after.writes, elapsed_ms),
        times: Some(disk_times(before, after, elapsed_ms)),
    }
}

fn disk_times(before: &DiskCounters, after: &DiskCounters, elapsed_ms: i64) -> DiskTimes {
    let spent = |before: u64, after: u64| after.saturating_sub(before);
    let ratio = |part: u64, whole: u64| {
        if whole == 0 { 0.0 } else { round_fraction(part as f64 / whole as f64) }
    };
    let elapsed = u64::try_from(elapsed_ms).unwrap_or(0);
    let (reads, writes) = (spent(before.reads, after.reads), spent(before.writes, after.writes));
    let busy_ms = spent(before.busy_ms, after.busy_ms).saturating_mul(100);
    DiskTimes {
        read_await_ms: ratio(spent(before.read_ms, after.read_ms), reads),
        write_await_ms: ratio(spent(before.write_ms, after.write_ms), writes),
        queue_length: ratio(spent(before.queued_ms, after.queued_ms), elapsed),
        // The kernel counts in its own ticks: a busy disk may show a little more than all time.
        utilisation_percent: ratio(busy_ms, elapsed).min(100.0),
    }
}

/// One line of `/proc/net/dev`: the interface and what it counted.
pub fn parse_network(line: &[u8]) -> Option<(&str, NetworkCounters)> {
    // The number may touch the colon, and the name of an alias may hold one.
    let colon = line.iter().rposition(|byte| *byte == b':')?;
    let interface = std::str::from_utf8(&line[..colon]).ok()?.trim();
    let mut numbers = words(&line[colon + 1..]).map(number);
    let mut field = |skip: usize| numbers.nth(skip).flatten();
    let counters = NetworkCounters {
        rx_bytes: field(0)?,
        rx_packets: field(0)?,
        rx_errors: field(0)?,
        rx_drops: field(0)?,
        tx_bytes: field(4)?,
        tx_packets: field(0)?,
        tx_errors: field(0)?,
        tx_drops: field(0)?,
    };
    Some((interface, counters))
}

pub fn network_rates(
    interface: &str,
    before: &NetworkCounters,
    after: &NetworkCounters,
    elapsed_ms: i64,
) -> Network {
    let fraction = |before, after| fractional_rate_per_s(before, after, elapsed_ms);
    Network {
        interface: interface.to_owned(),
        rx_bytes_per_s: rate_per_s(before.rx_bytes, after.rx_bytes, elapsed_ms),
        tx_bytes_per_s: rate_per_s(before.tx_bytes, after.tx_bytes, elapsed_ms),
        rx_packets_per_s: fraction(before.rx_packets, after.rx_packets),
        tx_packets_per_s: fraction(before.tx_packets, after.tx_packets),
        rx_errors_per_s: fraction(before.rx_errors, after.rx_errors),
        tx_errors_per_s: fraction(before.tx_errors, after.tx_errors),
        rx_drops_per_s: fraction(before.rx_drops, after.rx_drops),
        tx_drops_per_s: fraction(before.tx_drops, after.tx_drops),
    }
}

/// Received and sent by all interfaces of a `net/dev` but the loopback, which is how a container
/// is told from its own namespace.
pub fn sum_networks(text: &[u8]) -> (u64, u64) {
    let outward = lines(text).filter_map(parse_network).filter(|(name, _)| *name != "lo");
    outward.fold((0u64, 0u64), |(rx, tx), (_, counters)| {
        (rx.saturating_add(counters.rx_bytes), tx.saturating_add(counters.tx_bytes))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NET_DEV: &[u8] = b"\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
  eth0:1000 10 1 4 0 0 0 0 2000 20 2 5 0 0 0 0
    lo: 5 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n";

    #[test]
    fn interfaces_are_read_even_where_the_number_touches_the_colon() {
        let found: Vec<_> = lines(NET_DEV).filter_map(parse_network).collect();
        let eth0 = NetworkCounters {
            rx_bytes: 1000,
            rx_packets: 10,
            rx_errors: 1,
            rx_drops: 4,
            tx_bytes: 2000,
            tx_packets: 20,
            tx_errors: 2,
            tx_drops: 5,
        };
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], ("eth0", eth0));
        assert_eq!(sum_networks(NET_DEV), (1000, 2000));
    }

    #[test]
    fn disks_are_read_from_diskstats() {
        let line = b" 254       0 vda 100 7 8 30 200 9 16 60 0 40 90 1 2 3 4 5 6";
        let (device, counters) = parse_disk(line).unwrap();
        assert_eq!(device, "vda");
        let expected = DiskCounters {
            reads: 100,
            read_bytes: 4096,
            read_ms: 30,
            writes: 200,
            written_bytes: 8192,
            write_ms: 60,
            busy_ms: 40,
            queued_ms: 90,
        };
        assert_eq!(counters, expected);
        assert_eq!(parse_disk(b"   7       0 loop0 1 2 3"), None);
    }

    #[test]
    fn times_of_a_disk_are_those_of_iostat() {
        let before = DiskCounters::default();
        let after = DiskCounters {
            reads: 10,
            read_ms: 25,
            writes: 4,
            write_ms: 40,
            busy_ms: 500,
            queued_ms: 2000,
            ..before
        };
        let times = DiskTimes {
            read_await_ms: 2.5,
            write_await_ms: 10.0,
            queue_length: 2.0,
            utilisation_percent: 50.0,
        };
        assert_eq!(disk_rates("vda", &before, &after, 1000).times, Some(times));
    }

    #[test]
    fn what_is_new_waits_for_its_second_reading_and_what_is_gone_is_forgotten() {
        let mut readings = Readings::default();
        let mut look = |names: &[(&str, u64)]| {
            readings.begin();
            let before: Vec<Option<u64>> =
                names.iter().map(|(name, value)| readings.observe(name, *value)).collect();
            readings.end();
            before
        };
        assert_eq!(look(&[("a", 1), ("b", 2)]), [None, None]);
        assert_eq!(look(&[("b", 3), ("c", 4), ("a", 5)]), [Some(2), None, Some(1)]);
        assert_eq!(look(&[("c", 6)]), [Some(4)]);
        assert_eq!(look(&[("a", 7), ("c", 8)]), [None, Some(6)]);
    }

    fn disk(c: [u64; 8]) -> DiskCounters {
        let [reads, read_bytes, read_ms, writes, written_bytes, write_ms, busy_ms, queued_ms] = c;
        DiskCounters {
            reads,
            read_bytes,
            read_ms,
            writes,
            written_bytes,
            write_ms,
            busy_ms,
            queued_ms,
        }
    }

    proptest! {
        #[test]
        fn no_counter_reset_or_clock_makes_a_negative_or_infinite_rate(
            old: [u64; 8], new: [u64; 8], elapsed_ms: i64
        ) {
            let rates = disk_rates("a", &disk(old), &disk(new), elapsed_ms);
            prop_assert!(rates.read_bytes_per_s >= 0 && rates.write_bytes_per_s >= 0);
            let times = rates.times.unwrap();
            prop_assert!((0.0..=100.0).contains(&times.utilisation_percent));
            let fractions = [
                rates.reads_per_s, rates.writes_per_s,
                times.read_await_ms, times.write_await_ms, times.queue_length,
            ];
            for fraction in fractions {
                prop_assert!(fraction >= 0.0 && fraction.is_finite());
            }
        }

        /// A suspend is an elapsed time far larger than the interval: whatever was counted, no
        /// more than that is told again by rate times time, and a reset tells nothing.
        #[test]
        fn a_rate_never_tells_more_than_was_counted(
            before in 0u64..1 << 50, grown in 0u64..1 << 40, elapsed_ms in 1i64..400_000_000,
            reset: bool
        ) {
            let after = if reset { before / 2 } else { before + grown };
            let counters = |bytes| NetworkCounters { rx_bytes: bytes, ..Default::default() };
            let rates = network_rates("a", &counters(before), &counters(after), elapsed_ms);
            let told = rates.rx_bytes_per_s as f64 * elapsed_ms as f64 / 1000.0;
            // Half a byte a second is what rounding may add.
            let most = after.saturating_sub(before) as f64 + elapsed_ms as f64 / 2000.0;
            prop_assert!(told <= most * (1.0 + 1e-9), "{told} > {most}");
        }
    }
}
