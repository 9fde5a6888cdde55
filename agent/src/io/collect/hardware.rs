//! Clock rate, temperatures, fans and batteries, from `/sys`.
//!
//! Reading a sensor may ask a slow chip, and reading a clock rate may wake a core: both are read on
//! a thread of their own, and what sleeps to save power is let sleep.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use muster_schemas::numbers::round_fraction;
use muster_schemas::telemetry::{Battery, BatteryState, Fan, Sensor};

use super::host::{Host, boot_clock_ms, names_in, read_line, read_number};
use super::slow::{Found, Plan, Slow};
use super::source::Trouble;
use crate::logic::cpu::parse_cpuinfo_mhz;

/// A clock rate changes within milliseconds: any reading is a spot check.
const FREQUENCY_PERIOD_MS: i64 = 30_000;

/// The kernel measures the clock of each core for `/proc/cpuinfo`, milliseconds on large hosts.
const CPUINFO_PERIOD_MS: i64 = 5 * 60 * 1000;

/// Heat moves slowly.
const SENSORS_PERIOD_MS: i64 = 15_000;

/// So does charge.
const BATTERIES_PERIOD_MS: i64 = 60_000;

/// How long the files of sensors are taken to be the same.
const RESOLVE_PERIOD_MS: i64 = 10 * 60 * 1000;

/// What an unconnected sensor reports lies outside (-128, 255, ...).
const CELSIUS: std::ops::RangeInclusive<f64> = -60.0..=200.0;

pub fn frequency(host: &Host) -> Slow<i64> {
    let plan = Plan {
        name: "frequency",
        period_ms: FREQUENCY_PERIOD_MS,
        put: |mhz, sample| sample.cpu.frequency_mhz = Some(*mhz),
        once: false,
    };
    let host = host.clone();
    let mut from_cpuinfo: Option<(i64, i64)> = None;
    Slow::start(plan, move || {
        if let Some(mhz) = scaling_mhz(&host) {
            return Ok(Found::all(mhz));
        }
        let now_ms = boot_clock_ms();
        if from_cpuinfo.is_none_or(|(at_ms, _)| now_ms - at_ms >= CPUINFO_PERIOD_MS) {
            let text = fs::read(host.proc("cpuinfo")).unwrap_or_default();
            from_cpuinfo = parse_cpuinfo_mhz(&text).map(|mhz| (now_ms, mhz));
        }
        let (_, mhz) = from_cpuinfo.ok_or_else(|| Trouble::absent("no clock rate is told"))?;
        Ok(Found::all(mhz))
    })
}

/// The mean over all cores. Cores that share a clock have one policy, and one reading, together.
fn scaling_mhz(host: &Host) -> Option<i64> {
    let directory = host.sys("devices/system/cpu/cpufreq");
    let (mut sum_khz, mut cores) = (0i64, 0i64);
    for policy in names_in(&directory).iter().filter(|name| name.starts_with("policy")) {
        let policy = directory.join(policy);
        let Some(khz) = read_number(&policy.join("scaling_cur_freq")) else { continue };
        let affected = read_line(&policy.join("affected_cpus")).unwrap_or_default();
        let count = i64::try_from(affected.split_whitespace().count()).unwrap_or(1).max(1);
        sum_khz += khz.saturating_mul(count);
        cores += count;
    }
    (cores > 0).then(|| sum_khz / cores / 1000)
}

/// What the files say: temperatures and fans.
#[derive(Debug, Default)]
pub struct Readings {
    temperatures: Vec<Sensor>,
    fans: Vec<Fan>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Temperature,
    Fan,
}

#[derive(Debug)]
struct SensorFile {
    kind: Kind,
    name: String,
    path: PathBuf,
    /// Says whether the device sleeps.
    power: PathBuf,
}

pub fn sensors(host: &Host) -> Slow<Readings> {
    let plan = Plan {
        name: "sensors",
        period_ms: SENSORS_PERIOD_MS,
        put: |readings: &Readings, sample| {
            sample.sensors.clone_from(&readings.temperatures);
            sample.fans.clone_from(&readings.fans);
        },
        once: false,
    };
    let host = host.clone();
    let mut files = Vec::new();
    let mut resolved_ms = None;
    Slow::start(plan, move || {
        let now_ms = boot_clock_ms();
        if resolved_ms.is_none_or(|at_ms| now_ms - at_ms >= RESOLVE_PERIOD_MS) {
            files = sensor_files(&host);
            resolved_ms = Some(now_ms);
        }
        if files.is_empty() {
            resolved_ms = None;
            return Err(Trouble::absent("the host has no temperature sensor and no fan"));
        }
        Ok(Found::all(read_sensors(&files)))
    })
}

