//! What a process costs, as the kernel accounts it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// CPU seconds used so far, in user and kernel mode, by all threads there were, to the nanosecond:
/// the ticks in `/proc/<pid>/stat` are too coarse for a process that uses one every ten seconds.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let clock =
        clock_getcpuclockid(Pid::from_raw(pid.cast_signed())).context("the process has ended")?;
    let used = clock_gettime(clock).context("the process has ended")?;
    Ok(Duration::from(used).as_secs_f64())
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
