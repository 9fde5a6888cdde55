//! `/proc/meminfo` and `/proc/pressure/*`, as numbers.

use muster_schemas::numbers::{rate_per_s, round_fraction};
use muster_schemas::telemetry::{Memory, MemoryDetail, SwapRates};

use crate::logic::scan::{count, first_number, lines, number, number_after, words};

const KIB: u64 = 1024;

/// The lines of `/proc/meminfo` that are told, in KiB but for the counts of huge pages.
#[derive(Debug, Default)]
struct Meminfo {
    total: u64,
    free: u64,
    available: Option<u64>,
    buffers: u64,
    cached: u64,
    reclaimable: u64,
    dirty: u64,
    swap_total: u64,
    swap_free: u64,
    huge_total: u64,
    huge_free: u64,
    huge_size: u64,
}

/// `None` where the text tells no total.
pub fn parse_memory(text: &[u8]) -> Option<Memory> {
    let info = parse_meminfo(text);
    let bytes = |kib: u64| count(kib.saturating_mul(KIB));
    if info.total == 0 {
        return None;
    }
    // Kernels before 3.14 do not say what is available.
    let kept = || info.free.saturating_add(info.buffers).saturating_add(info.cached);
    let available = info.available.unwrap_or_else(kept).min(info.total);
    let huge = |pages: u64| bytes(pages.saturating_mul(info.huge_size));
    Some(Memory {
        total_bytes: bytes(info.total),
        used_bytes: bytes(info.total - available),
        available_bytes: bytes(available),
        swap_total_bytes: bytes(info.swap_total),
        swap_used_bytes: bytes(info.swap_total.saturating_sub(info.swap_free)),
        detail: Some(MemoryDetail {
            free_bytes: bytes(info.free),
            buffers_bytes: bytes(info.buffers),
            cached_bytes: bytes(info.cached.saturating_add(info.reclaimable)),
            dirty_bytes: bytes(info.dirty),
            huge_pages_total_bytes: huge(info.huge_total),
            huge_pages_used_bytes: huge(info.huge_total.saturating_sub(info.huge_free)),
        }),
        swap_rates: None,
    })
}

fn parse_meminfo(text: &[u8]) -> Meminfo {
    let mut info = Meminfo::default();
    for line in lines(text) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let place = match &line[..colon] {
            b"MemTotal" => &mut info.total,
            b"MemFree" => &mut info.free,
            b"MemAvailable" => info.available.get_or_insert(0),
            b"Buffers" => &mut info.buffers,
            b"Cached" => &mut info.cached,
            b"SReclaimable" => &mut info.reclaimable,
            b"Dirty" => &mut info.dirty,
            b"SwapTotal" => &mut info.swap_total,
            b"SwapFree" => &mut info.swap_free,
            b"HugePages_Total" => &mut info.huge_total,
            b"HugePages_Free" => &mut info.huge_free,
            b"Hugepagesize" => &mut info.huge_size,
            _ => continue,
        };
        *place = first_number(&line[colon + 1..]).unwrap_or(0);
    }
    info
}

/// Pages swapped in and out since boot, from `/proc/vmstat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SwapCounters {
    pub pages_in: u64,
    pub pages_out: u64,
}

pub fn parse_swap(vmstat: &[u8]) -> Option<SwapCounters> {
    let pages_in = number_after(vmstat, "pswpin")?;
    Some(SwapCounters { pages_in, pages_out: number_after(vmstat, "pswpout")? })
}

pub fn swap_rates(
    before: SwapCounters,
    after: SwapCounters,
    elapsed_ms: i64,
    page_bytes: u64,
) -> SwapRates {
    let rate = |before: u64, after: u64| {
        rate_per_s(before.saturating_mul(page_bytes), after.saturating_mul(page_bytes), elapsed_ms)
    };
    SwapRates {
        in_bytes_per_s: rate(before.pages_in, after.pages_in),
        out_bytes_per_s: rate(before.pages_out, after.pages_out),
    }
}

