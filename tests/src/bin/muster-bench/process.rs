//! What a process costs, as the kernel accounts it.

use std::fs;

use anyhow::{Context, Result};

/// The kernel's accounting unit on every Linux we run on (`getconf CLK_TCK`).
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds used so far, in user and kernel mode, by all threads there were.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process has ended")?;
    // The name in parentheses may hold blanks; what follows it does not.
    let after_name = stat.rsplit_once(')').context("/proc/<pid>/stat has another form")?.1;
    let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
    let (user, system) = ticks(11).zip(ticks(12)).context("/proc/<pid>/stat is too short")?;
    Ok((user + system) / TICKS_PER_SECOND)
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
