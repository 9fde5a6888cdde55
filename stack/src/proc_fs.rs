//! What the kernel knows about processes, read from `/proc`. A process that is gone, or whose
//! files may not be read, is simply not there. Used to tell our processes from strangers that
//! were given the same pid, and by `status`.

use std::fs;
use std::path::Path;

/// A process is the same one only if its start is the same: pids are used again.
pub fn start_ticks(pid: u32) -> Option<u64> {
    // Field 22; the program's name in field 2 may contain spaces and parentheses.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?;
    if state == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Changes at every boot: start times of another boot mean nothing.
pub fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

/// Memory of a process and its children, each shared page counted by its share where the kernel
/// tells, or else the resident set.
pub fn memory_bytes(pid: u32) -> u64 {
    let children = children(pid).into_iter().map(own_memory_bytes).sum::<u64>();
    own_memory_bytes(pid) + children
}

fn own_memory_bytes(pid: u32) -> u64 {
    let share = kibibytes(&format!("/proc/{pid}/smaps_rollup"), "Pss:");
    share.or_else(|| kibibytes(&format!("/proc/{pid}/status"), "VmRSS:")).unwrap_or(0) * 1024
}

fn kibibytes(path: &str, key: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Of all its threads.
pub fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| parse_pids(&list)).collect()
}

fn parse_pids(list: &str) -> Vec<u32> {
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Processes whose working directory this is.
pub fn pids_standing_in(dir: &Path) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stands = |pid: &u32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == dir);
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(stands).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_start_and_uses_memory() {
        let me = std::process::id();
        assert!(start_ticks(me).is_some_and(|ticks| ticks > 0));
        assert!(memory_bytes(me) > 100_000);
        assert!(pids_standing_in(&std::env::current_dir().unwrap()).contains(&me));
    }

    #[test]
    fn a_pid_nobody_has_is_not_there() {
        assert_eq!(start_ticks(u32::MAX), None);
        assert_eq!(memory_bytes(u32::MAX), 0);
    }
}