/// Microseconds since boot in which some or all tasks waited, of one resource.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stalls {
    pub some_us: u64,
    pub full_us: u64,
}

/// One file of `/proc/pressure`.
pub fn parse_stalls(text: &[u8]) -> Option<Stalls> {
    let total = |kind: &[u8]| {
        let line = lines(text).find(|line| line.starts_with(kind))?;
        words(line).find_map(|word| number(word.strip_prefix(b"total=")?))
    };
    Some(Stalls { some_us: total(b"some")?, full_us: total(b"full").unwrap_or(0) })
}

/// A share of the elapsed time, 0 to 100; 0 for what went backwards.
pub fn stall_percent(before_us: u64, after_us: u64, elapsed_ms: i64) -> f32 {
    if elapsed_ms <= 0 {
        return 0.0;
    }
    let stalled_ms = after_us.saturating_sub(before_us) as f64 / 1000.0;
    round_fraction((stalled_ms * 100.0 / elapsed_ms as f64).min(100.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MEMINFO: &[u8] = b"MemTotal:        1000 kB\nMemFree:          300 kB\n\
MemAvailable:     600 kB\nBuffers:           50 kB\nCached:           200 kB\n\
SwapCached:         9 kB\nSwapTotal:        100 kB\nSwapFree:          60 kB\n\
Dirty:              4 kB\nSReclaimable:      25 kB\nHugePages_Total:     10\n\
HugePages_Free:       4\nHugepagesize:      2 kB\n";

    #[test]
    fn memory_is_told_in_detail() {
        let memory = parse_memory(MEMINFO).unwrap();
        assert_eq!((memory.total_bytes, memory.used_bytes), (1_024_000, 409_600));
        assert_eq!((memory.swap_total_bytes, memory.swap_used_bytes), (102_400, 40_960));
        let detail = memory.detail.unwrap();
        assert_eq!((detail.free_bytes, detail.buffers_bytes), (307_200, 51_200));
        assert_eq!((detail.cached_bytes, detail.dirty_bytes), (230_400, 4096));
        let huge = (detail.huge_pages_total_bytes, detail.huge_pages_used_bytes);
        assert_eq!(huge, (20_480, 12_288));
        assert_eq!(parse_memory(b""), None);
    }

    #[test]
    fn an_old_kernel_without_available_gets_free_buffers_and_cache() {
        let memory = parse_memory(b"MemTotal: 10 kB\nMemFree: 2 kB\nCached: 3 kB\n").unwrap();
        assert_eq!(memory.available_bytes, 5 * 1024);
    }

    #[test]
    fn swapping_is_told_in_bytes_per_second() {
        let before = parse_swap(b"nr_x 1\npswpin 10\npswpout 20\n").unwrap();
        let after = parse_swap(b"pswpin 15\npswpout 10\n").unwrap();
        let rates = swap_rates(before, after, 5000, 4096);
        assert_eq!((rates.in_bytes_per_s, rates.out_bytes_per_s), (4096, 0));
    }

    #[test]
    fn stalls_are_shares_of_the_elapsed_time() {
        let text = b"some avg10=0.18 avg60=0.05 avg300=0.53 total=181\nfull avg10=0.00 total=107\n";
        assert_eq!(parse_stalls(text), Some(Stalls { some_us: 181, full_us: 107 }));
        assert_eq!(parse_stalls(b"some total=5\n"), Some(Stalls { some_us: 5, full_us: 0 }));
        assert_eq!(parse_stalls(b""), None);
        assert!((stall_percent(0, 2_500_000, 5000) - 50.0).abs() < f32::EPSILON);
        assert!(stall_percent(9, 2, 5000).abs() < f32::EPSILON);
    }

    proptest! {
        #[test]
        fn no_reading_makes_a_share_outside_0_to_100(before: u64, after: u64, elapsed_ms: i64) {
            let share = stall_percent(before, after, elapsed_ms);
            prop_assert!((0.0..=100.0).contains(&share));
        }
    }
}
