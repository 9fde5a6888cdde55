//! Makes a sample fit to travel: what is refused at its destination is refused with all of its
//! frame.
//!
//! Names come from runtimes and devices, sizes from file systems, which may say anything: a bucket
//! that is mounted has no end, and a counter that is set back leaps. Lists that are too long lose
//! their ends, items with such a name are left out, and numbers are cut to the largest there may
//! be; all but the ends of lists is told by collector. The collectors' samples go through here.

use std::collections::BTreeMap;

use muster_schemas::telemetry::{BYTES_MAX, INSTANCES_MAX, NAME_BYTES_MAX, Sample};

/// What was done, in words, by the collector whose numbers or names they were.
pub type Unfit = BTreeMap<&'static str, String>;

pub fn fit(sample: &mut Sample) -> Unfit {
    let mut unfit = Unfit::new();
    for (collector, left_out) in leave_out(sample) {
        if left_out > 0 {
            let why = format!("a name is longer than {NAME_BYTES_MAX} bytes or holds a NUL");
            unfit.insert(collector, format!("{left_out} left out: {why}"));
        }
    }
    truncate(sample);
    for (collector, cut) in cut(sample) {
        if cut > 0 {
            let what = format!("{cut} of the sizes and rates are cut to {BYTES_MAX} bytes");
            let told = unfit.entry(collector).or_default();
            *told = if told.is_empty() { what } else { format!("{told}; {what}") };
        }
    }
    unfit
}