fn read_sensors(files: &[SensorFile]) -> Readings {
    let mut readings = Readings::default();
    for file in files.iter().filter(|file| !is_asleep(&file.power)) {
        let Some(value) = read_number(&file.path) else { continue };
        let name = file.name.clone();
        match file.kind {
            Kind::Fan => readings.fans.push(Fan { name, rpm: value.max(0) }),
            Kind::Temperature => {
                let celsius = value as f64 / 1000.0;
                if CELSIUS.contains(&celsius) {
                    readings.temperatures.push(Sensor { name, celsius: round_fraction(celsius) });
                }
            }
        }
    }
    readings
}

/// Whether reading it would wake the device.
pub fn is_asleep(runtime_status: &Path) -> bool {
    read_line(runtime_status).is_some_and(|status| status == "suspended")
}

/// The inputs of all chips, and the thermal zones that no chip stands for.
fn sensor_files(host: &Host) -> Vec<SensorFile> {
    let mut files = Vec::new();
    let mut chips = Vec::new();
    let hwmon = host.sys("class/hwmon");
    for directory in names_in(&hwmon).iter().map(|name| hwmon.join(name)) {
        let chip = read_line(&directory.join("name")).unwrap_or_default();
        chips.push(chip.replace('_', "-"));
        files.extend(chip_files(&directory, &chip));
    }
    let thermal = host.sys("class/thermal");
    for zone in names_in(&thermal).iter().filter(|name| name.starts_with("thermal_zone")) {
        let directory = thermal.join(zone);
        let name = read_line(&directory.join("type")).unwrap_or_else(|| zone.clone());
        if !chips.contains(&name.replace('_', "-")) {
            let (path, power) = (directory.join("temp"), directory.join("power/runtime_status"));
            files.push(SensorFile { kind: Kind::Temperature, name, path, power });
        }
    }
    number_the_same(&mut files);
    files
}

fn chip_files(directory: &Path, chip: &str) -> Vec<SensorFile> {
    let mut files = Vec::new();
    for input in names_in(directory) {
        let Some(sensor) = input.strip_suffix("_input") else { continue };
        let kind = match sensor.trim_end_matches(|c: char| c.is_ascii_digit()) {
            "temp" => Kind::Temperature,
            "fan" => Kind::Fan,
            _ => continue,
        };
        let label = read_line(&directory.join(format!("{sensor}_label")));
        let label = label.filter(|label| !label.is_empty()).unwrap_or_else(|| sensor.to_owned());
        files.push(SensorFile {
            kind,
            name: format!("{chip} {label}"),
            path: directory.join(&input),
            power: directory.join("device/power/runtime_status"),
        });
    }
    files
}

/// Two disks of one model have sensors of the same name: the second gets a number.
fn number_the_same(files: &mut [SensorFile]) {
    let mut seen: HashMap<(bool, String), usize> = HashMap::new();
    for file in files {
        let count = seen.entry((file.kind == Kind::Fan, file.name.clone())).or_default();
        *count += 1;
        if *count > 1 {
            file.name = format!("{} #{count}", file.name);
        }
    }
}

pub fn batteries(host: &Host) -> Slow<Vec<Battery>> {
    let plan = Plan {
        name: "batteries",
        period_ms: BATTERIES_PERIOD_MS,
        put: |batteries: &Vec<Battery>, sample| sample.batteries.clone_from(batteries),
        once: false,
    };
    let directory = host.sys("class/power_supply");
    Slow::start(plan, move || {
        let names = names_in(&directory);
        let batteries: Vec<Battery> =
            names.into_iter().filter_map(|name| battery(&directory, name)).collect();
        if batteries.is_empty() {
            return Err(Trouble::absent("the host has no battery"));
        }
        Ok(Found::all(batteries))
    })
}

