//! What the processors did between two readings of `/proc/stat`.
//!
//! Shares are of the time the kernel accounted, not of the wall clock: a suspended machine accounts
//! none. A counter that went backwards (iowait may, and so do all after a core was taken offline)
//! counts as unchanged.

use muster_schemas::numbers::round_fraction;
use muster_schemas::telemetry::{Cpu, CpuModes, Load};

use crate::logic::scan::{lines, number, words};

/// `user nice system idle iowait irq softirq steal`; guests are in user already.
const MODES: usize = 8;

/// Ticks since boot of one core, or of all together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuTimes {
    /// `None` for all together.
    core: Option<u64>,
    ticks: [u64; MODES],
}

/// Reads the lines of `/proc/stat` that begin with `cpu`, all together first, into a list that is
/// used again.
pub fn parse_cpu_times(text: &[u8], times: &mut Vec<CpuTimes>) {
    times.clear();
    for line in lines(text) {
        let Some(rest) = line.strip_prefix(b"cpu") else { break };
        let mut ticks = [0; MODES];
        let all = rest.first().is_some_and(u8::is_ascii_whitespace);
        let mut words = words(rest);
        let core = if all { None } else { words.next().and_then(number) };
        for (tick, word) in ticks.iter_mut().zip(words) {
            *tick = number(word).unwrap_or(0);
        }
        times.push(CpuTimes { core, ticks });
    }
}

/// Shares between two readings. A core that was not there before has nothing to show yet.
pub fn cpu_shares(before: &[CpuTimes], after: &[CpuTimes]) -> Cpu {
    let Some(all) = after.first() else { return Cpu::default() };
    let spent = before.first().map(|before| spent(before, all)).unwrap_or_default();
    let busy_of = |now: &CpuTimes| {
        let then = before.iter().find(|then| then.core == now.core);
        then.map_or(0.0, |then| busy_percent(self::spent(then, now)))
    };
    Cpu {
        usage_percent: busy_percent(spent),
        cores_percent: after.iter().skip(1).map(busy_of).collect(),
        modes: modes(spent),
        frequency_mhz: None,
    }
}

fn spent(before: &CpuTimes, after: &CpuTimes) -> [u64; MODES] {
    std::array::from_fn(|mode| after.ticks[mode].saturating_sub(before.ticks[mode]))
}

fn total(spent: [u64; MODES]) -> u64 {
    spent.iter().fold(0, |sum: u64, ticks| sum.saturating_add(*ticks))
}

fn busy_percent(spent: [u64; MODES]) -> f32 {
    let [_, _, _, idle, iowait, ..] = spent;
    let all = total(spent);
    let busy = all.saturating_sub(idle).saturating_sub(iowait);
    percent(busy, all)
}

/// `None` where no tick has passed: nothing was measured.
fn modes(spent: [u64; MODES]) -> Option<CpuModes> {
    let all = total(spent);
    if all == 0 {
        return None;
    }
    let [user, nice, system, idle, iowait, irq, softirq, steal] = spent;
    Some(CpuModes {
        user_percent: percent(user.saturating_add(nice), all),
        system_percent: percent(system.saturating_add(irq).saturating_add(softirq), all),
        iowait_percent: percent(iowait, all),
        steal_percent: percent(steal, all),
        idle_percent: percent(idle, all),
    })
}

fn percent(part: u64, all: u64) -> f32 {
    if all == 0 { 0.0 } else { round_fraction((part as f64 * 100.0 / all as f64).min(100.0)) }
}

/// `/proc/loadavg`.
pub fn parse_load(text: &[u8]) -> Option<Load> {
    let text = std::str::from_utf8(text).ok()?;
    let mut numbers = text.split_ascii_whitespace().map(str::parse::<f64>);
    let mut next = || numbers.next()?.ok().map(round_fraction);
    Some(Load { one: next()?, five: next()?, fifteen: next()? })
}

/// The mean of the cores' clock rates in `/proc/cpuinfo`, where it has them.
pub fn parse_cpuinfo_mhz(text: &[u8]) -> Option<i64> {
    let (mut sum, mut cores) = (0.0, 0);
    for line in lines(text).filter(|line| line.starts_with(b"cpu MHz")) {
        let value = std::str::from_utf8(line).ok()?.split(':').nth(1)?;
        sum += value.trim().parse::<f64>().ok()?;
        cores += 1;
    }
    (cores > 0).then(|| (sum / f64::from(cores)).round() as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn times(text: &str) -> Vec<CpuTimes> {
        let mut times = Vec::new();
        parse_cpu_times(text.as_bytes(), &mut times);
        times
    }

    #[test]
    fn shares_are_of_what_was_spent_between_two_readings() {
        let before = times("cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 100 0 100 800 0 0 0 0 0 0\n");
        let after = times(
            "cpu  120 10 110 840 10 5 5 0 0 0\ncpu0 120 10 110 840 10 5 5 0 0 0\nintr 1 2 3\n",
        );
        let cpu = cpu_shares(&before, &after);
        assert!((cpu.usage_percent - 50.0).abs() < f32::EPSILON);
        assert_eq!(cpu.cores_percent, [50.0]);
        let modes = CpuModes {
            user_percent: 30.0,
            system_percent: 20.0,
            iowait_percent: 10.0,
            steal_percent: 0.0,
            idle_percent: 40.0,
        };
        assert_eq!(cpu.modes, Some(modes));
    }

    #[test]
    fn a_core_that_came_online_waits_for_its_second_reading() {
        let before = times("cpu 0 0 0 0\ncpu0 0 0 0 0\ncpu2 0 0 0 0\n");
        let after = times("cpu 30 0 0 0\ncpu0 10 0 0 0\ncpu1 10 0 0 0\ncpu2 10 0 0 0\n");
        assert_eq!(cpu_shares(&before, &after).cores_percent, [100.0, 0.0, 100.0]);
    }

    #[test]
    fn load_and_clock_rates_are_read() {
        let load = Load { one: 0.5, five: 1.25, fifteen: 2.0 };
        assert_eq!(parse_load(b"0.50 1.25 2.00 1/234 567\n"), Some(load));
        assert_eq!(parse_load(b"junk"), None);
        assert_eq!(parse_cpuinfo_mhz(b"cpu MHz\t\t: 2000.5\ncpu MHz : 3000.5\n"), Some(2501));
        assert_eq!(parse_cpuinfo_mhz(b"processor : 0\n"), None);
    }

    proptest! {
        #[test]
        fn no_reading_makes_a_share_outside_0_to_100(
            old in prop::array::uniform8(0u64..1 << 60), new in prop::array::uniform8(0u64..1 << 60)
        ) {
            let reading = |ticks| [CpuTimes { core: None, ticks }, CpuTimes { core: Some(0), ticks }];
            let cpu = cpu_shares(&reading(old), &reading(new));
            let mut shares = vec![cpu.usage_percent, cpu.cores_percent[0]];
            if let Some(m) = cpu.modes {
                shares.extend([m.user_percent, m.system_percent, m.iowait_percent]);
                shares.extend([m.steal_percent, m.idle_percent]);
                let sum: f32 = shares[2..].iter().sum();
                prop_assert!((sum - 100.0).abs() < 0.1, "{sum}");
            }
            for share in shares {
                prop_assert!((0.0..=100.0).contains(&share), "{share}");
            }
        }
    }
}