fn leave_out(sample: &mut Sample) -> [(&'static str, usize); 4] {
    let fits = |name: &String| name.len() <= NAME_BYTES_MAX && !name.contains('\0');
    [
        (
            "containers",
            keep(&mut sample.containers, |c| [&c.name, &c.image, &c.state].into_iter().all(fits)),
        ),
        ("smart", keep(&mut sample.smart_disks, |disk| fits(&disk.model) && fits(&disk.serial))),
        ("gpus", keep(&mut sample.gpus, |gpu| fits(&gpu.name))),
        (
            "filesystems",
            keep(&mut sample.filesystems, |f| [&f.mount, &f.device].into_iter().all(fits)),
        ),
    ]
}

/// Answers how many did not stay.
fn keep<T>(list: &mut Vec<T>, fits: impl Fn(&T) -> bool) -> usize {
    let before = list.len();
    list.retain(fits);
    before - list.len()
}

fn truncate(sample: &mut Sample) {
    sample.cpu.cores_percent.truncate(INSTANCES_MAX);
    sample.filesystems.truncate(INSTANCES_MAX);
    sample.disks.truncate(INSTANCES_MAX);
    sample.networks.truncate(INSTANCES_MAX);
    sample.sensors.truncate(INSTANCES_MAX);
    sample.fans.truncate(INSTANCES_MAX);
    sample.containers.truncate(INSTANCES_MAX);
    sample.custom.truncate(INSTANCES_MAX);
}

fn cut(sample: &mut Sample) -> [(&'static str, usize); 7] {
    [
        ("memory", cut_memory(sample)),
        (
            "filesystems",
            cut_all(&mut sample.filesystems, |f| {
                vec![&mut f.total_bytes, &mut f.used_bytes, &mut f.available_bytes]
            }),
        ),
        (
            "disks",
            cut_all(&mut sample.disks, |d| vec![&mut d.read_bytes_per_s, &mut d.write_bytes_per_s]),
        ),
        (
            "networks",
            cut_all(&mut sample.networks, |n| vec![&mut n.rx_bytes_per_s, &mut n.tx_bytes_per_s]),
        ),
        ("processes", cut_processes(sample)),
        (
            "gpus",
            cut_all(&mut sample.gpus, |gpu| {
                gpu.memory_used_bytes.iter_mut().chain(&mut gpu.memory_total_bytes).collect()
            }),
        ),
        (
            "containers",
            cut_all(&mut sample.containers, |c| {
                vec![
                    &mut c.memory_bytes,
                    &mut c.memory_limit_bytes,
                    &mut c.rx_bytes_per_s,
                    &mut c.tx_bytes_per_s,
                ]
            }),
        ),
    ]
}

fn cut_memory(sample: &mut Sample) -> usize {
    let memory = &mut sample.memory;
    let detail = memory.detail.iter_mut().flat_map(|detail| {
        [
            &mut detail.free_bytes,
            &mut detail.buffers_bytes,
            &mut detail.cached_bytes,
            &mut detail.dirty_bytes,
            &mut detail.huge_pages_total_bytes,
            &mut detail.huge_pages_used_bytes,
        ]
    });
    let rates = memory.swap_rates.iter_mut();
    let rates = rates.flat_map(|rates| [&mut rates.in_bytes_per_s, &mut rates.out_bytes_per_s]);
    let sizes = [
        &mut memory.total_bytes,
        &mut memory.used_bytes,
        &mut memory.available_bytes,
        &mut memory.swap_total_bytes,
        &mut memory.swap_used_bytes,
    ];
    cut_values(sizes.into_iter().chain(detail).chain(rates))
}

fn cut_processes(sample: &mut Sample) -> usize {
    let lists = &mut sample.processes;
    [&mut lists.top_cpu, &mut lists.top_memory, &mut lists.top_io]
        .into_iter()
        .map(|list| {
            cut_all(list, |process| {
                vec![
                    &mut process.memory_bytes,
                    &mut process.read_bytes_per_s,
                    &mut process.write_bytes_per_s,
                ]
            })
        })
        .sum()
}

fn cut_all<T>(list: &mut [T], values: impl Fn(&mut T) -> Vec<&mut i64>) -> usize {
    list.iter_mut().map(|item| cut_values(values(item).into_iter())).sum()
}

/// Answers how many were too large.
fn cut_values<'a>(values: impl Iterator<Item = &'a mut i64>) -> usize {
    let too_large = values.filter(|value| **value > BYTES_MAX);
    too_large.map(|value| *value = BYTES_MAX).count()
}

#[cfg(test)]
mod tests {
    use muster_schemas::Durable;
    use muster_schemas::telemetry::{
        Container, Disk, Filesystem, Gpu, Memory, MemoryDetail, Network, Process, SwapRates,
        TelemetryFrame,
    };

    use super::*;

    const AT: i64 = 1_795_248_000_000;
    const ENDLESS: i64 = i64::MAX;

    fn endless() -> Sample {
        let mut sample = Sample { at: AT, ..Sample::default() };
        sample.memory = Memory {
            total_bytes: ENDLESS,
            used_bytes: ENDLESS,
            available_bytes: ENDLESS,
            swap_total_bytes: ENDLESS,
            swap_used_bytes: ENDLESS,
            detail: Some(MemoryDetail {
                free_bytes: ENDLESS,
                buffers_bytes: ENDLESS,
                cached_bytes: ENDLESS,
                dirty_bytes: ENDLESS,
                huge_pages_total_bytes: ENDLESS,
                huge_pages_used_bytes: ENDLESS,
            }),
            swap_rates: Some(SwapRates { in_bytes_per_s: ENDLESS, out_bytes_per_s: ENDLESS }),
        };
        sample.filesystems = vec![Filesystem {
            mount: "/bucket".into(),
            total_bytes: ENDLESS,
            used_bytes: ENDLESS,
            available_bytes: ENDLESS,
            ..Filesystem::default()
        }];
        let rates = (ENDLESS, ENDLESS);
        let (read_bytes_per_s, write_bytes_per_s) = rates;
        sample.disks = vec![Disk { read_bytes_per_s, write_bytes_per_s, ..Disk::default() }];
        let (rx_bytes_per_s, tx_bytes_per_s) = rates;
        sample.networks = vec![Network { rx_bytes_per_s, tx_bytes_per_s, ..Network::default() }];
        sample.gpus = vec![Gpu {
            memory_used_bytes: Some(ENDLESS),
            memory_total_bytes: Some(ENDLESS),
            ..Gpu::default()
        }];
        sample.containers = vec![Container {
            memory_bytes: ENDLESS,
            memory_limit_bytes: ENDLESS,
            rx_bytes_per_s,
            tx_bytes_per_s,
            ..Container::default()
        }];
        let process = Process {
            memory_bytes: ENDLESS,
            read_bytes_per_s,
            write_bytes_per_s,
            ..Process::default()
        };
        sample.processes.top_cpu = vec![process.clone()];
        sample.processes.top_memory = vec![process.clone()];
        sample.processes.top_io = vec![process];
        sample
    }

    #[test]
    fn numbers_without_end_are_cut_and_told_and_the_sample_is_taken() {
        let mut sample = endless();
        let unfit = fit(&mut sample);
        TelemetryFrame { samples: vec![sample.clone()] }.check(AT).unwrap();
        let told: Vec<(&str, &str)> =
            unfit.iter().map(|(name, what)| (*name, what.split_once(' ').unwrap().0)).collect();
        let expected = [
            ("containers", "4"),
            ("disks", "2"),
            ("filesystems", "3"),
            ("gpus", "2"),
            ("memory", "13"),
            ("networks", "2"),
            ("processes", "9"),
        ];
        assert_eq!(told, expected);
        assert_eq!(sample.filesystems[0].available_bytes, BYTES_MAX);
        assert!((sample.filesystems[0].used_percent() - 50.0).abs() < 1e-9);
        assert_eq!(fit(&mut sample), Unfit::new());
    }

    #[test]
    fn names_that_may_not_travel_are_left_out_and_told() {
        let mut sample = Sample { at: AT, ..Sample::default() };
        let container = |name: &str| Container { name: name.into(), ..Container::default() };
        sample.containers = vec![container("a"), container(&"x".repeat(5000)), container("\0")];
        let unfit = fit(&mut sample);
        assert_eq!(sample.containers, [container("a")]);
        assert!(unfit["containers"].starts_with("2 left out"), "{unfit:?}");
        TelemetryFrame { samples: vec![sample] }.check(AT).unwrap();
    }
}
