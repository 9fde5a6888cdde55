//! What disks say of themselves, asked of `smartctl` once an hour. Disks that sleep are let sleep.

use std::path::{Path, PathBuf};
use std::time::Duration;

use muster_schemas::telemetry::SmartDisk;

use super::child::{Limits, find_program, run_system};
use super::host::{Host, names_in};
use super::slow::{Found, Plan, Slow};
use super::source::Trouble;
use crate::logic::smart::{Report, parse_smart};

/// A disk fails over days, and each question is a command to its firmware.
const PERIOD_MS: i64 = 60 * 60 * 1000;

/// A report has some 20 KB; a failing disk may take its time.
const LIMITS: Limits = Limits { timeout: Duration::from_secs(30), bytes_max: 256 * 1024 };

pub fn smart(host: &Host) -> Slow<Vec<SmartDisk>> {
    let plan = Plan {
        name: "smart",
        period_ms: PERIOD_MS,
        put: |disks: &Vec<SmartDisk>, sample| sample.smart_disks.clone_from(disks),
        once: true,
    };
    let block = host.sys("block");
    Slow::start(plan, move || {
        let program =
            find_program("smartctl").ok_or_else(|| Trouble::absent("smartctl is not installed"))?;
        ask_all(&program, &block)
    })
}

fn ask_all(program: &Path, block: &Path) -> Result<Found<Vec<SmartDisk>>, Trouble> {
    let (mut disks, mut refusals) = (Vec::new(), Vec::new());
    for device in names_in(block) {
        // Partitions are not listed; loops and other virtual disks have no device.
        if !block.join(&device).join("device").exists() {
            continue;
        }
        match ask(program, &device) {
            Report::Disk(disk) => disks.push(*disk),
            Report::Silent => {}
            Report::Refused(reason) => refusals.push(reason),
        }
    }
    if disks.is_empty() {
        // An agent that does not run as root may not ask: that is how it was set up, not an error.
        let reason = refusals.pop().unwrap_or_else(|| "no disk tells of itself".into());
        return Err(Trouble::absent(reason));
    }
    Ok(Found::but(disks, &refusals))
}

fn ask(program: &Path, device: &str) -> Report {
    let path = PathBuf::from("/dev").join(device.replace('!', "/"));
    let Some(path) = path.to_str() else { return Report::Silent };
    match run_system(program, &["--json", "-a", "-n", "standby", path], LIMITS) {
        Ok(printed) => parse_smart(device, &printed.text),
        Err(reason) => Report::Refused(format!("{device}: smartctl {reason}")),
    }
}
