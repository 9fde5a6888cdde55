//! What disks say of themselves, asked of `smartctl` once an hour. Disks that sleep are let sleep.

use std::path::{Path, PathBuf};
use std::time::Duration;

use muster_schemas::telemetry::SmartDisk;

use super::child::{Limits, find_program, run_system};
use super::host::{Host, OPTICAL, names_in, read_number};
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
    let (mut disks, mut refusals, mut asked) = (Vec::new(), Vec::new(), 0);
    for device in names_in(block) {
        // Partitions are not listed; loops and other virtual disks have no device.
        let about = block.join(&device).join("device");
        if !about.exists() || read_number(&about.join("type")) == Some(OPTICAL) {
            continue;
        }
        asked += 1;
        match ask(program, &device) {
            Report::Disk(disk) => disks.push(*disk),
            Report::Silent => {}
            Report::Refused(reason) => refusals.push(reason),
        }
    }
    if asked == 0 {
        return Err(Trouble::absent("there is no disk to ask"));
    }
    if disks.is_empty() {
        // An agent that does not run as root may not ask: that is how it was set up, not an error.
        let reason = refusals.pop().unwrap_or_else(|| "no disk tells of itself".into());
        return Err(Trouble::silent(reason));
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::child::tests::stand_in;
    use super::*;

    #[test]
    fn disks_are_as_smartctl_tells_and_what_it_refuses_is_told_beside() {
        let directory = tempfile::tempdir().unwrap();
        let script = r#"[ "$1 $2 $3 $4" = "--json -a -n standby" ] || exit 2
case "$5" in
/dev/sda) echo '{"model_name":"Disk A","serial_number":"S1","smart_status":{"passed":true},
"temperature":{"current":33},"power_on_time":{"hours":12}}' ;;
*) echo '{"smartctl":{"exit_status":2,"messages":[{"string":"Permission denied"}]}}'; exit 2 ;;
esac"#;
        let program = stand_in(directory.path(), "smartctl", script);
        let block = directory.path().join("block");
        for device in ["sda", "sdb"] {
            fs::create_dir_all(block.join(device).join("device")).unwrap();
        }
        let found = ask_all(&program, &block).unwrap();
        let disk = &found.value[0];
        assert_eq!((disk.device.as_str(), disk.model.as_str()), ("sda", "Disk A"));
        assert_eq!((found.value.len(), disk.passed, disk.celsius), (1, true, Some(33.0)));
        assert_eq!(found.trouble.unwrap(), "sdb: Permission denied");
    }

    #[test]
    fn disks_that_refuse_are_not_asked_again_at_once_and_none_is_looked_for_again_soon() {
        let directory = tempfile::tempdir().unwrap();
        let block = directory.path().join("block");
        let program = stand_in(directory.path(), "smartctl", "exit 2");
        fs::create_dir_all(&block).unwrap();
        assert!(matches!(ask_all(&program, &block), Err(Trouble::Absent(_))));
        fs::create_dir_all(block.join("sda/device")).unwrap();
        assert!(matches!(ask_all(&program, &block), Err(Trouble::Silent(_))));
    }
}