fn battery(directory: &Path, name: String) -> Option<Battery> {
    let line = |file: &str| read_line(&directory.join(&name).join(file));
    // A mouse has a battery too; it is the device's, not the host's.
    if line("type")? != "Battery" || line("scope").is_some_and(|scope| scope == "Device") {
        return None;
    }
    let number = |file: &str| line(file)?.parse::<f64>().ok();
    let share = |now: &str, full: &str| Some(number(now)? * 100.0 / number(full)?);
    let charge = number("capacity")
        .or_else(|| share("energy_now", "energy_full"))
        .or_else(|| share("charge_now", "charge_full"))?;
    let state = match line("status").unwrap_or_default().as_str() {
        "Charging" => BatteryState::Charging,
        "Discharging" => BatteryState::Discharging,
        "Full" => BatteryState::Full,
        "Not charging" => BatteryState::NotCharging,
        _ => BatteryState::Unknown,
    };
    Some(Battery { name, charge_percent: round_fraction(charge.clamp(0.0, 100.0)), state })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host_with(files: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join("sys").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{text}\n")).unwrap();
        }
        let host = Host::new(directory.path());
        (directory, host)
    }

    #[test]
    fn temperatures_and_fans_have_the_names_of_their_chips() {
        let (_directory, host) = host_with(&[
            ("class/hwmon/hwmon0/name", "coretemp"),
            ("class/hwmon/hwmon0/temp1_input", "45500"),
            ("class/hwmon/hwmon0/temp1_label", "Package id 0"),
            ("class/hwmon/hwmon1/name", "nvme"),
            ("class/hwmon/hwmon1/temp1_input", "38000"),
            ("class/hwmon/hwmon2/name", "nvme"),
            ("class/hwmon/hwmon2/temp1_input", "39000"),
            ("class/hwmon/hwmon3/name", "nct6775"),
            ("class/hwmon/hwmon3/fan2_input", "1200"),
            ("class/hwmon/hwmon3/temp9_input", "-128000"),
            ("class/hwmon/hwmon4/name", "amdgpu"),
            ("class/hwmon/hwmon4/temp1_input", "50000"),
            ("class/hwmon/hwmon4/device/power/runtime_status", "suspended"),
            ("class/thermal/thermal_zone0/type", "x86_pkg_temp"),
            ("class/thermal/thermal_zone0/temp", "46000"),
            ("class/thermal/thermal_zone1/type", "nvme"),
            ("class/thermal/thermal_zone1/temp", "38000"),
        ]);
        let readings = read_sensors(&sensor_files(&host));
        let told: Vec<(&str, f32)> =
            readings.temperatures.iter().map(|s| (s.name.as_str(), s.celsius)).collect();
        let expected = [
            ("coretemp Package id 0", 45.5),
            ("nvme temp1", 38.0),
            ("nvme temp1 #2", 39.0),
            ("x86_pkg_temp", 46.0),
        ];
        assert_eq!(told, expected);
        assert_eq!(readings.fans, [Fan { name: "nct6775 fan2".into(), rpm: 1200 }]);
    }

    #[test]
    fn batteries_of_devices_are_left_out() {
        let (_directory, host) = host_with(&[
            ("class/power_supply/BAT0/type", "Battery"),
            ("class/power_supply/BAT0/capacity", "87"),
            ("class/power_supply/BAT0/status", "Not charging"),
            ("class/power_supply/BAT1/type", "Battery"),
            ("class/power_supply/BAT1/energy_now", "10"),
            ("class/power_supply/BAT1/energy_full", "40"),
            ("class/power_supply/AC/type", "Mains"),
            ("class/power_supply/mouse/type", "Battery"),
            ("class/power_supply/mouse/scope", "Device"),
            ("class/power_supply/mouse/capacity", "50"),
        ]);
        let directory = host.sys("class/power_supply");
        let found: Vec<Battery> =
            names_in(&directory).into_iter().filter_map(|name| battery(&directory, name)).collect();
        let told: Vec<(&str, f32, BatteryState)> =
            found.iter().map(|b| (b.name.as_str(), b.charge_percent, b.state)).collect();
        let expected =
            [("BAT0", 87.0, BatteryState::NotCharging), ("BAT1", 25.0, BatteryState::Unknown)];
        assert_eq!(told, expected);
    }

    #[test]
    fn the_clock_rate_is_the_mean_of_all_cores() {
        let (_directory, host) = host_with(&[
            ("devices/system/cpu/cpufreq/policy0/scaling_cur_freq", "1000000"),
            ("devices/system/cpu/cpufreq/policy0/affected_cpus", "0 1 2"),
            ("devices/system/cpu/cpufreq/policy3/scaling_cur_freq", "3000000"),
            ("devices/system/cpu/cpufreq/policy3/affected_cpus", "3"),
        ]);
        assert_eq!(scaling_mhz(&host), Some(1500));
    }
}
