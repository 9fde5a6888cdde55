//! The processes worth showing.

use muster_schemas::telemetry::{Process, Processes};

/// How many processes of each list travel.
pub const TOP_COUNT: usize = 5;

/// The largest by CPU and by memory, largest first; ties go to the lower pid so that lists do not
/// flicker. A process that used no CPU is not a top one.
pub fn top_processes(mut all: Vec<Process>) -> Processes {
    let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let by_pid = |a: &Process, b: &Process| a.pid.cmp(&b.pid);

    all.sort_by(|a, b| b.cpu_percent.total_cmp(&a.cpu_percent).then(by_pid(a, b)));
    let busy = all.iter().filter(|process| process.cpu_percent > 0.0);
    let top_cpu = busy.take(TOP_COUNT).cloned().collect();

    all.sort_by(|a, b| b.memory_bytes.cmp(&a.memory_bytes).then(by_pid(a, b)));
    all.truncate(TOP_COUNT);
    Processes { total, top_cpu, top_memory: all }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_come_first_and_idle_ones_are_left_out() {
        let process = |pid, cpu_percent, memory_bytes| Process {
            pid,
            name: format!("p{pid}"),
            cpu_percent,
            memory_bytes,
        };
        let all = (1..=8).map(|pid| process(pid, if pid > 3 { 0.0 } else { pid as f32 }, 10 * pid));
        let top = top_processes(all.collect());
        let pids = |list: &[Process]| list.iter().map(|p| p.pid).collect::<Vec<_>>();
        assert_eq!(top.total, 8);
        assert_eq!(pids(&top.top_cpu), [3, 2, 1]);
        assert_eq!(pids(&top.top_memory), [8, 7, 6, 5, 4]);
    }
}
