//! What a process costs, as the kernel accounts it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use muster_stack::proc_fs::children;
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::{Pid, SysconfVar, sysconf};

/// CPU seconds used so far, in user and kernel mode, by all threads there were, to the nanosecond:
/// the ticks in `/proc/<pid>/stat` are too coarse for a process that uses one every ten seconds.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let clock =
        clock_getcpuclockid(Pid::from_raw(pid.cast_signed())).context("the process has ended")?;
    let used = clock_gettime(clock).context("the process has ended")?;
    Ok(Duration::from(used).as_secs_f64())
}

/// The same of a process and its children, those that have ended included: `PostgreSQL` has one
/// for each connection.
pub fn tree_cpu_seconds(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("it has ended")?;
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    // Fields 16 and 17, in ticks: of children that have ended. Field 3 is the first after the name.
    let field = |number: usize| -> f64 {
        after_name.split_whitespace().nth(number - 3).and_then(|f| f.parse().ok()).unwrap_or(0.0)
    };
    let ticks_per_s = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100) as f64;
    let ended = (field(16) + field(17)) / ticks_per_s;
    // One that ends meanwhile is counted as ended the next time.
    let running: f64 = children(pid).into_iter().filter_map(|pid| cpu_seconds(pid).ok()).sum();
    Ok(cpu_seconds(pid)? + ended + running)
}

/// Resident memory now.
pub fn rss_bytes(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("it has ended")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .context("no VmRSS in /proc/<pid>/status")?;
    Ok(kib * 1024.0)
}
